"""From a matplotlib figure to inline SVG: the same numbers give the same bytes, colours and fonts come from the page.

Layout is counted with DejaVu Sans, which matplotlib brings along, so that it does not depend on the fonts installed.
"""

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

# matplotlib wrote what is parsed here, one call earlier; no outside document comes this way.
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from olbench.report.palette import TINTS, tint
from olbench.report.wording import plain

# How far a character takes the pen, in units of the type's size; upper bounds over the usual sans-serifs.
_ADVANCES = (("iljtfI.,:;|!'·()[]/ ", 0.4), ("mwMW@%…", 0.98), ("ABCDEFGHKNOPQRSTUVXYZ_+<>=", 0.75))
WIDE = 960  # pixels of a drawing that takes the page's width
_RC: dict[Any, Any] = {  # the stubs name every key
    "svg.fonttype": "none",
    "svg.hashsalt": "olbench",
    "text.parse_math": False,  # a model may be named $x$
    "axes.unicode_minus": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "axes.edgecolor": tint("rule"),
    "axes.labelcolor": tint("muted"),
    "axes.linewidth": 0.8,
    "text.color": tint("ink"),
    "xtick.color": tint("muted"),
    "ytick.color": tint("muted"),
    "grid.color": tint("grid"),
    "grid.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}
# The markers of the charts as paths in a box of 12 by 12, for legends; None is the patch of a filled area.
SHAPES: dict[str | None, str] = {
    None: "M1 2.5h10v7H1z",
    "o": "M6 2.4a3.6 3.6 0 1 0 0 7.2a3.6 3.6 0 1 0 0-7.2z",
    "s": "M2.7 2.7h6.6v6.6H2.7z",
    "^": "M6 2.4 9.6 9.6H2.4z",
    "D": "M6 1.6 10.4 6 6 10.4 1.6 6z",
    "v": "M6 9.6 2.4 2.4h7.2z",
    "P": "M4.6 2.4h2.8v2.2h2.2v2.8H7.4v2.2H4.6V7.4H2.4V4.6h2.2z",
    "X": "M3.6 2.2 6 4.6l2.4-2.4 1.4 1.4L7.4 6l2.4 2.4-1.4 1.4L6 7.4 3.6 9.8 2.2 8.4 4.6 6 2.2 3.6z",
    "p": "M6 2.2 9.8 5 8.4 9.4H3.6L2.2 5z",
    "ring": "M6 3.4a2.6 2.6 0 1 0 0 5.2a2.6 2.6 0 1 0 0-5.2z",
}
_VARIABLES = {one.stand_in: f"var(--{one.name})" for one in TINTS}
_COLOUR = re.compile(r"#fe01[0-9a-f]{2}")
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")
_FONT = re.compile(r"font-family:[^;]*;?\s*")
_REFERENCE = re.compile(r"#([A-Za-z_][\w.-]*)")


@dataclass(frozen=True, slots=True)
class Key:
    """One entry of a legend: a name, the role of its colour and the marker (None: a filled patch)."""

    name: str
    tint: str
    marker: str | None
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One drawing. `caption` says what is drawn; the SVG is finished."""

    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Panels under one title with one legend, side by side as long as each has `least` pixels."""

    title: str
    note: str
    keys: tuple[Key, ...]
    panels: tuple[Panel, ...]
    least: int

    @property
    def roomy(self) -> bool:
        """True when a printed page has room for two panels, not three."""
        return self.least > 400

    @property
    def whole(self) -> bool:
        """True when a panel takes the whole width."""
        return self.least >= WIDE


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib with the house's settings; its word on missing glyphs is silenced, since the browser has the fonts."""
    with mpl.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from", category=UserWarning)
        yield


def sheet(width: int, height: int) -> Figure:
    """An empty figure whose unit of length is one CSS pixel at full size."""
    return Figure(figsize=(width / 72, height / 72), dpi=72, facecolor="none")


def axes(figure: Figure, left: float, top: float, right: float, bottom: float) -> Axes:
    """Axes that leave these margins, in pixels."""
    width, height = figure.get_size_inches() * 72
    box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    made = figure.add_axes(box, facecolor="none")
    made.set_axisbelow(True)
    return made


def corner(figure: Figure, words: str) -> None:
    """The unit of the upright axis, in the corner above it."""
    height = figure.get_size_inches()[1] * 72
    figure.text(0.01, 1 - 14 / height, words, color=tint("muted"))


def beside(ax: Axes, x: float, y: float, words: str) -> None:
    """A figure to the right of the end of a bar."""
    ax.annotate(
        words,
        (x, y),
        (6, 0),
        textcoords="offset points",
        va="center_baseline",
        fontsize=10,
        color=tint("muted"),
    )


def text_width(text: str, size: float = 11) -> float:
    """Pixels that a text takes in any usual sans-serif, rather too many than too few."""
    units = sum(_advance(char) for char in text)
    return units * size


def fitted(text: str, room: float, size: float = 11) -> str:
    """`text` on one line, with its middle cut out where it would take more than `room` pixels."""
    text = plain(text)
    if text_width(text, size) <= room:
        return text
    for keep in range(len(text) - 1, 1, -1):
        cut = text[: (keep + 1) // 2] + "…" + text[len(text) - keep // 2 :]
        if text_width(cut, size) <= room:
            return cut
    return "…"


def _advance(char: str) -> float:
    if unicodedata.east_asian_width(char) in "WF":
        return 1.0
    return next((width for chars, width in _ADVANCES if char in chars), 0.6)


def finish(figure: Figure, key: str, title: str, description: str) -> str:
    """The figure as inline SVG. `key` must be unique on the page: it opens every id, and ids must not collide."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    root = ET.fromstring(stream.getvalue())  # noqa: S314 - written by matplotlib in the line above
    width, height = figure.get_size_inches() * 72
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{escape(plain(title))}</title>'
        f'<desc id="{key}-desc">{escape(plain(description))}</desc>'
    )
    used = _referenced(root)
    return head + "".join(_element(child, key, used) for child in _drawn(root)) + "</svg>"


def _drawn(root: ET.Element) -> Iterator[ET.Element]:
    """The parts of matplotlib's document that belong in a page: not its style sheet, which would style the page."""
    for child in root:
        if not (_local(child.tag) == "defs" and any(_local(one.tag) == "style" for one in child)):
            yield child


def _referenced(root: ET.Element) -> set[str]:
    values = (value for one in root.iter() for name, value in one.attrib.items() if _local(name) != "id")
    return {found for value in values if "#" in value for found in _REFERENCE.findall(value)}


def _element(element: ET.Element, key: str, used: set[str]) -> str:
    tag = _local(element.tag)
    inner = escape(element.text or "", quote=False) if tag == "text" else ""
    inner += "".join(_element(child, key, used) for child in element)
    if tag == "g" and not inner:
        return ""
    attributes = "".join(_attribute(_local(name), value, key, used) for name, value in element.attrib.items())
    if tag == "g" and not attributes:
        return inner
    return f"<{tag}{attributes}>{inner}</{tag}>" if inner else f"<{tag}{attributes}/>"


def _attribute(name: str, value: str, key: str, used: set[str]) -> str:
    if name == "id":
        return f' id="{key}-{value}"' if value in used else ""
    if name == "style":
        value = _COLOUR.sub(lambda found: _VARIABLES[found[0]], _FONT.sub("", value)).replace(": ", ":")
    elif name in ("href", "clip-path"):
        value = value.replace("#", f"#{key}-")
    else:
        value = " ".join(_DECIMALS.sub(lambda found: f"{float(found[0]):.2f}", value).split())
    if value.startswith("rotate(-0 "):  # every upright text carries it
        return ""
    return f' {name}="{escape(value)}"'


def _local(name: str) -> str:
    return name.rpartition("}")[2]
