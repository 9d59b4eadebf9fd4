"""Two runs that go on at the same time, visited in turn."""

from collections.abc import AsyncIterator, Mapping, Sequence

from olbench.bench import Bench
from olbench.blocks import OTHER, Letter, Turn
from olbench.model import Observation
from olbench.run import Going


class Alternating:
    """What both sides have spent, and which of them the server was left to."""

    def __init__(self, benches: Mapping[Letter, Bench], *, one_server: bool) -> None:
        """Begin; on `one_server` a visit of one side may have replaced what the other had in memory."""
        self._benches = benches
        self._one_server = one_server
        self._going = {side: Going(bench) for side, bench in benches.items()}

    def over(self) -> bool:
        """Whether no visit may begin any more."""
        return any(going.over() for going in self._going.values())

    async def take(self, turns: Sequence[Turn]) -> AsyncIterator[tuple[Letter, Observation]]:
        """Take the visits in order, as `run.execute` does. Ends early when either run is over."""
        for turn in turns:
            going = self._going[turn.side]
            seen = None if self.over() else await going.take(turn.visit)
            if seen is None:
                return
            self._left_to(turn.side)
            yield turn.side, seen
            again = await going.retake(seen)
            if again is not None:
                self._left_to(turn.side)
                yield turn.side, again

    def _left_to(self, side: Letter) -> None:
        if self._one_server:
            self._benches[OTHER[side]].state.loaded = self._benches[side].state.loaded
