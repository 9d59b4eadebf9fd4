"""What terminal and page both say of a history: its figures, its marks, and how steps are found."""

from collections.abc import Iterator, Mapping

from olbench.findings import Better
from olbench.history import RULE, History, Point
from olbench.prose import counted
from olbench.report.reasons import ranked_reasons
from olbench.report.wording import NOTHING, plain
from olbench.stats.history import NEEDED
from olbench.units import figures

STEP = "▸"  # stands before the first run of a new level
READING = (
    "± and ranges are 95 % intervals. Change is to the run before; `olbench compare OLD NEW` says whether it is more"
    " than chance."
)
_ARROWS: Mapping[Better, str] = {"lower": "↓", "higher": "↑", "neither": ""}
MARKS = {
    "marked": "N marked: so many visits were disturbed, and are left out of the figure.",
    "not judged": "Not judged: every visit was disturbed; the figure stands, and is left out of the search.",
    "no figure": "No figure: nothing was measured there.",
}


def answer(history: History) -> str:
    """What the history shows, in a sentence."""
    found, points = history.steps, [point for line in history.lines for point in line.points]
    if not any(one.judged for one in points):
        why = ranked_reasons(one.typical for one in points)
        disturbed = "no run has a figure with a sound visit behind it"
        return f"Nothing could be searched for steps: {why or disturbed}."
    if not any(line.searched for line in history.lines):
        return f"Steps are looked for from {NEEDED} runs on that can be judged; no cell has as many."
    cells = counted(len(history.lines), "cell")
    if not found:
        return f"No step was found in {cells} over {counted(history.runs, 'run')}."
    line, last = max(found, key=lambda one: one[0].points[one[1].at].at)
    size = "" if last.change is None else f": {changed(last.change)}"
    ended = f"the last on {when(line.points[last.at].at)[:10]}{size}"
    if len(history.lines) == 1:
        return f"{counted(len(found), 'step')} in {counted(history.runs, 'run')}; {ended}."
    where = len({one.number for one, _ in found})
    return f"{counted(len(found), 'step')} in {where} of {cells}; {ended} in {line.label}."


def arrow(history: History) -> str:
    """Which way is better."""
    return _ARROWS[history.metric.better]


def legend(history: History) -> Iterator[str]:
    """How to read it, a paragraph each."""
    seen = {mark.split(" ", 1)[-1] if mark[0].isdigit() else mark for mark in _marks(history)}
    yield " ".join([READING, *(said for mark, said in MARKS.items() if mark in seen)])
    yield RULE


def _marks(history: History) -> set[str]:
    return {mark for line in history.lines for point in line.points for mark in point.marks}


def changed(change: float | None) -> str:
    """A relative change with its sign: "+3.1 %"; from ten times on as a factor."""
    if change is None:
        return NOTHING
    if change >= 9:
        return f"×{figures(change + 1, 2)}"
    text = f"{change * 100:+.1f}"
    return "0.0 %" if not text.strip("+-0.") else f"{text.replace('-', '−')} %"


def version(point: Point) -> str:
    """The server's version."""
    return NOTHING if point.version is None else plain(point.version)


def when(at: str) -> str:
    """A stamp to the minute."""
    return plain(at[:16].replace("T", " "))
