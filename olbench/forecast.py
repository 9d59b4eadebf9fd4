"""Users per machine before any were there: the queue is played through at each load with what the cost model says."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from olbench import cost_model
from olbench.arrival import Persona
from olbench.bottleneck import binding, highest
from olbench.cost_terms import Place, outside
from olbench.crowd import ASSUMED, FULL, Beside, Crowd, Effort, engine_of, met
from olbench.findings import Estimate
from olbench.prose import counted
from olbench.queueing import Engine
from olbench.sized import CostModel, Forecast, Line, Predicted
from olbench.slo import Term
from olbench.units import figures

AROUND = 2  # loads below and above the answer that are forecast
FAR = 2.0  # times what was measured: so far beyond it nothing is said


def predicted(
    cost: CostModel,
    persona: Persona,
    terms: Sequence[Term],
    grid: Sequence[float],
    *,
    seed: int,
    beside: Beside = ASSUMED,
    effort: Effort = FULL,
) -> Predicted:
    """How many such users one machine carries within the service level, as far as its cost model goes.

    The interval is that of one visit: it holds what is unknown of the cost model and how far visits lie off it.
    """
    refusal = _refusal(cost, persona, terms, grid, beside.head)
    if refusal:
        return Predicted(
            capacity=Estimate(None, None, None, refusal), binds=None, why="", forecasts=(), reason=refusal
        )
    crowd = Crowd(persona, tuple(terms), seed, beside)
    users = [round(load) for load in grid]
    engine = engine_of(cost, beside)
    place = highest(lambda place: crowd.room(engine, users[place], effort.requests) >= 0, len(users), 0)
    rng = np.random.default_rng(seed)
    engines = (engine, *(_drawn(cost, beside, rng) for _ in range(effort.draws)))
    draws = _Draws(crowd, users, engines, effort)
    binds, why = binding(crowd, engine, _load(users, place), users[-1], effort.requests // 2)
    return Predicted(
        capacity=_capacity(place, draws, users, _doubt(cost, persona, beside.head)),
        binds=binds,
        why=why,
        forecasts=tuple(
            _forecast(draws, near)
            for near in range(max(place - AROUND, 0), min(max(place, 0) + AROUND + 1, len(users)))
        ),
    )


@dataclass(frozen=True, slots=True)
class _Draws:
    """The service at each load under each engine that the cost model allows; the first engine is its middle."""

    crowd: Crowd
    users: Sequence[int]
    engines: Sequence[Engine]
    effort: Effort
    seen: dict[tuple[int, int], Mapping[str, float]] = field(default_factory=dict)

    def shares(self, number: int, place: int) -> Mapping[str, float]:
        """Key of a term -> share of requests that meet it."""
        if (number, place) not in self.seen:
            found = self.crowd.shares(self.engines[number], self.users[place], self.effort.drawn)
            self.seen[number, place] = found
        return self.seen[number, place]

    def answer(self, number: int, start: int) -> int:
        """The highest place that is kept."""
        terms = self.crowd.terms

        def kept(place: int) -> bool:
            shares = self.shares(number, place)
            return all(shares[term.key] >= term.share for term in terms)

        return highest(kept, len(self.users), start)

    def off(self, start: int) -> list[int]:
        """By how many places each engine's answer lies off the middle one's: all meet the same people."""
        middle = self.answer(0, start)
        return sorted(self.answer(number, middle) - middle for number in range(1, len(self.engines)))


def _capacity(place: int, draws: _Draws, users: Sequence[int], doubt: str) -> Estimate:
    off = draws.off(place)
    low, high = (float(_load(users, place + one)) for one in (off[0], off[-1]))
    if place < 0:
        doubt = f"not even {counted(users[0], 'user')} would be served as well as was asked for"
    elif place == len(users) - 1:
        doubt = f"{counted(users[-1], 'user')} were the most that was asked about"
    return Estimate(float(_load(users, place)), low, high, doubt)


def _load(users: Sequence[int], place: int) -> int:
    """The load at a place; below the lowest nobody is served well."""
    return users[min(place, len(users) - 1)] if place >= 0 else 0


def _forecast(draws: _Draws, place: int) -> Forecast:
    crowd = draws.crowd
    played = crowd.played(draws.engines[0], draws.users[place], draws.effort.requests)
    shares = {term.key: met(term, played.served, crowd.beside.overhead) for term in crowd.terms}
    # Half of the draws: a curve's band need not be as exact as the answer.
    seen = [draws.shares(number, place) for number in range(draws.effort.draws // 2 + 1)]
    return Forecast(
        load=float(draws.users[place]),
        shares={key: _around(share, [one[key] for one in seen]) for key, share in shares.items()},
        waiting=sum(one.waited for one in played.served) / max(len(played.served), 1),
        busy={"prefill": played.reading / played.length, "decode": played.decoding / played.length},
    )


def _around(share: float, seen: Sequence[float]) -> Estimate:
    """A share with the interval by which the draws lie off their middle."""
    middle, others = seen[0], seen[1:]
    below, above = min(0.0, min(others) - middle), max(0.0, max(others) - middle)
    return Estimate(share, max(share + below, 0.0), min(share + above, 1.0))


def _drawn(cost: CostModel, beside: Beside, rng: np.random.Generator) -> Engine:
    """The engine as it may be in one visit."""
    decode, prefill = (
        None if line is None else cost_model.drawn(line, rng) for line in (cost.decode, cost.prefill)
    )
    return engine_of(replace(cost, decode=decode, prefill=prefill), beside)


# --- how far it goes ------------------------------------------------------------------------------------------


def _refusal(
    cost: CostModel, persona: Persona, terms: Sequence[Term], grid: Sequence[float], head: int
) -> str:
    """Why nothing can be predicted; "" where it can."""
    if not terms:
        return "there is no service level to keep; a section [slo] says what it is"
    if not grid:
        return "there is no load to ask about"
    for name, part in (("decode", cost.decode), ("prefill", cost.prefill), ("slots", cost.slots)):
        if part is None:
            return cost.missing.get(name, f"the cost model has no {name}")
    return _too_far(cost, persona, head)


def _too_far(cost: CostModel, persona: Persona, head: int) -> str:
    slots = cost.slots or 1
    for line, place in _reach(cost, persona, head):
        for name, value in place.items():
            most = line.span.get(name, (0.0, math.inf))[1]
            # How answers slow each other down is not seen with one at a time.
            if value > FAR * most or (name == "streams" and value > most and "streams" not in line.terms):
                return f"{_at(line, place, slots)}: {outside(line, place)}"
    return ""


def _doubt(cost: CostModel, persona: Persona, head: int) -> str:
    """What the prediction reaches to beyond what was measured; "" where it does not."""
    for line, place in _reach(cost, persona, head):
        if why := outside(line, place):
            return f"{_at(line, place, cost.slots or 1)}: {why}"
    return ""


def _reach(cost: CostModel, persona: Persona, head: int) -> Iterator[tuple[Line, Place]]:
    """The ends of what is asked of each line; `head`: tokens of a question that are read once for all."""
    question, answer = float(persona.prompt_tokens), float(persona.output_tokens)
    new = max(question - head, 1.0)
    before = (persona.turns - 1) * (new + answer)
    if cost.decode is not None:
        yield cost.decode, {"streams": 1.0, "depth": question + answer / 2}
        yield cost.decode, {"streams": float(cost.slots or 1), "depth": before + question + answer / 2}
    if cost.prefill is not None:
        yield cost.prefill, {"tokens": new, "depth": float(head)}
        yield cost.prefill, {"tokens": new, "depth": head + before}


def _at(line: Line, place: Place, slots: int) -> str:
    if line.what == "decode":
        return f"decoding {counted(slots, 'answer')} at once at {figures(place['depth'])} tokens of context"
    return f"reading {figures(place['tokens'])} tokens behind {figures(place['depth'])}"
