"""What was predicted before a load was run: capacity beside what was found, and what the engine's time goes into."""

from collections.abc import Sequence
from typing import get_args

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from olbench.report.capacity_words import UNITS, amount, between, headline, load
from olbench.report.charts import canvas, plot
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.plot import Axis, Sign
from olbench.report.charts.rows import MOST_ROWS, rows
from olbench.report.charts.service import across
from olbench.report.palette import tint
from olbench.report.wording import plain
from olbench.sized import By, Capacity, Forecast, Sizing
from olbench.units import words

_PARTS = (("prefill", "reading prompts", "s1"), ("decode", "writing answers", "s2"))
_ROW, _TOP, _BOTTOM = 40, 8, 46
_BESIDE = (
    "The bar is the predicted interval, the diamond in it the prediction. The mark below is what was found: the circle is "
    "the largest load shown to be kept, the cross the smallest shown to be too much."
)
_BUSY = "By simulation with the cost model: the share of the time in which the engine reads or writes, and of requests that wait for a slot."


def charts(sizing: Sizing, key: str) -> tuple[Chart, ...]:
    """Predicted beside found, and the engine's time against the load; () where nothing was predicted."""
    with canvas.drawing():
        found = [one for by in get_args(By) if (one := _beside(sizing, by, f"{key}-{by}")) is not None]
        return (*found, *_busy(sizing, f"{key}-busy"))


def _beside(sizing: Sizing, by: By, key: str) -> Chart | None:
    shown = [one for one in sizing.capacities if one.by == by and _value(one) is not None][:MOST_ROWS]
    if not shown:
        return None
    figure = canvas.sheet(canvas.WIDE, _TOP + _BOTTOM + _ROW * len(shown))
    ax = rows(figure, [one.label for one in shown], top=_TOP, bottom=_BOTTOM, most=260)
    ends = [end for one in shown for end in _ends(one)]
    ax.set_xlim(0, max(ends) * 1.1 or 1)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=by != "rate", steps=[1, 2, 5, 10]))
    ax.set_xlabel(UNITS[by][1])
    ax.grid(visible=True, axis="x")
    for place, one in enumerate(shown):
        _row(ax, one, place)
    said = " ".join(f"{plain(one.label)}: predicted {between(one.predicted.capacity, by)}. {headline(one)}"
                    for one in shown if one.predicted is not None)  # fmt: skip
    keys = (Key("predicted", "s1", None), Key("largest load kept", "fine", "o"), Key("too much", "warn", "X"))
    panel = Panel("", canvas.finish(figure, key, "Capacity, predicted and found", said))
    return Chart("Capacity", _BESIDE, keys, (panel,), least=canvas.WIDE)


def _value(one: Capacity) -> float | None:
    return None if one.predicted is None else one.predicted.capacity.value


def _ends(one: Capacity) -> list[float]:
    told = () if one.predicted is None else (one.predicted.capacity.value, one.predicted.capacity.high)
    return [end for end in (one.answer, one.over, *told) if end is not None]


def _row(ax: Axes, one: Capacity, place: int) -> None:
    value = _value(one)
    if one.predicted is not None and value is not None:
        low, high, at = one.predicted.capacity.low, one.predicted.capacity.high, place - 0.17
        if low is not None and high is not None:
            ax.barh([at], [high - low], left=[low], height=0.26, color=tint("s1"), alpha=0.3, lw=0)
        ax.plot([value], [at], ls="", marker="D", ms=6, color=tint("s1"))
    at = place + 0.2
    if one.answer is not None and one.over is not None:
        ax.plot([one.answer, one.over], [at, at], color=tint("muted"), lw=1.2)
    for seen, colour, marker in ((one.answer, "fine", "o"), (one.over, "warn", "X")):
        if seen is not None:
            ax.plot([seen], [at], ls="", marker=marker, ms=6.4, mew=0, color=tint(colour))


def _busy(sizing: Sizing, key: str) -> tuple[Chart, ...]:
    shown = [one for one in sizing.capacities if len(_told(one)) > 1]
    if not shown:
        return ()
    several = len(sizing.capacities) > 1
    panels = tuple(
        _time(one, f"{key}-{place}", plain(one.label) if several else "") for place, one in enumerate(shown)
    )
    keys = (
        *(Key(name, colour, None) for _, name, colour in _PARTS),
        Key("requests that wait for a slot", "ink", "o"),
    )
    return (Chart("What the engine's time goes into", _BUSY, keys, panels, least=340),)


def _told(one: Capacity) -> Sequence[Forecast]:
    found = () if one.predicted is None else one.predicted.forecasts
    return sorted(found, key=lambda told: told.load)


def _time(one: Capacity, key: str, caption: str) -> Panel:
    told = _told(one)
    at = [made.load for made in told]
    axis = across(one, None)
    figure, ax = plot.panel(axis, Axis(0.0, 104.0, ""), "% of the time, of requests", named=True)
    start = [0.0] * len(told)
    for part, _, colour in _PARTS:
        ends = [low + 100 * made.busy.get(part, 0.0) for low, made in zip(start, told, strict=True)]
        ax.fill_between(at, start, ends, color=tint(colour), alpha=0.55, lw=0, zorder=0.6)
        start = ends
    ax.plot(at, [100 * made.waiting for made in told], color=tint("ink"), lw=1.6, marker="o", ms=4, zorder=2)
    value = _value(one)
    if value is not None:
        plot.signs(ax, [Sign(value, f"predicted: {amount(value)}", "accent")])
    said = "; ".join(_said(one, made) for made in (told[0], told[-1]))
    return Panel(caption, canvas.finish(figure, key, "What the engine's time goes into", f"{said}."))


def _said(one: Capacity, made: Forecast) -> str:
    parts = ", ".join(f"{name} {words(made.busy.get(part, 0.0), 'share', 2)}" for part, name, _ in _PARTS)
    return f"{load(made.load, one.by)}: {parts}, waiting {words(made.waiting, 'share', 2)}"
