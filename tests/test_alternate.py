"""Two runs at the same time, in virtual time: who loads when, and what ends both."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import virtual
from benches import bench, terms
from pretend import SECOND, Habits, Pretend
from records import cell

from olbench import scenario
from olbench.alternate import Alternating
from olbench.bench import Bench
from olbench.blocks import Letter, Turn, Twin, turns
from olbench.model import Observation

# A load takes 2 s and an unload 0.2 s; a visit of 4 requests after one to warm up 0.7 s.
QUICK = Habits(token_ns=0)
TWIN = Twin(cell(), cell(options=(("num_batch", 64), ("seed", 1))))
SAME = Twin(cell(), cell())


def blocks(twin: Twin, count: int) -> Sequence[Turn]:
    measure = scenario.parse('question = "?"\n[sweep]\nmodel = "m"\n', path="a.toml", environ={}).measure
    return [turn for number in range(count) for turn in turns(measure, [twin], number, [0])]


def benches(apis: Mapping[Letter, Pretend], twin: Twin, **changes: Any) -> dict[Letter, Bench]:
    stop = asyncio.Event()
    return {side: bench(api, [twin.of(side)], **({"stop": stop} | changes)) for side, api in apis.items()}


def story(
    twin: Twin, count: int, *, one_server: bool, stop_s: float | None = None, **changes: Any
) -> tuple[list[tuple[Letter, Observation]], dict[Letter, Pretend]]:
    """What was seen in so many blocks, and the servers."""

    async def run() -> tuple[list[tuple[Letter, Observation]], dict[Letter, Pretend]]:
        a = Pretend(QUICK)
        apis: dict[Letter, Pretend] = {"a": a, "b": a if one_server else Pretend(QUICK)}
        made = benches(apis, twin, **changes)
        if stop_s is not None:
            asyncio.get_running_loop().call_later(stop_s, made["a"].stop.set)
        alternating = Alternating(made, one_server=one_server)
        return [one async for one in alternating.take(blocks(twin, count))], apis

    return virtual.run(run())


def test_visits_are_taken_in_the_order_of_the_blocks() -> None:
    seen, _ = story(TWIN, 2, one_server=False)
    assert [(side, one.visit) for side, one in seen] == [(one.side, one.visit) for one in blocks(TWIN, 2)]
    assert all(one.problem is None for _, one in seen)


def test_on_one_server_every_change_of_side_loads_the_model_anew() -> None:
    seen, apis = story(TWIN, 2, one_server=True)
    # A BB A, B AA B: five changes, and the first visit loads too.
    assert len(apis["a"].asked("preload")) == 6
    hows = [one.placement.how for _, one in seen if one.placement]
    assert hows.count("preloaded") == 6


def test_on_two_servers_each_loads_once() -> None:
    _, apis = story(TWIN, 2, one_server=False)
    assert [len(api.asked("preload")) for api in apis.values()] == [1, 1]


def test_on_one_server_sides_of_one_load_share_it() -> None:
    _, apis = story(SAME, 2, one_server=True)
    assert len(apis["a"].asked("preload")) == 1


def test_the_budget_is_that_of_both_together() -> None:
    seen, _ = story(TWIN, 3, one_server=False, terms=terms(budget_ns=9 * SECOND))
    # Two visits with a load of 3 s, then 0.7 s each, while 3 s more would fit.
    assert len(seen) == 3


def test_a_stop_ends_both() -> None:
    seen, _ = story(TWIN, 3, one_server=False, stop_s=6.5)
    assert [one.problem for _, one in seen] == [None, None, "interrupted"]
