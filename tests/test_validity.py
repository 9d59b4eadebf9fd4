"""What may be believed: one provoked doubt after the other, and none where all is well."""

from dataclasses import replace
from typing import Any

import pytest
from judged import FINE, of_cell, said, told, visits
from records import cell, observation, readings, sample, series, several

from olbench.model import Cell
from olbench.validity import CHECKS


@pytest.mark.parametrize("of", [FINE, cell(concurrency=2), cell(prompt_tokens=None)])
def test_a_sound_cell_raises_no_doubt(of: Cell) -> None:
    assert of_cell(told(of, visits(of, 3))) == ()


# --- one sample at a time -------------------------------------------------------------------------------------

BY_SAMPLE = [
    (
        "failed samples",
        {},
        [sample(), sample(outcome="stalled"), sample(outcome="refused"), sample(outcome="stalled")],
        "3 of 4 samples failed (2 stalled, 1 refused); they enter no figure",
    ),
    (
        "short outputs",
        {},
        [sample(), sample(n=5, outcome="short"), sample(n=3, outcome="short")],
        "2 of 3 answers ended before 8 tokens (the shortest after 3)",
    ),
    (
        "prompt length",
        {"prompt_tokens": 1000},
        [sample(prompt_tokens=1020), sample(prompt_tokens=1021), sample(prompt_tokens=979)],
        "2 of 3 prompts missed 1000 tokens by more than 2 % and 4 tokens (seen: 979 to 1,021)",
    ),
    (
        "prompt length",
        {},
        [sample(prompt_tokens=60), sample(prompt_tokens=59)],
        "1 of 2 prompts missed 64 tokens by more than 2 % and 4 tokens (seen: 59 to 60)",
    ),
    ("prompt length", {}, [sample(prompt_tokens=68)], None),
    ("prompt length", {"prompt_tokens": None}, [sample(prompt_tokens=5)], None),
    (
        "cache state",
        {},
        [sample(cached=6), sample(cached=7)],
        None,
    ),
    (
        "cache state",
        {},
        [sample(cached=6), sample(cached=33)],
        "1 of 2 samples took more than half of the prompt from the cache: meant cold, were not",
    ),
    (
        "cache state",  # a short prompt of one's own is mostly template
        {"prompt_tokens": None},
        [sample(prompt_tokens=43, cached=24), sample(prompt_tokens=80, cached=25), sample(prompt_tokens=50)],
        None,
    ),
    ("cache state", {}, [sample(cached=None)], None),
    (
        "cache state",
        {"cache": "warm"},
        [sample(cached=63), sample(cached=2)],
        "1 of 2 samples took less than half of the prompt from the cache: meant warm, were not",
    ),
    (
        "reloads",
        {},
        [sample(), sample(load_s=0.5)],
        "1 of 2 samples carried a load of up to 500 ms although the model was meant to be in memory",
    ),
    ("reloads", {}, [sample(load_s=0.19)], None),
    ("reloads", {}, [sample(load_s=0.9, prefill_s=9.0)], None),
    (
        "reloads",
        {},
        [sample(load_s=1.1, prefill_s=99.0)],
        "1 of 1 sample carried a load of up to 1.10 s although the model was meant to be in memory",
    ),
    (
        "blurred stamps",
        {},
        [sample(coalesced=3), sample()],
        "17 % of the lines came in one receive with a later one: their stamps are upper bounds",
    ),
    ("blurred stamps", {}, [sample(coalesced=1), sample()], None),
]


@pytest.mark.parametrize(("check", "of", "samples", "sentence"), BY_SAMPLE)
def test_a_doubt_about_samples_counts_them(
    check: str, of: dict[str, Any], samples: list[Any], sentence: str | None
) -> None:
    one = cell(**of)
    assert said(check, one, observation(one, samples)) == ([] if sentence is None else [sentence])


# --- visits ---------------------------------------------------------------------------------------------------


def test_missing_visits_are_counted_and_their_problems_told() -> None:
    lost = observation(FINE, problem="the server is gone", repeat=1)
    assert said("missing visits", FINE, observation(FINE, [sample()]), lost, planned=3) == [
        "1 of 3 planned visits gave samples",
        "visit 2: the server is gone",
    ]


def test_what_was_noted_at_every_visit_is_told_once() -> None:
    seen = [replace(one, notes=("the prompt is a little short",)) for one in visits(FINE, 3)]
    assert said("remarks", FINE, *seen) == ["the prompt is a little short"]
    seen[1] = replace(seen[1], notes=("the engine was started again",))
    assert said("remarks", FINE, *seen) == [
        "visits 1 and 3: the prompt is a little short",
        "visit 2: the engine was started again",
    ]


def test_few_visits_and_few_samples_are_told() -> None:
    assert said("few samples", FINE, *visits(FINE, 2)) == [
        "2 visits: a typical value has an interval from 3 on"
    ]
    wide = cell(concurrency=4)
    seen = [observation(wide, several(8, streams=4), repeat=repeat) for repeat in range(3)]
    assert said("few samples", wide, *seen) == [
        (
            "8 samples in a visit on 4 streams: system throughput includes ramp-up and run-out, which 12 samples would "
            "leave out"
        ),
    ]


BESIDE = [
    (
        "other load",
        "host.other_cpu",
        [1.25, 1.25],
        "other programs kept 1.25 cores busy on average in 1 of 1 visit",
    ),
    ("other load", "host.other_cpu", [0.5, 0.5], None),
    (
        "withheld CPU",
        "host.steal",
        [0.3, 0.3],
        (
            "the host of this virtual machine withheld 0.30 cores on average in 1 of 1 visit: the figures may be worse "
            "for it"
        ),
    ),
    ("withheld CPU", "host.steal", [0.05, 0.05], None),
    (
        "GPU held back",
        "gpu0.throttle",
        [0.0, 0x20, 0x24, 0x4],
        "heat or the power supply held the GPU back for up to 67 % of the time in 1 of 1 visit",
    ),
    ("GPU held back", "gpu0.throttle", [4.0, 4.0, 4.0, 4.0], None),
    (
        "swap",
        "host.swap_used",
        [0.0, 2.0**27],
        "swap grew by up to 128 MiB in 1 of 1 visit: memory was short",
    ),
    ("swap", "host.swap_used", [2.0**27, 0.0], None),
]


@pytest.mark.parametrize(("check", "name", "values", "sentence"), BESIDE)
def test_what_happened_beside_a_visit_is_told(
    check: str, name: str, values: list[float], sentence: str | None
) -> None:
    # Measured from 1 to 3.24 s; beats from 0 s on.
    samples = [sample(), sample(index=1, sent_s=3.0)]
    seen = observation(FINE, samples, repeat=2, readings=readings(series(name, values)))
    assert said(check, FINE, seen) == ([] if sentence is None else [sentence])


@pytest.mark.parametrize(
    ("threads", "cores", "sentence"),
    [
        (
            2,
            0.12,
            "the host of this virtual machine withheld 0.12 to 0.24 of 2 cores on average in 2 of 3 visits",
        ),
        (8, 0.12, None),  # above a tenth of a core, but not above a twentieth of all
    ],
)
def test_withheld_cores_are_told_for_all_visits_at_once(
    threads: int, cores: float, sentence: str | None
) -> None:
    seen = [
        observation(
            FINE, [sample()], repeat=turn, readings=readings(series("host.steal", [turn * cores] * 5))
        )
        for turn in range(3)
    ]
    found = CHECKS["withheld CPU"].flags(replace(told(FINE, seen), threads=threads))
    assert [flag.sentence for flag in found] == (
        [] if sentence is None else [f"{sentence}: the figures may be worse for it"]
    )


def test_gpu_memory_that_is_the_cards_and_not_the_servers_is_labelled_so() -> None:
    used, idle = series("gpu0.used", [9.0, 9.0]), series("gpu0.used", [1.0])
    why = {"gpu0.server": "processes cannot be told apart in a container"}
    seen = observation(FINE, [sample()], readings=readings(used, absent=why), baseline=readings(idle))
    (sentence,) = said("GPU memory", FINE, seen, seen)
    assert sentence.startswith("GPU memory is what the cards have in use less the idle baseline")
    assert sentence.endswith("(processes cannot be told apart in a container)")
    own = observation(FINE, [sample()], readings=readings(used, series("gpu0.server", [8.0])))
    assert said("GPU memory", FINE, own) == []


def test_a_cell_without_any_sample_breaks_no_check() -> None:
    assert of_cell(told(FINE, [], planned=3)) == ("0 of 3 planned visits gave samples",)
    empty = observation(FINE, problem="refused", placement=None)
    assert len(of_cell(told(FINE, [empty], planned=1))) == 2


# --- versions, durations, bars --------------------------------------------------------------------------------


def test_visits_to_servers_of_different_versions_are_told() -> None:
    seen = [
        replace(one, version=version)
        for one, version in zip(visits(FINE, 2), ("0.33.0", "0.34.1"), strict=True)
    ]
    assert said("server version", FINE, *seen) == [
        "visits met different servers (0.33.0 and 0.34.1) and are pooled all the same"
    ]
    during = replace(seen[0], version_after="0.34.1")
    (sentence,) = said("server", FINE, during)
    assert sentence.startswith("visit 1: ")
    assert "0.33.0 to 0.34.1" in sentence


def test_durations_that_contradict_each_other_are_told_with_their_visits() -> None:
    seen = [observation(FINE, [sample(queue_s=wait)], repeat=turn) for turn, wait in enumerate((0.0, -0.02))]
    (flag,) = CHECKS["durations"].flags(told(FINE, seen))
    assert flag.sentence.startswith(
        "in 1 of 2 samples the server's parts add up to more than its total_duration"
    )
    assert flag.visits == (1,)


MOVED = [
    ("prompt length", {"prompt_share": 0.5}, {"prompt_tokens": 80}),
    ("prompt length", {"prompt_least": 20.0}, {"prompt_tokens": 80}),
    ("reloads", {"reload_share": 1.0}, {"load_s": 0.5}),
    ("reloads", {"reload_least": 0.6}, {"load_s": 0.5}),
    ("blurred stamps", {"blurred": 0.5}, {"coalesced": 4}),
    ("durations", {"sum_least": 0.05}, {"queue_s": -0.02}),
    ("durations", {"queue_least": 0.2}, {"queue_s": 0.15}),
]


@pytest.mark.parametrize(("check", "bars", "changes"), MOVED)
def test_a_bar_that_the_scenario_moves_moves_its_check(
    check: str, bars: dict[str, float], changes: dict[str, Any]
) -> None:
    seen = told(FINE, [observation(FINE, [sample(**changes)])])
    assert len(CHECKS[check].flags(seen)) == 1
    assert CHECKS[check].flags(replace(seen, limits={**seen.limits, **bars})) == ()


def test_samples_that_read_their_prompt_too_fast_are_told_without_any_count() -> None:
    # Six prompts of 800 ms and two of hardly more than the step of 20 ms that every answer costs.
    slow = several(6, cached=None, prefill_s=0.8)
    fast = [sample(index=6 + turn, cached=None, prefill_s=0.021) for turn in range(2)]
    assert said("cache state", FINE, observation(FINE, [*slow, *fast])) == [
        "2 of 8 samples read their prompt far too fast for a cold one: meant cold, were not"
    ]


def test_every_check_says_what_to_do_in_a_sentence_of_its_own() -> None:
    for key, check in CHECKS.items():
        assert check.key == key
        assert not check.action.endswith("."), key
        assert len(check.action) <= 220, key
