"""When bytes arrived: the trace of one exchange, and the kernel's own receive stamps where it offers them (Linux)."""

import atexit
import socket
import struct
import sys
import time
from array import array

from olbench.readings import Ints

# linux/socket.h: SO_TIMESTAMPNS; Python does not name it. The control message carries a struct timespec.
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("ll")
ROOM = socket.CMSG_SPACE(TIMESPEC.size) if hasattr(socket, "CMSG_SPACE") else 0
# Two readings of the clocks' offset that differ by more than this mean that the wall clock was stepped.
STEP_NS = 100_000
FRESH_NS = 1_000_000


class Trace:
    """What one exchange has seen so far; whole or not, it can be read after a failure."""

    __slots__ = (
        "connect_ns",
        "head_ns",
        "headers",
        "marks",
        "offset",
        "parts",
        "sent_ns",
        "size",
        "source",
        "status",
        "unstamped",
    )

    def __init__(self) -> None:
        """An exchange that has not begun."""
        self.restart()

    def restart(self) -> None:
        """Forget a first attempt on a connection that the server had already closed."""
        self.connect_ns: int | None = None  # what a new connection took; 0: one was there
        self.sent_ns: int | None = None
        self.head_ns: int | None = None
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self.marks: Ints = array("q")  # pairs: stamp, bytes of body so far
        self.unstamped: list[
            int
        ] = []  # marks (by number) that the kernel left without a stamp: ours stands there
        self.source = "none"
        self.offset = 0

    def body(self) -> bytes:
        """The bytes of the body that have arrived."""
        return b"".join(self.parts)

    def header(self, name: bytes) -> str:
        """The value of the last header of that (lower-case) name, "" when there is none."""
        found = [value for key, value in self.headers if key.lower() == name]
        return found[-1].decode("latin-1") if found else ""


def offset() -> int:
    """Wall clock less monotonic clock in nanoseconds, the tightest of five readings."""
    best = (1 << 62, 0)
    for _ in range(5):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        best = min(best, (after - before, wall - (before + after) // 2))
    return best[1]


class Offset:
    """`offset`, read anew when the last reading is older than a millisecond: requests that start together share it."""

    __slots__ = ("_read_ns", "_value")

    def __init__(self) -> None:
        """Nothing is read yet."""
        self._read_ns = -FRESH_NS
        self._value = 0

    def at(self, moment_ns: int) -> int:
        """The offset at `moment_ns`, which is now."""
        if moment_ns - self._read_ns > FRESH_NS:
            self._value = offset()
            self._read_ns = moment_ns
        return self._value


def stepped(begun: int, ended: int) -> bool:
    """Whether the wall clock was set between two readings of `offset`; kernel stamps between them are worthless."""
    return abs(ended - begun) > STEP_NS


_held: tuple[socket.socket, socket.socket] | None = None


def kernel_stamps() -> bool:
    """Whether received bytes carry the kernel's stamp here; the first call may take some milliseconds.

    Linux switches stamping on by a deferred work item when the first socket asks for it, so one stamped pair is
    held open for the life of the process and this waits until that pair stamps.
    """
    global _held  # noqa: PLW0603 - the kernel's switch is per machine: one pair holds it for the process
    if _held is not None:
        return True
    if not sys.platform.startswith("linux"):
        return False
    _held = _stamping_pair(limit_ns=1_000_000_000)
    for one in _held or ():
        atexit.register(one.close)
    return _held is not None


def _stamping_pair(limit_ns: int) -> tuple[socket.socket, socket.socket] | None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        reader = socket.create_connection(listener.getsockname())
        writer, _ = listener.accept()
    try:
        reader.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        give_up = time.monotonic_ns() + limit_ns
        while time.monotonic_ns() < give_up:
            writer.send(b"x")
            if reader.recvmsg(8, ROOM)[1]:
                return reader, writer
            time.sleep(0.001)
    except OSError:
        pass  # a kernel that refuses the option (some sandboxes do) is a kernel without stamps
    reader.close()
    writer.close()
    return None
