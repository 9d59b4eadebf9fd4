"""What may be believed: one provoked doubt after the other, and none where all is well."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import a_run, cell, observation, placement, readings, record, sample, series, several

from olbench import validity
from olbench.gist import Told, gist
from olbench.model import Cell, Observation, Record, Visit
from olbench.validity import CHECKS

FINE = cell()


def of_run(seen: Record, taken: int) -> tuple[str, ...]:
    return tuple(flag.sentence for flag in validity.of_run(seen, taken))


def of_cell(seen: Told) -> tuple[str, ...]:
    return tuple(flag.sentence for flag in validity.of_cell(seen))


def told(of: Cell, seen: Sequence[Observation], planned: int | None = None) -> Told:
    return Told(of, len(seen) if planned is None else planned, tuple(gist(one) for one in seen))


def said(check: str, of: Cell, *seen: Observation, planned: int | None = None) -> list[str]:
    return list(CHECKS[check](told(of, seen, planned)))


def visits(of: Cell, count: int, **changes: Any) -> list[Observation]:
    return [
        observation(of, several(3 * of.concurrency, streams=of.concurrency, **changes), repeat=repeat)
        for repeat in range(count)
    ]


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
        (
            "7 of 64 prompt tokens came from the cache in 1 of 2 samples: every prompt begins with them (chat template, "
            "system prompt); the prefill rate counts the other tokens alone"
        ),
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
        (
            "24 to 25 of 43 to 80 prompt tokens came from the cache in 2 of 3 samples: every prompt begins with them "
            "(chat template, system prompt); the prefill rate counts the other tokens alone"
        ),
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
    assert said("missing visits", FINE, *seen) == ["the prompt is a little short"]
    seen[1] = replace(seen[1], notes=("the engine was started again",))
    assert said("missing visits", FINE, *seen) == [
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


def test_a_clamped_context_is_told_once_also_where_the_placement_says_so() -> None:
    sentence = "asked for num_ctx 2048, the server gave 1024"
    plain = observation(FINE, [sample()], placement=placement(context_length=1024))
    noted = observation(FINE, [sample()], placement=placement(context_length=1024, doubts=(sentence,)))
    assert said("context", FINE, plain) == [sentence]
    assert said("context", FINE, noted) == [sentence]
    assert of_cell(told(FINE, [plain, noted, noted])).count(sentence) == 1


def test_visits_that_were_placed_differently_are_told_with_what_differs() -> None:
    placed = [
        placement(digest="a" * 64, size=100, size_vram=100, context_length=2048, parallel=1),
        placement(digest="b" * 64, size=100, size_vram=63, context_length=4096, parallel=2),
    ]
    seen = [observation(FINE, [sample()], repeat=turn, placement=one) for turn, one in enumerate(placed)]
    assert said("placement", FINE, *seen) == [
        "visits differ in the model's digest (aaaaaaaaaaaa and bbbbbbbbbbbb) and are pooled all the same",
        "visits differ in context length (2048 and 4096) and are pooled all the same",
        "visits differ in parallel slots (1 and 2) and are pooled all the same",
        "visits differ in the share of the model in GPU memory (63 % to 100 %) and are pooled all the same",
    ]


def test_more_streams_than_slots_measure_the_queue() -> None:
    wide = cell(concurrency=4)
    seen = observation(wide, [sample()], placement=placement(parallel=2))
    assert said("slots", wide, seen) == ["4 streams on 2 slots: this measures the queue"]


def test_where_slots_are_unknown_waiting_inside_the_server_is_told() -> None:
    wide = cell(concurrency=4)
    unknown = placement(parallel=None)
    waits = observation(wide, [sample(queue_s=0.24)], placement=unknown)
    assert said("slots", wide, waits) == [
        "requests waited inside the server for 50 % of their time: it seems to have fewer slots than streams"
    ]
    assert said("slots", wide, observation(wide, [sample()], placement=unknown)) == []
    assert said("slots", FINE, observation(FINE, [sample(queue_s=0.24)], placement=unknown)) == []


BESIDE = [
    (
        "other load",
        "host.other_cpu",
        [1.25, 1.25],
        "other programs kept 1.25 cores busy on average in 1 of 1 visit: end them and run again",
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
    found = list(CHECKS["withheld CPU"](replace(told(FINE, seen), threads=threads)))
    assert found == ([] if sentence is None else [f"{sentence}: the figures may be worse for it"])


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
