"""The change of a metric, one row a cell: the interval of the ratio over the margin, and beside it both sides' visits."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from olbench.differences import Comparison, Difference, Pair, Verdict
from olbench.findings import Estimate
from olbench.metrics import METRICS, Metric
from olbench.prose import counted
from olbench.report.charts import canvas
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.frame import Frame, mark
from olbench.report.charts.rows import MOST_ROWS, rows
from olbench.report.palette import tint
from olbench.report.tables.compared import ARROWS, changed, share, word
from olbench.report.wording import Scale, plain

# A verdict has a shape beside its colour.
LOOKS: dict[Verdict, tuple[str, str]] = {
    "slower": ("warn", "v"),
    "faster": ("fine", "^"),
    "equivalent": ("muted", "s"),
    "cannot tell": ("ink", "o"),
}
_OR: dict[Verdict, str] = {"slower": ", or takes more", "faster": ", or takes less"}
_SIDES = (("base", "s1", "o", -0.17), ("new", "s2", "s", 0.17))  # name, colour, marker, place in the row
_WIDTH, _ROW, _TOP, _BOTTOM, _NAMES = 560, 34, 10, 46, 200
_FARTHEST = 4.0  # an interval may take so many times the room of the values before it is cut
_PERCENT = Scale(1.0, "%")


@dataclass(frozen=True, slots=True)
class _Row:
    """One pair as it stands in a chart; all numbers are changes in percent."""

    label: str
    verdict: Verdict
    change: Estimate
    words: str
    base: tuple[float, ...]  # visits, from the base's typical value
    new: tuple[float, ...]


def charts(made: Comparison, key: str) -> tuple[Chart, ...]:
    """One chart a metric that any pair has a ratio of."""
    with canvas.drawing():
        return tuple(_charts(made, key))


def _charts(made: Comparison, key: str) -> list[Chart]:
    found: list[Chart] = []
    for metric in dict.fromkeys(one.metric for pair in made.pairs for one in pair.differences):
        told = [(pair, one) for pair in made.pairs for one in pair.differences if one.metric == metric]
        shown = [(pair, one) for pair, one in told if one.ratio.value is not None]
        if shown:
            found.append(_chart(metric, shown, len(told), f"{key}-{metric}", first=not found))
    return found


def _chart(metric: str, shown: Sequence[tuple[Pair, Difference]], of: int, key: str, *, first: bool) -> Chart:
    row = METRICS[metric]
    made = [_row(pair, one) for pair, one in shown[:MOST_ROWS]]
    margin = max(one.margin for _, one in shown) * 100
    return Chart(
        title=f"{row.name} {ARROWS[row.better]}".rstrip(),
        note=_note(row, margin / 100, of - len(shown), len(shown) - len(made)),
        keys=_keys() if first else (),
        panels=(_ratios(row, made, margin, f"{key}-ratio"), _visits(row, made, margin, f"{key}-visits")),
        least=480,
    )


def _row(pair: Pair, one: Difference) -> _Row:
    typical = one.base.value or None  # from zero there is no percent
    sides = (pair.base.visits.get(one.metric, ()), pair.new.visits.get(one.metric, ()))
    base, new = (tuple((value / typical - 1) * 100 for value in side) if typical else () for side in sides)
    known = " ".join(part for part in changed(one.ratio) if part)
    return _Row(
        label=plain(pair.label),
        verdict=one.verdict,
        change=Estimate(_less(one.ratio.value), _less(one.ratio.low), _less(one.ratio.high)),
        words=f"{plain(pair.label)}: {known}, {word(one.metric, one.verdict)}",
        base=base,
        new=new,
    )


def _less(ratio: float | None) -> float | None:
    return None if ratio is None else (ratio - 1) * 100


def _note(row: Metric, margin: float, without: int, beyond: int) -> str:
    parts = [f"The band is the margin of {share(margin)} inside which two figures count as equivalent."]
    if row.better != "neither":
        parts.append(f"{'More' if row.better == 'higher' else 'Less'} is better.")
    parts += [f"{counted(without, 'cell')} without a ratio: see the table."] if without else []
    parts += [f"{counted(beyond, 'more cell')} in the table only."] if beyond > 0 else []
    return " ".join(parts)


def _keys() -> tuple[Key, ...]:
    verdicts = [
        Key(f"{verdict}{_OR.get(verdict, '')}", colour, marker, hollow=verdict == "cannot tell")
        for verdict, (colour, marker) in LOOKS.items()
    ]
    sides = [Key(f"visits of the {name}", colour, marker) for name, colour, marker, _ in _SIDES]
    return (*verdicts, *sides)


def _ratios(row: Metric, made: Sequence[_Row], margin: float, key: str) -> Panel:
    figure = canvas.sheet(_WIDTH, _height(made))
    ax = rows(figure, [one.label for one in made], top=_TOP, bottom=_BOTTOM, most=_NAMES)
    frame = _frame(row, made, margin)
    ax.axvspan(-margin, margin, facecolor=tint("band"), edgecolor="none", zorder=0)
    ax.axvline(0, color=tint("muted"), lw=1)
    _axis(ax, (frame.low, frame.high), "change from base to new, %")
    for place, one in enumerate(made):
        colour, marker = LOOKS[one.verdict]
        mark(ax, frame, one.change, place, look=(tint(colour), marker), side="x")
        if one.verdict == "cannot tell" and one.change.value is not None:  # hollow, as in the legend
            ax.plot(
                min(max(one.change.value, frame.low), frame.high), place, ls="", marker=marker, ms=6,
                color=tint(colour), mfc=tint("paper"), mew=1.4,
            )  # fmt: skip
    title = f"Change of {row.name} by cell"
    return Panel(
        "Change, with its interval",
        canvas.finish(figure, key, title, "; ".join(one.words for one in made) + "."),
    )


def _visits(row: Metric, made: Sequence[_Row], margin: float, key: str) -> Panel:
    figure = canvas.sheet(_WIDTH, _height(made))
    ax = rows(figure, [one.label for one in made], top=_TOP, bottom=_BOTTOM, most=_NAMES)
    every = [value for one in made for value in (*one.base, *one.new)]
    ax.axvline(0, color=tint("rule"), lw=1)
    _axis(ax, _limits(every, margin), "from the base's typical value, %")
    for place, one in enumerate(made):
        for (_, colour, marker, lift), values in zip(_SIDES, (one.base, one.new), strict=True):
            ax.plot(values, [place + lift] * len(values), ls="", marker=marker, ms=4.2, mew=0, alpha=0.8, color=tint(colour))  # fmt: skip
    said = "; ".join(f"{one.label}: {_spanned(one.base)} and {_spanned(one.new)}" for one in made)
    return Panel(
        "Each visit of both sides",
        canvas.finish(figure, key, f"Visits of {row.name} by cell", f"{said}."),
    )


def _height(made: Sequence[_Row]) -> int:
    return _TOP + _BOTTOM + _ROW * len(made)


def _axis(ax: Axes, limits: tuple[float, float], label: str) -> None:
    ax.set_xlim(limits)
    ax.set_xlabel(label)
    ax.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+,g}" if value else "0"))
    ax.grid(visible=True, axis="x")


def _frame(row: Metric, made: Sequence[_Row], margin: float) -> Frame:
    """Room for every value and the margin; a wide interval is cut rather than that it flattens all else."""
    values = [one.change.value for one in made if one.change.value is not None]
    ends = [end for one in made for end in (one.change.low, one.change.high) if end is not None]
    near = max(*map(abs, values), margin)
    kept = [min(max(end, -near * _FARTHEST), near * _FARTHEST) for end in ends]
    low, high = _limits([*values, *kept], margin)
    return Frame(row, _PERCENT, low, high, log=False)


def _limits(values: Sequence[float], margin: float) -> tuple[float, float]:
    low, high = min((*values, -1.5 * margin)), max((*values, 1.5 * margin))
    room = 0.05 * (high - low)
    return low - room, high + room


def _spanned(values: Sequence[float]) -> str:
    return f"{min(values):+.1f} to {max(values):+.1f} %" if values else "no visit"
