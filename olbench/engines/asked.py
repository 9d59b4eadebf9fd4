"""What a request to /api/generate or /api/chat asks for, checked as strictly as an Ollama server checks it. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from olbench.units import parse_span

_LONGEST_NS = 2**63 - 1  # Go's longest duration, 292 years
_NUM_CTX, _LEAST_CTX, _NUM_BATCH = 4096, 4, 512
_FAR = 10  # num_predict is held to so many contexts
_THINK = ("low", "medium", "high", "max")
_ROLES = ("system", "user", "assistant", "tool")

# Top-level field -> the types that it may have; null is as good as absent.
_COMMON: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "stream": (bool,),
    "options": (dict,),
    "truncate": (bool,),
    "shift": (bool,),
    "logprobs": (bool,),
    "top_logprobs": (int,),
}
GENERATE: Mapping[str, tuple[type, ...]] = {
    **_COMMON,
    "prompt": (str,),
    "system": (str,),
    "template": (str,),
    "suffix": (str,),
    "context": (list,),
    "raw": (bool,),
    "images": (list,),
}
CHAT: Mapping[str, tuple[type, ...]] = {**_COMMON, "messages": (list,), "tools": (list,)}
# Fields that would change the answer, and that this engine does not know. To ignore them would be a lie.
_MISSING = ("suffix", "template", "context", "images", "tools", "logprobs", "top_logprobs")

# Option -> its type, llama.cpp's name and Ollama's default.
_SAMPLING: Mapping[str, tuple[type, str, object]] = {
    "num_keep": (int, "n_keep", 4),
    "seed": (int, "seed", -1),
    "num_predict": (int, "n_predict", -1),
    "top_k": (int, "top_k", 40),
    "top_p": (float, "top_p", 0.9),
    "min_p": (float, "min_p", 0.0),
    "typical_p": (float, "typical_p", 1.0),
    "repeat_last_n": (int, "repeat_last_n", 64),
    "temperature": (float, "temperature", 0.8),
    "repeat_penalty": (float, "repeat_penalty", 1.0),
    "presence_penalty": (float, "presence_penalty", 0.0),
    "frequency_penalty": (float, "frequency_penalty", 0.0),
    "stop": (list, "stop", ()),
}
# Options that take effect at a load; the last four mean nothing on a CPU but their types are looked at all the same.
_LOADING: Mapping[str, type] = {
    "num_ctx": int,
    "num_batch": int,
    "num_thread": int,
    "num_gpu": int,
    "main_gpu": int,
    "draft_num_predict": int,
    "use_mmap": bool,
}
_WORDS = {
    int: "integer",
    float: "float32",
    bool: "boolean",
    list: "array",
    str: "string",
    dict: "object",
}


class RefusalError(Exception):
    """A request that is answered with an error; `status` is that of the HTTP response."""

    def __init__(self, status: int, sentence: str) -> None:
        """Keep the status beside the sentence."""
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Load:
    """What a runner is loaded with: a request that needs another value makes it load anew."""

    num_ctx: int  # of each slot
    num_batch: int
    num_thread: int
    shift: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that may be answered."""

    model: str
    turns: tuple[Mapping[str, Any], ...]  # for the model's template
    raw: str | None  # a prompt that goes round the template
    empty: bool  # nothing to say: load, or unload
    streamed: bool
    keep_alive_ns: int | None  # None: as it was; negative: for ever
    shift: bool
    options: Mapping[str, Any]  # Ollama's names, types checked
    schema: Mapping[str, Any] | None  # of the JSON that the answer must be

    def load(self, *, trained: int | None, threads: int) -> Load:
        """What the runner must be loaded with, by Ollama's rules for what is not said."""
        asked = self._given("num_ctx") or _NUM_CTX
        num_ctx = max(_LEAST_CTX, asked if trained is None else min(asked, trained))
        batch = self._given("num_batch") or _NUM_BATCH
        return Load(num_ctx, batch, self._given("num_thread") or threads, self.shift)

    def _given(self, name: str) -> int | None:
        """A load-time option; none where it is 0 or less, which asks for the automatic value."""
        value: int = self.options.get(name, 0)
        return value if value > 0 else None

    def completion(self, prompt: str, num_ctx: int) -> dict[str, Any]:
        """The body for llama.cpp's /completion."""
        body = {theirs: self.options.get(ours, default) for ours, (_, theirs, default) in _SAMPLING.items()}
        most = _FAR * num_ctx
        body["n_predict"] = most if body["n_predict"] <= 0 else min(most, body["n_predict"])
        if self.schema is not None:
            body["json_schema"] = self.schema
        # A word on the progress after each batch of the prompt is how the child notices that nobody listens any more.
        body |= {"prompt": prompt, "stream": True, "cache_prompt": True, "return_progress": True}
        # The last event repeats the prompt and all settings unless told what is wanted.
        return body | {"response_fields": ["content", "stop", "stop_type", "timings"]}


def generate(body: bytes) -> Asked:
    """A request to /api/generate."""
    fields = checked(body, GENERATE)
    raw, prompt, system = fields.get("raw", False), fields.get("prompt", ""), fields.get("system", "")
    if raw and (system or fields.get("template") or fields.get("context")):
        raise RefusalError(400, "raw mode does not support template, system, or context")
    turns = [{"role": "system", "content": system}] if system else []
    turns.append({"role": "user", "content": prompt})
    _refuse_missing(fields, GENERATE)
    return _asked(fields, () if raw else tuple(turns), prompt if raw else None, empty=not prompt)


def chat(body: bytes) -> Asked:
    """A request to /api/chat."""
    fields = checked(body, CHAT)
    _refuse_missing(fields, CHAT)
    turns = tuple(_turn(message) for message in fields.get("messages", []))
    return _asked(fields, turns, None, empty=not turns)


def checked(body: bytes, known: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """The fields that are known, of the types that they must have; nulls are left out, unknown ones are let pass."""
    if not body.strip():
        raise RefusalError(400, "missing request body")
    try:
        fields = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as fault:
        raise RefusalError(400, f"the body is not JSON: {fault}") from fault
    if not isinstance(fields, dict):
        raise RefusalError(400, f"json: the body is {_word(fields)}; it must be an object")
    fields = {name: value for name, value in fields.items() if value is not None}
    for name, kinds in known.items():
        if name in fields and not _is(fields[name], kinds):
            raise RefusalError(
                400, f"json: field {name} is of type {_word(fields[name])}; it must be {_WORDS[kinds[0]]}"
            )
    return fields


def span_ns(value: object) -> int:
    """`keep_alive` in nanoseconds: a number of seconds or a duration in Go's notation; negative is for ever."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        if value < 0:
            return -1
        return int(value * 10**9) if value < _LONGEST_NS / 10**9 else _LONGEST_NS
    if isinstance(value, str):
        if value.startswith("-"):
            _span(value[1:])
            return -1
        return min(_LONGEST_NS, _span(value.removeprefix("+")))
    raise RefusalError(400, f"keep_alive is of type {_word(value)}; it must be a number or a duration")


def _span(text: str) -> int:
    if text == "0":
        return 0
    try:
        return parse_span(text)
    except ValueError as fault:
        raise RefusalError(400, f"time: invalid duration {text!r}") from fault


def _asked(
    fields: Mapping[str, Any], turns: tuple[Mapping[str, Any], ...], raw: str | None, *, empty: bool
) -> Asked:
    model, keep_alive = fields.get("model", ""), fields.get("keep_alive")
    _no_thinking(model, fields.get("think", False))
    return Asked(
        model=model,
        turns=turns,
        raw=raw,
        empty=empty,
        streamed=fields.get("stream", True),
        keep_alive_ns=None if keep_alive is None else span_ns(keep_alive),
        shift=fields.get("shift", True),
        options=_options(fields.get("options", {})),
        schema=_schema(fields.get("format", "")),
    )


def _refuse_missing(fields: Mapping[str, Any], known: Mapping[str, object]) -> None:
    for name in _MISSING:
        if name in known and fields.get(name):
            raise RefusalError(400, f"the embedded engine does not support {name!r}")


def _no_thinking(model: str, think: object) -> None:
    if not isinstance(think, bool) and think not in _THINK:
        raise RefusalError(400, f"invalid think value: {think!r} (must be true, false, {', '.join(_THINK)})")
    if think:
        raise RefusalError(400, f'"{model}" does not support thinking')


def _turn(message: object) -> Mapping[str, Any]:
    if not isinstance(message, dict):
        raise RefusalError(400, f"json: a message is of type {_word(message)}; it must be object")
    role, content = message.get("role"), message.get("content") or ""
    if role not in _ROLES:
        raise RefusalError(400, f"invalid role {role!r}: it must be one of {', '.join(_ROLES)}")
    if not isinstance(content, str):
        raise RefusalError(
            400, f"json: field messages.content is of type {_word(content)}; it must be string"
        )
    if message.get("images"):
        raise RefusalError(400, "the embedded engine does not support 'images'")
    return {"role": role, "content": content}


def _options(given: Mapping[str, object]) -> dict[str, Any]:
    """The options that are known. A wrong type is a 500, as it is with Ollama; an unknown name is nothing at all."""
    kinds = {name: kind for name, (kind, _, _) in _SAMPLING.items()} | dict(_LOADING)
    return {
        name: _option(name, value, kinds[name])
        for name, value in given.items()
        if name in kinds and value is not None
    }


def _option(name: str, value: Any, kind: type) -> object:
    if kind is list:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise RefusalError(500, f'option "{name}" must be of an array of strings')
        return value
    if kind is bool:
        if not isinstance(value, bool):
            raise RefusalError(500, f'option "{name}" must be of type boolean')
        return value
    if not _is(value, (int, float)) or not math.isfinite(value):
        raise RefusalError(500, f'option "{name}" must be of type {_WORDS[kind]}')
    return kind(value)


def _schema(value: object) -> Mapping[str, Any] | None:
    match value:
        case "":
            return None
        case "json":
            return {"type": "object"}
        case dict():
            return value
    raise RefusalError(500, f'invalid format: {value!r}; expected "json" or a valid JSON Schema object')


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    # To Python true is a whole number, to JSON it is not.
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def _word(value: object) -> str:
    return "number" if _is(value, (int, float)) else _WORDS.get(type(value), "null")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")
