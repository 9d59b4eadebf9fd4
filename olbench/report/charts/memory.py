"""Memory by model and num_ctx: GPU memory and RAM stacked, against what the machine has."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from olbench.findings import CellFinding, Findings
from olbench.model import Facts
from olbench.report.bundles import identity
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.rows import MOST_ROWS, rows
from olbench.report.palette import tint
from olbench.report.reasons import reasons
from olbench.report.wording import Scale, number, scale
from olbench.units import words

_ROW = 24
# The machine's own size is drawn as a line as long as the bars then still take this share of the width.
_LEAST_SHARE = 0.25
_CARD = re.compile(r"gpu\d+\.(memory|memory_total|vram|total)")


@dataclass(frozen=True, slots=True)
class Use:
    """What one model takes at one num_ctx, in bytes: the most of its cells. None: unknown."""

    name: str
    gpu: float | None
    ram: float | None

    @property
    def total(self) -> float:
        """The length of the whole bar."""
        return (self.gpu or 0.0) + (self.ram or 0.0)


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One wide chart; none when neither RAM nor GPU memory of any cell is known."""
    uses = [use for use in taken(findings.cells) if use.total > 0][:MOST_ROWS]
    if not uses:
        return ()
    note = ["The peak of a visit, typical over the visits; the highest where several cells share a row."]
    note += [f"GPU memory: {reasons('gpu_peak', findings.cells)}."] * all(use.gpu is None for use in uses)
    note += [f"RAM: {reasons('ram_peak', findings.cells)}."] * all(use.ram is None for use in uses)
    keys = [Key("GPU memory", "s2", None)] * any(use.gpu for use in uses)
    keys += [Key("RAM", "s1", None)] * any(use.ram for use in uses)
    sizes = capacity(findings.record.facts)
    panel = _panel(uses, sizes, key)
    note += [
        f"The machine has {words(size, 'B')} of {name}{_filled(uses, name, size)}." for name, size in sizes
    ]
    return (Chart("", " ".join(note), tuple(keys), (panel,), least=canvas.WIDE),)


def taken(cells: Sequence[CellFinding]) -> tuple[Use, ...]:
    """What each model takes at each num_ctx, in the plan's order."""
    names = identity(cells)
    several = len({found.cell.num_ctx for found in cells}) > 1
    groups: dict[str, list[CellFinding]] = {}
    for found in cells:
        name = names[found.cell.model] + (f" · num_ctx {found.cell.num_ctx}" if several else "")
        groups.setdefault(name, []).append(found)
    return tuple(Use(name, _most(own, "gpu_peak"), _most(own, "ram_peak")) for name, own in groups.items())


def capacity(facts: Facts) -> tuple[tuple[str, float], ...]:
    """What the server's machine has: GPU memory over all cards, and RAM as far as a container may use it."""
    if facts.get("server.local") is False:
        return ()
    cards = [value for name, value in facts.items() if _CARD.fullmatch(name) and _is_size(value)]
    ram = [value for name in ("ram.total", "ram.limit") if _is_size(value := facts.get(name))]
    gpu = sum(float(value) for value in cards if value is not None)
    found = (
        ("GPU memory", gpu),
        ("RAM", min((float(value) for value in ram if value is not None), default=0.0)),
    )
    return tuple((name, size) for name, size in found if size > 0)


def _filled(uses: Sequence[Use], name: str, size: float) -> str:
    """How much of it the largest row takes."""
    parts = [use.gpu if name == "GPU memory" else use.ram for use in uses]
    most = max((part for part in parts if part is not None), default=None)
    return "" if most is None else f"; the largest part here is {words(most / size, 'share', 2)} of it"


def _is_size(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _most(cells: Sequence[CellFinding], name: str) -> float | None:
    values = [found.summaries[name].typical.value for found in cells]
    return max((value for value in values if value is not None), default=None)


def _panel(uses: Sequence[Use], sizes: Sequence[tuple[str, float]], key: str) -> Panel:
    figure = canvas.sheet(canvas.WIDE, 28 + 46 + _ROW * len(uses))
    ax = rows(figure, [use.name for use in uses], top=28, bottom=46, most=340)
    longest = max(use.total for use in uses)
    one = scale([use.total for use in uses], "B")
    lines = [line for line in _lines(sizes) if longest >= line[1] * _LEAST_SHARE]
    ax.set_xlim(0, one(max([longest, *(size for _, size, _ in lines)])) * 1.1)
    starts = [0.0] * len(uses)
    for values, colour in (([use.gpu for use in uses], "s2"), ([use.ram for use in uses], "s1")):
        widths = [one(value or 0.0) for value in values]
        ax.barh(range(len(uses)), widths, left=starts, height=0.62, color=tint(colour), lw=0)
        starts = [start + width for start, width in zip(starts, widths, strict=True)]
    for row, use in enumerate(uses):
        canvas.beside(ax, one(use.total), row, number(use.total, one))
    for name, size, colour in lines:
        _limit(ax, one(size), f"{name}: {number(size, one)}", tint(colour))
    ax.set_xlabel(one.unit)
    ax.grid(visible=True, axis="x")
    told = "; ".join(_told(use, one) for use in uses) + "."
    return Panel("", canvas.finish(figure, key, "Memory by model and num_ctx", told))


def _lines(sizes: Sequence[tuple[str, float]]) -> list[tuple[str, float, str]]:
    """What the bars may be held against: GPU memory, where a bar begins with it, and all memory, where it ends."""
    both = [] if len(sizes) < 2 else [("GPU memory and RAM", sum(size for _, size in sizes), "ink")]
    return [
        (name, size, "ink" if name == "RAM" else "s2") for name, size in sizes if name != "RAM" or not both
    ] + both


def _limit(ax: Axes, at: float, said: str, colour: str) -> None:
    ax.axvline(at, color=colour, lw=1.2, ls=(0, (4, 3)))
    ax.annotate(
        said, (at, 1), (0, 6), ("data", "axes fraction"), textcoords="offset points",
        ha="center", fontsize=10, color=tint("ink"),
    )  # fmt: skip


def _told(use: Use, one: Scale) -> str:
    parts = (("GPU memory", use.gpu), ("RAM", use.ram))
    known = ", ".join(f"{name} {number(value, one)} {one.unit}" for name, value in parts if value is not None)
    return f"{use.name}: {known}"
