"""Two sides, compared: which cells belong together, what is refused, and the verdicts."""

import math
from collections.abc import Sequence
from typing import Any

import pytest
from builders import cell
from comparisons import side, side_cell

from olbench import compare as of_compare
from olbench import margins as of_margins
from olbench.compare import compare, words
from olbench.differences import Comparison, Side, SideCell
from olbench.errors import UsageError
from olbench.metrics import METRICS
from olbench.stats import ratios

AROUND = (0.99, 1.0, 1.01, 1.0, 0.995)


def rates(metric: str, centre: float, spread: Sequence[float] = AROUND) -> dict[str, tuple[float, ...]]:
    return {metric: tuple(centre * one for one in spread)}


def at(decode: float = 50.0, *, marked: int = 0, **asked: Any) -> SideCell:
    of = cell(**asked)
    return side_cell(rates("decode", decode), of=of, label=f"cell {of.id}", marked=marked)


def sides(base: Sequence[SideCell], new: Sequence[SideCell], **changes: Any) -> tuple[Side, Side]:
    return side("baseline.json", base), side("run 2", new, **changes)


def verdicts(made: Comparison) -> list[tuple[str, str]]:
    return [(one.metric, one.verdict) for pair in made.pairs for one in pair.differences]


# --- verdicts -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "factor", "verdict", "word"),
    [
        ("decode", 0.8, "slower", "slower"),
        ("decode", 1.25, "faster", "faster"),
        ("decode", 1.0, "equivalent", "equivalent"),
        ("ttft", 1.3, "slower", "slower"),
        ("ttft", 0.7, "faster", "faster"),
        ("ram_peak", 1.2, "slower", "more"),
        ("ram_peak", 0.8, "faster", "less"),
        ("ram_peak", 1.0, "equivalent", "equivalent"),
        ("energy_per_token", 1.3, "slower", "more"),
    ],
)
def test_a_verdict_knows_which_way_is_better(metric: str, factor: float, verdict: str, word: str) -> None:
    base, new = (side_cell(rates(metric, centre), of=cell()) for centre in (10.0, 10.0 * factor))
    made = compare(*sides([base], [new]))
    (one,) = made.pairs[0].differences
    assert (one.verdict, words(metric, one.verdict)) == (verdict, word)
    assert one.ratio.value == pytest.approx(factor)
    assert one.new.value == pytest.approx(10.0 * factor * math.prod(AROUND) ** 0.2)
    assert one.margin == of_margins.MARGINS[metric].value


def test_every_metric_has_a_word_for_every_verdict() -> None:
    for metric in METRICS:
        for verdict in of_compare.WORDS[True]:
            assert words(metric, verdict)


def test_what_varies_more_than_the_change_cannot_be_told() -> None:
    wild = (0.5, 1.0, 1.5, 0.8, 1.2)
    base, new = (side_cell(rates("decode", centre, wild), of=cell()) for centre in (50.0, 48.0))
    (one,) = compare(*sides([base], [new])).pairs[0].differences
    assert one.verdict == "cannot tell"
    assert one.reason
    assert one.detectable is not None
    assert one.detectable > 0.3


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (side_cell({}, of=cell(), marked=5),
         "the new side cannot be judged by: every visit was disturbed (5 visits)"),
        (side_cell({}, of=cell()), "the new side has no visit in which anything was measured"),
        (side_cell(rates("ttft", 1.0), of=cell()), "the new side has no figure of Decode rate"),
        (side_cell({"decode": (50.0, 51.0)}, of=cell()), "2 visits of new; a verdict needs 3 a side"),
        (side_cell({"decode": (50.0, 0.0, 51.0)}, of=cell()),
         "new has the value 0; ratios are of finite numbers above zero"),
    ],
)  # fmt: skip
def test_why_nothing_can_be_told_is_said(new: SideCell, why: str) -> None:
    found = {one.metric: one for one in compare(*sides([at()], [new])).pairs[0].differences}
    assert (found["decode"].verdict, found["decode"].reason) == ("cannot tell", why)


def test_a_metric_that_nobody_has_is_no_difference() -> None:
    base = side_cell(rates("decode", 50.0) | {"gpu_peak": (0.0, 0.0, 0.0)}, of=cell())
    assert [metric for metric, _ in verdicts(compare(*sides([base], [base])))] == ["decode"]


def test_a_margin_of_the_scenario_moves_the_verdict_and_what_is_asked_goes_before_it() -> None:
    base, new = at(50.0), at(47.0)
    assert verdicts(compare(*sides([base], [new]))) == [("decode", "slower")]
    wide = {"margin.decode": 0.2}
    assert verdicts(compare(*sides([base], [new], settings=wide))) == [("decode", "equivalent")]
    made = compare(*sides([base], [new], settings=wide), margins={"decode": 0.01})
    assert verdicts(made) == [("decode", "slower")]
    assert made.pairs[0].differences[0].margin == 0.01


def test_a_margin_of_a_further_metric_has_it_compared() -> None:
    both = side_cell(rates("warm_load", 0.01), of=cell())
    made = compare(*sides([both], [both]), margins={"warm_load": 0.5})
    assert verdicts(made) == [("warm_load", "equivalent")]


def test_margins_that_are_no_share_are_named_and_those_of_no_metric_passed_over() -> None:
    with pytest.raises(UsageError) as caught:
        of_margins.margins(
            {"margin.decode": "wide", "margin.ttft": -1, "margin.e2e": True, "margin.load": 1e400}
        )
    assert caught.value.faults == (
        'margin.decode: "wide" was found; a share from 0 to 1 such as 0.03 would do',
        "margin.ttft: -1 was found; a share from 0 to 1 such as 0.03 would do",
        "margin.e2e: true was found; a share from 0 to 1 such as 0.03 would do",
        "margin.load: Infinity was found; a share from 0 to 1 such as 0.03 would do",
    )
    assert "prompt_tokens" not in of_margins.margins({"margin.prompt_tokens": 0.1, "margin.nonsense": 0.1})


def test_margins_are_of_metrics_that_have_a_better() -> None:
    assert all(METRICS[name].better != "neither" for name in of_margins.MARGINS)


def test_many_verdicts_at_once_are_corrected_and_it_is_said() -> None:
    # Alone, p is 0.008 and the change is called; beside a hundred others without any it is what chance makes.
    spread = (0.97, 1.0, 1.03, 0.985, 1.015)
    shift = next(
        one for one in (1 + step / 1000 for step in range(100))
        if 0.007 < (ratios.unpaired([*spread], [one * x for x in spread], 0.001).p or 0) < 0.009
    )  # fmt: skip
    base = [side_cell(rates("decode", 50.0, spread), of=cell(num_ctx=1024 + place)) for place in range(20)]
    new = [side_cell(rates("decode", 50.0 * (shift if not place else 1), spread), of=one.cell)
           for place, one in enumerate(base)]  # fmt: skip
    alone = compare(*sides(base[:1], new[:1]), margins={"decode": 0.001})
    assert verdicts(alone) == [("decode", "faster")]
    assert alone.correction == "1 verdict: there is nothing to correct for."
    made = compare(*sides(base, new), margins={"decode": 0.001})
    assert verdicts(made)[0] == ("decode", "cannot tell")
    assert "Benjamini and Hochberg" in made.correction
    assert made.correction.startswith("20 verdicts at once")


def test_the_geometric_mean_is_of_the_ratios_of_all_pairs() -> None:
    ctxs = (1024, 2048, 4096)
    base = [at(50.0, num_ctx=ctx) for ctx in ctxs]
    new = [at(50.0 * factor, num_ctx=ctx) for ctx, factor in zip(ctxs, (1.0, 1.1, 1.21), strict=True)]
    made = compare(*sides(base, new)).geomeans["decode"]
    assert made.value == pytest.approx(1.1)
    assert made.low is not None
    assert made.high is not None
    # Each pair's error is sqrt(2 / 5) times the spread of five logarithms, three of them are averaged, and t is of 24.
    logs = [math.log(one) for one in AROUND]
    spread = math.sqrt(sum((one - sum(logs) / 5) ** 2 for one in logs) / 4)
    assert math.log(made.high / made.low) / 2 == pytest.approx(
        2.0639 * spread * math.sqrt(2 / 5 / 3), rel=1e-4
    )
    assert compare(*sides(base[:1], new[:1])).geomeans == {}


def test_a_geometric_mean_says_which_pairs_it_lacks_and_why_it_has_no_interval() -> None:
    base = [at(num_ctx=ctx) for ctx in (1024, 2048, 4096)]
    new = [*base[:2], side_cell({}, of=base[2].cell)]
    assert compare(*sides(base, new)).geomeans["decode"].reason == "of 2 of 3 pairs: the others have no ratio"
    single = [side_cell({"decode": (50.0,)}, of=one.cell) for one in base]
    made = compare(*sides(base, single)).geomeans["decode"]
    assert (made.low, made.reason) == (None, "a pair has a single visit on one side")
    still = [side_cell({"decode": (50.0, 50.0, 50.0)}, of=one.cell) for one in base]
    assert compare(*sides(still, still)).geomeans["decode"].low == 1.0


# --- pairs ----------------------------------------------------------------------------------------------------


def test_cells_match_by_what_is_asked_and_not_by_their_id() -> None:
    base = at(50.0, options=(("seed", 1), ("temperature", 0.0)), base="smollm2", quantization="q8_0")
    new = at(50.0, options=(("seed", 2), ("temperature", 0)), base="smollm2:135m", quantization="Q8_0")
    assert base.cell.id != new.cell.id
    assert [pair.label for pair in compare(*sides([base], [new])).pairs] == ["smollm2:135m"]


def test_seeds_that_a_run_varies_are_asked_for() -> None:
    cells = [at(options=(("seed", seed),)) for seed in (1, 2)]
    assert [pair.label for pair in compare(*sides(cells, cells)).pairs] == ["seed 1", "seed 2"]


def test_other_seeds_do_not_keep_cells_apart_across_an_axis() -> None:
    base, new = ([at(num_ctx=ctx, options=(("seed", seed),)) for ctx in (1024, 2048)] for seed in (1, 2))
    assert len(compare(*sides(base, new), across="num_ctx").pairs) == 1
    many = [at(options=(("seed", seed),)) for seed in (1, 2, 3)]
    run = side("run 1", many)
    assert [pair.label for pair in compare(run, run, across="seed").pairs] == [
        "smollm2:135m: seed 1 → seed 2",
        "smollm2:135m: seed 1 → seed 3",
        "smollm2:135m: seed 2 → seed 3",
    ]


def test_an_option_that_one_side_leaves_to_the_server_is_a_difference() -> None:
    base, new = at(options=()), at(options=(("num_thread", 4),))
    with pytest.raises(UsageError, match="num_thread default in the base, num_thread 4 on the new side"):
        compare(*sides([base], [new]))
    assert compare(*sides([base], [new]), across="num_thread").pairs[0].label == (
        "smollm2:135m: num_thread default → num_thread 4"
    )


def test_cells_that_only_one_side_has_are_named() -> None:
    both, old, new = at(), at(num_ctx=4096), at(num_ctx=8192)
    made = compare(*sides([both, old], [both, new]))
    assert len(made.pairs) == 1
    assert made.alone == (f"cell {old.cell.id} (baseline.json)", f"cell {new.cell.id} (run 2)")


@pytest.mark.parametrize(
    ("base", "new", "faults"),
    [
        ({"num_ctx": 4096}, {"num_ctx": 8192},
         ["num_ctx: ctx 4096 in the base, ctx 8192 on the new side; `--across num_ctx` compares them"]),
        ({"concurrency": 1}, {"concurrency": 4},
         ["concurrency: ×1 in the base, ×4 on the new side; `--across concurrency` compares them"]),
        ({"cache": "cold"}, {"cache": "warm"},
         ["cache: cold cache in the base, warm cache on the new side; `--across cache` compares them"]),
        ({"api": "chat"}, {"api": "generate"},
         ["api: chat in the base, generate on the new side; `--across api` compares them"]),
        ({"model": "a", "base": "a", "quantization": "q4"}, {"model": "b", "base": "b", "quantization": "q8"},
         ["model: a in the base, b on the new side; `--across model` compares them"]),
        ({"model": "a:q4", "base": "a", "quantization": "q4"}, {"model": "a:q8", "base": "a", "quantization": "q8"},
         ["quantization: q4 in the base, q8 on the new side; `--across quantization` compares them"]),
        ({"options": (("num_thread", 2),)}, {"options": (("num_thread", 4),)},
         ["num_thread: num_thread 2 in the base, num_thread 4 on the new side; `--across num_thread` compares them"]),
        ({"num_ctx": 4096, "concurrency": 1}, {"num_ctx": 8192, "concurrency": 4},
         ["num_ctx: ctx 4096 in the base, ctx 8192 on the new side: cells that differ in one axis alone can be compared",
          "concurrency: ×1 in the base, ×4 on the new side: cells that differ in one axis alone can be compared"]),
    ],
)  # fmt: skip
def test_unlike_cells_are_refused_with_one_sentence_a_difference(
    base: dict[str, Any], new: dict[str, Any], faults: list[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        compare(*sides([at(**base)], [at(**new)]))
    assert list(caught.value.faults) == faults
    if len(base) == len(new) == 1 and "options" not in base:
        (axis,) = base
        assert len(compare(*sides([at(**base)], [at(**new)]), across=axis).pairs) == 1


def test_cells_that_cross_are_refused_with_what_each_side_has() -> None:
    base = [at(num_ctx=1024, concurrency=1), at(num_ctx=2048, concurrency=2)]
    new = [at(num_ctx=1024, concurrency=2), at(num_ctx=2048, concurrency=1)]
    with pytest.raises(UsageError, match="no cell of the base is one of the new side: the base has “cell"):
        compare(*sides(base, new))


def test_a_side_without_cells_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the new side \(run 2\) has no cells"):
        compare(*sides([at()], []))


# --- across ---------------------------------------------------------------------------------------------------


def quantized(label: str, ctx: int, decode: float, base: str = "llama3.2:3b") -> SideCell:
    return at(decode, model=f"{base}-{label}", base=base, quantization=label, num_ctx=ctx)


def test_values_of_one_run_are_compared_in_their_order() -> None:
    found = [quantized(label, ctx, rate) for label, rate in (("q4_0", 60.0), ("q8_0", 40.0), ("f16", 20.0))
             for ctx in (1024, 2048)]  # fmt: skip
    run = side("run 1", found)
    made = compare(run, run, across="quantization")
    assert [pair.label for pair in made.pairs] == [
        "ctx 1024: q4_0 → q8_0",
        "ctx 1024: q4_0 → f16",
        "ctx 2048: q4_0 → q8_0",
        "ctx 2048: q4_0 → f16",
        "ctx 1024: q8_0 → f16",
        "ctx 2048: q8_0 → f16",
    ]
    assert {verdict for _, verdict in verdicts(made)} == {"slower"}
    assert made.alone == ()
    assert made.across == "quantization"


def test_the_bases_value_is_compared_with_the_new_sides() -> None:
    base, new = [at(num_ctx=8192)], [at(num_ctx=4096), at(num_ctx=8192)]
    made = compare(*sides(base, new), across="num_ctx")
    assert [(pair.base.cell.num_ctx, pair.new.cell.num_ctx) for pair in made.pairs] == [(8192, 4096)]
    assert made.pairs[0].label == "smollm2:135m: ctx 8192 → ctx 4096"


def test_models_are_compared_whatever_quantization_they_come_in() -> None:
    base = [quantized("Q8_0", ctx, 50.0, base="a") for ctx in (1024, 2048)]
    new = [quantized("Q4_K_M", ctx, 80.0, base="b") for ctx in (1024, 2048)]
    made = compare(*sides(base, new), across="model")
    assert [pair.label for pair in made.pairs] == ["a → b · ctx 1024", "a → b · ctx 2048"]
    both = [quantized(label, 1024, 50.0, base=name) for name in "ab" for label in ("q4", "q8")]
    run = side("run 1", both)
    assert [
        (pair.base.cell.model, pair.new.cell.model) for pair in compare(run, run, across="model").pairs
    ] == [
        ("a-q4", "b-q4"),
        ("a-q8", "b-q8"),
    ]


@pytest.mark.parametrize(
    ("across", "fault"),
    [
        ("num_ctx", "--across num_ctx: both sides have ctx 2048 alone; two values would do"),
        ("seed", "--across seed: both sides have seed 1 alone; two values would do"),
    ],
)
def test_an_axis_with_one_value_has_nothing_to_compare(across: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        compare(*sides([at()], [at()]), across=across)
    assert caught.value.faults == (fault,)


def test_an_axis_that_nobody_knows_is_named_with_what_would_do() -> None:
    with pytest.raises(UsageError, match="--across ctx: there is no such axis; model, quantization, api"):
        compare(*sides([at()], [at()]), across="ctx")


# --- other work -----------------------------------------------------------------------------------------------


def test_other_work_is_refused_until_it_is_asked_for() -> None:
    base = side(
        "baseline.json", [at()], models={"smollm2:135m": {"digest": "a"}}, settings={"language": "en"}
    )
    new = side("run 2", [at()], models={"smollm2:135m": {"digest": "b"}}, settings={"language": "zh"})
    with pytest.raises(UsageError) as caught:
        compare(base, new)
    assert caught.value.faults == (
        "digest of smollm2:135m: a in the base, b on the new side; `--across digest` compares them all the same",
        "language: en in the base, zh on the new side; `--across prompts` compares them all the same",
    )
    with pytest.raises(UsageError) as caught:
        compare(base, new, across="digest")
    assert len(caught.value.faults) == 1
    same = side("run 2", [at()], models={"smollm2:135m": {"digest": "b"}}, settings={"language": "en"})
    assert [one.what for one in compare(base, same, across="digest").unlike] == ["digest of smollm2:135m"]


def test_another_server_is_compared_and_said() -> None:
    made = compare(*sides([at()], [at()], facts={"server.version": "0.34.0", "os.name": "Linux"}))
    assert [(one.what, one.base, one.new) for one in made.unlike] == [("server.version", "0.33.0", "0.34.0")]


# --- notes ----------------------------------------------------------------------------------------------------


def test_visits_that_are_left_out_are_counted() -> None:
    made = compare(*sides([at(marked=2)], [at(51.0, marked=1)]))
    assert made.notes[:2] == (
        "2 visits of the base were disturbed and left out.",
        "1 visit of the new side was disturbed and left out.",
    )


def test_a_pair_of_which_nothing_is_known_is_noted() -> None:
    made = compare(*sides([side_cell({}, of=cell())], [side_cell({}, of=cell(), marked=3)]))
    assert made.pairs[0].differences == ()
    assert "smollm2:135m: neither side has a visit that it can be judged by." in made.notes


def test_other_lengths_and_other_places_are_noted() -> None:
    lengths = {"prompt_tokens": (98.0,) * 3, "output_tokens": (40.0,) * 3}
    placed = {"model_size": (2e9,) * 3, "model_vram": (2e9,) * 3}
    base = side_cell(rates("decode", 50.0) | lengths | placed, of=cell())
    new = side_cell(rates("decode", 30.0) | lengths | placed
                    | {"prompt_tokens": (120.0,) * 3, "model_vram": (1e9,) * 3}, of=cell())  # fmt: skip
    assert compare(*sides([base], [new])).notes == (
        "smollm2:135m: prompts were not of one length: 98.0 and 120 tokens in the base and on the new side.",
        "smollm2:135m: 100 % of the model lay in GPU memory in the base, 50 % on the new side.",
    )


def test_a_side_against_itself_is_noted() -> None:
    run = side("run 1", [at()])
    assert compare(run, run).notes == ("Both sides are the same visits: nothing can differ.",)


def test_a_run_that_is_planned_and_not_taken_can_be_held_against_a_baseline() -> None:
    made = compare(*sides([at()], [side_cell({}, of=cell())]))
    assert verdicts(made) == [("decode", "cannot tell")]
