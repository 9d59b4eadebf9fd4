"""The search: exact where nothing is noisy, at an end where everything is, and right in queues whose capacity is known."""

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queues import EVEN, SHARED, UNEVEN, Queue, search, told

from olbench.findings import Kept
from olbench.seek import AGAIN, MOST, SHARP, Ask, Found, Seen, following, grid, place_of

BASE = 200
VERDICTS: tuple[Kept, ...] = ("kept", "broken", "unclear")
LOADS = grid(1, 40, 0.1, whole=True)
Oracle = Callable[
    [int, int], tuple[Kept, bool]
]  # the verdict of a place after so many requests, and how it leans


def sought(
    oracle: Oracle, loads: tuple[float, ...] = LOADS, start: int | None = None, most: int = MOST
) -> tuple[list[Ask], Found]:
    """All that a search asks for, and what it finds."""
    asks: list[Ask] = []
    seen: dict[int, Seen] = {}
    while True:
        asked = following(list(seen.values()), loads, start=start, most=most, requests=BASE)
        if isinstance(asked, Found):
            return asks, asked
        asks.append(asked)
        before = seen.get(asked.place, Seen(asked.place, "unclear", 0, 0))
        requests = before.requests + asked.again * BASE
        verdict, leans = oracle(asked.place, requests)
        seen[asked.place] = Seen(asked.place, verdict, requests, before.probes + 1, leans)


def clear(capacity: int) -> Oracle:
    """No doubt anywhere."""
    return lambda place, _: ("kept", True) if place <= capacity else ("broken", False)


# --- loads ----------------------------------------------------------------------------------------------------


def test_whole_loads_go_up_by_one_or_by_the_share() -> None:
    assert grid(1, 30, 0.1, whole=True) == (*map(float, range(1, 21)), 22, 24, 26, 28, 30)
    assert grid(1, 9, 0.5, whole=True) == (1, 2, 3, 4, 6, 9)


def test_rates_go_up_by_the_share() -> None:
    assert grid(1.0, 1.5, 0.1, whole=False) == pytest.approx((1.0, 1.1, 1.21, 1.331, 1.5))


def test_the_last_load_is_the_most_that_was_allowed() -> None:
    assert grid(10, 12.2, 0.1, whole=False) == pytest.approx((10, 11, 12.2))  # a little more than a step
    assert grid(10, 11.8, 0.1, whole=False) == pytest.approx((10, 11, 11.8))
    assert grid(3, 3, 0.1, whole=True) == (3,)


@given(least=st.floats(0.1, 50), times=st.floats(1, 40), step=st.floats(0.01, 1), whole=st.booleans())
def test_loads_ascend_from_the_least_to_the_most(
    *, least: float, times: float, step: float, whole: bool
) -> None:
    most = math.ceil(least * times)
    loads = grid(least, most, step, whole=whole)
    assert (loads[0], loads[-1]) == (math.ceil(least) if whole else least, most)
    for low, high in pairwise(loads):
        assert low < high
        longest = low * ((1 + step) * (1 + step / 2) - 1) + 1e-9  # half a step longer, to end at the most
        assert high <= low + max(2.0 if whole else 0.0, longest)
        assert not whole or high == int(high)


def test_the_place_of_a_load_is_the_highest_that_is_not_above_it() -> None:
    assert [place_of(load, (2.0, 4.0, 8.0)) for load in (1, 2, 5, 8, 100)] == [0, 0, 1, 2, 2]


# --- the order of asking ----------------------------------------------------------------------------------------


def test_a_search_doubles_the_load_until_it_is_too_much_and_then_halves_what_is_left() -> None:
    asks, found = sought(clear(place_of(11, LOADS)))
    assert [LOADS[one.place] for one in asks] == [1, 2, 4, 8, 16, 12, 10, 11]
    assert [one.again for one in asks] == [1] * 7 + [AGAIN[1]]  # near the answer with more
    assert found == Found(place_of(11, LOADS), place_of(12, LOADS), resolved=True, reason="")


def test_a_search_that_begins_at_a_prediction_stays_near_it() -> None:
    asks, found = sought(clear(place_of(11, LOADS)), start=place_of(10, LOADS))
    assert [LOADS[one.place] for one in asks] == [10, 11, 13, 12, 11]
    assert found.place == place_of(11, LOADS)


def test_a_prediction_that_was_too_high_is_left_downwards() -> None:
    asks, _ = sought(clear(place_of(11, LOADS)), start=place_of(14, LOADS))
    assert [LOADS[one.place] for one in asks] == [14, 13, 11, 12, 11]


def test_what_stays_unclear_is_not_claimed() -> None:
    limit = place_of(11, LOADS)

    def near(place: int, requests: int) -> tuple[Kept, bool]:
        return ("unclear", True) if place == limit else clear(limit)(place, requests)

    asks, found = sought(near)
    assert [one.again for one in asks if one.place == limit][-1] == AGAIN[-1]
    assert (found.place, found.over, found.resolved) == (limit - 1, limit + 1, False)
    assert found.reason == "the next load is too near the limit for so many requests to tell"


def test_a_load_that_leans_to_kept_is_asked_again_with_more_requests() -> None:
    limit = place_of(11, LOADS)

    def few_tell_little(place: int, requests: int) -> tuple[Kept, bool]:
        sharp = requests >= AGAIN[1] * BASE or abs(place - limit) > 2
        return clear(limit)(place, requests) if sharp else ("unclear", place <= limit)

    _, found = sought(few_tell_little)
    assert found == Found(limit, limit + 1, resolved=True, reason="")


def test_a_load_that_was_broken_below_one_that_was_kept_is_asked_again() -> None:
    limit, wrong = place_of(11, LOADS), place_of(8, LOADS)

    def unlucky(place: int, requests: int) -> tuple[Kept, bool]:
        return ("broken", False) if place == wrong and requests <= BASE else clear(limit)(place, requests)

    known = [Seen(wrong, "broken", BASE), Seen(limit, "kept", 4 * BASE)]
    assert following(known, LOADS, requests=BASE) == Ask(wrong, AGAIN[1])
    assert sought(unlucky)[1].place in (wrong - 1, limit)


def test_evidence_that_stays_contradictory_is_told() -> None:
    known = [Seen(3, "kept", 99, 3), Seen(4, "broken", 99, 3), Seen(5, "kept", 99, 3)]
    assert following(known, LOADS) == Found(
        3,
        4,
        resolved=False,
        reason="a higher load was kept than one that was broken: the server did not stay the same",
    )


@pytest.mark.parametrize(
    ("capacity", "expected"),
    [
        (-1, Found(None, 0, resolved=True, reason="")),
        (len(LOADS), Found(len(LOADS) - 1, None, resolved=False, reason="even the highest load was kept")),
    ],
)
def test_a_search_may_end_at_either_end_of_the_loads(capacity: int, expected: Found) -> None:
    assert sought(clear(capacity))[1] == expected


def test_without_a_probe_nothing_is_found() -> None:
    assert following([], LOADS, most=0) == Found(None, None, resolved=False, reason="no load was tried")


def test_spent_probes_leave_what_was_shown() -> None:
    _, found = sought(clear(30), grid(1, 1000, 0.1, whole=True), most=5)
    assert (found.resolved, found.reason) == (False, "the probes are spent")
    assert found.place is not None
    assert found.place <= 30


# --- whatever the server does -----------------------------------------------------------------------------------


@given(st.integers(1, 60), st.data())
def test_without_noise_the_answer_is_exact(count: int, data: st.DataObject) -> None:
    loads = grid(1, 1.1 ** (count - 1), 0.1, whole=False)
    capacity = data.draw(st.integers(-1, len(loads)))
    start = data.draw(st.none() | st.integers(0, len(loads) - 1))
    asks, found = sought(clear(capacity), loads, start)
    assert len(asks) <= MOST
    assert found.place == (None if capacity < 0 else min(capacity, len(loads) - 1))
    assert found.resolved == (capacity < len(loads) - 1)


@settings(max_examples=300)
@given(st.integers(1, 80), st.integers(1, 20), st.none() | st.integers(0, 100), st.integers(0, 10**6))
def test_any_server_comes_to_an_end_within_the_probes(
    count: int, most: int, start: int | None, seed: int
) -> None:
    loads, dice = tuple(1.1**place for place in range(count)), random.Random(seed)
    given_: dict[int, Kept] = {}

    def noisy(place: int, _: int) -> tuple[Kept, bool]:
        given_[place] = dice.choice(VERDICTS)
        return given_[place], dice.random() < 0.5

    asks, found = sought(noisy, loads, start, most)
    assert len(asks) <= most
    assert all(0 <= one.place < count and one.again in AGAIN for one in asks)
    assert found.place is None or given_[found.place] == "kept"
    assert found.over is None or given_[found.over] == "broken"
    if found.resolved:
        assert found.over == (0 if found.place is None else found.place + 1)
    assert found.resolved == (found.reason == "")


# --- queues whose capacity is known -----------------------------------------------------------------------------


@pytest.mark.parametrize("queue", EVEN, ids=lambda queue: queue.name)
def test_a_search_ends_at_the_capacity_or_one_step_below(queue: Queue) -> None:
    trials = [search(queue, seed, again=SHARP, predicted=bool(seed % 2)) for seed in range(4)]
    assert all(one.probes <= MOST for one in trials)
    assert all(one.right for one in trials), told(trials)


@pytest.mark.parametrize("queue", [UNEVEN[0], SHARED[0]], ids=lambda queue: queue.name)
def test_so_it_does_where_answers_differ_in_length_or_share_the_engine(queue: Queue) -> None:
    assert search(queue, 1, again=SHARP, predicted=True).right
