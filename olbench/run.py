"""The whole plan, visit by visit, with the rounds beyond it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace

from olbench.bench import Bench
from olbench.clock import now
from olbench.gates import RETAKEN, tripped
from olbench.model import Observation, Visit
from olbench.rounds import Further
from olbench.visit import take

STOP_S = 1.0  # a loop that was asked to stop ends within this; whatever else waits is cancelled
IN_VAIN = 3  # second takes in a row that were no better: this machine is like that, and a run would take twice as long


async def execute(bench: Bench, visits: Sequence[Visit]) -> AsyncIterator[Observation]:
    """Take the visits in order, then further rounds while they are wanted; one Observation as each visit ends.

    A visit that fails a gate is taken once more, at once, and gives two. Ends early when `stop` is set, or when the
    budget would not hold another visit of the longest kind seen so far. A server that fails costs the visit its
    samples, never the run.
    """
    going, further = Going(bench), Further(bench)
    while True:
        for visit in visits:
            seen = await going.take(visit)
            if seen is None:
                return
            yield seen
            again = await going.retake(seen)
            if again is not None:
                yield again
        visits = () if going.over() else await further.visits()
        if not visits:
            return


class Going:
    """A run that is under way: what it has spent, and what it may still spend."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._cells = {cell.id: cell for cell in bench.plan.cells}
        self._began = now()
        self._longest = 0
        self._in_vain = 0

    def over(self) -> bool:
        """Whether no visit may begin any more."""
        budget = self._bench.terms.budget_ns
        spent = now() - self._began + self._longest
        return self._bench.stop.is_set() or (budget is not None and spent > budget)

    async def take(self, visit: Visit) -> Observation | None:
        """One visit; None when the run is over."""
        return await self._taken(self._bench, visit)

    async def retake(self, seen: Observation) -> Observation | None:
        """The visit once more if it fails a gate; None if it does not, or when no time is to be had for it."""
        why = self._why(seen)
        if not why or not self._bench.terms.retake or self._in_vain >= IN_VAIN:
            return None
        # Else the second take would meet its own prompts in the server's cache.
        fresh = replace(self._bench.terms, nonce=f"{self._bench.terms.nonce} again")
        again = await self._taken(
            replace(self._bench, terms=fresh), seen.visit, f"{RETAKEN} {' and '.join(why)}"
        )
        self._count(again)
        return again

    async def _taken(self, bench: Bench, visit: Visit, *notes: str) -> Observation | None:
        if self.over():
            return None
        bench.audience.visiting(visit, self._cells[visit.cell])
        seen = await _stoppable(take(bench, visit, self._cells[visit.cell]), bench.stop)
        if seen is None:
            return None
        self._longest = max(self._longest, seen.ended_ns - seen.started_ns)
        seen = replace(seen, notes=(*notes, *seen.notes))
        bench.audience.observed(seen)
        return seen

    def _why(self, seen: Observation) -> tuple[str, ...]:
        if seen.problem is not None:
            return ()  # it is not to be judged by for a reason of its own
        trips = tripped(seen, self._bench.terms.limits, self._bench.facts)
        return tuple(trip.sentence for trip in trips)

    def _count(self, again: Observation | None) -> None:
        if again is None or again.problem is not None:
            return
        why = self._why(again)
        self._in_vain = self._in_vain + 1 if why else 0
        if self._in_vain == IN_VAIN:
            self._bench.audience.say(
                f"note: visits that were taken again were no better {IN_VAIN} times in a row"
                f" ({' and '.join(why)}): from now on none is taken again"
            )


async def _stoppable(visit: Awaitable[Observation], stop: asyncio.Event) -> Observation | None:
    task = asyncio.ensure_future(visit)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await asyncio.wait({task}, timeout=STOP_S)
            task.cancel()
            await asyncio.wait({task})
        # What had to be cancelled was still loading: nothing was measured that could be kept.
        return None if task.cancelled() else task.result()
    finally:
        stopped.cancel()
        task.cancel()
