"""The load ladder: how long each model and quantization takes to load, beside the size of its file."""

from collections import Counter
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from olbench.findings import CellFinding, Findings, Summary
from olbench.metrics import METRICS
from olbench.model import ModelCard
from olbench.report.bundles import identity
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.frame import Frame, framed, mark, told, value_axis
from olbench.report.charts.rows import MOST_ROWS, rows
from olbench.report.palette import tint
from olbench.report.wording import number, scale

_SHOWN = (("load", "s1", "o"), ("preload", "s2", "D"))
_WIDTH, _FOOT = 600, 46


def charts(findings: Findings, key: str) -> tuple[Chart, ...]:
    """One chart: times, and file sizes in the same order; none when no load was timed."""
    names = dict(list(identity(findings.cells).items())[:MOST_ROWS])
    loads = [found.summaries[name] for found in findings.cells for name, _, _ in _SHOWN]
    common = framed(METRICS["load"], [one.typical for one in loads])
    if common is None:
        return ()
    timed = {one.metric for one in loads if one.typical.value is not None}
    note = "One mark a cell, from the top in the order of the table; bars are 95 % intervals; a hollow mark has none."
    keys = tuple(Key(METRICS[name].name, colour, marker) for name, colour, marker in _SHOWN if name in timed)
    panels = (_times(findings.cells, names, common, f"{key}-0"), *_sizes(findings, names, f"{key}-1"))
    return (Chart("", note, keys, panels, least=440),)


def _times(cells: Sequence[CellFinding], names: dict[str, str], common: Frame, key: str) -> Panel:
    figure, ax = _sheet(cells, names)
    value_axis(ax, common, "x")
    ax.set_xlabel(common.unit)
    words = []
    for row, (model, name) in enumerate(names.items()):
        own = [found for found in cells if found.cell.model == model]
        for place, (measure, colour, marker) in enumerate(_SHOWN):
            summaries = [found.summaries[measure] for found in own]
            _marks(ax, common, summaries, row - 0.2 + 0.4 * place, (tint(colour), marker))
            words += [f"{name}: {METRICS[measure].name} {told(common, one.typical)}" for one in summaries]
    return Panel("Time to load", canvas.finish(figure, key, "Time to load by model", "; ".join(words) + "."))


def _marks(
    ax: Axes, common: Frame, summaries: Sequence[Summary], height: float, look: tuple[str, str]
) -> None:
    """The marks of one model and metric, spread a little over the height of half a row."""
    for place, summary in enumerate(summaries):
        shift = 0.0 if len(summaries) == 1 else (place / (len(summaries) - 1) - 0.5) * 0.28
        mark(ax, common, summary.typical, height + shift, look=look, side="x")


def _sheet(cells: Sequence[CellFinding], names: dict[str, str]) -> tuple[Figure, Axes]:
    """An empty figure with a row a model, high enough for the marks of all its cells."""
    marks = max(Counter(found.cell.model for found in cells).values())
    figure = canvas.sheet(_WIDTH, 10 + _FOOT + min(30 + 8 * marks, 90) * len(names))
    return figure, rows(figure, list(names.values()), top=10, bottom=_FOOT, most=240)


def _sizes(findings: Findings, names: dict[str, str], key: str) -> list[Panel]:
    sizes = [_size(findings.record.cards, model) for model in names]
    known = [size for size in sizes if size is not None]
    if not known:
        return []
    one = scale(known, "B")
    figure, ax = _sheet(findings.cells, names)
    ax.barh(range(len(names)), [one(size or 0) for size in sizes], height=0.4, color=tint("muted"), lw=0)
    ax.set_xlim(0, one(max(known)) * 1.15)
    ax.set_xlabel(one.unit)
    ax.grid(visible=True, axis="x")
    texts = ["unknown" if size is None else number(size, one) for size in sizes]
    for row, (size, text) in enumerate(zip(sizes, texts, strict=True)):
        canvas.beside(ax, one(size or 0), row, text)
    words = [f"{name}: {text} {one.unit}" for name, text in zip(names.values(), texts, strict=True)]
    return [
        Panel(
            "Size of the file", canvas.finish(figure, key, "Size of the model file", "; ".join(words) + ".")
        )
    ]


def _size(cards: Sequence[ModelCard], model: str) -> int | None:
    return next((card.size for card in cards if card.name in (model, f"{model}:latest")), None)
