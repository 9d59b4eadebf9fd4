"""olbench's own path: encode, send over the drive's loops, decode after the load."""

import asyncio
import time

from job import MODEL, NUM_CTX, Heard, Job, Said, now

from olbench import drive
from olbench.apis.ollama import Ollama
from olbench.model import COALESCED, TEXT, UNSTAMPED, Cell, Message, Prompt, Request, Sample
from olbench.ports import Wire

LEAD_NS = 50_000_000  # from now to the first moment of a paced load
TIMEOUT_NS = 120_000_000_000


def run(job: Job) -> Said:
    """Run it."""
    return asyncio.run(_run(job))


async def _run(job: Job) -> Said:
    api = Ollama(job.url, kernel_stamps=None if job.kernel else False)
    cell = _cell(job)
    wires = [api.encode(cell, _request(job, index)) for index in range(job.requests)]
    before = time.process_time_ns()
    taken = await _taken(job, api, wires)
    samples = drive.decoded(api, cell, taken)
    cpu = time.process_time_ns() - before
    ended = now()
    await api.close()
    seen: set[int] = set()
    return Said([_heard(one, seen) for one in samples], cpu, ended, None)


async def _taken(job: Job, api: Ollama, wires: list[Wire]) -> list[drive.Taken]:
    stop = asyncio.Event()
    if job.rate is None:
        return await drive.closed_loop(api, wires, streams=job.streams, timeout_ns=TIMEOUT_NS, stop=stop)
    return await drive.open_loop(api, wires, job.dues(now() + LEAD_NS), timeout_ns=TIMEOUT_NS, stop=stop)


def _heard(sample: Sample, seen: set[int]) -> Heard:
    text = [at for at, kind in enumerate(sample.chunks.kind) if kind & TEXT]
    fresh = sample.stream not in seen
    seen.add(sample.stream)
    return Heard(
        wanted_ns=sample.wanted_ns,
        fresh=fresh,
        sent_ns=sample.sent_ns,
        prompt_eval_count=None if sample.counts is None else sample.counts.prompt_eval_count,
        stamps=sample.stamps,
        arrived_ns=[sample.chunks.arrived_ns[at] for at in text],
        flags=[sample.chunks.kind[at] & (COALESCED | UNSTAMPED) for at in text],
    )


def _cell(job: Job) -> Cell:
    return Cell(
        id="be9c00000000",
        model=MODEL,
        base=MODEL,
        quantization=None,
        api="generate",
        num_ctx=NUM_CTX,
        concurrency=job.streams,
        prompt_tokens=None,
        output_tokens=job.tokens,
        think=None,
        cache="cold",
        options=(("seed", 1), ("temperature", 0.0)),
    )


def _request(job: Job, index: int) -> Request:
    return Request(index, "measured", Prompt("words", (Message("user", job.prompt(index)),)))
