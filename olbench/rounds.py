"""Rounds beyond the plan: one more visit to each cell of which a figure is not known well enough yet."""

import asyncio

from olbench.bench import Bench, Rounds
from olbench.model import Cell, Visit


class Further:
    """What is still to be visited when the plan has been taken."""

    def __init__(self, bench: Bench) -> None:
        """Begin after the visits that there have been."""
        self._bench = bench
        self._taken = {} if bench.rounds is None else dict(bench.rounds.taken)

    async def visits(self) -> tuple[Visit, ...]:
        """The next round; () when no cell needs one, or none may have one."""
        rounds = self._bench.rounds
        if rounds is None:
            return ()
        cells = [cell for cell in self._bench.plan.cells if await self._wants(rounds, cell)]
        if not cells or self._bench.stop.is_set():
            return ()
        repeat = max(self._taken[cell.id] for cell in cells)
        ordered = rounds.order(cells, repeat, self._bench.state.loaded)
        visits = tuple(self._next(cell) for cell in ordered)
        self._bench.audience.going_on(repeat + 1, visits)
        return visits

    async def _wants(self, rounds: Rounds, cell: Cell) -> bool:
        if self._taken[cell.id] >= rounds.at_most or self._bench.stop.is_set():
            return False
        # Nothing is measured meanwhile, but a stop must be heard and the probes must be read.
        return await asyncio.to_thread(rounds.more, cell.id)

    def _next(self, cell: Cell) -> Visit:
        visit = Visit(sum(self._taken.values()), cell.id, self._taken[cell.id])
        self._taken[cell.id] += 1
        return visit
