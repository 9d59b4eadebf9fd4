"""What telling keeps of an observation, and which of several visits to one place counts."""

import numpy as np
import pytest
from records import cell, observation, sample, several

from olbench.column import Column
from olbench.gist import chosen, gist, rows_by_prompt
from olbench.metrics import METRICS

ONE, OTHER = cell(), cell(num_ctx=8192)


def test_every_metric_has_its_column() -> None:
    seen = gist(observation(ONE, several(3)))
    assert seen.columns.keys() == METRICS.keys()
    assert seen.columns["decode"].numbers.tolist() == pytest.approx([8 / 0.14] * 3)
    assert seen.columns["throughput"].numbers.size == 1
    assert seen.columns["load"].numbers.size == 0


def test_only_samples_that_went_through_enter_and_the_others_are_counted() -> None:
    seen = gist(
        observation(
            ONE,
            [
                sample(),
                sample(outcome="stalled", words="no end"),
                sample(phase="warmup", outcome="refused", words="nobody there"),
                sample(phase="cold", load_s=1.0),
            ],
        )
    )
    assert seen.columns["e2e"].numbers.size == 1
    assert seen.columns["load"].numbers.tolist() == [1.0]
    assert seen.outcomes == {"ok": 1, "stalled": 1}
    assert seen.failures == {("stalled", "no end"): 1, ("refused", "nobody there"): 1}


def test_a_column_keeps_its_samples_apart() -> None:
    # Three samples with 2, 0 and 3 numbers.
    column = Column(np.arange(5.0), np.array([2, 0, 3]), ("", "one chunk", ""))
    assert column.at(np.array([0, 1])).numbers.tolist() == [0.0, 1.0]
    assert column.at(np.array([2])).numbers.tolist() == [2.0, 3.0, 4.0]
    assert column.at(np.array([1])).missing() == {"one chunk": 1}
    single = Column(np.array([7.0, 9.0]), np.array([1, 0, 1]), ("", "no counts", ""))
    assert single.aligned()[[0, 2]].tolist() == [7.0, 9.0]
    assert np.isnan(single.aligned()[1])


def test_rows_are_found_by_the_prompts_name() -> None:
    seen = gist(observation(ONE, [sample(prompt=name) for name in ("a", "b", "a")]))
    assert {name: rows.tolist() for name, rows in rows_by_prompt(seen).items()} == {"a": [0, 2], "b": [1]}


def test_of_several_visits_to_one_place_the_last_that_went_through_counts() -> None:
    broken = gist(observation(ONE, several(2), problem="interrupted"))
    first, second = gist(observation(ONE, several(3))), gist(observation(ONE, several(4)))
    empty = gist(observation(ONE, problem="the server is gone"))
    for order, winner in (
        ([broken, first], first),
        ([first, broken], first),
        ([first, second], second),
        ([broken, empty], broken),
        ([empty, broken], broken),
    ):
        assert chosen(order)[ONE.id] == [winner]


def test_visits_are_kept_by_cell_in_the_order_of_repeats() -> None:
    late, early = gist(observation(ONE, repeat=2)), gist(observation(ONE, repeat=0))
    other = gist(observation(OTHER, repeat=1))
    found = chosen([late, other, early])
    assert [one.visit.repeat for one in found[ONE.id]] == [0, 2]
    assert found[OTHER.id] == [other]
