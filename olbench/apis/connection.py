"""One HTTP/1.1 connection: a socket, one exchange at a time, a stamp for each receive."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

from olbench.apis.http1 import NotHttpError, Response
from olbench.apis.outgoing import Outgoing
from olbench.apis.patience import NEVER_NS, Patience
from olbench.apis.stamps import ROOM, TIMESPEC, Offset, Trace, offset, stepped
from olbench.apis.tls import Tls
from olbench.clock import now

ROOM_OF_A_RECEIVE = 256 * 1024


class CutOffError(Exception):
    """The server closed or reset the connection before the response was whole."""


class StalledError(Exception):
    """The response did not come within its limits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long an exchange may take, in nanoseconds, from the moment of sending or from the last byte."""

    first_ns: int  # to the first byte of an answer
    between_ns: int  # from one receive to the next
    total_ns: int


@dataclass(frozen=True, slots=True)
class Desk:
    """What all connections of one transport share: receives are copied out of `buffer` before the next one."""

    kernel: bool  # whether the kernel stamps receives
    buffer: bytearray
    into: list[memoryview]
    offset: Offset
    patience: Patience


def desk(*, kernel: bool) -> Desk:
    """A desk of its own."""
    buffer = bytearray(ROOM_OF_A_RECEIVE)
    return Desk(kernel, buffer, [memoryview(buffer)], Offset(), Patience())


class Connection:
    """A connected socket. Its owner calls `exchange` when no other exchange is under way.

    Used with a selector event loop (Linux, macOS). Receives are stamped by the kernel where the desk says that it
    does, else in the socket's callback, right after the read.
    """

    def __init__(self, sock: socket.socket, desk: Desk, *, kernel: bool, tls: Tls | None = None) -> None:
        """Take over a connected, non-blocking socket; `kernel`: its receives carry stamps."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._desk = desk
        self._kernel = kernel
        self._tls = tls
        self._trace: Trace | None = None
        self._response: Response | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._on_body: Callable[[], None] | None = None
        self._out = Outgoing(sock)
        self._head_only = False
        self._keep = True
        self.closed = False
        self.used = False  # has carried an exchange before
        self.cut = ""  # why the last exchange broke off
        self.stalled = False  # it did so by a limit of ours
        self._loop.add_reader(sock, self._readable_stamped if kernel else self._readable)

    async def exchange(
        self,
        data: tuple[bytes, bytes],
        trace: Trace,
        limits: Limits,
        *,
        on_body: Callable[[], None] | None = None,
    ) -> None:
        """Send a whole request (head, body) and return when the response is whole; `trace` fills meanwhile.

        With `on_body`, which is called at each piece and at the end, it returns when the head is whole. Raises
        CutOffError, NotHttpError, StalledError; a cancelled exchange closes the socket.
        """
        waiter = self._begin(trace, limits, on_body)
        try:
            self._send(data, trace)
            await waiter
        except BaseException:
            self.close()
            raise

    @property
    def reusable(self) -> bool:
        """Whether the next exchange may use this connection."""
        return not self.closed and self._trace is None and self._keep

    def left(self) -> bool:
        """Whether the server has closed an idle connection, and the loop had no turn yet to hear of it."""
        try:
            return self._sock.recv(1, socket.MSG_PEEK) == b""
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True

    @property
    def busy(self) -> bool:
        """Whether a response is still coming."""
        return self._trace is not None

    def close(self) -> None:
        """Close the socket; an exchange under way fails with CutOffError."""
        if self.closed:
            return
        self.closed = True
        self._out.stop()
        self._loop.remove_reader(self._sock)
        self._sock.close()
        self._lost("the connection was closed on our side")

    # --- sending ---------------------------------------------------------------------------------------------

    def _begin(
        self, trace: Trace, limits: Limits, on_body: Callable[[], None] | None
    ) -> asyncio.Future[None]:
        self._trace = trace
        self._response = Response(trace, watched=on_body is not None)
        self._on_body = on_body
        self._head_only = on_body is not None
        self._limits = limits
        self._began = began = now()
        self._last: int | None = None
        soonest = min(limits.first_ns, limits.between_ns, limits.total_ns)
        self._desk.patience.watch(self, began + soonest)
        if self._kernel:
            trace.source = "kernel"
            trace.offset = self._desk.offset.at(began)
        else:
            trace.source = "user-space"
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _send(self, data: tuple[bytes, bytes], trace: Trace) -> None:
        plain: tuple[bytes, ...] = data
        if self._tls is not None:
            try:
                plain = (self._tls.sealed(b"".join(data)),)
            except OSError as fault:
                self._broken(fault)
                return
        self.used = True
        trace.sent_ns = now()
        self._out.send(plain, self._broken)

    # --- receiving -------------------------------------------------------------------------------------------

    def _readable(self) -> None:
        try:
            size = self._sock.recv_into(self._desk.buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            self._broken(fault)
            return
        self._received(size, now(), stamped=True)

    def _readable_stamped(self) -> None:
        try:
            size, control, _, _ = self._sock.recvmsg_into(self._desk.into, ROOM)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            self._broken(fault)
            return
        if control and self._trace is not None:
            seconds, nanoseconds = TIMESPEC.unpack(control[0][2])
            self._received(size, seconds * 1_000_000_000 + nanoseconds - self._trace.offset, stamped=True)
        else:
            self._received(size, now(), stamped=False)

    def _received(self, size: int, stamp: int, *, stamped: bool) -> None:
        data, last = bytes(self._desk.into[0][:size]), not size
        try:
            if self._tls is not None and size:
                data, last = self._opened(self._tls, data)
            if data:
                self._take(data, stamp, stamped=stamped)
        except NotHttpError as fault:
            self._fail(fault)
            self.close()
        except OSError as fault:
            self._broken(fault)
        else:
            if last:
                self._ended()

    def _take(self, data: bytes, stamp: int, *, stamped: bool) -> None:
        response = self._response
        if response is None:
            self._ended()  # bytes between two exchanges: this is no HTTP server
            return
        self._last = stamp
        response.take(data, stamp, stamped=stamped)
        if response.done:
            self._done()
        elif self._on_body is not None:
            self._watched(response)

    def _opened(self, tls: Tls, data: bytes) -> tuple[bytes, bool]:
        plain = tls.opened(data)
        if owed := tls.owed():
            self._sock.send(owed)
        return plain

    def _watched(self, response: Response) -> None:
        if response.headed and self._head_only:
            self._head_only = False
            self._wake()
        if self._on_body is not None:
            self._on_body()

    def _ended(self) -> None:
        try:
            if self._response is not None and self._response.ended():
                self._done()
        except NotHttpError as fault:
            self._fail(fault)
        self._lost("the server closed the connection before the response was whole")
        self.close()

    def _broken(self, fault: OSError) -> None:
        self._lost(f"the connection broke: {fault}")
        self.close()

    def look(self, at_ns: int) -> int:
        """End the exchange if a limit has passed; when the next one may have. Not moved at each receive: see Patience."""
        limits = self._limits
        quiet = self._began + limits.first_ns if self._last is None else self._last + limits.between_ns
        due = min(quiet, self._began + limits.total_ns)
        if at_ns < due:
            return due
        self._fail(StalledError(_stall(limits, self._began, self._last, at_ns)))
        self.close()
        return NEVER_NS

    # --- the end ---------------------------------------------------------------------------------------------

    def _lost(self, why: str) -> None:
        if self._trace is not None:
            self._fail(CutOffError(why))

    def _fail(self, fault: Exception) -> None:
        response, self._response = self._response, None
        if response is not None:
            try:
                response.flush()  # what was held came, too
            except NotHttpError as worse:
                fault = worse
            if response.done:  # the bytes behind its end hid it
                self._response = response
                self._done()
                return
        self.cut = str(fault)
        self.stalled = isinstance(fault, StalledError)
        self._keep = False
        waiter = self._release()
        if waiter is not None and not waiter.done():
            waiter.set_exception(fault)
        if self._on_body is not None:
            self._on_body()

    def _done(self) -> None:
        trace, response = self._trace, self._response
        self._response = None
        # What has not gone of this request would be the beginning of the next one.
        self._keep = response is not None and response.keep and self._out.gone
        if trace is not None and self._kernel:
            if stepped(trace.offset, offset()):
                trace.source = "stepped"
            elif trace.unstamped:
                trace.source = "user-space"  # of some: the weaker word is the honest one
        self._wake()
        self._release()
        if self._on_body is not None:
            self._on_body()

    def _release(self) -> asyncio.Future[None] | None:
        self._trace = None
        self._out.stop()
        self._desk.patience.forget(self)
        waiter, self._waiter = self._waiter, None
        return waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _stall(limits: Limits, began: int, last: int | None, at: int) -> str:
    total = at - began >= limits.total_ns
    if last is None:
        return f"no byte of an answer within {(limits.total_ns if total else limits.first_ns) / 1e9:g} s"
    if total:
        limit = f"{limits.total_ns / 1e9:g} s"
        return f"not done within {limit}; the last byte came {(at - last) / 1e9:.1f} s before that"
    return f"the stream stopped: no byte for {limits.between_ns / 1e9:g} s"
