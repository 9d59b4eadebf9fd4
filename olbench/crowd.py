"""A persona's questions, played through a server's queue, and what share of them a service level is kept for."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from olbench.arrival import Persona, Talk, talks
from olbench.queueing import BATCH, Cache, Engine, Played, Served, Shape, simulate
from olbench.sized import CostModel, Line
from olbench.slo import Term

_FILLING = 0.15  # of all requests: those that meet a house which is emptier than it will be
_SECOND = 1e9  # ns
_HOUR = 3600.0  # s


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What a prediction takes beside the cost model."""

    cache: Cache = "slot"
    batch: int = BATCH  # tokens
    head: int = 0  # tokens that all prompts begin with, and that a slot need not read twice
    overhead: float = 0.0  # s before a first token that take neither slot nor engine: connection, template


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is played through. The doubt that is left is then a good deal smaller than the cost model's."""

    requests: int = 4000  # at a load
    drawn: int = 1000  # and for each draw from the cost model: all draws meet the same people
    draws: int = 40  # the least and the most of so many hold 95 %


ASSUMED, FULL = Beside(), Effort()


@dataclass(frozen=True, slots=True)
class Crowd:
    """A persona's questions at each load, and what became of them."""

    persona: Persona
    terms: tuple[Term, ...]
    seed: int
    beside: Beside
    asked: dict[tuple[int, int], tuple[tuple[Talk, ...], float]] = field(default_factory=dict)

    def played(self, engine: Engine, users: int, requests: int) -> Played:
        """The requests of so many users, without those that came first."""
        people, until = self._people(users, requests)
        shape = Shape(self.persona.prompt_tokens, self.persona.output_tokens)
        played = simulate(engine, people, (shape,), until)
        return replace(played, served=tuple(one for one in played.served if one.due >= until * _FILLING))

    def _people(self, users: int, requests: int) -> tuple[tuple[Talk, ...], float]:
        if (users, requests) not in self.asked:
            until = requests / (1 - _FILLING) / (users * self.persona.questions_per_hour / _HOUR)
            people = talks(self.persona.load(users), int(until * _SECOND), (1.0,), self.seed)
            self.asked[users, requests] = people, until
        return self.asked[users, requests]

    def shares(self, engine: Engine, users: int, requests: int) -> Mapping[str, float]:
        """Key of a term -> share of requests that meet it."""
        served = self.played(engine, users, requests).served
        return {term.key: met(term, served, self.beside.overhead) for term in self.terms}

    def room(self, engine: Engine, users: int, requests: int) -> float:
        """By how much of all requests the tightest line is kept; below 0 it is broken."""
        shares = self.shares(engine, users, requests)
        return min(shares[term.key] - term.share for term in self.terms)


def met(term: Term, served: Sequence[Served], overhead: float) -> float:
    """The share of requests that meet a line of a service level; all are answered here."""
    if not served:
        return math.nan
    if term.bound is None:
        return 1.0
    figure = _figure(term, overhead)
    most = -term.bound if term.aspect == "answer_rate" else term.bound
    return sum(figure(one) <= most for one in served) / len(served)


def _figure(term: Term, overhead: float) -> Callable[[Served], float]:
    """What is held against the bound; a rate with its sign turned, so that less is better everywhere."""
    match term.aspect:
        case "ttft":
            return lambda one: one.first - one.due + overhead
        case "e2e":
            return lambda one: one.end - one.due + overhead
        case "tpot":
            return lambda one: (one.end - one.first) / (one.output - 1) if one.output > 1 else math.inf
        case "answer_rate":
            return _slowness
        case "success":
            return lambda _: 0.0
        case _:
            assert_never(term.aspect)


def _slowness(one: Served) -> float:
    """Tokens a second with the sign turned; none where there is one token."""
    if one.output < 2:
        return math.inf
    return -(one.output - 1) / (one.end - one.first) if one.end > one.first else -math.inf


def engine_of(cost: CostModel, beside: Beside) -> Engine:
    """The engine as the cost model's lines have it. Steps get no shorter with depth, whatever a fit says."""
    decode, read = (_factors(line) for line in (cost.decode, cost.prefill))
    return Engine(
        slots=cost.slots or 1,
        step=max(decode["1"], 0.0),
        stream=max(decode["streams"], 0.0),
        depth=max(decode["streams*depth"], 0.0),
        opening=max(read["1"], 0.0),
        token=read["tokens"],
        square=read["tokens^2"],
        batch=beside.batch,
        cache=beside.cache,
        head=beside.head,
    )


def _factors(line: Line | None) -> Mapping[str, float]:
    factors = dict.fromkeys(("1", "streams", "streams*depth", "tokens", "tokens^2"), 0.0)
    if line is not None:
        pairs = zip(line.terms, line.coefficients, strict=True)
        factors.update({term: one.value or 0.0 for term, one in pairs})
    return factors
