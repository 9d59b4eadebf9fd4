"""A run's surroundings for tests: everything that a Bench needs beside the server, and what it noted."""

import asyncio
from array import array
from collections.abc import Sequence
from typing import Any

from pretend import CARD, SECOND, Pretend
from virtual import START_NS

from olbench.bench import Bench, State, Terms
from olbench.clock import now
from olbench.model import (
    Cell,
    Message,
    ModelCard,
    Observation,
    Plan,
    Prompt,
    Visit,
)
from olbench.probes.runner import Runner
from olbench.readings import Readings, Series
from olbench.run import execute
from olbench.thresholds import limits
from olbench.workload import Batch

# Four words, and five tokens that the pretend server's template adds.
OWN = Batch((Prompt("mine", (Message("user", "one two three four"),)),), None)


class Cuts:
    """A watch whose readings say from when to when they are."""

    def __init__(self) -> None:
        self._last = now()

    def cut(self) -> Readings:
        """One series with two beats: the last cut, and this one."""
        beats = array("q", [self._last, now()])
        self._last = now()
        return Readings((Series("cut", "s", beats, array("d", [0.0, 0.0])),), ())


class Ear:
    """An audience that remembers."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def visiting(self, visit: Visit, cell: Cell) -> None:
        """Remember."""
        self.heard.append(f"visit {visit.seq} {cell.num_ctx}")

    def doing(self, what: str) -> None:
        """Remember."""
        self.heard.append(what)

    def observed(self, seen: Observation) -> None:
        """Remember."""
        self.heard.append(f"observed {seen.visit.seq}")

    def going_on(self, number: int, visits: Sequence[Visit]) -> None:
        """Remember."""
        self.heard.append(f"round {number}: {len(visits)}")

    def say(self, sentence: str) -> None:
        """Remember."""
        self.heard.append(sentence)


def visits(cells: Sequence[Cell], repeats: int = 1) -> tuple[Visit, ...]:
    """All cells in order, round after round."""
    order = [(repeat, cell) for repeat in range(repeats) for cell in cells]
    return tuple(Visit(seq, cell.id, repeat) for seq, (repeat, cell) in enumerate(order))


def terms(**changes: Any) -> Terms:
    """Four requests a visit after one to warm up, and half a minute for each."""
    fields: dict[str, Any] = {
        "seed": 1,
        "requests": 4,
        "warmup": 1,
        "timeout_ns": 30 * SECOND,
        "cold_load": False,
        "budget_ns": None,
        "nonce": "n",
        "language": "en",
        "system": None,
        "limits": limits({}),
        "retake": True,
    }
    return Terms(**(fields | changes))


def no_runner(_: ModelCard | None) -> Runner:
    """A runner that cannot be seen."""
    return Runner(None, None, {}, "nothing is seen here")


def told_runner(_: ModelCard | None) -> Runner:
    """A runner whose command line tells its slots, so that no probe looks for them."""
    return Runner(None, None, {"runner.parallel": 4}, "")


def bench(api: Pretend, cells: Sequence[Cell], repeats: int = 1, **changes: Any) -> Bench:
    """A bench with own prompts, so that nothing is calibrated, and a server that is not ours."""
    fields: dict[str, Any] = {
        "api": api,
        "plan": Plan(tuple(cells), visits(cells, repeats), 0, ()),
        "cards": (CARD,),
        "facts": {},
        "terms": terms(),
        "rounds": None,
        "own_prompts": OWN,
        "state": State(),
        "watch": Cuts(),
        "runner": told_runner,
        "machine_facts": dict,
        "revive": None,
        "audience": Ear(),
        "stop": asyncio.Event(),
    }
    return Bench(**(fields | changes))


async def taken(of: Bench) -> list[Observation]:
    """All observations of the plan."""
    return [seen async for seen in execute(of, of.plan.visits)]


async def stopped_after(seconds: float, of: Bench) -> list[Observation]:
    """All observations of a run that is asked to stop so long after its beginning."""
    asyncio.get_running_loop().call_later(seconds, of.stop.set)
    return await taken(of)


def seconds(*stamps: int | None) -> list[float | None]:
    """Stamps as seconds since the story began."""
    return [None if one is None else (one - START_NS) / 1e9 for one in stamps]


def span(readings: Readings) -> list[float | None]:
    """From when to when these readings are."""
    found = readings.get("cut")
    return [] if found is None else seconds(*found.t_ns)
