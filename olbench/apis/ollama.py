"""Ollama's native API (server/routes.go, api/types.go of v0.33): what it is asked, what it says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from olbench import __version__
from olbench.apis.connect import ConnectError
from olbench.apis.connection import CutOffError, Limits, StalledError
from olbench.apis.decode import sample as decode_sample
from olbench.apis.http1 import NotHttpError
from olbench.apis.ollama_cards import of_ps, of_show, of_tags
from olbench.apis.stamps import Trace
from olbench.apis.transport import CONNECT_NS, FOREVER_NS, Transport
from olbench.apis.wire import error_words, excerpt
from olbench.clock import now
from olbench.errors import ServerError
from olbench.model import Cell, Message, ModelCard, Request, Resident, Sample
from olbench.ports import Progress, Reply, Wire

# Unloads, version and listings are quick on a healthy server, but /api/ps can block for seconds during a load.
CONTROL_TIMEOUT_S = 60.0
KEEP_ALIVE = "30m"  # outlives any pause of ours, and frees the machine when we die
_PATHS = {"generate": "/api/generate", "chat": "/api/chat"}


class Ollama:
    """A client of one server. All requests of a cell carry the same load-time options, or the server would reload."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        response_format: object = None,
        streamed: bool = True,
        load_timeout_ns: int = 600_000_000_000,
        connect_timeout_ns: int = CONNECT_NS,
        first_byte_timeout_ns: int | None = None,
        stall_timeout_ns: int | None = None,
        kernel_stamps: bool | None = None,
    ) -> None:
        """Talk to the server at `url`; `token` goes into the Authorization header and nowhere else.

        A request may wait so long for its first byte and from one receive to the next; None: as long as in all.
        """
        self._url = "http://localhost" if url.startswith("unix:") else url.rstrip("/")
        self._format = response_format
        self._streamed = streamed
        self._load_timeout_s = load_timeout_ns / 1e9
        headers = {"User-Agent": f"olbench/{__version__}", "Accept-Encoding": "identity"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._limits = Limits(
            first_ns=FOREVER_NS if first_byte_timeout_ns is None else first_byte_timeout_ns,
            between_ns=FOREVER_NS if stall_timeout_ns is None else stall_timeout_ns,
            total_ns=FOREVER_NS,
        )
        self._transport = Transport(url, kernel=kernel_stamps, connect_ns=connect_timeout_ns)
        self._client = httpx.AsyncClient(
            base_url=self._url, transport=self._transport, headers=headers, timeout=CONTROL_TIMEOUT_S
        )
        self._heads = {path: _head(self._url, path, headers) for path in _PATHS.values()}

    # --- control ---------------------------------------------------------------------------------------------

    async def version(self) -> str:
        """The server's version; "0.0.0" is what self-built servers say."""
        return str((await self._get("/api/version")).get("version", "unknown"))

    async def catalog(self) -> tuple[ModelCard, ...]:
        """All installed models as /api/tags knows them."""
        return of_tags(await self._get("/api/tags"))

    async def card(self, model: str) -> ModelCard:
        """One model in full: /api/show, joined with its row of /api/tags (digest and size)."""
        row = next((card for card in await self.catalog() if _same(card.name, model)), None)
        return of_show(model, await self._post("/api/show", {"model": model}), row)

    async def resident(self) -> tuple[Resident, ...]:
        """The models in memory now, from /api/ps."""
        return of_ps(await self._get("/api/ps"))

    async def preload(self, cell: Cell) -> int:
        """Load by an empty request with the cell's own options; nanoseconds by our clock (the server gives none)."""
        nothing: dict[str, object] = {"messages": []} if cell.api == "chat" else {"prompt": ""}
        body = self._common(cell) | nothing | {"stream": False}
        began = now()
        await self._post(_PATHS[cell.api], body, timeout=self._load_timeout_s)
        return now() - began

    async def unload(self, model: str) -> None:
        """Ask for the model to be unloaded; in-flight requests are let go first, so poll `resident`."""
        await self._post("/api/generate", {"model": model, "keep_alive": 0, "stream": False})

    async def pull(self, model: str) -> AsyncIterator[Progress]:
        """Pull a model. Raises ServerError with the server's words; done only when its last status is "success"."""
        last = ""
        try:
            async with self._client.stream(
                "POST", "/api/pull", json={"model": model, "stream": True}, timeout=None
            ) as response:
                if response.status_code != 200:
                    raise ServerError(
                        f"pulling {model} failed: {error_words(await response.aread())}",
                        status=response.status_code,
                    )
                async for text in response.aiter_lines():
                    if not text.strip():
                        continue
                    row = _object(text.encode(), f"pulling {model}")
                    if "error" in row:
                        raise ServerError(f"pulling {model} failed: {excerpt(str(row['error']))}")
                    last = str(row.get("status", ""))
                    yield Progress(excerpt(last, 60), _int(row.get("completed")), _int(row.get("total")))
        except httpx.HTTPError as fault:
            raise ServerError(f"pulling {model} broke off: {fault or type(fault).__name__}") from fault
        if last != "success":
            raise ServerError(f"pulling {model} ended without success; its last word was {last!r}")

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    # --- measuring -------------------------------------------------------------------------------------------

    def encode(self, cell: Cell, request: Request) -> Wire:
        """The request as bytes: num_ctx, num_predict, seed, temperature, think, keep_alive, truncate and shift said."""
        body = self._common(cell) | {"stream": self._streamed}
        messages = request.prompt.messages
        if cell.api == "chat":
            body["messages"] = [{"role": one.role, "content": one.content} for one in messages]
        else:
            body["prompt"] = "\n\n".join(one.content for one in messages if one.role != "system")
            body |= _system(messages)
        if self._format is not None:
            body["format"] = self._format
        path, raw = _PATHS[cell.api], msgspec.json.encode(body)
        head = b"%bContent-Length: %d\r\n\r\n" % (self._heads[path], len(raw))
        return Wire(request, path, raw, self._streamed, head)

    async def connect(self, count: int) -> None:
        """Hold `count` idle connections ready."""
        await self._transport.connect(count)

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        """Send, collect, stamp. The timeout holds for the whole exchange."""
        trace = Trace()
        fault: str | None = None
        words = ""
        limits = self._limits
        if timeout_ns != limits.total_ns:
            limits = self._limits = replace(limits, total_ns=timeout_ns)
        try:
            await self._transport.exchange(self._url + wire.path, wire.head, wire.body, trace, limits)
            if encoding := trace.header(b"content-encoding").replace("identity", ""):
                fault, words = (
                    "http_error",
                    f"the answer came as {excerpt(encoding)}, which was not asked for",
                )
        except StalledError as failure:
            fault, words = "stalled", str(failure)
        except ConnectError as failure:
            fault, words = "refused", str(failure)
        except CutOffError as failure:
            fault, words = "cut_off", str(failure)
        except NotHttpError as failure:
            fault, words = "http_error", str(failure)
        except asyncio.CancelledError:
            # What came is kept: whoever cancels a send reads its Reply, and sends no other.
            fault, words = "cancelled", "stopped before it was done"
        return Reply(
            wanted_ns=wanted_ns,
            connect_ns=trace.connect_ns,
            sent_ns=trace.sent_ns,
            head_ns=trace.head_ns,
            end_ns=_end(trace) if fault is None else now(),
            status=trace.status,
            content_type=trace.header(b"content-type"),
            body=trace.body(),
            marks=trace.marks,
            unstamped=trace.unstamped,
            stamps=trace.source,
            fault=fault,
            words=words,
        )

    def sample(self, cell: Cell, wire: Wire, reply: Reply, stream: int) -> Sample:
        """Decode a reply, after the cell."""
        return decode_sample(cell, wire, reply, stream)

    # --- inside ----------------------------------------------------------------------------------------------

    def _common(self, cell: Cell) -> dict[str, Any]:
        options = dict(cell.options) | {"num_ctx": cell.num_ctx, "num_predict": cell.output_tokens}
        body: dict[str, Any] = {
            "model": cell.model,
            "options": options,
            "keep_alive": KEEP_ALIVE,
            # A prompt that does not fit is refused, never cut silently; shift is a load-time setting since 0.30.
            "truncate": False,
            "shift": False,
        }
        if cell.think is not None:
            body["think"] = cell.think
        return body

    async def _get(self, path: str) -> dict[str, Any]:
        return await self._ask("GET", path, None, CONTROL_TIMEOUT_S)

    async def _post(
        self, path: str, body: Mapping[str, object], timeout: float = CONTROL_TIMEOUT_S
    ) -> dict[str, Any]:
        return await self._ask("POST", path, body, timeout)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None, timeout: float
    ) -> dict[str, Any]:
        try:
            response = await self._client.request(method, path, json=body, timeout=timeout)
        except httpx.TimeoutException as fault:
            raise ServerError(f"{method} {path}: no answer within {timeout:.0f} s") from fault
        except httpx.HTTPError as fault:
            raise ServerError(f"{method} {path}: {fault or type(fault).__name__}") from fault
        if response.status_code != 200:
            said = error_words(response.content) if response.content else "and no word more"
            raise ServerError(
                f"{method} {path}: status {response.status_code}: {said}", status=response.status_code
            )
        return _object(response.content, f"{method} {path}")


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise ServerError(f"{what}: the answer is not JSON: {excerpt(raw)}") from fault
    if not isinstance(found, dict):
        raise ServerError(f"{what}: the answer is no JSON object: {excerpt(raw)}")
    return found


def _head(url: str, path: str, headers: Mapping[str, str]) -> bytes:
    # All but the length: the rest of a request is ready before it is due.
    parts = urlsplit(url + path)
    fields = {"Host": parts.netloc.rpartition("@")[2], **headers, "Content-Type": "application/json"}
    text = f"POST {parts.path} HTTP/1.1\r\n" + "".join(
        f"{name}: {value}\r\n" for name, value in fields.items()
    )
    return text.encode("latin-1")


def _system(messages: tuple[Message, ...]) -> dict[str, str]:
    said = [one.content for one in messages if one.role == "system"]
    return {"system": "\n\n".join(said)} if said else {}


def _same(name: str, asked: str) -> bool:
    def full(text: str) -> str:
        return (text if ":" in text.rpartition("/")[2] else f"{text}:latest").lower()

    return full(name) == full(asked)


def _end(trace: Trace) -> int:
    if trace.marks:
        return trace.marks[-2]
    return now() if trace.head_ns is None else trace.head_ns


def _int(value: object) -> int | None:
    return value if isinstance(value, int) else None
