"""What a visit needs: the terms of the run, what one visit leaves for the next, and the outside world."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from olbench import lengths
from olbench.model import Cell, ModelCard, Observation, Plan, Visit
from olbench.plan import LoadKey
from olbench.ports import Api, Prompts
from olbench.probes.runner import Runner
from olbench.readings import Readings


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


@dataclass(slots=True)
class State:
    """What one visit leaves for the next."""

    loaded: LoadKey | None = None  # what the model in memory was loaded with; None: not known
    gone: bool = False  # the last visit waited for the server in vain
    sizes: dict[lengths.Key, int] = field(default_factory=dict)  # of synthetic texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Everything that a visit needs; the outside world came in through the ports."""

    api: Api
    plan: Plan
    cards: tuple[ModelCard, ...]
    terms: Terms
    own_prompts: Prompts | None  # None: synthetic text, made to each cell's length
    state: State
    watch: Watching
    runner: Callable[[ModelCard | None], Runner]
    revive: Callable[[], Awaitable[None]] | None  # starts an engine of ours again when it has died
    audience: Audience
    stop: asyncio.Event
