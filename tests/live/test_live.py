"""Against a real Ollama server: `make live URL=http://127.0.0.1:11434 [MODEL=...] [THINKING=...] [OLLAMA=...]`.

It loads and unloads models on that server, and makes one model of a few bytes, `olbench-live-check`, that it removes.
"""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import threading
from array import array
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import pytest

from olbench import prepare, sample_metrics
from olbench.apis import decode
from olbench.apis.ollama import Ollama
from olbench.drive import closed_loop, decoded
from olbench.errors import ServerError
from olbench.model import THINKING, Cell, Message, ModelCard, Prompt, Request, Sample
from olbench.ports import Reply, Wire
from olbench.probes.processes import runner
from olbench.sample_columns import columns

pytestmark = pytest.mark.live
URL = os.environ.get("OLBENCH_LIVE_URL", "")
CHECK = "olbench-live-check:latest"
TIMEOUT_NS = 300 * 10**9
QUESTION = "Write about a lighthouse keeper and the winter in which no ship came."


@asynccontextmanager
async def opened() -> AsyncIterator[Ollama]:
    api = Ollama(URL)
    try:
        yield api
    finally:
        await api.close()


def live(story: Callable[[Ollama], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with opened() as api:
            return await story(api)

    return asyncio.run(run())


@pytest.fixture(scope="module")
def card() -> ModelCard:
    """The model under test: MODEL, else the smallest one that answers prompts."""
    asked = os.environ.get("OLBENCH_LIVE_MODEL")

    async def story(api: Ollama) -> ModelCard:
        names = [
            one.name for one in sorted(await api.catalog(), key=lambda one: one.size or 0) if not one.remote
        ]
        cards = [await api.card(name) for name in ([asked] if asked else names)]
        return next(one for one in cards if one.capabilities is None or "completion" in one.capabilities)

    found: ModelCard = live(story)
    return found


@pytest.fixture
def cell(card: ModelCard) -> Cell:
    return Cell(
        id="c0ffee000001",
        model=card.name,
        base=card.name,
        quantization=card.quantization,
        api="chat",
        num_ctx=1024,
        concurrency=1,
        prompt_tokens=None,
        output_tokens=32,
        think=False if card.capabilities and "thinking" in card.capabilities else None,
        cache="cold",
        options=(("seed", 1), ("temperature", 0.0)),
    )


async def asked(api: Ollama, cell: Cell, *texts: str) -> tuple[Sample, ...]:
    requests = [
        Request(number, "measured", Prompt("p", (Message("user", text),)))
        for number, text in enumerate(texts or (QUESTION,))
    ]
    wires = [api.encode(cell, one) for one in requests]
    taken = await closed_loop(
        api, wires, streams=cell.concurrency, timeout_ns=TIMEOUT_NS, stop=asyncio.Event()
    )
    return decoded(api, cell, taken)


def test_a_model_is_loaded_verified_and_unloaded(card: ModelCard, cell: Cell) -> None:
    async def story(api: Ollama) -> None:
        await prepare.cleared(api)
        assert await api.resident() == ()
        took = await api.preload(cell)
        placement = await prepare.verified(
            api, cell, card, how="preloaded", preload_ns=took, runner=runner(URL, card.blob)
        )
        assert (placement.context_length, placement.digest) == (1024, card.digest)
        assert placement.size is not None
        assert placement.doubts == ()
        assert prepare.holds(await api.resident(), cell, card)
        assert await prepare.cleared(api) == (card.name,)

    live(story)


def test_another_context_is_another_load(card: ModelCard, cell: Cell) -> None:
    async def story(api: Ollama) -> tuple[int, int, int]:
        await prepare.cleared(api)
        await api.preload(cell)
        (warm,) = await asked(api, cell)
        (other,) = await asked(api, replace(cell, num_ctx=2048))
        assert prepare.holds(await api.resident(), replace(cell, num_ctx=2048), card)
        (again,) = await asked(api, replace(cell, num_ctx=2048), QUESTION + " Again.")
        counts = (warm.counts, other.counts, again.counts)
        return tuple((one.load_ns or 0) if one else 0 for one in counts)  # type: ignore[return-value]  # three counts in, three numbers out

    warm, reload, again = live(story)
    assert reload > 2 * max(warm, again)


def test_a_context_beyond_the_models_own_is_clamped_and_said(card: ModelCard, cell: Cell) -> None:
    if card.context_length is None or card.context_length > 16384:
        pytest.skip("the model's own context is too large to go beyond it on any machine")
    beyond = replace(cell, num_ctx=card.context_length * 2)

    async def story(api: Ollama) -> tuple[str, ...]:
        await prepare.cleared(api)
        took = await api.preload(beyond)
        placed = await prepare.verified(
            api, beyond, card, how="preloaded", preload_ns=took, runner=runner(URL, card.blob)
        )
        return placed.doubts

    assert live(story) == (f"asked for num_ctx {beyond.num_ctx}, the server gave {card.context_length}",)


@pytest.mark.parametrize("endpoint", ["chat", "generate"])
def test_both_endpoints_stream_text_and_counts(endpoint: str, cell: Cell) -> None:
    one = replace(cell, api="generate" if endpoint == "generate" else "chat")
    (sample,) = live(lambda api: asked(api, one))
    assert sample.outcome in ("ok", "short")
    assert sample.text
    assert sample.counts is not None
    assert sample.counts.eval_count
    assert sample.counts.eval_ns
    assert sample.counts.prompt_eval_count
    assert len(sample.chunks) > 2
    assert all(sample.chunks.created_ns)
    assert list(sample.chunks.arrived_ns) == sorted(sample.chunks.arrived_ns)


def test_an_unstreamed_answer_has_the_same_counts(cell: Cell) -> None:
    async def story(_: Ollama) -> Sample:
        api = Ollama(URL, streamed=False)
        (sample,) = await asked(api, cell)
        await api.close()
        return sample

    sample = live(story)
    assert (sample.outcome in ("ok", "short"), len(sample.chunks)) == (True, 1)


def test_the_runner_is_seen_below_a_server_on_this_machine(card: ModelCard, cell: Cell) -> None:
    async def story(api: Ollama) -> int | None:
        await api.preload(cell)
        return runner(URL, card.blob).pid

    if not URL.startswith(("http://127.", "http://localhost")):
        pytest.skip("the server is on another machine")
    assert live(story) is not None


def test_thinking_comes_apart_from_the_answer(cell: Cell) -> None:
    model = os.environ.get("OLBENCH_LIVE_THINKING")
    if not model:
        pytest.skip("THINKING names no thinking model")

    async def story(api: Ollama) -> tuple[Sample, Sample]:
        base = replace(cell, model=(await api.card(model)).name, output_tokens=200)
        (on,) = await asked(api, replace(base, think=True), "Is seven prime?")
        (off,) = await asked(api, replace(base, think=False), "Is seven prime?")
        return on, off

    on, off = live(story)
    assert on.thinking
    assert any(bits & THINKING for bits in on.chunks.kind)
    assert not off.thinking
    assert off.text


def test_errors_carry_the_servers_words(cell: Cell) -> None:
    async def story(api: Ollama) -> None:
        (missing,) = await asked(api, replace(cell, model="olbench-no-such-model:1b"))
        assert (missing.outcome, missing.status) == ("not_found", 404)
        assert "not found" in missing.words
        with pytest.raises(ServerError, match="not found"):
            await api.card("olbench-no-such-model:1b")
        (long,) = await asked(api, replace(cell, num_ctx=256), "word " * 600)
        assert long.outcome == "http_error"
        assert "context" in long.words
        if cell.think is None:
            (thinking,) = await asked(api, replace(cell, think=True))
            assert (thinking.outcome, thinking.status) == ("http_error", 400)
            assert "think" in thinking.words

    live(story)


def test_two_streams_are_two_samples(cell: Cell) -> None:
    samples = live(
        lambda api: asked(api, replace(cell, concurrency=2), *(f"{n}. {QUESTION}" for n in range(4)))
    )
    assert {one.outcome for one in samples} <= {"ok", "short"}
    assert {one.stream for one in samples} == {0, 1}


class Relay:
    """A port that passes everything on, and keeps what came back."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._answers: list[bytearray] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            with suppress(OSError):  # it may be closed on the other side already
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def last_stream(self) -> bytes:
        """The body of the last NDJSON answer, its chunks joined."""
        raw = bytes(next(one for one in reversed(self._answers) if b"application/x-ndjson" in one))
        raw = raw[raw.rindex(b"application/x-ndjson") :].partition(b"\r\n\r\n")[2]
        body = b""
        while raw:
            size, _, rest = raw.partition(b"\r\n")
            length = int(size, 16)
            if length == 0:
                break
            body, raw = body + rest[:length], rest[length + 2 :]
        return body

    def _start(self, target: Callable[..., None], *values: object) -> None:
        self._threads.append(threading.Thread(target=target, args=values))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._address)
                self._sockets += [near, far]
                self._answers.append(bytearray())
                self._start(_pass_on, near, far, bytearray())
                self._start(_pass_on, far, near, self._answers[-1])


def _pass_on(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            kept += data
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


# --- the headline figure ------------------------------------------------------------------------------------------


@pytest.fixture
def check(card: ModelCard) -> Iterator[str]:
    """A model with the parameters in it, so that `ollama run` sends the same request as we do."""
    parameters = {"num_ctx": 1024, "num_predict": 96, "seed": 1, "temperature": 0}
    body = {"model": CHECK, "from": card.name, "parameters": parameters, "stream": False}
    httpx.post(f"{URL}/api/create", json=body, timeout=120).raise_for_status()
    yield CHECK
    httpx.request("DELETE", f"{URL}/api/delete", json={"model": CHECK}, timeout=60).raise_for_status()


def theirs(binary: str, url: str, model: str, text: str) -> float:
    """The eval rate that `ollama run --verbose` prints."""
    environ = os.environ | {"OLLAMA_HOST": url}
    done = subprocess.run(
        [binary, "run", model, "--verbose", text], env=environ, capture_output=True, text=True, check=True
    )
    found = re.search(r"^eval rate:\s+([0-9.]+) tokens/s", done.stderr, re.MULTILINE)
    assert found, done.stderr
    return float(found.group(1))


def ours(cell: Cell, text: str) -> float:
    (sample,) = live(lambda api: asked(api, cell, text))
    return decode_rate(sample)


def decode_rate(sample: Sample) -> float:
    """As reports have it."""
    (rate,) = sample_metrics.decode(columns([sample])).numbers.tolist()
    return float(rate)


@pytest.fixture
def binary() -> str:
    found = os.environ.get("OLBENCH_LIVE_OLLAMA") or shutil.which("ollama")
    if not found:
        pytest.skip("there is no ollama binary to hold it against")
    return found


def test_decode_rates_are_those_of_ollama_run_verbose(cell: Cell, check: str, binary: str) -> None:
    """One response, two readers: a relay keeps what the server sent to `ollama run`, and we decode that.

    Not two requests: on a small machine two answers in a row differ by more than 10 %, and `ollama run` itself takes
    time from the cores that compute.
    """
    address = (urlsplit(URL).hostname or "", urlsplit(URL).port or 80)
    with Relay(address) as relay:
        for number in range(5):
            printed = theirs(binary, relay.url, check, f"{number}. {QUESTION}")
            body = relay.last_stream()
            marks = array("q", [1, len(body)])
            wire = Wire(Request(0, "measured", Prompt("p", ())), "/api/generate", b"", streamed=True)
            reply = Reply(
                wanted_ns=0, sent_ns=0, head_ns=0, end_ns=1, status=200, content_type="", body=body,
                marks=marks, stamps="none", fault=None, words="",
            )  # fmt: skip
            seen = decode_rate(decode.sample(cell, wire, reply, 0))
            assert seen == pytest.approx(printed, abs=0.0051)  # they print two places
