"""A history as one HTML file that needs nothing else: a chart a cell, its steps, and the table of its runs."""

from dataclasses import dataclass

from olbench.history import History, Line, Point
from olbench.prose import counted
from olbench.report import pages
from olbench.report.charts import history as charts
from olbench.report.charts.canvas import Key
from olbench.report.history_words import STEP, answer, arrow, changed, legend, version, when
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import Scale, figure, plain, scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One cell; `svg` is "" where it has no chart."""

    id: str
    title: str
    svg: str
    steps: tuple[tuple[str, str], ...]  # what happened, and the command that tests it
    runs: Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template shows, in finished words and drawings."""

    title: str
    question: str
    answer: str
    byline: str
    note: str
    keys: tuple[Key, ...]
    sections: tuple[Section, ...]
    legend: tuple[str, ...]
    formula: str


def page(history: History) -> str:
    """The page of a history. Same history, same bytes."""
    metric = history.metric
    drawings = charts.drawings(history, "history")
    return pages.render(
        "history.html",
        Page(
            title=plain(history.scenario),
            question=f"{metric.name} over time",
            answer=plain(answer(history)),
            byline=f"{counted(history.runs, 'run')}, {when(history.first)} to {when(history.last)} UTC",
            note=charts.note(history),
            keys=charts.keys(history),
            sections=tuple(_section(history, line, drawings.get(line.number, "")) for line in history.lines),
            legend=tuple(map(plain, legend(history))),
            formula=f"{metric.name}, {metric.unit}: {metric.formula}.",
        ),
    )


def _section(history: History, line: Line, svg: str) -> Section:
    return Section(
        id=f"cell-{line.number}",
        title=plain(f"{line.number}. {line.label}"),
        svg=svg,
        steps=tuple((plain(f"{one.sentence}."), plain(one.command)) for one in line.steps),
        runs=_runs(history, line),
    )


def _runs(history: History, line: Line) -> Table:
    values = [one.typical.value for one in line.points if one.typical.value is not None]
    shown = scale(values, history.metric.unit)
    new = {step.at for step in line.steps}
    heads = (
        Heading("Run"),
        Heading("Began, UTC"),
        Heading("Server"),
        Heading(f"{history.metric.name}, {shown.unit} {arrow(history)}".rstrip(), numeric=True),
        Heading("Change", numeric=True),
        Heading(""),
    )
    return Table(heads, tuple(_row(one, shown, new=place in new) for place, one in enumerate(line.points)))


def _row(one: Point, shown: Scale, *, new: bool) -> tuple[Entry, ...]:
    value, interval = figure(one.summary, one.typical, shown)
    marks = ", ".join([f"{STEP} step"] * new + [*one.marks])
    reason = one.typical.reason if one.typical.value is None else ""
    return (
        Entry(plain(one.run)),
        Entry(when(one.at)),
        Entry(version(one)),
        Entry(" ".join(filter(None, (value, interval)))),
        Entry(changed(one.change)),
        Entry(marks, plain(reason)),
    )
