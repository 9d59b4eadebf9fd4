"""A sizing as one HTML file that needs nothing else: the answer, the curve behind it, and all that it rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

from olbench import machines
from olbench.findings import Findings, Flag
from olbench.machines import Machine
from olbench.report import capacity_method, pages
from olbench.report.capacity_words import VERDICTS, level, load, persona
from olbench.report.charts import cost, footprint, forecast, service
from olbench.report.charts.canvas import Chart
from olbench.report.exports import sizing_json
from olbench.report.tables import Table, elsewhere, world
from olbench.report.tables import sizing as tables
from olbench.report.tables.capacity import Found, found
from olbench.report.tables.flags import of_run
from olbench.report.wording import plain, plain_lines
from olbench.sized import Kept, Sizing

# What a browser could take for the end of the data, or for markup in it.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Part:
    """Charts and tables of one section; `instead` says why it is empty."""

    charts: tuple[Chart, ...]
    tables: tuple[tuple[str, Table], ...]
    remarks: tuple[str, ...]
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template shows, in finished words and drawings."""

    title: str
    question: str
    answer: tuple[str, ...]
    byline: tuple[str, ...]
    flags: tuple[Flag, ...]  # that concern the whole run
    wanted: str
    persona: str
    level: str
    found: tuple[Found, ...]
    looks: dict[str, tuple[str, str, bool]]  # verdict -> colour, marker, whether it is hollow
    verdicts: dict[Kept, str]
    curve: Part
    forecast: Part
    memory: Part
    cost: Part
    elsewhere: Part
    method: Part
    how: tuple[str, ...]
    left_out: tuple[str, ...]
    scenario: str
    data: str  # JSON, made safe to stand in a script element
    schema: str
    run: str
    olbench: str


def page(sizing: Sizing, findings: Findings, kinds: Sequence[Machine] | None = None) -> str:
    """The capacity page of a run; `kinds` is the table of machines that it was made with. Same sizing, same bytes."""
    return pages.render(
        "capacity.html", _page(sizing, findings, machines.shipped() if kinds is None else kinds)
    )


def _page(sizing: Sizing, findings: Findings, kinds: Sequence[Machine]) -> Page:
    run, facts = findings.record.run, findings.record.facts
    return Page(
        title=plain(run.name),
        question=plain(run.question),
        answer=tuple(map(plain, sizing.answer)),
        byline=tuple(filter(None, (world.server(facts), world.machine(facts)))),
        flags=of_run(findings),
        wanted="" if sizing.target is None else load(sizing.target, "users"),
        persona=persona(run.settings),
        level=level(sizing.terms),
        found=found(sizing),
        looks={str(name): (one.tint, one.marker, one.hollow) for name, one in service.LOOKS.items()},
        verdicts=dict(VERDICTS),
        curve=_curve(sizing),
        forecast=_forecast(sizing),
        memory=_memory(sizing),
        cost=_cost(sizing),
        elsewhere=_elsewhere(sizing, kinds),
        method=Part(
            (),
            _only(("The search, step by step", tables.search(sizing))),
            (),
            capacity_method.unsearched(sizing),
        ),
        how=capacity_method.how(sizing, findings),
        left_out=capacity_method.left_out(sizing, findings),
        scenario=plain_lines(run.scenario_text.strip()),
        data=sizing_json.embedded(sizing, findings).translate(_ESCAPES),
        schema=sizing_json.SCHEMA,
        run=plain(run.id),
        olbench=plain(run.olbench),
    )


def _only(*shown: tuple[str, Table]) -> tuple[tuple[str, Table], ...]:
    return tuple((title, table) for title, table in shown if table.rows)


def _curve(sizing: Sizing) -> Part:
    return Part(service.charts(sizing, "curve"), (), (), capacity_method.unsearched(sizing))


def _forecast(sizing: Sizing) -> Part:
    shown = _only(("Share by share", tables.meeting(sizing)))
    return Part(
        forecast.charts(sizing, "forecast"),
        shown,
        capacity_method.unforeseen(sizing),
        "Nothing was predicted.",
    )


def _memory(sizing: Sizing) -> Part:
    shown = _only(("", tables.memory(sizing)), ("Each load", tables.loads(sizing)))
    why = "No load told how memory grows: it takes loads at two or three sizes of num_ctx."
    return Part(footprint.charts(sizing, "memory"), shown, tables.remarks(sizing), why)


def _cost(sizing: Sizing) -> Part:
    shown = _only(("", tables.costs(sizing)))
    why = (
        "No cost model: it takes cells with concurrency that differ in streams and in the length of prompts."
    )
    return Part(cost.charts(sizing, "cost"), shown, (), why)


def _elsewhere(sizing: Sizing, kinds: Sequence[Machine]) -> Part:
    why = "No other machine was estimated: it takes a cost model of this one."
    notes = capacity_method.estimates() if sizing.elsewhere else ()
    return Part(
        (),
        _only(
            ("", elsewhere.machines(sizing)),
            ("Where their figures come from", elsewhere.sources(sizing, kinds)),
        ),
        notes,
        why,
    )
