"""As much of an HTTP/1.1 server as the scripted engine needs, and the means to break the protocol on purpose."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

_REASONS = {
    200: "OK",
    401: "Unauthorized",
    404: "Not Found",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its JSON body decoded ({} where there is none)."""

    method: str
    path: str
    body: dict[str, Any]
    authorization: str | None


async def read_request(reader: asyncio.StreamReader) -> Asked | None:
    """The next request of a connection, None when the client closed it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ", 2)
    fields = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    length = int(fields.get("content-length", 0))
    raw = await reader.readexactly(length) if length else b""
    body = json.loads(raw) if raw else {}
    return Asked(method, path.partition("?")[0], body, fields.get("authorization"))


def stamp() -> str:
    """The time of day as Ollama writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Client:
    """Who asked, and is answered."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Write to `writer`; `reader` tells when the client has gone."""
        self._reader = reader
        self._writer = writer

    async def json(self, body: Mapping[str, Any], *, status: int = 200) -> None:
        """A whole JSON answer."""
        await self.text(json.dumps(body), "application/json", status=status)

    async def text(self, body: str, kind: str, *, status: int = 200) -> None:
        """A whole answer of any kind."""
        raw = body.encode()
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(raw)}\r\n\r\n"
        await self.raw(head.encode() + raw)

    async def begin(self) -> None:
        """The head of a stream of lines."""
        await self.raw(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    async def line(self, body: Mapping[str, Any]) -> None:
        """One line, one chunk, one send."""
        await self.chunk(json.dumps(body).encode() + b"\n")

    async def chunk(self, raw: bytes) -> None:
        """Any bytes as one chunk."""
        await self.raw(b"%x\r\n%b\r\n" % (len(raw), raw))

    async def end(self) -> None:
        """The end of a stream."""
        await self.raw(b"0\r\n\r\n")

    async def raw(self, raw: bytes) -> None:
        """Any bytes."""
        self._writer.write(raw)
        await self._writer.drain()

    async def gone(self) -> None:
        """Say nothing until the client has closed."""
        await self._reader.read()

    def drop(self) -> None:
        """Close in the middle of whatever was said; what was written before still arrives."""
        self._writer.close()
        raise ConnectionAbortedError("dropped on purpose")
