"""How loads were served, for the terminal: only what of it a run has."""

from collections.abc import Sequence

from olbench.findings import Findings
from olbench.report.columns import Column, grid, paragraph
from olbench.report.tables import Entry, Table, loads

_SHOWN = 12  # rows of turns: what comes behind them is alike


def blocks(findings: Findings, width: int, *, colour: bool = False) -> list[list[str]]:
    """The lines of the service level, each load, parts and turns, each as lines under its title."""
    tables = (
        ("service level:", loads.levels(findings)),
        ("loads:", loads.served(findings)),
        ("parts of the mix:", loads.parts(findings)),
        ("turns of conversations:", loads.turns(findings)),
    )
    return [_block(title, table, width, colour=colour) for title, table in tables if table.rows]


def _block(title: str, table: Table, width: int, *, colour: bool) -> list[str]:
    shown = table.rows[:_SHOWN] if title.startswith("turns") else table.rows
    filled = [place for place, _ in enumerate(table.headings) if any(_said(row[place]) for row in shown)]
    columns = [
        Column(
            table.headings[place].text,
            [_field(table.headings[place].text, row[place]) for row in shown],
            right=table.headings[place].numeric,
            least=0 if table.headings[place].numeric else 10,
        )
        for place in filled
    ]
    rest = len(table.rows) - len(shown)
    more = paragraph(f"and {rest} more; the page has them all", width) if rest else []
    return [title, *_fitted(columns, width, colour=colour), *more]


def _fitted(columns: Sequence[Column], width: int, *, colour: bool) -> list[str]:
    """The columns, as many as fit beside the first one; the others below in tables of their own."""
    first, rest = columns[0], list(columns[1:])
    lines: list[str] = []
    while rest:
        kept = [rest.pop(0)]
        while rest and _room([first, *kept, rest[0]]) <= width:
            kept.append(rest.pop(0))
        lines += [*([""] if lines else []), *grid([first, *kept], width, colour=colour)]
    return lines


def _room(columns: Sequence[Column]) -> int:
    return sum((min(one.width, 24) if one.least else one.width) + 2 for one in columns)


def _field(head: str, entry: Entry) -> str:
    """A field; a line of a service level as the scenario has it, which is short."""
    return entry.small if head == "Line" else _said(entry)


def _said(entry: Entry) -> str:
    return f"{entry.text} ({entry.small})" if entry.small and entry.text else entry.text or entry.small
