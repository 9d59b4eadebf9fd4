"""The samples of a visit as columns: figures are taken of all of them at once, for there may be many thousands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olbench.arrival import Load
from olbench.column import Mask, Numbers, Rows
from olbench.model import Counts, Sample

Stamps = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines of some kind: their places among all lines, in order; those of a sample stand from begin to end."""

    places: Rows
    begin: Rows
    end: Rows

    @property
    def count(self) -> Rows:
        """How many of them each sample has."""
        return self.end - self.begin

    @property
    def none(self) -> Mask:
        """Which samples have none of them."""
        none: Mask = self.begin == self.end
        return none

    def first(self, stamps: Stamps) -> Stamps:
        """The stamp of each sample's first such line; 0 where there is none."""
        return self._at(self.begin, stamps)

    def last(self, stamps: Stamps) -> Stamps:
        """The stamp of each sample's last such line; 0 where there is none."""
        return self._at(self.end - 1, stamps)

    def _at(self, where: Rows, stamps: Stamps) -> Stamps:
        found = np.zeros(len(where), dtype=np.int64)
        there = ~self.none
        found[there] = stamps[self.places[where[there]]]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """One row a sample; and of all their responses together, one after the other, one row a line.

    Our stamps are whole nanoseconds, exact however long the machine is up. The server's counts are floats, NaN where
    it sent none: exact up to 104 days, and beyond that no server's word can break them.
    """

    cold: Mask  # the phase
    stream: Rows
    turn: Rows  # of the conversation
    streamed: Mask
    stepped: Mask  # the wall clock was set during the response
    unsent: Mask
    wanted_ns: Stamps
    connect_ns: Numbers  # NaN where nobody knows
    sent_ns: Stamps  # 0 where it was never sent
    began_ns: Stamps  # from when its latency counts: sent in a closed loop, else wanted, for then it fell due
    end_ns: Stamps
    uncounted: Mask  # no done:true line came
    total_ns: Numbers
    load_ns: Numbers
    prompt_eval_count: Numbers
    prompt_eval_ns: Numbers
    cached_count: Numbers
    eval_count: Numbers
    eval_ns: Numbers
    lines: Rows  # of each response
    kind: NDArray[np.uint8]
    arrived_ns: Stamps
    created_ns: Stamps

    def having(self, bits: int) -> Lines:
        """The lines that have one of the bits."""
        places = np.flatnonzero(self.kind & bits)
        ends = np.cumsum(self.lines)
        begin, end = np.searchsorted(places, ends - self.lines), np.searchsorted(places, ends)
        return Lines(places, begin, end)


_NOTHING = Counts(None, None, None, None, None, None, None, None)


def columns(seen: Sequence[Sample], load: Load | None = None) -> Samples:
    """The samples as columns, in their order; `load` is the one of their cell."""
    counts = [one.counts or _NOTHING for one in seen]
    wanted = _stamps([one.wanted_ns for one in seen])
    sent = _stamps([0 if one.sent_ns is None else one.sent_ns for one in seen])
    return Samples(
        cold=_mask([one.phase == "cold" for one in seen]),
        stream=np.array([one.stream for one in seen], dtype=np.int64),
        turn=np.array([one.turn for one in seen], dtype=np.int64),
        streamed=_mask([one.streamed for one in seen]),
        stepped=_mask([one.stamps == "stepped" for one in seen]),
        unsent=_mask([one.sent_ns is None for one in seen]),
        wanted_ns=wanted,
        connect_ns=_counts([one.connect_ns for one in seen]),
        sent_ns=sent,
        began_ns=sent if load is None else wanted,
        end_ns=_stamps([one.end_ns for one in seen]),
        uncounted=_mask([one.counts is None for one in seen]),
        total_ns=_counts([one.total_ns for one in counts]),
        load_ns=_counts([one.load_ns for one in counts]),
        prompt_eval_count=_counts([one.prompt_eval_count for one in counts]),
        prompt_eval_ns=_counts([one.prompt_eval_ns for one in counts]),
        cached_count=_counts([one.cached_count for one in counts]),
        eval_count=_counts([one.eval_count for one in counts]),
        eval_ns=_counts([one.eval_ns for one in counts]),
        lines=np.array([len(one.chunks) for one in seen], dtype=np.int64),
        kind=np.frombuffer(b"".join([one.chunks.kind for one in seen]), dtype=np.uint8),
        arrived_ns=np.frombuffer(b"".join([one.chunks.arrived_ns for one in seen]), dtype=np.int64),
        created_ns=np.frombuffer(b"".join([one.chunks.created_ns for one in seen]), dtype=np.int64),
    )


def _mask(values: Sequence[bool]) -> Mask:
    return np.array(values, dtype=np.bool_)


def _stamps(values: Sequence[int]) -> Stamps:
    return np.array(values, dtype=np.int64)


def _counts(values: Sequence[int | None]) -> Numbers:
    return np.array(values, dtype=np.float64)  # None becomes NaN
