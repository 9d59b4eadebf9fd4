"""What memory allows: how much of its bandwidth decoding uses, cell by cell, against all of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from olbench.findings import CellFinding, Findings, Roof
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Panel
from olbench.report.charts.rows import MOST_ROWS, rows
from olbench.report.palette import tint
from olbench.report.tables import which
from olbench.report.wording import plain, scale, spread
from olbench.units import words

_ROW = 26
_NOTE = (
    "Decoding one stream reads every weight in use, and the keys and values of all tokens before, once for each token: "
    "memory sets its roof. Bars: bytes that one token reads, times the decode rate, by the memory's bandwidth; lines are "
    "95 % intervals."
)


@dataclass(frozen=True, slots=True)
class Share:
    """One bar: a cell whose share is known."""

    name: str
    roof: Roof
    value: float


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One wide chart; none where no cell's share is known."""
    shares = known(findings.cells)
    if not shares:
        return ()
    note = " ".join((_NOTE, *_bandwidths(shares), *_rest(findings.cells, len(shares))))
    return (Chart("", note, (), (_panel(shares[:MOST_ROWS], key),), least=canvas.WIDE),)


def known(cells: Sequence[CellFinding]) -> tuple[Share, ...]:
    """The cells whose share is known, in the order of the table."""
    return tuple(
        Share(plain(f"{place}. {found.label}"), found.roof, found.roof.share.value)
        for place, found in enumerate(cells, 1)
        if found.roof is not None and found.roof.share.value is not None
    )


def _bandwidths(shares: Sequence[Share]) -> list[str]:
    """How the bandwidth is known, each way once."""
    ways = dict.fromkeys((one.roof.bandwidth, one.roof.by) for one in shares)
    return [f"Memory gives {words(rate, 'B/s')} ({plain(by)})." for rate, by in ways]


def _rest(cells: Sequence[CellFinding], shown: int) -> list[str]:
    """Why other cells have no bar."""
    reasons: dict[str, list[int]] = {}
    for place, found in enumerate(cells, 1):
        if found.roof is not None and found.roof.share.value is None:
            reasons.setdefault(plain(found.roof.share.reason), []).append(place)
    told = [f"No bar for {which(places, len(cells))}: {why}." for why, places in reasons.items()]
    return [*told, *([f"{shown - MOST_ROWS} more stand in the table only."] if shown > MOST_ROWS else [])]


def _panel(shares: Sequence[Share], key: str) -> Panel:
    figure = canvas.sheet(canvas.WIDE, 28 + 46 + _ROW * len(shares))
    ax = rows(figure, [one.name for one in shares], top=28, bottom=46, most=340)
    ends = [max(one.value, min(one.roof.share.high or one.value, 2 * one.value)) * 100 for one in shares]
    ax.set_xlim(0, max(124.0, max(ends) * 1.24))
    ax.barh(range(len(shares)), [one.value * 100 for one in shares], height=0.56, color=tint("s1"), lw=0)
    for row, (one, end) in enumerate(zip(shares, ends, strict=True)):
        low, high = one.roof.share.low, one.roof.share.high
        if low is not None and high is not None:
            ax.plot([max(low, 0.0) * 100, end], [row, row], color=tint("ink"), lw=1.5, marker="|", ms=7)
        canvas.beside(ax, end, row, f"{_told(one)[0]} · {words(one.roof.per_token, 'B')} a token")
    ax.axvline(100, color=tint("ink"), lw=1.2, ls=(0, (4, 3)))
    ax.annotate(
        "all that memory gives", (100, 1), (0, 6), ("data", "axes fraction"), textcoords="offset points",
        ha="center", fontsize=10, color=tint("ink"),
    )  # fmt: skip
    ax.set_xlabel("% of the memory's bandwidth")
    ax.grid(visible=True, axis="x")
    said = "; ".join(f"{one.name}: {' '.join(_told(one))}" for one in shares) + "."
    return Panel("", canvas.finish(figure, key, "Share of what memory allows, by cell", said))


def _told(one: Share) -> tuple[str, str]:
    value, interval = spread(one.roof.share, scale([], "share"))
    return f"{value} %", interval
