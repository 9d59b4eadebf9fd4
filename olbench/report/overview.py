"""The table of cells as words: its columns, its figures with their intervals, its footnotes. Every format prints it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import CellFinding, Estimate, Findings
from olbench.metrics import METRICS, Metric
from olbench.model import GOOD
from olbench.prose import listed, ranked
from olbench.report.amounts import merged
from olbench.report.reasons import ranked_reasons
from olbench.report.wording import Scale, figure, plain, scale

BELOW = "smaller than the error of our own clock, which stands behind the <"
ARROWS = {"lower": "↓", "higher": "↑", "neither": ""}


@dataclass(frozen=True, slots=True)
class Statistic:
    """One figure of one metric: which field of its Summary, and what the column is called."""

    metric: str
    field: str
    name: str

    def of(self, found: CellFinding) -> Estimate:
        """The figure of one cell."""
        estimate: Estimate = getattr(found.summaries[self.metric], self.field)
        return estimate

    def below(self, found: CellFinding) -> str:
        """That the figure is smaller than our clock's error; "" where it is not."""
        return BELOW if found.summaries[self.metric].below(self.of(found)) else ""


# One row a column, in the order of the table; the first statistic of it that any cell has is shown.
COLUMNS: tuple[tuple[Statistic, ...], ...] = (
    (Statistic("ttft", "typical", "TTFT"),),
    (Statistic("tpot", "typical", "TPOT"),),
    (Statistic("decode", "typical", "Decode"),),
    (Statistic("prefill", "typical", "Prefill"), Statistic("prefill_cold", "typical", "Prefill, cold")),
    (Statistic("throughput", "typical", "Throughput"),),
    (Statistic("e2e", "p95", "E2E p95"), Statistic("e2e", "typical", "E2E")),
    (Statistic("load", "typical", "Load"), Statistic("preload", "typical", "Preload")),
    (Statistic("ram_peak", "typical", "RAM"),),
    (Statistic("gpu_peak", "typical", "GPU memory"), Statistic("model_vram", "typical", "VRAM")),
)


@dataclass(frozen=True, slots=True)
class Heading:
    """A column that is shown: its short name, its unit, and which way is better."""

    name: str
    unit: str
    arrow: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class Figure:
    """One entry: value and interval in words, the bare number to sort by, numbers of footnotes."""

    value: str
    interval: str
    number: float | None
    notes: tuple[int, ...]

    @property
    def sort(self) -> str:
        """The bare number as text; "" where there is none."""
        return "" if self.number is None else repr(self.number)


@dataclass(frozen=True, slots=True)
class Row:
    """One cell of the run. `number` is its place in the plan, from 1."""

    number: int
    label: str
    notes: tuple[int, ...]
    figures: tuple[Figure, ...]
    good: int
    failed: int
    asked: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole table. `remarks` are sentences that stand below it without a number."""

    headings: tuple[Heading, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  # footnotes; number 1 is the first
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row before its footnotes have numbers: the sentences of the row, and of each figure ("": none)."""

    found: CellFinding
    row: tuple[str, ...]
    figures: tuple[str, ...]


def overview(findings: Findings) -> Overview:
    """The table of a run's cells. A column without one value is left out, and a remark says why."""
    cells = findings.cells
    shown = [one for one in (_first(column, cells) for column in COLUMNS) if one is not None]
    scales = [_scale(one, cells) for one in shown]
    drafts = [_draft(found, shown) for found in cells]
    told = merged(note for one in drafts for note in (*one.row, *one.figures) if note)
    sentences = dict.fromkeys(told.values())
    places = {note: place for place, note in enumerate(sentences, 1)}
    numbers = {note: places[told[note]] for note in told}
    return Overview(
        headings=tuple(map(_heading, shown, scales)),
        rows=tuple(_row(place, one, shown, scales, numbers) for place, one in enumerate(drafts, 1)),
        notes=tuple(sentences),
        remarks=(*_named(findings), *_absent(cells), *_uncertain(cells, shown)),
    )


def _named(findings: Findings) -> list[str]:
    """What the labels leave unsaid."""
    if "concurrency" not in findings.axes:
        return []
    most = max(found.cell.concurrency for found in findings.cells)
    return [f"×{most}: {most} requests at a time, each on a stream of its own."]


def failed(found: CellFinding) -> int:
    """How many measured samples of the cell did not go through."""
    return sum(count for outcome, count in found.outcomes.items() if outcome not in GOOD)


def _first(column: Sequence[Statistic], cells: Sequence[CellFinding]) -> Statistic | None:
    # A column of zeros is what a server without a GPU says of its VRAM; it tells nothing.
    return next((one for one in column if any(one.of(found).value for found in cells)), None)


def _scale(one: Statistic, cells: Sequence[CellFinding]) -> Scale:
    values = [value for found in cells if (value := one.of(found).value) is not None]
    return scale(values, METRICS[one.metric].unit)


def _heading(one: Statistic, unit: Scale) -> Heading:
    row = METRICS[one.metric]
    return Heading(one.name, unit.unit, ARROWS[row.better], row)


def _draft(found: CellFinding, shown: Sequence[Statistic]) -> _Draft:
    """The footnotes of a row. Where no figure has a value, the reason stands once, at the row's name."""
    why = [plain(one.of(found).reason) if one.of(found).value is None else one.below(found) for one in shown]
    doubts = [plain(doubt) for doubt in found.doubts]
    if shown and all(why) and all(one.of(found).value is None for one in shown):
        return _Draft(found, tuple(dict.fromkeys([*doubts, *why])), tuple("" for _ in shown))
    return _Draft(found, tuple(doubts), tuple(why))


def _row(
    place: int, draft: _Draft, shown: Sequence[Statistic], scales: Sequence[Scale], numbers: Mapping[str, int]
) -> Row:
    found = draft.found
    entries = zip(shown, scales, draft.figures, strict=True)
    return Row(
        number=place,
        label=plain(found.label),
        notes=tuple(sorted({numbers[note] for note in draft.row})),
        figures=tuple(_figure(one, found, unit, numbers.get(why)) for one, unit, why in entries),
        good=sum(found.outcomes.values()) - failed(found),
        failed=failed(found),
        asked=sum(found.outcomes.values()),
    )


def _figure(one: Statistic, found: CellFinding, unit: Scale, note: int | None) -> Figure:
    estimate = one.of(found)
    value, interval = figure(found.summaries[one.metric], estimate, unit)
    return Figure(value, interval, estimate.value, () if note is None else (note,))


def _absent(cells: Sequence[CellFinding]) -> list[str]:
    """Why the first choice of a column is not in the table, one sentence a reason."""
    missing = [column[0] for column in COLUMNS if cells and _first(column, cells) is not column[0]]
    names: dict[str, list[str]] = {}
    for one in missing:
        why = ranked_reasons(one.of(found) for found in cells) or "it is 0 everywhere"
        names.setdefault(why, []).append(one.name)
    return [f"No {listed(own)}: {why}." for why, own in names.items()]


def _uncertain(cells: Sequence[CellFinding], shown: Sequence[Statistic]) -> list[str]:
    """Why figures that are there have no interval, the commonest reason first."""
    estimates = [one.of(found) for found in cells for one in shown]
    bare = Counter(plain(one.reason) for one in estimates if one.value is not None and one.low is None)
    told = merged(bare)
    words = "; ".join(list(dict.fromkeys(told[reason] for reason, _ in ranked(bare)))[:3])
    return [f"Figures without an interval: {words}."] if words else []
