"""From a URL to a connected socket: TCP over IPv4 and IPv6, TLS, Unix sockets."""

import asyncio
import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from olbench.apis.connection import Connection, Desk
from olbench.apis.stamps import SO_TIMESTAMPNS
from olbench.apis.tls import Tls


class ConnectError(Exception):
    """No connection could be made."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a server listens. `path`: of its Unix socket, host and port mean nothing then."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    path: str | None


def origin(url: str) -> Origin:
    """The origin of http://…, https://… or unix:///path; certificates are checked against the system's."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return Origin("localhost", 0, None, unquote(parts.path))
    secure = parts.scheme == "https"
    context = ssl.create_default_context() if secure else None
    return Origin(parts.hostname or "", parts.port or (443 if secure else 80), context, None)


async def connect(origin: Origin, desk: Desk, timeout_ns: int) -> Connection:
    """A connection to the first address of `origin` that answers. Raises ConnectError."""
    try:
        async with asyncio.timeout(timeout_ns / 1e9):
            return await _first(origin, desk)
    except TimeoutError as fault:
        raise ConnectError(f"no connection to {_place(origin)} within {timeout_ns / 1e9:g} s") from fault


async def _first(origin: Origin, desk: Desk) -> Connection:
    faults: list[str] = []
    for family, address in await _addresses(origin):
        try:
            return await _connected(origin, family, address, desk)
        except OSError as fault:
            said = fault.reason if isinstance(fault, ssl.SSLError) else None
            words = said or (os.strerror(fault.errno) if fault.errno and fault.errno > 0 else str(fault))
            faults.append(words if origin.path is not None else f"{address[0]}: {words}")
    raise ConnectError(f"no connection to {_place(origin)}: {'; '.join(faults)}")


def _place(origin: Origin) -> str:
    return f"socket {origin.path}" if origin.path is not None else f"port {origin.port}"


async def _addresses(origin: Origin) -> list[tuple[int, Any]]:
    if origin.path is not None:
        return [(socket.AF_UNIX, origin.path)]
    try:
        number = ipaddress.ip_address(origin.host)
    except ValueError:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        except OSError as fault:
            raise ConnectError(f"the name {origin.host} has no address: {fault}") from fault
        return [(family, address) for family, _, _, _, address in found]
    family = socket.AF_INET if number.version == 4 else socket.AF_INET6
    return [(family, (origin.host, origin.port))]


async def _connected(origin: Origin, family: int, address: Any, desk: Desk) -> Connection:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
        # The kernel stamps what comes from a network device, the loopback's included; Unix sockets have none.
        kernel = desk.kernel and origin.path is None
        if origin.path is None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if kernel:
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        tls = None
        if origin.tls is not None:
            tls = Tls(origin.tls, origin.host)
            await tls.shake(sock)
        return Connection(sock, desk, kernel=kernel, tls=tls)
    except BaseException:
        sock.close()
        raise
