"""All charts of a run, in the order of the page."""

from olbench.findings import Findings
from olbench.report.charts import canvas, dots, ladder, lines, memory, roof, split, timeline
from olbench.report.charts.canvas import Chart


def speed(findings: Findings) -> tuple[Chart, ...]:
    """Latency and rates against each axis of numbers, by cell where there is none."""
    with canvas.drawing():
        return lines.charts(findings, "speed") or dots.charts(findings, "speed")


def load(findings: Findings) -> tuple[Chart, ...]:
    """The load ladder; () when no load was timed."""
    with canvas.drawing():
        return ladder.charts(findings, "load")


def memory_use(findings: Findings) -> tuple[Chart, ...]:
    """Memory against what the machine has; () when nothing is known of it."""
    with canvas.drawing():
        return memory.charts(findings, "memory")


def roofline(findings: Findings) -> tuple[Chart, ...]:
    """How much of the memory's bandwidth decoding uses; () when it is not known of any cell."""
    with canvas.drawing():
        return roof.charts(findings, "roof")


def time_split(findings: Findings) -> tuple[Chart, ...]:
    """Where the time of a request went; () when no part of it is known."""
    with canvas.drawing():
        return split.charts(findings, "split")


def over_time(findings: Findings) -> tuple[Chart, ...]:
    """The run over time; () when no probe saw anything."""
    with canvas.drawing():
        return timeline.charts(findings, "time")
