"""Requests that are made ahead: how many, and when."""

from collections.abc import Iterator

import virtual

from olbench.ahead import AHEAD_BYTES, Ahead
from olbench.clock import now
from olbench.model import Prompt, Request
from olbench.ports import Wire

MS = 1_000_000


class Made:
    """Wires of a megabyte each, that says how many there are."""

    def __init__(self, count: int) -> None:
        self.count = 0
        self._most = count

    def __iter__(self) -> Iterator[Wire]:
        while self.count < self._most:
            self.count += 1
            yield Wire(Request(self.count, "measured", Prompt("p", ())), "/", b"x" * 2**20, streamed=True)


FIRST = AHEAD_BYTES // 2**20


def test_some_are_made_at_once_and_the_others_when_there_is_time() -> None:
    async def story() -> list[int]:
        made = Made(100)
        ahead = Ahead(made)
        counts = [made.count]
        taken = [next(ahead), next(ahead)]
        await ahead.fill(now() + MS)  # too little time to make any
        counts.append(made.count)
        await ahead.fill(now() + 10 * MS)
        counts.append(made.count)
        taken += list(ahead)
        assert [one.request.index for one in taken] == list(range(1, 101))
        return counts

    assert virtual.run(story()) == [FIRST, FIRST, FIRST + 2]


def test_a_few_are_made_all_at_once() -> None:
    async def story() -> int:
        made = Made(3)
        ahead = Ahead(made)
        await ahead.fill(now() + 10 * MS)
        return len(list(ahead))

    assert virtual.run(story()) == 3
