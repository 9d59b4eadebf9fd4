"""Traces of requests that somebody sent, read from the formats in which they are kept.

Three are known, told apart by their first line, and a file keeps to one: Mooncake's JSONL (`timestamp` in milliseconds,
`input_length`, `output_length`), logs of OpenAI-style requests (JSONL with a time and `usage`, flat or within the
`response`), and CSV with the columns time, prompt_tokens and output_tokens, in seconds. Requests are sorted by time, as
logs are often written when answers end.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from olbench.arrival import Arrival
from olbench.errors import UsageError

_MOST_FAULTS = 20
_MOST_TOKENS = 2**31 - 1
_MOST_S = 10**10  # from 1970; what is larger is no time
_SHOWN = 60
_NS = 10**9
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A number of this size or above is a Unix time in finer units than seconds: in ns, us, ms.
_FINER = ((10**17, 1), (10**14, 10**3), (10**11, 10**6))
# Names of one thing in the logs of servers and proxies, the more exact first.
_TIMES = ("start_time", "startTime", "timestamp", "ts", "time", "created_at", "created_time", "created")
_PROMPTS = ("prompt_tokens", "input_tokens")
_OUTPUTS = ("completion_tokens", "output_tokens")
_INSIDE = ("response", "body", "response_body")  # an answer within a line
_COLUMNS = ("time", "prompt_tokens", "output_tokens")
_FORMATS = (
    'JSON lines with timestamp, input_length and output_length (Mooncake), with a time such as "created" and "usage" '
    "(a log of requests), or CSV that begins with time,prompt_tokens,output_tokens"
)
_decoder = msgspec.json.Decoder()
Row = tuple[int, int, int]  # ns, prompt tokens, output tokens


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace, and what tells it from others."""

    digest: str  # twelve hex digits of the SHA-256 of its text
    arrivals: tuple[Arrival, ...]  # ascending, the first at 0; never empty


class _LineError(Exception):
    """What is wrong with one line: what was found; what would do."""


def of(text: str, name: str) -> Trace:
    """The trace of a text, with its digest."""
    return Trace(hashlib.sha256(text.encode()).hexdigest()[:12], read(text, name))


def read(text: str, name: str) -> tuple[Arrival, ...]:
    """The requests of a trace by time, the first at 0. UsageError with a sentence for each line that will not do."""
    faults: list[str] = []
    rows = list(_rows(text.removeprefix("\ufeff"), name, faults))
    if not rows and not faults:
        faults.append(f"{name}: no request in it; {_FORMATS} would do")
    if faults:
        raise UsageError(faults)
    rows.sort(key=lambda row: row[0])
    first = rows[0][0]
    return tuple(
        Arrival(due_ns=at - first, prompt_tokens=prompt, output_tokens=output) for at, prompt, output in rows
    )


def _rows(text: str, name: str, faults: list[str]) -> Iterator[Row]:
    """What each line says; the faults of those that will not do are added to `faults`, and not too many of them."""
    lines = _lines(text)
    opening = next(lines, None)
    if opening is None:
        return
    parse, rest = _format(opening, lines)
    for number, line in rest:
        try:
            yield parse(line)
        except _LineError as fault:
            faults.append(f"{name}:{number}: {fault}")
            if len(faults) == _MOST_FAULTS:
                faults.append(f"{name}: further lines were not looked at")
                return


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers. One at a time: a list of them would double the memory."""
    number, start = 1, 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].strip()
        if line:
            yield number, line
        number, start = number + 1, end + 1


def _format(
    opening: tuple[int, str], lines: Iterable[tuple[int, str]]
) -> tuple[Callable[[str], Row], Iterator[tuple[int, str]]]:
    """How lines are read, and the lines that hold requests."""
    _, line = opening
    if not line.startswith("{"):
        columns = _columns(line)
        if set(_COLUMNS) <= set(columns):
            places = tuple(columns.index(column) for column in _COLUMNS)
            return (lambda one: _of_csv(one, places)), iter(lines)
        return _of_nothing, iter([opening])
    return (_of_mooncake if '"input_length"' in line else _of_log), _chained(opening, lines)


def _columns(line: str) -> list[str]:
    try:
        return [column.strip().lower() for column in _cells(line)]
    except _LineError:
        return []


def _chained(opening: tuple[int, str], lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    yield opening
    yield from lines


def _of_nothing(line: str) -> Row:
    raise _LineError(f"{_shown(line)} opens no trace; {_FORMATS} would do")


# --- the formats --------------------------------------------------------------------------------------------------


def _of_mooncake(line: str) -> Row:
    table = _object(line)
    at = table.get("timestamp")
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at <= _MOST_S * 1000:
        raise _LineError(f"timestamp is {_shown(at)}; a number of milliseconds would do")
    tokens = (_tokens(table.get(key), key) for key in ("input_length", "output_length"))
    return (round(at * 10**6), *tokens)  # type: ignore[return-value]  # two, one for each key


def _of_log(line: str) -> Row:
    layers = list(_layers(_object(line)))
    name, at = _first(layers, _TIMES, "time")
    prompt, output = (
        _first(layers, _PROMPTS, "prompt tokens"),
        _first(layers, _OUTPUTS, "tokens of the answer"),
    )
    return _moment(at, name), _tokens(prompt[1], prompt[0]), _tokens(output[1], output[0])


def _of_csv(line: str, places: tuple[int, ...]) -> Row:
    cells = _cells(line)
    if len(cells) <= max(places):
        raise _LineError(f"{_shown(line)} has {len(cells)} columns; as many as the first line has would do")
    at, prompt, output = (_plain(cells[place].strip()) for place in places)
    return _moment(at, "time"), _tokens(prompt, "prompt_tokens"), _tokens(output, "output_tokens")


def _object(line: str) -> Mapping[str, Any]:
    try:
        found = _decoder.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as exc:
        raise _LineError(f"{_shown(line)} is no JSON; one object a line would do") from exc
    if not isinstance(found, dict):
        raise _LineError(f"{_shown(line)} is no object; one object a line would do")
    return found


def _layers(table: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A line's table, its usage, and the same of an answer within it."""
    yield table
    for key in ("usage", *_INSIDE):
        inner = table.get(key)
        if isinstance(inner, dict):
            yield from _layers(inner) if key in _INSIDE else (inner,)


def _first(layers: Iterable[Mapping[str, Any]], keys: tuple[str, ...], what: str) -> tuple[str, Any]:
    """The first of some keys that is there, with its value."""
    for layer in layers:
        for key in keys:
            if layer.get(key) is not None:
                return key, layer[key]
    raise _LineError(f"no {what} in it; one of {', '.join(keys)} would do, or a trace without this line")


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line]), [])
    except csv.Error as exc:
        raise _LineError(f"{_shown(line)} is no CSV ({exc})") from exc


# --- values -------------------------------------------------------------------------------------------------------


def _tokens(value: Any, key: str) -> int:
    whole = int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(whole, bool) or not isinstance(whole, int) or not 1 <= whole <= _MOST_TOKENS:
        raise _LineError(f"{key} is {_shown(value)}; a whole number of at least 1 would do")
    return whole


def _moment(value: Any, key: str) -> int:
    """Nanoseconds of seconds, of a Unix time in seconds or finer units, or of ISO 8601 (UTC, where it names no zone)."""
    if isinstance(value, str):
        return _of_iso(value, key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_S * _NS:
        raise _LineError(f"{key} is {_shown(value)}; seconds, a Unix time or ISO 8601 would do")
    return round(value * next((unit for least, unit in _FINER if value >= least), _NS))


def _of_iso(value: str, key: str) -> int:
    try:
        found = datetime.fromisoformat(value)
        aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        return (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError) as exc:
        raise _LineError(
            f'{key} is {_shown(value)}; seconds or ISO 8601 such as "2026-01-31T12:00:00Z" would do'
        ) from exc


def _plain(cell: str) -> Any:
    """A number where the cell holds one, else its text."""
    for kind in (int, float):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def _shown(value: Any) -> str:
    """A value as a sentence holds it: in one line, cut short."""
    if value is None:
        return "missing"
    words = "".join(one if one.isprintable() else repr(one)[1:-1] for one in str(value)[: _SHOWN + 1])
    words = words if len(words) <= _SHOWN else words[:_SHOWN] + "..."
    return f'"{words}"' if isinstance(value, str) else words
