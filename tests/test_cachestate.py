"""What a request found in the server's cache: by the server's count, and by the time that its prompt took."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import cell, observation, sample

from olbench.cachestate import NAMES, contaminated, states
from olbench.gist import Told, gist
from olbench.model import Sample


def told(visits: Sequence[Sequence[Sample]], **changes: Any) -> Told:
    of = cell(**changes)
    return Told(
        of, len(visits), tuple(gist(observation(of, one, repeat=place)) for place, one in enumerate(visits))
    )


def named(of: Told, *others: Told) -> list[list[str]]:
    return [[NAMES[code] for code in one.codes.tolist()] for one in states(replace(of, beside=tuple(others)))]


def visit(times_ms: Sequence[float], *, after_load_ms: float | None = None, **changes: Any) -> list[Sample]:
    """One request for each time that its prompt of 64 tokens takes; steps of 20 ms; the server sends no count."""
    loaded = [] if after_load_ms is None else [after_load_ms]
    return [
        sample(
            phase="measured" if place >= len(loaded) else "cold",
            sent_s=1.0 + place,
            prefill_s=ms / 1e3,
            cached=None,
            **changes,
        )
        for place, ms in enumerate([*loaded, *times_ms])
    ]


def counted(*cached: int) -> list[Sample]:
    return [sample(sent_s=1.0 + place, cached=one) for place, one in enumerate(cached)]


# --- by the server's count ------------------------------------------------------------------------------------


def test_a_count_tells_cold_from_warm_and_each_from_what_was_meant() -> None:
    visits = [counted(0, 4, 63), counted(32, 40)]
    assert named(told(visits)) == [["cold", "cold", "contaminated"], ["cold", "contaminated"]]
    assert named(told(visits, cache="warm")) == [
        ["contaminated", "contaminated", "warm"],
        ["contaminated", "warm"],
    ]


def test_the_reused_share_is_told_where_it_is_counted() -> None:
    (one,) = states(told([counted(16, 63)], cache="warm"))
    assert one.reused.tolist() == pytest.approx([0.25, 63 / 64])
    (none,) = states(told([visit([100.0])]))
    assert str(none.reused.tolist()) == "[nan]"


def test_what_all_prompts_begin_with_is_no_contamination() -> None:
    long, short = sample(cached=40, prompt_tokens=200), sample(cached=39, prompt_tokens=64, sent_s=2.0)
    assert named(told([[long, short]])) == [["cold", "cold"]]
    # and so it is where another cell of the model has the longer prompts
    other = told([[long]], prompt_tokens=200)
    assert named(told([[short]]), other) == [["cold"]]
    assert named(told([[short]])) == [["contaminated"]]
    assert named(told([[short]]), told([[long]], prompt_tokens=200, model="another:1b")) == [["contaminated"]]


def test_reasons_stand_beside_what_is_to_be_left_out() -> None:
    why = "meant cold, but most of its prompt came from the cache"
    assert contaminated(told([counted(0, 63), counted(0)])) == [("", why), ("",)]
    warm = told([counted(0, 63)], cache="warm")
    assert contaminated(warm) == [("meant warm, but most of its prompt was computed", "")]


def test_a_visit_without_samples_has_no_states() -> None:
    assert named(told([[], counted(0)])) == [[], ["cold"]]
    assert named(told([])) == []


# --- by the time that it took ---------------------------------------------------------------------------------

# Steps take 20 ms: a cold prompt of 400 ms is 19 steps beyond the one that each answer costs, a reused one of 22 ms a
# tenth of a step. So: (meant, streams, after the load, measured) -> states.
HIT, MISS = 22.0, 400.0
BY_TIME: dict[str, tuple[str, int, float | None, list[float], str]] = {
    "cold like the one after the load": ("cold", 1, 420.0, [MISS, 390.0, 380.0], "c c c"),
    "a first prompt after the load may be slow for other reasons": ("cold", 1, 4000.0, [MISS] * 3, "? ? ?"),
    "one faster than the others, as no hit is": ("cold", 1, 900.0, [MISS, 700.0, 800.0, 250.0], "c c c c"),
    "one hit among cold ones": ("cold", 1, None, [MISS, 410.0, HIT, 395.0], "c c ! c"),
    "two hits among cold ones": ("cold", 1, 420.0, [HIT, 410.0, HIT, 395.0], "! c ! c"),
    "more hits than cold ones": ("cold", 1, None, [MISS, 410.0, 420.0, HIT, HIT, HIT, HIT], "c c c ! ! ! !"),
    "the first one of a visit is slow by itself": ("cold", 1, None, [2000.0, MISS, 410.0, 390.0], "? ? ? ?"),
    "a single slow one makes no hits of the others": ("cold", 1, 420.0, [MISS] * 6 + [4000.0], "c c c c c c c"),
    "nothing to compare with": ("cold", 1, None, [MISS, 410.0], "? ?"),
    "half of it reused is no proof": ("cold", 1, 420.0, [MISS, 210.0, 410.0], "c c c"),
    "streams that share the engine": ("cold", 4, None, [1600.0, 1500.0, 1400.0, 500.0, 400.0, 410.0], "? ? ? ? ? ?"),
    "a hit among streams that share the engine": ("cold", 2, None, [800.0, 700.0, 400.0, HIT], "c c c !"),
    "warm after a cold one": ("warm", 1, 420.0, [HIT, 23.0, 25.0], "w w w"),
    "warm that was not": ("warm", 1, 420.0, [MISS, HIT, 390.0], "! w !"),
    "warm without a request after a load": ("warm", 1, None, [MISS, 410.0, HIT, HIT], "! ! w w"),
    "warm, nothing to compare with": ("warm", 1, None, [HIT, HIT], "? ?"),
    "a warm one that waited for another one's prompt": ("warm", 2, 420.0, [HIT, 400.0, HIT], "w ? w"),
    "all of them computed": ("warm", 2, 420.0, [800.0, 700.0, 500.0], "! ! !"),
}  # fmt: skip
LETTERS = {"c": "cold", "w": "warm", "!": "contaminated", "?": "unknown"}


@pytest.mark.parametrize("case", BY_TIME)
def test_without_a_count_the_time_tells_as_far_as_it_can(case: str) -> None:
    cache, streams, after_load, times, expected = BY_TIME[case]
    of = told([visit(times, after_load_ms=after_load)], cache=cache, concurrency=streams)
    assert named(of) == [[LETTERS[one] for one in expected.split()]]


def test_a_cell_that_differs_in_its_cache_alone_is_what_to_compare_with() -> None:
    cold, warm = told([visit([MISS] * 3)]), told([visit([HIT] * 3)], cache="warm")
    assert named(warm, cold) == [["warm"] * 3]
    assert named(told([visit([HIT] * 3)]), told([visit([MISS] * 3)], num_ctx=4096)) == [["contaminated"] * 3]
    assert named(warm, told([visit([MISS] * 3)], model="another:1b")) == [["unknown"] * 3]
    assert named(warm, told([visit([MISS] * 3, prompt_tokens=640)])) == [["unknown"] * 3]


def test_a_machine_that_was_slower_in_one_visit_makes_no_hits_of_the_others() -> None:
    slow = visit([4 * MISS] * 3, gap_s=0.08)
    assert named(told([visit([MISS] * 3), slow])) == [["unknown"] * 3, ["cold"] * 3]


def test_a_whole_cell_from_the_cache_is_seen_where_no_machine_computes_so_fast() -> None:
    long: dict[str, Any] = {"prompt_tokens": 1500}
    hits = told([visit([HIT] * 3, after_load_ms=9000.0, **long)], **long)
    assert named(hits) == [["contaminated"] * 3]
    # a fast GPU: 1,500 tokens in the time of 19 steps
    gpu = told([visit([MISS] * 3, after_load_ms=900.0, **long)], **long)
    assert named(gpu) == [["cold"] * 3]


def test_prompts_of_unlike_lengths_are_not_compared() -> None:
    long = visit([MISS] * 3, prompt="long")
    short = visit([30.0, 31.0], prompt="short", prompt_tokens=8)
    assert named(told([[*long, *short]], prompt_tokens=None)) == [["unknown"] * 5]


def test_counts_and_times_stand_side_by_side() -> None:
    mixed = [*visit([MISS] * 4, after_load_ms=420.0), *counted(63, 0)]
    assert named(told([mixed])) == [["cold"] * 4 + ["contaminated", "cold"]]
