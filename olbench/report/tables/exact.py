"""How exact the clock was: the self-test that held, the stamps of the run's own responses, and how late olbench was."""

from dataclasses import dataclass

from olbench import accuracy
from olbench.accuracy import Figures, Spread
from olbench.findings import CellFinding, Findings, Stamps
from olbench.model import SelfTest
from olbench.prose import counted, listed
from olbench.report.tables import Entry, Heading, Table, row
from olbench.report.wording import NOTHING, plain
from olbench.units import figures as rounded

UNKNOWN = "The clock's error is unknown: no self-test went before this run (`olbench selftest` takes one)."
_US, _MS = 1e6, 1e3
_LATE = (
    "Dispatch delay p50, ms",
    "Dispatch delay p99, ms",
    "Largest, ms",
    "Loop lag p50, ms",
    "Largest loop lag, ms",
)
_SOURCES = {
    "kernel": "stamped by the kernel",
    "user-space": "stamped in user space",
    "stepped": "spoiled, because the wall clock was set meanwhile",
    "none": "without a stamp",
}


@dataclass(frozen=True, slots=True)
class Exact:
    """The section of the page."""

    sentences: tuple[str, ...]  # the verdict, or that there is none
    levels: Table
    own: tuple[str, ...]  # of the run's own responses
    late: Table


def exact(findings: Findings) -> Exact:
    """All that the page says of the clock."""
    test = findings.record.selftest
    return Exact(
        sentences=(UNKNOWN,) if test is None else (*accuracy.verdict(test).sentences, _origin(test)),
        levels=Table((), ()) if test is None else levels(test),
        own=own(findings.stamps),
        late=_late(findings),
    )


def _origin(test: SelfTest) -> str:
    when = test.at.replace("T", " ").removesuffix("Z")
    return plain(f"Self-test of {when} UTC, olbench {test.olbench}, machine and set-up {test.machine}.")


# --- the self-test --------------------------------------------------------------------------------------------


def levels(test: SelfTest) -> Table:
    """One row a level; errors are ours less the server's."""
    rows = [accuracy.figures(one) for one in test.levels]
    return Table(
        (
            Heading("Streams", numeric=True),
            Heading("Requests", numeric=True),
            Heading("TTFT error p50 / p99, ms", numeric=True),
            Heading("Gap error p50 / p99, us", numeric=True),
            Heading("Dispatch delay p50 / p99, ms", numeric=True),
            Heading("Stamps"),
            Heading("Coalesced", numeric=True),
            Heading("Unstamped", numeric=True),
            Heading("CPU, ms for 1,000 chunks", numeric=True),
        ),
        tuple(_level(one) for one in rows),
        "Error: what olbench said of a scripted server less what that server knows. The gap's and every p99 are of the size "
        "alone; a p99 of fewer than 100 values is the largest of them, and called so. The dispatch delay, wanted to sent, "
        "is in no TTFT.",
    )


def _level(one: Figures) -> tuple[Entry, ...]:
    return (
        Entry(streams(one)),
        Entry(f"{one.requests:,}", f"{one.failed} failed" if one.failed else ""),
        *(Entry(pair(spread, factor), _few(spread)) for spread, factor in spreads(one)),
        Entry(one.stamps),
        Entry(share(one)),
        Entry(f"{one.unstamped:,}"),
        Entry(cpu(one)),
    )


def _few(spread: Spread) -> str:
    return spread.name if 0 < spread.count < accuracy.ENOUGH else ""


def spreads(one: Figures) -> tuple[tuple[Spread, float], ...]:
    """The three spreads of a level with the factor to the unit of their column."""
    return (one.ttft, _MS), (one.gap, _US), (one.dispatch, _MS)


def streams(one: Figures) -> str:
    """What a level is called."""
    return f"{one.streams}" if one.rate is None else f"{one.rate:g}/s"


def pair(spread: Spread, factor: float) -> str:
    """The middle and the far end: "0.04 / 0.12"."""
    if spread.middle is None or spread.far is None:
        return NOTHING
    return f"{_short(spread.middle * factor)} / {_short(spread.far * factor)}"


def share(one: Figures) -> str:
    """The share of coalesced chunks."""
    return NOTHING if one.coalesced is None else f"{_short(one.coalesced * 100)} %"


def cpu(one: Figures) -> str:
    """Milliseconds of CPU for 1,000 chunks."""
    return NOTHING if one.cpu is None else _short(one.cpu * 1e3)


def _short(value: float) -> str:
    """Two places: more would be beyond the clock, fewer would hide it."""
    text = rounded(value, 3) if abs(value) >= 10 else f"{value:.2f}"
    return text if text.strip("-0.") else "0"


# --- the run's own --------------------------------------------------------------------------------------------


def own(seen: Stamps) -> tuple[str, ...]:
    """Where the stamps of the run's own responses came from, and what became of them."""
    whole = sum(seen.sources.values())
    if not whole:
        return ()
    kinds = [f"{seen.sources[key]:,} {words}" for key, words in _SOURCES.items() if seen.sources.get(key)]
    lines = (
        f"{counted(seen.lines, 'line')}: {seen.coalesced:,} came in one receive with a later line (coalesced: the "
        f"stamp is an upper bound) and {seen.unstamped:,} without the kernel's stamp (unstamped: ours stands there)."
    )
    return f"{counted(whole, 'response')}: {listed(kinds)}.", lines


def _late(findings: Findings) -> Table:
    """How late olbench itself was in each cell that has measured samples; without columns that are empty."""
    rows = tuple(
        _lateness(place, found)
        for place, found in enumerate(findings.cells, 1)
        if found.summaries["dispatch"].samples
    )
    heads = (Heading("Cell"), *(Heading(text, numeric=True) for text in _LATE))
    kept = [place for place, _ in enumerate(heads) if any(one[place].text != NOTHING for one in rows)]
    return Table(
        tuple(heads[place] for place in kept),
        tuple(tuple(one[place] for place in kept) for one in rows),
        "Dispatch delay: how long after it was wanted a request left. Loop lag: how late olbench's own event loop met a "
        "call, asked at each beat of the probes.",
    )


def _lateness(place: int, found: CellFinding) -> tuple[Entry, ...]:
    sent, lag, peak = (found.summaries[key] for key in ("dispatch", "loop_lag", "loop_lag_peak"))
    numbers = (sent.p50.value, sent.p99.value, sent.most, lag.typical.value, peak.most)
    return row(
        f"{place}. {plain(found.label)}",
        *(NOTHING if one is None else _short(one * _MS) for one in numbers),
    )
