"""Dates as an Ollama server writes them: RFC 3339."""

import time
from datetime import UTC, datetime, timedelta

_FOREVER = timedelta(days=292 * 365)  # what Ollama's longest duration comes to
_second = (-1, "")


def created_at() -> str:
    """The present moment in UTC to the nanosecond. The part that changes once a second is kept from call to call."""
    global _second  # noqa: PLW0603 - a memory of one entry, for what is called once a token
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    if seconds != _second[0]:
        _second = (seconds, datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    return f"{_second[1]}.{nanoseconds:09d}Z"


def local(unix_ns: int) -> str:
    """A date with the machine's own offset from UTC, for what people read."""
    return datetime.fromtimestamp(unix_ns / 1e9, UTC).astimezone().isoformat()


def ahead(nanoseconds: int) -> str:
    """The date that lies so far ahead; a negative span is for ever."""
    span = _FOREVER if nanoseconds < 0 else min(_FOREVER, timedelta(seconds=nanoseconds / 1e9))
    return (datetime.now(UTC) + span).astimezone().isoformat()
