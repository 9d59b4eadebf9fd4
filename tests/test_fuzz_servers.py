"""Servers that do anything at all, over real sockets: each exchange ends, and none spoils the next."""

import asyncio
import gc
import socket
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from typing import Any, get_args

import httpx
import psutil
import pytest
from fuzz.entries import WIRE, check, contexts, handshake, records, reply
from fuzz.servers import ANSWER, LINE, Act, Playing, Script, Secure, listening
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from olbench.apis.connect import ConnectError, connect, origin
from olbench.apis.connection import CutOffError, Limits, desk
from olbench.apis.ollama import Ollama
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.apis.transport import Transport
from olbench.model import Outcome

MS = 1_000_000
LIMIT_NS = 60 * MS
LARGE = b"x" * 600_000


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow],
    )


def played(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run it: nothing strays to the loop's handler, and no socket is left open."""
    kernel_stamps()  # which holds a pair of sockets for the life of the process
    strays: list[dict[str, Any]] = []

    async def run() -> None:
        before = psutil.Process().num_fds()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: strays.append(context))
        async with asyncio.timeout(10):
            await story()
        gc.collect()  # a fault that nobody fetched is told when its future goes
        await asyncio.sleep(0)
        assert psutil.Process().num_fds() == before

    asyncio.run(run())
    assert strays == []


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(LINE), LINE)
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
PIECES = (
    *(ANSWER, ANSWER[:-5], ANSWER[-5:], ANSWER[:30], ANSWER[30:60], SIZED, SIZED[:-3], EARLY),
    *(
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        LINE,
        b"\r\n",
        b"\0\xff",
        b"garbage\r\n\r\n",
    ),
    *(
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
        b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ),
    *(
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"fffffffffffffffff\r\n",
        b"X: " + b"a" * 70_000,
        b"a" * 300_000,
    ),
)
acts: st.SearchStrategy[Act] = st.one_of(
    st.tuples(st.just("say"), st.sampled_from(PIECES)),
    st.tuples(st.just("say"), st.sampled_from(PIECES)),
    st.tuples(st.just("wait_ms"), st.integers(0, 4)),
    st.tuples(st.just("hear"), st.none()),
)
ends: st.SearchStrategy[Act] = st.tuples(
    st.sampled_from(("close", "close", "reset", "reset", "half", "wait_ms")), st.just(1)
)
scripts = st.builds(lambda some, end: (*some, end), st.lists(acts, max_size=6), ends)


async def asked(api: Ollama, path: str, body: bytes) -> Outcome:
    """The outcome of one request through the measuring path."""
    head = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body))
    wire = replace(WIRE, path=path, head=head, body=body)
    came = await api.send(wire, 0, LIMIT_NS)
    assert came.status is not None or came.fault is not None
    assert came.end_ns >= (came.sent_ns or 0)
    return check(came).outcome


async def through_httpx(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    with suppress(httpx.HTTPError):
        await client.post(path, content=body)


@examples(20)
@given(scripts, st.sampled_from((b"{}", LARGE)))
def test_whatever_a_server_does_the_exchange_ends_and_the_next_one_is_good(
    script: Script, body: bytes
) -> None:
    async def story() -> None:
        playing = Playing({"/bad": script})
        async with listening(playing.talk) as port:
            api = Ollama(f"http://127.0.0.1:{port}")
            for _ in range(2):
                assert await asked(api, "/bad", body) in get_args(Outcome)
                await playing.quiet()
                assert await asked(api, "/good", body) == "ok"
            await api.close()

    played(story)


@examples(10)
@given(scripts, st.sampled_from((b"{}", LARGE)))
def test_what_goes_through_httpx_ends_too_and_spoils_nothing(script: Script, body: bytes) -> None:
    async def story() -> None:
        playing = Playing({"/bad": script})
        async with listening(playing.talk) as port:
            url = f"http://127.0.0.1:{port}"
            async with httpx.AsyncClient(base_url=url, transport=Transport(url), timeout=0.06) as client:
                await through_httpx(client, "/bad", body)
                await playing.quiet()
                assert (await client.post("/good", content=body)).content == LINE

    played(story)


@examples(8)
@given(st.lists(scripts, min_size=8, max_size=8), st.sampled_from((b"{}", LARGE)))
def test_eight_connections_at_once_end_each_for_itself(bad: list[Script], body: bytes) -> None:
    async def story() -> None:
        playing = Playing({f"/bad{number}": script for number, script in enumerate(bad)})
        async with listening(playing.talk) as port:
            api = Ollama(f"http://127.0.0.1:{port}")
            await api.connect(8)
            ended = await asyncio.gather(*(asked(api, f"/bad{number}", body) for number in range(8)))
            assert set(ended) <= set(get_args(Outcome))
            await playing.quiet()
            assert await asyncio.gather(*(asked(api, "/good", body) for _ in range(8))) == ["ok"] * 8
            await api.close()

    played(story)


# --- the faults that the scripts found, each by itself -----------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "body", "outcome", "words"),
    [
        # An answer before the request was read whole is an answer, whether the server reads on, or closes, or neither.
        ((("say", EARLY), ("wait_ms", 300), ("close", None)), LARGE * 8, "http_error", "no"),
        ((("say", EARLY), ("close", None)), LARGE * 8, "http_error", "no"),
        ((("say", EARLY), ("hear", None)), LARGE * 8, "http_error", "no"),
        # Nobody reads and nobody answers.
        ((("wait_ms", 300),), LARGE * 8, "stalled", "no byte of an answer within 0.06 s"),
        ((("reset", None),), LARGE * 8, "cut_off", "the connection broke"),
        # What stands behind the end of an answer does not hide it.
        ((("say", ANSWER[:60]), ("wait_ms", 5), ("say", ANSWER[60:] + b"garbage"), ("wait_ms", 300)), b"", "ok", ""),
    ],
)  # fmt: skip
def test_a_request_that_is_not_read_whole_has_its_outcome(
    script: Script, body: bytes, outcome: str, words: str
) -> None:
    async def story() -> None:
        playing = Playing({"/bad": script})
        async with listening(playing.talk) as port:
            api = Ollama(f"http://127.0.0.1:{port}")
            head = b"POST /bad HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
            came = await api.send(replace(WIRE, head=head, body=body), 0, LIMIT_NS)
            sample = check(came)
            assert (sample.outcome, sample.words[: len(words)]) == (outcome, words)
            assert came.fault == (outcome if outcome in ("stalled", "cut_off") else None)
            await playing.quiet()
            assert await asked(api, "/good", b"{}") == "ok"
            await api.close()

    played(story)


def test_a_cancelled_connect_leaves_no_socket() -> None:
    async def story() -> None:
        playing = Playing({})
        async with listening(playing.talk) as port:
            before = psutil.Process().num_fds()
            for turns in range(12):  # of the loop, until the cancel
                one = Transport(f"http://127.0.0.1:{port}")
                holding = asyncio.create_task(one.connect(4))
                for _ in range(turns):
                    await asyncio.sleep(0)
                holding.cancel()
                with suppress(asyncio.CancelledError):
                    await holding
                await one.aclose()
            await asyncio.sleep(0.02)  # until the server has seen the ends
            assert psutil.Process().num_fds() == before

    played(story)


# --- TLS ----------------------------------------------------------------------------------------------------------

ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
garbage = st.binary(max_size=200) | st.builds(
    lambda kind, size, rest: bytes((kind, 3, 3)) + size.to_bytes(2, "big") + rest,
    st.sampled_from((20, 21, 22, 23, 24)),
    st.integers(0, 300),
    st.binary(max_size=300),
)


@examples(15)
@given(garbage | st.just(ALERT), st.booleans())
def test_any_answer_to_a_greeting_of_tls_is_no_connection(said: bytes, reset: bool) -> None:  # noqa: FBT001 - drawn
    async def talk(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if not reset:  # closing on bytes that were not read resets
            await loop.sock_recv(sock, 1 << 16)
        await loop.sock_sendall(sock, said)

    async def story() -> None:
        async with listening(talk) as port:
            place = replace(origin(f"http://localhost:{port}"), tls=contexts()[0])
            with pytest.raises(ConnectError, match=r"no connection to port"):
                await connect(place, desk(kernel=False), 200 * MS)

    played(story)


@examples(15)
@given(garbage, st.integers(0, 120), st.booleans())
def test_any_bytes_after_the_handshake_are_a_cut_connection(said: bytes, good: int, kernel: bool) -> None:  # noqa: FBT001 - drawn
    async def talk(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        end = Secure(sock)
        await end.shaken()
        await end.heard()
        whole = end.sealed(SIZED)
        await loop.sock_sendall(sock, whole[: min(good, len(whole) - 1)] + said)

    async def story() -> None:
        async with listening(talk) as port:
            place = replace(origin(f"http://localhost:{port}"), tls=contexts()[0])
            one = await connect(place, desk(kernel=kernel and kernel_stamps()), 2000 * MS)
            limits = Limits(first_ns=200 * MS, between_ns=200 * MS, total_ns=400 * MS)
            trace = Trace()
            with pytest.raises(CutOffError):
                await one.exchange((b"POST / HTTP/1.1\r\n\r\n", b""), trace, limits)
            assert one.closed
            check(reply(trace.body(), trace.marks, trace.unstamped, trace.status, "cut_off"))

    played(story)


def test_tickets_that_come_before_a_request_do_not_end_a_connection() -> None:
    async def talk(sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        end = Secure(sock)
        await end.shaken()
        await end.heard()
        await loop.sock_sendall(sock, end.sealed(SIZED))

    async def story() -> None:
        async with listening(talk) as port:
            place = replace(origin(f"http://localhost:{port}"), tls=contexts()[0])
            one = await connect(place, desk(kernel=False), 2000 * MS)
            await asyncio.sleep(0.02)
            assert one.reusable
            trace = Trace()
            limits = Limits(first_ns=200 * MS, between_ns=200 * MS, total_ns=400 * MS)
            await one.exchange((b"POST / HTTP/1.1\r\n\r\n", b""), trace, limits)
            assert trace.body() == LINE
            one.close()

    played(story)


@examples(30)
@given(garbage)
def test_the_fuzzers_entries_of_tls_hold(said: bytes) -> None:
    handshake(said)
    records(said)
