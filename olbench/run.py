"""The whole plan, visit by visit."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence

from olbench.bench import Bench
from olbench.clock import now
from olbench.model import Observation, Visit
from olbench.visit import take

STOP_S = 1.0  # a loop that was asked to stop ends within this; whatever else waits is cancelled


async def execute(bench: Bench, visits: Sequence[Visit]) -> AsyncIterator[Observation]:
    """Take the visits in order, one Observation as each ends.

    Ends early when `stop` is set, or when the budget would not hold another visit of the longest kind seen so far.
    A server that fails costs the visit its samples, never the run.
    """
    cells = {cell.id: cell for cell in bench.plan.cells}
    began = now()
    longest = 0
    for visit in visits:
        budget = bench.terms.budget_ns
        if bench.stop.is_set() or (budget is not None and now() - began + longest > budget):
            return
        bench.audience.visiting(visit, cells[visit.cell])
        seen = await _stoppable(take(bench, visit, cells[visit.cell]), bench.stop)
        if seen is None:
            return
        longest = max(longest, seen.ended_ns - seen.started_ns)
        bench.audience.observed(seen)
        yield seen


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
