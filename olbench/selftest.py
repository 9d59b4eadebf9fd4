"""How exact this client is on this machine: what it says of a scripted server that knows when it read and sent what.

The real client takes real requests, level by level, from a server in a process of its own. A request is told
from the others by the number of words in its prompt, which the server counts and says: there is no side channel
that a measured request would not have.
"""

import asyncio
import platform
import time
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Protocol

from olbench import __version__, drive
from olbench.apis.ollama import Ollama
from olbench.apis.stamps import kernel_stamps
from olbench.clock import now, today
from olbench.engines.scripted_process import ScriptedProcess
from olbench.engines.scripted_script import Script, Truth
from olbench.model import (
    COALESCED,
    GOOD,
    TEXT,
    UNSTAMPED,
    Cell,
    Chunks,
    Level,
    Message,
    Prompt,
    Request,
    Sample,
    SelfTest,
)
from olbench.ports import Api, Wire
from olbench.probes.facts import machine as facts
from olbench.selftest_steps import FINAL_NS, MS, Step

HOLDS = timedelta(hours=12)
TIMEOUT_NS = 30_000_000_000
MODEL = "scripted:1b"
WEAKEST = ("none", "stepped", "user-space", "kernel")


class Witness(Protocol):
    """A server in a process of its own that knows when it read and sent what."""

    async def start(self) -> str:
        """Start it; the URL."""
        ...

    async def stop(self) -> None:
        """Stop it."""
        ...

    async def truth(self) -> Sequence[Truth]:
        """All measuring requests so far."""
        ...


# --- taking ---------------------------------------------------------------------------------------------------


def stamps(*, user_space: bool = False) -> str:
    """Where this client's stamps come from here."""
    return "kernel" if not user_space and kernel_stamps() else "user-space"


def client(*, user_space: bool = False) -> Callable[[str], Api]:
    """The client that measures, for a server's URL."""
    return lambda url: Ollama(url, kernel_stamps=False if user_space else None)


async def take(
    planned: Sequence[Step],
    *,
    machine: str,
    client: Callable[[str], Api],
    engine: Callable[[Script], Witness] = ScriptedProcess,
    told: Callable[[Step], None] = lambda _: None,
) -> SelfTest:
    """Take all levels; `told` hears of each as it begins. Raises OlbenchError where the server does not work."""
    at = today()
    levels = []
    for step in planned:
        told(step)
        levels.append(await _level(step, client, engine))
    return SelfTest(at=at, olbench=__version__, machine=machine, levels=tuple(levels))


async def _level(step: Step, client: Callable[[str], Api], engine: Callable[[Script], Witness]) -> Level:
    server = engine(_script(step))
    try:
        api = client(await server.start())
        try:
            cell = _cell(step)
            wires = [api.encode(cell, _request(number)) for number in range(step.requests)]
            await api.preload(cell)
            before = time.process_time_ns()
            taken = await _taken(api, step, wires)
            cpu_ns = time.process_time_ns() - before
            return compared(step, drive.decoded(api, cell, taken), await server.truth(), cpu_ns)
        finally:
            await api.close()
    finally:
        await server.stop()


async def _taken(api: Api, step: Step, wires: Sequence[Wire]) -> list[drive.Taken]:
    stop = asyncio.Event()
    if step.rate is None:
        return await drive.closed_loop(api, wires, streams=step.streams, timeout_ns=TIMEOUT_NS, stop=stop)
    begin, every = now() + 50 * MS, 1e9 / step.rate
    dues = [begin + round(number * every) for number in range(len(wires))]
    return await drive.open_loop(api, wires, dues, timeout_ns=TIMEOUT_NS, stop=stop)


def _script(step: Step) -> Script:
    return Script(
        models=(MODEL,),
        vram_share=0.0,
        load_ns=0,
        prefill_ns_per_token=0,
        ttft_ns=step.ttft_ns,
        itl_ns=step.itl_ns,
        final_ns=FINAL_NS,
        slots=step.requests,
    )


def _cell(step: Step) -> Cell:
    return Cell(
        id="selftest",
        model=MODEL,
        base=MODEL,
        quantization=None,
        api="generate",
        num_ctx=4096,
        concurrency=step.streams,
        prompt_tokens=None,
        output_tokens=step.tokens,
        think=None,
        cache="cold",
        options=(("seed", 0), ("temperature", 0.0)),
    )


def _request(number: int) -> Request:
    # The number of words is the request's name: the server counts them, and its count comes back in the last line.
    words = " ".join(["w"] * (number + 1))
    return Request(number, "measured", Prompt(str(number), (Message("user", words),)))


# --- what the client said against what the server knows -------------------------------------------------------


def compared(step: Step, samples: Sequence[Sample], truths: Iterable[Truth], cpu_ns: int) -> Level:
    """The level's errors: our figure less the server's, for each request and for each gap. Pure."""
    known = {one.prompt_tokens: one for one in truths}
    ttft_ns, gap_ns = array("q"), array("q")
    for sample in samples:
        truth = _of(sample, known)
        if truth is not None and sample.sent_ns is not None:
            stamps = [sample.chunks.arrived_ns[place] for place in _lines(sample.chunks)]
            ttft_ns.append((stamps[0] - sample.sent_ns) - (truth.sends_ns[0] - truth.read_ns))
            gap_ns.extend(_gaps(sample.chunks, truth))
    return Level(
        streams=step.streams,
        rate=step.rate,
        stamps=min((one.stamps for one in samples), key=WEAKEST.index, default="none"),
        ttft_ns=ttft_ns,
        gap_ns=gap_ns,
        dispatch_ns=array("q", (one.sent_ns - one.wanted_ns for one in samples if one.sent_ns is not None)),
        chunks=sum(_having(one.chunks, TEXT) for one in samples),
        coalesced=sum(_having(one.chunks, COALESCED) for one in samples),
        unstamped=sum(_having(one.chunks, UNSTAMPED) for one in samples),
        failed=step.requests - len(ttft_ns),
        cpu_ns=cpu_ns,
    )


def _of(sample: Sample, known: Mapping[int, Truth]) -> Truth | None:
    """What the server knows of a sample; None where the two cannot be compared."""
    if sample.outcome not in GOOD or sample.stamps == "stepped" or sample.counts is None:
        return None
    counted = sample.counts.prompt_eval_count
    truth = None if counted is None else known.get(counted)
    if truth is None or not truth.sends_ns or len(truth.sends_ns) != len(_lines(sample.chunks)):
        return None
    return truth


def _lines(chunks: Chunks) -> list[int]:
    """The places of the lines with text."""
    return [place for place, kind in enumerate(chunks.kind) if kind & TEXT]


def _gaps(chunks: Chunks, truth: Truth) -> Iterable[int]:
    """Our gap less the server's, between lines whose stamps are their own and the kernel's."""
    pairs = zip(pairwise(_lines(chunks)), pairwise(truth.sends_ns), strict=True)
    for (before, after), (sent, next_sent) in pairs:
        if not (chunks.kind[before] | chunks.kind[after]) & (COALESCED | UNSTAMPED):
            yield (chunks.arrived_ns[after] - chunks.arrived_ns[before]) - (next_sent - sent)


def _having(chunks: Chunks, bit: int) -> int:
    """How many lines with text have the bit."""
    return sum(kind & TEXT != 0 and kind & bit != 0 for kind in chunks.kind)


# --- what is kept of it ---------------------------------------------------------------------------------------


def machine_of(stamps: str) -> str:
    """Twelve hex digits that tell machines and their set-up apart, and nothing of them."""
    known = (
        platform.node(),
        facts()["cpu.model"],
        platform.release(),
        platform.python_version(),
        __version__,
        stamps,
    )
    return sha256("\0".join(map(str, known)).encode()).hexdigest()[:12]


def holds(kept: SelfTest, streams: int, at: str) -> bool:
    """Whether an earlier self-test of the same machine still speaks, at the moment `at`, for so many streams."""
    age = datetime.fromisoformat(at) - datetime.fromisoformat(kept.at)
    most = max((one.streams for one in kept.levels if one.rate is None), default=0)
    return timedelta(0) <= age < HOLDS and most >= streams
