"""How loads were served: the lines of the service level, each load as a whole, the parts of mixes, the turns of conversations."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from olbench import labels
from olbench.findings import Attained, CellFinding, Estimate, Findings, Portion, Service
from olbench.metrics import METRICS
from olbench.report.capacity_words import VERDICTS, bound, percent, remark, wish
from olbench.report.tables import Entry, Heading, Table, numbered
from olbench.report.wording import NOTHING, Scale, figure, plain, scale
from olbench.slo import Term
from olbench.units import words

VOID = "does not count"
_LEAST_GROWTH = 0.0005  # requests a second: less is none in the places that are shown
_FIGURES = ("ttft", "e2e")
_QUANTILES = ("p50", "p95")


def levels(findings: Findings) -> Table:
    """One row a cell and line of the service level; no rows where the scenario has none."""
    return Table(
        (
            Heading("Cell"),
            Heading("Line"),
            Heading("Asked of", numeric=True),
            Heading("Met by", numeric=True),
            Heading("Share", numeric=True),
            Heading("Worth", numeric=True),
            Heading("Verdict"),
        ),
        tuple(
            (
                Entry(name),
                Entry(wish(one.term), _key(one.term)),
                Entry(percent(one.term.share)),
                Entry(f"{one.met:,} of {one.of:,}"),
                _share(one),
                Entry(NOTHING if one.worth is None else f"{one.worth:,.0f}"),
                Entry(VOID if served.invalid else VERDICTS[one.verdict]),
            )
            for name, served in _served(findings)
            for one in served.terms
        ),
        "Every measured request counts; one that failed, was not answered or gives no such figure does not meet the line. "
        "A line is kept if the whole 95 % interval of its share is at or above what was asked, broken if all of it is below; "
        "requests that queued together are worth fewer independent ones, and the interval is that of so many.",
    )


def served(findings: Findings) -> Table:
    """One row a cell: what came, how much of it met every line, and what is to be known of it."""
    return Table(
        (
            Heading("Cell"),
            Heading("Service level"),
            Heading("Requests", numeric=True),
            Heading("Came, 1/s", numeric=True),
            Heading("Goodput, 1/s", numeric=True),
            Heading("Tightest line"),
            Heading("Queue grew by, 1/s", numeric=True),
            Heading("Our own lateness, p99", numeric=True),
            Heading("Remarks"),
        ),
        tuple(
            (
                Entry(name),
                Entry(VOID if one.invalid else VERDICTS[one.verdict]),
                Entry(f"{one.requests:,}"),
                Entry(words(one.offered, "", 3) if one.offered is not None else NOTHING),
                _goodput(one.goodput),
                Entry(one.tightest or NOTHING),
                Entry(_growth(one.backlog)),
                Entry(NOTHING if one.late_p99 is None else words(one.late_p99, "s", 2)),
                Entry(remark(one)),
            )
            for name, one in _served(findings)
        ),
        "Goodput: requests a second that met every line, each counted at the moment when it fell due. Closed streams send "
        "as they are answered, so nothing falls due there.",
    )


def parts(findings: Findings) -> Table:
    """One row a cell and part of its mix."""
    return _portions(findings, "Part", ((one, one.by_part) for one in findings.cells), _part)


def turns(findings: Findings) -> Table:
    """One row a cell and turn of its conversations."""
    return _portions(findings, "Question", ((one, one.by_turn) for one in findings.cells), _turn)


def _part(cell: CellFinding, place: int) -> Entry:
    return Entry(plain(labels.part(cell.cell.mix[place])))


def _turn(_: CellFinding, place: int) -> Entry:
    return Entry(str(place + 1))


def _portions(
    findings: Findings,
    what: str,
    found: Iterable[tuple[CellFinding, tuple[Portion, ...]]],
    said: Callable[[CellFinding, int], Entry],
) -> Table:
    every = [(cell, one) for cell, portions in found for one in portions]
    scales = {key: _scale(key, (one for _, one in every)) for key in _FIGURES}
    names = numbered(findings.cells)
    heads = (
        Heading("Cell"),
        Heading(what),
        Heading("Requests", numeric=True),
        Heading("Failed", numeric=True),
    )
    figures = (
        Heading(f"{_short(key)} {name}, {scales[key].unit}", numeric=True)
        for key in _FIGURES
        for name in _QUANTILES
    )
    rest = (Heading("Reloads", numeric=True), Heading("From cache", numeric=True))
    return Table(
        (*heads, *figures, *rest),
        tuple(
            (
                Entry(names[cell.cell.id]),
                said(cell, one.place),
                Entry(f"{one.requests:,}"),
                Entry(f"{one.failed:,}"),
                *_figures(one, scales),
                Entry(NOTHING if one.reloads is None else f"{one.reloads:,}"),
                Entry(NOTHING if one.cached.number is None else words(one.cached.number, "share", 2)),
            )
            for cell, one in every
        ),
        "Reloads: requests that waited for their model to be loaded. From cache: share of the prompts' tokens that was not "
        "computed again.",
    )


def _figures(one: Portion, scales: Mapping[str, Scale]) -> Iterator[Entry]:
    for key in _FIGURES:
        summary = one.summaries[key]
        for name in _QUANTILES:
            estimate: Estimate = getattr(summary, name)
            known = estimate.value is not None
            yield Entry(*figure(summary, estimate, scales[key])) if known else Entry(NOTHING)


def _scale(key: str, portions: Iterable[Portion]) -> Scale:
    values = (one.summaries[key].p50.value for one in portions)
    return scale((value for value in values if value is not None), METRICS[key].unit)


def _short(key: str) -> str:
    return {"ttft": "TTFT", "e2e": "E2E"}[key]


def _served(findings: Findings) -> Iterator[tuple[str, Service]]:
    names = numbered(findings.cells)
    return ((names[one.cell.id], one.service) for one in findings.cells if one.service is not None)


def _key(term: Term) -> str:
    """The line as a scenario has it: "ttft_p95 = 1 s"."""
    return f"{term.key} = {bound(term) or percent(term.share)}"


def _growth(rate: float | None) -> str:
    if rate is None:
        return NOTHING
    return f"{rate:+.3f}" if abs(rate) >= _LEAST_GROWTH else "0"


def _share(one: Attained) -> Entry:
    if one.share.value is None:
        return Entry(NOTHING, plain(one.share.reason))
    known = one.share.low is not None and one.share.high is not None
    interval = f"{_percent(one.share.low)}–{_percent(one.share.high)}" if known else plain(one.share.reason)
    return Entry(f"{_percent(one.share.value)} %", interval)


def _percent(share: float | None) -> str:
    """With one place, and with two where one would make it all or nothing."""
    rounded = f"{(share or 0.0) * 100:.1f}"
    return f"{(share or 0.0) * 100:.2f}" if rounded in ("100.0", "0.0") and share not in (0, 1) else rounded


def _goodput(one: Estimate) -> Entry:
    if one.value is None:
        return Entry(NOTHING, plain(one.reason))
    known = one.low is not None and one.high is not None
    return Entry(
        words(one.value, "", 3), f"{words(one.low, '', 3)}–{words(one.high, '', 3)}" if known else ""
    )
