"""Rounds beyond the plan, in virtual time: which cells get another visit, and what ends it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import virtual
from benches import Ear, bench, stopped_after, terms
from pretend import SECOND, Habits, Pretend
from records import cell

from olbench import plan, scenario
from olbench.bench import Bench, Rounds
from olbench.model import Cell, Observation, Visit
from olbench.run import execute

# The first visit ends at 3.0 s; the model stays, so each later one takes 0.7 s, to TWO half as long.
QUICK = Habits(token_ns=0)
ONE, TWO = cell(concurrency=1), cell(concurrency=2)
NAMES = {ONE.id: "one", TWO.id: "two"}


class Judge:
    """Who says that a cell needs so many visits, and remembers when it was asked."""

    def __init__(self, *, one: float = 0, two: float = 0, begun: Mapping[str, int] | None = None) -> None:
        self._needs = {ONE.id: one, TWO.id: two}
        self._given = dict(begun or {})
        self.asked: list[str] = []
        self.then: Callable[[], None] = lambda: None

    def more(self, of: str) -> bool:
        """Whether it needs another."""
        self.asked.append(NAMES[of])
        self.then()
        self._given[of] = self._given.get(of, 2) + 1  # two visits are planned
        return self._given[of] <= self._needs[of]


def measure(seed: int = 1) -> scenario.Measure:
    text = f'question = "?"\n[sweep]\nmodel = "m"\n[measure]\nseed = {seed}\n'
    return scenario.parse(text, path="a.toml", environ={}).measure


def rounds(judge: Judge, *, at_most: int = 30, taken: Mapping[str, int] | None = None) -> Rounds:
    return Rounds(
        more=judge.more,
        taken=dict.fromkeys(NAMES, 2) if taken is None else taken,
        at_most=at_most,
        order=partial(plan.in_turn, measure()),
    )


def story(
    judge: Judge,
    *,
    visits: Sequence[Visit] | None = None,
    stop_s: float | None = None,
    at_most: int = 30,
    begun: Mapping[str, int] | None = None,
    **changes: Any,
) -> tuple[list[Observation], list[str]]:
    """What was seen after the plan of two visits to each cell, and what the audience heard of it."""

    async def run() -> tuple[list[Observation], list[str]]:
        made = bench(
            Pretend(QUICK), [ONE, TWO], 2, rounds=rounds(judge, at_most=at_most, taken=begun), **changes
        )
        seen = await (all_of(made, visits) if stop_s is None else stopped_after(stop_s, made))
        assert isinstance(made.audience, Ear)
        return seen, [one for one in made.audience.heard if one.startswith("round")]

    return virtual.run(run())


async def all_of(made: Bench, visits: Sequence[Visit] | None) -> list[Observation]:
    return [seen async for seen in execute(made, made.plan.visits if visits is None else visits)]


def beyond(seen: Sequence[Observation]) -> list[tuple[int, str, int]]:
    """(seq, cell, repeat) of the visits that the plan of four does not hold."""
    return [(one.visit.seq, NAMES[one.visit.cell], one.visit.repeat) for one in seen if one.visit.seq > 3]


def test_a_plan_whose_figures_are_known_well_enough_is_all() -> None:
    judge = Judge()
    seen, heard = story(judge)
    assert (len(seen), heard, judge.asked) == (4, [], ["one", "two"])


def test_a_cell_that_is_not_known_well_enough_gets_visits_until_it_is() -> None:
    judge = Judge(one=4)
    seen, heard = story(judge)
    assert beyond(seen) == [(4, "one", 2), (5, "one", 3)]
    assert heard == ["round 3: 1", "round 4: 1"]


def test_every_round_asks_each_cell_once() -> None:
    judge = Judge(one=3, two=4)
    seen, heard = story(judge)
    assert sorted(repeat for _, name, repeat in beyond(seen) if name == "two") == [2, 3]
    assert heard == ["round 3: 2", "round 4: 1"]
    assert judge.asked == ["one", "two"] * 3


def test_a_cell_that_is_never_known_well_enough_ends_at_the_most() -> None:
    judge = Judge(one=99)
    seen, _ = story(judge, at_most=5)
    assert beyond(seen) == [(4, "one", 2), (5, "one", 3), (6, "one", 4)]
    assert judge.asked.count("one") == 3  # that it has had all is known without looking


@pytest.mark.parametrize(("budget_s", "visits"), [(7.53, 4), (7.54, 5), (8.23, 5), (8.24, 6)])
def test_rounds_end_before_a_visit_that_would_go_beyond_the_budget(budget_s: float, visits: int) -> None:
    # The plan ends at 3.0 + 0.42 + 0.7 + 0.42 = 4.54 s, and the next visit at 5.24 s; 3 s may each one take.
    seen, _ = story(Judge(one=99), terms=terms(budget_ns=round(budget_s * SECOND)))
    assert len(seen) == visits


def test_nothing_is_judged_when_the_budget_is_spent() -> None:
    judge = Judge(one=99)
    story(judge, terms=terms(budget_ns=5 * SECOND))
    assert judge.asked == []


def test_a_stop_within_a_round_ends_it() -> None:
    seen, _ = story(Judge(one=99), stop_s=6.0)
    assert seen[-1].problem == "interrupted"
    assert [repeat for _, _, repeat in beyond(seen)] == [2, 3, 4]


def test_a_stop_while_it_is_judged_begins_no_round() -> None:
    async def run() -> tuple[list[Observation], list[str]]:
        judge = Judge(one=99, two=99)
        made = bench(Pretend(QUICK), [ONE, TWO], 2, rounds=rounds(judge))
        judge.then = made.stop.set
        return await all_of(made, None), judge.asked

    seen, asked = virtual.run(run())
    assert (len(seen), asked) == (4, ["one"])


def test_a_run_that_is_resumed_goes_on_with_the_rounds() -> None:
    begun = {ONE.id: 5, TWO.id: 3}
    seen, heard = story(Judge(one=6, two=4, begun=begun), visits=(), begun=begun)
    assert [seq for seq, _, _ in beyond(seen)] == [8, 9]
    assert {(name, repeat) for _, name, repeat in beyond(seen)} == {("one", 5), ("two", 3)}
    assert heard == ["round 6: 2"]


# --- their order ----------------------------------------------------------------------------------------------


def cells() -> list[Cell]:
    return [cell(num_ctx=ctx, concurrency=streams) for ctx in (2048, 8192) for streams in (1, 2, 4)]


@pytest.mark.parametrize("seed", range(5))
def test_a_round_begins_with_what_is_in_memory_and_keeps_loads_together(seed: int) -> None:
    loaded = plan.load_key(cells()[-1])
    ordered = plan.in_turn(measure(seed), cells(), 7, loaded)
    assert [one.num_ctx for one in ordered] == [8192] * 3 + [2048] * 3
    assert ordered == plan.in_turn(measure(seed), cells(), 7, loaded)


def test_rounds_differ_in_their_order() -> None:
    orders = {tuple(one.id for one in plan.in_turn(measure(), cells(), repeat, None)) for repeat in range(8)}
    assert len(orders) > 4
