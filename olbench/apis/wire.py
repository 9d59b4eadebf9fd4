"""Bytes into messages: NDJSON lines with the stamps of the receives that brought them. No socket here."""

from calendar import timegm
from collections.abc import Iterator, Sequence
from functools import lru_cache
from time import strptime
from typing import Annotated, Any, NamedTuple

import msgspec

from olbench.readings import Ints

_LARGEST = (1 << 63) - 1  # what a column holds
_Whole = Annotated[int, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
# A line may nest deeper than any reader goes.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class StampedLine(NamedTuple):
    """One line without its newline; `coalesced`: its receive went on beyond it, so the stamp is an upper bound."""

    text: bytes
    stamp_ns: int
    coalesced: bool
    unstamped: bool = False  # the kernel left the receive without a stamp: ours stands there


def lines(body: bytes, marks: Ints, unstamped: Sequence[int] = ()) -> Iterator[StampedLine]:
    """The non-empty lines of a body. `marks` holds pairs (stamp, bytes of body so far), as the transport wrote them.

    A line arrived with the first receive that reached its last byte, the newline included. A last line without
    newline counts as whole here: whether it is, is for its decoder to say.
    """
    stamps, ends = marks[0::2].tolist(), marks[1::2].tolist()
    ours = frozenset(unstamped)
    at, last, end, size = 0, len(ends), 0, len(body)
    for text in body.split(b"\n"):
        end += len(text) + 1
        end = min(end, size)  # the last one has no newline
        while at < last and ends[at] < end:
            at += 1
        if at == last:
            return
        if bare := text.strip():
            yield StampedLine(bare, stamps[at], ends[at] > end, at in ours)


class Turn(msgspec.Struct, gc=False):
    """`message` of /api/chat."""

    content: str | None = None
    thinking: str | None = None


class Line(msgspec.Struct, gc=False):
    """One line of /api/generate or /api/chat; unknown fields are ignored, missing ones are None."""

    created_at: str | None = None
    response: str | None = None
    thinking: str | None = None
    message: Turn | None = None
    done: bool = False
    done_reason: str | None = None
    error: Any = None
    total_duration: _Whole | None = None
    load_duration: _Whole | None = None
    prompt_eval_count: _Whole | None = None
    prompt_eval_duration: _Whole | None = None
    prompt_eval_cached_count: _Whole | None = None
    eval_count: _Whole | None = None
    eval_duration: _Whole | None = None

    def answer(self) -> str:
        """Answer text of the line, from either endpoint."""
        if self.message is None:
            return self.response or ""
        return (self.response or "") + (self.message.content or "")

    def thought(self) -> str:
        """Thinking text of the line, from either endpoint."""
        if self.message is None:
            return self.thinking or ""
        return (self.thinking or "") + (self.message.thinking or "")


_decoder = msgspec.json.Decoder(Line)


def line(text: bytes) -> Line:
    """One decoded line. ValueError says what is wrong with it, with its first words."""
    try:
        return _decoder.decode(text)
    except _UNREADABLE as fault:
        raise ValueError(f"{fault}: {excerpt(text)}") from fault


def error_words(raw: bytes) -> str:
    """The words of an error body: JSON with `error` or `message`, or any text."""
    try:
        return said(msgspec.json.decode(raw))
    except _UNREADABLE:
        return excerpt(raw)


def said(found: Any) -> str:
    """The words inside a decoded error, however deep the server has wrapped them."""
    whole = found
    for _ in range(4):  # Ollama forwards the engine's JSON inside a JSON string
        if isinstance(found, dict):
            found = found.get("error", found.get("message"))
        elif isinstance(found, str) and found.lstrip().startswith("{"):
            try:
                found = msgspec.json.decode(found)
            except _UNREADABLE:
                break
        else:
            break
    return excerpt(found if isinstance(found, str) else msgspec.json.encode(whole))


def excerpt(text: str | bytes, most: int = 300) -> str:
    """The beginning of a foreign text as one printable line."""
    text = text[: 100 * most]  # a line of many megabytes is not read whole for its first words
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    flat = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def unix_ns(created_at: str | None) -> int:
    """RFC 3339 with up to nine digits of fraction -> Unix time in nanoseconds; 0 when there is none or it is not one.

    Go writes the year 1 where no time was set: that, and what else 64 bits of nanoseconds do not reach, is none.
    """
    if not created_at:
        return 0
    digits = created_at[20:29]
    try:
        # As Go writes it nine times out of ten.
        if len(created_at) == 30 and created_at[29] == "Z" and created_at[19] == "." and digits.isdecimal():
            found = _seconds(created_at[:19]) * 1_000_000_000 + int(digits)
        else:
            found = _any_unix_ns(created_at)
    except ValueError:
        return 0
    return found if -_LARGEST <= found <= _LARGEST else 0


def _any_unix_ns(created_at: str) -> int:
    seconds = _seconds(created_at[:19])
    rest = created_at[19:]
    fraction = ""
    if rest.startswith("."):
        fraction = rest[1:].rstrip("Zz").split("+")[0].split("-")[0]
        rest = rest[1 + len(fraction) :]
    return (seconds - _zone(rest)) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))


@lru_cache(maxsize=256)
def _seconds(date: str) -> int:
    return timegm(strptime(date, "%Y-%m-%dT%H:%M:%S"))


@lru_cache(maxsize=16)
def _zone(text: str) -> int:
    if text in ("Z", "z", ""):
        return 0
    hours, minutes = text[1:].split(":")
    seconds = int(hours) * 3600 + int(minutes) * 60
    return -seconds if text[0] == "-" else seconds
