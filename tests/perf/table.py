"""The table as text, at most a hundred columns wide."""

from collections.abc import Sequence

from figures import Figure
from rows import FEW, PEERS, Row, Verdict, unmet

WIDTH = 100
NOTES = (
    "* over requests whose first line came in a receive of its own. (n): a p99 of so few values.",
    "Errors are absolute, against the server's own stamps; figures are medians of the repeats.",
    "?: not measured, or the server was slower than the bound. docs/clock.md says what each row bounds.",
)


def table(verdicts: Sequence[Verdict]) -> str:
    """One line a row, under a head; then what a reader must know."""
    head = ["", "what", "measured", "bound", "met", *PEERS]
    lines = [_line(head), "-" * WIDTH, *(_line(_cells(one)) for one in verdicts)]
    said = dict.fromkeys(f"{one.row.what.strip()}: {one.why}" for one in verdicts if one.why)
    return "\n".join([*lines, *said])


def bounds(title: str, verdicts: Sequence[Verdict]) -> list[str]:
    """One sentence for each bound that does not hold."""
    return [
        f"{title}: {one.row.what.strip()}: {_measured(one)}, bound {_bound(one.row)}"
        for one in unmet(verdicts)
    ]


def number(value: float) -> str:
    """Three digits that count: 0.0412, 4.12, 41.2, 123,456."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}" if abs(value) >= 1 else f"{value:.3f}"


def _cells(one: Verdict) -> list[str]:
    met = "" if one.row.limit is None else {True: "yes", False: "NO", None: "?"}[one.met]
    beside = [number(one.beside[peer].value) if peer in one.beside else "-" for peer in PEERS]
    return [str(one.row.line), one.row.what, _measured(one), _bound(one.row), met, *beside]


def _measured(one: Verdict) -> str:
    if one.figure is None:
        return "-"
    return number(one.figure.value) + _few(one.row, one.figure)


def _few(row: Row, figure: Figure) -> str:
    return f" ({figure.n})" if row.of.figure.endswith("_p99") and figure.n < FEW else ""


def _bound(row: Row) -> str:
    return "-" if row.limit is None else f"{row.sense} {row.limit:,.6g}"


def _line(cells: Sequence[str]) -> str:
    line, what, measured, bound, met, *beside = cells
    row = f"{line:<2}{what:<35}{measured:>13}{bound:>12}{met:>5}"
    return row + "".join(f"{one:>11}" for one in beside)
