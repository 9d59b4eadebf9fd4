"""One closed loop over ready-made requests. The loop only sends, reads and stamps; decoding comes after."""

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from olbench.clock import now
from olbench.model import Cell, Sample
from olbench.ports import Api, Reply, Wire


@dataclass(frozen=True, slots=True)
class Taken:
    """A request and its answer, undecoded."""

    wire: Wire
    reply: Reply
    stream: int


async def closed_loop(
    api: Api, wires: Sequence[Wire], *, streams: int, timeout_ns: int, stop: asyncio.Event
) -> list[Taken]:
    """Send all requests over `streams` loops, each sending its next when its last is answered.

    A request is wanted the moment its stream is free. When `stop` is set the requests under way end as cancelled
    and no other is sent.
    """
    taken: list[Taken] = []
    if stop.is_set():
        return taken
    waiting = iter(wires)

    async def stream(number: int) -> None:
        for wire in waiting:
            reply = await api.send(wire, now(), timeout_ns)
            taken.append(Taken(wire, reply, number))
            if stop.is_set() or reply.fault == "cancelled":
                return

    with _undisturbed():
        tasks = [asyncio.create_task(stream(number)) for number in range(min(streams, len(wires)))]
        stopped = asyncio.create_task(stop.wait())
        try:
            pending: set[asyncio.Task[None]] = set(tasks)
            while pending and not stop.is_set():
                _, pending = await _first_done(pending, stopped)
        finally:
            stopped.cancel()
            for task in tasks:
                task.cancel()  # of a task that is done there is nothing to cancel
            # `send` answers a cancel with what it has; only a bug raises here, and it is not to be lost.
            await asyncio.gather(*tasks)
    return taken


async def _first_done(
    pending: set[asyncio.Task[None]], stopped: asyncio.Task[Literal[True]]
) -> tuple[set[asyncio.Task[None]], set[asyncio.Task[None]]]:
    await asyncio.wait([*pending, stopped], return_when=asyncio.FIRST_COMPLETED)
    done = {task for task in pending if task.done()}
    return done, pending - done


@contextmanager
def _undisturbed() -> Iterator[None]:
    # A collection in the middle of a cell stops the loop for tens of milliseconds: one before it, none within.
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def decoded(api: Api, cell: Cell, taken: Iterable[Taken]) -> tuple[Sample, ...]:
    """The samples, in the order in which they were wanted."""
    found = (api.sample(cell, one.wire, one.reply, one.stream) for one in taken)
    return tuple(sorted(found, key=lambda sample: (sample.wanted_ns, sample.index)))
