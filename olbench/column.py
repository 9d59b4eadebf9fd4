"""One metric over the samples of a visit: its numbers, and why a sample gave none."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olbench.findings import Value

Numbers = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]
Unless = tuple[str, Mask]  # a reason, and which samples have no figure for it


@dataclass(frozen=True, slots=True)
class Column:
    """One metric over the samples (or the one visit) of an observation."""

    numbers: Numbers  # without gaps: only what has a value
    lengths: Rows  # how many numbers each sample gave; 0: none
    reasons: tuple[str, ...]  # why a sample gave none; "" where it gave some

    def missing(self) -> Counter[str]:
        """Reason -> how many samples gave none for it."""
        return Counter(filter(None, self.reasons))

    def aligned(self) -> Numbers:
        """One number a sample, NaN where there is none; only for metrics that give one."""
        whole = np.full(len(self.lengths), np.nan)
        whole[self.lengths > 0] = self.numbers
        return whole

    def at(self, rows: Rows) -> "Column":
        """The column of these samples alone."""
        lengths = self.lengths[rows]
        before = (np.cumsum(self.lengths) - self.lengths)[rows] - (np.cumsum(lengths) - lengths)
        places = np.arange(lengths.sum()) + np.repeat(before, lengths)
        return Column(self.numbers[places], lengths, tuple([self.reasons[row] for row in rows.tolist()]))

    def without(self, why: Sequence[str]) -> "Column":
        """The column with those samples left out that `why` gives a reason for, one entry a sample."""
        out = np.array([bool(one) for one in why], dtype=np.bool_)
        reasons = tuple(own or new for own, new in zip(self.reasons, why, strict=True))
        lengths = np.where(out, 0, self.lengths)
        return Column(self.numbers[np.repeat(~out, self.lengths)], lengths, reasons)


def joined(runs: Sequence[Numbers]) -> Numbers:
    """The numbers of several columns in their order."""
    return np.concatenate(runs) if runs else np.empty(0)


def singles(values: Numbers, *unless: Unless) -> Column:
    """One number a sample. Where masks hold, the reason of the first of them stands instead."""
    reasons, there = _told(len(values), unless)
    return Column(values[there], there.astype(np.int64), reasons)


def several(values: Numbers, lengths: Rows, *unless: Unless) -> Column:
    """As many numbers a sample as `lengths` says; those of samples that masks hold are left out."""
    reasons, there = _told(len(lengths), unless)
    return Column(values[np.repeat(there, lengths)], np.where(there, lengths, 0), reasons)


def single(value: Value) -> Column:
    """The figure of a whole visit."""
    known = value.number is not None
    numbers = np.array([value.number] if known else [], dtype=np.float64)
    return Column(numbers, np.array([known], dtype=np.int64), ("" if known else value.reason,))


def _told(count: int, unless: Sequence[Unless]) -> tuple[tuple[str, ...], Mask]:
    """The reason of each sample, and which samples have none."""
    reasons, there = np.full(count, "", dtype=object), np.ones(count, dtype=np.bool_)
    for reason, mask in reversed(unless):  # the first one has the last word
        reasons[mask] = reason
        there &= ~mask
    return tuple(reasons.tolist()), there
