"""Within which two figures are called equivalent: one table, each margin with its reason; a scenario's settings move them.

What has a margin here is what is compared unless more is asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from olbench.checked import shown
from olbench.errors import UsageError
from olbench.metric_keys import MARGIN
from olbench.metrics import METRICS
from olbench.model import Fact, Facts

_WIDEST = 1.0


@dataclass(frozen=True, slots=True)
class Margin:
    """One margin: a share of the base."""

    value: float
    why: str


# A row should look like a row.
# fmt: off
MARGINS: Mapping[str, Margin] = {
    "decode": Margin(0.03, "nobody reads the difference off a screen, and versions differ by as much without intent"),
    "ttft": Margin(0.05, "prompts of one length differ by a token or two, and a wait is felt from a tenth on"),
    "tpot": Margin(0.03, "as decode, of which it is the other face"),
    "prefill": Margin(0.05, "rates of short prompts hang on a few milliseconds of overhead"),
    "e2e": Margin(0.05, "it holds the first token's wait, which has this margin"),
    "throughput": Margin(0.03, "as decode; many requests even out what one has by chance"),
    "load": Margin(0.10, "servers poll for readiness, Ollama every quarter of a second, and disks vary"),
    "preload": Margin(0.10, "as load, with our own request around it"),
    "ram_peak": Margin(0.02, "memory is repeatable to a few pages; what a machine feels is a share of all it has"),
    "gpu_peak": Margin(0.02, "as RAM: what decides whether one more layer fits is larger"),
    "energy_per_token": Margin(0.05, "power meters read to a few parts in a hundred"),
}
# fmt: on


def margins(settings: Facts, asked: Mapping[str, float] | None = None) -> Mapping[str, float]:
    """The margins that hold, by metric: the table's, what settings say instead, and what is asked for before all.

    What is not known here, or of which more is neither better nor worse, is passed over. UsageError for what is no share.
    """
    said = {name.removeprefix(MARGIN): value for name, value in settings.items() if name.startswith(MARGIN)}
    judged = {name: value for name, value in (said | dict(asked or {})).items() if _has_a_better(name)}
    faults = [
        f"{MARGIN}{name}: {shown(value)} was found; a share from 0 to 1 such as 0.03 would do"
        for name, value in judged.items()
        if _share(value) is None
    ]
    if faults:
        raise UsageError(faults)
    given = {name: share for name, value in judged.items() if (share := _share(value)) is not None}
    return {name: one.value for name, one in MARGINS.items()} | given


def _has_a_better(name: str) -> bool:
    return name in METRICS and METRICS[name].better != "neither"


def _share(value: Fact) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _WIDEST:
        return None
    return float(value)
