"""A request on its way out: what the socket does not take at once goes when there is room for it."""

import asyncio
import socket
from collections.abc import Callable


class Outgoing:
    """The sending side of a connection. `gone`: all that was given to `send` has been taken."""

    __slots__ = ("_broken", "_loop", "_rest", "_sock", "gone")

    def __init__(self, sock: socket.socket) -> None:
        """Send over a connected, non-blocking socket."""
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._broken: Callable[[OSError], None] | None = None
        self._rest = memoryview(b"")
        self.gone = True

    def send(self, parts: tuple[bytes, ...], broken: Callable[[OSError], None]) -> None:
        """Hand over a whole request; `broken` is told of a fault that ends the connection."""
        self.gone = False
        self._broken = broken
        try:
            sent = self._sock.sendmsg(parts)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as fault:
            self._refused(fault)
            return
        if sent == sum(map(len, parts)):
            self.stop()
            self.gone = True
        else:
            self._rest = memoryview(b"".join(parts))[sent:]
            self._loop.add_writer(self._sock, self._writable)

    def stop(self) -> None:
        """Send no more of it."""
        self._broken = None
        if self._rest:
            self._rest = memoryview(b"")
            self._loop.remove_writer(self._sock)

    def _writable(self) -> None:
        try:
            sent = self._sock.send(self._rest)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as fault:
            self._refused(fault)
            return
        if sent == len(self._rest):
            self.stop()
            self.gone = True
        else:
            self._rest = self._rest[sent:]

    def _refused(self, fault: OSError) -> None:
        broken = self._broken
        self.stop()
        # A server that wants no more of a request may have answered it: that is still to be read, and the end behind it.
        if broken is not None and not isinstance(fault, (BrokenPipeError, ConnectionResetError)):
            broken(fault)
