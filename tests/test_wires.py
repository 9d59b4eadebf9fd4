"""What lies below HTTP: addresses, TLS, Unix sockets, IPv6, proxies."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from listening import ANSWER, MS, PIECES, answer, asked, exchanged, limits, listening, silent

from olbench.apis import transport
from olbench.apis.connect import ConnectError
from olbench.apis.connection import CutOffError, StalledError
from olbench.apis.ollama import Ollama
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.apis.transport import proxy
from olbench.errors import ServerError

# --- addresses ----------------------------------------------------------------------------------------------------


def test_a_unix_socket_is_a_server_like_another_and_its_stamps_are_ours(tmp_path: Path) -> None:
    async def story() -> Trace:
        async with listening(answer, path=str(tmp_path / "with space.sock")):
            return await exchanged(f"unix://{tmp_path}/with%20space.sock", times=2)

    trace = asyncio.run(story())
    assert (trace.body(), trace.source) == (b"".join(PIECES), "user-space")


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_a_server_on_ipv6_is_reached() -> None:
    async def story() -> Trace:
        try:
            async with listening(answer, host="::1") as port:
                return await exchanged(f"http://[::1]:{port}")
        except OSError:
            pytest.skip("this machine has no IPv6 on loopback")

    assert asyncio.run(story()).body() == b"".join(PIECES)


def test_a_name_is_looked_up() -> None:
    async def story() -> Trace:
        async with listening(answer) as port:
            return await exchanged(f"http://localhost:{port}")

    assert asyncio.run(story()).body() == b"".join(PIECES)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1", "no connection to port 1: 127.0.0.1: Connection refused"),
        ("unix:///nowhere/x.sock", "no connection to socket /nowhere/x.sock: No such file or directory"),
        ("http://no-such-name.invalid:80", "the name no-such-name.invalid has no address"),
    ],
)
def test_where_nothing_listens_is_said(url: str, words: str) -> None:
    with pytest.raises(ConnectError, match=words):
        asyncio.run(exchanged(url))


# --- TLS ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "localhost").configure_cert(made)
    return made


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return


@pytest.mark.usefixtures("trusted")
def test_tls_carries_the_same_bytes_and_the_kernels_stamps(context: ssl.SSLContext) -> None:
    async def story() -> Trace:
        async with listening(answer, tls=context) as port:
            return await exchanged(f"https://127.0.0.1:{port}", times=3)

    trace = asyncio.run(story())
    assert trace.body() == b"".join(PIECES)
    assert trace.source == ("kernel" if kernel_stamps() else "user-space")
    assert trace.sent_ns is not None
    assert trace.sent_ns <= trace.marks[0]


@pytest.mark.usefixtures("trusted")
def test_tls_cut_at_any_place_is_the_same(context: ssl.SSLContext) -> None:
    async def piecewise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for byte in ANSWER:
            writer.write(bytes([byte]))
            await writer.drain()

    async def story() -> Trace:
        async with listening(piecewise, tls=context) as port:
            return await exchanged(f"https://127.0.0.1:{port}")

    assert asyncio.run(story()).body() == b"".join(PIECES)


def test_a_certificate_that_nobody_vouches_for_is_refused(context: ssl.SSLContext) -> None:
    async def story() -> None:
        async with listening(answer, tls=context) as port:
            await exchanged(f"https://127.0.0.1:{port}")

    with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(story())


def test_a_server_without_tls_is_no_https_server() -> None:
    async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        await reader.read()

    async def story() -> None:
        async with listening(garbage) as port:
            await exchanged(f"https://127.0.0.1:{port}")

    with pytest.raises(ConnectError, match=r"WRONG_VERSION_NUMBER|no connection"):
        asyncio.run(story())


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("whole", [True, False])
def test_the_end_of_tls_is_the_end_of_the_connection(context: ssl.SSLContext, *, whole: bool) -> None:
    async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello" if whole else ANSWER[:-7])
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def story() -> Trace:
        async with listening(closing, tls=context) as port:
            return await exchanged(f"https://127.0.0.1:{port}")

    if whole:
        assert asyncio.run(story()).body() == b"hello"
    else:
        with pytest.raises(CutOffError):
            asyncio.run(story())


# --- proxies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://box:11434", "http://proxy:3128"),
        ("https://box", "http://other:1"),
        ("http://inside.example:80", None),  # in no_proxy
        ("http://127.0.0.1:11434", None),
        ("http://[::1]:11434", None),
        ("http://localhost:11434", None),
        ("unix:///run/x.sock", None),
    ],
)
def test_the_environments_proxy_is_for_other_machines(
    url: str, found: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("http_proxy", "proxy:3128")
    monkeypatch.setenv("https_proxy", "http://other:1")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert proxy(url) == found


def test_what_goes_through_a_proxy_is_stamped_by_us_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> Trace:
        async with listening(answer) as port:
            monkeypatch.setattr(transport, "proxy", lambda _: f"http://127.0.0.1:{port}")
            return await exchanged("http://box.invalid:11434")

    trace = asyncio.run(story())
    assert (trace.body(), trace.source, trace.status) == (b"".join(PIECES), "user-space", 200)


def test_a_proxy_that_is_not_there_is_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "proxy", lambda _: "http://127.0.0.1:1")
    with pytest.raises(ConnectError):
        asyncio.run(exchanged("http://box.invalid:11434"))


@pytest.mark.parametrize("behind", [False, True])
def test_limits_hold_behind_a_proxy_too(monkeypatch: pytest.MonkeyPatch, *, behind: bool) -> None:
    async def story() -> None:
        async with listening(silent) as port:
            if behind:
                monkeypatch.setattr(transport, "proxy", lambda _: f"http://127.0.0.1:{port}")
            await exchanged(f"http://127.0.0.1:{port}", within=limits(total_ns=30 * MS))

    with pytest.raises(StalledError):
        asyncio.run(story())


def test_a_control_call_over_a_unix_socket(tmp_path: Path) -> None:
    async def story() -> str:
        path = tmp_path / "s"
        body = b'{"version":"0.1"}'

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            assert (await asked(reader)).startswith(b"GET /api/version HTTP/1.1\r\nHost: localhost\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()

        async with listening(serve, path=str(path)):
            api = Ollama(f"unix://{path}")
            version = await api.version()
            await api.close()
        missing = Ollama("unix:///nowhere/s")
        with pytest.raises(ServerError, match="No such file"):
            await missing.version()
        await missing.close()
        return version

    assert asyncio.run(story()) == "0.1"
