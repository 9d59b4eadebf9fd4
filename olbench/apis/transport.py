"""An httpx transport that stamps bytes as they arrive; what it cannot do itself goes to httpx's own, and says so."""

import asyncio
import sys
from collections.abc import AsyncIterator

import httpx

from olbench.apis.connection import ConnectError, Connection, CutOffError, NotHttpError, connect
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.clock import now

TRACE = "olbench.trace"  # request extension: a Trace to fill


class Transport(httpx.AsyncBaseTransport):
    """One origin, any number of connections, O(1) to take and to give back.

    `exchange` is the measuring path: bytes in, a filled Trace out, no httpx object in between.
    `handle_async_request` is httpx's, for everything else. https, and systems whose event loop cannot watch
    sockets (Windows), go through httpx.AsyncHTTPTransport with stamps marked "user-space".
    """

    def __init__(self, url: str, *, kernel: bool | None = None) -> None:
        """Serve the origin of `url`; `kernel` False turns kernel stamps off, None takes them where they are."""
        parsed = httpx.URL(url)
        self._host = parsed.host
        self._port = parsed.port or (443 if parsed.scheme == "https" else 80)
        self._own = parsed.scheme == "http" and not sys.platform.startswith("win")
        self._kernel = self._own and (kernel_stamps() if kernel is None else kernel and kernel_stamps())
        self._other = None if self._own else httpx.AsyncHTTPTransport(retries=0, limits=_NO_LIMITS)
        self._idle: list[Connection] = []

    async def exchange(self, head: bytes, body: bytes, trace: Trace, *, url: str) -> None:
        """One POST of JSON, collected whole. Raises ConnectError, CutOffError, NotHttpError; `trace` holds what came."""
        if self._other is not None:
            request = httpx.Request("POST", url, content=body, headers=_fields(head))
            await _through_httpx(self._other, request, trace)
            return
        data = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
        connection = await self._send(data, trace)
        self._release(connection)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The door of httpx: the head first, then the body as it comes."""
        trace = request.extensions.get(TRACE) or Trace()
        if self._other is not None:
            return await self._other.handle_async_request(request)
        body = await request.aread()
        head = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
        head += b"".join(b"%b: %b\r\n" % pair for pair in request.headers.raw)
        arrived = asyncio.Event()
        try:
            async with asyncio.timeout(_read_timeout(request)):
                connection = await self._send(head + b"\r\n" + body, trace, arrived=arrived)
        except TimeoutError as fault:
            raise httpx.ReadTimeout("no answer within the timeout", request=request) from fault
        except ConnectError as fault:
            raise httpx.ConnectError(str(fault), request=request) from fault
        except (CutOffError, NotHttpError) as fault:
            raise httpx.RemoteProtocolError(str(fault), request=request) from fault
        stream = _Body(self, connection, trace, arrived, _read_timeout(request))
        return httpx.Response(
            trace.status or 0, headers=trace.headers, stream=stream, extensions={TRACE: trace}
        )

    async def aclose(self) -> None:
        """Close idle connections; those in use close when their exchange ends."""
        while self._idle:
            self._idle.pop().close()
        if self._other is not None:
            await self._other.aclose()

    async def _send(self, data: bytes, trace: Trace, arrived: asyncio.Event | None = None) -> Connection:
        connection = await self._take()
        reused = connection.used
        on_body = None if arrived is None else arrived.set
        try:
            await connection.exchange(data, trace, head_only=arrived is not None, on_body=on_body)
        except CutOffError:
            # A server may close an idle connection just as we send on it: nothing of the request was answered,
            # so it goes once more, on a new connection, and its stamps with it.
            if not reused or trace.head_ns is not None:
                raise
            trace.restart()
            connection = await connect(self._host, self._port, kernel=self._kernel)
            await connection.exchange(data, trace, head_only=arrived is not None, on_body=on_body)
        return connection

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await connect(self._host, self._port, kernel=self._kernel)

    def _release(self, connection: Connection) -> None:
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()


async def _through_httpx(other: httpx.AsyncHTTPTransport, request: httpx.Request, trace: Trace) -> None:
    trace.source = "user-space"
    trace.sent_ns = now()
    try:
        response = await other.handle_async_request(request)
        trace.head_ns = now()
        trace.status = response.status_code
        trace.headers = list(response.headers.raw)
        async for part in response.aiter_raw():
            trace.parts.append(part)
            trace.size += len(part)
            trace.marks.extend((now(), trace.size))
        await response.aclose()
    except httpx.ConnectError as fault:
        raise ConnectError(str(fault)) from fault
    except httpx.TransportError as fault:
        raise CutOffError(str(fault) or type(fault).__name__) from fault


_NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


class _Body(httpx.AsyncByteStream):
    def __init__(
        self,
        owner: Transport,
        connection: Connection,
        trace: Trace,
        arrived: asyncio.Event,
        timeout: float | None,
    ) -> None:
        self._owner = owner
        self._connection = connection
        self._trace = trace
        self._arrived = arrived
        self._timeout = timeout

    async def __aiter__(self) -> AsyncIterator[bytes]:
        given = 0
        while True:
            self._arrived.clear()
            while given < len(self._trace.parts):
                given += 1
                yield self._trace.parts[given - 1]
            if not self._connection.busy:
                break
            try:
                async with asyncio.timeout(self._timeout):
                    await self._arrived.wait()
            except TimeoutError as fault:
                raise httpx.ReadTimeout("no byte within the timeout") from fault
        if self._connection.closed and self._connection.cut:
            raise httpx.RemoteProtocolError(self._connection.cut)

    async def aclose(self) -> None:
        self._owner._release(self._connection)  # noqa: SLF001 - the stream is the transport's own


def _read_timeout(request: httpx.Request) -> float | None:
    timeouts = request.extensions.get("timeout") or {}
    read: float | None = timeouts.get("read")
    return read


def _fields(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
