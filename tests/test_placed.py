"""Where the model was computed: context, share on the GPU, digest, other models, slots; and gates that tripped."""

from dataclasses import replace
from typing import Any

import pytest
from judged import FINE, of_cell, said, told, visits
from records import card, cell, observation, placement, sample

from olbench.gates import GATES, Trip
from olbench.gist import Told
from olbench.validity import CHECKS

# --- context, placement, slots --------------------------------------------------------------------------------


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
    assert said("model digest", FINE, *seen) == [
        "visits differ in the model's digest (aaaaaaaaaaaa and bbbbbbbbbbbb) and are pooled all the same"
    ]
    assert said("placement", FINE, *seen) == [
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


# --- gates ----------------------------------------------------------------------------------------------------


def test_every_gate_has_a_check_that_tells_what_tripped_it() -> None:
    assert set(GATES) <= set(CHECKS)


def tripping(*trips: tuple[str, ...]) -> Told:
    """Visits that tripped the gate "battery" with these sentences."""
    seen = told(FINE, visits(FINE, len(trips)))
    gists = [
        replace(one, trips=tuple(Trip("battery", sentence) for sentence in own))
        for one, own in zip(seen.gists, trips, strict=True)
    ]
    return replace(seen, gists=tuple(gists))


@pytest.mark.parametrize(
    ("trips", "sentence", "repeats"),
    [
        (((), ("it rained",), ()), "visit 2: it rained", (1,)),
        ((("it rained",), (), ("it rained",)), "visits 1 and 3: it rained", (0, 2)),
        ((("it rained",), ("it rained",)), "it rained", (0, 1)),
        (
            (("it rained",), ("it rained",), ("it snowed",)),
            "visits 1 and 2: it rained, and the like in visit 3",
            (0, 1, 2),
        ),
        ((("it rained", "it snowed"), ()), "visit 1: it rained", (0,)),
        (
            (("it rained",), *[("it snowed",)] * 5),
            "visit 1: it rained, and the like in visits 2, 3, 4 and 2 more",
            (0, 1, 2, 3, 4, 5),
        ),
    ],
)
def test_a_gate_is_told_with_the_visits_that_did_not_pass_it(
    trips: tuple[tuple[str, ...], ...], sentence: str, repeats: tuple[int, ...]
) -> None:
    (flag,) = CHECKS["battery"].flags(tripping(*trips))
    assert (flag.check, flag.sentence, flag.visits) == ("battery", sentence, repeats)
    assert flag.action == "plug the machine in and run again"


def test_a_cell_of_which_no_visit_passed_its_gates_is_told_so() -> None:
    (flag,) = CHECKS["unfit visits"].flags(tripping(("it rained",), ("it snowed",)))
    assert (
        flag.sentence
        == "none of 2 visits passed its gates: the figures stand, and no verdict is made of them"
    )
    (flag,) = CHECKS["unfit visits"].flags(tripping(("it rained",)))
    assert flag.sentence.startswith("the only visit did not pass its gates")
    assert CHECKS["unfit visits"].flags(tripping(("it rained",), ())) == ()


# --- where the model was --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "changes", "sentence"),
    [
        (0.69, {}, "31 % of the model ran on the CPU, the rest on the GPU"),
        (0.0, {}, None),  # there is no GPU
        (1.0, {}, None),
        (0.995, {}, None),  # less than a layer of a large model
        (0.69, {"options": (("num_gpu", 10),)}, None),  # that is what was asked for
    ],
)
def test_a_model_that_lies_partly_on_the_cpu_is_told_with_what_to_do(
    share: float, changes: dict[str, Any], sentence: str | None
) -> None:
    of = cell(**changes)
    seen = told(
        of, [observation(of, [sample()], placement=placement(size=1000, size_vram=round(1000 * share)))]
    )
    found = CHECKS["GPU share"].flags(seen)
    assert [one.sentence for one in found] == ([] if sentence is None else [sentence])
    assert all("smaller num_ctx or quantization" in one.action and one.visits == (0,) for one in found)


GPU = {"gpu0.name": "Card 9000", "gpu0.total": 2000}


@pytest.mark.parametrize(
    ("facts", "told_of"),
    [(GPU, True), (GPU | {"gpu0.total": 900}, False), (GPU | {"engine.device": "cpu"}, False), ({}, False)],
)
def test_a_model_that_would_fit_on_the_gpu_and_is_not_there_is_told(
    facts: dict[str, Any], *, told_of: bool
) -> None:
    seen = told(FINE, [observation(FINE, [sample()], placement=placement(size=1000, size_vram=0))])
    found = CHECKS["GPU share"].flags(replace(seen, facts=facts))
    sentence = "the model ran on the CPU, although it would fit into the memory of Card 9000"
    assert [one.sentence for one in found] == ([sentence] if told_of else [])


def test_visits_with_another_share_on_the_gpu_are_told_with_how_much_ran_on_the_cpu() -> None:
    placed = [placement(size=100, size_vram=vram) for vram in (100, 60, 80)]
    seen = [observation(FINE, [sample()], repeat=turn, placement=one) for turn, one in enumerate(placed)]
    assert said("GPU share", FINE, *seen) == ["20 % to 40 % of the model ran on the CPU, the rest on the GPU"]
    assert said("placement", FINE, *seen) == [
        "visits differ in the share of the model in GPU memory (60 % to 100 %) and are pooled all the same"
    ]


def test_a_model_that_is_not_the_one_of_the_card_is_told_once() -> None:
    sentence = f"{FINE.model} changed during the run: its digest is now bbbbbbbbbbbb"
    other = placement(digest="b" * 64, doubts=(sentence,))
    seen = told(FINE, [observation(FINE, [sample()], placement=other)])
    found = CHECKS["model digest"].flags(replace(seen, card=card(FINE.model)))
    assert [one.sentence for one in found] == [sentence]


AFTER = [
    ("model", {"digest": "b" * 64}, "bbbbbbbbbbbb"),
    ("model", {"context_length": 1024}, "from 2048 to 1024"),
    ("runner", {"runner_pid": 4712}, "loaded again"),
    ("other models", {"others": ("big:70b",)}, "big:70b"),
    ("model", {}, None),
    ("runner", {}, None),
]


@pytest.mark.parametrize(("check", "after", "part"), AFTER)
def test_what_changed_in_memory_while_it_was_measured_is_told(
    check: str, after: dict[str, Any], part: str | None
) -> None:
    seen = observation(FINE, [sample()], placement=placement(), after=placement(**after))
    found = said(check, FINE, seen)
    assert len(found) == (part is not None)
    assert all(one.startswith("visit 1: ") and str(part) in one for one in found)


def test_another_model_in_memory_is_told_from_its_name_or_from_an_old_runs_doubt() -> None:
    old = placement(doubts=("also in memory: big:70b",))
    assert said("other models", FINE, observation(FINE, [sample()], placement=old)) == [
        "also in memory: big:70b"
    ]
    new = placement(doubts=("also in memory: big:70b",), others=("big:70b",))
    assert said("other models", FINE, observation(FINE, [sample()], placement=new)) == [
        "visit 1: other models were in memory: big:70b"
    ]


def test_what_a_placement_says_and_no_check_knows_is_told_all_the_same() -> None:
    odd = placement(doubts=("the server does not list smollm2:135m as loaded after loading it",))
    assert said("placement", FINE, observation(FINE, [sample()], placement=odd)) == list(odd.doubts)


# --- slots ----------------------------------------------------------------------------------------------------


def test_slots_other_than_the_user_believes_in_are_told_with_what_to_set() -> None:
    seen = told(FINE, [observation(FINE, [sample()], placement=placement(parallel=1))])
    (flag,) = CHECKS["slots"].flags(replace(seen, settings={"server.parallel": 4}))
    assert flag.sentence == (
        "the scenario says `[server] parallel = 4`, the server has 1 slot (by the runner's command line)"
    )
    assert "OLLAMA_NUM_PARALLEL=4" in flag.action
    assert CHECKS["slots"].flags(replace(seen, settings={"server.parallel": 1})) == ()
    assert CHECKS["slots"].flags(replace(seen, settings={"server.parallel": None})) == ()


def test_more_streams_than_slots_come_with_the_setting_that_would_do() -> None:
    wide = cell(concurrency=4)
    (flag,) = CHECKS["slots"].flags(
        told(wide, [observation(wide, [sample()], placement=placement(parallel=1))])
    )
    assert flag.sentence == "4 streams on 1 slot: this measures the queue"
    assert flag.action == (
        "start the server with OLLAMA_NUM_PARALLEL=4 and set `[server] parallel = 4`, or sweep concurrency only up to 1"
    )
