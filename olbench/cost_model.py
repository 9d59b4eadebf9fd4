"""What a model costs on this machine: seconds of a step, of a prompt and of a load as lines, and how far they hold."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from olbench import cost_beyond, cost_points, labels, slots
from olbench.cost_points import Spot
from olbench.cost_terms import Place, outside, row
from olbench.findings import Estimate
from olbench.gist import Told
from olbench.prose import counted
from olbench.sized import CostModel, Line, Point
from olbench.stats import linear

What = Literal["decode", "prefill", "load"]
Seconds = Callable[[float, float], float]  # (streams, depth), (tokens, depth), (bytes, 0.0) -> s

_APART = 1.05  # places nearer than this factor are one place for a slope
_LACKING = 0.05  # p-value below which a line is said not to fit
_NOTICED = 0.005  # scatter below which nobody would mind
LEAST_SIZES = 3


# --- from a run's cells ---------------------------------------------------------------------------------------


def of(cells: Sequence[Told]) -> tuple[CostModel, ...]:
    """A cost model of each model and quantization that closed loops of this run measured."""
    kept = cost_points.fit_for(cells)
    load = _loads(*cost_points.load(kept))
    varying = [one for one in labels.axes([told.cell for told in kept]) if one not in labels.FIELDS]
    groups: dict[tuple[str, str], list[Told]] = {}
    for told in kept:
        who = ("model",) if told.cell.quantization is None else ("model", "quantization")
        label = labels.label(told.cell, (*who, *varying))
        groups.setdefault((told.cell.model, label), []).append(told)
    return tuple(_of_group(*name, group, load) for name, group in groups.items())


def _of_group(model: str, label: str, group: Sequence[Told], load: Line | str) -> CostModel:
    decode = _decode(*cost_points.decode(group))
    prefill = _prefill(*cost_points.prefill(group))
    placements = [gist.placement for told in group for gist in told.gists if gist.placement is not None]
    found = slots.of(placements, [probe for told in group for probe in told.probes])
    missing = {
        name: why
        for name, why in (("decode", decode), ("prefill", prefill), ("load", load))
        if isinstance(why, str)
    }
    if found.count is None:
        missing["slots"] = found.reason
    return CostModel(
        model=model,
        label=label,
        decode=None if isinstance(decode, str) else decode,
        prefill=None if isinstance(prefill, str) else prefill,
        load=None if isinstance(load, str) else load,
        slots=found.count,
        missing=missing,
    )


def _decode(spots: Sequence[Spot], nothing: str) -> Line | str:
    if not spots:
        return nothing
    slopes = [("streams", "streams"), ("streams*depth", "depth")]
    return _line("decode", ("1", *(term for term, name in slopes if _lengths(spots, name) > 1)), spots)


def _prefill(spots: Sequence[Spot], nothing: str) -> Line | str:
    if not spots:
        return nothing
    of_lengths = {1: ("tokens",), 2: ("1", "tokens")}
    return _line("prefill", of_lengths.get(_lengths(spots, "tokens"), ("1", "tokens", "tokens^2")), spots)


def _loads(spots: Sequence[Spot], nothing: str) -> Line | str:
    if not spots:
        return nothing
    sizes = _lengths(spots, "bytes")
    if sizes < LEAST_SIZES:
        return (
            f"models of {counted(sizes, 'size')} were loaded; "
            f"how a load grows with its bytes takes {LEAST_SIZES} sizes"
        )
    return _line("load", ("1", "bytes"), spots)


def _lengths(spots: Sequence[Spot], name: str) -> int:
    """How many values there are that differ by more than prompts of one length do."""
    values = sorted(spot.at[name] for spot in spots)
    return 1 + sum(late > _APART * early for early, late in pairwise(values))


# --- one line -------------------------------------------------------------------------------------------------


def _line(what: What, terms: tuple[str, ...], spots: Sequence[Spot]) -> Line:
    seen = np.array([spot.seen for spot in spots])
    cells = {spot.cell: number for number, spot in enumerate(spots)}
    places = np.array([cells[spot.cell] for spot in spots])
    doubts: list[linear.Fit] = []
    while True:
        rows = np.array([row(terms, what, spot.at) for spot in spots])
        if not linear.determined(rows):  # too few places for all that varies
            terms = terms[:-1]
            continue
        fit = linear.fit(rows, seen, places)
        doubts.append(fit)
        less = _without_gains(terms, fit.coefficients.tolist())
        if less == terms:
            break
        terms = less
    fit = linear.as_doubtful(fit, doubts)
    fitted = fit.fitted.tolist()
    return Line(
        what=what,
        terms=terms,
        coefficients=_coefficients(fit),
        covariance=tuple(tuple(one) for one in fit.covariance.tolist()),
        scatter=fit.scatter,
        freedom=fit.freedom,
        lack=fit.lack,
        reason=_reason(fit, len(cells), len(terms)),
        span={name: _span(spots, name, what) for name in spots[0].at},
        points=tuple(
            Point(at=spot.at, seen=spot.seen, fitted=one) for spot, one in zip(spots, fitted, strict=True)
        ),
    )


def _without_gains(terms: tuple[str, ...], coefficients: Sequence[float]) -> tuple[str, ...]:
    """The terms without one that would have work cost less than nothing: chance, which goes astray beyond the places.

    Where tokens gain, the others have taken what is theirs: the square goes first, then the constant.
    """
    found = [term for term, value in zip(terms, coefficients, strict=True) if value < 0]
    if not found or len(terms) == 1:
        return terms
    gone = found[-1]
    if gone == "tokens":
        gone = "tokens^2" if "tokens^2" in terms else "1"
    return tuple(term for term in terms if term != gone)


def _coefficients(fit: linear.Fit) -> tuple[Estimate, ...]:
    pairs = zip(fit.coefficients.tolist(), fit.half().tolist(), strict=True)
    if not fit.freedom:
        return tuple(Estimate(value, None, None, NO_FREEDOM) for value, _ in pairs)
    return tuple(Estimate(value, value - half, value + half) for value, half in pairs)


NO_FREEDOM = "as many visits as the line has terms; more visits would tell how far it can be trusted"


def _reason(fit: linear.Fit, places: int, terms: int) -> str:
    if not fit.freedom:
        return NO_FREEDOM
    if fit.lack is None:
        if places <= terms:
            return f"{counted(places, 'place')} for {counted(terms, 'term')}: nothing is left to test the line with"
        return "no place was visited twice, so whether the line bends cannot be told from chance"
    if fit.lack < _LACKING and fit.scatter > _NOTICED:
        return (
            f"places lie farther off the line than repeats of one place differ (p = {fit.lack:.2g}): it is not quite "
            f"straight, and its intervals are wider for that"
        )
    return ""


def _span(spots: Sequence[Spot], name: str, what: What) -> tuple[float, float]:
    values = [spot.at[name] for spot in spots]
    if what == "prefill" and name == "depth":  # what a prompt's own later tokens looked back on
        return 0.0, max(spot.at["depth"] + spot.at["tokens"] for spot in spots)
    return min(values), max(values)


# --- asked ----------------------------------------------------------------------------------------------------


def at(line: Line, place: Place, *, beyond: bool = False) -> Estimate:
    """What one visit to that place would give, with its 95 % prediction interval.

    None with the reason outside of what the line was fitted on; `beyond` gives a figure there too, with an interval
    that also holds what a bend that nobody could have seen would make of it, see cost_beyond.
    """
    why = outside(line, place)
    if why and not beyond:
        return Estimate(None, None, None, why)
    if why:
        return cost_beyond.widened(line, place, why)
    return cost_beyond.straight(line, place)


def seconds(line: Line) -> Seconds:
    """The line's mean as a quick function of (streams, depth), (tokens, depth) or (bytes, 0.0); it knows no bounds."""
    factors = dict.fromkeys(("1", "streams", "streams*depth", "tokens", "tokens^2", "bytes"), 0.0)
    for term, one in zip(line.terms, line.coefficients, strict=True):
        factors[term] = one.value or 0.0
    base, slope = factors["1"], factors["streams"] + factors["tokens"] + factors["bytes"]
    deep, square = factors["streams*depth"] + 2 * factors["tokens^2"], factors["tokens^2"]

    def mean(amount: float, depth: float) -> float:
        return max(0.0, base + amount * (slope + deep * depth + square * amount))

    return mean


def drawn(line: Line, rng: np.random.Generator) -> Line:
    """The line as it may be, for one visit: coefficients from their covariance, all of them scaled by a visit's scatter.

    Both are Student's t with the line's freedom. Without freedom there is nothing to draw from: the line itself.
    """
    if not line.freedom:
        return line
    factor = math.sqrt(line.freedom / rng.chisquare(line.freedom))
    middle = np.array([one.value or 0.0 for one in line.coefficients])
    off = rng.multivariate_normal(np.zeros(len(middle)), np.array(line.covariance), method="svd")
    visit = max(0.0, 1 + factor * line.scatter * float(rng.standard_normal()))
    found = ((middle + factor * off) * visit).tolist()
    return replace(
        line,
        coefficients=tuple(
            replace(old, value=new, low=None, high=None, reason="drawn")
            for old, new in zip(line.coefficients, found, strict=True)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Costing:
    """What requests of one shape would get at a place, whether anybody measured it or not."""

    decode: Estimate  # tok/s of one stream
    throughput: Estimate  # tok/s of all streams that are answered at once
    ttft: (
        Estimate  # s that the server takes to read the prompt, where a slot is free and nothing else is read
    )
    waiting: int | None  # streams beyond the slots, which wait; None: the slots are unknown


def answer(model: CostModel, *, depth: float, streams: float, tokens: float, beyond: bool = False) -> Costing:
    """Decode rate and time to first token with so many streams, at that depth of context, for prompts of `tokens`."""
    at_once = streams if model.slots is None else min(streams, model.slots)
    step = _asked(model, "decode", {"streams": at_once, "depth": depth}, beyond=beyond)
    return Costing(
        decode=_rate(step, 1.0),
        throughput=_rate(step, at_once),
        ttft=_asked(model, "prefill", {"tokens": tokens, "depth": 0.0}, beyond=beyond),
        waiting=None if model.slots is None else round(streams - at_once),
    )


def _asked(model: CostModel, what: Literal["decode", "prefill"], place: Place, *, beyond: bool) -> Estimate:
    line = model.decode if what == "decode" else model.prefill
    return Estimate(None, None, None, model.missing[what]) if line is None else at(line, place, beyond=beyond)


def _rate(step: Estimate, tokens: float) -> Estimate:
    """Tokens a second of a step's seconds: the ends of its interval change places."""
    return Estimate(_per(tokens, step.value), _per(tokens, step.high), _per(tokens, step.low), step.reason)


def _per(tokens: float, spent: float | None) -> float | None:
    return tokens / spent if spent else None
