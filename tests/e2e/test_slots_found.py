"""The slots of real inference, found by the probe alone: nothing here looks at a command line."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from olbench import slot_probe, slots
from olbench.apis.ollama import Ollama
from olbench.engines.embedded import Embedded
from olbench.findings import Slots
from olbench.model import Cell

pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
pytestmark = pytest.mark.embedded

TIMES = 2


async def _found(folder: Path, of: Cell, parallel: int) -> list[Slots | None]:
    engine = Embedded(parallel=parallel, threads=1, cache=folder)
    api = Ollama(await engine.start())
    try:
        await api.preload(of)
        return [await _probed(api, of, number) for number in range(TIMES)]
    finally:
        await api.close()
        await engine.stop()


async def _probed(api: Ollama, of: Cell, number: int) -> Slots | None:
    burst = slot_probe.Burst(
        count=slot_probe.size([of], None),
        first=0,
        language="en",
        nonce=f"trial {number}",
        timeout_ns=60_000_000_000,
    )
    return slots.infer(await slot_probe.probe(api, of, burst, asyncio.Event()))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tiny model is written, once for all."""
    return tmp_path_factory.mktemp("models")


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_the_probe_finds_as_many_slots_as_there_are(
    cell: Callable[..., Cell], models: Path, parallel: int
) -> None:
    of = cell(model="olbench-tiny", base="olbench-tiny", num_ctx=2048, concurrency=2)
    found = asyncio.run(_found(models, of, parallel))
    assert found == [Slots(parallel, at_least=False, how="a probe of 9 requests at once")] * TIMES
