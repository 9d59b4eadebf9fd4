"""Real inference: the parts of a request's time are its whole, and what came from the cache is told from what did not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from builders import cell, observation

from olbench import cachestate
from olbench.apis.ollama import Ollama
from olbench.drive import closed_loop, decoded
from olbench.engines.embedded import Embedded
from olbench.gist import Told, gist
from olbench.model import Cell, Message, Phase, Prompt, Request, Sample
from olbench.parts import parts
from olbench.sample_columns import columns

pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
pytestmark = pytest.mark.embedded

MODEL = "olbench-tiny:latest"
LENGTHS, STREAMS, CACHES = (64, 512, 1500), (1, 4), ("cold", "warm")  # four streams on two slots
REQUESTS, TOKENS = 8, 64


@dataclass(frozen=True)
class Taken:
    """A cell that was measured, with a request after an unload before each visit."""

    cell: Cell
    samples: tuple[Sample, ...]

    def told(self, *, counted: bool = True) -> Told:
        """It as analysis gets it; not `counted`: from a server that says nothing of its cache."""
        samples = self.samples if counted else tuple(uncounted(one) for one in self.samples)
        return Told(self.cell, 1, (gist(observation(self.cell, samples)),))


def uncounted(one: Sample) -> Sample:
    assert one.counts is not None
    return replace(one, counts=replace(one.counts, cached_count=None))


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> list[Taken]:
    return asyncio.run(everything(tmp_path_factory.mktemp("cache")))


async def everything(cache: Path) -> list[Taken]:
    cells = [
        cell(
            model=MODEL,
            concurrency=streams,
            prompt_tokens=length,
            output_tokens=TOKENS,
            cache=state,
            num_ctx=2048,
        )
        for streams in STREAMS
        for state in CACHES
        for length in LENGTHS
    ]
    async with serving(cache) as api:
        return [Taken(one, await visit(api, one)) for one in cells]


@asynccontextmanager
async def serving(cache: Path) -> AsyncIterator[Ollama]:
    engine = Embedded(cache=cache, threads=1, parallel=2)
    api = Ollama(await engine.start())
    try:
        yield api
    finally:
        await api.close()
        await engine.stop()


async def visit(api: Ollama, of: Cell) -> tuple[Sample, ...]:
    """One request that carries the load, and the measured ones."""
    await api.unload(of.model)
    while await api.resident():
        await asyncio.sleep(0.02)
    phases: list[Phase] = ["cold"]
    phases += ["measured"] * REQUESTS
    asked = [Request(place, phase, prompt(of, place)) for place, phase in enumerate(phases)]
    first = await loop(api, of, asked[:1], 1)
    return (*first, *await loop(api, of, asked[1:], of.concurrency))


async def loop(api: Ollama, of: Cell, asked: Sequence[Request], streams: int) -> tuple[Sample, ...]:
    wires = [api.encode(of, one) for one in asked]
    found = await closed_loop(api, wires, streams=streams, timeout_ns=300 * 10**9, stop=asyncio.Event())
    return decoded(api, of, found)


def prompt(of: Cell, index: int) -> Prompt:
    """About as many tokens as the cell asks for; each one's own words, unless the cache is meant to be warm."""
    start = index if of.cache == "cold" else 0
    words = " ".join(str((start + 1) * 7919 + place) for place in range(of.prompt_tokens or 0))
    return Prompt("numbers", (Message("user", words[: (of.prompt_tokens or 0) - 20]),))


def measured(one: Taken) -> list[Sample]:
    return [sample for sample in one.samples if sample.phase == "measured"]


# --- where the time went --------------------------------------------------------------------------------------


def test_the_parts_of_a_request_are_the_clients_whole_time(taken: Sequence[Taken]) -> None:
    found = parts(columns([sample for one in taken for sample in measured(one)]))
    assert not np.isnan(found.unexplained).any()
    off = np.abs(found.unexplained)
    # On a machine that is left alone 99 of 100 are within 1 % or 2 ms; tests run beside other tests.
    assert np.median(off / np.fmax(0.002, 0.01 * found.whole)) < 1
    assert np.quantile(off / np.fmax(0.01, 0.1 * found.whole), 0.9) < 1


def test_no_part_is_below_zero(taken: Sequence[Taken]) -> None:
    found = parts(columns([sample for one in taken for sample in one.samples]))
    for name in ("connect", "load", "queue", "prefill", "decode", "network", "held"):
        assert getattr(found, name).min() > -0.005, name


def test_more_streams_than_slots_show_in_the_queue_and_a_load_in_the_load(taken: Sequence[Taken]) -> None:
    for one in taken:
        found = parts(columns(measured(one)))
        share = float(np.median(found.queue / found.whole))
        assert share > 0.2 if one.cell.concurrency == 4 else share < 0.5
        after_unload = parts(columns([sample for sample in one.samples if sample.phase == "cold"]))
        assert after_unload.load[0] > 5 * np.median(found.load)


# --- what came from the cache ---------------------------------------------------------------------------------


def test_warm_and_cold_are_told_apart_by_the_servers_count(taken: Sequence[Taken]) -> None:
    for one in taken:
        told = names(one.told())
        if one.cell.cache == "cold" or one.cell.concurrency == 1:
            assert told == [one.cell.cache] * REQUESTS, one.cell
        else:  # the load's request was in one slot, so that the other one computes the prompt once
            assert sorted(told) == ["contaminated"] + ["warm"] * (REQUESTS - 1), one.cell


def test_and_without_it_by_time_and_never_for_the_wrong_one(taken: Sequence[Taken]) -> None:
    others = [one.told(counted=False) for one in taken]
    for one, uncounted in zip(taken, others, strict=True):
        # Streams that share a processor with other tests take any time; one stream's are its own. And a prompt of 64
        # bytes costs this model hardly more than a step, and then nobody can tell.
        if one.cell.concurrency == 1 and one.cell.prompt_tokens != 64:
            found = names(uncounted, others)
            assert set(found) <= {one.cell.cache, "unknown"}, one.cell
            assert found.count(one.cell.cache) >= REQUESTS - 2, one.cell


def test_a_prompt_that_was_meant_cold_and_was_not_is_found_by_time(taken: Sequence[Taken]) -> None:
    cold, warm = (
        next(one for one in taken if one.cell.cache == state and one.cell.prompt_tokens == 1500)
        for state in CACHES
    )
    hits = [replace(one, index=100) for one in measured(warm)[-2:]]
    mixed = replace(cold, samples=(*cold.samples, *hits))
    assert names(mixed.told(counted=False))[-2:] == ["contaminated"] * 2
    assert names(mixed.told())[-2:] == ["contaminated"] * 2


def names(told: Told, others: Sequence[Told] = ()) -> list[str]:
    return [
        cachestate.NAMES[code]
        for one in cachestate.states(replace(told, beside=tuple(others)))
        for code in one.codes.tolist()
    ]
