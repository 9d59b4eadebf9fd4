"""Where a server's bytes come in: each entry takes any bytes and raises where something of ours does not hold."""

import asyncio
import random
import socket
import ssl
import zlib
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from typing import get_args

import trustme

from olbench.apis.connection import Connection, CutOffError, Limits, StalledError, desk
from olbench.apis.decode import sample
from olbench.apis.http1 import NotHttpError, Response
from olbench.apis.stamps import Trace
from olbench.apis.tls import Tls
from olbench.apis.wire import error_words
from olbench.model import (
    Cell,
    Message,
    Outcome,
    Prompt,
    Request,
    Sample,
)
from olbench.ports import Reply, Wire
from olbench.readings import Ints

MS = 1_000_000
CELL = Cell(
    id="c0ffee000001",
    model="m",
    base="m",
    quantization=None,
    api="chat",
    num_ctx=4096,
    concurrency=1,
    prompt_tokens=None,
    output_tokens=4,
    think=None,
    cache="cold",
    options=(),
)
WIRE = Wire(Request(0, "measured", Prompt("p", (Message("user", "hi"),))), "/x", b"{}", streamed=True)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a response came to."""

    done: bool
    status: int | None
    body: bytes
    head_ns: int | None
    marks: tuple[int, ...]
    unstamped: tuple[int, ...]
    fault: bool


def cut(data: bytes, seed: int) -> list[bytes]:
    """The bytes as receives: whole, one by one, or in pieces of random lengths."""
    dice = random.Random(seed)
    longest = dice.choice((1, 3, 17, 200, len(data) + 1))
    pieces = []
    while data:
        size = dice.randint(1, longest)
        pieces.append(data[:size])
        data = data[size:]
    return pieces


def seen(pieces: Sequence[bytes], *, watched: bool) -> Seen:
    """Feed a response until it is done, or broken, or the connection ends behind the last piece."""
    trace = Trace()
    response = Response(trace, watched=watched)
    fault = False
    try:
        for number, piece in enumerate(pieces):
            response.take(piece, 1000 + number, stamped=number % 3 != 0)
            if response.done:
                break
        else:
            response.ended()
    except NotHttpError:
        fault = True
    whole = trace.body()
    ends = trace.marks[1::2].tolist()
    assert ends == sorted(set(ends))
    assert (ends[-1] if ends else 0) == trace.size == len(whole)
    return Seen(
        response.done, trace.status, whole, trace.head_ns, tuple(trace.marks), tuple(trace.unstamped), fault
    )


def response(data: bytes) -> None:
    """However it is cut, and whether it is watched or not, a response is the same one."""
    pieces = cut(data, zlib.crc32(data))
    held, watched, whole = (
        seen(pieces, watched=False),
        seen(pieces, watched=True),
        seen([data], watched=True),
    )
    assert held == watched
    assert (held.done, held.status, held.body) == (whole.done, whole.status, whole.body)
    marks = array("q", held.marks)
    check(reply(held.body, marks, held.unstamped, held.status, None if held.done else "cut_off"))


def body(data: bytes) -> None:
    """Any bytes as the body of a good response, stamped as they were cut, or not to their end."""
    marks: Ints = array("q")
    size = 0
    pieces = cut(data, zlib.crc32(data) + 1)
    for number, piece in enumerate(pieces):
        size += len(piece)
        marks.extend((1000 + number, size))
    check(reply(data, marks, range(0, len(pieces), 2), 200, None))
    check(reply(data, marks[: len(marks) // 4 * 2], (), 200, "cut_off"))
    check(reply(data, marks, (), 500, None))
    assert len(error_words(data)) <= 300


def reply(body: bytes, marks: Ints, unstamped: Sequence[int], status: int | None, fault: str | None) -> Reply:
    """A reply as the transport makes it."""
    return Reply(
        wanted_ns=1,
        sent_ns=2,
        head_ns=3,
        end_ns=4,
        status=status,
        content_type="",
        body=body,
        marks=marks,
        unstamped=unstamped,
        stamps="kernel",
        fault=fault,
        words="",
    )


def check(came: Reply) -> Sample:
    """Decode it: there is an outcome, columns agree, and all of it can be kept."""
    found = sample(CELL, WIRE, came, 0)
    assert found.outcome in get_args(Outcome)
    assert len(found.words) < 500
    columns = found.chunks
    assert len(columns.arrived_ns) == len(columns.created_ns) == len(columns.kind)
    if found.counts is not None:
        array("q", (one for one in astuple(found.counts) if isinstance(one, int)))
    (found.text + found.thinking + found.words).encode()
    return found


# --- through a socket ---------------------------------------------------------------------------------------------


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One loop for all calls."""
    return asyncio.new_event_loop()


def exchange(data: bytes) -> None:
    """A server that says this and closes: the exchange ends, and nothing is left behind."""
    stray: list[object] = []
    loop().set_exception_handler(lambda _, context: stray.append(context))
    loop().run_until_complete(_exchange(data))
    assert not stray, stray


async def _exchange(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connection = Connection(ours, desk(kernel=False), kernel=False)
    seed = zlib.crc32(data)
    on_body = (lambda: None) if seed & 1 else None
    limits = Limits(first_ns=200 * MS, between_ns=200 * MS, total_ns=400 * MS)
    trace = Trace()
    asked = asyncio.ensure_future(connection.exchange((b"x", b"y"), trace, limits, on_body=on_body))
    with theirs, suppress(OSError):
        for piece in cut(data, seed)[-200:]:
            theirs.send(piece)
            await asyncio.sleep(0)
    with suppress(CutOffError, NotHttpError, StalledError):
        await asked
    for _ in range(500):
        if not connection.busy:
            break
        await asyncio.sleep(0)
    assert not connection.busy
    connection.close()
    assert ours.fileno() < 0
    check(reply(trace.body(), trace.marks, trace.unstamped, trace.status, connection.cut or None))


def handshake(data: bytes) -> None:
    """A server that answers a TLS greeting with this and closes: an OSError, which `connect` tells as ConnectError."""
    loop().run_until_complete(_handshake(data))


async def _handshake(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        theirs.send(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            await Tls(contexts()[0], "localhost").shake(ours)
        except OSError:
            return
    raise AssertionError("a handshake with garbage went through")


def records(data: bytes) -> None:
    """Good records and then this, within a connection that stands: plain bytes, or an OSError."""
    client, server = shaken()
    server[2].write(b"hello")
    good = server[1].read()
    at = zlib.crc32(data) % (len(good) + 1)
    with suppress(OSError):
        plain, _ = client.opened(good[:at] + data)
        assert plain in (b"", b"hello")
        client.owed()


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client's that trusts the server's."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return client, server


def shaken() -> tuple[Tls, tuple[ssl.MemoryBIO, ssl.MemoryBIO, ssl.SSLObject]]:
    """Our end and a server's after their handshake, in memory."""
    client = Tls(contexts()[0], "localhost")
    to, fro = client._incoming, client._outgoing
    server = contexts()[1].wrap_bio(fro, to, server_side=True)
    for one in (client._object, server, client._object, server):
        with suppress(ssl.SSLWantReadError):
            one.do_handshake()
    return client, (fro, to, server)


# The costly ones take their turn: which one is told by the bytes, so that a finding repeats.
TURNS = {0: exchange, 1: handshake, 2: records}


def every(data: bytes) -> None:
    """All of them."""
    response(data)
    body(data)
    turn = TURNS.get(zlib.crc32(data[:64]) % 12)
    if turn is not None:
        turn(data)
