"""What lies below HTTP: TLS, Unix sockets, IPv6, proxies, limits; and what broken servers do to them."""

import asyncio
import gzip
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from olbench.apis import transport
from olbench.apis.connect import ConnectError, connect, origin
from olbench.apis.connection import CutOffError, Limits, StalledError, desk
from olbench.apis.http1 import NotHttpError, Response
from olbench.apis.ollama import Ollama
from olbench.apis.stamps import Trace, kernel_stamps
from olbench.apis.transport import FOREVER_NS, Transport, proxy
from olbench.errors import ServerError
from olbench.model import UNSTAMPED, Cell, Request, Sample

MS = 1_000_000
SECOND = 1000 * MS
Serving = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECES = (b'{"response":"a"}\n', b'{"response":"b"}\n', b'{"done":true}\n')


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ANSWER = HEAD + b"".join(chunk(one) for one in PIECES) + b"0\r\n\r\n"


@asynccontextmanager
async def listening(
    serve: Serving, *, host: str = "127.0.0.1", path: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """A server; its port."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client is gone
        finally:
            writer.transport.abort()

    if path is not None:
        server = await asyncio.start_unix_server(one, path)
    else:
        server = await asyncio.start_server(one, host, 0, ssl=tls)
    try:
        yield 0 if path else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.sleep(0)


async def asked(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
    return head + await reader.readexactly(length)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await asked(reader)
        writer.write(ANSWER)
        await writer.drain()


def limits(*, first_ns: int = FOREVER_NS, between_ns: int = FOREVER_NS, total_ns: int = 5 * SECOND) -> Limits:
    return Limits(first_ns=first_ns, between_ns=between_ns, total_ns=total_ns)


async def exchanged(url: str, *, times: int = 1, within: Limits | None = None, **options: Any) -> Trace:
    """The trace of the last of `times` exchanges."""
    one = Transport(url, **options)
    trace = Trace()
    try:
        for _ in range(times):
            trace = Trace()
            head = b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
            base = "http://localhost" if url.startswith("unix:") else url
            await one.exchange(f"{base}/x", head, b"{}", trace, within or limits())
    finally:
        await one.aclose()
    return trace


def through(serve: Serving, **options: Any) -> Trace:
    async def story() -> Trace:
        async with listening(serve) as port:
            return await exchanged(f"http://127.0.0.1:{port}", **options)

    return asyncio.run(story())


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


# --- limits -------------------------------------------------------------------------------------------------------


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asked(reader)
    writer.write(HEAD + chunk(PIECES[0]))
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize(
    ("serve", "within", "words"),
    [
        (silent, limits(first_ns=20 * MS), "no byte of an answer within 0.02 s"),
        (silent, limits(total_ns=30 * MS), "no byte of an answer within 0.03 s"),
        (half, limits(between_ns=20 * MS), "the stream stopped: no byte for 0.02 s"),
        (
            half,
            limits(first_ns=10 * SECOND, total_ns=30 * MS),
            "not done within 0.03 s; the last byte came 0.0 s",
        ),
    ],
)
def test_each_limit_has_its_own_words(serve: Serving, within: Limits, words: str) -> None:
    with pytest.raises(StalledError, match=words):
        through(serve, within=within)


def test_a_stream_that_goes_on_is_never_stalled() -> None:
    async def steady(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(HEAD)
        for _ in range(10):
            writer.write(chunk(PIECES[0]))
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    trace = through(steady, within=limits(first_ns=100 * MS, between_ns=100 * MS))
    assert len(trace.marks) == 2 * 10


def test_a_connection_that_is_never_taken_up_is_given_up() -> None:
    async def story() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            kept = [await connect(origin(url), desk(kernel=False), SECOND)]
            try:
                while True:  # until the backlog is full and the kernel leaves us waiting
                    kept.append(await connect(origin(url), desk(kernel=False), 50 * MS))
            finally:
                for one in kept:
                    one.close()

    with pytest.raises(ConnectError, match=r"no connection to port \d+ within 0.05 s"):
        asyncio.run(story())


# --- what a broken server can do ----------------------------------------------------------------------------------


def saying(*pieces: bytes) -> Serving:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    return serve


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        ((HEAD, b"5;" + b"a" * 100, b"zz\r\n"), "no byte|not HTTP|stopped"),
        ((HEAD, b"zz\r\nhello\r\n"), "the answer is not HTTP"),
        ((HEAD, chunk(PIECES[0]), b"-5\r\nhello\r\n"), "the answer is not HTTP"),
        ((HEAD, b"ffffffffffffffffff\r\n"), "the answer is not HTTP"),
        ((b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" * 4000,), "head is larger than 64 KiB"),
        ((b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",), "the answer is not HTTP"),
        ((b"\x16\x03\x01\x02\x00",), "the answer is not HTTP"),
    ],
)
def test_what_is_not_http_is_said_at_once(pieces: tuple[bytes, ...], words: str) -> None:
    with pytest.raises((NotHttpError, StalledError), match=words):
        through(saying(*pieces), within=limits(between_ns=200 * MS))


def test_what_follows_a_response_is_not_taken_for_the_next_one() -> None:
    trace = through(saying(ANSWER + ANSWER), times=1)
    assert trace.body() == b"".join(PIECES)

    async def both(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(ANSWER + b"HTTP/1.1 500 Oops\r\n\r\n")
        await writer.drain()
        await reader.read()

    assert through(both, times=3).status == 200


def test_an_endless_body_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("olbench.apis.http1.MOST_BODY", 1 << 20)

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(HEAD)
        while True:
            writer.write(chunk(b"x" * 10_000))
            await writer.drain()

    with pytest.raises(NotHttpError, match="larger than 256 MiB"):
        through(endless)


def test_receives_are_held_until_the_end_and_stamped_one_by_one() -> None:
    trace = Trace()
    response = Response(trace)
    response.take(HEAD, 1, stamped=True)
    for number, piece in enumerate(PIECES):
        response.take(chunk(piece), 10 + number, stamped=number != 1)
    assert (trace.parts, response.headed, response.done) == ([], True, False)
    response.take(b"0\r", 20, stamped=True)  # too short to be judged by its end: all is parsed
    assert trace.parts == list(PIECES)
    response.take(b"\n\r\n", 21, stamped=True)
    assert response.done
    assert list(trace.marks) == [10, 17, 11, 34, 12, 48]
    assert (trace.head_ns, trace.unstamped) == (1, [1])


# --- as outcomes --------------------------------------------------------------------------------------------------


def sampled(serve: Serving, cell: Cell, request: Request, **options: Any) -> Sample:
    async def story() -> Sample:
        async with listening(serve) as port:
            api = Ollama(f"http://127.0.0.1:{port}", **options)
            wire = api.encode(cell, request)
            reply = await api.send(wire, 0, 2 * SECOND)
            await api.close()
            return api.sample(cell, wire, reply, 0)

    return asyncio.run(story())


@pytest.mark.parametrize(
    ("said", "outcome", "words"),
    [
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
            "http_error",
            "status 302",
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
            % (len(gzip.compress(b"{}", mtime=0)), gzip.compress(b"{}", mtime=0)),
            "http_error",
            "the answer came as gzip, which was not asked for",
        ),
        (HEAD + chunk(b'{"response":"\xff\xfe"}\n') + b"0\r\n\r\n", "stream_error", "line 1"),
        (HEAD + chunk(b"x" * 3_000_000) + b"0\r\n\r\n", "stream_error", "line 1"),
    ],
)
def test_what_is_strange_ends_as_an_outcome(
    said: bytes, outcome: str, words: str, cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    sample = sampled(saying(said), cell(), request_of())
    assert (sample.outcome, sample.words[: len(words)]) == (outcome, words)
    assert len(sample.words) < 500


def test_a_stream_that_stops_is_stalled(
    cell: Callable[..., Cell], request_of: Callable[..., Request]
) -> None:
    sample = sampled(half, cell(), request_of(), stall_timeout_ns=20 * MS)
    assert (sample.outcome, sample.words) == ("stalled", "the stream stopped: no byte for 0.02 s")
    assert len(sample.chunks) == 1  # what came is kept


def test_a_stamp_that_the_kernel_left_out_is_counted(
    cell: Callable[..., Cell], request_of: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not kernel_stamps():
        pytest.skip("the kernel stamps nothing here")
    # The option is never set on the socket: no receive carries a stamp, as in the first moments of a machine.
    monkeypatch.setattr("olbench.apis.connect.SO_TIMESTAMPNS", socket.SO_KEEPALIVE)
    sample = sampled(saying(ANSWER), cell(), request_of(), kernel_stamps=True)
    assert sample.stamps == "user-space"
    assert all(bits & UNSTAMPED for bits in sample.chunks.kind)


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
