"""The first screen of a sizing in finished words: each load, how it was served, and what had been predicted."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import Estimate
from olbench.prose import counted, listed
from olbench.report.agreement import forecast
from olbench.report.capacity_words import (
    UNITS,
    VERDICTS,
    advice,
    against,
    asked_of,
    binding,
    headline,
    load,
    remark,
    sureness,
    untried,
    wish,
)
from olbench.report.wording import NOTHING, plain
from olbench.sized import Attained, Capacity, Forecast, Kept, Service, Sizing, Step
from olbench.slo import Term
from olbench.units import words

NEAR = 6  # loads around the answer that the first screen shows


@dataclass(frozen=True, slots=True)
class Share:
    """One line of a service level at one load."""

    text: str  # "97.2 %"
    interval: str
    predicted: str  # "predicted 93.0–98.5 %"; "" where nothing was
    verdict: Kept | None  # None: this load says nothing about it


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One load with all its lines."""

    load: str
    requests: str
    shares: tuple[Share, ...]
    verdict: Kept | None
    word: str
    note: str  # why it does not count, or that it was given up early
    answer: bool


@dataclass(frozen=True, slots=True)
class Head:
    """The heading of a line's column."""

    text: str
    asked: str  # "95 % of requests"
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found for one kind of load, in finished words."""

    id: str
    label: str
    unit: str
    headline: str
    sureness: str
    resolved: bool
    target: str
    predicted: tuple[str, str]
    binds: tuple[str, str]
    advice: tuple[str, ...]
    heads: tuple[Head, ...]
    loads: tuple[Loaded, ...]
    near: tuple[Loaded, ...]  # of `loads`, those around the answer
    instead: str  # why there are no loads


def found(sizing: Sizing) -> tuple[Found, ...]:
    """Every capacity of the sizing, in its order."""
    return tuple(_found(one, sizing, place) for place, one in enumerate(sizing.capacities, 1))


def _found(one: Capacity, sizing: Sizing, place: int) -> Found:
    terms, seen = lines(one, sizing.terms), latest(one)
    loads = tuple(_loaded(step, one, terms) for step in seen)
    return Found(
        id=f"capacity-{place}",
        label=plain(one.label),
        unit=UNITS[one.by][1],
        headline=headline(one),
        sureness=sureness(one),
        resolved=one.resolved,
        target=against(sizing.target, one)[0],
        predicted=forecast(one, persona=sizing.target is not None),
        binds=binding(one),
        advice=advice(sizing.target, one),
        heads=tuple(Head(wish(term), asked_of(term), term.key) for term in terms),
        loads=loads,
        near=tuple(loads[at] for at in _near(seen, one)),
        instead="" if loads else untried(one.reason),
    )


def lines(one: Capacity, wanted: Sequence[Term]) -> tuple[Term, ...]:
    """The lines of a service level, those that were held against any load among them."""
    held = {term.term.key: term.term for step in one.steps for term in step.service.terms}
    return tuple({**{term.key: term for term in wanted}, **held}.values())


def latest(one: Capacity) -> tuple[Step, ...]:
    """The last word on each load, by load: one that was tried again has its requests pooled."""
    return tuple(sorted({step.load: step for step in one.steps}.values(), key=lambda step: step.load))


def _near(seen: Sequence[Step], one: Capacity) -> list[int]:
    """Places of the loads around the answer: as many below it as above, as far as there are any."""
    middle = one.answer if one.answer is not None else one.over
    if middle is None or len(seen) <= NEAR:
        return list(range(min(len(seen), NEAR)))
    at = min(range(len(seen)), key=lambda place: abs(seen[place].load - middle))
    first = min(max(0, at + 1 - NEAR // 2), len(seen) - NEAR)
    return list(range(first, first + NEAR))


def _loaded(step: Step, one: Capacity, terms: Sequence[Term]) -> Loaded:
    told = _forecast(one, step.load)
    served = {held.term.key: held for held in step.service.terms}
    void = bool(step.service.invalid)
    return Loaded(
        load=load(step.load, one.by),
        requests=f"{step.service.requests:,}",
        shares=tuple(_share(served.get(term.key), told.get(term.key), void=void) for term in terms),
        verdict=None if void else step.service.verdict,
        word="does not count" if void else VERDICTS[step.service.verdict],
        note=remark(step.service),
        answer=step.load == one.answer,
    )


def _forecast(one: Capacity, at: float) -> Mapping[str, Estimate]:
    made: Sequence[Forecast] = () if one.predicted is None else one.predicted.forecasts
    return next((told.shares for told in made if math.isclose(told.load, at, rel_tol=1e-6)), {})


def _share(held: Attained | None, told: Estimate | None, *, void: bool) -> Share:
    predicted = "" if told is None or told.value is None else f"predicted {percents(told)}"
    if held is None:
        return Share(NOTHING, "", predicted, None)
    share = held.share
    interval = "" if share.low is None or share.high is None else f"{_bare(share.low)}–{_bare(share.high)}"
    shown = NOTHING if share.value is None else f"{_bare(share.value)} %"
    return Share(shown, interval or plain(share.reason), predicted, None if void else held.verdict)


def percents(share: Estimate) -> str:
    """A share's interval where it has one, else its value: "93.0–98.5 %"."""
    if share.value is None:
        return NOTHING
    known = (share.value,) if share.low is None or share.high is None else (share.low, share.high)
    return f"{'–'.join(dict.fromkeys(map(_bare, known)))} %"


def _bare(share: float) -> str:
    """Percent with one place, with two where one would make it all or nothing."""
    rounded = f"{share * 100:.1f}"
    return f"{share * 100:.2f}" if rounded in ("100.0", "0.0") and 0 < share < 1 else rounded


def searched(one: Capacity) -> tuple[tuple[str, ...], ...]:
    """The search step by step: number, load, requests, goodput, tightest line, verdict, remark."""
    return tuple(
        (str(place), load(step.load, one.by), f"{step.service.requests:,}", goodput(step.service),
         tightest(step.service), _word(step.service), remark(step.service))
        for place, step in enumerate(one.steps, 1)
    )  # fmt: skip


def _word(service: Service) -> str:
    return "does not count" if service.invalid else VERDICTS[service.verdict]


def goodput(service: Service) -> str:
    """Good requests a second, of those that came."""
    good = service.goodput.value
    if good is None:
        return NOTHING
    offered = "" if service.offered is None else f" of {words(service.offered, '')}"
    return f"{words(good, '')}{offered}"


def tightest(service: Service) -> str:
    """The line with the least room, with its share."""
    held = next((one for one in service.terms if one.term.key == service.tightest), None)
    return NOTHING if held is None else f"{plain(held.term.key)}: {words(held.share.value, 'share')}"


def late(sizing: Sizing) -> str:
    """The client's own lateness over all loads, in a sentence; "" where it is unknown."""
    known = [step.service.late_p99 for one in sizing.capacities for step in one.steps]
    seen = [value for value in known if value is not None]
    if not seen:
        return ""
    return f"olbench itself sent 99 % of requests within {words(max(seen), 's')} of when they were due, at the worst load."


def unusable(sizing: Sizing) -> tuple[str, ...]:
    """Loads that say nothing, by why."""
    whys: dict[str, list[str]] = {}
    for one in sizing.capacities:
        for step in one.steps:
            if step.service.invalid:
                whys.setdefault(plain(step.service.invalid), []).append(load(step.load, one.by))
    return tuple(f"{listed(loads)}: {why}." for why, loads in whys.items())


def given_up(sizing: Sizing) -> str:
    """How many loads were given up early; "" where none was."""
    count = sum(step.service.cut_short for one in sizing.capacities for step in one.steps)
    return f"{counted(count, 'load')} given up early, as soon as it could no longer be kept." if count else ""


def sides(one: Capacity) -> tuple[tuple[str, ...], ...]:
    """Predicted against measured: load, line, predicted, measured, and how they stand to each other."""
    held = [(step.load, _forecast(one, step.load), term) for step in latest(one) if not step.service.invalid
            for term in step.service.terms]  # fmt: skip
    return tuple(
        (load(at, one.by), wish(seen.term), percents(told[seen.term.key]), percents(seen.share),
         _meeting(told[seen.term.key], seen.share))
        for at, told, seen in held
        if seen.term.key in told
    )  # fmt: skip


def _meeting(told: Estimate, seen: Estimate) -> str:
    """Whether the two intervals share any value."""
    if told.value is None or seen.value is None:
        return NOTHING
    ends = (told.low, told.high, seen.low, seen.high)
    if any(end is None for end in ends):
        return f"{(seen.value - told.value) * 100:+.1f} points"
    low, high, least, most = (end for end in ends if end is not None)
    return "agree" if low <= most and least <= high else f"{(seen.value - told.value) * 100:+.1f} points"
