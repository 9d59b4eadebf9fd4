"""Closed and open loops over ready-made requests. The loop only sends, reads and stamps; decoding comes after."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from olbench.clock import now, until
from olbench.model import Cell, Sample
from olbench.ports import Api, Reply, Wire

READY = 64  # connections that an open loop holds ready; more are made as they are needed


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

    A request is wanted the moment its stream is free: the first ones all at once, when the first stream runs. When `stop`
    is set the requests under way end as cancelled and no other is sent.
    """
    taken: list[Taken] = []
    waiting = iter(wires)
    streams = min(streams, len(wires))
    began: int | None = None

    async def stream(number: int) -> None:
        nonlocal began
        if began is None:
            began = now()
        wanted = began
        for wire in waiting:
            reply = await api.send(wire, wanted, timeout_ns)
            taken.append(Taken(wire, reply, number))
            if stop.is_set() or reply.fault == "cancelled":
                return
            wanted = now()

    def begin() -> list[asyncio.Task[None]]:
        return [asyncio.create_task(stream(number)) for number in range(streams)]

    await _until_done(api, streams, begin, stop)
    return taken


async def open_loop(
    api: Api, wires: Sequence[Wire], dues_ns: Sequence[int], *, timeout_ns: int, stop: asyncio.Event
) -> list[Taken]:
    """Send each request at its due moment (`now()`, ascending), however many are still unanswered.

    A request is wanted when it is due, so a client that comes late shows it. `stop` ends it as it does a closed loop.
    """
    taken: list[Taken] = []
    tasks: list[asyncio.Task[None]] = []  # the pacer, and one a request

    async def one(number: int, wire: Wire, due: int) -> None:
        taken.append(Taken(wire, await api.send(wire, due, timeout_ns), number))

    async def pace() -> None:
        for number, (wire, due) in enumerate(zip(wires, dues_ns, strict=True)):
            await until(due)
            tasks.append(asyncio.create_task(one(number, wire, due)))
        await asyncio.gather(*tasks[1:])

    def begin() -> list[asyncio.Task[None]]:
        tasks.append(asyncio.create_task(pace()))
        return tasks

    await _until_done(api, min(READY, len(wires)), begin, stop)
    return taken


async def _until_done(
    api: Api, connections: int, begin: Callable[[], list[asyncio.Task[None]]], stop: asyncio.Event
) -> None:
    """Run the tasks that `begin` gives (it may add to them) until all are done or `stop` is set."""
    if stop.is_set():
        return
    await api.connect(connections)
    with _undisturbed():
        tasks = begin()
        stopped = asyncio.create_task(stop.wait())
        try:
            every: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
            ends: list[asyncio.Future[Any]] = [every, stopped]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
            for task in tasks:
                task.cancel()  # of a task that is done there is nothing to cancel
            # `send` answers a cancel with what it has; only a bug raises here, and it is not to be lost.
            for fault in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(fault, Exception):
                    raise fault


@contextmanager
def _undisturbed() -> Iterator[None]:
    # A collection in the middle of a cell stops the loop for tens of milliseconds: one before it, none within.
    gc.collect()
    with _uncollected():
        yield


@contextmanager
def _uncollected() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def decoded(api: Api, cell: Cell, taken: Iterable[Taken]) -> tuple[Sample, ...]:
    """The samples, in the order in which they were wanted."""
    with _uncollected():  # many small objects, and no circle among them that would have to be found
        found = [api.sample(cell, one.wire, one.reply, one.stream) for one in taken]
    return tuple(sorted(found, key=lambda sample: (sample.wanted_ns, sample.index)))
