"""Whether each measured request found its prompt in the server's cache: proven by counts, else by the time it took.

By time: a request that found nearly all of its prompt there spends little more on it than on one decoding step, so
the time of its prompt beyond one step falls far below that of a cold one. What is cold is known from requests after a
verified unload, from the same cell's other requests, and from cells that differ in their cache alone. Where none of
them tells, the state stays unknown: a short prompt on a fast GPU costs no more than a step, cached or not.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from olbench.column import Mask, Numbers, Rows, joined
from olbench.gist import Told
from olbench.model import Cell
from olbench.prefills import Prefills

UNKNOWN, COLD, WARM, CONTAMINATED = range(4)
NAMES = ("unknown", "cold", "warm", "contaminated")
REASONS = {
    "cold": "meant cold, but most of its prompt came from the cache",
    "warm": "meant warm, but most of its prompt was computed",
}
_ALIKE = 1.25  # prompts whose lengths differ by less are of one length
_LEAST_STEP = 0.25  # of a step: time that two clocks of one engine cannot tell apart
_MOST = 0.5
_SOLID = 0.2  # a group smaller than this share of a cell may be a few slow requests


@dataclass(frozen=True, slots=True)
class States:
    """The state of each measured request of a visit that went through."""

    codes: Rows  # places in NAMES
    reused: Numbers  # share of the prompt that came from the cache; NaN where the server does not say


def states(told: Told) -> list[States]:
    """The states, visit by visit; the run's other cells of the same model help."""
    alike = [
        (one.cell, [gist.prefills for gist in one.gists]) for one in told.beside if one.cell != told.cell
    ]
    return judged(told.cell, [one.prefills for one in told.gists], told.limits, alike)


def contaminated(told: Told) -> list[tuple[str, ...]]:
    """Visit by visit why a measured request is not what was meant to be measured; "": it is."""
    why = REASONS[told.cell.cache]
    return [
        tuple([why if code == CONTAMINATED else "" for code in one.codes.tolist()]) for one in states(told)
    ]


def judged(
    cell: Cell,
    visits: Sequence[Prefills],
    limits: Mapping[str, float],
    others: Iterable[tuple[Cell, Sequence[Prefills]]] = (),
) -> list[States]:
    """The states of a cell's requests, visit by visit."""
    related = [(one, _all(found)) for one, found in others if one.model == cell.model]
    seen = _all(visits)
    warm, cold = _by_count(seen, limits, [one for _, one in related])
    uncounted = np.isnan(seen.cached) & (seen.prompt > 0) & np.isfinite(seen.spent)
    if cell.load is not None:  # beside how many others a prompt is read is not known: its time tells nothing
        uncounted = _none(uncounted)
    for rows in _lengths(seen.prompt, uncounted):
        warm[rows], cold[rows] = _by_time(cell, seen, rows, limits, related)
    wrong = (warm if cell.cache == "cold" else cold) & ~seen.later
    codes = np.select([wrong, warm, cold], [CONTAMINATED, WARM, COLD], UNKNOWN).astype(np.int64)
    share = _share(seen)
    ends = np.cumsum([len(one.prompt) for one in visits])[:-1]
    return (
        [States(*pair) for pair in zip(np.split(codes, ends), np.split(share, ends), strict=True)]
        if visits
        else []
    )


def _all(visits: Sequence[Prefills]) -> Prefills:
    return Prefills(
        **{
            name: joined([getattr(one, name) for one in visits])
            for name in ("prompt", "cached", "spent", "step", "after_load")
        },
        first=np.concatenate([np.zeros(0, dtype=np.bool_), *(one.first for one in visits)]),
        later=np.concatenate([np.zeros(0, dtype=np.bool_), *(one.later for one in visits)]),
    )


# --- by counts ------------------------------------------------------------------------------------------------


def _by_count(seen: Prefills, limits: Mapping[str, float], related: Sequence[Prefills]) -> tuple[Mask, Mask]:
    """Which are warm and which are cold by the server's own count; what all prompts begin with makes none warm."""
    bar, grain = limits["cached_share"], limits["opening_grain"]
    small = [one.cached[(one.cached <= bar * one.prompt) & ~one.later] for one in (seen, *related)]
    usual = np.unique(joined(small))
    # Whether as many tokens came from the cache with prompts of which they are a small part.
    amounts, which = np.unique(seen.cached, return_inverse=True)
    near = np.array([bool((np.abs(usual - one) <= grain).any()) for one in amounts], dtype=np.bool_)
    share = _share(seen)
    warm = (share > bar) & ~near[which]
    return warm, ~warm & np.isfinite(share)


def _share(seen: Prefills) -> Numbers:
    share: Numbers = seen.cached / np.where(seen.prompt > 0, seen.prompt, np.nan)
    return share


# --- by time --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Usual:
    """What a cold prompt costs: seconds a token beyond one step, and the same in steps (NaN: unknown)."""

    time: float
    steps: float


def _lengths(prompt: Numbers, among: Mask) -> list[Rows]:
    """The rows among those, prompts of one length together."""
    rows = np.flatnonzero(among)
    rows = rows[np.argsort(prompt[rows], kind="stable")]
    breaks = np.flatnonzero(prompt[rows][1:] > _ALIKE * prompt[rows][:-1]) + 1
    return [one for one in np.split(rows, breaks) if len(one)]


def _costs(seen: Prefills, rows: Rows) -> tuple[Numbers, Numbers]:
    """Seconds a prompt token beyond the one step that every answer costs; and the same in steps, NaN without one."""
    step = seen.step[rows]
    time = np.fmax(seen.spent[rows] - step, _LEAST_STEP * step) / seen.prompt[rows]
    return time, time / np.where(step > 0, step, np.nan)


def _by_time(
    cell: Cell,
    seen: Prefills,
    rows: Rows,
    limits: Mapping[str, float],
    related: Sequence[tuple[Cell, Prefills]],
) -> tuple[Mask, Mask]:
    """Which of the rows, all of one length, are warm and which are cold."""
    costs = _costs(seen, rows)
    bar = limits["prefill_share"]
    # Requests that are computed at the same time share the engine: each may take so many times longer than alone.
    shared = bar / cell.concurrency
    group, beside, loaded = (
        one if one is not None and _steps(one, seen, rows) >= limits["prefill_steps"] else None
        for one in (
            _group(*costs, seen.first[rows] & (cell.cache == "cold"), shared),
            _beside(cell, seen.prompt[rows], related, limits["cached_share"]),
            _after_load(cell, seen, rows, related),
        )
    )
    if cell.cache == "warm":
        known = [(beside, shared), (loaded, bar)]
        alone = cell.concurrency == 1
        return _meant_warm(cell, costs, [*(known if alone else known[::-1]), (group, shared)])
    for usual in (group, beside):
        if usual is not None:
            return _below(*costs, usual, shared), costs[0] >= shared * usual.time
    if loaded is None:
        return _none(rows), _none(rows)
    # After a load all is slow once, and a fast GPU computes a short prompt in one step: only what no machine computes
    # so fast proves that a prompt with words of its own was not computed at all.
    low = _below(*costs, loaded, bar)
    others = float(np.median(costs[0][~low])) if (~low).any() else np.inf
    return low & (costs[1] < 1 / limits["prefill_fastest"]), ~low | (costs[0] >= bar * others)


def _meant_warm(
    cell: Cell, costs: tuple[Numbers, Numbers], known: Sequence[tuple[_Usual | None, float]]
) -> tuple[Mask, Mask]:
    usual, bar = next(((one, bar) for one, bar in known if one is not None), (None, 0.0))
    if usual is None:
        return _none(costs[0]), _none(costs[0])
    high = costs[0] > (1 + bar) / 2 * usual.time
    if cell.concurrency > 1 and high.mean() <= _MOST:
        high = _none(high)  # it may have waited for another one's prompt
    return _below(*costs, usual, bar), high


def _steps(usual: _Usual, seen: Prefills, rows: Rows) -> float:
    """Decoding steps that a cold prompt costs beyond one; without end where no step is known."""
    step = float(np.median(seen.step[rows]))
    return usual.time * float(np.median(seen.prompt[rows])) / step if step > 0 else np.inf


def _none(rows: NDArray[Any]) -> Mask:
    return np.zeros(len(rows), dtype=np.bool_)


def _below(time: Numbers, steps: Numbers, usual: _Usual, bar: float) -> Mask:
    """Far cheaper than usual, also when the machine as a whole was faster or slower just then."""
    low: Mask = (time < bar * usual.time) & ~(steps >= bar * usual.steps)
    return low


def _usual(time: Numbers, steps: Numbers) -> _Usual:
    known = steps[np.isfinite(steps)]
    return _Usual(float(np.median(time)), float(np.median(known)) if len(known) else np.nan)


def _group(time: Numbers, steps: Numbers, aside: Mask, bar: float) -> _Usual | None:
    """The expensive ones of two groups with a gap between them; None where there is one group, or one and outliers."""
    order = np.argsort(time)[::-1]
    ordered = time[order]
    for place in (np.flatnonzero(ordered[1:] < bar * ordered[:-1]) + 1).tolist():
        above = order[:place]
        solid = np.count_nonzero(~aside[above])
        if solid >= max(2, _SOLID * len(time)) or solid > _MOST * len(time):
            return _usual(time[above], steps[above])
    return None


def _beside(
    cell: Cell, prompt: Numbers, related: Sequence[tuple[Cell, Prefills]], bar: float
) -> _Usual | None:
    """From cells with as long prompts and as many streams that were meant cold."""
    found = [
        _costs(one, rows)
        for other, one in related
        if other.cache == "cold" and other.load is None and other.concurrency == cell.concurrency
        if len(rows := np.flatnonzero(_as_long(one.prompt, prompt) & ~(one.cached > bar * one.prompt)))
    ]
    if not found:
        return None
    return _usual(*(joined(list(column)) for column in zip(*found, strict=True)))


def _as_long(lengths: Numbers, as_these: Numbers) -> Mask:
    middle = float(np.median(as_these))
    as_long: Mask = (lengths < _ALIKE * middle) & (lengths > middle / _ALIKE)
    return as_long


def _after_load(
    cell: Cell, seen: Prefills, rows: Rows, related: Sequence[tuple[Cell, Prefills]]
) -> _Usual | None:
    """From requests after a verified unload, of this cell or of one with as long prompts."""
    if cell.prompt_tokens is None:
        return None  # own prompts differ in length, and the one after the load is only one of them
    # This cell's own were taken beside its requests; what others met hours before may have been another machine.
    beside = [one.after_load for other, one in related if other.prompt_tokens == cell.prompt_tokens]
    found = seen.after_load if len(seen.after_load) else joined(beside)
    if not len(found):
        return None
    beyond = float(np.median(found)) - float(np.median(seen.step[rows] / seen.prompt[rows]))
    return _Usual(beyond, np.nan) if beyond > 0 else None
