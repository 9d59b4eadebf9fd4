"""A visit to a cell under a load, from the real client's bytes to the observation, in virtual time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import virtual
from benches import Ear, terms, told_runner, visits
from builders import cell
from lying import SOME_DAY_NS, Nothing

from olbench.apis.ollama import Ollama
from olbench.arrival import Arrival
from olbench.bench import Bench, State
from olbench.clock import now
from olbench.engines import wall
from olbench.engines.scripted import Script, Scripted
from olbench.model import Cell, Observation, Plan, Sample
from olbench.run import execute

MS = 1_000_000
SECOND = 1_000_000_000
# Prompts take a millisecond a token, answers come at 50 tokens a second; four slots.
SERVER = Script(load_ns=500 * MS, prefill_ns_per_token=MS, itl_ns=20 * MS, slots=4)


def asked(**changes: Any) -> Cell:
    """A cell for that server."""
    fields = {"model": "scripted:1b", "base": "scripted:1b", "num_ctx": 4096, "prompt_tokens": 100}
    return cell(**{**fields, "output_tokens": 8, **changes})


def observed(
    of: Cell, script: Script = SERVER, *, trace: Sequence[Arrival] = (), repeats: int = 1, **changes: Any
) -> list[Observation]:
    """Visits to the cell, and nothing retaken."""
    return seen(of, script, trace=trace, repeats=repeats, **changes)[0]


def seen(
    of: Cell, script: Script = SERVER, *, trace: Sequence[Arrival] = (), repeats: int = 1, **changes: Any
) -> tuple[list[Observation], list[dict[str, Any]]]:
    """The same, with the bodies of all measuring requests as they came."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wall, "time", SimpleNamespace(time_ns=lambda: SOME_DAY_NS + now()))
        return virtual.run(_story(of, script, tuple(trace), repeats, changes))


async def _story(
    of: Cell, script: Script, trace: tuple[Arrival, ...], repeats: int, changes: dict[str, Any]
) -> tuple[list[Observation], list[dict[str, Any]]]:
    models = tuple(dict.fromkeys([of.model, *(share.model for share in of.mix)]))
    plan = Plan((of,), visits([of], repeats), 0, ())
    async with Scripted(replace(script, models=models), kernel=False) as server:
        api = Ollama(server.url, kernel_stamps=False)
        try:
            bench = Bench(
                api=api,
                plan=plan,
                cards=tuple([await api.card(model) for model in models]),
                facts={},
                terms=terms(**({"retake": False} | changes)),
                rounds=None,
                own_prompts=None,
                state=State(),
                watch=Nothing(),
                runner=told_runner,
                machine_facts=dict,
                revive=None,
                audience=Ear(),
                stop=asyncio.Event(),
                trace=trace,
            )
            return [one async for one in execute(bench, plan.visits)], server.bodies
        finally:
            await api.close()


def measured(observation: Observation) -> list[Sample]:
    """Its measured samples."""
    return [one for one in observation.samples if one.phase == "measured"]


def waits(samples: Sequence[Sample]) -> list[float]:
    """From due to the first token, in milliseconds."""
    return [round((one.chunks.arrived_ns[0] - one.wanted_ns) / MS, 3) for one in samples]
