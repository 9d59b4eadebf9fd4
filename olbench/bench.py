"""What a visit needs: the terms of the run, what one visit leaves for the next, and the outside world."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from olbench import lengths
from olbench.arrival import Arrival
from olbench.calibrate import Settled
from olbench.model import Cell, Facts, ModelCard, Observation, Plan, Visit
from olbench.plan import LoadKey
from olbench.ports import Api, Prompts
from olbench.probes.runner import Runner
from olbench.readings import Readings
from olbench.slo import Term


class Watching(Protocol):
    """What `watch.Watch` is to a run."""

    def cut(self) -> Readings:
        """The readings since the last cut."""
        ...


class Audience(Protocol):
    """Who is told how it goes. Called from the event loop between requests: be quick."""

    def visiting(self, visit: Visit, cell: Cell) -> None:
        """A visit begins."""
        ...

    def doing(self, what: str) -> None:
        """Another part of the visit begins: "loading", "warming up", "measuring", ..."""
        ...

    def observed(self, seen: Observation) -> None:
        """A visit has ended."""
        ...

    def going_on(self, number: int, visits: Sequence[Visit]) -> None:
        """Round `number` (from 1) begins: visits beyond the plan, to the cells that still need one."""
        ...

    def say(self, sentence: str) -> None:
        """Something that a reader should know now."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds for a whole run."""

    seed: int
    requests: int
    warmup: int
    timeout_ns: int
    cold_load: bool
    budget_ns: int | None
    nonce: str  # opens every cold prompt: a run that is resumed must not meet its own cache
    language: Literal["en", "zh"]  # of synthetic text
    system: str | None
    parallel: int | None = None  # the server's slots as the scenario says them; None: it does not
    limits: Mapping[str, float]  # thresholds
    retake: bool  # a visit that fails a gate is taken once more
    slo: tuple[Term, ...] = ()  # the service level
    give_up: bool = False  # a load that can no longer keep it is ended early, as a search does


@dataclass(slots=True)
class State:
    """What one visit leaves for the next."""

    loaded: LoadKey | None = None  # what the model in memory was loaded with; None: not known
    probed: set[tuple[LoadKey, str | None]] = field(default_factory=set)  # whose slots were looked for
    gone: bool = False  # the last visit waited for the server in vain
    sizes: dict[lengths.Key, Settled] = field(default_factory=dict)  # of synthetic texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Visits beyond the plan, for as long as figures are not known well enough."""

    more: Callable[[str], bool]  # cell -> whether it needs another visit; slow, so called in a thread
    taken: Mapping[str, int]  # cell -> visits before them, those of the plan and of earlier executions
    at_most: int  # visits to a cell, those included
    order: Callable[[Sequence[Cell], int, LoadKey | None], Sequence[Cell]]  # cells, repeat, what is loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that a visit needs; the outside world came in through the ports."""

    api: Api
    plan: Plan
    cards: tuple[ModelCard, ...]
    facts: Facts  # of the machine, at the start of the run
    terms: Terms
    rounds: Rounds | None  # None: the plan is all
    own_prompts: Prompts | None  # None: synthetic text, made to each cell's length
    state: State
    watch: Watching
    runner: Callable[[ModelCard | None], Runner]
    machine_facts: Callable[[], Facts]  # those that may change during a run; slow, so called in a thread
    revive: Callable[[], Awaitable[None]] | None  # starts an engine of ours again when it has died
    audience: Audience
    stop: asyncio.Event
    trace: tuple[Arrival, ...] = ()  # what replays replay
