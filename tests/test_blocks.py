"""The order of blocks: what drifts falls on both sides alike, and nothing is loaded more often than it must be."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from records import cell

from olbench import scenario
from olbench.blocks import Letter, Turn, Twin, order, turns
from olbench.scenario import Measure

SEEDS = range(8)


def measure(seed: int = 1) -> Measure:
    text = f'question = "?"\n[sweep]\nmodel = "m"\n[measure]\nseed = {seed}\n'
    return scenario.parse(text, path="a.toml", environ={}).measure


def twin(num_ctx: int = 2048, concurrency: int = 1) -> Twin:
    """Side b differs in an option that takes a load."""
    return Twin(
        cell(num_ctx=num_ctx, concurrency=concurrency),
        cell(num_ctx=num_ctx, concurrency=concurrency, options=(("num_batch", 64),)),
    )


def switches(found: Sequence[Turn]) -> int:
    """How often the side changes."""
    return sum(before.side != after.side for before, after in pairwise(found))


def words(found: tuple[Turn, ...]) -> list[tuple[Letter, int]]:
    return [(one.side, one.visit.repeat) for one in found]


def test_blocks_begin_with_either_side_in_turn() -> None:
    for seed in SEEDS:
        found = ["".join(order(seed, number)) for number in range(4)]
        assert set(found) == {"abba", "baab"}
        assert found[::2] == [found[0]] * 2
        assert found[1::2] == [found[1]] * 2


def test_the_seed_says_which_side_is_first() -> None:
    assert {order(seed, 0)[0] for seed in SEEDS} == {"a", "b"}


def test_a_block_of_one_pair_of_cells_is_four_visits() -> None:
    firsts = {order(seed, 3)[0]: seed for seed in SEEDS}
    assert words(turns(measure(firsts["a"]), [twin()], 3, [0])) == [("a", 6), ("b", 6), ("b", 7), ("a", 7)]
    assert words(turns(measure(firsts["b"]), [twin()], 3, [0])) == [("b", 6), ("a", 6), ("a", 7), ("b", 7)]


@pytest.mark.parametrize("seed", SEEDS)
def test_what_drifts_in_a_straight_line_falls_on_both_sides_of_every_pair_alike(seed: int) -> None:
    twins = [twin(ctx, streams) for ctx in (2048, 8192) for streams in (1, 2, 4)]
    found = turns(measure(seed), twins, 0, range(6))
    for one in twins:
        places = {
            side: [place for place, turn in enumerate(found) if turn.visit.cell == one.of(side).id]
            for side in ("a", "b")
        }
        assert len(places["a"]) == 2
        assert sum(places["a"]) == sum(places["b"])


def test_pairs_of_the_same_loads_take_their_turns_together() -> None:
    twins = [twin(ctx, streams) for ctx in (2048, 8192) for streams in (1, 2)]
    found = turns(measure(), twins, 0, range(4))
    assert len(found) == 16
    assert switches(found[:8]) == switches(found[8:]) == 2
    contexts = {one.a.id: one.a.num_ctx for one in twins} | {one.b.id: one.b.num_ctx for one in twins}
    assert len({contexts[turn.visit.cell] for turn in found[:8]}) == 1


def test_only_pairs_that_need_it_are_visited() -> None:
    twins = [twin(2048), twin(4096), twin(8192)]
    found = turns(measure(), twins, 5, [1])
    assert {turn.visit.cell for turn in found} == {twins[1].a.id, twins[1].b.id}


def test_numbers_of_visits_never_repeat_on_one_side() -> None:
    twins = [twin(2048), twin(4096)]
    every = [
        turn for number in range(5) for turn in turns(measure(), twins, number, [0, 1][: 1 + number % 2])
    ]
    for side in ("a", "b"):
        numbers = [turn.visit.seq for turn in every if turn.side == side]
        assert numbers == sorted(set(numbers))


def test_two_sides_that_do_not_differ_are_told_apart_all_the_same() -> None:
    found = turns(measure(), [Twin(cell(), cell())], 0, [0])
    assert sorted(words(found)) == [("a", 0), ("a", 1), ("b", 0), ("b", 1)]


def test_the_same_arguments_give_the_same_order() -> None:
    twins = [twin(ctx) for ctx in (2048, 4096, 8192)]
    assert turns(measure(), twins, 2, [0, 1, 2]) == turns(measure(), twins, 2, [2, 1, 0])
