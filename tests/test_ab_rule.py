"""What `olbench ab` decides beside measuring: whom it reaches, what it says first, and for how long it goes on."""

from collections.abc import Sequence
from typing import cast

import pytest
from records import cell
from test_paired import MARGINS, RATES, marked, side

from olbench import scenario
from olbench.blocks import Letter, Twin, turns
from olbench.errors import UsageError
from olbench.model import Cell, Plan, Record
from olbench.scenario import Scenario
from olbench.store import Store
from olbench.verbs import ab
from olbench.verbs.ab_blocks import Measured
from olbench.verbs.ab_rule import Rule, planned
from olbench.verbs.ab_words import apart, one_place, opening
from olbench.verbs.taking import Tally

MINUTE = 60 * 10**9


def parsed(*overrides: str) -> Scenario:
    text = 'question = "?"\n[server]\nurl = "http://127.0.0.1:11434"\n[sweep]\nmodel = "m"\n'
    return scenario.parse(text, path="a.toml", overrides=overrides, environ={})


# --- which server -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("server.api=chat", "server.api=generate", True),
        ("server.url=http://127.0.0.1:11434", "server.url=http://localhost:11434", True),
        ("server.url=http://127.0.0.1:11434", "server.url=http://127.0.0.1:11435", False),
        ("server.url=http://10.0.0.1:11434", "server.url=http://10.0.0.2:11434", False),
        ("server.engine=embedded", "server.engine=embedded", True),
        ("server.engine=embedded", "server.url=http://127.0.0.1:11434", False),
    ],
)
def test_both_sides_are_one_server_where_the_address_is_one(a: str, b: str, same: bool) -> None:  # noqa: FBT001 - a table
    assert one_place(parsed(a).server, parsed(b).server) is same


def test_engines_with_other_threads_are_two() -> None:
    one, other = (parsed("server.engine=embedded", f"server.threads={count}") for count in (1, 2))
    assert not one_place(one.server, other.server)


# --- what is said first -------------------------------------------------------------------------------------------


def said(
    a: Sequence[Cell], b: Sequence[Cell], *, one_server: bool, pilot: bool = False, count: int = 20
) -> str:
    wanted: dict[Letter, Scenario] = {"a": parsed(), "b": parsed()}
    twins = [Twin(one, other) for one, other in zip(a, b, strict=True)]
    plans: dict[Letter, Plan] = {
        side: Plan(tuple(twin.of(side) for twin in twins), (), 0, ()) for side in wanted
    }
    found = turns(wanted["a"].measure, twins, 0, range(len(twins)))
    return opening(found, plans, wanted, (), count=count, pilot=pilot, one_server=one_server)


def test_the_plan_says_what_one_server_must_load() -> None:
    told = said([cell()], [cell(num_ctx=8192)], one_server=True)
    assert told.startswith("at most 20 blocks of 4 visits to each of 1 pair of cells, about ")
    assert told.endswith("one server, so a change of side loads the model anew, 3 times a block")


def test_the_plan_says_that_two_servers_load_nothing() -> None:
    told = said([cell()], [cell()], one_server=False)
    assert told.endswith("two servers, so no change of side loads anything")


def test_the_plan_says_that_one_load_serves_both_sides() -> None:
    told = said([cell()], [cell(output_tokens=9)], one_server=True)
    assert told.endswith("one server and one load: no change of side loads anything")


def test_the_first_blocks_are_said_to_be_for_planning() -> None:
    told = said([cell()], [cell()], one_server=False, pilot=True, count=3)
    assert told.startswith("first 3 blocks of 4 visits to each of 1 pair of cells, about ")
    assert "to plan how many it takes" in told


def test_differences_are_named_with_both_values() -> None:
    wanted: dict[Letter, Scenario] = {"a": parsed(), "b": parsed("measure.requests=4")}
    twins = [Twin(cell(), cell(num_ctx=8192, options=(("num_batch", 64),)))]
    assert apart(wanted, twins) == (
        "A and B differ in num_ctx (2048 against 8192), num_batch (not set against 64), seed (1 against not set),"
        " temperature (0.0 against not set) and requests (8 against 4)"
    )


def test_sides_without_a_difference_are_said_to_have_none() -> None:
    wanted: dict[Letter, Scenario] = {"a": parsed(), "b": parsed()}
    assert (
        apart(wanted, [Twin(cell(), cell())])
        == "A and B do not differ: whatever is found between them is noise"
    )


# --- how long it goes on ------------------------------------------------------------------------------------------


class Kept:
    """A store of two runs."""

    def __init__(self, a: Record, b: Record) -> None:
        self._runs = {"a": a, "b": b}

    def record(self, run: str) -> Record:
        return self._runs[run]


def rule(a: Record, b: Record, *, most: int | None = None, detect: float | None = None) -> Rule:
    store = cast("Store", Kept(a, b))
    return Rule(
        store=store, ids=("a", "b"), metrics=["decode"], margins=MARGINS, asked_most=most, detect=detect
    )


def slower(share: float, count: int) -> tuple[Record, Record]:
    return side("a", RATES[:count]), side("b", [(1 - share) * one for one in RATES[:count]])


def test_it_goes_on_while_nothing_can_be_told() -> None:
    assert rule(*slower(0.05, 6)).wanting(3, MINUTE) == (0,)


def test_it_ends_when_the_verdict_is_earned() -> None:
    assert rule(*slower(0.05, 8)).wanting(4, MINUTE) == ()


def test_it_ends_at_the_most() -> None:
    a, b = side("a", RATES[:8]), side("b", [100.0, 120.0, 80.0, 90.0, 110.0, 95.0, 105.0, 100.0])
    assert rule(a, b, most=5).wanting(4, MINUTE) == (0,)
    assert rule(a, b, most=4).wanting(4, MINUTE) == ()


def test_blocks_that_are_left_out_are_replaced_up_to_half_as_many_again() -> None:
    a, b = slower(0.05, 8)
    for repeat in (0, 2, 4):
        a = marked(a, repeat)
    assert rule(a, b, most=4).wanting(5, MINUTE) == (0,)
    assert rule(a, b, most=4).wanting(6, MINUTE) == ()


def test_six_blocks_of_which_none_counts_are_enough() -> None:
    assert rule(*disturbed(5)).wanting(5, MINUTE) == (0,)
    assert rule(*disturbed(6)).wanting(6, MINUTE) == ()


def disturbed(blocks: int) -> tuple[Record, Record]:
    a, b = slower(0.05, 2 * blocks)
    for repeat in range(2 * blocks):
        a = marked(a, repeat)
    return a, b


def test_the_first_blocks_plan_how_many_it_takes() -> None:
    found = rule(*slower(0.0, 6), detect=0.03)
    assert found.foreseen == 3
    assert found.wanting(3, 3 * MINUTE) == (0,)
    (sentence,) = found.news()
    assert found.planned is not None
    assert sentence == f"{found.planned} blocks, about {found.planned} min 00 s, to see 3 % with 90 % power"
    assert found.foreseen == found.planned
    assert not found.news()


def test_nothing_is_planned_while_the_first_blocks_do_not_count() -> None:
    a, b = slower(0.0, 6)
    found = rule(marked(a, 1), b, detect=0.03)
    assert found.wanting(3, MINUTE) == (0,)
    assert found.planned is None


@pytest.mark.parametrize(
    ("spread", "most", "blocks", "sentence"),
    [
        (0.04, 10, 10, "would be needed to see 3 % with 90 % power; --most allows 10, about {time}"),
        (0.001, None, 8, "8 blocks, about {time}, to see 3 % with 90 % power"),
        (
            9.0,
            None,
            20,
            "more than 2,000 blocks would be needed to see 3 % with 90 % power; 20 blocks at most",
        ),
    ],
)
def test_the_plan_of_the_first_blocks(spread: float, most: int | None, blocks: int, sentence: str) -> None:
    found, told = planned(spread, 0.03, most, 1)
    assert found == blocks
    assert sentence in told


# --- what it comes to ---------------------------------------------------------------------------------------------


def measured(blocks: int, *, failed: int = 0, stopped: bool = False) -> Measured:
    return Measured(blocks=blocks, stopped=stopped, tallies={"a": Tally(failed=failed), "b": Tally()})


def test_a_slower_side_b_has_the_exit_code_of_a_check() -> None:
    made = rule(*slower(0.05, 8)).comparison()
    assert ab.verdict(made, measured(4)) == (1, "B is slower: Decode rate in 1 cell, after 4 blocks.")


def test_a_faster_side_b_is_well() -> None:
    made = rule(*slower(-0.05, 8)).comparison()
    assert ab.verdict(made, measured(4)) == (0, "B is faster: Decode rate in 1 cell, after 4 blocks.")


def test_equivalent_sides_are_well_unless_requests_failed() -> None:
    made = rule(*slower(0.0, 8)).comparison()
    assert ab.verdict(made, measured(4)) == (0, "A and B are equivalent, after 4 blocks.")
    assert ab.verdict(made, measured(4, failed=2)) == (
        3,
        "B is not slower, but 2 requests failed, and what failed is in no figure.",
    )


def test_what_cannot_be_told_has_a_code_of_its_own() -> None:
    made = rule(*slower(0.0, 6)).comparison()
    told = "Cannot tell: Decode rate in 1 cell, after 3 blocks; more blocks (--most) may tell."
    assert ab.verdict(made, measured(3)) == (3, told)


def test_what_gave_no_block_was_not_measured() -> None:
    a, b = slower(0.0, 2)
    made = rule(marked(a, 0), b).comparison()
    assert ab.verdict(made, measured(1)) == (4, "Not measured: Decode rate in 1 cell, after 1 block.")


def test_an_interrupted_one_says_no_more() -> None:
    made = rule(*slower(0.05, 8)).comparison()
    assert ab.verdict(made, measured(4, stopped=True))[0] == 130


# --- the command line ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "share"), [("3%", 0.03), ("0.05", 0.05), (" 1.5 %", 0.015), (None, None)])
def test_a_change_to_be_detected_is_a_share(text: str | None, share: float | None) -> None:
    assert ab.share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "3", "100%", "-1%", "nan", "inf", "3%x", "much"])
def test_a_change_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="3% would do"):
        ab.share(text)


def test_a_metric_without_a_margin_is_refused_with_those_that_have_one() -> None:
    with pytest.raises(UsageError, match="--metric gap: it has no margin; decode, ttft"):
        ab.known(("gap",), MARGINS)
    with pytest.raises(UsageError, match="--metric speed: there is no such metric; decode, ttft would do"):
        ab.known(("speed",), MARGINS)
