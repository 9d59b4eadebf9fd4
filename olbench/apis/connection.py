"""One HTTP/1.1 connection: a socket, a parser, one exchange at a time, a stamp for each receive."""

import asyncio
import os
import socket
from collections.abc import Callable
from typing import Any

import httptools

from olbench.apis.stamps import ROOM, SO_TIMESTAMPNS, TIMESPEC, Trace, offset, stepped
from olbench.clock import now

MOST_HEADER = 64 * 1024
MOST_BODY = 256 * 1024 * 1024


class ConnectError(Exception):
    """No connection could be made."""


class CutOffError(Exception):
    """The server closed or reset the connection before the response was whole."""


class NotHttpError(Exception):
    """The bytes that came are not an HTTP response, or one beyond all bounds."""


class Connection:
    """A connected socket. Its owner calls `exchange` when no other exchange is under way.

    Used with a selector event loop (Linux, macOS). Receives are stamped by the kernel where `kernel` says that it
    does, else in the socket's callback, right after the read.
    """

    def __init__(self, sock: socket.socket, *, kernel: bool) -> None:
        """Take over a connected, non-blocking socket."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._kernel = kernel
        self._buffer = bytearray(256 * 1024)
        self._view = memoryview(self._buffer)
        self._trace: Trace | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_body: Callable[[], None] | None = None
        self.closed = False
        self.used = False  # has carried an exchange before
        self.cut = ""  # why the last exchange broke off
        self._loop.add_reader(sock, self._readable_stamped if kernel else self._readable)

    async def exchange(
        self, data: bytes, trace: Trace, *, head_only: bool = False, on_body: Callable[[], None] | None = None
    ) -> None:
        """Send a whole request and return when the response (or its head) is whole; `trace` fills meanwhile.

        Raises CutOffError, NotHttpError; a cancelled exchange closes the socket.
        """
        self._begin(trace, head_only=head_only, on_body=on_body)
        try:
            await self._send(data, trace)
            if self._waiter is not None:
                await self._waiter
        except OSError as fault:
            self.close()
            raise CutOffError(f"the connection broke while the request was sent: {fault}") from fault
        except BaseException:
            self.close()
            raise

    @property
    def reusable(self) -> bool:
        """Whether the next exchange may use this connection."""
        return not self.closed and self._trace is None and self._keep

    @property
    def busy(self) -> bool:
        """Whether a response is still coming."""
        return self._trace is not None

    def close(self) -> None:
        """Close the socket; an exchange under way fails with CutOffError."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock)
        self._sock.close()
        if self._trace is not None:
            self._fail(CutOffError("the connection was closed on our side"))

    # --- sending ---------------------------------------------------------------------------------------------

    def _begin(self, trace: Trace, *, head_only: bool, on_body: Callable[[], None] | None) -> None:
        self._trace = trace
        self._head_only = head_only
        self._on_body = on_body
        self._keep = True
        self._interim = False
        self._sized = False
        self._header_bytes = 0
        self._parser = httptools.HttpResponseParser(self)
        self._waiter = self._loop.create_future()
        trace.source = "kernel" if self._kernel else "user-space"
        trace.offset = offset() if self._kernel else 0

    async def _send(self, data: bytes, trace: Trace) -> None:
        trace.sent_ns = now()
        try:
            sent = self._sock.send(data)
        except BlockingIOError:
            sent = 0
        self.used = True
        if sent < len(data):
            await self._loop.sock_sendall(self._sock, data[sent:])

    # --- receiving -------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            size = self._sock.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            self._lost(f"the connection broke: {fault}")
            return
        self._received(size, now())

    def _readable_stamped(self) -> None:
        try:
            size, control, _, _ = self._sock.recvmsg_into([self._view], ROOM)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            self._lost(f"the connection broke: {fault}")
            return
        trace = self._trace
        if control and trace is not None:
            seconds, nanoseconds = TIMESPEC.unpack(control[0][2])
            self._received(size, seconds * 1_000_000_000 + nanoseconds - trace.offset)
            return
        if trace is not None and size:
            trace.source = "user-space"  # the kernel left one out: the weaker word is the honest one
        self._received(size, now())

    def _received(self, size: int, stamp: int) -> None:
        if not size:
            self._ended()
            return
        trace = self._trace
        if trace is None:  # bytes between two exchanges: this is no HTTP server
            self.close()
            return
        before = trace.size
        self._stamp = stamp
        try:
            self._parser.feed_data(bytes(self._view[:size]))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, _TooLargeError) as fault:
            self._fail(NotHttpError(_sentence(fault)))
            self.close()
            return
        if trace.size != before:
            trace.marks.append(stamp)
            trace.marks.append(trace.size)
            if self._on_body is not None:
                self._on_body()

    def _ended(self) -> None:
        # A response without length or chunks ends with the connection (RFC 9112, 6.3, rule 8).
        if self._trace is not None and self._trace.head_ns is not None and not self._sized:
            self._keep = False
            self._done()
        self._lost("the server closed the connection before the response was whole")

    def _lost(self, why: str) -> None:
        if self._trace is not None:
            self._fail(CutOffError(why))
        self.close()

    def _fail(self, fault: Exception) -> None:
        self._trace = None
        self.cut = str(fault)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(fault)
        self._waiter = None
        if self._on_body is not None:
            self._on_body()

    def _done(self) -> None:
        trace, self._trace = self._trace, None
        if trace is not None and self._kernel and stepped(trace.offset, offset()):
            trace.source = "stepped"
        self._wake()
        if self._on_body is not None:
            self._on_body()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- httptools' callbacks --------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEADER:
            raise _TooLargeError("the response's head is larger than 64 KiB")
        if self._trace is not None:
            self._trace.headers.append((name, value))
            self._sized |= name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx heads only announce another one (RFC 9110, 15.2)."""
        trace = self._trace
        if trace is None:
            return
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            trace.headers.clear()
            return
        self._sized |= status in (204, 304)
        self._keep = self._parser.should_keep_alive()
        trace.status = status
        trace.head_ns = self._stamp
        if self._head_only:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        trace = self._trace
        if trace is None:
            return
        trace.parts.append(data)
        trace.size += len(data)
        if trace.size > MOST_BODY:
            raise _TooLargeError("the response's body is larger than 256 MiB")

    def on_message_complete(self) -> None:
        """The response is whole."""
        if not self._interim:
            self._done()


class _TooLargeError(Exception):
    pass


def _sentence(fault: BaseException) -> str:
    # httptools wraps what a callback raised.
    cause: Any = fault.__context__ if isinstance(fault.__context__, _TooLargeError) else fault
    return str(cause) if isinstance(cause, _TooLargeError) else f"the answer is not HTTP: {cause}"


async def connect(host: str, port: int, *, kernel: bool, unix: str | None = None) -> Connection:
    """A connection to the first address of `host` that answers, or to the Unix socket. Raises ConnectError."""
    loop = asyncio.get_running_loop()
    if unix is not None:
        return await _connect(socket.AF_UNIX, 0, unix, kernel=False)
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as fault:
        raise ConnectError(f"the name {host} has no address: {fault}") from fault
    faults: list[str] = []
    for family, _, proto, _, address in found:
        try:
            return await _connect(family, proto, address, kernel=kernel)
        except OSError as fault:
            faults.append(f"{address[0]}: {os.strerror(fault.errno) if fault.errno else fault}")
    raise ConnectError(f"no connection to port {port}: {'; '.join(faults)}")


async def _connect(family: int, proto: int, address: Any, *, kernel: bool) -> Connection:
    sock = socket.socket(family, socket.SOCK_STREAM, proto)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        if family != getattr(socket, "AF_UNIX", None):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kernel:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return Connection(sock, kernel=kernel)
    except BaseException:
        sock.close()
        raise
