"""Runs taken in blocks: pairs of neighbours, blocks that count for nothing, and verdicts over many looks."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from records import a_run, cell, placement, record, visits

from olbench.ab_keys import EACH, METRICS, MOST, OF, SIDE
from olbench.model import Cell, Facts, Observation, Record
from olbench.paired import Blocked, again, blocked, compare, looks, twins

MARGINS = {"decode": 0.03, "ttft": 0.05}
SAID: Facts = {METRICS: "ttft,decode", MOST: 12}
RATES = (100.0, 101.0, 99.0, 100.5, 99.5, 100.2, 99.8, 100.0, 101.0, 99.0, 100.0, 100.4)
CELL = cell(output_tokens=9)
BUSY = placement(others=("llama3.2:3b",))


def side(letter: str, rates: Sequence[float], of: Cell = CELL) -> Record:
    return run(letter, [of], visits(of, rates))


def run(letter: str, cells: Sequence[Cell], seen: Sequence[Observation]) -> Record:
    settings: Facts = {OF: "20261122-220256-quickstart-3f9a", SIDE: letter, EACH: 2}
    made = a_run(id=f"20261122-220256-quickstart-{letter}", settings=a_run().settings | settings)
    return record(cells, seen, run=made)


def decode(a: Record, b: Record) -> Blocked:
    (found,) = blocked(a, b, ["decode"])
    return found


def without(of: Record, repeat: int) -> Record:
    return replace(of, observations=tuple(one for one in of.observations if one.visit.repeat != repeat))


def marked(of: Record, repeat: int) -> Record:
    seen = [replace(one, placement=BUSY) if one.visit.repeat == repeat else one for one in of.observations]
    return replace(of, observations=tuple(seen))


def test_each_pair_of_neighbours_gives_the_logarithm_of_its_ratio() -> None:
    found = decode(side("a", (100.0, 110.0)), side("b", (95.0, 110.0)))
    assert found.logs == pytest.approx((math.log(0.95), 0.0))
    assert (found.whole, found.taken, found.left) == (1, 1, ())


def test_a_block_that_was_not_taken_to_its_end_counts_for_nothing() -> None:
    found = decode(side("a", RATES[:4]), side("b", RATES[:3]))
    assert (found.whole, found.taken) == (1, 2)
    assert [(one.number, one.why) for one in found.left] == [(1, "it was not taken to its end")]


def test_a_block_with_a_visit_that_was_disturbed_counts_for_nothing() -> None:
    found = decode(side("a", RATES[:6]), marked(side("b", RATES[:6]), 3))
    assert len(found.logs) == 4
    assert [(one.number, one.why) for one in found.left] == [(1, "other models were in memory: llama3.2:3b")]


def test_a_block_with_a_visit_that_was_cut_short_counts_for_nothing() -> None:
    a = side("a", RATES[:4])
    cut = replace(a.observations[2], problem="interrupted")
    a = replace(a, observations=(*a.observations[:2], cut, *a.observations[3:]))
    found = decode(a, side("b", RATES[:4]))
    assert [(one.number, one.why) for one in found.left] == [(1, "interrupted")]


def test_where_every_visit_was_disturbed_no_block_counts() -> None:
    a = side("a", RATES[:2])
    found = decode(marked(marked(a, 0), 1), side("b", RATES[:2]))
    assert (found.logs, len(found.left)) == ((), 1)


def test_a_block_that_nobody_went_to_is_none() -> None:
    a, b = (without(without(side(letter, RATES[:6]), 2), 3) for letter in "ab")
    found = decode(a, b)
    assert (found.whole, found.taken) == (2, 2)


def test_a_metric_that_no_visit_has_leaves_every_block_out() -> None:
    found = blocked(side("a", RATES[:4]), side("b", RATES[:4]), ["gpu_peak"])[0]
    assert [one.why for one in found.left] == ["a visit gave no figure above zero"] * 2


def test_five_percent_less_in_four_blocks_is_slower() -> None:
    made = compare(
        side("a", RATES[:8]), side("b", [0.95 * one for one in RATES[:8]]), ["decode"], MARGINS, 20
    )
    (pair,) = made.pairs
    (found,) = pair.differences
    assert found.verdict == "slower"
    assert found.ratio.value == pytest.approx(0.95)
    assert found.paired
    assert made.notes == ("Decode rate: the verdict was earned after 4 blocks.",)


def test_a_time_that_grew_is_slower_too() -> None:
    a = run("a", [CELL], visits(CELL, RATES[:8]))
    b = run("b", [CELL], visits(CELL, RATES[:8], prefill_s=0.16))
    (pair,) = compare(a, b, ["ttft"], MARGINS, 20).pairs
    assert [one.verdict for one in pair.differences] == ["slower"]


def test_drift_that_both_sides_share_is_no_difference() -> None:
    # Ten percent over the session, in the order A B B A: the middle of both sides is the same.
    steps = [math.exp(-0.1 * place / 24) for place in range(24)]
    places = {"a": (0, 3), "b": (1, 2)}
    rates = {
        letter: [100 * steps[4 * block + place] for block in range(6) for place in found]
        for letter, found in places.items()
    }
    (look,) = looks(side("a", rates["a"]), side("b", rates["b"]), ["decode"], MARGINS, 20)
    assert look.judged.verdict == "equivalent"
    assert look.judged.ratio.value == pytest.approx(1.0)


def test_before_the_first_look_nothing_is_said() -> None:
    (look,) = looks(side("a", RATES[:6]), side("b", RATES[:6]), ["decode"], MARGINS, 20)
    assert look.judged.verdict == "cannot tell"
    assert look.judged.reason == "3 of at most 20 blocks; the first look is after 4"


def test_cells_that_differ_are_paired_in_their_order() -> None:
    small, large = cell(num_ctx=2048, output_tokens=9), cell(num_ctx=8192, output_tokens=9)
    one, two = cell(num_ctx=4096, output_tokens=9), cell(num_ctx=16384, output_tokens=9)
    a = run("a", [small, large], [*visits(small, RATES[:8]), *visits(large, RATES[:8])])
    b = run("b", [one, two], [*visits(one, RATES[:8]), *visits(two, [0.8 * rate for rate in RATES[:8]])])
    made = compare(a, b, ["decode"], MARGINS, 20)
    assert [pair.label for pair in made.pairs] == ["ctx 2048 and ctx 4096", "ctx 8192 and ctx 16384"]
    assert [one.verdict for pair in made.pairs for one in pair.differences] == ["equivalent", "slower"]
    assert [(one.what, one.base, one.new) for one in made.unlike] == [("num_ctx", "2048", "4096")]
    assert made.across == "num_ctx"
    assert made.geomeans["decode"].value == pytest.approx(math.sqrt(0.8))
    assert "shared among 2 figures" in made.correction


def test_blocks_left_out_are_told_with_their_reason() -> None:
    made = compare(marked(side("a", RATES), 4), side("b", RATES), ["decode"], MARGINS, 20)
    assert made.notes[-1] == "1 block was left out (block 3: other models were in memory: llama3.2:3b)."


def test_blocks_left_out_for_the_same_reason_are_told_together() -> None:
    a = marked(marked(side("a", RATES), 4), 8)
    made = compare(a, without(side("b", RATES), 11), ["decode"], MARGINS, 20)
    assert made.notes[-1] == (
        "3 blocks were left out (blocks 3 and 5: other models were in memory: llama3.2:3b; block 6: it was not taken"
        " to its end)."
    )


def test_twins_are_compared_again_as_they_were() -> None:
    a, b = side("a", RATES[:8]), side("b", [0.95 * one for one in RATES[:8]])
    kept = [replace(one, run=replace(one.run, settings=one.run.settings | SAID)) for one in (a, b)]
    assert twins(*kept)
    made = again(*kept)
    assert made.pairs == compare(a, b, ["ttft", "decode"], MARGINS, 12).pairs
    assert "all looks of 12 blocks" in made.correction


def test_twins_that_never_came_to_their_end_are_compared_by_what_there_is() -> None:
    made = again(side("a", RATES[:8]), side("b", [0.95 * one for one in RATES[:8]]))
    assert [(one.metric, one.verdict) for pair in made.pairs for one in pair.differences] == [
        ("decode", "slower")
    ]


def test_a_run_is_no_twin_of_itself_nor_of_others() -> None:
    a = side("a", RATES[:2])
    plain = record([CELL], visits(CELL, RATES[:2]))
    assert not twins(a, a)
    assert not twins(a, plain)
    assert not twins(plain, plain)
