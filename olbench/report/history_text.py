"""A history for the terminal: a table a cell, and below it the steps with the commands that test them."""

from collections.abc import Sequence

from olbench.history import History, Line, Point, Step
from olbench.prose import counted
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.history_words import STEP, answer, arrow, changed, legend, version, when
from olbench.report.wording import Scale, figure, plain, scale


def show(history: History, *, colour: bool = False, width: int = WIDTH) -> str:
    """What the history is of, then cell by cell its runs, oldest first, and its steps."""
    head = [
        painted(line, "bold", colour=colour)
        for line in paragraph(f"{history.scenario}: {history.metric.name}", width)
    ]
    frame = f"{counted(history.runs, 'run')}, {when(history.first)} to {when(history.last)} UTC"
    blocks = (
        [*head, *paragraph(frame, width)],
        paragraph(answer(history), width),
        *(_line(history, line, colour=colour, width=width) for line in history.lines),
        *(_step(history, line, step, colour=colour, width=width) for line, step in history.steps),
        [row for sentence in legend(history) for row in paragraph(sentence, width)],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _line(history: History, line: Line, *, colour: bool, width: int) -> list[str]:
    title = paragraph(f"{line.number}. {line.label}", width)
    bold = [painted(row, "bold", colour=colour) for row in title]
    return [*bold, *grid(_columns(history, line), width, colour=colour)]


def _step(history: History, line: Line, step: Step, *, colour: bool, width: int) -> list[str]:
    """What happened and the command that tests it: at the end, for the tables above may be long."""
    where = f"{line.number}. {line.label}: " if len(history.lines) > 1 else ""
    said = paragraph(f"{where}{step.sentence}.", width, f"{STEP} ")
    return [
        *(painted(row, "yellow", colour=colour) for row in said),
        f"  → {plain(step.command)}",
    ]  # whole, however long: it is to be copied


def _columns(history: History, line: Line) -> list[Column]:
    values = [one.typical.value for one in line.points if one.typical.value is not None]
    shown = scale(values, history.metric.unit)
    new = {step.at for step in line.steps}
    return [
        Column("run", [plain(one.run) for one in line.points], least=20),
        Column("began, UTC", [when(one.at) for one in line.points]),
        Column("server", [version(one) for one in line.points], least=7),
        Column(
            f"{history.metric.key} {arrow(history)}".strip(),
            _figures(line.points, shown),
            right=True,
            under=shown.unit,
        ),
        Column("change", [changed(one.change) for one in line.points], right=True),
        Column(
            "", [", ".join([STEP] * (place in new) + [*one.marks]) for place, one in enumerate(line.points)]
        ),
    ]


def _figures(points: Sequence[Point], shown: Scale) -> list[str]:
    """Values and intervals, each right-aligned by itself, so that values stand below each other."""
    pairs = [figure(one.summary, one.typical, shown) for one in points]
    room = max((len(interval) for _, interval in pairs), default=0)
    return [f"{value} {interval:<{room}}" if room else value for value, interval in pairs]
