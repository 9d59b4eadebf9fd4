"""The cost model against what it was fitted to: points with the line through them, and how far they lie beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from olbench import cost_model
from olbench.prose import counted
from olbench.report.charts import canvas, plot
from olbench.report.charts.canvas import Chart, Key, Panel
from olbench.report.charts.plot import Axis, Dot, Look
from olbench.report.palette import tint
from olbench.report.tables.sizing import trust
from olbench.report.wording import Scale, plain, scale
from olbench.sized import CostModel, Line, Point, Sizing
from olbench.units import words

_LOOKS = (
    *(Look("s1", "o"), Look("s2", "s"), Look("s3", "^"), Look("s4", "D")),
    *(Look("s5", "v"), Look("s6", "P"), Look("s7", "X"), Look("s8", "p")),
)
_STEPS = 20  # of a curve
# What a line is about -> what stands on the axis below, its unit, and what is drawn in words.
_ACROSS: Mapping[str, tuple[str, str, str]] = {
    "decode": ("depth", "tokens of context already there", "Writing: one step of all streams"),
    "prefill": ("tokens", "tokens of the prompt that are not in the cache", "Reading a prompt"),
    "load": ("bytes", "size of the model", "Loading a model"),
}
_NOTE = "Left: each mark is a visit, the line is the fit, drawn as far as was measured, its band where 95 % of visits are to lie. Right: how far the same marks lie off it. "


@dataclass(frozen=True, slots=True)
class _Group:
    """Points that lie on one curve: all but the axis below is the same for them."""

    rest: tuple[tuple[str, float], ...]
    points: tuple[Point, ...]
    look: Look

    @property
    def name(self) -> str:
        """What is the same for them: "2 streams"; "" where that is nothing."""
        return ", ".join(_named(name, value) for name, value in self.rest if value or name == "streams")

    def beside(self) -> Mapping[str, float]:
        """Where the curve is drawn: in the middle of what was measured."""
        return {name: fmean(point.at[name] for point in self.points) for name, _ in self.rest}


def _named(name: str, value: float) -> str:
    return (
        counted(round(value), "stream") if name == "streams" else f"about {value:,.0f} tokens cached before"
    )


def charts(sizing: Sizing, key: str) -> tuple[Chart, ...]:
    """One chart a line of each model; that of loads, which all models share, is drawn once."""
    with canvas.drawing():
        return tuple(
            _chart(line, cost, f"{key}-{place}", alone=len(sizing.costs) == 1, first=not place)
            for place, (line, cost) in enumerate(drawn(sizing))
        )


def drawn(sizing: Sizing) -> tuple[tuple[Line, CostModel], ...]:
    """Every line with points and its model."""
    found: list[tuple[Line, CostModel]] = []
    for cost in sizing.costs:
        for line in (cost.decode, cost.prefill, cost.load):
            again = line is not None and line.what == "load" and any(line == other for other, _ in found)
            if line is not None and line.points and not again:
                found.append((line, cost))
    return tuple(found)


def _chart(line: Line, cost: CostModel, key: str, *, alone: bool, first: bool) -> Chart:
    groups = _groups(line)
    keys = tuple(Key(one.name, one.look.tint, one.look.marker) for one in groups if one.name)
    what = _ACROSS[line.what][2]
    everyone = line.what == "load" or alone
    title = what if everyone else f"{plain(cost.label)}: {what[:1].lower()}{what[1:]}"
    return Chart(
        title,
        f"{_NOTE * first}{trust(line)}",
        keys,
        (_fit(line, groups, key), _off(line, groups, key)),
        least=340,
    )


def _groups(line: Line) -> tuple[_Group, ...]:
    axis = _ACROSS[line.what][0]
    made: dict[tuple[tuple[str, float], ...], list[Point]] = {}
    for point in line.points:
        rest = tuple(sorted((name, _about(name, value)) for name, value in point.at.items() if name != axis))
        made.setdefault(rest, []).append(point)
    return tuple(
        _Group(rest, tuple(points), _LOOKS[place % len(_LOOKS)])
        for place, (rest, points) in enumerate(sorted(made.items()))
    )


def _about(name: str, value: float) -> float:
    """Streams are a mean over a visit, and lengths are not exact: near ones are drawn as one curve."""
    if name == "streams":
        return float(round(value))
    return float(f"{value:.1g}")


def _across(line: Line) -> tuple[Axis, Scale]:
    axis, name, _ = _ACROSS[line.what]
    values = [point.at.get(axis, 0.0) for point in line.points]
    one = scale(values, "B") if axis == "bytes" else Scale(1.0, "")
    low, high = plot.stretch([one(value) for value in values], floor=0.0)
    return Axis(low, high, f"{name}, {one.unit}".removesuffix(", ")), one


def _fit(line: Line, groups: Sequence[_Group], key: str) -> Panel:
    across, one = _across(line)
    seen = [point.seen for point in line.points]
    shown = scale(seen, "s")
    up = Axis(
        *plot.stretch([shown(value) for value in (*seen, *(p.fitted for p in line.points))], floor=0.0), ""
    )
    figure, ax = plot.panel(across, up, shown.unit)
    for group in groups:
        plot.band(ax, _curve(line, group, one, shown), group.look.tint)
        plot.dots(
            ax, [Dot(one(at), shown(point.seen)) for at, point in _placed(line, group)], group.look, size=5.2
        )
    caption = f"{_ACROSS[line.what][2]}, as measured and as fitted"
    return Panel(caption, canvas.finish(figure, f"{key}-fit", caption, _described(line, groups)))


def _curve(line: Line, group: _Group, across: Scale, up: Scale) -> list[Dot]:
    """The line over what was measured, with what single visits would give."""
    axis = _ACROSS[line.what][0]
    values = [point.at.get(axis, 0.0) for point in line.points]
    low, high = min(values), max(values)
    places = [low + (high - low) * step / _STEPS for step in range(_STEPS + 1)]
    found = [(place, cost_model.at(line, {**group.beside(), axis: place})) for place in places]
    return [
        Dot(
            across(place),
            up(told.value),
            *(None if end is None else up(end) for end in (told.low, told.high)),
        )
        for place, told in found
        if told.value is not None
    ]


def _placed(line: Line, group: _Group) -> list[tuple[float, Point]]:
    axis = _ACROSS[line.what][0]
    return [(point.at.get(axis, 0.0), point) for point in group.points]


def _off(line: Line, groups: Sequence[_Group], key: str) -> Panel:
    across, one = _across(line)
    offs = [_share(point) for point in line.points]
    most = max([*map(abs, offs), 200 * line.scatter, 0.5])
    figure, ax = plot.panel(across, Axis(-1.12 * most, 1.12 * most, ""), "% off the line")
    if line.freedom:
        ax.axhspan(
            -100 * line.scatter, 100 * line.scatter, facecolor=tint("band"), edgecolor="none", zorder=0
        )
    ax.axhline(0, color=tint("muted"), lw=1)
    for group in groups:
        plot.dots(
            ax, [Dot(one(at), _share(point)) for at, point in _placed(line, group)], group.look, size=5.2
        )
    caption = "How far visits lie off it" + "; two thirds are to lie in the band" * bool(line.freedom)
    told = f"{counted(len(offs), 'visit')}, from {min(offs):+.1f} to {max(offs):+.1f} % off the line."
    return Panel(caption, canvas.finish(figure, f"{key}-off", f"{_ACROSS[line.what][2]}: residuals", told))


def _share(point: Point) -> float:
    return 100 * (point.seen / point.fitted - 1) if point.fitted else 0.0


def _described(line: Line, groups: Sequence[_Group]) -> str:
    axis = _ACROSS[line.what][0]
    parts = []
    for group in groups:
        ends = sorted(group.points, key=lambda point: point.at.get(axis, 0.0))
        told = [f"{words(p.seen, 's')} at {_place(p.at.get(axis, 0.0), axis)}" for p in (ends[0], ends[-1])]
        parts.append(f"{group.name}: {', '.join(told)}".removeprefix(": "))
    return f"{'; '.join(parts)}. {trust(line)}"


def _place(value: float, axis: str) -> str:
    return words(value, "B") if axis == "bytes" else f"{value:,.0f} tokens"
