"""One metric of a cell as its checks look at it: a value a request, made alike, and what it is held against."""

import math
from dataclasses import dataclass

import numpy as np

from olbench.column import Numbers
from olbench.gist import Told
from olbench.metrics import METRICS
from olbench.steady import trend
from olbench.units import words

OF_SAMPLES = ("decode", "ttft")  # what the checks of single requests look at


@dataclass(frozen=True, slots=True)
class View:
    """One metric over a cell's visits, in the order of repeats."""

    cell: Told
    key: str

    @property
    def noun(self) -> str:
        """The metric's name in the middle of a sentence."""
        name = METRICS[self.key].name
        return name[0].lower() + name[1:]

    @property
    def rises_well(self) -> bool:
        """Whether more of it is better."""
        return METRICS[self.key].better == "higher"

    def said(self, value: float) -> str:
        """A value with its unit."""
        return words(value, METRICS[self.key].unit)

    def usual(self) -> float | None:
        """The cell's middle value, if it can be divided by."""
        middle = median(self.cell.numbers(self.key))
        return middle if middle > 0 else None

    def least(self, bar: str) -> float:
        """A threshold, which is a share; milliseconds of a short TTFT are no change."""
        share, usual = self.cell.limits[bar], self.usual()
        if self.key != "ttft" or usual is None:
            return share
        return max(share, self.cell.limits["ttft_least"] / usual)

    def visits(self) -> list[Numbers]:
        """One value a measured sample, visit by visit, NaN where it has none; what differs by prompt is divided out."""
        found = [gist.columns[self.key].aligned() for gist in self.cell.gists]
        names = [name for gist in self.cell.gists for name in gist.prompts]
        if self.key not in OF_SAMPLES or len(set(names)) < 2:
            return found
        pooled = np.concatenate(found)
        own, which = np.unique(names, return_inverse=True)
        middles = np.array([median(pooled[which == place]) for place in range(len(own))])
        ends = np.cumsum([len(one) for one in found])[:-1]
        return np.split(pooled / middles[which] * median(pooled), ends)

    def alone(self, cut: int) -> list[Numbers]:
        """The same without the start-up; of several streams only requests that neither begin nor end a visit together."""
        streams = self.cell.cell.concurrency
        if self.key not in OF_SAMPLES:
            return self.visits()
        begin, end = (cut, 0) if streams == 1 else (max(cut, streams), streams)
        return [_within(one, begin, len(one) - end) for one in self.visits()]

    def middles(self, cut: int) -> list[float]:
        """Each visit's middle value, NaN where it has none."""
        # A visit of few requests on many streams has none that ran apart from its beginning and its end.
        pairs = zip(self.alone(cut), self.visits(), strict=True)
        return [median(own if np.isfinite(own).any() else whole) for own, whole in pairs]


def _within(values: Numbers, begin: int, end: int) -> Numbers:
    places = np.arange(len(values))
    return np.where((places >= begin) & (places < end), values, np.nan)


def median(values: Numbers) -> float:
    """The middle of the finite values; NaN where there is none."""
    there = values[np.isfinite(values)]
    return trend.median(there) if len(there) else math.nan
