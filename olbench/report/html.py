"""A run as one HTML file that needs nothing else: no network, no second file."""

from dataclasses import dataclass

from olbench.findings import Findings, Flag
from olbench.prose import distinct, listed
from olbench.report import figures, pages
from olbench.report.charts.canvas import Chart
from olbench.report.exports import as_json
from olbench.report.overview import Overview, overview
from olbench.report.reasons import reasons
from olbench.report.tables import Group, Table, loads, method, seen, tails, world
from olbench.report.tables.exact import Exact, exact
from olbench.report.tables.flags import of_run
from olbench.report.tables.given import given
from olbench.report.tables.trust import Checks, checks
from olbench.report.wording import plain, plain_lines

# What a browser could take for the end of the data, or for markup in it.
_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


@dataclass(frozen=True, slots=True)
class Drawn:
    """A section of charts; `instead` says why there are none."""

    id: str
    title: str
    charts: tuple[Chart, ...]
    instead: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """All that the template shows, in finished words and drawings."""

    title: str
    question: str
    answer: tuple[str, ...]
    byline: tuple[str, ...]
    flags: tuple[Flag, ...]  # that concern the whole run
    trust: Checks
    cells: Overview
    loads: tuple[tuple[str, Table], ...]  # how they were served: titles and tables, only those with rows
    drawn: tuple[Drawn, ...]
    absent: tuple[str, ...]
    given: Table
    percentiles: Table
    clock: Exact
    prompts: Table
    failures: Table
    facts: tuple[Group, ...]
    changed: str
    models: Table
    scenario: str
    settings: Table
    visits: Table
    formulas: Table
    rules: tuple[str, ...]
    left_out: tuple[str, ...]
    data: str  # JSON, made safe to stand in a script element
    not_in_data: str  # what of the run is not in it
    schema: str
    run: str
    olbench: str


def page(findings: Findings) -> str:
    """The report of a run. Same findings, same bytes."""
    return pages.render("page.html", _page(findings))


def _page(findings: Findings) -> Page:
    run, facts = findings.record.run, findings.record.facts
    return Page(
        title=plain(run.name),
        question=plain(run.question),
        answer=tuple(map(plain, findings.answer)),
        byline=tuple(filter(None, (_when(findings), world.server(facts), world.machine(facts)))),
        flags=of_run(findings),
        trust=checks(findings),
        cells=overview(findings),
        loads=_loads(findings),
        drawn=_drawn(findings),
        absent=seen.absent(findings),
        given=given(findings),
        percentiles=tails.percentiles(findings),
        clock=exact(findings),
        prompts=seen.prompts(findings),
        failures=seen.failures(findings),
        facts=world.facts(findings),
        changed=world.changed(findings),
        models=world.models(findings),
        scenario=plain_lines(run.scenario_text.strip()),
        settings=method.settings(findings),
        visits=seen.visits(findings),
        formulas=method.formulas(),
        rules=method.rules(),
        left_out=method.left_out(findings),
        data=as_json.embedded(findings).translate(_ESCAPES),
        not_in_data=_not_in_data(findings),
        schema=as_json.SCHEMA,
        run=plain(run.id),
        olbench=plain(run.olbench),
    )


def _loads(findings: Findings) -> tuple[tuple[str, Table], ...]:
    tables = (
        ("Service level", loads.levels(findings)),
        ("Loads", loads.served(findings)),
        ("Parts of the mix", loads.parts(findings)),
        ("Turns of conversations", loads.turns(findings)),
    )
    return tuple((title, table) for title, table in tables if table.rows)


_ENTRIES = {"samples": "samples", "by_prompt": "results by prompt"}


def _not_in_data(findings: Findings) -> str:
    return listed(
        [
            f"the {count:,} {_ENTRIES[key]} (a page holds {as_json.MOST[key]:,})"
            for key, count in as_json.too_long(findings).items()
        ]
    )


def _when(findings: Findings) -> str:
    run = findings.record.run
    began, ended = (
        stamp.replace("T", " ").removesuffix("Z") if stamp else "" for stamp in (run.started_at, run.ended_at)
    )
    same_day = ended[:11] == began[:11]
    return plain(f"{began} to {ended[11:] if same_day else ended} UTC" if ended else f"{began} UTC")


def _roof(findings: Findings) -> tuple[Drawn, ...]:
    """The section on what memory allows; () where nobody asked."""
    why = distinct(plain(one.roof.share.reason) for one in findings.cells if one.roof is not None)
    drawn = figures.roofline(findings)
    return (Drawn("roof", "What memory allows", drawn, "; ".join(why)),) if drawn or any(why) else ()


def _drawn(findings: Findings) -> tuple[Drawn, ...]:
    cells = findings.cells
    unknown = dict.fromkeys(found.split.decode.reason for found in cells if found.split.decode.number is None)
    return (
        Drawn("speed", "Speed", figures.speed(findings), reasons("decode", cells)),
        *_roof(findings),
        Drawn("load", "Load ladder", figures.load(findings), reasons("load", cells)),
        Drawn("memory", "Memory", figures.memory_use(findings), reasons("ram_peak", cells)),
        Drawn(
            "split",
            "Where the time of a request went",
            figures.time_split(findings),
            plain("; ".join(unknown)),
        ),
        Drawn("timeline", "The run over time", figures.over_time(findings), "no probe gave a reading"),
    )
