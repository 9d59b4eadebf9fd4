"""Two sides, compared: what differs between them, and for each pair of cells and each metric a verdict with its doubt."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench import margins as of_margins
from olbench import pairing, setup, stats, units
from olbench.differences import Comparison, Difference, Pair, Side, SideCell, Verdict
from olbench.errors import UsageError
from olbench.findings import Estimate
from olbench.metrics import METRICS
from olbench.pairing import Match
from olbench.prose import counted
from olbench.stats import ratios
from olbench.stats.ratios import Judged, Shift
from olbench.thresholds import THRESHOLDS

# Units of speeds and times; of all else there is more or less.
_SPEEDS = ("s", "tok/s", "1/s")
WORDS: Mapping[bool, Mapping[Verdict, str]] = {
    True: {
        "faster": "faster",
        "slower": "slower",
        "equivalent": "equivalent",
        "cannot tell": "cannot tell",
    },
    False: {"faster": "less", "slower": "more", "equivalent": "equivalent", "cannot tell": "cannot tell"},
}
# Where more is better, less is the worse verdict: no metric that is compared is of that kind yet, and one may come.
_MORE_IS_BETTER: Mapping[str, str] = {"less": "more", "more": "less"}
_MEAN_LEVEL = 0.95
# What tells that the same was asked and the same came.
_WORK = {"prompt_tokens": "prompts", "output_tokens": "answers"}


def words(metric: str, verdict: Verdict) -> str:
    """A verdict in the word that fits the metric: memory is not slower, there is more of it."""
    row = METRICS[metric]
    said = WORDS[row.unit in _SPEEDS][verdict]
    return _MORE_IS_BETTER.get(said, said) if row.better == "higher" else said


def compare(
    base: Side, new: Side, *, margins: Mapping[str, float] | None = None, across: str | None = None
) -> Comparison:
    """The comparison; `margins` by metric go before those of the new side's settings, and those before the table's.

    UsageError with one sentence a difference where the sides are of different work, or have no cell in common.
    """
    allowed = of_margins.margins(base.settings | new.settings, margins)
    unlike = setup.unlike(base, new)
    faults = pairing.refused(unlike, across)
    if faults:
        raise UsageError(faults)
    found = pairing.matches(base, new, across)
    asked = [one for match in found for one in _questions(match, allowed)]
    answers = ratios.corrected([one.judged for one in asked])
    told: dict[int, list[Difference]] = {}
    for one, judged in zip(asked, answers, strict=True):
        told.setdefault(id(one.match), []).append(_difference(one, judged))
    return Comparison(
        base=base,
        new=new,
        unlike=unlike,
        pairs=tuple(
            Pair(label=one.label, base=one.base, new=one.new, differences=tuple(told.get(id(one), ())))
            for one in found
        ),
        alone=pairing.alone(base, new, found),
        geomeans=_geomeans(found, allowed),
        correction=_correction(answers),
        across=across,
        notes=tuple(_notes(base, new, found, across)),
    )


# --- verdicts -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Question:
    """One metric of one pair, judged on its own."""

    match: Match
    metric: str
    margin: float
    judged: Judged


def _questions(match: Match, allowed: Mapping[str, float]) -> Iterator[_Question]:
    for metric, margin in allowed.items():
        base, new = (one.visits.get(metric, ()) for one in (match.base, match.new))
        # Nothing on either side, or zero throughout on both: there is nothing that could differ.
        if any(base) or any(new):
            why = _lacks("base", match.base, metric) or _lacks("new side", match.new, metric)
            yield _Question(
                match, metric, margin, ratios.untold(why) if why else ratios.unpaired(base, new, margin)
            )


def _lacks(name: str, cell: SideCell, metric: str) -> str:
    """Why a side has no figures of a metric; "" where it has."""
    if cell.visits.get(metric):
        return ""
    if cell.visits:
        return f"the {name} has no figure of {METRICS[metric].name}"
    if cell.marked:
        return f"the {name} cannot be judged by: every visit was disturbed ({counted(cell.marked, 'visit')})"
    return f"the {name} has no visit in which anything was measured"


def _difference(asked: _Question, judged: Judged) -> Difference:
    base, new = (one.visits.get(asked.metric, ()) for one in (asked.match.base, asked.match.new))
    return Difference(
        metric=asked.metric,
        base=typical(base),
        new=typical(new),
        ratio=judged.ratio,
        verdict=verdict(asked.metric, judged),
        margin=asked.margin,
        detectable=judged.detectable,
        paired=False,
        reason=judged.reason,
    )


def verdict(metric: str, judged: Judged) -> Verdict:
    """What up and down mean of this metric."""
    if judged.verdict in ("up", "down"):
        better = "up" if METRICS[metric].better == "higher" else "down"
        return "faster" if judged.verdict == better else "slower"
    return "equivalent" if judged.verdict == "equivalent" else "cannot tell"


def typical(visits: Sequence[float]) -> Estimate:
    """The typical value of the visits' medians."""
    return stats.typical([np.asarray([one]) for one in visits])


def _correction(judged: Sequence[Judged]) -> str:
    many = sum(one.p is not None for one in judged)
    if not many:
        return "No figure could be judged, so there is nothing to correct for."
    if many < 2:
        return f"{counted(many, 'verdict')}: there is nothing to correct for."
    share = f"{100 * (1 - ratios.LEVEL):.3g}"
    return (
        f"{many:,} verdicts at once: Benjamini and Hochberg's procedure holds the expected share of false ones among the "
        f"changes to {share} %, and where nothing has changed the chance of any to {share} %."
    )


# --- all pairs together ---------------------------------------------------------------------------------------


def _geomeans(found: Sequence[Match], allowed: Mapping[str, float]) -> Mapping[str, Estimate]:
    """The geometric mean of the ratios of each metric that two pairs and more have."""
    of = {metric: [pair for one in found if (pair := _logs(one, metric)) is not None] for metric in allowed}
    return {metric: _geomean(pairs, len(found)) for metric, pairs in of.items() if len(pairs) > 1}


def _logs(match: Match, metric: str) -> tuple[list[float], list[float]] | None:
    base, new = (ratios.logarithms(one.visits.get(metric, ()), "") for one in (match.base, match.new))
    return None if isinstance(base, str) or isinstance(new, str) else (base, new)


def _geomean(pairs: Sequence[tuple[Sequence[float], Sequence[float]]], of: int) -> Estimate:
    """The pairs are these and no others: what doubt there is comes from the visits of each (Satterthwaite's freedom)."""
    only = f"of {len(pairs)} of {of} pairs: the others have no ratio" if len(pairs) < of else ""
    mean = math.fsum(statistics.fmean(new) - statistics.fmean(base) for base, new in pairs) / len(pairs)
    if any(len(side) < 2 for pair in pairs for side in pair):
        return Estimate(math.exp(mean), None, None, "a pair has a single visit on one side")
    shifts = [ratios.apart(base, new, _MEAN_LEVEL) for base, new in pairs]
    parts = [one.error**2 for one in shifts]
    whole = math.fsum(parts)
    if whole == 0:
        return Estimate(math.exp(mean), math.exp(mean), math.exp(mean), only)
    freedom = 1 / math.fsum(
        (part / whole) ** 2 / one.freedom for part, one in zip(parts, shifts, strict=True)
    )
    half = Shift(mean, math.sqrt(whole) / len(pairs), freedom).half(_MEAN_LEVEL)
    ends = ratios.interval(mean, half)
    return Estimate(ends.value, ends.low, ends.high, only)


# --- notes ----------------------------------------------------------------------------------------------------


def _notes(base: Side, new: Side, found: Sequence[Match], across: str | None) -> Iterator[str]:
    if base == new and not across:
        yield "Both sides are the same visits: nothing can differ."
    for name, cells in (("base", [one.base for one in found]), ("new side", [one.new for one in found])):
        marked = sum({one.cell.id: one.marked for one in cells}.values())
        if marked:
            was = "was" if marked == 1 else "were"
            yield f"{counted(marked, 'visit')} of the {name} {was} disturbed and left out."
    for match in found:
        if not match.base.visits and not match.new.visits:
            yield f"{match.label}: neither side has a visit that it can be judged by."
        yield from _other_work(match, across)
        yield from _other_place(match)
    yield from (f"{sentence[:1].upper()}{sentence[1:]}." for sentence in setup.unknown(base, new))


def _other_work(match: Match, across: str | None) -> Iterator[str]:
    """Whether the sides had to read and to write as much as each other."""
    for metric, what in _WORK.items():
        base, new = (one.visits.get(metric) for one in (match.base, match.new))
        if across == metric or not base or not new:
            continue
        middles = statistics.median(base), statistics.median(new)
        if abs(middles[0] - middles[1]) > THRESHOLDS["prompt_share"].value * max(middles):
            told = " and ".join(units.figures(one) for one in middles)
            yield f"{match.label}: {what} were not of one length: {told} tokens in the base and on the new side."


def _other_place(match: Match) -> Iterator[str]:
    """Whether the model lay elsewhere: the commonest cause of a change that nobody meant."""
    base, new = (_on_gpu(one) for one in (match.base, match.new))
    if base is not None and new is not None and abs(base - new) > THRESHOLDS["vram_share"].value:
        shares = f"{units.words(base, 'share', 2)} of the model lay in GPU memory in the base"
        yield f"{match.label}: {shares}, {units.words(new, 'share', 2)} on the new side."


def _on_gpu(one: SideCell) -> float | None:
    size, vram = (one.visits.get(name) for name in ("model_size", "model_vram"))
    if not size or not vram or statistics.median(size) <= 0:
        return None
    return statistics.median(vram) / statistics.median(size)
