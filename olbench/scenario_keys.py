"""The keys of a scenario: for each its type, its default, and what would do."""

import json
import re
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from olbench import address, options
from olbench.metric_keys import MARGIN_KEYS, METRIC_KEYS
from olbench.model import Message
from olbench.options import OPTIONS, Option
from olbench.scenario_load_keys import LOAD, MIX, PERSONA, RATE, SIZE, SLO
from olbench.scenario_values import (
    REQUIRED,
    SPAN,
    Key,
    UnfitError,
    above_0,
    narrow,
    not_blank,
    one_line,
    one_of,
    seconds,
    sentence,
    share,
    size,
    span,
    span_or_none,
    text,
    whole,
)
from olbench.thresholds import THRESHOLDS, Threshold

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN_OPENINGS = ("sk_", "ghp_", "gho_", "ghs_", "github_pat_", "hf_", "glpat", "xox", "eyJ", "AKIA", "AIza")


class _Turn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Meta(min_length=1)]


def _url(words: str) -> str:
    try:
        return address.parse_strictly(one_line(words))
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


def _bar(of: Threshold) -> Key:
    """The key of a threshold; None where the scenario leaves the table's own."""
    match of.unit:
        case "share":
            return Key(str | float, 'a share above 0, such as 0.05 or "5%",', None, then=share)
        case "s":
            return Key(str | float, SPAN, None, then=seconds)
        case "B" | "B/s":
            return Key(str | float, 'a number of bytes above 0, or a text such as "64MiB",', None, then=size)
        case unit:
            return Key(float, f"a number of {unit} above 0", None, then=above_0)


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
        return (Message("user", not_blank(prompt)),)
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
    "name": text(None, "a short name in one line"),
    "question": text(REQUIRED, "a sentence that asks what this scenario answers", sentence),
}
SERVER: Mapping[str, Key] = {
    "url": text(None, 'an address such as "http://127.0.0.1:11434"', _url),
    "engine": one_of(None, "embedded"),
    "api": one_of("chat", "generate", "chat"),
    "token_env": Key(str, "the name of an environment variable", None, then=_variable),
    "parallel": whole(None, 1, 1024),
    "threads": whole(None, 1, 1024),
}
AXES: Mapping[str, Key] = {
    "model": text(REQUIRED, 'the name of a model, such as "llama3.2:3b"'),
    "quantization": text(None, 'a quantization such as "q8_0"'),
    "num_ctx": whole(4096, 4),
    "concurrency": whole(1, 1, 4096),
    "prompt_tokens": whole(256, 8),
    "output_tokens": whole(128, 1),
    "api": one_of(None, "generate", "chat"),
    "think": Key(
        bool | Literal["low", "medium", "high", "max"],
        'true, false, "low", "medium", "high" or "max"',
        None,
        ("low", "medium", "high", "max"),
    ),
    "rate": RATE,
    "users": whole(None, 1, 100_000),
}
SWEEP: Mapping[str, Key] = {**AXES, **{name: _option(option) for name, option in OPTIONS.items()}}
WORKLOAD: Mapping[str, Key] = {
    "language": one_of("en", "en", "zh"),
    "prompts": Key(
        Annotated[str, Meta(min_length=1)] | Annotated[list[_Turn], Meta(min_length=1)],
        "a text, or a list of { role, content } with the roles system, user and assistant",
        (),
        then=_turns,
        listed=True,
    ),
    "file": text(None, "the path of a JSONL or text file, from the scenario's folder"),
    "system": text(None, "a text", not_blank),
    "format": Key(
        Literal["json"] | dict[str, Any], '"json" or a JSON schema as a table', None, ("json",), _format
    ),
    "stream": Key(bool, "true or false", True),
    "cache": one_of("cold", "cold", "warm"),
}
UNTIL: Mapping[str, Key] = {
    "metric": Key(
        Literal[METRIC_KEYS], 'the key of a metric, such as "decode" or "ttft",', REQUIRED, METRIC_KEYS
    ),
    "within": Key(str | float, 'a share above 0 and of at most 0.5, such as "3%",', REQUIRED, then=narrow),
}
MEASURE: Mapping[str, Key] = {
    "repeats": whole(3, 1, 1000),
    "requests": whole(8, 1, 100_000),
    "warmup": whole(1, 0, 1000),
    "timeout": Key(str | float, SPAN, 300 * 10**9, then=span),
    "connect_timeout": Key(str | float, SPAN, 10 * 10**9, then=span),
    "first_byte_timeout": Key(str | float, f'{SPAN}, or "none"', None, then=span_or_none),
    "stall_timeout": Key(str | float, f'{SPAN}, or "none"', None, then=span_or_none),
    "seed": whole(1, 0),
    "order": one_of("shuffled", "shuffled", "listed"),
    "cold_load": Key(bool, "true or false", False),
    "budget": Key(str | float, f'{SPAN}, or "none"', None, then=span_or_none),
    "retake": Key(bool, "true or false", True),
    "until": Key(None, 'a table such as { metric = "decode", within = "3%" }', None, keys=UNTIL),
    "at_most": whole(30, 1, 10_000),
}
_MARGIN = Key(str | float, 'a share above 0 and of at most 0.5, such as "3%" or 0.03,', None, then=narrow)
SECTIONS: Mapping[str, Mapping[str, Key]] = {
    "server": SERVER,
    "sweep": SWEEP,
    "workload": WORKLOAD,
    "measure": MEASURE,
    "thresholds": {name: _bar(one) for name, one in THRESHOLDS.items()},
    "margins": dict.fromkeys(MARGIN_KEYS, _MARGIN),
    "quantizations": {},  # its keys are names of models
    "slo": SLO,
    "persona": PERSONA,
    "load": LOAD,
    "size": SIZE,
}
LISTS: Mapping[str, Mapping[str, Key]] = {"mix": MIX}  # of tables, each with these keys
