"""Observations made by hand for tests: small ones with round numbers.

A sample is laid out from its parts: network (half of it each way), load, queue and prefill, then `n` lines `gap_s`
apart, the final line with the last of them. By default that is 10 ms + 10 ms + 0 + 80 ms = TTFT 100 ms, and seven gaps
of 20 ms: e2e 240 ms, of which the server's total_duration is 230 ms.
"""

import hashlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from olbench.model import (
    COALESCED,
    FINAL,
    NO_CHUNKS,
    TEXT,
    THINKING,
    Cell,
    Chunks,
    Counts,
    Facts,
    ModelCard,
    Observation,
    Outcome,
    Phase,
    Placement,
    Plan,
    Record,
    Run,
    Sample,
    Visit,
)
from olbench.readings import NO_READINGS, Readings, Series

UNIX_NS = 1_795_000_000_000_000_000  # the server's clock at our 0


def ns(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return round(seconds * 1e9)


def cell(**changes: Any) -> Cell:
    """A cell of one stream; its id follows from its fields."""
    fields: dict[str, Any] = {
        "model": "smollm2:135m",
        "base": "smollm2:135m",
        "quantization": None,
        "api": "chat",
        "num_ctx": 2048,
        "concurrency": 1,
        "prompt_tokens": 64,
        "output_tokens": 8,
        "think": None,
        "cache": "cold",
        "options": (("seed", 1), ("temperature", 0.0)),
    }
    fields |= changes
    digest = hashlib.sha256(repr(sorted(fields.items(), key=lambda one: one[0])).encode())
    return Cell(**({"id": digest.hexdigest()[:12]} | fields))


def sample(
    *,
    index: int = 0,
    phase: Phase = "measured",
    stream: int = 0,
    prompt: str = "synthetic",
    outcome: Outcome = "ok",
    words: str = "",
    sent_s: float = 1.0,
    late_s: float = 0.0,
    network_s: float = 0.01,
    load_s: float = 0.01,
    queue_s: float = 0.0,
    prefill_s: float = 0.08,
    gap_s: float = 0.02,
    n: int = 8,
    thoughts: int = 0,
    prompt_tokens: int = 64,
    cached: int | None = 0,
    coalesced: int = 0,
    streamed: bool = True,
    **changes: Any,
) -> Sample:
    """One request. The first `thoughts` of its n lines are thinking; a failed one has neither lines nor counts."""
    good = outcome in ("ok", "short")
    total_s = load_s + queue_s + prefill_s + (n - 1) * gap_s
    fields: dict[str, Any] = {
        "index": index,
        "phase": phase,
        "stream": stream,
        "prompt": prompt,
        "outcome": outcome,
        "words": words,
        "status": 200 if good else None,
        "wanted_ns": ns(sent_s - late_s),
        "sent_ns": ns(sent_s),
        "head_ns": ns(sent_s + network_s / 2) if good else None,
        "end_ns": ns(sent_s + network_s + total_s),
        "stamps": "kernel",
        "streamed": streamed,
        "chunks": NO_CHUNKS,
        "counts": None,
        "text": "word " * n if good else "",
        "thinking": "",
    }
    if good:
        first_s = sent_s + network_s + load_s + queue_s + prefill_s
        fields["chunks"] = _chunks(
            first_s, gap_s, n, network_s / 2, thoughts=thoughts, coalesced=coalesced, streamed=streamed
        )
        fields["counts"] = Counts(
            total_ns=ns(total_s),
            load_ns=ns(load_s),
            prompt_eval_count=prompt_tokens,
            prompt_eval_ns=ns(prefill_s),
            cached_count=cached,
            eval_count=n,
            eval_ns=ns((n - 1) * gap_s),
            done_reason="length",
        )
    return Sample(**(fields | changes))


def _chunks(
    first_s: float, gap_s: float, n: int, way_s: float, *, thoughts: int, coalesced: int, streamed: bool
) -> Chunks:
    made = [first_s + place * gap_s for place in range(n)] if streamed else []
    kind = [
        (THINKING if place < thoughts else TEXT) | (COALESCED if place < coalesced else 0)
        for place in range(len(made))
    ]
    last = first_s + (n - 1) * gap_s
    arrived = array("q", [ns(at) for at in (*made, last)])
    created = array("q", [UNIX_NS + ns(at - way_s) for at in (*made, last)])
    return Chunks(arrived, created, bytes([*kind, FINAL if streamed else FINAL | TEXT]))


def several(count: int, *, streams: int = 1, every_s: float = 1.0, **changes: Any) -> tuple[Sample, ...]:
    """`count` samples dealt out to the streams in turn; each round begins `every_s` after the one before."""
    return tuple(
        sample(
            **(
                {"index": number, "stream": number % streams, "sent_s": 1.0 + number // streams * every_s}
                | changes
            )
        )
        for number in range(count)
    )


def series(
    name: str, values: Iterable[float], unit: str = "B", *, start_s: float = 0.0, every_s: float = 1.0
) -> Series:
    """A quantity with one beat every `every_s`."""
    found = array("d", values)
    return Series(
        name, unit, array("q", [ns(start_s + place * every_s) for place in range(len(found))]), found
    )


def readings(*found: Series, absent: Mapping[str, str] | None = None) -> Readings:
    """What the probes saw, and why they saw no more."""
    return Readings(found, tuple((absent or {}).items()))


def placement(**changes: Any) -> Placement:
    """A model wholly in RAM, with one slot."""
    fields: dict[str, Any] = {
        "how": "preloaded",
        "preload_ns": ns(0.5),
        "digest": "0123456789abcdef" * 4,
        "size": 200_000_000,
        "size_vram": 0,
        "context_length": 2048,
        "runner_pid": 4711,
        "parallel": 1,
        "doubts": (),
    }
    return Placement(**(fields | changes))


def observation(of: Cell, samples: Sequence[Sample] = (), *, repeat: int = 0, **changes: Any) -> Observation:
    """One visit to the cell, without readings."""
    fields: dict[str, Any] = {
        "visit": Visit(repeat, of.id, repeat),
        "started_at": "2026-11-22T22:02:56Z",
        "started_ns": 0,
        "measured_ns": ns(1.0),
        "ended_ns": max((one.end_ns for one in samples), default=ns(1.0)),
        "placement": placement(
            context_length=of.num_ctx, parallel=of.concurrency, digest=card(of.model).digest
        ),
        "problem": None,
        "notes": (),
        "samples": tuple(samples),
        "baseline": NO_READINGS,
        "readings": NO_READINGS,
    }
    return Observation(**(fields | changes))


def visits(of: Cell, rates: Sequence[float], *, requests: int = 3, **changes: Any) -> list[Observation]:
    """One visit for each decode rate in tok/s, with some requests in turn on each stream at exactly this rate."""
    n = of.output_tokens
    return [
        observation(
            of,
            several(
                requests * of.concurrency,
                streams=of.concurrency,
                every_s=20.0,
                n=n,
                gap_s=n / rate / (n - 1),
                **changes,
            ),
            repeat=repeat,
        )
        for repeat, rate in enumerate(rates)
    ]


def card(name: str, **changes: Any) -> ModelCard:
    """A small model as a server describes it."""
    fields: dict[str, Any] = {
        "name": name,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "size": 144_800_000,
        "format": "gguf",
        "family": "llama",
        "parameter_size": "134.52M",
        "parameter_count": 134_515_008,
        "quantization": "Q8_0",
        "context_length": 8192,
        "capabilities": ("completion",),
        "parameters": (("temperature", "0.7"),),
        "system": None,
        "template_sha256": None,
        "blob": None,
        "kv_bytes_per_token": 23_040.0,
        "remote": None,
    }
    return ModelCard(**(fields | changes))


def record(
    cells: Sequence[Cell], observations: Sequence[Observation], *, repeats: int | None = None, **changes: Any
) -> Record:
    """A complete run; it planned `repeats` visits to each cell, or just those that it took."""
    taken = {(one.visit.cell, one.visit.repeat): one.visit for one in observations}
    planned = [
        Visit(seq, one.id, repeat)
        for seq, (repeat, one) in enumerate((repeat, one) for repeat in range(repeats or 0) for one in cells)
    ]
    facts: Facts = {"server.version": "0.33.0", "cpu.model": "Test CPU", "cpu.threads": 2}
    fields: dict[str, Any] = {
        "run": a_run(),
        "plan": Plan(tuple(cells), tuple(taken.values() if repeats is None else planned), 0, ()),
        "facts": facts,
        "facts_end": facts,
        "cards": tuple(card(name) for name in dict.fromkeys(one.model for one in cells)),
        "observations": tuple(observations),
    }
    return Record(**(fields | changes))


def a_run(**changes: Any) -> Run:
    """The frame of a complete run."""
    fields: dict[str, Any] = {
        "id": "20261122-220256-quickstart-3f9a",
        "name": "quickstart",
        "question": "Which of these suits this machine?",
        "status": "complete",
        "started_at": "2026-11-22T22:02:56Z",
        "ended_at": "2026-11-22T22:04:41Z",
        "olbench": "0.1.0",
        "scenario_text": 'name = "quickstart"\n',
        "settings": {"repeats": 3, "requests": 3, "seed": 1, "timeout_ns": ns(300)},
    }
    return Run(**(fields | changes))
