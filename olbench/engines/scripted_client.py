"""The socket of one client: bytes in, with the stamp of their receive, and bytes out at once."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from olbench.apis.stamps import ROOM, SO_TIMESTAMPNS, TIMESPEC, offset
from olbench.clock import now
from olbench.engines import scripted_http as http

_AT_ONCE = 64 * 1024  # bytes of one receive; malloc maps and unmaps larger buffers each time
_MOST_WAITING = 2 * http.MOST_BODY  # bytes that came before they were asked for


class Client:
    """Who asked, and is answered. One request at a time; those that came early wait in the buffer."""

    def __init__(self, sock: socket.socket, *, kernel: bool) -> None:
        """Take over a connected socket; `kernel` says that the kernel stamps what it receives."""
        sock.setblocking(False)
        self._sock = sock
        self._kernel = kernel
        self.when_lost: Callable[[], object] = lambda: (
            None
        )  # called when the client goes before it is answered
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._marks: deque[tuple[int, int, str]] = (
            deque()
        )  # bytes so far, the stamp of their receive, its source
        self._received = self._taken = 0  # bytes
        self._waiter: asyncio.Future[None] | None = None
        self._unsent = b""
        self._when_room: Callable[[], object] | None = None
        self._gone = False
        self._loop.add_reader(sock, self._readable)

    # --- receiving -------------------------------------------------------------------------------------------

    async def request(self) -> http.Asked | None:
        """The next request, None when the client has closed. Raises RefusedError."""
        while not self._gone:
            size = http.size(self._buffer)
            if size is not None:
                raw = bytes(self._buffer[:size])
                del self._buffer[:size]
                return http.asked(raw, *self._stamped(size))
            await self._more()
        return None

    async def gone(self) -> None:
        """Say nothing until the client has closed, whatever it says."""
        while not self._gone:
            self._buffer.clear()
            self._marks.clear()
            await self._more()

    async def _more(self) -> None:
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _stamped(self, size: int) -> tuple[int, str]:
        # The receive that held the last of the next `size` bytes.
        self._taken += size
        while self._marks[0][0] < self._taken:
            self._marks.popleft()
        return self._marks[0][1:]

    def _readable(self) -> None:
        try:
            data, control = self._receive()
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, control = b"", b""
        if not data or len(self._buffer) > _MOST_WAITING:
            self._lost()
            return
        self._buffer += data
        self._received += len(data)
        self._marks.append((self._received, *_moment(control)))
        self._wake()

    def _receive(self) -> tuple[bytes, bytes]:
        if not self._kernel:
            return self._sock.recv(_AT_ONCE), b""
        data, controls, _, _ = self._sock.recvmsg(_AT_ONCE, ROOM)
        return data, next((one for _, kind, one in controls if kind == SO_TIMESTAMPNS), b"")

    def _lost(self) -> None:
        self._gone = True
        self._loop.remove_reader(self._sock)
        if not self._wake():
            self.when_lost()

    def _wake(self) -> bool:
        if self._waiter is None:
            return False
        if not self._waiter.done():
            self._waiter.set_result(None)
        return True

    # --- sending ---------------------------------------------------------------------------------------------

    def hand(self, data: bytes) -> int | None:
        """Hand the bytes to the socket; the moment just before that, None when it takes nothing now.

        What it leaves over follows as soon as it has room.
        """
        if self._unsent or self._gone:
            return None
        stamp = now()
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError:
            self._lost()
            return None
        if sent < len(data):
            self._unsent = data[sent:]
            self._loop.add_writer(self._sock, self._writable)
        return stamp

    def when_room(self, then: Callable[[], object]) -> None:
        """Call `then` once, when the socket has taken all so far and takes more; never if the client goes first."""
        if not self._gone:
            self._when_room = then
            self._loop.add_writer(self._sock, self._writable)

    async def send(self, data: bytes) -> int:
        """Send the bytes, all of them; the moment just before the first."""
        while (stamp := self.hand(data)) is None:
            await self._room()
        if self._unsent:
            await self._room()
        return stamp

    async def _room(self) -> None:
        if self._gone:
            raise ConnectionResetError("the client has gone")
        room = asyncio.Event()
        self.when_room(room.set)
        await room.wait()

    def _writable(self) -> None:
        left, self._unsent = self._unsent, b""
        if left and self.hand(left) is None and not self._gone:
            self._unsent = left
        if self._unsent:
            return
        self._loop.remove_writer(self._sock)
        then, self._when_room = self._when_room, None
        if then is not None and not self._gone:
            then()

    # --- ending ----------------------------------------------------------------------------------------------

    async def refuse(self, why: http.RefusedError) -> None:
        """Answer what is no request; what follows it cannot be understood, so it is the last answer."""
        await self.send(http.answer({"error": str(why)}, status=why.status))
        # Closed with bytes unread the connection would be reset, and the answer with it.
        with suppress(OSError):  # it may have gone
            self._sock.shutdown(socket.SHUT_WR)
        await self.gone()

    def drop(self) -> None:
        """Close in the middle of whatever was said; what was written before still arrives."""
        self.close()
        raise ConnectionAbortedError("dropped on purpose")

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._gone = True
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()


def _moment(control: bytes) -> tuple[int, str]:
    if len(control) != TIMESPEC.size:
        return now(), "user-space"
    seconds, nanoseconds = TIMESPEC.unpack(control)
    return seconds * 1_000_000_000 + nanoseconds - offset(), "kernel"
