"""A whole run against a scripted server, from the real client's bytes to the findings, in virtual time."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import virtual
from benches import Ear, no_runner, terms, visits
from builders import a_run, cell

from olbench.analysis import analyse
from olbench.apis.ollama import Ollama
from olbench.bench import Bench, State
from olbench.clock import now
from olbench.engines import wall
from olbench.engines.scripted import Script, Scripted
from olbench.findings import Findings, Flag
from olbench.model import Cell, Fact, Facts, Plan, Record
from olbench.readings import NO_READINGS, Readings
from olbench.run import execute
from olbench.thresholds import limits

MS = 1_000_000
SOME_DAY_NS = 1_795_000_000 * 10**9  # of the wall clock, when the virtual one begins
# A small model on a CPU: 200 ms for a prompt of 200 tokens, 50 tokens a second, its pace 2 % off from request to request.
HONEST = Script(noise=0.02, prefill_ns_per_token=MS, itl_ns=20 * MS, load_ns=500 * MS, slots=4)


class Nothing:
    """A watch without probes."""

    def cut(self) -> Readings:
        """Nothing was read."""
        return NO_READINGS


def asked(**changes: Any) -> Cell:
    """A cell for that server."""
    fields = {"model": "scripted:1b", "base": "scripted:1b", "num_ctx": 4096, "prompt_tokens": 200}
    return cell(**{**fields, "output_tokens": 24, **changes})


def findings(
    script: Script,
    of: Cell,
    settings: Mapping[str, Fact] | None = None,
    *,
    repeats: int = 8,
    requests: int = 0,
) -> Findings:
    """What olbench tells of one cell on a server with that script; eight requests a visit, and three a stream."""
    said = dict(settings or {}) | {"repeats": repeats, "requests": requests or max(8, 3 * of.concurrency)}
    with pytest.MonkeyPatch.context() as patch:
        # The server's dates must go with its clock, which jumps.
        patch.setattr(wall, "time", SimpleNamespace(time_ns=lambda: SOME_DAY_NS + now()))
        return analyse(virtual.run(_record(script, of, said)))


def flagged(found: Findings) -> tuple[Flag, ...]:
    """All flags of a run, and of its cells."""
    return (*found.flags, *(flag for one in found.cells for flag in one.flags))


async def _record(script: Script, of: Cell, said: dict[str, Any]) -> Record:
    plan = Plan((of,), visits([of], said["repeats"]), 0, ())
    async with Scripted(script, kernel=False) as server:
        api = Ollama(server.url, kernel_stamps=False)
        try:
            names = dict.fromkeys((of.model, *(share.model for share in of.mix)))
            cards = tuple([await api.card(name) for name in names])
            bench = Bench(
                api=api,
                plan=plan,
                cards=cards,
                facts={},
                terms=terms(
                    requests=said["requests"], limits=limits(said), parallel=said.get("server.parallel")
                ),
                rounds=None,
                own_prompts=None,
                state=State(),
                watch=Nothing(),
                runner=no_runner,
                machine_facts=dict,
                revive=None,
                audience=Ear(),
                stop=asyncio.Event(),
            )
            facts: Facts = {"server.version": await api.version(), "server.local": False}
            seen = tuple([one async for one in execute(bench, plan.visits)])
            facts_end: Facts = facts | {"server.version": await api.version()}
        finally:
            await api.close()
    run = replace(a_run(), settings=said)
    return Record(run=run, plan=plan, facts=facts, facts_end=facts_end, cards=cards, observations=seen)
