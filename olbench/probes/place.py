"""Where a URL leads: which addresses, which port, and whether they are this machine's."""

import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import urlsplit

import psutil

ELSEWHERE = "the server is on another machine: its {what} cannot be seen from here"
DEFAULT_PORTS = {"http": 80, "https": 443}
OLLAMA_PORT = 11434  # of an address without a scheme

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads; `here` says that it is this machine, `reason` why it is not."""

    addresses: tuple[Address, ...]
    port: int
    here: bool
    reason: str


def place(url: str) -> Place:
    """Where `url` leads. A name is looked up, which may take as long as the resolver wants."""
    if url.startswith("unix:"):
        return Place(
            (),
            0,
            here=False,
            reason="the server listens on a Unix socket, where no port leads to its process",
        )
    parts = urlsplit(url if "://" in url else f"http://{url}")
    port = parts.port or (DEFAULT_PORTS.get(parts.scheme, 80) if "://" in url else OLLAMA_PORT)
    addresses = _addresses(parts.hostname or "", port)
    if not addresses:
        return Place((), port, here=False, reason="the server's name leads to no address")
    own = _own_addresses()
    here = any(one.is_loopback or one in own for one in addresses)
    return Place(addresses, port, here, "" if here else ELSEWHERE.format(what="RAM"))


def plain(address: Address) -> Address:
    """An IPv4 address in IPv6 clothes as IPv4."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def parsed(text: str) -> Address:
    """An address as text, without the interface that may follow it ("fe80::1%eth0")."""
    return ipaddress.ip_address(text.split("%", maxsplit=1)[0])


def _addresses(host: str, port: int) -> tuple[Address, ...]:
    try:
        found = [parsed(host)]
    except ValueError:
        found = _resolved(host, port)
    return tuple(dict.fromkeys(_reached(plain(one)) for one in found))


def _reached(address: Address) -> Address:
    """What a client reaches under "all addresses": loopback."""
    if address.is_unspecified:
        return ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return address


def _resolved(host: str, port: int) -> list[Address]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [parsed(str(row[4][0])) for row in rows]


def _own_addresses() -> set[Address]:
    return {
        parsed(one.address)
        for rows in psutil.net_if_addrs().values()
        for one in rows
        if one.family in (socket.AF_INET, socket.AF_INET6)
    }
