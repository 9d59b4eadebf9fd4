"""The address of a server, read by the rules that Ollama has for OLLAMA_HOST."""

import ipaddress
import re
from urllib.parse import quote

DEFAULT = "http://127.0.0.1:11434"
_PORTS = {"http": 80, "https": 443}
_OLLAMA_PORT = 11434
_HOST_PORT = re.compile(r"(?:\[(?P<six>[^\[\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>[^:\[\]]*)")
_HOST = re.compile(r"[\w.-]+")


def parse(value: str) -> str:
    """The URL that a client of Ollama speaks to when OLLAMA_HOST is `value`: scheme, host, port, path prefix.

    As Ollama does it, a port that is none becomes the default. ValueError, without the value in its sentence
    where that may hold a password, when no host can be made of it.
    """
    scheme, host, port, path = _parts(value)
    number = _port(port)
    return _url(scheme, host, _default_port(value, scheme) if number is None else number, path)


def parse_strictly(value: str) -> str:
    """`parse`, but a port that is none is a ValueError: a scenario's address is meant as it is written.

    It may also be a Unix socket: unix:///run/server.sock.
    """
    if _bare(value).lower().startswith("unix:"):
        return _unix(_bare(value))
    scheme, host, port, path = _parts(value)
    number = _port(port)
    if number is None and port is not None:
        raise ValueError(f'its port is "{port}"; a port is a whole number from 1 to 65535')
    return _url(scheme, host, _default_port(value, scheme) if number is None else number, path)


def _unix(text: str) -> str:
    """The URL of unix:/path or unix:///path."""
    path = text[len("unix:") :].removeprefix("//")
    if not path.startswith("/") or path == "/":
        raise ValueError(f'its path is "{path}"; unix:///run/server.sock would do')
    return f"unix://{quote(path)}"


def _parts(value: str) -> tuple[str, str, str | None, str]:
    text = _bare(value)
    before, mark, rest = text.partition("://")
    scheme, rest = (before.lower(), rest) if mark else ("https" if text == "ollama.com" else "http", text)
    if scheme not in _PORTS:
        raise ValueError(f'its scheme is "{scheme}"; http or https would do')
    authority, _, path = rest.partition("/")
    if "@" in authority:
        raise ValueError("it holds a user name or a password; server.token_env names a variable with a token")
    if "?" in rest or "#" in rest:
        raise ValueError("it holds a query or a fragment; scheme, host, port and path would do")
    host, port = _host_and_port(authority)
    return scheme, host, port, path.strip("/")


def _bare(value: str) -> str:
    return value.strip().strip("\"'").strip()


def _host_and_port(authority: str) -> tuple[str, str | None]:
    found = _HOST_PORT.fullmatch(authority)
    host = authority.strip("[]") if found is None else (found["six"] or found["host"] or "")
    port = None if found is None else found["port"]
    return _connectable(host), port


def _connectable(host: str) -> str:
    """The host that a client connects to: a bind address (0.0.0.0, ::, none) becomes loopback."""
    try:
        address = ipaddress.ip_address(host or "0.0.0.0")  # noqa: S104 - nothing binds here
    except ValueError:
        if _HOST.fullmatch(host):
            return host
        raise ValueError(f'its host is "{host}"; a name or an IP address would do') from None
    if address.is_unspecified:
        return "127.0.0.1" if address.version == 4 else "::1"
    return str(address)


def _port(port: str | None) -> int | None:
    """The port as a number; None when there is none, or none that can be."""
    if port is None or not re.fullmatch(r"[0-9]{1,5}", port) or not 1 <= int(port) <= 65535:
        return None
    return int(port)


def _default_port(value: str, scheme: str) -> int:
    text = _bare(value)
    return _PORTS[scheme] if "://" in text or text == "ollama.com" else _OLLAMA_PORT


def _url(scheme: str, host: str, port: int, path: str) -> str:
    authority = f"[{host}]" if ":" in host else host
    return f"{scheme}://{authority}:{port}" + (f"/{path}" if path else "")
