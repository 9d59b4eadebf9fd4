"""Loops that send requests: closed, open, and by sessions. They only send, read and stamp; the rest comes after."""

import asyncio
import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from olbench.ahead import Ahead
from olbench.arrival import Talk
from olbench.clock import now, until
from olbench.hopeless import Outlook
from olbench.model import GOOD, Cell, Request, Sample
from olbench.ports import Api, Reply, Wire

READY = 64  # connections that an open loop holds ready; more are made as they are needed
LEAD_NS = 50_000_000  # from the end of all preparations to the first moment when a request may fall due


@dataclass(frozen=True, slots=True)
class Taken:
    """A request and its answer, undecoded."""

    wire: Wire
    reply: Reply
    stream: int


@dataclass(frozen=True, slots=True)
class Question:
    """One turn of a conversation, and what it asks of the server."""

    cell: Cell
    wire: Wire


# A talk, the turn (from 0), the answers so far, and when it falls due (ns from the beginning).
Ask = Callable[[Talk, int, Sequence[str], int], Question]


async def closed_loop(
    api: Api,
    wires: Sequence[Wire],
    *,
    streams: int,
    timeout_ns: int,
    stop: asyncio.Event,
    outlook: Outlook | None = None,
) -> list[Taken]:
    """Send all requests over `streams` loops, each sending its next when its last is answered.

    A request is wanted the moment its stream is free: the first ones all at once, when the first stream runs. When `stop`
    is set, or an `outlook` is lost, the requests under way end as cancelled and no other is sent.
    """
    outlook = Outlook(()) if outlook is None else outlook
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
            outlook.sent(wire, wanted)
            reply = await api.send(wire, wanted, timeout_ns)
            outlook.answered(wire, reply)
            taken.append(Taken(wire, reply, number))
            if stop.is_set() or outlook.over.is_set() or reply.fault == "cancelled":
                return
            wanted = now()

    def begin() -> set[asyncio.Task[None]]:
        return {asyncio.create_task(stream(number)) for number in range(streams)}

    await _until_done(api, streams, begin, (stop, outlook.over))
    return taken


async def open_loop(
    api: Api,
    wires: Iterable[Wire],
    dues_ns: Sequence[int],
    *,
    timeout_ns: int,
    stop: asyncio.Event,
    outlook: Outlook | None = None,
) -> list[Taken]:
    """Send each request at its due moment (`now()`, ascending), however many are still unanswered.

    A request is wanted when it is due, so a client that comes late shows it. `stop` ends it as it does a closed loop,
    and so does an `outlook` that is lost. Nothing of a request's body is kept.
    """
    outlook = Outlook(()) if outlook is None else outlook
    ahead = wires if isinstance(wires, Ahead) else Ahead(wires)
    taken: list[Taken] = []
    tasks: set[asyncio.Task[None]] = set()  # the pacer, and the requests under way

    async def one(number: int, wire: Wire, due: int) -> None:
        outlook.sent(wire, due)
        reply = await api.send(wire, due, timeout_ns)
        outlook.answered(wire, reply)
        taken.append(Taken(replace(wire, body=b"", head=b""), reply, number))

    async def pace() -> None:
        mine = set(tasks)
        for number, (wire, due) in enumerate(zip(ahead, dues_ns, strict=True)):
            await ahead.fill(due)
            await until(due)
            task = asyncio.create_task(one(number, wire, due))
            tasks.add(task)
            task.add_done_callback(partial(_forget, tasks))
        await asyncio.gather(*(tasks - mine))

    def begin() -> set[asyncio.Task[None]]:
        tasks.add(asyncio.create_task(pace()))
        return tasks

    await _until_done(api, min(READY, len(dues_ns)), begin, (stop, outlook.over))
    return taken


def _forget(tasks: set[asyncio.Task[None]], done: asyncio.Task[None]) -> None:
    if done.cancelled() or done.exception() is None:  # a bug is kept for who asks
        tasks.discard(done)


async def sessions(
    api: Api,
    talks: Sequence[Talk],
    ask: Ask,
    *,
    span_ns: int,
    timeout_ns: int,
    stop: asyncio.Event,
    outlook: Outlook | None = None,
) -> tuple[Sample, ...]:
    """Let users hold their conversations: each question is due when its user has thought about the answer before it.

    A user asks one question at a time: a conversation that would start while the one before goes on begins when that
    ends. A failed answer ends its conversation. No question falls due after the span; those under way are answered.
    """
    outlook = Outlook(()) if outlook is None else outlook
    users = _Users(api, ask, timeout_ns, outlook)
    own: dict[int, list[Talk]] = {}
    for talk in sorted(talks, key=lambda one: one.start_ns):
        own.setdefault(talk.user, []).append(talk)
    for talk, *_ in own.values():
        users.openings[talk] = ask(talk, 0, (), talk.start_ns)

    def begin() -> set[asyncio.Task[None]]:
        users.began = now() + LEAD_NS
        users.ends = users.began + span_ns
        return {asyncio.create_task(users.live(one)) for one in own.values()}

    await _until_done(api, min(READY, len(own)), begin, (stop, outlook.over))
    return in_order(users.seen)


class _Users:
    """People who ask, wait for the answer, think, and ask again."""

    def __init__(self, api: Api, ask: Ask, timeout_ns: int, outlook: Outlook) -> None:
        self._api = api
        self._ask = ask
        self._timeout_ns = timeout_ns
        self._outlook = outlook
        self.openings: dict[Talk, Question] = {}  # made before the beginning
        self.began = self.ends = 0
        self.seen: list[Sample] = []

    async def live(self, talks: Sequence[Talk]) -> None:
        """One user, to the end of the span."""
        free = self.began
        for talk in talks:
            ended = await self._converse(talk, max(self.began + talk.start_ns, free))
            if ended is None:
                return
            free = ended

    async def _converse(self, talk: Talk, due: int) -> int | None:
        """When the conversation has ended; None when the user asks nothing more."""
        said: list[str] = []
        for turn, think in enumerate((0, *talk.thinks_ns)):
            due += think
            if due >= self.ends:
                return None
            opening = self.openings.pop(talk, None)
            answer = await self._answer(
                talk.user, opening or self._ask(talk, turn, said, due - self.began), due
            )
            if answer.outcome == "cancelled":
                return None
            due = answer.end_ns
            if answer.outcome not in GOOD:
                break
            said.append(answer.text)
        return due

    async def _answer(self, user: int, question: Question, due: int) -> Sample:
        wire = question.wire
        await until(due)
        self._outlook.sent(wire, due)
        reply = await self._api.send(wire, due, self._timeout_ns)
        self._outlook.answered(wire, reply)
        # Decoded at once, as the next question repeats it: a fraction of a millisecond in a pause of seconds, and
        # what comes for others meanwhile has the kernel's stamps all the same.
        self.seen.append(self._api.sample(question.cell, wire, reply, user))
        return self.seen[-1]


async def _until_done(
    api: Api,
    connections: int,
    begin: Callable[[], set[asyncio.Task[None]]],
    stops: Sequence[asyncio.Event],
) -> None:
    """Run the tasks that `begin` gives (it may add to them) until all are done or one of `stops` is set."""
    if any(stop.is_set() for stop in stops):
        return
    await api.connect(connections)
    with _undisturbed():
        tasks = begin()
        stopped = [asyncio.create_task(stop.wait()) for stop in stops]
        try:
            every: asyncio.Future[Any] = asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.wait([every, *stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*stopped, *tasks):
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
    return decoded_each(api, lambda _: cell, taken)


def decoded_each(api: Api, cell_of: Callable[[Request], Cell], taken: Iterable[Taken]) -> tuple[Sample, ...]:
    """The same, where requests ask for different things."""
    with _uncollected():  # many small objects, and no circle among them that would have to be found
        found = [api.sample(cell_of(one.wire.request), one.wire, one.reply, one.stream) for one in taken]
    return in_order(found)


def in_order(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """As they were wanted."""
    return tuple(sorted(samples, key=lambda sample: (sample.wanted_ns, sample.index)))
