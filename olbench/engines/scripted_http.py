"""As much of HTTP/1.1 as the scripted engine needs, as bytes: no socket here."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MOST_HEAD = 64 * 1024
MOST_BODY = 16 * 1024 * 1024
END = b"0\r\n\r\n"  # of a stream of chunks

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    404: "Not Found",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}
_FIRST = re.compile(rb"([A-Z]+) (\S+) HTTP/1\.([01])")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?:\r\n|$)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)


class RefusedError(Exception):
    """What came is no request that can be answered; `status` and the sentence are the answer."""

    def __init__(self, status: int, sentence: str) -> None:
        """Keep the status."""
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its JSON body decoded ({} where there is none)."""

    method: str
    path: str
    body: dict[str, Any]
    authorization: str | None
    keep: bool  # the connection stays open after the answer
    read_ns: int  # its last byte arrived
    stamps: str  # who says so: "kernel", "user-space"


def size(buffer: bytearray) -> int | None:
    """Bytes of the request with which the buffer begins; None while it is not whole. Raises RefusedError."""
    end = buffer.find(b"\r\n\r\n", 0, MOST_HEAD)
    if end < 0:
        if len(buffer) >= MOST_HEAD:
            raise RefusedError(431, f"the request's head is larger than {MOST_HEAD // 1024} KiB")
        return None
    if _CHUNKED.search(buffer, 0, end):
        raise RefusedError(411, "a request's body needs a Content-Length here")
    found = _LENGTH.search(buffer, 0, end + 2)
    length = int(found[1]) if found else 0
    if length > MOST_BODY:
        raise RefusedError(413, f"the request's body is larger than {MOST_BODY >> 20} MiB")
    whole = end + 4 + length
    return whole if len(buffer) >= whole else None


def asked(raw: bytes, read_ns: int, stamps: str) -> Asked:
    """A whole request. Raises RefusedError."""
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    found = _FIRST.fullmatch(first)
    if found is None:
        raise RefusedError(400, "the request does not begin with a method, a path and HTTP/1.1")
    fields = {name.lower(): value.strip() for name, _, value in (one.partition(b":") for one in lines)}
    authorization = fields.get(b"authorization")
    return Asked(
        method=found[1].decode("latin-1"),
        path=found[2].partition(b"?")[0].decode("latin-1"),
        body=_decoded(body) if body else {},
        authorization=None if authorization is None else authorization.decode("latin-1"),
        keep=found[3] == b"1" and fields.get(b"connection", b"").lower() != b"close",
        read_ns=read_ns,
        stamps=stamps,
    )


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise RefusedError(400, f"the request's body is not JSON: {fault}") from fault
    if not isinstance(found, dict):
        raise RefusedError(400, "the request's body is not a JSON object")
    return found


def head(kind: str) -> bytes:
    """The head of a stream of chunks."""
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()


def chunk(raw: bytes) -> bytes:
    """The bytes as one chunk."""
    return b"%x\r\n%b\r\n" % (len(raw), raw)


def whole(body: bytes, kind: str, *, status: int = 200) -> bytes:
    """A whole answer of any kind."""
    top = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return top.encode() + body


def answer(body: Mapping[str, Any], *, status: int = 200) -> bytes:
    """A whole JSON answer."""
    return whole(json.dumps(body).encode(), "application/json", status=status)
