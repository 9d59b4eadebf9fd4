"""What the server made of each cell: the context, the place in memory and the slots that it gave, and what was left out."""

from collections.abc import Sequence

from olbench.findings import CellFinding, Findings
from olbench.model import Placement
from olbench.prose import counted, distinct
from olbench.report.remarks import slots_of
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import NOTHING, plain
from olbench.units import words


def given(findings: Findings) -> Table:
    """One row a cell that was loaded at least once; several values where visits differ."""
    cells = enumerate(findings.cells, 1)
    return Table(
        (
            Heading("Cell"),
            Heading("Context given", numeric=True),
            Heading("In memory", numeric=True),
            Heading("Of it on a GPU", numeric=True),
            Heading("Slots"),
            Heading("Left out of the figures"),
        ),
        tuple(_row(place, found) for place, found in cells if found.placements),
    )


def _row(place: int, found: CellFinding) -> tuple[Entry, ...]:
    where = found.placements
    contexts = [f"{one.context_length:,}" for one in where if one.context_length is not None]
    lesser = any((one.context_length or found.cell.num_ctx) < found.cell.num_ctx for one in where)
    return (
        Entry(f"{place}.\u00a0{plain(found.label)}"),
        Entry(_all(contexts), f"asked {found.cell.num_ctx:,}" if lesser else ""),
        Entry(_all([words(one.size, "B") for one in where if one.size is not None])),
        Entry(_all([share for one in where if (share := _on_gpu(one))])),
        Entry(*slots_of(found.slots)) if found.slots else Entry(NOTHING),
        Entry("; ".join(_left_out(found))),
    )


def _all(values: Sequence[str]) -> str:
    return " / ".join(distinct(values)) or NOTHING


def _on_gpu(one: Placement) -> str:
    if not one.size or one.size_vram is None:
        return ""
    return words(one.size_vram / one.size, "share", 2)


def _left_out(found: CellFinding) -> list[str]:
    """Visits and requests of the cell that enter no figure."""
    own = found.judged and found.marked
    parts = [f"{counted(len(found.marked), 'visit')} of {found.visits_taken}, marked"] if own else []
    parts += [f"the first {found.cut} of each visit, as start-up"] if found.cut else []
    wrong = f"{counted(found.contaminated, 'request')} whose cache was not as meant"
    return [*parts, *([wrong] if found.contaminated else [])]
