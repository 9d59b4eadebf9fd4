"""Percentiles: how the samples of a cell spread, metric by metric, as far as their number supports it."""

from olbench.findings import CellFinding, Estimate, Findings, Summary
from olbench.metrics import METRICS
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import NOTHING, Scale, figure, plain, scale

SPREAD = ("ttft", "ttft_answer", "tpot", "gap", "e2e", "decode")
MOST_ROWS = 300


def percentiles(findings: Findings) -> Table:
    """One row a metric and cell that has samples of it; a dash where there are too few, and below which n is needed."""
    rows = [
        (key, place, found)
        for key in SPREAD
        for place, found in enumerate(findings.cells, 1)
        if found.summaries[key].samples and not _same_as_ttft(key, found)
    ]
    heads = (Heading("Metric"), Heading("Cell"), Heading("n", numeric=True))
    quantiles = tuple(Heading(name, numeric=True) for name in ("p50", "p90", "p95", "p99"))
    scales = {key: _scale(key, findings) for key in SPREAD}
    return Table(
        (*heads, *quantiles),
        tuple(_row(key, place, found, scales[key]) for key, place, found in rows[:MOST_ROWS]),
        "A dash: too few samples. p90 needs 10 of them, p95 20, p99 100. Behind a figure stands its 95 % interval, where "
        "there are visits enough for one (see Method): it is the wider the more visits differ. Gaps of one answer are "
        "not independent and have none. What is below the error of our clock is shown as that.",
    )


def _row(key: str, place: int, found: CellFinding, unit: Scale) -> tuple[Entry, ...]:
    told = found.summaries[key]
    figures = (_entry(told, one, unit) for one in (told.p50, told.p90, told.p95, told.p99))
    name = f"{METRICS[key].name}, {unit.unit}"
    return (Entry(name), Entry(f"{place}. {plain(found.label)}"), Entry(f"{told.samples:,}"), *figures)


def _entry(told: Summary, estimate: Estimate, unit: Scale) -> Entry:
    return Entry(NOTHING) if estimate.value is None else Entry(*figure(told, estimate, unit))


def _same_as_ttft(key: str, found: CellFinding) -> bool:
    """Only a model that thinks has an answer that begins later than its first token."""
    return key == "ttft_answer" and found.summaries[key].typical == found.summaries["ttft"].typical


def _scale(key: str, findings: Findings) -> Scale:
    values = (found.summaries[key].p50.value for found in findings.cells)
    return scale((value for value in values if value is not None), METRICS[key].unit)
