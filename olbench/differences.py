"""What comparing says, as frozen data: two sides, what differs between their set-ups, and verdicts with their doubt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from olbench.findings import Estimate
from olbench.model import Cell, Facts

# Of metrics that are neither speeds nor times (memory, energy): less for faster, more for slower; the table of words
# stands in compare.WORDS.
Verdict = Literal["faster", "slower", "equivalent", "cannot tell"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideCell:
    """One cell of a side: what each sound visit gave."""

    cell: Cell
    label: str
    visits: Mapping[str, tuple[float, ...]]  # metric -> each sound visit's median, in the order of taking
    marked: int  # visits that are left out because something disturbed them
    samples: Mapping[str, int]  # metric -> values that went into those medians


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two that are compared: a run, or the baseline that was made of one."""

    name: str  # "run 20261122-220256-quickstart-3f9a", "baseline.json"
    at: str  # UTC, ISO 8601
    olbench: str  # version
    scenario: str  # its name
    facts: Facts
    models: Mapping[
        str, Facts
    ]  # name -> digest, template, quantization, parameters: what makes it this model
    settings: Facts  # what the scenario came to
    cells: tuple[SideCell, ...]


@dataclass(frozen=True, slots=True)
class Unlike:
    """One thing in which the set-ups differ."""

    what: str  # "server.version", "digest of smollm2:135m"
    base: str
    new: str
    content: bool  # whether it changes what is measured, so that comparing needs to be asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One metric of one pair of cells."""

    metric: str  # key into metrics.METRICS
    base: Estimate  # typical values
    new: Estimate
    ratio: Estimate  # new / base, with the interval that the verdict rests on
    verdict: Verdict
    margin: float  # relative; inside it two figures are called equivalent
    detectable: (
        float | None
    )  # the smallest relative change that would have been seen (80 % of the time); None: unknown
    paired: bool  # whether blocks were paired
    reason: str = ""  # why nothing can be told; "" where a verdict stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two cells that are compared, and their metrics."""

    label: str
    base: SideCell
    new: SideCell
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two sides, compared."""

    base: Side
    new: Side
    unlike: tuple[Unlike, ...]
    pairs: tuple[Pair, ...]
    alone: tuple[str, ...]  # labels of cells that only one side has, each with its side's name
    geomeans: Mapping[str, Estimate]  # metric -> geometric mean of the ratios over all pairs
    correction: str  # how many verdicts there are, and what was done about it, in a sentence
    across: str | None = None  # the axis along which unlike cells are compared on purpose
    notes: tuple[str, ...] = field(default=())  # "2 visits of the base are left out: ..."
