"""The line of every key of a TOML text."""

import re
import tomllib
from collections.abc import Iterator

Path = tuple[str | int, ...]  # ("sweep", "exclude", 0, "num_ctx")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+|\#[^\n]*)
    |(?P<newline>\n)
    |(?P<text>\"{3}(?:[^\\]|\\.)*?\"{3,5}|'{3}.*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')
    |(?P<mark>[\[\]{}=,.])
    |(?P<bare>[^\s\[\]{}=,."'#]+)""",
    re.VERBOSE | re.DOTALL,
)


def lines_of(text: str) -> dict[Path, int]:
    """Where each table, key and item of a list begins, from 1. `text` is TOML that tomllib has accepted.

    Note: tomllib keeps no places, and a second parser that does would judge differently; this one judges nothing.
    """
    return dict(_Scan(text).places())


class _Scan:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._at = 0
        self._counts: dict[Path, int] = {}  # array of tables -> index of its last table

    def places(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        while self._at < len(self._tokens):
            word, line = self._tokens[self._at]
            if word == "\n":
                self._at += 1
            elif word == "[":
                table = self._header()
                yield table, line
            else:
                yield from self._pair(table)

    def _peek(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else "\n"

    def _line(self) -> int:
        return self._tokens[min(self._at, len(self._tokens) - 1)][1]

    def _header(self) -> Path:
        double = self._tokens[self._at + 1][0] == "["
        self._at += 1 + double
        parts = self._key("]")
        self._at += 1 + double
        path: Path = ()
        for size, part in enumerate(parts, 1):
            path += (part,)
            if double and size == len(parts):
                self._counts[path] = self._counts.get(path, -1) + 1
            if path in self._counts:
                path += (self._counts[path],)
        return path

    def _key(self, end: str) -> Path:
        parts: list[str | int] = []
        while self._peek() != end:
            if self._peek() != ".":
                parts.append(_unquoted(self._peek()))
            self._at += 1
        return tuple(parts)

    def _pair(self, table: Path) -> Iterator[tuple[Path, int]]:
        line = self._line()
        key = self._key("=")
        self._at += 1
        yield from ((table + key[:size], line) for size in range(1, len(key) + 1))
        yield from self._value(table + key)

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        if self._peek() not in {"[", "{"}:
            while self._peek() not in {",", "]", "}", "\n"}:
                self._at += 1
            return
        table = self._peek() == "{"
        end = "}" if table else "]"
        index = 0
        self._at += 1
        while self._peek() != end:
            if self._peek() in {",", "\n"}:
                self._at += 1
            elif table:
                yield from self._pair(path)
            else:
                yield (*path, index), self._line()
                yield from self._value((*path, index))
                index += 1
        self._at += 1


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "blank":
            yield found[0], line
        line += found[0].count("\n")


def _unquoted(word: str) -> str:
    return str(tomllib.loads(f"key = {word}")["key"]) if word[:1] in {'"', "'"} else word
