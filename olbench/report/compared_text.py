"""A comparison for the terminal, at most 100 columns wide: what differs, what changed, and how sure that is."""

from collections.abc import Sequence

from olbench.differences import Comparison
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.tables.compared import Change, Compared, Tone, Whole, whole

_STYLES: dict[Tone, str] = {"bad": "red", "good": "green", "same": "dim", "open": "yellow"}


def show(made: Comparison, *, colour: bool = False, width: int = WIDTH) -> str:
    """A comparison: the verdict, what differs between the set-ups, the changes cell by cell."""
    told = whole(made)
    blocks = (
        _head(told, colour=colour, width=width),
        _unlike(told, colour=colour, width=width),
        *_pairs(told.pairs, colour=colour, width=width),
        _means(told, colour=colour, width=width),
        [line for one in told.alone for line in paragraph(one, width, "only on one side: ")],
        [line for one in (*told.remarks, *told.notes) for line in paragraph(one, width)],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _head(told: Whole, *, colour: bool, width: int) -> list[str]:
    verdict = paragraph(told.verdict, width)
    lines = [painted(line, _STYLES[told.tone], colour=colour) for line in verdict]
    base, new = told.origins
    lines += [*paragraph(base, width, "base  "), *paragraph(new, width, "new   ")]
    return [*lines, *(paragraph(told.across, width) if told.across else [])]


def _unlike(told: Whole, *, colour: bool, width: int) -> list[str]:
    if not told.unlike:
        return ["Nothing that was looked at differs between the two set-ups."]
    columns = [
        Column("what differs", [one.what for one in told.unlike], least=12),
        Column("base", [one.base for one in told.unlike], least=10),
        Column("new", [one.new for one in told.unlike], least=10),
    ]
    if any(one.content for one in told.unlike):
        columns.append(Column("", ["changes what is measured" * one.content for one in told.unlike]))
    return grid(columns, width, colour=colour)


def _pairs(pairs: Sequence[Compared], *, colour: bool, width: int) -> list[list[str]]:
    """One table over all cells, so that columns stand below each other, cut into one block a cell."""
    changes = [change for one in pairs for change in one.changes]
    if not changes:
        return []
    head, *rows = grid(_columns(changes), width)
    left = iter(zip(rows, changes, strict=True))
    blocks = []
    for one in pairs:
        lines = paragraph(f"{one.label} ({one.visits})", width, f"{one.number}. ")
        block = [painted(line, "bold", colour=colour) for line in lines]
        block.append(painted(head, "dim", colour=colour))
        for _ in one.changes:
            block += _row(*next(left), once=bool(one.reason), colour=colour, width=width)
        block += paragraph(one.reason, width, "    ") if one.reason else []
        blocks.append(block)
    return blocks


def _columns(changes: Sequence[Change]) -> list[Column]:
    return [
        Column("metric", [one.name for one in changes], least=16, prose=True),
        Column("unit", [f"{one.unit} {one.arrow}".strip() for one in changes]),
        Column("base", [one.base for one in changes], right=True),
        Column("new", [one.new for one in changes], right=True),
        Column("change", [one.change for one in changes], right=True),
        Column("interval", [one.interval for one in changes], right=True),
        Column("seen from", [one.detectable for one in changes], right=True),
        # The last column, so that what colours it moves no other.
        Column("verdict", [one.word for one in changes]),
    ]


def _row(line: str, change: Change, *, once: bool, colour: bool, width: int) -> list[str]:
    """The line with its last word in colour, and below it why nothing can be told, unless that is said once for all."""
    bare = line.removesuffix(change.word)
    reason = paragraph(change.reason, width, "    ") if change.reason and not once else []
    return [bare + painted(change.word, _STYLES[change.tone], colour=colour), *reason]


def _means(told: Whole, *, colour: bool, width: int) -> list[str]:
    if not told.means:
        return []
    columns = [
        Column("mean over all cells", [one.name for one in told.means], least=16, prose=True),
        Column("change", [one.change for one in told.means], right=True),
        Column("interval", [one.interval for one in told.means], right=True),
        Column("", [one.reason for one in told.means], least=10, prose=True),
    ]
    return grid(columns, width, colour=colour)
