"""How the figures were made: formulas, settings, and what does not enter them."""

from olbench.findings import Findings
from olbench.metrics import METRICS
from olbench.prose import counted
from olbench.report.overview import ARROWS
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import plain
from olbench.stats import NEEDED, VISITS_NEEDED, visits_needed
from olbench.units import span

TYPICAL = f"A typical value is the geometric mean over visits of each visit's median; ± is its 95 % interval by Student's t over the logarithms of those medians, given from {VISITS_NEEDED} visits on. Samples of one visit share a load and a moment of the machine and are not independent; visits are, so every interval counts visits."
PERCENTILES = "Percentiles are pooled over all visits (type 7 of Hyndman and Fan). Their 95 % intervals assume no distribution, and are the wider the more visits differ"
_EACH = 8  # samples a visit, in the example of how many visits an interval needs


def formulas() -> Table:
    """Every metric with its formula and what it needs."""
    rows = (
        (
            Entry(one.name, one.key),
            Entry(one.unit, ARROWS[one.better]),
            Entry(one.formula),
            Entry(one.needs or "a request that went through"),
        )
        for one in METRICS.values()
    )
    return Table((Heading("Metric"), Heading("Unit"), Heading("Formula"), Heading("Needs")), tuple(rows))


def settings(findings: Findings) -> Table:
    """What the scenario's `[measure]` and `[workload]` came to."""
    rows = (
        (Entry(plain(name.removesuffix("_ns"))), Entry(_setting(name, value)))
        for name, value in findings.record.run.settings.items()
    )
    return Table((Heading("Setting"), Heading("Value")), tuple(rows))


def _setting(name: str, value: object) -> str:
    if value is None:
        return "not set"
    if name.endswith("_ns") and isinstance(value, int) and not isinstance(value, bool):
        return span(value)
    return ("yes" if value else "no") if isinstance(value, bool) else plain(str(value))


def rules() -> tuple[str, ...]:
    """The rules of the statistics, one sentence each."""
    figures = ", ".join(
        f"p{p} from {least} samples, its interval from {visits_needed(p / 100, _EACH)} visits of {_EACH}"
        for p, least in NEEDED.items()
    )
    return (
        TYPICAL,
        f"{PERCENTILES}: {figures}.",
        "A visit that does not pass a check of the machine or the server is marked: it is left out of figures and verdicts, and drawn hollow. Where no visit of a cell passes, its figures stand, and it is called neither faster nor slower than another.",
        "Only measured requests that went through (outcomes ok and short) enter a figure. Warm-up requests do not; the first request after a cold load gives the cold figures and nothing else. Failed requests are counted and shown, never averaged.",
        "Latency counts from the moment of sending, stamped when bytes leave and arrive, not when a program wakes up. Rates of prefill and decode come from the server's own clock and counts.",
        "An unknown figure is left empty with its reason; it is never 0.",
    )


def left_out(findings: Findings) -> tuple[str, ...]:
    """What a reader must know of the plan: points that were excluded, settings that gave way."""
    excluded = findings.record.plan.excluded
    words = (
        [f"The scenario's exclude rules took out {counted(excluded, 'point')} of the grid."]
        if excluded
        else []
    )
    return (*words, *map(plain, findings.record.plan.notes))
