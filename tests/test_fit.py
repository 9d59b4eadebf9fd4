"""`olbench fit`: what it loads, what it refuses to load, and the tables that it prints."""

import tomllib
from dataclasses import replace
from typing import Any

import pytest
from builders import card, cell
from test_footprint import MB, WEIGHTS, bytes_at, exact, load, only

from olbench import cli, footprint, scenario
from olbench.errors import UsageError
from olbench.footprint_loads import FREE_RAM, LEARNED
from olbench.model import Plan, Visit
from olbench.report.columns import width_of
from olbench.report.fitting import show
from olbench.report.tables import fitting
from olbench.verbs import fit, fit_plan
from olbench.verbs.fit_plan import Room, Wish

GIB = 2**30
WISH = Wish(
    models=("m:1b",), quantizations=(), contexts=(), slots=None, url="http://127.0.0.1:11434", engine=None, token_env=None
)  # fmt: skip


def wish(**changes: Any) -> Wish:
    return replace(WISH, **changes)


# --- what is loaded -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trained", "asked", "loaded"),
    [
        (131_072, (), (2048, 4096, 8192)),
        (8192, (), (1024, 2048, 4096)),  # so that 8192 is left to be predicted
        (2048, (), (256, 512, 1024)),
        (None, (), (2048, 4096, 8192)),
        (131_072, (4096,), (768, 1024, 2048)),
        (131_072, (4096, 65_536), (2048, 4096, 8192)),
        (512, (), (256,)),
        (128, (), ()),
    ],
)
def test_small_contexts_are_loaded_so_that_a_larger_one_is_left(
    trained: int | None, asked: tuple[int, ...], loaded: tuple[int, ...]
) -> None:
    assert fit_plan.ladder(card("m:1b", context_length=trained), asked) == loaded


def test_the_prompt_fills_a_batch_where_it_finds_room() -> None:
    assert fit_plan.prompt([(2048, 4096), (1024,)]) == 512
    assert fit_plan.prompt([(768, 1024, 2048)]) == 512
    assert fit_plan.prompt([(256, 512, 1024)]) == 128


def test_its_scenario_is_one_as_any_other() -> None:
    text = fit_plan.text(wish(quantizations=("q8_0", "q4_0"), models=('a"b', "c")), (1024, 2048), 512)
    assert tomllib.loads(text)["sweep"]["model"] == ['a"b', "c"]
    found = scenario.parse(text, path="olbench fit", environ={})
    assert (found.name, found.values("num_ctx"), found.values("quantization")) == (
        "fit",
        (1024, 2048),
        ("q8_0", "q4_0"),
    )
    assert (found.measure.cold_load, found.measure.requests, found.measure.repeats) == (True, 1, 1)
    assert found.server.url == "http://127.0.0.1:11434"


def test_an_engine_of_our_own_has_one_slot_unless_told_otherwise() -> None:
    own = wish(url=None, engine="embedded")
    assert [
        scenario.parse(fit_plan.text(one, (1024,), 64), path="f", environ={}).server.parallel
        for one in (own, replace(own, slots=4), WISH)
    ] == [1, 4, None]


def a_plan(*contexts: int) -> Plan:
    cells = tuple(cell(num_ctx=num_ctx, model="m:1b", base="m:1b") for num_ctx in contexts)
    return Plan(cells, tuple(Visit(seq, one.id, 0) for seq, one in enumerate(cells)), 0, ())


def test_what_would_make_the_machine_swap_is_not_loaded_and_why_is_said() -> None:
    # 1 GB of weights, a tenth more for what is kept twice, half a GiB of buffers, 1 MB a token: 1024 fit into 3 GiB.
    known = card("m:1b", size=10**9, kv_bytes_per_token=1e6, context_length=131_072)
    made, refused = fit_plan.kept(a_plan(2048, 4096, 8192), [known], WISH, Room(4 * GIB, None))
    assert [one.num_ctx for one in made.cells] == [2048]
    assert len(made.visits) == 1
    why = "are free for it: it is not loaded, so that the machine does not swap"
    assert refused == (
        f"m:1b at num_ctx 4,096 would take 5.34 GiB or so and 4.00 GiB {why}",
        f"m:1b at num_ctx 8,192 would take 9.15 GiB or so and 4.00 GiB {why}",
    )


def test_gpu_memory_counts_as_room_and_unknown_room_refuses_nothing() -> None:
    known = card("m:1b", size=10**9, kv_bytes_per_token=1e6, context_length=131_072)
    for room in (Room(4 * GIB, 8.0 * GIB), Room(None, None)):
        made, refused = fit_plan.kept(a_plan(2048, 4096, 8192), [known], WISH, room)
        assert (len(made.cells), refused) == (3, ())


def test_contexts_of_other_models_are_left_out() -> None:
    small = card("m:1b", context_length=8192, size=MB)
    made, _ = fit_plan.kept(a_plan(512, 1024, 2048, 4096, 8192), [small], WISH, Room(None, None))
    assert [one.num_ctx for one in made.cells] == [1024, 2048, 4096]


@pytest.mark.parametrize(
    ("most", "asked", "target"),
    [
        (8192, (), 8192),
        (131_072, (), 131_072),
        (131_072, (16_384, 32_768), 32_768),
        (20_000, (16_384, 32_768), 16_384),  # the larger one does not fit
        (4096, (), 3072),  # all that fits was measured
        (4096, (4096,), 3072),
        (None, (), None),
    ],
)
def test_one_load_confirms_at_a_context_that_was_not_measured(
    most: int | None, asked: tuple[int, ...], target: int | None
) -> None:
    assert fit_plan.target((1024, 2048, 4096), most, asked) == target


# --- the command line ---------------------------------------------------------------------------------------------


def test_a_url_and_an_engine_are_one_too_many(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["fit", "m:1b", "--url", "http://127.0.0.1:1", "--engine", "embedded"]) == 2
    assert capsys.readouterr().err == (
        "olbench: --url names a server and --engine starts one; one of the two would do\n"
    )


@pytest.mark.parametrize("words", ["many", "-1", "8", "4096,0", "99999999999999999999"])
def test_contexts_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(
        UsageError, match=r"--num-ctx .*: it is no number of tokens of 256 or more; 8192,32768 would do"
    ):
        fit._contexts(words)


def test_contexts_are_told_once_and_in_order() -> None:
    assert fit._contexts("8192, 4096,8192") == (4096, 8192)


# --- the tables ---------------------------------------------------------------------------------------------------


def confirmed() -> footprint.Footprint:
    learned = " ".join(one.cell.id for one in exact(1024, 2048, 4096))
    settings = {LEARNED: learned, FREE_RAM: 1.5 * GIB}
    return only([*exact(1024, 2048, 4096, settings=settings), load(12_288, 510 * MB, settings=settings)])


def test_predicted_and_measured_stand_apart() -> None:
    rows = fitting.loads(confirmed(), (1024, 12_288, 16_384))
    assert [(one.num_ctx, one.predicted is not None, one.measured is not None, one.fits) for one in rows] == [
        (1024, False, True, True),
        (2048, False, True, True),
        (4096, False, True, True),
        (12_288, True, True, True),
        (16_384, True, False, False),
    ]
    table = fitting.what_fits([confirmed()], (12_288, 16_384))
    assert [row[5].text for row in table.rows] == ["", "", "", "+0.6 %", ""]
    assert [row[6].text for row in table.rows] == ["yes"] * 4 + ["no"]


def test_the_largest_contexts_have_a_column_a_number_of_slots() -> None:
    table = fitting.largest([confirmed()])
    assert [head.text for head in table.headings] == [
        "Largest num_ctx",
        "1 slot",
        "2 slots",
        "4 slots",
        "8 slots",
    ]
    assert [one.text for one in table.rows[0]] == ["m:1b", "13,312", "6,656", "3,328", "1,536"]


def test_a_context_that_is_all_a_model_was_made_for_is_marked() -> None:
    table = fitting.largest([only(exact(1024, 2048, 4096, card={"context_length": 8192}))])
    assert [(one.text, one.small) for one in table.rows[0][1:]] == [("8,192", "all")] * 4
    assert table.note == "all: as much as the model was made for"


def test_what_lies_far_beyond_is_marked() -> None:
    found = only(exact(1024, 2048, 4096))
    rows = {one.num_ctx: one.far for one in fitting.loads(found, (65_536, 131_072))}
    assert (rows[65_536], rows[131_072]) == (False, True)
    assert "figures marked * lie far beyond what was measured" in show([found])


def test_contexts_that_a_model_was_not_made_for_are_named_as_that() -> None:
    said = list(
        fitting.sentences(only(exact(1024, 2048, 4096, card={"context_length": 8192})), (4096, 32_768))
    )
    assert said[-1] == "m:1b: made for 8,192 tokens of context, no more are told of"


def test_the_page_of_text_fits_100_columns() -> None:
    wide = replace(
        confirmed(), label="registry.example.org/somebody/a-model-with-a-long-name:27b-instruct q4_K_M"
    )
    text = show([wide, confirmed()])
    assert max(map(width_of, text.splitlines())) <= 100
    assert "512 MiB of memory are there for a model" in text
    assert (
        "weights 138 MiB, 24.4 KiB a token of context and slot (by its metadata 24.4 KiB), 52.6 MiB beside them"
        in " ".join(text.split())
    )


def test_numbers_are_those_of_the_machine() -> None:
    assert (WEIGHTS, bytes_at(8192)) == (144_800_000, 404_800_000)
