"""Tables for the terminal, at most 100 columns wide; characters of East Asian scripts take two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.accuracy import verdict
from olbench.findings import Failure, Findings, Flag
from olbench.labels import labels, loaded
from olbench.model import ModelCard, Plan, Resident, Run
from olbench.prose import counted, listed
from olbench.report import loads_text
from olbench.report.columns import WIDTH, Column, cut, grid, painted, paragraph
from olbench.report.overview import Figure, Overview, overview
from olbench.report.tables.exact import UNKNOWN
from olbench.report.tables.flags import of_run
from olbench.report.tables.trust import Check, Checks, checks
from olbench.report.tables.world import machine, server
from olbench.report.wording import NOTHING, plain
from olbench.units import span, words

# Which columns of the overview a terminal keeps when not all fit: the first ones here go last.
_KEPT = ("TTFT", "Decode", "Throughput", "RAM", "GPU memory", "Prefill", "Roof", "Load", "E2E p95", "TPOT")
_LEAST_LABEL, _KNOWN_LABEL, _MOST_LABEL = 16, 28, 44
_ALWAYS = 3  # so many columns come before the full width of the labels


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a cell of a plan is thought to take. None: cannot be told, and `reason` says why."""

    requests: int
    time_ns: int | None
    memory: int | None
    reason: str = ""


def show(findings: Findings, *, colour: bool = False, width: int = WIDTH) -> str:
    """A run: question, answer, the table of cells, what failed and what is in doubt."""
    run, facts = findings.record.run, findings.record.facts
    table = overview(findings)
    head = [painted(plain(run.name), "bold", colour=colour), *paragraph(run.question, width)]
    answer = [line for sentence in findings.answer for line in paragraph(sentence, width)]
    frame = [f"run {run.id} · {run.status} · {run.started_at}", server(facts), machine(facts)]
    blocks = (
        head,
        answer,
        [line for part in frame if part for line in paragraph(part, width)],
        *_tables(table, colour=colour, width=width),
        _notes(table, width),
        *loads_text.blocks(findings, width, colour=colour),
        [line for remark in table.remarks for line in paragraph(remark, width)],
        [line for sentence in _clock(findings) for line in paragraph(sentence, width)],
        _failures(findings, width),
        [line for flag in of_run(findings) for line in _flag(flag, colour=colour, width=width)],
        _trust(checks(findings), colour=colour, width=width),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _notes(table: Overview, width: int) -> list[str]:
    """The footnotes, and behind an arrow what to do about them."""
    lines = []
    for place, (note, action) in enumerate(zip(table.notes, table.actions, strict=True), 1):
        opening = f"[{place}] "
        lines += [*paragraph(note, width, opening), *_action(action, width, len(opening))]
    return lines


def _action(action: str, width: int, inset: int) -> list[str]:
    return paragraph(action, width, " " * inset + "→ ")


def _trust(found: Checks, *, colour: bool, width: int) -> list[str]:
    """The verdict, what found something with what to do, and the names of the other checks."""
    if not found.rows:
        return []
    lines = paragraph(f"Can I trust this? {found.verdict}", width)
    for one in found.of("amber"):
        lines += _flag(Flag(one.name, _checked(one), one.action), colour=colour, width=width)
    for state in ("grey", "green"):
        rest = found.of(state)
        names = "; ".join(one.name for one in rest)
        lines += paragraph(names, width, f"{rest[0].word}: ") if rest else []
    return lines


def _checked(one: Check) -> str:
    return f"{one.name}{f' ({one.cells})' if one.cells else ''}: {one.evidence}"


def _flag(flag: Flag, *, colour: bool, width: int) -> list[str]:
    said = [painted(line, "yellow", colour=colour) for line in paragraph(flag.sentence, width, "! ")]
    return [*said, *_action(flag.action, width, 2)]


def _clock(findings: Findings) -> tuple[str, ...]:
    test = findings.record.selftest
    return (UNKNOWN,) if test is None else verdict(test).sentences


def _tables(table: Overview, *, colour: bool, width: int) -> list[list[str]]:
    """The cells with the columns that find room beside them; the other columns in further tables below."""
    left = {head.name: _figures(table, place) for place, head in enumerate(table.headings)}
    (number, label), last = _ends(table)
    reserved = label.width
    made: list[list[str]] = []
    while left or not made:
        kept = _chosen(left, width - _room([number, *last]), reserved, label.least)
        shown = [left.pop(name) for name in list(left) if name in kept]
        made.append(grid([number, label, *shown, *last], width, colour=colour))
        if not shown:  # too narrow for any: no further table would hold more
            break
        # What failed and what is in doubt is told once; the labels are known by now, and their numbers too.
        last, reserved = [], min(reserved, max(_KNOWN_LABEL, label.least))
    return made


def _ends(table: Overview) -> tuple[tuple[Column, Column], list[Column]]:
    """The columns to the left and to the right of the figures."""
    number = Column("#", [str(row.number) for row in table.rows], right=True)
    labels_ = [row.label for row in table.rows]
    label = Column("cell", labels_, least=_legible(labels_))
    failed = Column(
        "failed", [f"{row.failed}/{row.asked}" if row.failed else "0" for row in table.rows], right=True
    )
    numbers = [sorted({*row.notes, *row.sound.notes}) for row in table.rows]
    notes = Column("notes", [",".join(map(str, own)) for own in numbers])
    sound = Column(
        "visits", [row.sound.value.replace(" of ", "/") for row in table.rows], right=True, under="sound"
    )
    last = [*([sound] if table.marked else []), failed]
    return (number, label), [*last, notes] if any(numbers) else last


def _legible(names: Sequence[str]) -> int:
    """The least width at which labels that were cut still differ, within what a label may take."""
    widths = range(_LEAST_LABEL, _MOST_LABEL)
    return next(
        (width for width in widths if len({cut(one, width) for one in names}) == len(names)), _LEAST_LABEL
    )


def _chosen(figures: Mapping[str, Column], room: int, label: int, least: int) -> set[str]:
    """The columns that find room beside the labels; the first three come before the labels' full width."""
    order = [name for name in _KEPT if name in figures] + [name for name in figures if name not in _KEPT]
    kept: list[str] = []
    for name in order:
        reserved = min(label, least if len(kept) < _ALWAYS else _MOST_LABEL) + 2
        if _room([figures[one] for one in (*kept, name)]) + reserved <= room:
            kept.append(name)
    return set(kept)


def _room(columns: Sequence[Column]) -> int:
    return sum(one.width + 2 for one in columns)


def _figures(table: Overview, place: int) -> Column:
    head = table.headings[place]
    fields = [_figure(row.figures[place]) for row in table.rows]
    return Column(f"{head.name} {head.arrow}".strip(), fields, right=True, under=head.unit)


def _figure(figure: Figure) -> str:
    interval = f" {figure.interval}" if figure.interval else ""
    return f"{figure.value}{interval}{_marks(figure.notes)}"


def _marks(notes: Sequence[int]) -> str:
    return f" [{','.join(map(str, notes))}]" if notes else ""


def _failures(findings: Findings, width: int) -> list[str]:
    """What failed, alike failures of several cells in one entry."""
    numbers = {found.cell.id: str(place) for place, found in enumerate(findings.cells, 1)}
    alike: dict[tuple[str, str], list[Failure]] = {}
    for one in findings.failures:
        alike.setdefault((one.outcome.replace("_", " "), one.words), []).append(one)
    lines = []
    for (outcome, said), group in alike.items():
        cells = [numbers.get(one.cell, NOTHING) for one in group]
        count = counted(sum(one.count for one in group), "request")
        where = f"cell{'s' if len(cells) > 1 else ''} {listed(cells)}"
        lines.append(f"{count} {outcome} in {where}" + (f": {said}" if said else ""))
    entries = [part for line in lines for part in paragraph(line, width, "- ")]
    return ["failed:", *entries] if entries else []


def runs(found: Sequence[tuple[Run, int, int]], *, colour: bool = False, width: int = WIDTH) -> str:
    """The stored runs, each with the visits that it planned and those that went through."""
    if not found:
        return "no runs yet\n"
    columns = [
        Column("run", [plain(run.id) for run, _, _ in found], least=24),
        Column("began, UTC", [run.started_at[:16].replace("T", " ") for run, _, _ in found]),
        Column("status", [run.status for run, _, _ in found]),
        Column("visits", [_visits(planned, done) for _, planned, done in found], right=True),
        Column("question", [plain(run.question) for run, _, _ in found], least=10, prose=True),
    ]
    return "\n".join(grid(columns, width, colour=colour)) + "\n"


def _visits(planned: int, done: int) -> str:
    """More than planned are taken where `until` asks for them."""
    return f"{done}/{planned}" if done <= planned else f"{planned}+{done - planned}"


def models(
    cards: Sequence[ModelCard], residents: Sequence[Resident], *, colour: bool = False, width: int = WIDTH
) -> str:
    """The installed models, and which of them are in memory."""
    if not cards:
        return "no models are installed\n"
    loaded = {one.name: one for one in residents}
    columns = [
        Column("model", [plain(card.name) for card in cards], least=20),
        Column("quantization", [plain(card.quantization or NOTHING) for card in cards]),
        Column("parameters", [plain(card.parameter_size or NOTHING) for card in cards], right=True),
        Column("file", [words(card.size, "B") for card in cards], right=True),
        Column(
            "context",
            [NOTHING if card.context_length is None else f"{card.context_length:,}" for card in cards],
            right=True,
        ),
        Column("can", [_can(card) for card in cards], least=8),
        Column("in memory", [_loaded(loaded.get(card.name)) for card in cards]),
    ]
    return "\n".join(grid(columns, width, colour=colour)) + "\n"


def _can(card: ModelCard) -> str:
    if card.remote:
        return f"cloud: {plain(card.remote)}"
    return NOTHING if card.capabilities is None else plain(" ".join(card.capabilities))


def _loaded(one: Resident | None) -> str:
    if one is None:
        return "no"
    context = "" if one.context_length is None else f", ctx {one.context_length}"
    return f"{words(one.size, 'B')}{context}"


def plan(
    asked: Plan,
    forecasts: Mapping[str, Forecast],
    total: tuple[int | None, str],
    *,
    colour: bool = False,
    width: int = WIDTH,
) -> str:
    """The cells, the order of visits, and what both are thought to take.

    `forecasts` by cell id; `total` is the time of the whole plan and where the estimate comes from.
    """
    known = [forecasts.get(cell.id) for cell in asked.cells]
    visits = [sum(visit.cell == cell.id for visit in asked.visits) for cell in asked.cells]
    columns = [
        Column("#", [str(place) for place, _ in enumerate(asked.cells, 1)], right=True),
        Column("cell", list(map(plain, labels(asked.cells))), least=_LEAST_LABEL),
        Column("model", [plain(cell.model) for cell in asked.cells], least=12),
        *([Column("load", list(map(loaded, asked.cells)))] if any(one.load for one in asked.cells) else []),
        Column("visits", list(map(str, visits)), right=True),
        Column("requests", [NOTHING if one is None else f"{one.requests:,}" for one in known], right=True),
        Column(
            "time",
            [NOTHING if one is None or one.time_ns is None else span(one.time_ns) for one in known],
            right=True,
        ),
        Column("memory", [NOTHING if one is None else words(one.memory, "B") for one in known], right=True),
    ]
    numbers = {cell.id: str(place) for place, cell in enumerate(asked.cells, 1)}
    blocks = (
        grid(columns, width, colour=colour),
        paragraph(" ".join(numbers[visit.cell] for visit in asked.visits), width, "order: "),
        [line for note in _plan_notes(asked, known, total) for line in paragraph(note, width)],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _plan_notes(asked: Plan, known: Sequence[Forecast | None], total: tuple[int | None, str]) -> list[str]:
    time_ns, basis = total
    requests = sum(one.requests for one in known if one is not None)
    took = "time unknown" if time_ns is None else f"about {span(time_ns)}"
    notes = [
        f"{counted(len(asked.cells), 'cell')}, {counted(len(asked.visits), 'visit')}, {counted(requests, 'request')}, {took}"
        + (f" ({basis})" if basis else "")
    ]
    notes += [
        f"memory: {reason}"
        for reason in dict.fromkeys(one.reason for one in known if one is not None and one.reason)
    ]
    notes += [f"{counted(asked.excluded, 'point')} of the grid excluded"] if asked.excluded else []
    return [*notes, *asked.notes]
