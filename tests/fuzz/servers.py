"""Servers that follow a script over real loopback sockets, whatever the client does meanwhile."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from fuzz.entries import contexts

Act = tuple[Literal["say", "wait_ms", "hear", "close", "reset", "half"], Any]
Script = tuple[Act, ...]
LINGER_NOT = struct.pack("ii", 1, 0)
LINE = b'{"message":{"content":"hi"},"done":true,"eval_count":4}\n'
ANSWER = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(LINE), LINE)
GOOD: Script = (("hear", None), ("say", ANSWER))


class Playing:
    """Scripts by the path of the request that asks for them; any other path is answered well."""

    def __init__(self, scripts: Mapping[str, Script]) -> None:
        """Nobody has asked yet."""
        self._scripts = scripts
        self._under_way = 0

    async def quiet(self) -> None:
        """Return when no script is under way and what was said has been received."""
        while self._under_way:
            await asyncio.sleep(0.001)
        for _ in range(5):
            await asyncio.sleep(0)

    async def talk(self, sock: socket.socket) -> None:
        """Play script after script until one of them ends the connection."""
        read = b""
        while True:
            path, length, read = await _asked(sock, read)
            self._under_way += 1
            try:
                for name, value in self._scripts.get(path, GOOD):
                    if name == "hear":
                        read = await _heard(sock, read, length)
                        length = 0
                    elif not await _played(sock, name, value):
                        return
            finally:
                self._under_way -= 1
            read = await _heard(sock, read, length)


async def _asked(sock: socket.socket, read: bytes) -> tuple[str, int, bytes]:
    while b"\r\n\r\n" not in read:
        read += await _more(sock)
    head, _, read = read.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head.split()[1].decode(), length, read


async def _heard(sock: socket.socket, read: bytes, length: int) -> bytes:
    while len(read) < length:
        read += await _more(sock)
    return read[length:]


async def _more(sock: socket.socket) -> bytes:
    data = await asyncio.get_running_loop().sock_recv(sock, 1 << 16)
    if not data:
        raise ConnectionResetError
    return data


async def _played(sock: socket.socket, name: str, value: Any) -> bool:
    match name:
        case "say":
            await asyncio.get_running_loop().sock_sendall(sock, value)
        case "wait_ms":
            await asyncio.sleep(value / 1000)
        case "half":
            sock.shutdown(socket.SHUT_WR)
        case "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
    return name not in ("close", "reset")


@asynccontextmanager
async def listening(talk: Callable[[socket.socket], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    """A server that talks so with everyone who connects; its port."""
    loop = asyncio.get_running_loop()
    talks: set[asyncio.Task[None]] = set()

    async def one(sock: socket.socket) -> None:
        with sock, suppress(OSError):
            await talk(sock)

    async def accept() -> None:
        while True:
            sock, _ = await loop.sock_accept(listener)
            talks.add(asyncio.create_task(one(sock)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        accepting = asyncio.create_task(accept())
        try:
            yield listener.getsockname()[1]
        finally:
            for task in (accepting, *talks):
                task.cancel()
            told = await asyncio.gather(accepting, *talks, return_exceptions=True)
    for fault in told:
        if isinstance(fault, Exception):
            raise fault


class Secure:
    """A server's end of TLS."""

    def __init__(self, sock: socket.socket) -> None:
        """Over this socket."""
        self._sock = sock
        self._to, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._end = contexts()[1].wrap_bio(self._to, self._out, server_side=True)

    async def shaken(self) -> None:
        """The handshake; a server of TLS 1.3 sends its tickets at once."""
        while True:
            try:
                self._end.do_handshake()
            except ssl.SSLWantReadError:
                await _played(self._sock, "say", self._out.read())
                self._to.write(await _more(self._sock))
            else:
                await _played(self._sock, "say", self._out.read())
                return

    async def heard(self) -> bytes:
        """What the client says next."""
        while True:
            try:
                return self._end.read(1 << 16)
            except ssl.SSLWantReadError:
                self._to.write(await _more(self._sock))

    def sealed(self, data: bytes) -> bytes:
        """The record to send so that the client hears `data`."""
        self._end.write(data)
        return self._out.read()
