"""A raw connection to a scripted server in the same event loop: bytes out, and bytes in with their moments."""

import asyncio
import json
import socket
from typing import Any

from olbench.clock import now
from olbench.engines.scripted import Scripted

END = b"0\r\n\r\n"
OPEN: list["Phone"] = []


def hang_up() -> None:
    """Close all that a story has left open."""
    while OPEN:
        OPEN.pop().close()


class Phone:
    """One client. It is connected to nothing but the server, by a pair of sockets."""

    def __init__(self, server: Scripted, *, buffer: int | None = None) -> None:
        self.sock, theirs = socket.socketpair()
        self.sock.setblocking(False)
        if buffer is not None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        self.heard: list[tuple[int, bytes]] = []  # each receive, with its moment
        server.serve(theirs)
        OPEN.append(self)

    async def say(self, raw: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, raw)

    async def post(self, path: str, **body: Any) -> None:
        await self.say(request(path, **body))

    async def hear(self) -> bool:
        """Wait for the next bytes; False when there will be none."""
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, 1 << 20)
        except ConnectionResetError:
            data = b""
        if data:
            self.heard.append((now(), data))
        return bool(data)

    async def to_end(self) -> bytes:
        """All bytes until the server closes."""
        while await self.hear():
            pass
        return self.all()

    async def answer(self) -> bytes:
        """All bytes until an answer is whole."""
        while not whole(self.all()):
            assert await self.hear(), "closed before the answer was whole"
        return self.all()

    def all(self) -> bytes:
        return b"".join(data for _, data in self.heard)

    def close(self) -> None:
        self.sock.close()


def request(path: str, method: str = "POST", head: bytes = b"", **body: Any) -> bytes:
    raw = json.dumps(body).encode() if body else b""
    return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
        method.encode(),
        path.encode(),
        head,
        len(raw),
        raw,
    )


def whole(raw: bytes) -> bool:
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return False
    if b"chunked" in head:
        return body.endswith(b"\r\n" + END) or body == END
    return len(body) >= int(head.rpartition(b"Content-Length: ")[2])


def body(raw: bytes) -> bytes:
    """The body of a whole answer, its chunks joined."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return rest
    said = b""
    while rest and rest != END:
        size, _, rest = rest.partition(b"\r\n")
        said, rest = said + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    return said


def told(raw: bytes) -> Any:
    return json.loads(body(raw))


def lines(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in body(raw).splitlines()]


async def asked(server: Scripted, path: str, method: str = "GET", **fields: Any) -> Any:
    """What the server says of itself."""
    phone = Phone(server)
    await phone.say(request(path, method, **fields))
    raw = await phone.answer()
    phone.close()
    return told(raw)
