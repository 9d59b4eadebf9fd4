"""The run as a whole: cells that are unlike, a server that changed, a run that did not come to its end."""

from dataclasses import replace
from typing import Any

import pytest
from judged import FINE, told, visits
from records import a_run, card, cell, observation, placement, record, sample

from olbench import validity
from olbench.model import Cell, Record, Visit


def of_run(seen: Record, taken: int) -> tuple[str, ...]:
    return tuple(flag.sentence for flag in validity.of_run(seen, taken))


# --- cells that are unlike ------------------------------------------------------------------------------------


def unlike_cells(*seen: tuple[Cell, dict[str, Any]]) -> list[str]:
    """What makes cells unlike whose placements have these fields."""
    cells = [
        (f"ctx {one.num_ctx}", told(one, [observation(one, [sample()], placement=placement(**fields))]))
        for one, fields in seen
    ]
    return [flag.sentence for flag in validity.of_run(record([one for one, _ in seen], []), 0, cells)]


SMALL, LARGE = cell(num_ctx=4096), cell(num_ctx=8192)
BATCHED = cell(num_ctx=8192, options=(("num_batch", 512),))
UNLIKE = [
    (({"context_length": 4096}, {"context_length": 8192}), []),
    (
        ({"context_length": 4096}, {"context_length": 4096}),
        [
            "cells that asked for different contexts ran with the same, of 4,096 tokens: ctx 4096 and 1 more cell"
        ],
    ),
    (
        ({"size": 100, "size_vram": 100}, {"size": 100, "size_vram": 69}),
        ["cells differ in where their model lies: 100 % on the GPU in ctx 4096; 69 % on the GPU in ctx 8192"],
    ),
    (
        ({"parallel": 4}, {"parallel": 1}),
        ["cells differ in the server's slots: 4 slots in ctx 4096; 1 slot in ctx 8192"],
    ),
    (
        ({"batch": 512}, {"batch": 1024}),
        [
            (
                "the server chose different batch sizes: 512 in ctx 4096; 1,024 in ctx 8192; prefill differs for that, "
                "too"
            )
        ],
    ),
    (
        ({"digest": "a" * 64}, {"digest": "b" * 64}),
        [
            "smollm2:135m is not the same model in all cells: aaaaaaaaaaaa in ctx 4096; bbbbbbbbbbbb in ctx 8192"
        ],
    ),
]


@pytest.mark.parametrize(("placements", "sentences"), UNLIKE)
def test_cells_that_are_unlike_though_nobody_asked_for_it_are_told_on_top(
    placements: tuple[dict[str, Any], dict[str, Any]], sentences: list[str]
) -> None:
    apart: list[dict[str, Any]] = [{"context_length": 4096}, {"context_length": 8192}]
    first, second = (usual | own for usual, own in zip(apart, placements, strict=True))
    assert unlike_cells((SMALL, first), (LARGE, second)) == sentences


def test_a_batch_size_that_was_asked_for_makes_no_cells_unlike() -> None:
    assert unlike_cells((SMALL, {"context_length": 4096, "batch": 256}), (BATCHED, {"batch": 512})) == []


def test_a_parameter_of_one_model_alone_that_changes_its_pace_is_told() -> None:
    other = cell(model="other:1b")
    slow = replace(
        told(other, [observation(other, [sample()])]),
        card=card("other:1b", parameters=(("num_batch", "64"),)),
    )
    plain = replace(told(FINE, [observation(FINE, [sample()])]), card=card(FINE.model))
    (flag,) = validity.of_run(record([FINE, other], []), 0, [("plain", plain), ("slow", slow)])
    assert flag.sentence == "models bring a num_batch of their own: 64 in slow"
    assert flag.action == "give `num_batch` in `[sweep]`: what a request says wins over the model"


def test_no_sentence_is_longer_than_two_lines_whatever_cells_are_called() -> None:
    cells = [cell(num_ctx=1024 * turn) for turn in range(1, 9)]
    seen = [
        (
            f"a very long name of a model that nobody would read to its end, {turn}",
            told(
                one,
                [
                    observation(
                        one,
                        [sample()],
                        placement=placement(parallel=turn, batch=turn, size_vram=turn * 10**7),
                    )
                ],
            ),
        )
        for turn, one in enumerate(cells, 1)
    ]
    flags = validity.of_run(record(cells, []), 0, seen)
    assert len(flags) == 4
    assert all(len(flag.sentence) <= 220 for flag in flags)


# --- the run --------------------------------------------------------------------------------------------------


def test_a_server_that_changed_during_the_run_is_told() -> None:
    seen = record([FINE], visits(FINE, 3), facts_end={"server.version": "0.34.1"})
    assert of_run(seen, 3) == (
        "server.version was 0.33.0 at the start and 0.34.1 at the end: not all cells met the same server",
    )


def test_a_version_that_could_not_be_read_at_the_end_is_no_change() -> None:
    assert of_run(record([FINE], visits(FINE, 3), facts_end=None), 3) == ()
    assert of_run(record([FINE], visits(FINE, 3), facts_end={"server.version": None}), 3) == ()


def test_a_battery_is_told() -> None:
    seen = record([FINE], visits(FINE, 3), facts={"power.source": "battery"})
    assert of_run(seen, 3) == ("the machine ran on battery: it may have held its clocks down",)


def test_a_run_that_did_not_come_to_its_end_says_how_far_it_came() -> None:
    seen = record([FINE], visits(FINE, 1), repeats=3, run=a_run(status="interrupted"))
    assert seen.plan.visits[2] == Visit(2, FINE.id, 2)
    assert of_run(seen, 1) == ("the run was interrupted: 1 of 3 planned visits were taken",)


def test_a_version_that_changed_between_two_visits_is_told_for_the_run() -> None:
    seen = [
        replace(one, version=version)
        for one, version in zip(visits(FINE, 2), ("0.33.0", "0.34.1"), strict=True)
    ]
    found = validity.of_run(record([FINE], seen), 2, [("it", told(FINE, seen))])
    assert [flag.sentence for flag in found] == [
        "the server's version was 0.33.0 and 0.34.1 in turn: not all visits met the same server"
    ]


def test_every_flag_of_the_run_says_what_to_do() -> None:
    seen = record(
        [FINE], visits(FINE, 1), repeats=3, run=a_run(status="interrupted"), facts={"power.source": "battery"}
    )
    assert [flag.action for flag in validity.of_run(seen, 1)] == [
        "plug the machine in and run again",
        "`olbench run --resume RUN`, of a search `olbench size --resume RUN`, takes what was not taken",
    ]
