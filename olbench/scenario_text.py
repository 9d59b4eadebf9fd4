"""A scenario's TOML with the command line's overrides in it."""

import copy
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from olbench.scenario_lines import Path, lines_of

_AT = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_OVERRIDES = "# olbench: set on the command line"
_OVERRIDE = "# --set "
# What tomllib says first -> what would do.
_HINTS = {
    "Invalid value": "a text stands in quotes, a list in [ ]",
    "Illegal character '\\n'": "a quote that opens on a line closes on it",
    "Unterminated string": "a quote that opens on a line closes on it",
    "Cannot overwrite": "a key stands once in its section",
    "Cannot declare": "a section stands once",
    "Expected '=' after a key": 'a line reads key = value, such as model = "llama3.2:3b"',
}


@dataclass(frozen=True, slots=True)
class Source:
    """Where a scenario's keys stand."""

    path: str
    lines: Mapping[Path, int]
    overrides: Mapping[Path, str]  # key -> the override's own words for it

    def where(self, key: Path) -> str:
        """`a.toml:12`, or `--set sweep.num_ctx`; a key that stands nowhere has its section's line."""
        for given, words in self.overrides.items():
            if key[: len(given)] == given:
                return f"--set {words}"
        line = self.line(key)
        made = [words for given, words in self.overrides.items() if not line and given[: len(key)] == key]
        return f"--set {made[0]}" if made else f"{self.path}:{line}" if line else self.path

    def line(self, key: Path) -> int:
        """The line of a key, or of the nearest table around it; 0 when the file has neither."""
        around = (key[:size] for size in range(len(key), 0, -1))
        return next((self.lines[one] for one in around if one in self.lines), 0)


@dataclass(frozen=True, slots=True)
class Document:
    """A scenario as TOML gives it, unchecked, with the overrides in it."""

    tables: dict[str, Any]
    source: Source
    faults: tuple[str, ...]  # overrides that could not be taken in


def read(text: str, path: str, overrides: Sequence[str]) -> Document:
    """The TOML of `text` with `overrides` in it. ValueError with one sentence when it is no TOML."""
    try:
        tables = tomllib.loads(text.removeprefix("\ufeff"))  # some editors put a mark of byte order there
        lines = lines_of(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as exc:
        raise ValueError(_syntax(str(exc), text, path)) from exc
    except RecursionError as exc:
        raise ValueError(
            f"{path}: tables or lists are nested too deeply; a scenario needs three levels"
        ) from exc
    given: dict[Path, str] = {}
    faults = []
    for override in overrides:
        try:
            key, value = _override(override)
            tables = _put(tables, key, value)
            given[key] = dotted(key)
        except ValueError as exc:
            faults.append(f"--set {override.partition('=')[0].strip()}: {exc}")
    return Document(tables, Source(path, lines, given), tuple(faults))


def dotted(key: Path) -> str:
    """A key as people write it: ("sweep", "exclude", 0, "num_ctx") -> sweep.exclude[0].num_ctx."""
    words = ""
    for part in key:
        if isinstance(part, int):
            words += f"[{part}]"
        else:
            words += ("." if words else "") + (part if _BARE_KEY.fullmatch(part) else f'"{part}"')
    return words


def kept(text: str, overrides: Sequence[str]) -> str:
    """The text as a store keeps it: overrides as comment lines at its end. `reread` takes it apart."""
    if not overrides:
        return text
    lines = (_OVERRIDES, *(_OVERRIDE + override for override in overrides))
    return text.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n"


def reread(text: str) -> tuple[str, tuple[str, ...]]:
    """A kept text -> the text and the overrides that made it."""
    before, mark, after = text.rpartition(_OVERRIDES + "\n")
    if not mark:
        return text, ()
    overrides = (line.removeprefix(_OVERRIDE) for line in after.splitlines() if line.startswith(_OVERRIDE))
    return before, tuple(overrides)


def _syntax(message: str, text: str, path: str) -> str:
    found = _AT.fullmatch(message)
    what, line = (message, None) if found is None else (found[1], found[2])
    hint = next((f"; {hint}" for opening, hint in _HINTS.items() if what.startswith(opening)), "")
    return f"{path}:{line or text.count(chr(10)) + 1}: this is no TOML: {what[0].lower()}{what[1:]}{hint}"


def _override(override: str) -> tuple[Path, Any]:
    """`sweep.num_ctx=[2048]` -> (("sweep", "num_ctx"), [2048]). A bare word is a text."""
    name, mark, value = (part.strip() for part in override.partition("="))
    if not mark or not name:
        raise ValueError('a key and a value would do, such as "sweep.num_ctx=[2048, 8192]"')
    if not override.isprintable():
        raise ValueError("it holds a line break or a control character; one line of text would do")
    # Note: a quoted key with "=" in it is cut in the wrong place, and refused here.
    try:
        key = _only_key(tomllib.loads(f"{name} = 0"))
    except tomllib.TOMLDecodeError:
        raise ValueError(
            'its key is none; names with dots between them would do, such as "sweep.model"'
        ) from None
    return key, _value(value)


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        if text[:1] in {"[", "{", '"', "'"}:
            raise ValueError(
                "its value is no TOML; texts within a list stand in quotes, and the shell takes quotes away "
                'unless others stand around them: --set \'sweep.model=["a", "b"]\''
            ) from None
        return text


def _only_key(table: dict[str, Any]) -> Path:
    path: Path = ()
    here: Any = table
    while isinstance(here, dict):
        ((part, here),) = here.items()
        path += (part,)
    return path


def _put(tables: dict[str, Any], key: Path, value: Any) -> dict[str, Any]:
    """A copy of `tables` with `value` at `key`; tables on the way are made."""
    whole = copy.deepcopy(tables)
    here = whole
    for size, part in enumerate(key[:-1], 1):
        inner = here.setdefault(str(part), {})
        if isinstance(inner, dict):
            here = inner
            continue
        raise ValueError(f"{dotted(key[:size])} is a value, not a section; it has no keys")
    here[str(key[-1])] = value
    return whole
