"""What the columns of the table of cells show: figures of metrics, and the share of what memory allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from olbench.findings import Better, CellFinding, Estimate
from olbench.metrics import METRICS
from olbench.report.wording import Scale, figure, scale, spread

BELOW = "smaller than the error of our own clock, which stands behind the <"


@dataclass(frozen=True, slots=True)
class Statistic:
    """One figure of one metric: which field of its Summary, and what the column is called."""

    metric: str
    field: str
    name: str

    @property
    def unit(self) -> str:
        """The base unit."""
        return METRICS[self.metric].unit

    @property
    def better(self) -> Better:
        """Which way is better."""
        return METRICS[self.metric].better

    @property
    def says(self) -> str:
        """What the figure is, for who points at the heading."""
        return f"{METRICS[self.metric].name}: {METRICS[self.metric].formula}"

    def known(self, cells: Sequence[CellFinding]) -> bool:
        """Whether a run without the figure owes a reason."""
        return bool(cells)

    def of(self, found: CellFinding) -> Estimate:
        """The figure of one cell."""
        estimate: Estimate = getattr(found.summaries[self.metric], self.field)
        return estimate

    def below(self, found: CellFinding) -> str:
        """That the figure is smaller than our clock's error; "" where it is not."""
        return BELOW if found.summaries[self.metric].below(self.of(found)) else ""

    def shown(self, found: CellFinding, scale_: Scale) -> tuple[str, str]:
        """The figure of one cell and its interval as they stand in the table."""
        return figure(found.summaries[self.metric], self.of(found), scale_)


@dataclass(frozen=True, slots=True)
class Roofed:
    """How near decoding comes to what memory bandwidth allows."""

    name: str = "Roof"
    unit: str = "share"
    better: Better = "neither"
    says: str = (
        "Share of what memory allows: bytes that one token reads, times the decode rate, by the bandwidth"
    )

    def known(self, cells: Sequence[CellFinding]) -> bool:
        """Whether a run without the figure owes a reason: not where nobody asked for it."""
        return any(found.roof is not None for found in cells)

    def of(self, found: CellFinding) -> Estimate:
        """The figure of one cell."""
        return Estimate(None, None, None) if found.roof is None else found.roof.share

    def below(self, _: CellFinding) -> str:
        """Our clock has no part in it."""
        return ""

    def shown(self, found: CellFinding, scale_: Scale) -> tuple[str, str]:
        """The figure of one cell and its interval as they stand in the table."""
        return spread(self.of(found), scale_)


Quantity = Statistic | Roofed

# One row a column, in the order of the table; the first figure of it that any cell has is shown.
COLUMNS: tuple[tuple[Quantity, ...], ...] = (
    (Statistic("ttft", "typical", "TTFT"),),
    (Statistic("tpot", "typical", "TPOT"),),
    (Statistic("decode", "typical", "Decode"),),
    (Roofed(),),
    (Statistic("prefill", "typical", "Prefill"), Statistic("prefill_cold", "typical", "Prefill, cold")),
    (Statistic("throughput", "typical", "Throughput"),),
    (Statistic("e2e", "p95", "E2E p95"), Statistic("e2e", "typical", "E2E")),
    (Statistic("load", "typical", "Load"), Statistic("preload", "typical", "Preload")),
    (Statistic("ram_peak", "typical", "RAM"),),
    (Statistic("gpu_peak", "typical", "GPU memory"), Statistic("model_vram", "typical", "VRAM")),
)


def first(column: Sequence[Quantity], cells: Sequence[CellFinding]) -> Quantity | None:
    """The first figure of a column that any cell has."""
    # A column of zeros is what a server without a GPU says of its VRAM; it tells nothing.
    return next((one for one in column if any(one.of(found).value for found in cells)), None)


def scale_of(one: Quantity, cells: Sequence[CellFinding]) -> Scale:
    """One unit for a column."""
    values = [value for found in cells if (value := one.of(found).value) is not None]
    return scale(values, one.unit)
