"""What slow and broken servers do: each limit has its words, and everything ends as an outcome."""

import asyncio
import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest
from listening import (
    ANSWER,
    HEAD,
    MS,
    PIECES,
    SECOND,
    Serving,
    asked,
    chunk,
    limits,
    listening,
    silent,
    through,
)

from olbench.apis.connect import ConnectError, connect, origin
from olbench.apis.connection import Limits, StalledError, desk
from olbench.apis.http1 import NotHttpError, Response
from olbench.apis.ollama import Ollama
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.model import UNSTAMPED, Cell, Request, Sample

# --- limits -------------------------------------------------------------------------------------------------------


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asked(reader)
    writer.write(HEAD + chunk(PIECES[0]))
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize(
    ("serve", "within", "words"),
    [
        (silent, limits(first_ns=20 * MS), "no byte of an answer within 0.02 s"),
        (silent, limits(total_ns=30 * MS), "no byte of an answer within 0.03 s"),
        (half, limits(between_ns=20 * MS), "the stream stopped: no byte for 0.02 s"),
        (
            half,
            limits(first_ns=10 * SECOND, total_ns=30 * MS),
            "not done within 0.03 s; the last byte came 0.0 s",
        ),
    ],
)
def test_each_limit_has_its_own_words(serve: Serving, within: Limits, words: str) -> None:
    with pytest.raises(StalledError, match=words):
        through(serve, within=within)


def test_a_stream_that_goes_on_is_never_stalled() -> None:
    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(HEAD)
        for _ in range(10):
            writer.write(chunk(PIECES[0]))
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    trace = through(steady, within=limits(first_ns=100 * MS, between_ns=100 * MS))
    assert len(trace.marks) == 2 * 10


def test_a_connection_that_is_never_taken_up_is_given_up() -> None:
    async def story() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            kept = [await connect(origin(url), desk(kernel=False), SECOND)]
            try:
                while True:  # until the backlog is full and the kernel leaves us waiting
                    kept.append(await connect(origin(url), desk(kernel=False), 50 * MS))
            finally:
                for one in kept:
                    one.close()

    with pytest.raises(ConnectError, match=r"no connection to port \d+ within 0.05 s"):
        asyncio.run(story())


# --- what a broken server can do ----------------------------------------------------------------------------------


def saying(*pieces: bytes) -> Serving:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    return serve


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((HEAD, b"5;" + b"a" * 100, b"zz\r\n"), "no byte|not HTTP|stopped"),
        ((HEAD, b"zz\r\nhello\r\n"), "the answer is not HTTP"),
        ((HEAD, chunk(PIECES[0]), b"-5\r\nhello\r\n"), "the answer is not HTTP"),
        ((HEAD, b"ffffffffffffffffff\r\n"), "the answer is not HTTP"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",), "the answer is not HTTP"),
        ((b"\x16\x03\x01\x02\x00",), "the answer is not HTTP"),
    ],
)
def test_what_is_not_http_is_said_at_once(pieces: tuple[bytes, ...], words: str) -> None:
    with pytest.raises((NotHttpError, StalledError), match=words):
        through(saying(*pieces), within=limits(between_ns=200 * MS))


def test_what_follows_a_response_is_not_taken_for_the_next_one() -> None:
    trace = through(saying(ANSWER + ANSWER), times=1)
    assert trace.body() == b"".join(PIECES)

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(ANSWER + b"HTTP/1.1 500 Oops\r\n\r\n")
        await writer.drain()
        await reader.read()

    assert through(both, times=3).status == 200


def test_an_endless_body_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("olbench.apis.http1.MOST_BODY", 1 << 20)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(HEAD)
        while True:
            writer.write(chunk(b"x" * 10_000))
            await writer.drain()

    with pytest.raises(NotHttpError, match="larger than 256 MiB"):
        through(endless)


def test_receives_are_held_until_the_end_and_stamped_one_by_one() -> None:
    trace = Trace()
    response = Response(trace)
    response.take(HEAD, 1, stamped=True)
    for number, piece in enumerate(PIECES):
        response.take(chunk(piece), 10 + number, stamped=number != 1)
    assert (trace.parts, response.headed, response.done) == ([], True, False)
    response.take(b"0\r", 20, stamped=True)  # too short to be judged by its end: all is parsed
    assert trace.parts == list(PIECES)
    response.take(b"\n\r\n", 21, stamped=True)
    assert response.done
    assert list(trace.marks) == [10, 17, 11, 34, 12, 48]
    assert (trace.head_ns, trace.unstamped) == (1, [1])


# --- as outcomes --------------------------------------------------------------------------------------------------


def sampled(serve: Serving, cell: Cell, request: Request, **options: Any) -> Sample:
    async def story() -> Sample:
        async with listening(serve) as port:
            api = Ollama(f"http://127.0.0.1:{port}", **options)
            wire = api.encode(cell, request)
            reply = await api.send(wire, 0, 2 * SECOND)
            await api.close()
            return api.sample(cell, wire, reply, 0)

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            "http_error",
            "status 302",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"{}", mtime=0)), gzip.compress(b"{}", mtime=0)),
            "http_error",
            "the answer came as gzip, which was not asked for",
        ),
        (HEAD + chunk(b'{"response":"\xff\xfe"}\n') + b"0\r\n\r\n", "stream_error", "line 1"),
        (HEAD + chunk(b"x" * 3_000_000) + b"0\r\n\r\n", "stream_error", "line 1"),
    ],
)
def test_what_is_strange_ends_as_an_outcome(
    said: bytes, outcome: str, words: str, cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    sample = sampled(saying(said), cell(), request_of())
    assert (sample.outcome, sample.words[: len(words)]) == (outcome, words)
    assert len(sample.words) < 500


def test_a_stream_that_stops_is_stalled(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    sample = sampled(half, cell(), request_of(), stall_timeout_ns=20 * MS)
    assert (sample.outcome, sample.words) == ("stalled", "the stream stopped: no byte for 0.02 s")
    assert len(sample.chunks) == 1  # what came is kept


def test_a_stamp_that_the_kernel_left_out_is_counted(
    cell: Callable[..., Cell], request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel_stamps():
        pytest.skip("the kernel stamps nothing here")
    # The option is never set on the socket: no receive carries a stamp, as in the first moments of a machine.
    monkeypatch.setattr("olbench.apis.connect.SO_TIMESTAMPNS", socket.SO_KEEPALIVE)
    sample = sampled(saying(ANSWER), cell(), request_of(), kernel_stamps=True)
    assert sample.stamps == "user-space"
    assert all(bits & UNSTAMPED for bits in sample.chunks.kind)
