"""Records for tests: the builders of small ones, and one that looks like a real run."""

from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

from builders import (
    a_run,
    card,
    cell,
    ns,
    observation,
    placement,
    readings,
    record,
    sample,
    series,
    several,
    visits,
)

from olbench.model import (
    Cell,
    Facts,
    ModelCard,
    Observation,
    Record,
    Sample,
    Visit,
)
from olbench.readings import Readings

__all__ = (
    "MODELS",
    "a_record",
    "a_run",
    "card",
    "cell",
    "ns",
    "observation",
    "placement",
    "readings",
    "record",
    "sample",
    "series",
    "several",
    "visits",
)

MODELS = ("通义千问:7b", "<script>alert(1)</script>")
GIB = 2**30

_RATES = {MODELS[0]: 48.0, MODELS[1]: 130.0}  # tok/s of one stream at q8_0
_SIZES = {MODELS[0]: 7.7e9, MODELS[1]: 1.4e9}  # bytes at q8_0
_FASTER, _SMALLER = {"q4_0": 1.5, "q8_0": 1.0}, {"q4_0": 0.55, "q8_0": 1.0}
_SLOTS = 4
_LINES = 24


@cache
def a_record() -> Record:
    """2 models x 2 quantizations x 2 num_ctx x 3 concurrencies, 3 visits each, with a GPU and with what goes wrong.

    One cell never fits into memory, three samples fail, one visit meets other load on the CPU.
    """
    cells = [
        cell(
            model=f"{base}-{quantization}",
            base=base,
            quantization=quantization,
            num_ctx=num_ctx,
            concurrency=concurrency,
            prompt_tokens=256,
            output_tokens=_LINES,
        )
        for base in MODELS
        for quantization in ("q4_0", "q8_0")
        for num_ctx in (2048, 8192)
        for concurrency in (1, 2, 4)
    ]
    random = Random(20261122)
    seen: list[Observation] = []
    clock_s = 10.0
    for repeat in range(3):
        for one in random.sample(cells, len(cells)):
            visit = Visit(len(seen), one.id, repeat)
            seen.append(_visit(one, visit, clock_s, random))
            clock_s = seen[-1].ended_ns / 1e9 + 0.4
    made = record(cells, seen, cards=tuple(_card(one) for one in cells[::6]))
    facts: Facts = {
        **made.facts,
        "os.name": "Linux",
        "cpu.model": "AMD Ryzen 7 7700",
        "cpu.threads": 16,
        "ram.total": 32 * GIB,
        "gpu0.name": "NVIDIA GeForce RTX 4070",
        "gpu0.total": 12 * GIB,
        "gpu0.driver": "565.77",
    }
    return replace(made, facts=facts, facts_end=facts, plan=replace(made.plan, notes=("temperature is 0",)))


def _visit(of: Cell, visit: Visit, start_s: float, random: Random) -> Observation:
    share = _SMALLER[str(of.quantization)]
    size = int(_SIZES[of.base] * share + 60_000 * of.num_ctx * _SLOTS)
    load_s = 0.25 * round(1 + size / 1.5e9)
    first_s = start_s + 0.5
    frame = observation(
        of,
        visit=visit,
        started_at=f"2026-11-22T22:{3 + visit.seq // 60:02d}:{visit.seq % 60:02d}Z",
        started_ns=ns(start_s),
        baseline=_readings(start_s, first_s, 0, random),
        readings=_readings(first_s, first_s + 4 * load_s, size, random),
        placement=None,
        measured_ns=None,
        ended_ns=ns(first_s + 4 * load_s),
    )
    if of.base == MODELS[1] and of.quantization == "q8_0" and of.num_ctx == 8192 and of.concurrency == 4:
        words = "model requires more system memory (11.2 GiB) than is available (9.8 GiB)"
        lost = sample(phase="cold", outcome="out_of_memory", words=words, sent_s=first_s, status=500)
        problem = f"the first request, which was to load the model, ended as out_of_memory: {words}"
        return replace(frame, samples=(lost,), problem=problem)
    cold = _request(of, random, 1.0, index=0, phase="cold", sent_s=first_s, load_s=load_s)
    measured_s = cold.end_ns / 1e9 + 0.01
    mood = random.gauss(1.0, 0.015)  # what a visit has in common: its load, the heat of the machine
    samples = [cold, *_streams(of, visit, measured_s, mood, random)]
    end_s = max(one.end_ns for one in samples) / 1e9
    return replace(
        frame,
        samples=tuple(samples),
        measured_ns=ns(measured_s),
        ended_ns=ns(end_s + 0.05),
        placement=placement(
            how="cold",
            preload_ns=None,
            digest=_card(of).digest,
            size=size,
            size_vram=min(size, 9 * GIB),
            context_length=of.num_ctx,
            parallel=_SLOTS,
        ),
        readings=_readings(first_s, end_s, size, random, busy=visit.seq == 17),
    )


def _streams(of: Cell, visit: Visit, start_s: float, mood: float, random: Random) -> list[Sample]:
    """Three requests a stream, one after the other."""
    made: list[Sample] = []
    for stream in range(of.concurrency):
        at_s = start_s + 0.0004 * stream
        for turn in range(3):
            index = turn * of.concurrency + stream
            one = _request(of, random, mood, index=index, stream=stream, sent_s=at_s)
            if (visit.seq, index) in {(5, 0), (23, 2), (40, 1)}:
                one = sample(
                    index=index, stream=stream, outcome="stalled", words="no end within 5 s", sent_s=at_s
                )
            made.append(one)
            at_s = one.end_ns / 1e9 + 0.0003
    return sorted(made, key=lambda one: (one.wanted_ns, one.index))


def _request(of: Cell, random: Random, mood: float, **changes: Any) -> Sample:
    rate = _RATES[of.base] * _FASTER[str(of.quantization)] * mood * random.gauss(1.0, 0.01)
    each = rate / of.concurrency**0.6
    prefill_rate = 12 * rate / of.concurrency**0.9 / (1 + of.num_ctx / 100_000)
    tokens = 256 + random.randint(-2, 2)
    return sample(
        **{
            "network_s": 0.0012 + 0.0004 * random.random(),
            "load_s": 0.004 + 0.002 * random.random(),
            "queue_s": 0.001,
            "late_s": 0.0001,
            "prefill_s": tokens / prefill_rate,
            "gap_s": 1 / each,
            "n": _LINES,
            "prompt_tokens": tokens,
            "cached": 4,
        }
        | changes
    )


def _card(of: Cell) -> ModelCard:
    size = int(_SIZES[of.base] * _SMALLER[str(of.quantization)])
    return card(of.model, size=size, quantization=str(of.quantization).upper(), context_length=32_768)


def _readings(start_s: float, end_s: float, size: int, random: Random, *, busy: bool = False) -> Readings:
    """Beats every 0.1 s from the load (a second long) on; `size` 0: an idle machine."""
    beats = max(2, int((end_s - start_s) * 10))
    grown = [size * min(1.0, place / 10) for place in range(beats)]
    own = size > 0
    columns = {
        "server.rss": ("B", [80e6 + 0.3 * one for one in grown]),
        "server.pss": ("B", [75e6 + 0.3 * one for one in grown]),
        "server.cpu": ("cores", [random.uniform(0.9, 1.1) if own else 0.01 for _ in grown]),
        "client.cpu": ("cores", [random.uniform(0.01, 0.03) for _ in grown]),
        "host.other_cpu": ("cores", [random.uniform(0.0, 0.1) + 1.4 * busy for _ in grown]),
        "host.available": ("B", [24.0 * GIB - 0.3 * one for one in grown]),
        "host.swap_used": ("B", [0.0 for _ in grown]),
        "gpu0.used": ("B", [0.6 * GIB + min(one, 9.0 * GIB) for one in grown]),
        "gpu0.util": ("share", [random.uniform(0.85, 0.99) if own else 0.0 for _ in grown]),
        "gpu0.power": ("W", [random.uniform(150, 170) if own else random.uniform(27, 29) for _ in grown]),
    }
    if own:
        columns |= {
            "runner.rss": ("B", [40e6 + 0.3 * one for one in grown]),
            "gpu0.server": ("B", [min(one, 9.0 * GIB) for one in grown]),
        }
    found = [
        series(name, values, unit, start_s=start_s, every_s=0.1) for name, (unit, values) in columns.items()
    ]
    return readings(*found, absent={"server.uss": "the server belongs to another user"})
