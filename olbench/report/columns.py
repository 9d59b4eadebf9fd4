"""Columns of text for a terminal: widths, cutting, wrapping, colour."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from olbench.report.wording import plain

WIDTH = 100
_LEAST_NAME = 7
_GAP = "  "
_COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
# A word with the blanks before it, or a single wide character: lines may break before either.
_PIECES = re.compile(
    r"\s*[^\s\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]+|\s*[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A heading and its fields; `least` is how narrow the column may be cut (0: it may not).

    Names lose their middle, since both ends tell them apart; `prose` loses its end.
    """

    head: str
    fields: Sequence[str]
    right: bool = False
    least: int = 0
    under: str = ""  # a second line of the heading
    prose: bool = False

    @property
    def width(self) -> int:
        """Columns of the terminal that the widest entry takes."""
        return max(map(width_of, (self.head, self.under, *self.fields)))


def width_of(text: str) -> int:
    """Columns of a terminal that the text takes."""
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, width: int) -> str:
    """`text` with the middle taken out of its name where it is wider than `width`.

    The name ends at the first dot of a label; behind it stand numbers, which half shown would be others.
    """
    if width_of(text) <= width:
        return text
    name, dot, rest = text.partition(" · ")
    kept = width - width_of(dot + rest)
    if rest and kept >= _LEAST_NAME:
        return cut(name, kept) + dot + rest
    room = width - 1
    head, tail = _opening(text, room - room // 2), _opening(text[::-1], room // 2)[::-1]
    return f"{head}…{tail}"


def shortened(text: str, width: int) -> str:
    """`text` with its end taken off where it is wider than `width`."""
    return text if width_of(text) <= width else f"{_opening(text, width - 1).rstrip()}…"


def _opening(text: str, width: int) -> str:
    """As many characters from the start as fit."""
    used = 0
    for place, char in enumerate(text):
        used += _width(char)
        if used > width:
            return text[:place]
    return text


def grid(columns: Sequence[Column], width: int, *, colour: bool = False) -> list[str]:
    """The columns side by side in at most `width`: prose gives way first, then the widest that may be cut."""
    widths = _fitted(columns, width - len(_GAP) * (len(columns) - 1))
    heads = [[one.head for one in columns]]
    if any(one.under for one in columns):
        heads.append([one.under for one in columns])
    rows = list(zip(*(one.fields for one in columns), strict=True))
    lines = [painted(_line(columns, widths, head), "dim", colour=colour) for head in heads]
    return [*lines, *(_line(columns, widths, row) for row in rows)]


def _fitted(columns: Sequence[Column], room: int) -> list[int]:
    widths = [one.width for one in columns]
    while sum(widths) > room:
        may = [place for place, one in enumerate(columns) if one.least and widths[place] > one.least]
        if not may:
            break
        widths[max(may, key=lambda place: (columns[place].prose, widths[place]))] -= 1
    return widths


def _line(columns: Sequence[Column], widths: Sequence[int], fields: Sequence[str]) -> str:
    shown = (_field(one, width, text) for one, width, text in zip(columns, widths, fields, strict=True))
    return _GAP.join(shown).rstrip()


def _field(column: Column, width: int, text: str) -> str:
    kept = shortened(text, width) if column.prose else cut(text, width)
    return _padded(kept, width, right=column.right)


def _padded(text: str, width: int, *, right: bool) -> str:
    blanks = " " * (width - width_of(text))
    return blanks + text if right else text + blanks


def paragraph(text: str, width: int, opening: str = "") -> list[str]:
    """`text` broken into lines of at most `width`; `opening` stands before the first, the others are set in."""
    inset = " " * width_of(opening)
    lines = list(_broken(plain(text), width - len(inset)))
    return [(inset if place else opening) + line for place, line in enumerate(lines)]


def _broken(text: str, width: int) -> Iterator[str]:
    line = ""
    for piece in _PIECES.findall(text):
        if line and width_of(line + piece) > width:
            yield line
            line = ""
        line += piece if line else piece.lstrip()
        while width_of(line) > width:
            head = _opening(line, width)
            yield head
            line = line[len(head) :]
    if line:
        yield line


def painted(text: str, style: str, *, colour: bool) -> str:
    """The text in a style of the terminal, or as it is."""
    return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if colour else text
