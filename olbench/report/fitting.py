"""What fits here, for the terminal, at most 100 columns wide."""

from collections.abc import Iterator, Sequence

from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.tables import Table, fitting
from olbench.sized import Footprint


def show(
    footprints: Sequence[Footprint], contexts: Sequence[int] = (), *, colour: bool = False, width: int = WIDTH
) -> str:
    """The tables "what fits here" and "largest num_ctx", and below them what must be said."""
    blocks = (
        [painted("What fits here", "bold", colour=colour), *paragraph(fitting.room(footprints), width)],
        _table(fitting.what_fits(footprints, contexts), width, colour=colour),
        _table(fitting.largest(footprints), width, colour=colour),
        [
            line
            for made in footprints
            for one in fitting.sentences(made, contexts)
            for line in paragraph(one, width)
        ],
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _table(table: Table, width: int, *, colour: bool) -> list[str]:
    if not table.rows:
        return []
    return [*grid(list(_columns(table)), width, colour=colour), *paragraph(table.note, width)]


def _columns(table: Table) -> Iterator[Column]:
    for place, head in enumerate(table.headings):
        fields = [row[place] for row in table.rows]
        shown = [f"{one.text} {one.small}".strip() for one in fields]
        yield Column(head.text, shown, right=head.numeric, least=0 if place else 16)
