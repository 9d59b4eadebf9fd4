"""Servers of a test's own making, byte by byte, and one exchange with them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from olbench.apis.connection import Limits
from olbench.apis.stamps import Trace
from olbench.apis.transport import FOREVER_NS, Transport

MS = 1_000_000
SECOND = 1000 * MS
Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = (b'{"response":"a"}\n', b'{"response":"b"}\n', b'{"done":true}\n')


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ANSWER = HEAD + b"".join(chunk(one) for one in PIECES) + b"0\r\n\r\n"


@asynccontextmanager
async def listening(
    serve: Serving, *, host: str = "127.0.0.1", path: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server; its port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client is gone
        finally:
            writer.transport.abort()

    if path is not None:
        server = await asyncio.start_unix_server(one, path)
    else:
        server = await asyncio.start_server(one, host, 0, ssl=tls)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)


async def asked(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(length)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await asked(reader)
        writer.write(ANSWER)
        await writer.drain()


def limits(*, first_ns: int = FOREVER_NS, between_ns: int = FOREVER_NS, total_ns: int = 5 * SECOND) -> Limits:
    return Limits(first_ns=first_ns, between_ns=between_ns, total_ns=total_ns)


async def exchanged(url: str, *, times: int = 1, within: Limits | None = None, **options: Any) -> Trace:
    """The trace of the last of `times` exchanges."""
    one = Transport(url, **options)
    trace = Trace()
    try:
        for _ in range(times):
            trace = Trace()
            head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
            base = "http://localhost" if url.startswith("unix:") else url
            await one.exchange(f"{base}/x", head, b"{}", trace, within or limits())
    finally:
        await one.aclose()
    return trace


def through(serve: Serving, **options: Any) -> Trace:
    async def story() -> Trace:
        async with listening(serve) as port:
            return await exchanged(f"http://127.0.0.1:{port}", **options)

    return asyncio.run(story())


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()
