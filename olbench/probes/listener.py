"""Who listens at a place: the process that holds the port, or the reason why it cannot be seen."""

import ipaddress
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from olbench.probes.commands import PROC, command, program
from olbench.probes.place import Address, Place, parsed, plain

# Programs that hold a port for somebody else: what they use is not what the server uses.
FORWARDERS = {
    "docker-proxy": "a container",
    "com.docker.backend": "a container",
    "rootlessport": "a container",
    "slirp4netns": "a container",
    "pasta": "a container",
    "gvproxy": "a virtual machine",
    "wslrelay": "a virtual machine",
    "kubectl": "another machine",
    "ssh": "another machine",
    "sshd": "another machine",
    "nginx": "the server",
    "caddy": "the server",
    "haproxy": "the server",
    "traefik": "the server",
    "envoy": "the server",
    "socat": "the server",
}
# Servers that may be recognised by name where the system hides who holds a socket.
SERVERS = ("ollama", "llama-server")

_UID = re.compile(rb"^Uid:\s+(\d+)", re.MULTILINE)
_PARENT = re.compile(rb"^PPid:\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Listener:
    """The process that holds the port; `pid` None: it cannot be seen, and `reason` says why."""

    pid: int | None
    reason: str
    elsewhere: bool  # the server computes on another machine


@dataclass(frozen=True, slots=True, order=True)
class _Socket:
    """A listening socket as Linux shows it; `rank` 0 is bound to the very address, 1 to all."""

    rank: int
    inode: str
    uid: int


def find(spot: Place, proc: Path = PROC) -> Listener:
    """The process that listens at `spot`, as far as this user may see it."""
    if not spot.here:
        return Listener(None, spot.reason, elsewhere=True)
    listener = _find_linux(spot, proc) if sys.platform == "linux" else find_psutil(spot)
    if listener.pid is None:
        return listener
    name = program(command(listener.pid, proc))
    if name not in FORWARDERS:
        return listener
    target = FORWARDERS[name]
    reason = f"port {spot.port} is held by {name}, which passes on to {target} that cannot be seen from here"
    return Listener(None, reason, elsewhere=target == "another machine")


def find_psutil(spot: Place) -> Listener:
    """The same on a system whose sockets only psutil can list."""
    found = sorted(
        (rank, pid or 0)
        for address, port, pid in _listening_psutil()
        if port == spot.port and (rank := _rank(address, spot)) is not None
    )
    if not found:
        return _nobody(spot)
    pid = next((pid for _, pid in found if pid), None)
    return _hidden(spot) if pid is None else _seen(pid)


def _seen(pid: int) -> Listener:
    return Listener(pid, "", elsewhere=False)


def _nobody(spot: Place) -> Listener:
    reason = f"nobody is seen to listen on port {spot.port}: the server is down, or runs in a container"
    return Listener(None, reason, elsewhere=False)


def _hidden(spot: Place) -> Listener:
    reason = (
        f"port {spot.port} is held by a process of another user: run olbench as that user, or as an "
        "administrator, to see what the server uses"
    )
    return Listener(None, reason, elsewhere=False)


def _rank(address: Address, spot: Place) -> int | None:
    if address.is_unspecified:
        return 1
    return 0 if plain(address) in spot.addresses else None


# --- Linux ----------------------------------------------------------------------------------------------------


def _find_linux(spot: Place, proc: Path) -> Listener:
    first = min(_listening(proc, spot), default=None)
    if first is None:
        return _nobody(spot)
    holder = _holder(proc, first.inode)
    if holder is None:
        holder = _by_name(proc, first.uid)
    return _hidden(spot) if holder is None else _seen(holder)


def _listening(proc: Path, spot: Place) -> Iterator[_Socket]:
    for table in ("net/tcp", "net/tcp6"):
        try:
            lines = (proc / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for words in map(str.split, lines):
            address, port = words[1].split(":")
            if words[3] != "0A" or int(port, 16) != spot.port:
                continue
            rank = _rank(_unpacked(address), spot)
            if rank is not None:
                yield _Socket(rank, words[9], int(words[7]))


def _unpacked(text: str) -> Address:
    """An address as the kernel prints it: words of 32 bits in the machine's byte order, as hex."""
    words = (text[start : start + 8] for start in range(0, len(text), 8))
    return ipaddress.ip_address(b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words))


def _holder(proc: Path, inode: str) -> int | None:
    """The process that has the socket open; of a family that inherited it, the eldest."""
    pid = next((one for one in _numbers(proc) if _has(proc, one, inode)), None)
    while pid is not None:
        parent = _status(proc, pid, _PARENT)
        if parent is None or not _has(proc, parent, inode):
            return pid
        pid = parent
    return None


def _numbers(proc: Path) -> list[int]:
    return sorted(int(one.name) for one in proc.iterdir() if one.name.isdigit())


def _has(proc: Path, pid: int, inode: str) -> bool:
    wanted = f"socket:[{inode}]"
    try:
        files = list((proc / str(pid) / "fd").iterdir())
    except OSError:  # gone, or not ours to read
        return False
    return any(_target(one) == wanted for one in files)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # a busy server opens and closes files while we look
        return ""


def _by_name(proc: Path, uid: int) -> int | None:
    """The one server among the processes of the socket's owner, where who holds it may not be read.

    A server installed as a service runs as a user of its own; anybody may read its command line and its memory,
    but not its open files.
    """
    named = [one for one in _numbers(proc) if program(command(one, proc)) in SERVERS]
    owned = [one for one in named if _status(proc, one, _UID) == uid]
    eldest = [one for one in owned if _status(proc, one, _PARENT) not in owned]
    return eldest[0] if len(eldest) == 1 else None


def _status(proc: Path, pid: int, pattern: re.Pattern[bytes]) -> int | None:
    try:
        found = pattern.search((proc / str(pid) / "status").read_bytes())
    except OSError:
        return None
    return int(found[1]) if found else None


# --- other systems --------------------------------------------------------------------------------------------


def _listening_psutil() -> Iterator[tuple[Address, int, int | None]]:
    for status, laddr, pid in _rows_psutil():
        if status == psutil.CONN_LISTEN and laddr:
            yield parsed(laddr[0]), laddr[1], pid


def _rows_psutil() -> Iterator[tuple[str, tuple[str, int] | tuple[()], int | None]]:
    try:
        rows = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS lists all sockets for root alone, and for others those of their own
        yield from _own_rows_psutil()
        return
    yield from ((one.status, one.laddr, one.pid) for one in rows)


def _own_rows_psutil() -> Iterator[tuple[str, tuple[str, int] | tuple[()], int | None]]:
    for process in psutil.process_iter():
        try:
            rows = process.net_connections("tcp")
        except psutil.Error:
            continue
        yield from ((one.status, one.laddr, process.pid) for one in rows)
