"""Whether the queues that the search is tried in are right: formulas, and the scripted server in virtual time."""

import numpy as np
import pytest
from arriving import measured
from queues import (
    EVEN,
    QUEUES,
    SHARE,
    SHARED,
    TOKENS,
    kept_by_even_answers,
    kept_by_random_answers,
    shared,
    waits,
)

from olbench.engines.scripted import Script

GAP = 0.02


def even(count: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.ones(count)


@pytest.mark.parametrize(("slots", "rate"), [(1, 0.5), (2, 1.2), (4, 3.0)])
def test_random_answers_wait_as_erlang_says(slots: int, rate: float) -> None:
    dice, count = np.random.default_rng(1), 300_000
    found = waits(np.cumsum(dice.exponential(1 / rate, count)), dice.exponential(1, count), slots)
    for bound in (0.0, 1.0, 3.0):
        assert np.mean(found <= bound) == pytest.approx(kept_by_random_answers(rate, slots, bound), abs=0.01)


def test_even_answers_wait_as_erlang_says() -> None:
    dice, count = np.random.default_rng(2), 2_000_000
    found = waits(np.cumsum(dice.exponential(1 / 0.7, count)), even(count), 1)
    for bound in (0.0, 0.5, 1.0, 2.5, 4.0):
        assert np.mean(found <= bound) == pytest.approx(kept_by_even_answers(0.7, bound), abs=0.004)


@pytest.mark.parametrize("slots", [2, 4])
def test_slots_that_take_turns_are_the_same_as_slots_that_are_asked_for(slots: int) -> None:
    dues = np.cumsum(np.random.default_rng(3).exponential(0.4, 5000))
    nearly = np.concatenate([even(4999), [1.5]])  # the last one's own length changes no wait
    assert waits(dues, even(5000), slots) == pytest.approx(waits(dues, nearly, slots), abs=1e-9)


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_without_sharing_an_answer_takes_its_steps(slots: int) -> None:
    dice = np.random.default_rng(4)
    dues, tokens = np.cumsum(dice.exponential(0.4, 2000)), dice.integers(2, 12, 2000)
    first, last = shared(dues, tokens, slots, 0.0, 0.1)
    assert first - dues == pytest.approx(waits(dues, 0.1 * (tokens - 1), slots), abs=1e-9)
    assert last - first == pytest.approx(0.1 * (tokens - 1))


def test_the_capacity_is_where_the_share_of_requests_that_are_in_time_is_the_least_allowed() -> None:
    assert kept_by_even_answers(EVEN[0].capacity, EVEN[0].bound) == pytest.approx(SHARE, abs=1e-4)
    for queue in (one for one in QUEUES if one not in SHARED):
        figures = queue.served(np.random.default_rng(5), queue.capacity, 200_000)
        assert np.mean(figures <= queue.bound) == pytest.approx(SHARE, abs=0.006), queue.name


# --- the scripted server ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sharing", [0.0, 0.5])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_the_scripted_server_is_such_a_queue_to_the_microsecond(slots: int, sharing: float) -> None:
    dice, count = np.random.default_rng((6, slots)), 150
    tokens = dice.integers(2, 2 * TOKENS, count)
    rate = 0.8 * slots / (1 + sharing * (slots - 1)) / (GAP * tokens.mean())
    dues = np.cumsum(dice.exponential(1 / rate, count)).round(9)
    script = Script(ttft_ns=0, itl_ns=round(GAP * 1e9), slots=slots, sharing=sharing, load_ns=0)
    first, last = shared(dues, tokens, slots, sharing, GAP)
    told_first, told_last = measured(script, dues, tokens.tolist())
    assert told_first == pytest.approx(first, abs=2e-6)
    assert told_last == pytest.approx(last, abs=2e-6)
    assert (first > dues).mean() > 0.1  # some did wait
