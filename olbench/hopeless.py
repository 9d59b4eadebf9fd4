"""When a load is given up before its end: so many requests were too late that the service level is lost."""

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from olbench.clock import now
from olbench.ports import Reply, Wire
from olbench.slo import Term

# Standard deviations of a share of independent requests. Those in a queue miss in rows: with 3, one visit in ten just below
# the capacity would be cut by chance.
MARGIN = 8.0
RECENT = 10  # answers; when most of the last ones were in time again, a backlog is being worked off
_OK = 200


@dataclass(frozen=True, slots=True)
class Limit:
    """What requests must keep, as far as it shows before an answer is decoded, and how many may miss it."""

    head_ns: int | None  # from due to the answer's first byte
    end_ns: int | None  # from due to its last
    most: int


def limits(terms: Iterable[Term], requests: int) -> tuple[Limit, ...]:
    """The limits of a service level over so many measured requests.

    A line may be missed by as many requests as its share allows, and `MARGIN` standard deviations more: beyond that it
    is broken even if all that are still to come keep it, and not by chance. Lines on the pace of answers show only in
    decoded ones: a load that breaks those alone goes on to its end.
    """
    found = []
    for one in terms:
        most = _most(one.share, requests)
        bound_ns = None if one.bound is None else round(one.bound * 1e9)
        if one.aspect == "ttft":
            found.append(Limit(bound_ns, None, most))
        elif one.aspect == "e2e":
            found.append(Limit(None, bound_ns, most))
        elif one.aspect == "success":
            found.append(Limit(None, None, most))
    return tuple(found)


def lost(missed: int, most: int, recent: Sequence[bool]) -> bool:
    """Whether a line is lost: more than `most` have missed it, and at least half of the `recent` answers did."""
    return missed > most and 2 * sum(recent) >= len(recent)


class Outlook:
    """What a loop knows of a load while it goes on. It is asked whenever a request goes or is answered."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        """No limits: there is always hope."""
        self._tallies = [_Tally(limit) for limit in limits]
        self._dues: dict[int, int] = {}  # of measured requests under way, by number, in the order of sending
        self.over = asyncio.Event()  # set when the load is lost

    def sent(self, wire: Wire, due_ns: int) -> None:
        """A request goes."""
        if self._tallies and wire.request.phase == "measured":
            self._dues[wire.request.index] = due_ns
            self._judge()

    def answered(self, wire: Wire, reply: Reply) -> None:
        """One has ended, in whatever way."""
        due = self._dues.pop(wire.request.index, None)
        if due is not None and reply.fault != "cancelled":
            for one in self._tallies:
                one.take(reply, due)
            self._judge()

    def _judge(self) -> None:
        if any(one.lost(self._dues.values()) for one in self._tallies):
            self.over.set()


class _Tally:
    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._missed = 0
        self._recent: deque[bool] = deque(maxlen=RECENT)

    def take(self, reply: Reply, due: int) -> None:
        limit = self._limit
        late = (
            reply.fault is not None
            or reply.status != _OK
            or _beyond(reply.head_ns, due, limit.head_ns)
            or _beyond(reply.end_ns, due, limit.end_ns)
        )
        self._missed += late
        self._recent.append(late)

    def lost(self, dues: Iterable[int]) -> bool:
        return lost(self._missed + self._overdue(dues), self._limit.most, self._recent)

    def _overdue(self, dues: Iterable[int]) -> int:
        """Those under way that are too late already, whenever they end."""
        if self._limit.end_ns is None:
            return 0
        since = now() - self._limit.end_ns
        return sum(1 for _ in takewhile(lambda due: due < since, dues))


def _beyond(moment_ns: int | None, due_ns: int, bound_ns: int | None) -> bool:
    return bound_ns is not None and (moment_ns is None or moment_ns - due_ns > bound_ns)


def _most(share: float, requests: int) -> int:
    allowed = (1 - share) * requests
    return math.floor(allowed + MARGIN * math.sqrt(allowed * share))
