"""The scripted server's HTTP: what it takes, what it refuses, and that no client can upset it."""

import asyncio
import gc
import logging
import random
import socket
import struct
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from typing import Any

import pytest
import virtual
from phone import Phone, asked, body, hang_up, request, told, whole
from virtual import START_NS

from olbench.clock import sleep_until
from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_asked import wanted
from olbench.engines.scripted_faults import FAULTS
from olbench.engines.scripted_http import RefusedError

MS = 1_000_000
QUICK = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=MS)
VERSION = request("/api/version", "GET")


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    # An exception that nobody awaits goes there, and from there to standard error.
    with caplog.at_level(logging.WARNING):
        yield
    assert caplog.get_records("call") == []


def play(story: Callable[[Scripted], Coroutine[Any, Any, Any]], script: Script = QUICK) -> Any:
    async def run() -> Any:
        server = Scripted(script, kernel=False)
        try:
            return await story(server)
        finally:
            await server.stop()
            hang_up()

    return virtual.run(run())


def heard(*pieces: bytes) -> bytes:
    """All that the server answers to the pieces until it closes; it is well afterwards."""

    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        for piece in pieces:
            await phone.say(piece)
            await asyncio.sleep(0)
        said = await phone.to_end()
        assert "version" in await asked(server, "/api/version")
        return said

    return bytes(play(story))


# --- what it refuses ----------------------------------------------------------------------------------------------

REFUSED = {
    "no HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, "does not begin with a method"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", 400, "does not begin with a method"),
    "nothing at all": (b"\r\n\r\n", 400, "does not begin with a method"),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "does not begin with a method"),
    "a head without end": (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000, 431, "larger than 64 KiB"),
    "a huge head": (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431, "larger than 64 KiB"),
    "a huge body": (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "larger than 16 MiB"),
    "chunks": (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411, "Content-Length"),
    "no JSON": (b"POST /api/chat HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 400, "is not JSON"),
    "no UTF-8": (b"POST /api/chat HTTP/1.1\r\nContent-Length: 3\r\n\r\n\xff\xfe\xfd", 400, "is not JSON"),
    "no object": (b"POST /api/chat HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]", 400, "not a JSON object"),
    "a deep hole": (b"POST / HTTP/1.1\r\nContent-Length: 99999\r\n\r\n" + b"[" * 99_999, 400, "is not JSON"),
    "options of no kind": (
        request("/api/chat", model="scripted:1b", options=5),
        400,
        "options is not an object",
    ),
    "turns of no kind": (request("/api/chat", messages=["hi"]), 400, "messages is not a list of objects"),
    "tokens of no kind": (
        request("/api/generate", options={"num_predict": "9"}),
        400,
        "num_predict is not a whole number",
    ),
    "OpenAI's too": (
        request("/v1/completions", max_tokens=True),
        400,
        "max_tokens is not a whole number",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_request_is_refused_in_words_and_the_connection_ends(case: str) -> None:
    raw, status, words = REFUSED[case]

    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        await phone.say(raw)
        said = await phone.answer()
        phone.heard.clear()
        assert await phone.to_end() == b""
        return said

    said = play(story)
    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert words in told(said)["error"]


def test_who_closes_in_the_middle_of_anything_is_forgotten() -> None:
    whole_one = request("/api/chat", model="scripted:1b", messages=[{"role": "user", "content": "hi"}])

    async def story(server: Scripted) -> None:
        for cut in (0, 1, 20, len(whole_one) - 1):
            phone = Phone(server)
            await phone.say(whole_one[:cut])
            phone.close()
        await asked(server, "/api/version")
        assert server.truth == []
        for pause in (0, 5, 10, 12):  # before the first token, and between tokens
            phone = Phone(server)
            await phone.say(whole_one)
            await sleep_until(START_NS)
            while len(server.truth) <= (0, 5, 10, 12).index(pause):
                await asyncio.sleep(0)
            await asyncio.sleep(pause / 1000)
            phone.close()
        await asyncio.sleep(1)
        assert all(len(one.sends_ns) < 16 for one in server.truth)
        assert server._open == set()

    play(story)


def test_no_bytes_over_a_real_connection_upset_it() -> None:
    draw = random.Random(7)
    good = request("/api/chat", model="scripted:1b", messages=[{"content": "hi"}], options={"num_predict": 3})
    kinds = (
        good,
        good * 3,
        good.replace(b"/api/chat", b"/v1/chat/completions"),
        VERSION,
        b"no\r\n\r\n",
        bytes(range(256)),
    )

    async def attack(address: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        raw = bytearray(draw.choice(kinds))
        for _ in range(draw.choice((0, 0, 1, 9))):
            raw[draw.randrange(len(raw))] = draw.randrange(256)
        with socket.socket() as sock, suppress(OSError):
            sock.setblocking(False)
            if draw.random() < 0.3:  # it ends with a reset
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await loop.sock_connect(sock, address)
            await loop.sock_sendall(sock, raw[: draw.choice((9, 60, 9999))])
            for _ in range(draw.randrange(9)):
                await asyncio.sleep(0)
            if draw.random() < 0.2:
                await asyncio.wait_for(loop.sock_recv(sock, 1), 0.01)

    async def story() -> None:
        faults = dict(zip(range(0, 99, 3), [*FAULTS] * 3, strict=False))
        async with Scripted(Script(load_ns=0, ttft_ns=0, itl_ns=0, faults=faults)) as server:
            host, _, port = server.url.removeprefix("http://").partition(":")
            for _ in range(400):
                await attack((host, int(port)))
            assert "version" in await asked(server, "/api/version")
            while server._open:
                await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(story(), 15))
    gc.collect()


# --- what it takes ------------------------------------------------------------------------------------------------


def test_a_request_cut_at_every_byte_is_the_same_request() -> None:
    raw = request("/api/show", model="scripted:1b")

    async def story(server: Scripted) -> None:
        phone = Phone(server)
        await phone.say(raw)
        expected = await phone.answer()
        for cut in range(1, len(raw)):
            phone.heard.clear()
            await phone.say(raw[:cut])
            await asyncio.sleep(0.001)
            await phone.say(raw[cut:])
            assert await phone.answer() == expected
        phone.heard.clear()
        for one in raw:
            await phone.say(bytes([one]))
            await asyncio.sleep(0.001)
        assert await phone.answer() == expected

    play(story)


def test_a_request_was_read_when_its_last_byte_came() -> None:
    raw = request("/api/generate", model="scripted:1b", prompt="x")

    async def story(server: Scripted) -> list[int]:
        phone = Phone(server)
        for moment, piece in ((1, raw[:9]), (4, raw[9:-1]), (6, raw[-1:] + raw[:40]), (8, raw[40:] + raw)):
            await sleep_until(START_NS + moment * MS)
            await phone.say(piece)
        await asyncio.sleep(1)
        return [one.read_ns - START_NS for one in server.truth]

    # The second and third waited in the buffer until the first was answered: that they had come is what counts.
    assert play(story) == [6 * MS, 8 * MS, 8 * MS]


def test_requests_that_do_not_wait_are_answered_in_turn() -> None:
    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        last = VERSION.replace(b"\r\n", b"\r\nConnection: close\r\n", 1)
        await phone.say(request("/api/tags", "GET") + VERSION + request("/nowhere", "GET") + last)
        return await phone.to_end()

    answers = bytes(play(story)).split(b"HTTP/1.1 ")[1:]
    assert [one[:3] for one in answers] == [b"200", b"200", b"404", b"200"]
    assert b"models" in answers[0]
    assert b"version" in answers[1]


@pytest.mark.parametrize(
    "first", [b"GET /api/version HTTP/1.0", b"GET /api/version HTTP/1.1\r\nCONNECTION: Close"]
)
def test_a_client_that_wants_one_answer_gets_one(first: bytes) -> None:
    said = heard(first + b"\r\n\r\n")
    assert whole(said)
    assert b"scripted" in body(said)


def test_a_query_is_no_part_of_the_path() -> None:
    assert heard(b"GET /api/version?x=1 HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 ")


WANTED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("/api/generate", {"prompt": "a b"}, {"prompt": "a b", "tokens": 16, "stream": True, "chat": False}),
    ("/api/generate", {"stream": False, "options": None}, {"prompt": "", "stream": False, "context": 4096}),
    ("/api/generate", {"options": {"num_predict": -1}}, {"tokens": 16}),
    ("/api/generate", {"options": {"num_predict": 1 << 40}}, {"tokens": 1 << 20}),
    ("/api/generate", {"keep_alive": 0}, {"leave": True}),
    ("/api/chat", {"messages": [{"content": "a"}, {"content": "b"}]}, {"prompt": "a\nb", "chat": True}),
    ("/v1/completions", {"prompt": ["a", "b"]}, {"prompt": "a\nb", "tokens": 16, "stream": False}),
    ("/v1/completions", {"prompt": "a", "max_tokens": 7}, {"tokens": 7, "chat": False, "usage": False}),
    (
        "/v1/chat/completions",
        {"messages": [{"content": [{"type": "text", "text": "a b"}]}], "max_completion_tokens": 5},
        {"prompt": "a b", "tokens": 5, "chat": True},
    ),
    (
        "/v1/chat/completions",
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "usage": True},
    ),
]


@pytest.mark.parametrize(("path", "fields", "expected"), WANTED)
def test_what_a_body_wants(path: str, fields: dict[str, Any], expected: dict[str, Any]) -> None:
    found = wanted(path, {"model": "m", **fields})
    assert {name: getattr(found, name) for name in expected} == expected


def test_what_a_body_must_not_want() -> None:
    with pytest.raises(RefusedError, match="stream_options is not an object"):
        wanted("/v1/completions", {"stream_options": [1]})
