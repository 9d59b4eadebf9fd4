"""`olbench show --requests`: a row a request, visit by visit, each as it is read."""

import math
from collections.abc import Iterator, Mapping, Sequence

from olbench.cachestate import COLD, CONTAMINATED, UNKNOWN, States
from olbench.column import Numbers
from olbench.labels import labels
from olbench.model import CacheState, Cell, Observation, Phase, Record
from olbench.parts import PARTS
from olbench.prose import counted
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.wording import NOTHING, plain
from olbench.timesheet import FLAGS, Sheet, sheets

MOST = 200  # rows, unless all are asked for
_LONG_S = 10.0  # from here on a visit's times read better in seconds than in milliseconds
_HEADS = {"connect": "conn", "network": "net", "unexplained": "rest"}
_PHASES: Mapping[Phase, str] = {"measured": "", "cold": " L", "warmup": " W", "probe": " P"}
_LEGEND = (
    "TTFT runs from the send; server is the same by the server's own clock.",
    (
        "From the moment when a request was wanted to its last byte: conn (a new connection, and lateness of olbench), load, "
        "queue, prefill, decode, net (network and client), and rest, which stamps and durations leave over."
    ),
    (
        "Behind a number: L the request that carried the load, W warm-up, P probe. Cache: what the request found, and the share "
        "of its prompt that it found there."
    ),
)


def lines(
    record: Record,
    cells: Sequence[Cell],
    *,
    most: int | None = MOST,
    colour: bool = False,
    width: int = WIDTH,
) -> Iterator[str]:
    """The requests of these cells of a run, then what the letters mean. A visit is let go when its lines are out."""
    names = {
        cell.id: f"{place}. {plain(label)}"
        for place, (cell, label) in enumerate(
            zip(record.plan.cells, labels(record.plan.cells), strict=True), 1
        )
    }
    meant = {cell.id: cell.cache for cell in cells}
    left, hidden, letters = math.inf if most is None else most, 0, set[str]()
    for seen, sheet in sheets(record, meant):
        rows = int(min(left, len(seen.samples)))
        left, hidden = left - rows, hidden + len(seen.samples) - rows
        if rows or not seen.samples:
            title = f"{names[seen.visit.cell]}, visit {seen.visit.repeat + 1}"
            yield from _visit(seen, sheet, meant[seen.visit.cell], title, rows, colour=colour, width=width)
            letters.update(*sheet.flags[:rows])
    yield from _below(letters, hidden, width)


def _visit(
    seen: Observation, sheet: Sheet, meant: CacheState, title: str, rows: int, *, colour: bool, width: int
) -> Iterator[str]:
    for line in paragraph(title, width):
        yield painted(line, "bold", colour=colour)
    for line in paragraph(seen.problem or "", width):
        yield painted(line, "yellow", colour=colour)
    if rows:
        yield from grid(_columns(seen, sheet, meant, rows), width, colour=colour)
    yield ""


def _columns(seen: Observation, sheet: Sheet, meant: CacheState, rows: int) -> list[Column]:
    samples = seen.samples[:rows]
    long = [one for one in sheet.parts.whole.tolist() if one >= _LONG_S]
    factor, unit = (1.0, "s") if 2 * len(long) > len(seen.samples) else (1e3, "ms")

    def times(head: str, seconds: Numbers) -> Column:
        return Column(head, [_time(one * factor) for one in seconds[:rows].tolist()], right=True, under=unit)

    return [
        Column("#", [f"{one.index}{_PHASES[one.phase]}" for one in samples]),
        Column("on", [str(one.stream) for one in samples], right=True),
        Column("ended", [one.outcome.replace("_", " ") for one in samples], least=5),
        Column("cache", _found(sheet.states, meant)[:rows]),
        times("TTFT", sheet.ttft),
        times("server", sheet.server_ttft),
        *(times(_HEADS.get(name, name), getattr(sheet.parts, name)) for name in PARTS),
        *([Column("flags", sheet.flags[:rows])] if any(sheet.flags[:rows]) else []),
    ]


def _found(states: States, meant: CacheState) -> list[str]:
    """What each request found in the cache, whatever it was meant to find."""
    told = zip(states.codes.tolist(), states.reused.tolist(), strict=True)
    return [_state(code, reused, meant) for code, reused in told]


def _state(code: int, reused: float, meant: CacheState) -> str:
    if code == UNKNOWN:
        return "?"
    cold = (meant == "warm") if code == CONTAMINATED else code == COLD
    share = "" if math.isnan(reused) or (cold and reused == 0) else f" {_percent(reused)}"
    return ("cold" if cold else "warm") + share


def _percent(share: float) -> str:
    return f"{math.floor(share * 100)}%"  # 1,499 of 1,500 tokens are not all of them


def _time(value: float) -> str:
    if math.isnan(value):
        return NOTHING
    text = f"{value:,.{2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0}f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def _below(letters: set[str], hidden: int, width: int) -> Iterator[str]:
    if hidden:
        yield from paragraph(f"{counted(hidden, 'further request')} not shown: --all shows them.", width)
    for part in _LEGEND:
        yield from paragraph(part, width)
    for letter, meaning in FLAGS.items():
        if letter in letters:
            yield from paragraph(meaning, width, f"{letter}  ")
