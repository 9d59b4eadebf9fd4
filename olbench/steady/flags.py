"""The checks of a cell's steadiness, in sentences for the reader."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench.column import Numbers
from olbench.findings import Flag
from olbench.gist import Gist, Told
from olbench.prose import counted, listed
from olbench.steady.level import Step, step, steps_of_requests
from olbench.steady.requests import late_starts, outliers, stalls, startup
from olbench.steady.trend import Drift, drift, unjudged
from olbench.steady.view import OF_SAMPLES, View, median
from olbench.units import figures, span, words

WORSE = "let the machine cool, or look for what began to run, and run the cell again: one figure cannot stand for it all"
BETTER = "the machine was still warming up, or something ended meanwhile: give more `[measure] warmup`, and run it again"
STEPPED = (
    "look for what changed there (clocks, other programs, the model's placement) and run the cell again: the figures mix "
    "two speeds"
)
STARTED = "give `[measure] warmup` as many requests more, so that none is lost"
TOGETHER = "take more `[measure] requests`: streams that begin together disturb each other at first"
FAR_OUT = "they stay in the figures: look at the percentiles, and see what else the machine did then"
STALLED = "see the server's log and the memory at that moment (paging, another model, a sleeping disk), and run again"

BESIDE = 1.5  # times the longest prompt beside an answer: several may be read one after the other

Why = Mapping[int, Sequence[str | None]]  # repeat -> what explains each measured sample that went through


def told(cell: Told, why: Why | None = None) -> tuple[Flag, ...]:
    """All flags of a cell that did not stay the same. Its start-up is still in it, and is left out here where due."""
    if cell.cell.load is not None:
        return _under_load(cell, why or {})
    cut, reasons = startup_cut(cell), why or {}
    views = [View(cell, key) for key in OF_SAMPLES]
    changed = [flag for view in views for flag in _changes(view, cut)]
    if not changed and cell.cell.concurrency > 1:  # it follows decode and TTFT, and tells no second story
        changed.extend(_changes(View(cell, "throughput"), cut))
    return (
        *changed,
        *_start_up(cell, views, cut),
        *(flag for view in views for flag in _far_out(view, cut, reasons)),
        *_stalled(cell, reasons),
    )


def _under_load(cell: Told, why: Why) -> tuple[Flag, ...]:
    """The same where requests come as they fall due: how long one takes depends on how many came just then.

    So single ones, which wait or not, say nothing of the machine; the middle decode rate of a visit does, and an answer
    that stood still longer than any prompt beside it took to read.
    """
    return (*_between(View(cell, "decode")), *_stalls(cell, [*_stopped(cell, _reading(cell))], why))


def _reading(cell: Told) -> float:
    """The longest that answers honestly stand still: the server reads another one's prompt, or loads another model."""
    taken = [float(cell.numbers(key).max(initial=0.0)) for key in ("prefill_time", "warm_load")]
    return BESIDE * max(taken)


def startup_cut(cell: Told) -> int:
    """How many requests at the beginning of each visit are its start-up: the more of what decode and TTFT say."""
    if cell.cell.load is not None:
        return 0  # it has warm-up requests of its own
    views = [View(cell, key) for key in OF_SAMPLES]
    return max(
        startup(one.visits(), one.least("startup"), "higher" if one.rises_well else "lower") for one in views
    )


def cannot(cell: Told) -> str:
    """Why nobody can say whether the cell drifted; "" where they can."""
    return unjudged(sum(1 for one in cell.gists if one.prompts))


# --- drift and step -------------------------------------------------------------------------------------------


def _changes(view: View, cut: int) -> Iterator[Flag]:
    """A step between visits, else a drift, else steps that single requests show: one change is told once."""
    found = list(_between(view, cut))
    yield from found
    if found:
        return
    seen = _by_time(view, cut)
    if steps := steps_of_requests([one for _, _, one in seen], view.least("step")):
        yield _step_flag(view, steps, [one for one, _, _ in seen])


def _by_time(view: View, cut: int) -> list[tuple[Gist, float, Numbers]]:
    """Visits with their middle value and those of their requests. A visit taken again is later than its number says."""
    whole = zip(view.cell.gists, view.middles(cut), view.alone(cut), strict=True)
    return sorted((one for one in whole if np.isfinite(one[1])), key=lambda one: one[0].started_ns)


def _between(view: View, cut: int = 0) -> Iterator[Flag]:
    """A step between visits, else a drift."""
    seen = _by_time(view, cut)
    gists, middles = [one for one, _, _ in seen], [one for _, one, _ in seen]
    times = [(gist.started_ns - gists[0].started_ns) / 1e9 for gist in gists]
    sudden = step(middles, times, view.least("step"))
    slow = drift(middles, times, view.least("drift"))
    if sudden is not None and sudden.fires:
        yield _step_flag(view, [sudden], gists)
    elif slow is not None and slow.fires:
        yield _drift_flag(view, slow, timed=len(set(times)) == len(times))


def _drift_flag(view: View, found: Drift, *, timed: bool) -> Flag:
    low, high = sorted((abs(found.low), abs(found.high)))
    over = span(found.span_s * 1e9) if timed else counted(found.visits, "visit")
    sentence = (
        f"{view.noun} {_moved(found.change)} ({figures(low * 100, 2)} to {words(high, 'share', 2)}) from the first visit "
        f"to the last, over {over}"
    )
    return Flag("drift", sentence, BETTER if (found.change > 0) == view.rises_well else WORSE)


def _step_flag(view: View, steps: Sequence[Step], gists: Sequence[Gist]) -> Flag:
    """The largest step, and in which other visits there is one."""
    most = max(steps, key=lambda one: abs(one.size))
    others = [_number(gists[one.visit]) for one in steps if one is not most]
    too = f"; another one in visit{'s' if len(others) > 1 else ''} {listed(others)}" if others else ""
    sentence = (
        f"{view.noun} {_moved(most.size)} at once {_where(most, gists)}: {view.said(most.before)} before, "
        f"{view.said(most.after)} after{too}"
    )
    return Flag("step", sentence, STEPPED, _concerned(steps, gists))


def _where(one: Step, gists: Sequence[Gist]) -> str:
    number = _number(gists[one.visit])
    if one.request is not None:
        return f"within visit {number}, from its request {one.request + 1} on"
    return f"in visit {number}, the last" if one.visit == len(gists) - 1 else f"from visit {number} on"


def _concerned(steps: Sequence[Step], gists: Sequence[Gist]) -> tuple[int, ...]:
    """Repeats with a step in them, and those after one between visits."""
    after = {place for one in steps if one.request is None for place in range(one.visit, len(gists))}
    return _repeats(gists, after | {one.visit for one in steps})


def _moved(change: float) -> str:
    return f"{'fell' if change < 0 else 'rose'} by {words(abs(change), 'share', 2)}"


def _number(gist: Gist) -> str:
    """A visit as people count."""
    return str(gist.visit.repeat + 1)


def _repeats(gists: Sequence[Gist], places: set[int]) -> tuple[int, ...]:
    return tuple(sorted(gists[place].visit.repeat for place in places))


# --- start-up -------------------------------------------------------------------------------------------------


def _start_up(cell: Told, views: Sequence[View], cut: int) -> Iterator[Flag]:
    if cut:
        first = "first request of each visit was" if cut == 1 else f"first {cut} requests of each visit were"
        parts = [said for view in views for said in _early(view, cut)]
        yield Flag(
            "start-up",
            f"the {first} unlike the later ones and {'is' if cut == 1 else 'are'} in no figure ({listed(parts)})",
            STARTED if cell.cell.concurrency == 1 else TOGETHER,
        )


def _early(view: View, cut: int) -> Iterator[str]:
    visits = view.visits()
    early = median(np.concatenate([one[:cut] for one in visits]))
    late = median(np.concatenate([one[cut:] for one in visits]))
    if np.isfinite(early) and np.isfinite(late):
        yield f"{view.noun} {view.said(early)} instead of {view.said(late)}"


# --- far out, and stalls --------------------------------------------------------------------------------------


def _far_out(view: View, cut: int, why: Why) -> Iterator[Flag]:
    visits = view.alone(cut)
    seen = np.concatenate(visits) if visits else np.empty(0)
    rows = np.flatnonzero(outliers(seen, view.least("outlier")))
    if not len(rows):
        return
    usual = median(seen)
    worst = rows[np.argmax(np.maximum(seen[rows] / usual, usual / np.maximum(seen[rows], 1e-12)))]
    owners = np.repeat(np.arange(len(visits)), [len(one) for one in visits])
    row = int(worst - np.argmax(owners == owners[worst]))
    gist = view.cell.gists[owners[worst]]
    yield Flag(
        "outliers",
        f"{len(rows)} of {counted(int(np.isfinite(seen).sum()), 'request')} far from the usual {view.noun} of "
        f"{view.said(usual)}: {view.said(float(seen[worst]))} in {_request(gist, row, why)}",
        FAR_OUT,
        _repeats(view.cell.gists, set(owners[rows].tolist())),
    )


@dataclass(frozen=True, slots=True, order=True)
class _Stall:
    seconds: float
    visit: int  # place among the gists
    row: int
    what: str
    usual: float


def _stalled(cell: Told, why: Why) -> Iterator[Flag]:
    yield from _stalls(cell, [*_stopped(cell), *_late(cell)], why)


def _stalls(cell: Told, found: Sequence[_Stall], why: Why) -> Iterator[Flag]:
    if not found:
        return
    worst, many = max(found), len({(one.visit, one.row) for one in found})
    yield Flag(
        "stall",
        f"{worst.what} for {words(worst.seconds, 's', 2)} in {_request(cell.gists[worst.visit], worst.row, why)}, where "
        f"{words(worst.usual, 's', 2)} is usual{f'; {many} requests stalled in all' if many > 1 else ''}",
        STALLED,
        _repeats(cell.gists, {one.visit for one in found}),
    )


def _stopped(cell: Told, least_s: float = 0.0) -> Iterator[_Stall]:
    """Answers that stood still, for so long at least."""
    usual = View(cell, "gap").usual()
    for visit, gist in enumerate(cell.gists if usual is not None else ()):
        rows, longest = stalls(gist.columns["gap"], usual or 0.0, max(least_s, cell.limits["stall"]))
        for row, took in zip(rows.tolist(), longest.tolist(), strict=True):
            yield _Stall(took, visit, row, "nothing came in the middle of an answer", usual or 0.0)


def _late(cell: Told) -> Iterator[_Stall]:
    """First tokens that came late by a stall."""
    view = View(cell, "ttft")
    visits = view.visits()
    seen = np.concatenate(visits) if visits else np.empty(0)
    late = late_starts(seen, View(cell, "gap").usual() or 0.0, cell.limits["stall"], view.least("outlier"))
    begin = 0
    for visit, one in enumerate(visits):
        for row in np.flatnonzero(late[begin : begin + len(one)]).tolist():
            yield _Stall(float(one[row]), visit, row, "no first token came", median(seen))
        begin += len(one)


def _request(gist: Gist, row: int, why: Why) -> str:
    known = why.get(gist.visit.repeat, ())
    reason = known[row] if row < len(known) else None
    return f"request {row + 1} of visit {_number(gist)}{f' ({reason})' if reason else ''}"
