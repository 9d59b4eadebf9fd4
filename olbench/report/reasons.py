"""Why a metric has no value in some cells, in few words."""

from collections import Counter
from collections.abc import Iterable

from olbench.findings import CellFinding, Estimate
from olbench.prose import ranked
from olbench.report.amounts import merged
from olbench.report.wording import plain

_MOST = 2


def reasons(key: str, cells: Iterable[CellFinding]) -> str:
    """Why cells have no typical value of a metric, the commonest reason first; "" when each has one."""
    return ranked_reasons(found.summaries[key].typical for found in cells)


def ranked_reasons(estimates: Iterable[Estimate]) -> str:
    """The commonest reasons of the estimates without a value; "" when each has one."""
    found = Counter(one.reason or "no reason was given" for one in estimates if one.value is None)
    told = merged(found)
    alike: Counter[str] = Counter()
    for reason, count in found.items():
        alike[told[reason]] += count
    return plain("; ".join(reason for reason, _ in ranked(alike)[:_MOST]))
