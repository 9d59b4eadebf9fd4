"""Values out of a JSON file that anybody may have written: each fault a sentence that says where, what, and what would do."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from olbench.errors import UsageError
from olbench.model import Fact

# What would move a terminal's cursor, turn a line around, or cannot be written as UTF-8.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SHOWN_AT_MOST = 40
# No figure is larger, and what is smaller is the rest of a subtraction: 0.
_LEAST, _MOST = 1e-12, 1e18
_LONGEST = 500  # characters of a name


def one_line(text: str) -> str:
    """A text as `At.text` will take it: what has no place in a line becomes U+FFFD, what is too long is cut."""
    clean = _UNFIT.sub("\ufffd", text)
    return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class At:
    """A value and where it stands: "baseline.json: cells[2].visits.decode"."""

    file: str
    path: str
    value: Any

    def fault(self, wants: str) -> NoReturn:
        """Say that it will not do, and what would."""
        where = f"{self.path} is" if self.path else "the file holds"
        raise UsageError(f"{self.file}: {where} {shown(self.value)}; {wants} would do")

    def key(self, name: str) -> "At":
        """What an object has under a key, which must be there."""
        found = self.maybe(name)
        if found is None:
            whole = f"in {self.path}" if self.path else "at its top"
            raise UsageError(f"{self.file}: {json.dumps(name)} is missing {whole}; the whole file would do")
        return found

    def maybe(self, name: str) -> "At | None":
        """What an object has under a key; None where it has no such key, or null."""
        value = self.mapping().get(name)
        return None if value is None else At(self.file, self._below(name), value)

    def mapping(self) -> Mapping[str, Any]:
        """An object."""
        if not isinstance(self.value, dict):
            self.fault("an object")
        return self.value

    def members(self) -> Iterator[tuple[str, "At"]]:
        """The keys of an object with their values; each key is a name."""
        for name, value in self.mapping().items():
            one = At(self.file, self._below(name), value)
            yield At(self.file, f"a key of {self.path or 'the file'}", name).text(), one

    def items(self) -> list["At"]:
        """The entries of a list."""
        if not isinstance(self.value, list):
            self.fault("a list")
        return [At(self.file, f"{self.path}[{place}]", one) for place, one in enumerate(self.value)]

    def text(self) -> str:
        """A text in one line."""
        if not isinstance(self.value, str) or len(self.value) > _LONGEST or _UNFIT.search(self.value):
            self.fault(f"a text in one line of at most {_LONGEST} characters")
        return self.value

    def one_of(self, *choices: str) -> str:
        """One of a few texts."""
        if self.value not in choices or not isinstance(self.value, str):
            self.fault(" or ".join(json.dumps(one) for one in choices))
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            self.fault("true or false")
        return self.value

    def whole(self, least: int = 0) -> int:
        """A whole number that a machine counts to."""
        if (
            not isinstance(self.value, int)
            or isinstance(self.value, bool)
            or not least <= self.value <= 2**63
        ):
            self.fault(f"a whole number of at least {least}")
        return self.value

    def number(self) -> float:
        """A figure of a measurement."""
        value = self.value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
            self.fault(f"a number of at most {_MOST:g}")
        return 0.0 if abs(value) < _LEAST else float(value)

    def fact(self) -> Fact:
        """A text, a number, true, false or null."""
        value = self.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text()
        if not isinstance(value, int | float) or not abs(value) <= 2**64:
            self.fault("a text, a number, true, false or null")
        return value

    def _below(self, name: str) -> str:
        plain = one_line(name)
        return f"{self.path}.{plain}" if self.path else plain


def parse(text: str, file: str) -> At:
    """What a JSON text holds, its numbers all finite. UsageError where it is none."""
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise UsageError(f"{file}: it is nested too deeply; a file that olbench wrote would do") from None
    except json.JSONDecodeError as fault:
        where = f"line {fault.lineno} is no JSON ({fault.msg})"
        raise UsageError(f"{file}: {where}; {_instead(text)} would do") from fault
    except ValueError as fault:  # a number of thousands of digits, or one of JavaScript's that JSON has not
        why = one_line(str(fault)).partition(";")[0]
        raise UsageError(f"{file}: it holds no JSON ({why}); a file that olbench wrote would do") from fault
    return At(file, "", value)


def shown(value: object) -> str:
    """A value as a sentence shows it: on one line, and not too long."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = one_line(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= _SHOWN_AT_MOST else f"{text[:_SHOWN_AT_MOST]}…"


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _instead(text: str) -> str:
    if any(line.startswith(("<<<<<<<", ">>>>>>>")) for line in text.splitlines()):
        return "the file without the marks of a merge"
    return "a file that `olbench baseline save RUN FILE` or `olbench export RUN --format json` wrote"
