"""The answer to a run's question in two sentences at most: who is fastest, and what the other axes cost.

Two cells are called different only where their 95 % intervals do not overlap, and only at equal other axes. A cell of
which every visit was disturbed is neither faster nor slower than any other.
"""

from collections import Counter
from collections.abc import Sequence

from olbench.contest import (
    HEADLINES,
    Contest,
    apart,
    bare,
    capital,
    contest,
    disturbed,
    figure_of,
    has,
    noun,
    streams,
)
from olbench.costs import costs, effects, prompts
from olbench.findings import CellFinding, Failure, Summary
from olbench.labels import HOW, WHO, cell_name, loaded, phrase, value
from olbench.metrics import METRICS
from olbench.prose import counted, distinct, listed, ranged, tallied
from olbench.units import figures

NAMED_AT_MOST = 3
WORDS_AT_MOST = 160


def answer(
    cells: Sequence[CellFinding], axes: tuple[str, ...], failures: Sequence[Failure]
) -> tuple[str, ...]:
    """One or two sentences; one that says so when nothing was measured."""
    found = contest(cells, axes)
    if found is None:
        return (capital(_unfit(cells, axes) or _nothing(cells, failures)),)
    sentences = (_ranking(found), effects(found, cells) or prompts(found) or costs(found))
    return tuple(capital(sentence) for sentence in sentences if sentence)


# --- nothing --------------------------------------------------------------------------------------------------


def _nothing(cells: Sequence[CellFinding], failures: Sequence[Failure]) -> str:
    outcomes: Counter[str] = Counter()
    for one in cells:
        outcomes.update(one.outcomes)
    if outcomes:
        why = f"none of {counted(outcomes.total(), 'request')} succeeded ({tallied(outcomes)})"
    else:
        reasons = distinct(one.summaries["e2e"].typical.reason for one in cells)
        why = _cut(reasons[0]) if reasons else "the plan has no cells"
    most = max(failures, key=lambda one: one.count, default=None)
    quoted = f"; most often the server said “{_cut(most.words)}”" if outcomes and most and most.words else ""
    return f"nothing was measured: {why}{quoted}."


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WORDS_AT_MOST else f"{line[: WORDS_AT_MOST - 1]}…"


# --- disturbed ------------------------------------------------------------------------------------------------


def _unfit(cells: Sequence[CellFinding], axes: tuple[str, ...]) -> str:
    """That nothing can be judged of cells that have figures; "" where none has."""
    found = [one for one in cells if disturbed(one)]
    if not found:
        return ""
    what = "nothing" if len(cells) == 1 else f"none of {len(cells)} cells"
    of = f" to {cell_name(found[0].cell, axes)}" if len(cells) == 1 else ""
    return f"{what} can be judged: every visit{of} {_why(found[0])}."


def _why(one: CellFinding) -> str:
    """Why no visit to a cell may be judged by, from the first of them."""
    reasons = distinct(reason for own in one.marked.values() for reason in own)
    if len(reasons) < 2:
        return f"was disturbed ({''.join(reasons) or 'no reason was given'})"
    repeat = next(repeat for repeat, own in one.marked.items() if own)
    return f"was disturbed (in visit {repeat + 1}, {one.marked[repeat][0]})"


# --- who ------------------------------------------------------------------------------------------------------


def _ranking(found: Contest) -> str:
    best, *others = found.ranking
    unsure = [one for one in (best, *others) if found.has(one).typical.low is None]
    close = [one for one in others if not apart(found.has(best), found.has(one))]
    if not others:
        text = _alone(found, best)
    elif unsure:
        text = _undecided(found, others, found.has(unsure[0]).typical.reason)
    elif close:
        text = _tied(found, close, [one for one in others if one not in close])
    else:
        text = _fastest(found, others)
    return f"{_where(found)}, {text}{_unmeasured(found)}{_disturbed(found)}."


def _where(found: Contest) -> str:
    cell = found.ranking[0].cell
    others = [axis for axis in found.axes if axis not in (*WHO, *HOW) or axis == "mix"]
    how = loaded(cell) or streams(cell.concurrency)
    return f"at {listed([how, *(phrase(axis, value(cell, axis)) for axis in others)])}"


def _head(found: Contest, one: CellFinding) -> str:
    return f"{found.name(one)} {HEADLINES[found.key]} {figure_of(found.has(one))}"


def _alone(found: Contest, best: CellFinding) -> str:
    estimate = found.has(best).typical
    why = f" (no interval: {estimate.reason})" if estimate.low is None else ""
    if found.key == "ttft" or not has(best, "ttft"):
        return f"{_head(found, best)}{why}"
    felt = figure_of(best.summaries["ttft"], brackets="")
    return f"{_head(found, best)}{why} and {HEADLINES['ttft']} {felt}"


def _fastest(found: Contest, others: Sequence[CellFinding]) -> str:
    best, second = found.ranking[0], others[0]
    rank, of = (f"the fastest of {len(others) + 1} and ", "the next, ") if len(others) > 1 else ("", "")
    ratio = _times(found, best, second)
    return f"{_head(found, best)}, {rank}{ratio} times as fast as {of}{_bracketed(found, second)}"


def _tied(found: Contest, close: Sequence[CellFinding], behind: Sequence[CellFinding]) -> str:
    best = found.ranking[0]
    named = [_bracketed(found, best, brackets="95 % interval ")] + [_bracketed(found, one) for one in close]
    if len(named) > NAMED_AT_MOST + 1:
        named = [*named[:NAMED_AT_MOST], f"{len(named) - NAMED_AT_MOST} others"]
    text = f"{listed(named)} cannot be told apart by {noun(found.key)}{_after(found, (best, *close))}"
    if not behind:
        return text
    ratio = _times(found, best, behind[0])
    return f"{text}; {found.name(best)} is {ratio} times as fast as {_bracketed(found, behind[0])}"


def _after(found: Contest, tied: Sequence[CellFinding]) -> str:
    """How much was tried: more visits would tell more."""
    visits = {one.summaries[found.key].visits for one in tied}
    return f" after {counted(visits.pop(), 'visit')} each" if len(visits) == 1 else ""


def _undecided(found: Contest, others: Sequence[CellFinding], reason: str) -> str:
    best, second = found.ranking[0], others[0]
    first, next_ = bare(found.has(best)), bare(found.has(second))
    among = f", first and second of {len(others) + 1}" if len(others) > 1 else ""
    return (
        f"{found.name(best)} {HEADLINES[found.key]} {first} and {found.name(second)} reads {next_}{among}, "
        f"but whether they differ cannot be told ({reason})"
    )


def _unmeasured(found: Contest) -> str:
    names = [found.name(one) for one in found.unmeasured]
    if len(names) > NAMED_AT_MOST:
        names = [f"{len(names)} others"]
    return f"; {listed(names)} could not be measured" if names else ""


def _disturbed(found: Contest) -> str:
    if not found.disturbed:
        return ""
    names = [found.name(one) for one in found.disturbed]
    if len(names) > NAMED_AT_MOST:
        names = [f"{len(names)} others"]
    return f"; {listed(names)} cannot be judged: every visit {_why(found.disturbed[0])}"


def _times(found: Contest, best: CellFinding, other: CellFinding) -> str:
    low, high = sorted((_least(found.has(best)), _least(found.has(other))))
    ratio = high / low if low > 0 else float("inf")
    more = "more than " if found.has(best).below(found.has(best).typical) else ""
    return more + figures(ratio, 2 if ratio >= 1.1 else 3 if ratio >= 1.01 else 4)


def _least(summary: Summary) -> float:
    """A figure, or the error of the clock that it is below."""
    value = summary.typical.value or 0.0
    return summary.error or value if summary.below(summary.typical) else value


def _bracketed(found: Contest, one: CellFinding, *, brackets: str = "") -> str:
    summary = found.has(one)
    if summary.below(summary.typical):
        return f"{found.name(one)} ({bare(summary)}, the error of our own clock)"
    interval = ranged(summary.typical, METRICS[found.key].unit)
    return f"{found.name(one)} ({bare(summary)}{f', {brackets}{interval}' if interval else ''})"
