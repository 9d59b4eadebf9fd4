"""A comparison as one HTML file that needs nothing else: what differs, what changed, drawn and in tables."""

from dataclasses import dataclass

from olbench.differences import Comparison
from olbench.report import pages
from olbench.report.charts import change
from olbench.report.charts.canvas import Chart
from olbench.report.exports import compared_json
from olbench.report.tables.compared import Tone, Whole, whole

# What a browser could take for the end of the data, or for markup in it.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}
_STATES: dict[Tone, str] = {"bad": "warn", "good": "fine", "same": "muted", "open": "ink"}


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template shows, in finished words and drawings."""

    told: Whole
    charts: tuple[Chart, ...]
    looks: dict[str, tuple[str, str]]  # verdict -> colour and marker
    states: dict[Tone, str]  # tone -> colour
    content: bool  # whether any of what differs changes what is measured
    data: str  # JSON, made safe to stand in a script element
    schema: str


def page(made: Comparison) -> str:
    """The page of a comparison. Same comparison, same bytes."""
    told = whole(made)
    return pages.render(
        "compared.html",
        Page(
            told=told,
            charts=change.charts(made, "change"),
            looks={str(verdict): look for verdict, look in change.LOOKS.items()},
            states=_STATES,
            content=any(one.content for one in told.unlike),
            data=compared_json.embedded(made).translate(_ESCAPES),
            schema=compared_json.SCHEMA,
        ),
    )
