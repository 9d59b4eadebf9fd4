"""Every measured request of a visit, answered or not: when it fell due, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from olbench.column import Column, Mask, Numbers, Rows
from olbench.model import GOOD, Observation, Sample
from olbench.parts import dispatch
from olbench.sample_columns import Samples, Stamps
from olbench.sample_metrics import e2e, tpot, ttft


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One row a measured request, in the visit's order; NaN where there is no such figure, or it did not go through."""

    due_ns: Stamps  # when it was wanted
    end_ns: Stamps
    good: Mask  # it went through
    stopped: Mask  # we ended it, when the load was given up: what would have become of it nobody knows
    part: Rows  # of the mix
    turn: Rows  # of the conversation
    ttft: Numbers  # s, as the metrics have them
    tpot: Numbers
    e2e: Numbers
    waited: Numbers  # s from due to the first token, or to the end where none came; of those that did not go through too
    late: Numbers  # s by which it left after it was wanted, a new connection aside; of failed ones too
    before_due_ns: Stamps  # the same of warm-up requests, which may still be under way
    before_end_ns: Stamps
    cut_short: bool

    def by_due(self) -> Rows:
        """The rows in the order in which they fell due."""
        return np.argsort(self.due_ns, kind="stable")

    def under_way(self) -> int:
        """The most requests that were under way at once, warm-up ones among them."""
        came = np.concatenate((self.before_due_ns, self.due_ns))
        went = np.concatenate((self.before_end_ns, self.end_ns))
        moments = np.concatenate((went, came))
        steps = np.concatenate((np.full(len(went), -1), np.ones(len(came), dtype=np.int64)))
        order = np.argsort(moments, kind="stable")  # one that ends makes room for one that comes
        return int(np.cumsum(steps[order]).max(initial=0))

    def left(self, due_ns: Stamps) -> Rows:
        """How many were under way at each of these moments, warm-up ones among them."""
        came = np.sort(np.concatenate((self.before_due_ns, self.due_ns)))
        went = np.sort(np.concatenate((self.before_end_ns, self.end_ns)))
        found: Rows = np.searchsorted(came, due_ns, side="right") - np.searchsorted(
            went, due_ns, side="right"
        )
        return found


def of(seen: Observation, measured: Sequence[Sample], columns: Samples) -> Served:
    """The measured requests of a visit; `columns` are those of all of them."""
    good = np.array([one.outcome in GOOD for one in measured], dtype=np.bool_)
    before = [one for one in seen.samples if one.phase == "warmup"]
    return Served(
        due_ns=columns.wanted_ns,
        end_ns=columns.end_ns,
        good=good,
        stopped=np.array([stopped(seen, one) for one in measured], dtype=np.bool_),
        part=np.array([one.part for one in measured], dtype=np.int64),
        turn=columns.turn,
        ttft=_where(good, ttft(columns)),
        tpot=_where(good, tpot(columns)),
        e2e=_where(good, e2e(columns)),
        waited=_waited(columns),
        late=dispatch(columns).aligned(),
        before_due_ns=np.array([one.wanted_ns for one in before], dtype=np.int64),
        before_end_ns=np.array([one.end_ns for one in before], dtype=np.int64),
        cut_short=seen.cut_short,
    )


def stopped(seen: Observation, sample: Sample) -> bool:
    """Whether we ended a request of a visit because its load was given up: it has not failed."""
    return seen.cut_short and sample.outcome == "cancelled"


def _waited(columns: Samples) -> Numbers:
    first = ttft(columns).aligned()
    found: Numbers = np.where(np.isfinite(first), first, (columns.end_ns - columns.wanted_ns) / 1e9)
    return found


def _where(good: Mask, column: Column) -> Numbers:
    found: Numbers = np.where(good, column.aligned(), np.nan)
    return found
