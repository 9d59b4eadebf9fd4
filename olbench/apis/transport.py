"""An httpx transport that stamps bytes as they arrive; what it cannot do itself goes to httpx's own, and says so."""

import asyncio
import ipaddress
import sys
from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from olbench.apis.connect import ConnectError, connect, origin
from olbench.apis.connection import Connection, CutOffError, Limits, StalledError, desk
from olbench.apis.http1 import NotHttpError
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.clock import now

TRACE = "olbench.trace"  # request extension: a Trace to fill
CONNECT_NS = 10_000_000_000
FOREVER_NS = 10**18
CROSSED_NS = 50_000_000  # a close and a request that cross each other on the way know of it within this


class Transport(httpx.AsyncBaseTransport):
    """One origin, any number of connections, O(1) to take and to give back.

    `exchange` is the measuring path: bytes in, a filled Trace out, no httpx object in between.
    `handle_async_request` is httpx's, for everything else. What stands behind a proxy, and systems whose event loop
    cannot watch sockets (Windows), go through httpx.AsyncHTTPTransport with stamps marked "user-space".
    """

    def __init__(self, url: str, *, kernel: bool | None = None, connect_ns: int = CONNECT_NS) -> None:
        """Serve the origin of `url`; `kernel` False turns kernel stamps off, None takes them where they are."""
        self._origin = origin(url)
        self._connect_ns = connect_ns
        through = proxy(url)
        own = through is None and not sys.platform.startswith("win")
        self._desk = desk(kernel=own and kernel is not False and kernel_stamps())
        self._other = None if own else _httpx(self._origin.path, through)
        self._idle: list[Connection] = []

    async def connect(self, count: int) -> None:
        """Hold `count` idle connections, so that none is made while requests wait; who fails is told by its request."""
        if self._other is not None:
            return
        self._idle = [one for one in self._idle if one.reusable]
        missing = range(count - len(self._idle))
        await asyncio.gather(*(self._hold() for _ in missing), return_exceptions=True)

    async def exchange(self, url: str, head: bytes, body: bytes, trace: Trace, limits: Limits) -> None:
        """One POST, collected whole; `head` ends with its empty line. `trace` holds what came, whatever is raised.

        Raises ConnectError, CutOffError, NotHttpError, StalledError.
        """
        if self._other is None:
            self._release(await self._send((head, body), trace, limits))
            return
        request = httpx.Request("POST", url, content=body, headers=_fields(head))
        request.extensions["timeout"] = _timeouts(self._connect_ns, limits)
        try:
            async with asyncio.timeout(limits.total_ns / 1e9):
                await _through_httpx(self._other, request, trace)
        except TimeoutError as fault:
            raise StalledError(f"not done within {limits.total_ns / 1e9:g} s") from fault

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The door of httpx: the head first, then the body as it comes."""
        trace = request.extensions.get(TRACE) or Trace()
        if self._other is not None:
            return await self._other.handle_async_request(request)
        head = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), request.url.raw_path)
        head += b"".join(b"%b: %b\r\n" % pair for pair in request.headers.raw) + b"\r\n"
        arrived = asyncio.Event()
        try:
            connection = await self._send(
                (head, await request.aread()), trace, _limits(request), arrived=arrived
            )
        except StalledError as fault:
            raise httpx.ReadTimeout(str(fault), request=request) from fault
        except ConnectError as fault:
            raise httpx.ConnectError(str(fault), request=request) from fault
        except (CutOffError, NotHttpError) as fault:
            raise httpx.RemoteProtocolError(str(fault), request=request) from fault
        return httpx.Response(
            trace.status or 0,
            headers=trace.headers,
            stream=_Body(self, connection, trace, arrived),
            extensions={TRACE: trace},
        )

    async def aclose(self) -> None:
        """Close idle connections; those in use close when their exchange ends."""
        while self._idle:
            self._idle.pop().close()
        self._desk.patience.end()
        if self._other is not None:
            await self._other.aclose()

    async def _send(
        self, data: tuple[bytes, bytes], trace: Trace, limits: Limits, arrived: asyncio.Event | None = None
    ) -> Connection:
        on_body = None if arrived is None else arrived.set
        held = self._take()
        connection, trace.connect_ns = (held, 0) if held is not None else await self._new()
        reused = connection.used
        try:
            await connection.exchange(data, trace, limits, on_body=on_body)
        except CutOffError as fault:
            # A server may close an idle connection just as we send on it, and the two cross on the way: nothing of the
            # request was answered, so it goes once more, on a new connection, and its stamps with it. One that was lost
            # later had begun.
            lost = trace.head_ns is not None or now() - (trace.sent_ns or now()) > CROSSED_NS
            if not reused or lost:
                raise
            try:
                connection, took_ns = await self._new()
            except ConnectError:
                raise fault from None  # it did not close that connection, it died
            trace.restart()
            trace.connect_ns = took_ns
            await connection.exchange(data, trace, limits, on_body=on_body)
        return connection

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and not (connection.used and connection.left()):
                return connection
            connection.close()
        return None

    async def _hold(self) -> None:
        self._idle.append(await self._connect())  # at once: a cancelled `connect` leaves none behind

    async def _new(self) -> tuple[Connection, int]:
        """A new connection, and how long it took."""
        began = now()
        return await self._connect(), now() - began

    async def _connect(self) -> Connection:
        return await connect(self._origin, self._desk, self._connect_ns)

    def _release(self, connection: Connection) -> None:
        if connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()


class _Body(httpx.AsyncByteStream):
    def __init__(
        self, owner: Transport, connection: Connection, trace: Trace, arrived: asyncio.Event
    ) -> None:
        self._owner = owner
        self._connection = connection
        self._trace = trace
        self._arrived = arrived

    async def __aiter__(self) -> AsyncIterator[bytes]:
        given = 0
        while True:
            self._arrived.clear()
            while given < len(self._trace.parts):
                given += 1
                yield self._trace.parts[given - 1]
            if not self._connection.busy:
                break
            await self._arrived.wait()
        if self._connection.stalled:
            raise httpx.ReadTimeout(self._connection.cut)
        if self._connection.cut:
            raise httpx.RemoteProtocolError(self._connection.cut)

    async def aclose(self) -> None:
        self._owner._release(self._connection)  # noqa: SLF001 - the stream is the transport's own


# --- through httpx's own transport --------------------------------------------------------------------------------

_NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)


def proxy(url: str) -> str | None:
    """The proxy that the environment names for `url`; as with Ollama's own client, none for this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "unix" or _loopback(host) or proxy_bypass(host):
        return None
    known = getproxies()
    found = known.get(parts.scheme) or known.get("all")
    return found if found is None or "://" in found else f"http://{found}"


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _httpx(path: str | None, through: str | None) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(retries=0, limits=_NO_LIMITS, uds=path, proxy=through)


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
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as fault:
        raise ConnectError(str(fault) or type(fault).__name__) from fault
    except httpx.TimeoutException as fault:
        raise StalledError(str(fault) or "no byte within the timeout") from fault
    except httpx.TransportError as fault:
        raise CutOffError(str(fault) or type(fault).__name__) from fault


def _timeouts(connect_ns: int, limits: Limits) -> dict[str, float]:
    # httpx knows one limit for all waits on the server: the longer one, or prompts would be cut off.
    read = max(limits.first_ns, limits.between_ns) / 1e9
    return {"connect": connect_ns / 1e9, "read": read, "write": read, "pool": read}


def _limits(request: httpx.Request) -> Limits:
    read = (request.extensions.get("timeout") or {}).get("read")
    quiet = FOREVER_NS if read is None else round(read * 1e9)
    return Limits(first_ns=quiet, between_ns=quiet, total_ns=FOREVER_NS)


def _fields(head: bytes) -> list[tuple[str, str]]:
    lines = head.decode("latin-1").split("\r\n")[1:]
    return [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
