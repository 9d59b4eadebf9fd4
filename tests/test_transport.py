"""The transport and the API against a scripted server on loopback: every fault ends as an outcome."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from olbench.apis.ollama import Ollama
from olbench.apis.transport import TRACE, Transport
from olbench.clock import now
from olbench.drive import closed_loop, decoded
from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_faults import FAULTS
from olbench.errors import ServerError
from olbench.model import COALESCED, FINAL, TEXT, Cell, Request, Sample

SECOND = 1_000_000_000


async def measured(
    server: Scripted, cell: Cell, requests: list[Request], *, timeout_ns: int = 10 * SECOND, **options: Any
) -> tuple[Sample, ...]:
    api = Ollama(server.url, **options)
    try:
        wires = [api.encode(cell, one) for one in requests]
        taken = await closed_loop(
            api, wires, streams=cell.concurrency, timeout_ns=timeout_ns, stop=asyncio.Event()
        )
        return decoded(api, cell, taken)
    finally:
        await api.close()


def play(script: Script, story: Callable[[Scripted], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with Scripted(script) as server:
            return await story(server)

    return asyncio.run(run())


OUTCOMES = {
    "404": ("not_found", "model 'gone:1b' not found"),
    "500": ("http_error", "unexpected server status: llm server error"),
    "503": ("queue_full", "server busy, please try again. maximum pending requests exceeded"),
    "memory": ("out_of_memory", "cudaMalloc failed: out of memory"),
    "html": ("stream_error", "line 1 is not what the API sends"),
    "garbage": ("http_error", "the answer is not HTTP"),
    "bad_json": ("stream_error", "line 1 is not what the API sends"),
    "half_line": ("cut_off", "the server closed the connection before the response was whole"),
    "error_line": ("stream_error", "llama runner process has terminated: signal: killed"),
    "no_done": ("cut_off", "the stream ended without done:true"),
    "stall": ("stalled", "not done within 0.3 s; the last byte came"),
    "drop": ("cut_off", "the server closed the connection before the response was whole"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_ends_as_its_outcome_and_the_next_request_goes_through(
    fault: str, cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    script = Script(faults={0: fault}, itl_ns=0, load_ns=0)
    first, second = play(
        script,
        lambda server: measured(server, cell(), [request_of(0), request_of(1)], timeout_ns=3 * SECOND // 10),
    )
    outcome, words = OUTCOMES[fault]
    assert (first.outcome, first.words[: len(words)]) == (outcome, words)
    assert first.counts is None
    assert second.outcome == "ok"


def test_no_server_is_an_outcome_too(cell: Callable[..., Cell], request_of: Callable[..., Request]) -> None:
    async def story(server: Scripted) -> tuple[Sample, ...]:
        await server.stop()
        return await measured(server, cell(), [request_of()])

    (sample,) = play(Script(), story)
    assert sample.connect_ns is None
    assert sample.outcome == "refused"
    assert sample.sent_ns is None
    assert "no connection to port" in sample.words


@pytest.mark.parametrize("api", ["generate", "chat"])
def test_a_stream_becomes_one_chunk_a_line_and_the_final_counts(
    api: str, cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    (sample,) = play(Script(), lambda server: measured(server, cell(api=api), [request_of()]))
    assert sample.outcome == "ok"
    assert sample.text == "tok tok tok tok "
    assert [bits & ~COALESCED for bits in sample.chunks.kind] == [TEXT, TEXT, TEXT, TEXT, FINAL]
    assert sample.counts is not None
    assert (sample.counts.eval_count, sample.counts.prompt_eval_count) == (4, 3 + 5)
    stamps = [sample.wanted_ns, sample.sent_ns, sample.head_ns, *sample.chunks.arrived_ns, sample.end_ns]
    assert stamps == sorted(stamps)


def test_stamps_follow_the_servers_own_sends(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    async def story(server: Scripted) -> tuple[Sample, list[int]]:
        (sample,) = await measured(server, cell(), [request_of()])
        return sample, server.truth[0].sends_ns

    sample, sends = play(Script(itl_ns=5_000_000), story)
    # Same clock on both sides: a chunk cannot be seen before it was sent. Nor after the next one was, but where the
    # machine let the server sleep and it had two of them to send at once.
    assert all(sent <= seen for sent, seen in zip(sends, sample.chunks.arrived_ns, strict=False))
    late = sum(
        seen >= following for seen, following in zip(sample.chunks.arrived_ns, sends[1:], strict=False)
    )
    assert late <= 1


def test_a_sample_tells_what_went_into_a_new_connection(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    async def story(server: Scripted) -> list[Sample]:
        api = Ollama(server.url)
        try:
            wires = [api.encode(cell(), request_of(index)) for index in range(2)]
            replies = [await api.send(wire, now(), 10 * SECOND) for wire in wires]  # nobody held one ready
            return [api.sample(cell(), wire, one, 0) for wire, one in zip(wires, replies, strict=True)]
        finally:
            await api.close()

    first, second = play(Script(itl_ns=0, load_ns=0), story)
    assert first.connect_ns is not None
    assert first.sent_ns is not None
    assert 0 < first.connect_ns <= first.sent_ns - first.wanted_ns
    assert second.connect_ns == 0
    held = play(Script(itl_ns=0, load_ns=0), lambda server: measured(server, cell(), [request_of()]))
    assert [one.connect_ns for one in held] == [0]


def test_an_unstreamed_answer_is_one_line(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    (sample,) = play(Script(), lambda server: measured(server, cell(), [request_of()], streamed=False))
    assert (sample.outcome, sample.streamed, len(sample.chunks)) == ("ok", False, 1)
    assert sample.text == "tok tok tok tok "


def test_every_request_says_all_that_a_server_could_otherwise_choose(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    async def story(server: Scripted) -> dict[str, Any]:
        await measured(server, cell(think=False), [request_of()])
        return server.bodies[0]

    body = play(Script(), story)
    assert body["options"] == {"num_ctx": 4096, "num_predict": 4, "seed": 1, "temperature": 0.0}
    assert (body["truncate"], body["shift"], body["think"], body["stream"]) == (False, False, False, True)
    assert body["keep_alive"]


def test_concurrent_streams_share_the_slots(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    script = Script(slots=4, load_ns=0)
    samples = play(
        script, lambda server: measured(server, cell(concurrency=4), [request_of(i) for i in range(8)])
    )
    assert {sample.outcome for sample in samples} == {"ok"}
    assert {sample.stream for sample in samples} == {0, 1, 2, 3}
    assert sorted(sample.index for sample in samples) == list(range(8))


def test_stop_ends_what_is_under_way_as_cancelled_and_sends_no_more(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    async def story(server: Scripted) -> tuple[Sample, ...]:
        api = Ollama(server.url)
        stop = asyncio.Event()
        wires = [api.encode(cell(), request_of(i)) for i in range(5)]
        loop = asyncio.create_task(closed_loop(api, wires, streams=2, timeout_ns=9 * SECOND, stop=stop))
        while len(server.truth) < 2:
            await asyncio.sleep(0.001)
        stop.set()
        taken = await loop
        await api.close()
        return decoded(api, cell(), taken)

    samples = play(Script(itl_ns=SECOND, load_ns=0), story)
    assert [sample.outcome for sample in samples] == ["cancelled", "cancelled"]


def test_control_calls_say_what_went_wrong() -> None:
    async def story(server: Scripted) -> None:
        api = Ollama(server.url)
        assert await api.version() == "0.34.0-scripted"
        assert [card.name for card in await api.catalog()] == ["scripted:1b"]
        assert (await api.card("scripted:1b")).context_length == 8192
        with pytest.raises(ServerError, match=r"status 404: model 'no:1b' not found") as caught:
            await api.card("no:1b")
        assert caught.value.status == 404
        await server.stop()
        with pytest.raises(ServerError, match="no connection to port"):
            await api.version()
        await api.close()

    play(Script(), story)


def test_the_token_goes_into_the_header_and_nowhere_else(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    seen: list[bytes] = []

    async def run() -> Sample:
        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

        async with serving(handler) as url:
            api = Ollama(url, token="s3cret")
            wire = api.encode(cell(), request_of())
            sample = api.sample(cell(), wire, await api.send(wire, 0, SECOND), 0)
            await api.close()
            return sample

    sample = asyncio.run(run())
    assert b"authorization: bearer s3cret" in seen[0].lower()
    assert sample.outcome == "http_error"
    assert "s3cret" not in repr(sample)


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """A server that ends every connection when its handler ends; its URL."""
    tasks: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        with suppress(ConnectionError):
            await handler(reader, writer)
            writer.close()
            await writer.wait_closed()
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*(one for one in tasks if one is not None))
        await asyncio.sleep(0)  # an aborted transport closes its socket in the loop's next turn


# --- the protocol itself ------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"
TO_THE_END = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello world"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED


async def answered(pieces: list[bytes]) -> httpx.Response:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    async with serving(handler) as url, httpx.AsyncClient(transport=Transport(url), timeout=2) as client:
        return await client.get(url)


@pytest.mark.parametrize("whole", [CHUNKED, SIZED, TO_THE_END, CONTINUED])
def test_a_response_cut_at_every_byte_is_the_same_response(whole: bytes) -> None:
    async def story() -> None:
        for cut in range(1, len(whole)):
            response = await answered([whole[:cut], whole[cut:]])
            assert (response.status_code, response.text) == (200, "hello world")
            assert response.extensions[TRACE].marks[-1] == 11
        assert (await answered([bytes([one]) for one in whole])).text == "hello world"

    asyncio.run(story())


@pytest.mark.parametrize(
    "broken",
    [
        CHUNKED[:-5],
        SIZED[:-1],
        SIZED[:20],
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Bomb: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_response_is_a_protocol_error(broken: bytes) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        asyncio.run(answered([broken]))


def test_a_silent_server_is_a_timeout() -> None:
    async def handler(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def story() -> None:
        async with (
            serving(handler) as url,
            httpx.AsyncClient(transport=Transport(url), timeout=0.05) as client,
        ):
            with pytest.raises(httpx.ReadTimeout):
                await client.get(url)

    asyncio.run(story())


def test_a_connection_that_the_server_closed_while_idle_is_replaced() -> None:
    connections: list[int] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SIZED)

    async def story() -> None:
        async with serving(handler) as url, httpx.AsyncClient(transport=Transport(url), timeout=2) as client:
            for _ in range(3):
                assert (await client.get(url)).text == "hello world"

    asyncio.run(story())
    assert len(connections) == 3
