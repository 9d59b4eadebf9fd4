"""Valid responses built piece by piece, so that what a parser must say of them is known."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

# Bytes that look like something else where they stand.
NASTY = (
    *(b"0\r\n\r\n", b"\r\n\r\n", b"\r\n", b"\n", b"5\r\nhello\r\n", b"HTTP/1.1 200 OK\r\n\r\n"),
    *(b"\0", b"\xff\xfe", b"\x16\x03\x01", b'{"done":true}\n', b"x" * 70, b"0"),
)
FRAMINGS = ("chunked", "sized", "to the end")
BARE = (204, 304)  # heads that never have a body behind them


@dataclass(frozen=True, slots=True)
class Built:
    """A whole response, and where in it each byte of its body stands."""

    raw: bytes
    status: int
    headed: int  # bytes up to the end of the head
    places: tuple[int, ...]
    to_the_end: bool
    keep: bool

    @property
    def body(self) -> bytes:
        """The bytes of its body."""
        return bytes(self.raw[place] for place in self.places)


@dataclass(frozen=True, slots=True)
class Receive:
    """What one read of the socket gave."""

    data: bytes
    stamp: int
    stamped: bool


bodies = st.lists(st.sampled_from(NASTY) | st.binary(max_size=40), max_size=8).map(b"".join)
fields = st.lists(
    st.tuples(
        st.from_regex(r"[A-Za-z!#$%&'*+.^_`|~-]{1,12}", fullmatch=True).map(lambda name: f"X-{name}"),
        st.text(
            st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=20
        ),
    ),
    max_size=3,
)


def head(start: str, lines: Sequence[tuple[str, str]]) -> bytes:
    """A head, in bytes."""
    text = f"{start}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines) + "\r\n"
    return text.encode("latin-1")


@st.composite
def cased(draw: st.DrawFn, name: str) -> str:
    """The name of a field in any case."""
    return "".join(draw(st.sampled_from((one.lower(), one.upper()))) for one in name)


@st.composite
def chunked(draw: st.DrawFn, body: bytes, start: int) -> tuple[bytes, list[int]]:
    """The body as chunks of any size behind `start` bytes, with extensions and trailers; and its bytes' places."""
    raw = bytearray()
    places: list[int] = []
    extension = st.sampled_from(("", ";a", ";a=b", ';a="b;\t c"', ";a;b=0"))
    while body:
        size = draw(st.integers(1, len(body)))
        length = draw(st.sampled_from(("%x", "%X", "0%x", "000%x"))) % size
        raw += f"{length}{draw(extension)}\r\n".encode()
        places += range(start + len(raw), start + len(raw) + size)
        raw += body[:size] + b"\r\n"
        body = body[size:]
    raw += draw(st.sampled_from((b"0", b"00", b"0;last"))) + head("", draw(fields))
    return bytes(raw), places


@st.composite
def responses(draw: st.DrawFn, of: st.SearchStrategy[bytes] = bodies) -> Built:
    """Any valid response."""
    status = draw(st.sampled_from((200, 200, 200, 201, 302, 404, 500, 599, *BARE)))
    framing = draw(st.sampled_from(FRAMINGS))
    version = "1.1" if framing == "chunked" else draw(st.sampled_from(("1.0", "1.1")))
    wish = draw(st.sampled_from((None, "close", "keep-alive")))
    body = b"" if status in BARE else draw(of)
    lines = draw(fields)
    if framing == "chunked":
        lines.append((draw(cased("Transfer-Encoding")), draw(st.sampled_from(("chunked", "Chunked")))))
    if framing == "sized" and status != 204:
        lines.append((draw(cased("Content-Length")), str(len(body))))
    if wish is not None:
        lines.append((draw(cased("Connection")), wish))
    interim = draw(
        st.lists(
            st.tuples(st.sampled_from(("100 Continue", "102 Processing", "103 Early Hints")), fields),
            max_size=2,
        )
    )
    raw = b"".join(head(f"HTTP/1.1 {start}", own) for start, own in interim)
    reason = draw(st.sampled_from((" OK", " ", " Not at all: 100%")))
    raw += head(f"HTTP/{version} {status}{reason}", draw(st.permutations(lines)))
    headed = len(raw)
    if status in BARE:
        places: list[int] = []
    elif framing == "chunked":
        behind, places = draw(chunked(body, headed))
        raw += behind
    else:
        places = list(range(headed, headed + len(body)))
        raw += body
    lasting = wish == "keep-alive" or (wish is None and version == "1.1")
    to_the_end = framing == "to the end" and status not in BARE
    return Built(raw, status, headed, tuple(places), to_the_end, lasting and not to_the_end)


@st.composite
def receives(draw: st.DrawFn, raw: bytes) -> list[Receive]:
    """The bytes cut anywhere: nowhere, at every byte, or at some places."""
    cuts = draw(
        st.just([])
        | st.just(list(range(1, len(raw))))
        | st.lists(st.integers(1, max(1, len(raw) - 1)), max_size=12)
    )
    ends = [*sorted({cut for cut in cuts if cut < len(raw)}), len(raw)]
    stamps = draw(
        st.permutations(range(1000, 1000 + len(ends))) if len(ends) < 8 else st.just(range(len(ends)))
    )
    stamped = draw(
        st.lists(st.booleans(), min_size=len(ends), max_size=len(ends))
        if len(ends) < 20
        else st.just([True] * len(ends))
    )
    return [
        Receive(raw[begin:end], stamp, told)
        for begin, end, stamp, told in zip([0, *ends[:-1]], ends, stamps, stamped, strict=True)
    ]
