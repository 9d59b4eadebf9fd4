"""The keys of a scenario: for each its type, its default, and what would do."""

import json
import math
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from olbench import address, options, units
from olbench.metric_keys import MARGIN_KEYS, METRIC_KEYS
from olbench.model import Message
from olbench.options import INT_MOST, OPTIONS, Option
from olbench.thresholds import THRESHOLDS, Threshold

REQUIRED: Any = object()  # the default of a key that has none
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN_OPENINGS = ("sk_", "ghp_", "gho_", "ghs_", "github_pat_", "hf_", "glpat", "xox", "eyJ", "AKIA", "AIza")
_LONGEST_NS = 365 * 24 * 3600 * 10**9
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_SIZES)})")
_WIDEST = 0.5  # of an interval that still says anything
_SPAN = 'seconds or a span such as "90s", "5m" or "1h30m"'


class UnfitError(Exception):
    """A value has the type and still will not do. The sentence goes on from the key; "" when `wants` says it."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a section."""

    type: Any  # as msgspec understands it
    wants: str  # what would do
    default: Any
    choices: tuple[str, ...] = ()  # the texts that would do, for a did-you-mean
    then: Callable[[Any], Any] | None = None  # from what TOML holds to what olbench holds; raises UnfitError
    listed: bool = False  # a list whose items are each of `type`
    keys: Mapping[str, "Key"] | None = None  # of a table within the section


class _Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(min_length=1)]


def _whole(default: Any, low: int, high: int = INT_MOST) -> Key:
    wants = (
        f"a whole number of at least {low}" if high == INT_MOST else f"a whole number from {low} to {high}"
    )
    return Key(Annotated[int, Meta(ge=low, le=high)], wants, default)


def _one_of(default: Any, *choices: str) -> Key:
    wants = " or ".join(f'"{choice}"' for choice in choices)
    return Key(Literal[choices], wants, default, choices)


def _text(default: Any, wants: str, then: Callable[[str], str] | None = None) -> Key:
    return Key(Annotated[str, Meta(min_length=1)], wants, default, then=then or _one_line)


def _one_line(text: str) -> str:
    if not text.strip() or not text.isprintable():
        raise UnfitError
    return text


def _sentence(text: str) -> str:
    return _one_line(" ".join(text.split()))


def _not_blank(text: str) -> str:
    if not text.strip():
        raise UnfitError
    return text


def _url(text: str) -> str:
    try:
        return address.parse_strictly(_one_line(text))
    except ValueError as exc:
        raise UnfitError(f"cannot be used: {exc}") from exc


def _variable(name: str) -> str:
    """The name of an environment variable. What is none may be a secret: it is in no sentence."""
    long_and_mixed = len(name) >= 16 and sum(one.isdigit() for one in name) >= 4
    if not _VARIABLE.fullmatch(name) or name.startswith(_TOKEN_OPENINGS) or long_and_mixed:
        raise UnfitError(
            "is no name of an environment variable (its value is not shown, it may be the token itself); "
            'a name such as "OLLAMA_TOKEN" would do, with the token in that variable'
        )
    return name


def _span(value: str | float) -> int:
    try:
        nanoseconds = units.parse_span(value) if isinstance(value, str) else round(value * 1e9)
    except (ValueError, OverflowError) as exc:
        raise UnfitError from exc
    if not 0 < nanoseconds <= _LONGEST_NS:
        raise UnfitError
    return nanoseconds


def _span_or_none(value: str | float) -> int | None:
    return None if value == "none" else _span(value)


def _share(value: str | float) -> float:
    """A number, or a text such as "5%"."""
    if not isinstance(value, str):
        return _above_0(value)
    number, mark, rest = value.partition("%")
    try:
        share = float(number) / 100
    except ValueError as exc:
        raise UnfitError from exc
    if not mark or rest:
        raise UnfitError
    return _above_0(share)


def _narrow(value: str | float) -> float:
    share = _share(value)
    if share > _WIDEST:
        raise UnfitError
    return share


def _above_0(value: float) -> float:
    if not (math.isfinite(value) and value > 0):
        raise UnfitError
    return float(value)


def _seconds(value: str | float) -> float:
    return _span(value) / 1e9


def _bytes(value: str | float) -> float:
    if not isinstance(value, str):
        return _above_0(value)
    found = _SIZE.fullmatch(value)
    if found is None:
        raise UnfitError
    return _above_0(float(found[1]) * _SIZES[found[2]])


def _bar(of: Threshold) -> Key:
    """The key of a threshold; None where the scenario leaves the table's own."""
    match of.unit:
        case "share":
            return Key(str | float, 'a share above 0, such as 0.05 or "5%",', None, then=_share)
        case "s":
            return Key(str | float, _SPAN, None, then=_seconds)
        case "B" | "B/s":
            return Key(
                str | float, 'a number of bytes above 0, or a text such as "64MiB",', None, then=_bytes
            )
        case unit:
            return Key(float, f"a number of {unit} above 0", None, then=_above_0)


def _format(value: str | dict[str, Any]) -> str | dict[str, Any]:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as exc:
        raise UnfitError(
            "holds a date, a time or a number that JSON has not; a JSON schema would do"
        ) from exc
    if not value:
        raise UnfitError
    return value


def _turns(prompt: str | list[_Turn]) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", _not_blank(prompt)),)
    return tuple(Message(turn.role, turn.content) for turn in prompt)


def _option(option: Option) -> Key:
    types: dict[str, Any] = {"bool": bool, "texts": list[Annotated[str, Meta(min_length=1)]]}
    if option.kind in types:
        then = tuple if option.kind == "texts" else None
        return Key(types[option.kind], options.wants(option), None, then=then)
    number = int if option.kind == "int" else float
    high = sys.float_info.max if option.high is None else option.high  # infinity is no number for a server
    bounds = Meta(ge=None if option.low is None else number(option.low), le=number(high))
    return Key(Annotated[number, bounds], options.wants(option), None)


TOP: Mapping[str, Key] = {
    "name": _text(None, "a short name in one line"),
    "question": _text(REQUIRED, "a sentence that asks what this scenario answers", _sentence),
}
SERVER: Mapping[str, Key] = {
    "url": _text(None, 'an address such as "http://127.0.0.1:11434"', _url),
    "engine": _one_of(None, "embedded"),
    "api": _one_of("chat", "generate", "chat"),
    "token_env": Key(str, "the name of an environment variable", None, then=_variable),
    "parallel": _whole(None, 1, 1024),
    "threads": _whole(None, 1, 1024),
}
AXES: Mapping[str, Key] = {
    "model": _text(REQUIRED, 'the name of a model, such as "llama3.2:3b"'),
    "quantization": _text(None, 'a quantization such as "q8_0"'),
    "num_ctx": _whole(4096, 4),
    "concurrency": _whole(1, 1, 4096),
    "prompt_tokens": _whole(256, 8),
    "output_tokens": _whole(128, 1),
    "api": _one_of(None, "generate", "chat"),
    "think": Key(
        bool | Literal["low", "medium", "high", "max"],
        'true, false, "low", "medium", "high" or "max"',
        None,
        ("low", "medium", "high", "max"),
    ),
}
SWEEP: Mapping[str, Key] = {**AXES, **{name: _option(option) for name, option in OPTIONS.items()}}
WORKLOAD: Mapping[str, Key] = {
    "language": _one_of("en", "en", "zh"),
    "prompts": Key(
        Annotated[str, Meta(min_length=1)] | Annotated[list[_Turn], Meta(min_length=1)],
        "a text, or a list of { role, content } with the roles system, user and assistant",
        (),
        then=_turns,
        listed=True,
    ),
    "file": _text(None, "the path of a JSONL or text file, from the scenario's folder"),
    "system": _text(None, "a text", _not_blank),
    "format": Key(
        Literal["json"] | dict[str, Any], '"json" or a JSON schema as a table', None, ("json",), _format
    ),
    "stream": Key(bool, "true or false", True),
    "cache": _one_of("cold", "cold", "warm"),
}
UNTIL: Mapping[str, Key] = {
    "metric": Key(
        Literal[METRIC_KEYS], 'the key of a metric, such as "decode" or "ttft",', REQUIRED, METRIC_KEYS
    ),
    "within": Key(str | float, 'a share above 0 and of at most 0.5, such as "3%",', REQUIRED, then=_narrow),
}
MEASURE: Mapping[str, Key] = {
    "repeats": _whole(3, 1, 1000),
    "requests": _whole(8, 1, 100_000),
    "warmup": _whole(1, 0, 1000),
    "timeout": Key(str | float, _SPAN, 300 * 10**9, then=_span),
    "connect_timeout": Key(str | float, _SPAN, 10 * 10**9, then=_span),
    "first_byte_timeout": Key(str | float, f'{_SPAN}, or "none"', None, then=_span_or_none),
    "stall_timeout": Key(str | float, f'{_SPAN}, or "none"', None, then=_span_or_none),
    "seed": _whole(1, 0),
    "order": _one_of("shuffled", "shuffled", "listed"),
    "cold_load": Key(bool, "true or false", False),
    "budget": Key(str | float, f'{_SPAN}, or "none"', None, then=_span_or_none),
    "retake": Key(bool, "true or false", True),
    "until": Key(None, 'a table such as { metric = "decode", within = "3%" }', None, keys=UNTIL),
    "at_most": _whole(30, 1, 10_000),
}
_MARGIN = Key(str | float, 'a share above 0 and of at most 0.5, such as "3%" or 0.03,', None, then=_narrow)
SECTIONS: Mapping[str, Mapping[str, Key]] = {
    "server": SERVER,
    "sweep": SWEEP,
    "workload": WORKLOAD,
    "measure": MEASURE,
    "thresholds": {name: _bar(one) for name, one in THRESHOLDS.items()},
    "margins": dict.fromkeys(MARGIN_KEYS, _MARGIN),
    "quantizations": {},  # its keys are names of models
}
