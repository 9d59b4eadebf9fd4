"""A large run that never was, for measuring what telling costs: python tests/perf/big_run.py OUT.db --shape 20x5x1000.

Its rhythm is drawn from a seed: models of different speed, visits with moods of their own, pauses within answers, cold
loads, short and failed answers, receives that held two lines. Same arguments, same samples.
"""

import argparse
import hashlib
from array import array
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from olbench.model import (
    COALESCED,
    FINAL,
    NO_CHUNKS,
    TEXT,
    UNSTAMPED,
    Cell,
    Chunks,
    Counts,
    Facts,
    ModelCard,
    Observation,
    Phase,
    Placement,
    Plan,
    Run,
    Sample,
    Visit,
)
from olbench.readings import Readings, Series
from olbench.store import Store

RUN_ID = "20261122-220256-big-3f9a"
SHAPES = ("20x5x1000", "1x5x20000", "100x5x200")  # cells x visits x measured requests
CHUNKS = 64

_SECOND = 1_000_000_000
_UNIX_NS = 1_795_000_000 * _SECOND  # the server's clock at our 0
_HZ = 5
# Shares: of requests the first two, of lines the others.
_FAILS, _SHORT, _BLURRED, _BARE = 0.002, 0.01, 0.001, 0.0002
_TEXT = "a quiet clock counts seven stones under each bridge of the river and names all of them twice"
_ROOM = 16 * 2**30
# The axes of the grid in the order in which they grow: a shape of n cells takes the first n points.
_MODELS = ("smollm2:135m", "qwen2.5:0.5b", "llama3.2:1b", "gemma3:4b", "mistral:7b")
_QUANTIZATIONS = ("q4_K_M", "q8_0")
_CONTEXTS = (2048, 8192)
_STREAMS = (16, 8, 4, 2, 1)

Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """What every visit to a cell asks."""

    cell: Cell
    requests: int
    names: tuple[str, ...]  # of the prompts, which take turns


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a cell's requests have in common, in seconds."""

    wait: float  # send to first token
    step: float  # token to token
    load: float
    size: int  # bytes of the model


def build(path: Path, shape: str, chunks: int, seed: int, prompts: int) -> None:
    """Write the run. `prompts` above 0: so many own prompts in turn, in place of synthetic text."""
    cells, visits, requests = map(int, shape.split("x"))
    plan = _plan(cells, visits, chunks, synthetic=not prompts)
    known = {cell.id: cell for cell in plan.cells}
    names = tuple(f"prompts.jsonl:{place + 1}" for place in range(prompts)) or ("synthetic",)
    store, random = Store(path), np.random.default_rng(seed)
    facts: Facts = {
        "server.version": "0.33.0",
        "cpu.model": "Test CPU",
        "cpu.threads": 16,
        "ram.total": _ROOM,
    }
    store.begin(_RUN, plan, facts, tuple(map(_card, dict.fromkeys(cell.model for cell in plan.cells))))
    start_ns = 5 * _SECOND
    for visit in plan.visits:
        asked = Asked(known[visit.cell], requests, names)
        seen = _observation(asked, visit, start_ns, random)
        store.append(RUN_ID, seen)
        start_ns = seen.ended_ns + _SECOND // 2
    store.end(replace(_RUN, status="complete", ended_at="2026-11-23T09:00:00Z"), facts)
    store.close()


_RUN = Run(
    id=RUN_ID,
    name="big",
    question="What does it cost to tell a large run?",
    status="running",
    started_at="2026-11-22T22:02:56Z",
    ended_at=None,
    olbench="0.1.0",
    scenario_text='name = "big"\n',
    settings={"repeats": 5, "seed": 1, "timeout_ns": 300 * _SECOND},
)


def _plan(cells: int, visits: int, chunks: int, *, synthetic: bool) -> Plan:
    grid = product(_MODELS, _QUANTIZATIONS, _CONTEXTS, _STREAMS)
    # Streams vary first and models last: 20 cells are one model in two quantizations.
    made = tuple(
        _cell(*point, chunks, synthetic=synthetic) for point, _ in zip(grid, range(cells), strict=False)
    )
    order = ((repeat, cell) for repeat in range(visits) for cell in made)
    return Plan(made, tuple(Visit(seq, cell.id, repeat) for seq, (repeat, cell) in enumerate(order)), 0, ())


def _cell(base: str, quantization: str, num_ctx: int, streams: int, chunks: int, *, synthetic: bool) -> Cell:
    named = f"{base}-{quantization} {num_ctx} {streams} {chunks}"
    return Cell(
        id=hashlib.sha256(named.encode()).hexdigest()[:12],
        model=f"{base}-{quantization}",
        base=base,
        quantization=quantization,
        api="chat",
        num_ctx=num_ctx,
        concurrency=streams,
        prompt_tokens=256 if synthetic else None,
        output_tokens=chunks,
        think=None,
        cache="cold",
        options=(("seed", 1), ("temperature", 0.0)),
    )


def _card(model: str) -> ModelCard:
    return ModelCard(
        name=model,
        digest=hashlib.sha256(model.encode()).hexdigest(),
        size=_size(model),
        format="gguf",
        family="llama",
        parameter_size=None,
        parameter_count=None,
        quantization=model.rpartition("-")[2],
        context_length=32768,
        capabilities=("completion",),
        parameters=(),
        system=None,
        template_sha256=None,
        blob=None,
        kv_bytes_per_token=None,
        remote=None,
    )


def _size(model: str) -> int:
    place = next(place for place, base in enumerate(_MODELS) if model.startswith(base))
    return int(150e6 * 2.5**place) * (2 if model.endswith("q8_0") else 1)


# --- one visit ------------------------------------------------------------------------------------------------


def _observation(asked: Asked, visit: Visit, start_ns: int, random: np.random.Generator) -> Observation:
    cell, names = asked.cell, asked.names
    rhythm = _rhythm(cell, float(random.normal(1.0, 0.01)))
    idle_ns = start_ns + _SECOND
    cold = _request(rhythm, idle_ns, cell, random, index=0, stream=0, phase="cold", prompt=names[0])
    measured_ns = cold.end_ns + _SECOND // 100
    samples = [cold]
    free_ns = [measured_ns] * cell.concurrency
    for index in range(1, asked.requests + 1):
        stream = free_ns.index(min(free_ns))
        name = names[(index - 1) % len(names)]
        one = _request(rhythm, free_ns[stream], cell, random, index=index, stream=stream, prompt=name)
        samples.append(one)
        free_ns[stream] = one.end_ns + 200_000
    ended_ns = max(free_ns)
    return Observation(
        visit=visit,
        started_at=f"2026-11-22T22:{visit.seq // 60 % 60:02d}:{visit.seq % 60:02d}Z",
        started_ns=start_ns,
        measured_ns=measured_ns,
        ended_ns=ended_ns,
        placement=Placement(
            how="cold",
            preload_ns=None,
            digest=hashlib.sha256(cell.model.encode()).hexdigest(),
            size=rhythm.size,
            size_vram=0,
            context_length=cell.num_ctx,
            runner_pid=4711,
            parallel=cell.concurrency,
            doubts=(),
        ),
        problem=None,
        notes=(),
        samples=tuple(samples),
        baseline=_readings(start_ns, idle_ns, 0, random),
        readings=_readings(idle_ns, ended_ns, rhythm.size, random),
    )


def _rhythm(cell: Cell, mood: float) -> Rhythm:
    size = _size(cell.model)
    step = (0.002 + size / 200e9) * cell.concurrency**0.5 * mood
    return Rhythm(0.02 + 20 * step, step, 0.25 * round(1 + size / 1.5e9), size)


def _request(
    rhythm: Rhythm,
    wanted_ns: int,
    cell: Cell,
    random: np.random.Generator,
    *,
    index: int,
    stream: int,
    prompt: str,
    phase: Phase = "measured",
) -> Sample:
    chance = random.random(4)
    sent_ns = wanted_ns + 20_000 + int(80_000 * chance[0])
    good = chance[1] >= _FAILS
    count = cell.output_tokens if chance[2] >= _SHORT else max(2, int(cell.output_tokens * chance[3]))
    load_ns = int(rhythm.load * _SECOND) if phase == "cold" else 4_000_000 + int(2_000_000 * chance[3])
    prefill_ns = int(rhythm.wait * (0.9 + 0.2 * chance[0]) * _SECOND)
    gaps = random.normal(rhythm.step, rhythm.step * 0.08, count) + (random.random(count) < 0.004) * 0.03
    made = np.cumsum(np.maximum(gaps, 1e-5) * _SECOND).astype(np.int64)
    first_ns = sent_ns + 300_000 + load_ns + prefill_ns
    arrived = first_ns + made
    end_ns = int(arrived[-1]) + 40_000 if good else sent_ns + 900_000_000
    return Sample(
        index=index,
        phase=phase,
        stream=stream,
        prompt=prompt,
        outcome="stalled" if not good else "ok" if count == cell.output_tokens else "short",
        words="" if good else "no end within 0.9 s",
        status=200,
        wanted_ns=wanted_ns,
        sent_ns=sent_ns,
        head_ns=sent_ns + 250_000,
        end_ns=end_ns,
        stamps="kernel",
        streamed=True,
        chunks=_chunks(arrived, random) if good else NO_CHUNKS,
        counts=_counts(count, cell, load_ns, prefill_ns, int(made[-1] - made[0])) if good else None,
        text=_TEXT[: 30 + index % 60] if good else "",
        thinking="",
    )


def _counts(count: int, cell: Cell, load_ns: int, prefill_ns: int, eval_ns: int) -> Counts:
    return Counts(
        total_ns=load_ns + prefill_ns + eval_ns + 150_000,
        load_ns=load_ns,
        prompt_eval_count=cell.prompt_tokens or 40,
        prompt_eval_ns=prefill_ns,
        cached_count=4,
        eval_count=count,
        eval_ns=eval_ns,
        done_reason="length" if count == cell.output_tokens else "stop",
    )


def _chunks(arrived: Stamps, random: np.random.Generator) -> Chunks:
    """One line a token, and the final line with the last of them."""
    chance = random.random(len(arrived))
    kind = np.full(len(arrived), TEXT, dtype=np.uint8)
    kind[chance < _BLURRED] |= COALESCED
    kind[chance > 1 - _BARE] |= UNSTAMPED
    stamps = np.append(arrived, arrived[-1])
    made = np.append(arrived - 30_000 - random.integers(0, 20_000, len(arrived)), arrived[-1] - 30_000)
    return Chunks(
        array("q", stamps.tobytes()), array("q", (_UNIX_NS + made).tobytes()), kind.tobytes() + bytes([FINAL])
    )


def _readings(start_ns: int, end_ns: int, size: int, random: np.random.Generator) -> Readings:
    """Beats of the usual probes; `size` 0: an idle machine."""
    stamps = np.arange(start_ns, end_ns, _SECOND // _HZ, dtype=np.int64)
    grown = size * np.minimum(1.0, np.arange(len(stamps)) / _HZ)
    noise = random.random((6, len(stamps)))
    busy = float(size > 0)
    columns = {
        "server.rss": ("B", 80e6 + grown),
        "server.pss": ("B", 75e6 + grown),
        "runner.rss": ("B", 40e6 + grown),
        "server.cpu": ("cores", busy * (3.5 + noise[0])),
        "client.cpu": ("cores", 0.01 + 0.03 * noise[1]),
        "host.other_cpu": ("cores", 0.1 * noise[2]),
        "host.steal": ("cores", 0.01 * noise[3]),
        "host.available": ("B", _ROOM - grown),
        "host.swap_used": ("B", 0 * grown),
        "cpu.power": ("W", 12 + busy * (40 + 5 * noise[4])),
    }
    found = (
        Series(name, unit, array("q", stamps.tobytes()), array("d", values.tobytes()))
        for name, (unit, values) in columns.items()
    )
    return Readings(tuple(found), (("gpu", "no GPU was found"),))


def main() -> None:
    """Write what the command line asks for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("out", type=Path)
    asked.add_argument("--shape", default=SHAPES[0], help="cells x visits x requests")
    asked.add_argument("--chunks", type=int, default=CHUNKS, help="of each answer")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--prompts", type=int, default=0, help="own prompts in turn; 0: synthetic text")
    given = asked.parse_args()
    build(given.out, given.shape, given.chunks, given.seed, given.prompts)


if __name__ == "__main__":
    main()
