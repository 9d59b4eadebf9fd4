"""Own prompts: from a text or JSONL file, or inline in the scenario."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from olbench.errors import UsageError
from olbench.model import Message, Prompt

_ROLES = ("system", "user", "assistant")
_SHAPES = 'a string, an object with "prompt" or "messages", or a list of messages'
_MOST_FAULTS = 20


class _PromptError(Exception):
    """What is wrong with one prompt: what was found; what would do."""


def decode(path: Path, raw: bytes) -> str:
    """The text of a batch file, UTF-8 with or without a byte order mark; UsageError where it is none."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = raw[error.start]
        raise UsageError(f"{path}:{line}: byte 0x{byte:02x} is not UTF-8; save the file as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise UsageError(f"{path}:{line}: a NUL character; a batch is a text file, in UTF-8")
    return text


def read(path: Path, text: str) -> tuple[Prompt, ...]:
    """The prompts of a batch file: .txt has one a line, .jsonl one JSON value a line; empty lines do not count."""
    parse = _FORMATS.get(path.suffix.lower())
    if parse is None:
        raise UsageError(
            f"{path}: {path.suffix or 'no ending'} found; a batch is a .txt file with one prompt a line "
            "or a .jsonl file with one JSON value a line"
        )
    prompts: list[Prompt] = []
    faults: list[str] = []
    # Not splitlines: a JSON string may hold U+2028 and its like.
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        if line.strip():
            try:
                prompts.append(parse(line.strip(), f"{path.name}:{number}"))
            except _PromptError as fault:
                faults.append(f"{path}:{number}: {fault}")
    if not prompts and not faults:
        faults.append(f"{path}: no prompt in it; write one a line")
    _raise(faults)
    return _unique(prompts)


def inline(prompts: Sequence[str]) -> tuple[Prompt, ...]:
    """The prompts of the scenario itself, named "prompt 1", "prompt 2", ..."""
    made: list[Prompt] = []
    faults: list[str] = []
    for number, prompt in enumerate(prompts, 1):
        name = f"prompt {number}"
        try:
            made.append(Prompt(name, _said(prompt, name)))
        except _PromptError as fault:
            faults.append(str(fault))
    _raise(faults)
    return tuple(made)


def _raise(faults: Sequence[str]) -> None:
    if len(faults) > _MOST_FAULTS:
        faults = [*faults[:_MOST_FAULTS], f"... and {len(faults) - _MOST_FAULTS} faults more"]
    if faults:
        raise UsageError(faults)


def _from_text(line: str, name: str) -> Prompt:
    return Prompt(name, _said(line, "the line"))


def _from_json(line: str, name: str) -> Prompt:
    try:
        value: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise _PromptError(f"not JSON ({error.msg}, column {error.colno}); write {_SHAPES}") from error
    except (ValueError, RecursionError) as error:
        raise _PromptError(f"not JSON that can be read ({error}); write {_SHAPES}") from error
    match value:
        case str():
            return Prompt(name, _said(value, "the prompt"))
        case list():
            return Prompt(name, _messages(value))
        case dict():
            return _from_object(value, name)
    raise _PromptError(f"{_kind(value)} found; write {_SHAPES}")


def _from_object(value: Mapping[str, Any], name: str) -> Prompt:
    named = _name(value) or name
    given = [key for key in ("prompt", "messages") if key in value]
    match given:
        case ["prompt"]:
            return Prompt(named, _said(value["prompt"], '"prompt"'))
        case ["messages"]:
            return Prompt(named, _messages(value["messages"]))
        case []:
            found = ", ".join(f'"{key}"' for key in value) or "no key"
            raise _PromptError(f'an object with {found} found; it must have "prompt" or "messages"')
    raise _PromptError('"prompt" and "messages" found; keep one of them')


def _name(value: Mapping[str, Any]) -> str:
    """The name that the object gives itself, on one line; "" for none."""
    key = "name" if "name" in value else "id"
    match value.get(key):
        case None:
            return ""
        case str() | int() as name if not isinstance(name, bool):
            return " ".join(_sound(str(name), f'"{key}"').split())
        case other:
            raise _PromptError(f'"{key}" is {_kind(other)}; a name is a string')


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else _kind(value)
        raise _PromptError(f'"messages" is {found}; it must be a list of {{"role": ..., "content": ...}}')
    messages = tuple(_message(one, place) for place, one in enumerate(value, 1))
    if any(message.role == "system" for message in messages[1:]):
        raise _PromptError("a system message after the first message; it can only be the first")
    if messages[-1].role == "system":
        raise _PromptError("only a system message found; add a message of the user")
    return messages


def _message(value: Any, place: int) -> Message:
    where = f"message {place}"
    if not isinstance(value, dict):
        raise _PromptError(f'{where} is {_kind(value)}; it must be an object with "role" and "content"')
    role = value.get("role")
    if role not in _ROLES:
        found = "no role" if role is None else f"the role {json.dumps(role, ensure_ascii=False)}"
        raise _PromptError(f"{where} has {found}; a role is {', '.join(_ROLES[:-1])} or {_ROLES[-1]}")
    (message,) = _said(value.get("content"), f"the content of {where}", role)
    return message


def _said(value: Any, where: str, role: str = "user") -> tuple[Message]:
    """A conversation of one message."""
    if not isinstance(value, str):
        raise _PromptError(f"{where} is {_kind(value)}; it must be a string")
    if not value.strip():
        raise _PromptError(f"{where} is empty; write what is to be said, or take it out")
    return (Message(role, _sound(value, where)),)


def _sound(text: str, where: str) -> str:
    """The text, if it can be sent: JSON's escapes can spell what UTF-8 cannot."""
    if "\0" in text:
        raise _PromptError(f"{where} holds a NUL character; take it out")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise _PromptError(f"{where} holds half of a surrogate pair; write the character itself")
    return text


def _kind(value: Any) -> str:
    """The kind of a JSON value, as its writer would call it."""
    match value:
        case None:
            return "null"
        case bool():
            return json.dumps(value)
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "an object"


def _unique(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """The prompts, a number behind each name that was there before."""
    times: Counter[str] = Counter()
    unique: dict[str, Prompt] = {}
    for prompt in prompts:
        name = prompt.name
        while name in unique:
            times[prompt.name] += 1
            name = f"{prompt.name} ({times[prompt.name] + 1})"
        unique[name] = Prompt(name, prompt.messages)
    return tuple(unique.values())


_FORMATS: Mapping[str, Callable[[str, str], Prompt]] = {".txt": _from_text, ".jsonl": _from_json}
