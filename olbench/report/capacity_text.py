"""A sizing for the terminal, at most 100 columns wide: the answer, each load, what was predicted, memory, machines."""

from collections.abc import Sequence

from olbench.findings import Findings
from olbench.report import capacity_method
from olbench.report.capacity_words import level, load, persona
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph, width_of
from olbench.report.tables import Entry, Table, elsewhere
from olbench.report.tables import sizing as tables
from olbench.report.tables.capacity import Found, Head, Share, found
from olbench.report.wording import plain
from olbench.sized import Kept, Sizing

_STYLES: dict[Kept | None, str] = {"kept": "green", "broken": "red", "unclear": "yellow", None: "dim"}
_MOST = 4  # lines of a service level in one table, where not all find room
_NAMES = 12  # columns that the names of paragraphs take


def text(sizing: Sizing, findings: Findings, *, colour: bool = False, width: int = WIDTH) -> str:
    """A sizing: the answer first, then what it rests on."""
    several = len(sizing.capacities) > 1
    blocks = [
        _answer(sizing, colour=colour, width=width),
        _wanted(sizing, findings, width),
        *(_found(one, several=several, colour=colour, width=width) for one in found(sizing)),
        [] if sizing.capacities else paragraph(capacity_method.unsearched(sizing), width),
        _memory(sizing, width, colour=colour),
        [line for one in tables.remarks(sizing) for line in paragraph(one, width)],
        _elsewhere(sizing, width, colour=colour),
        [
            line
            for one in capacity_method.left_out(sizing, findings)
            for line in paragraph(one, width, "left out: ")
        ],
        [line for one in findings.doubts for line in paragraph(one, width, "! ")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _answer(sizing: Sizing, *, colour: bool, width: int) -> list[str]:
    said = " ".join(map(plain, sizing.answer)) or "Nothing can be said of this machine's capacity."
    return [painted(line, "bold", colour=colour) for line in paragraph(said, width)]


def _wanted(sizing: Sizing, findings: Findings, width: int) -> list[str]:
    people = persona(findings.record.run.settings)
    asked = [people or load(sizing.target, "users")] if sizing.target is not None else []
    return [
        *_named("wanted", " ".join(asked), width),
        *_named("" if asked else "wanted", level(sizing.terms), width),
    ]


def _named(name: str, said: str, width: int) -> list[str]:
    """A paragraph behind its name; [] where there is nothing to say."""
    return paragraph(said, width, f"{name:<{_NAMES}}") if said else []


def _found(one: Found, *, several: bool, colour: bool, width: int) -> list[str]:
    title = [painted(line, "bold", colour=colour) for line in paragraph(one.label, width)] if several else []
    said = (
        ("found", f"{one.headline} {one.target} {one.sureness}"),
        ("predicted", " ".join(one.predicted)),
        ("binds", " ".join(one.binds)),
        *(("do" if not place else "", line) for place, line in enumerate(one.advice)),
    )
    told = [line for name, words in said for line in _named(name, words.strip().replace("  ", " "), width)]
    loads = _loads(one, width, colour=colour) if one.loads else paragraph(one.instead, width)
    doubts = [f"{row.load}: {row.note}" for row in one.loads if row.verdict == "unclear" and row.note]
    return [*title, *told, "", *loads, *(line for doubt in doubts for line in paragraph(doubt, width, "  "))]


def _loads(one: Found, width: int, *, colour: bool) -> list[str]:
    """Each load with the share that met each line, and what it was held to be, in colour at the end."""
    tables = [grid(_columns(one, range(len(one.heads)), intervals=known), width) for known in (True, False)]
    fitting = next((lines for lines in tables if max(map(width_of, lines)) <= width), None)
    blocks = [fitting] if fitting is not None else [
        grid(_columns(one, some, intervals=False), width) for some in _batched(len(one.heads))
    ]  # fmt: skip
    return [line for block in blocks for line in _painted(one, block, colour=colour)]


def _batched(count: int) -> list[range]:
    """Places of columns, as many at once as find room in any terminal."""
    return [range(first, min(first + _MOST, count)) for first in range(0, count, _MOST)]


def _columns(one: Found, places: Sequence[int], *, intervals: bool) -> list[Column]:
    return [
        Column("load", [("> " if row.answer else "  ") + row.load for row in one.loads], least=10),
        Column("requests", [row.requests for row in one.loads], right=True),
        *(
            _line(one.heads[place], [row.shares[place] for row in one.loads], intervals=intervals)
            for place in places
        ),
        # The last column, so that what colours it moves no other.
        Column("service level", [row.word for row in one.loads]),
    ]


def _painted(one: Found, lines: Sequence[str], *, colour: bool) -> list[str]:
    heads, rows = lines[: -len(one.loads)], lines[-len(one.loads) :]
    styled = (
        painted(row, _STYLES[load.verdict], colour=colour) for row, load in zip(rows, one.loads, strict=True)
    )
    return [*(painted(head, "dim", colour=colour) for head in heads), *styled]


def _line(head: Head, shares: Sequence[Share], *, intervals: bool) -> Column:
    fields = [_share(one, intervals=intervals) for one in shares]
    must = head.asked.removesuffix(" of requests")
    return Column(f"{head.key}, %", fields, right=True, under=f"{must} must")


def _share(one: Share, *, intervals: bool) -> str:
    bare = one.text.removesuffix(" %")
    return f"{bare} ({one.interval})" if intervals and one.interval[:1].isdigit() else bare


def _memory(sizing: Sizing, width: int, *, colour: bool) -> list[str]:
    """What a token of context takes, and the largest context that fits."""
    shown = sizing.footprints
    if not shown:
        return []
    whole = tables.memory(sizing).rows
    columns = [
        Column("memory", [plain(one.label) for one in shown], least=12),
        *(_figures(name, [row[place] for row in whole]) for name, place in _MEMORY),
        Column("largest num_ctx", ["; ".join(tables.most(one)) for one in shown], least=24, prose=True),
    ]
    return grid(columns, width, colour=colour)


# Heading -> column of the page's table.
_MEMORY = (("weights", 1), ("a token of context", 2), ("by formula", 3), ("limit", 6))


def _figures(name: str, entries: Sequence[Entry]) -> Column:
    return Column(name, [_entry(one) for one in entries], right=True)


def _table(title: str, table: Table, width: int, *, colour: bool) -> list[str]:
    """A table whose first column may be cut, and whose last one gives way."""
    if not table.rows:
        return []
    last = len(table.headings) - 1
    columns = [
        Column(
            head.text, [_entry(row[place]) for row in table.rows], right=head.numeric,
            least=12 if place in (0, last) or not head.numeric else 0, prose=place != 0 and not head.numeric,
        )
        for place, head in enumerate(table.headings)
    ]  # fmt: skip
    return [painted(title, "bold", colour=colour), *grid(columns, width, colour=colour)]


def _entry(entry: Entry) -> str:
    return f"{entry.text} {entry.small}" if entry.small.startswith("±") else entry.text


def _elsewhere(sizing: Sizing, width: int, *, colour: bool) -> list[str]:
    if not sizing.elsewhere:
        return []
    said = (*(f"unknown: {why}" for why in elsewhere.unknown(sizing)), *capacity_method.estimates())
    notes = [line for one in said for line in paragraph(one, width)]
    return [*_table("other machines (estimates)", elsewhere.machines(sizing), width, colour=colour), *notes]
