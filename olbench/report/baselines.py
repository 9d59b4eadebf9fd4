"""Baselines for the terminal: one whole, and many in a list."""

from collections.abc import Mapping, Sequence
from statistics import fmean, geometric_mean

from olbench.differences import Side, SideCell
from olbench.metrics import METRICS
from olbench.prose import counted
from olbench.report.columns import WIDTH, Column, grid, painted, paragraph
from olbench.report.tables.world import machine, server
from olbench.report.wording import NOTHING, number, plain, scale

# What a table has room for: metric -> its heading.
_SHOWN: Mapping[str, str] = {
    "ttft": "TTFT",
    "decode": "Decode",
    "throughput": "Throughput",
    "e2e": "E2E",
    "ram_peak": "RAM",
    "gpu_peak": "GPU memory",
}
_DIGEST = 12


def show(side: Side, *, colour: bool = False, width: int = WIDTH) -> str:
    """What a baseline is of, and its typical figures."""
    blocks = (
        [painted(plain(side.name), "bold", colour=colour)],
        paragraph(f"{plain(side.scenario)} · {side.at} · olbench {plain(side.olbench)}", width),
        [
            line
            for part in (server(side.facts), machine(side.facts))
            if part
            for line in paragraph(part, width)
        ],
        [line for name, card in sorted(side.models.items()) for line in paragraph(_model(name, card), width)],
        grid(_columns(side.cells), width, colour=colour),
        paragraph(f"Typical: the geometric mean of each visit's median.{_left_out(side)}", width),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def listed(found: Sequence[tuple[str, Side]], *, colour: bool = False, width: int = WIDTH) -> str:
    """One row a file."""
    columns = [
        Column("file", [plain(name) for name, _ in found], least=16),
        Column("scenario", [plain(side.scenario) for _, side in found], least=10),
        Column("taken, UTC", [side.at[:16].replace("T", " ") for _, side in found]),
        Column("olbench", [plain(side.olbench) for _, side in found]),
        Column("cells", [str(len(side.cells)) for _, side in found], right=True),
        Column("visits", [str(sum(map(visits, side.cells))) for _, side in found], right=True),
    ]
    return "\n".join(grid(columns, width, colour=colour)) + "\n"


def visits(cell: SideCell) -> int:
    """Sound visits that went into a cell."""
    return max(map(len, cell.visits.values()), default=0)


def _left_out(side: Side) -> str:
    marked = sum(one.marked for one in side.cells)
    return f" {counted(marked, 'visit')} that something disturbed left out." if marked else ""


def _model(name: str, card: Mapping[str, object]) -> str:
    digest, quantization = card.get("digest"), card.get("quantization")
    known = f"digest {plain(str(digest))[:_DIGEST]}" if digest else "digest not known"
    return (
        f"{plain(name)} · {plain(str(quantization))} · {known}"
        if quantization
        else f"{plain(name)} · {known}"
    )


def _columns(cells: Sequence[SideCell]) -> list[Column]:
    there = [metric for metric in _SHOWN if any(one.visits.get(metric) for one in cells)]
    return [
        Column("cell", [plain(one.label) for one in cells], least=16),
        Column("visits", [str(visits(one)) for one in cells], right=True),
        *(_figures(metric, cells) for metric in there),
    ]


def _figures(metric: str, cells: Sequence[SideCell]) -> Column:
    typical = [_typical(one.visits.get(metric, ())) for one in cells]
    unit = scale([one for one in typical if one is not None], METRICS[metric].unit)
    shown = [NOTHING if one is None else number(one, unit) for one in typical]
    return Column(_SHOWN[metric], shown, right=True, under=unit.unit)


def _typical(medians: Sequence[float]) -> float | None:
    if not medians:
        return None
    return geometric_mean(medians) if min(medians) > 0 else fmean(medians)
