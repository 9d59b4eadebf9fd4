"""The answer in two sentences: what it says in each kind of run, and what it never claims."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import a_record, cell, observation, readings, record, sample, series, visits

from olbench import answer as answers
from olbench.analysis import analyse
from olbench.findings import CellFinding, Findings
from olbench.model import Cell, Observation

RATES = (
    94.0,
    96.0,
    98.0,
)  # logarithms: s = 0.0208, half = 4.30 * s / sqrt(3) = 0.0518: 96 times e^±0.0518 is 91.1 to 101.1
SLOW = (68.0, 69.0, 70.0)  # 66.6 to 71.5
CLOSE = (93.0, 95.0, 97.0)  # 90.1 to 100.1


def answer(cells: Sequence[Cell], seen: Iterable[Observation], **changes: Any) -> tuple[str, ...]:
    return analyse(record(cells, list(seen), **changes)).answer


def quantized(level: str, **changes: Any) -> Cell:
    return cell(base="smollm2:135m", model=f"smollm2:135m-{level}", quantization=level, **changes)


def with_ram(seen: Iterable[Observation], mib: int) -> list[Observation]:
    return [replace(one, readings=readings(series("server.rss", [mib * 2.0**20] * 9))) for one in seen]


ONE = cell()
Q8, Q4 = quantized("q8_0"), quantized("q4_0")


def test_one_cell_alone_is_described() -> None:
    assert answer([ONE], with_ram(visits(ONE, RATES), 255)) == (
        (
            "At one stream, smollm2:135m decodes at 96.0 tok/s (95 % interval 91.1–101.1) and gives its first token "
            "after 100 ms."
        ),
        "Loading takes 500 ms and the server's RAM peaks at 255 MiB.",
    )


def test_one_cell_with_too_few_visits_has_no_interval_and_says_why() -> None:
    first, _ = answer([ONE], visits(ONE, RATES[:2]))
    assert first == (
        "At one stream, smollm2:135m decodes at 95.0 tok/s (no interval: 2 visits; an interval needs 3) and gives "
        "its first token after 100 ms."
    )


def test_quantizations_are_ranked_where_their_intervals_do_not_overlap() -> None:
    first, second = answer([Q8, Q4], [*visits(Q8, SLOW), *visits(Q4, RATES)])
    assert first == (
        "At one stream, smollm2:135m q4_0 decodes at 96.0 tok/s (95 % interval 91.1–101.1), 1.4 times as fast as "
        "q8_0 (69.0 tok/s, 66.6–71.5)."
    )
    assert second == "For smollm2:135m q4_0, the first token comes after 100 ms and loading takes 500 ms."


def test_overlapping_intervals_cannot_be_told_apart() -> None:
    first, _ = answer([Q8, Q4], [*visits(Q8, CLOSE), *visits(Q4, RATES)])
    assert first == (
        "At one stream, smollm2:135m q4_0 (96.0 tok/s, 95 % interval 91.1–101.1) and q8_0 (95.0 tok/s, 90.1–100.1) "
        "cannot be told apart by decode rate after 3 visits each."
    )


def test_without_intervals_nothing_is_called_faster() -> None:
    first, _ = answer([Q8, Q4], [*visits(Q8, SLOW[:2]), *visits(Q4, RATES[:2])])
    assert first == (
        "At one stream, smollm2:135m q4_0 decodes at 95.0 tok/s and q8_0 reads 68.5 tok/s, but whether they differ "
        "cannot be told (2 visits; an interval needs 3)."
    )


def test_a_quantization_that_could_not_be_measured_is_named() -> None:
    first, _ = answer([Q8, Q4], visits(Q4, RATES), repeats=3)
    assert first.endswith("gives its first token after 100 ms; q8_0 could not be measured.")


def models(*rates: float) -> tuple[list[Cell], list[Observation]]:
    names = ("llama3.2:3b", "qwen3:4b", "gemma3:4b", "phi4:14b")[: len(rates)]
    cells = [cell(base=name, model=name) for name in names]
    pairs = zip(cells, rates, strict=True)
    return cells, [seen for one, rate in pairs for seen in visits(one, (rate - 1, rate, rate + 1))]


def test_of_several_models_the_fastest_is_held_against_the_next() -> None:
    first, _ = answer(*models(60, 80, 59, 20))
    assert first == (
        "At one stream, qwen3:4b decodes at 80.0 tok/s (95 % interval 77.5–82.5), the fastest of 4 and 1.3 times as "
        "fast as the next, llama3.2:3b (60.0 tok/s, 57.6–62.5)."
    )


def test_models_that_tie_stand_together_before_those_that_are_behind() -> None:
    first, _ = answer(*models(60, 60.5, 20))
    assert first == (
        "At one stream, qwen3:4b (60.5 tok/s, 95 % interval 58.1–63.0) and llama3.2:3b (60.0 tok/s, 57.6–62.5) "
        "cannot be told apart by decode rate after 3 visits each; qwen3:4b is 3.0 times as fast as gemma3:4b (20.0 tok/s, 17.6–22.6)."
    )


def test_num_ctx_alone_says_what_the_larger_one_costs() -> None:
    small, large = cell(num_ctx=2048), cell(num_ctx=8192)
    seen = [*with_ram(visits(small, RATES), 255), *with_ram(visits(large, CLOSE), 400)]
    assert answer([small, large], seen) == (
        (
            "At one stream and ctx 2048, smollm2:135m decodes at 96.0 tok/s (95 % interval 91.1–101.1) and gives its "
            "first token after 100 ms."
        ),
        (
            "With ctx 8192 instead of ctx 2048, peak RAM of the server rises from 255 MiB to 400 MiB, while the intervals "
            "are too wide to tell a change in decode rate (96.0 and 95.0 tok/s)."
        ),
    )


def test_concurrency_alone_says_what_more_streams_bring_and_cost() -> None:
    cells = [cell(concurrency=count) for count in (1, 2, 4)]
    seen = [
        one
        for of, prefill_s in zip(cells, (0.08, 0.2, 0.5), strict=True)
        for one in visits(of, (95, 96, 97), requests=1, prefill_s=prefill_s)
    ]
    # One answer takes 0.1 s and 8 tokens at 96 tok/s: 0.183 s, 43.6 tok/s; four at once 0.603 s for 32 tokens.
    assert answer(cells, seen)[1] == (
        "With 4 streams instead of one, system throughput rises from 43.6 tok/s to 53.0 tok/s and time to first token "
        "rises from 100 ms to 520 ms."
    )


def test_an_option_is_named_as_it_is_in_the_scenario() -> None:
    cells = [cell(options=(("num_thread", count), ("seed", 1))) for count in (1, 2)]
    seen = [*visits(cells[0], SLOW), *visits(cells[1], RATES)]
    first, second = answer(cells, seen)
    assert first.startswith("At one stream and num_thread 1, smollm2:135m decodes at 69.0 tok/s")
    assert second.startswith(
        "With num_thread 2 instead of num_thread 1, decode rate rises from 69.0 tok/s to 96.0 tok/s"
    )


def test_two_axes_besides_are_told_in_one_sentence_about_the_best() -> None:
    cells = [
        quantized(level, num_ctx=num_ctx, concurrency=streams)
        for level in ("q8_0", "q4_0")
        for num_ctx in (2048, 8192)
        for streams in (1, 2)
    ]
    seen = [
        one for of in cells for one in visits(of, RATES if of.quantization == "q4_0" else SLOW, requests=1)
    ]
    first, second = answer(cells, seen)
    assert first.startswith("At one stream and ctx 2048, smollm2:135m q4_0 decodes at 96.0 tok/s")
    assert second == (
        "For smollm2:135m q4_0, with 2 streams instead of one, system throughput rises from 43.6 tok/s to 87.3 tok/s "
        "and time to first token stays at 100 ms; with ctx 8192 instead of ctx 2048, model in memory stays at 191 MiB, "
        "while the intervals are too wide to tell a change in decode rate (96.0 tok/s in both)."
    )


def test_what_is_known_comes_first_and_what_is_not_is_joined() -> None:
    cells = [
        quantized("q4_0", num_ctx=num_ctx, concurrency=streams)
        for num_ctx in (2048, 8192)
        for streams in (1, 2)
    ]
    ram = {2048: 286, 8192: 332}
    seen = [
        one
        for of in cells
        for one in with_ram(visits(of, RATES if of.concurrency == 1 else SLOW, requests=1), ram[of.num_ctx])
    ]
    # Every visit waits a tenth of a second longer than the one before: 100, 200, 300 ms; 400, 500, 600 ms.
    later = [
        replace(
            one,
            samples=tuple(replace(each, sent_ns=(each.sent_ns or 0) - place * 10**8) for each in one.samples),
        )
        for place, one in enumerate(seen)
    ]
    _, second = answer(cells, later)
    assert second == (
        "With ctx 8192 instead of ctx 2048, peak RAM of the server rises from 286 MiB to 332 MiB, while the intervals "
        "are too wide to tell a change in decode rate (96.0 tok/s in both) or, with 2 streams instead of one, in system "
        "throughput (29.5 and 26.2 tok/s) and time to first token (182 and 493 ms)."
    )


def test_what_is_compared_is_equal_in_all_else() -> None:
    # q8_0 was measured on two streams only: the comparison moves there.
    cells = [Q4, quantized("q4_0", concurrency=2), quantized("q8_0", concurrency=2)]
    seen = [*visits(Q4, RATES), *visits(cells[1], (59, 60, 61)), *visits(cells[2], (40, 41, 42))]
    first, _ = answer(cells, seen)
    assert first.startswith("At 2 streams, smollm2:135m q4_0 decodes at 60.0 tok/s")


@pytest.mark.parametrize(
    ("rates", "second"),
    [
        (
            RATES,
            ("Of 3 prompts, story takes the longest, 783 ms (779–788), and sum the least, 183 ms (179–188)."),
        ),
        (
            RATES[:2],
            (
                "Of 3 prompts, story takes the longest, 784 ms, and sum the least, 184 ms, but whether they differ cannot "
                "be told (2 visits; an interval needs 3)."
            ),
        ),
    ],
)
def test_of_own_prompts_the_slowest_and_the_quickest_are_named(rates: Sequence[float], second: str) -> None:
    one = cell(prompt_tokens=None)
    # 0.1 s before the first of 8 tokens at 96 tok/s, which the second prompt delays by 0.1 s and the third by 0.6 s.
    seen = [
        observation(
            one,
            [
                sample(index=at, prompt=name, sent_s=1.0 + 9 * at, prefill_s=0.08 + more, gap_s=8 / rate / 7)
                for at, (name, more) in enumerate({"sum": 0.0, "poem": 0.1, "story": 0.6}.items())
            ],
            repeat=repeat,
        )
        for repeat, rate in enumerate(rates)
    ]
    assert answer([one], seen)[1] == second


def test_without_counts_the_first_token_is_the_headline() -> None:
    seen = [
        replace(one, samples=tuple(replace(each, counts=None) for each in one.samples))
        for one in visits(ONE, RATES)
    ]
    first, _ = answer([ONE], seen)
    assert first == "At one stream, smollm2:135m gives its first token after 100 ms."


def test_when_everything_failed_the_answer_says_how() -> None:
    failed = [sample(outcome="stalled", words="no end within 300 s")] * 2 + [sample(outcome="refused")]
    assert answer([ONE], [observation(ONE, failed)]) == (
        (
            "Nothing was measured: none of 3 requests succeeded (2 stalled, 1 refused); most often the server said “no "
            "end within 300 s”."
        ),
    )


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        ([], "Nothing was measured: no visit was taken."),
        ([observation(ONE, problem="out of memory")], "Nothing was measured: out of memory."),
        ([observation(ONE)], "Nothing was measured: no request was sent."),
    ],
)
def test_when_nothing_came_to_a_request_the_answer_says_why(seen: list[Observation], sentence: str) -> None:
    assert answer([ONE], seen, repeats=1) == (sentence,)


def test_long_words_of_a_server_are_cut() -> None:
    (sentence,) = answer([ONE], [observation(ONE, [sample(outcome="http_error", words="<html>\n" * 400)])])
    assert len(sentence) < 300
    assert "\n" not in sentence


def test_a_plan_without_cells_has_an_answer_too() -> None:
    assert answer([], []) == ("Nothing was measured: the plan has no cells.",)


# --- what may not be judged -----------------------------------------------------------------------------------

BUSY = "other programs kept 1.40 cores busy"


def told(cells: Sequence[Cell], seen: Iterable[Observation]) -> Findings:
    return analyse(record(cells, list(seen)))


def with_marks(one: CellFinding, *reasons: str) -> CellFinding:
    """The cell with every visit marked, for these reasons in turn."""
    return replace(
        one, marked={repeat: (reasons[repeat % len(reasons)],) for repeat in range(one.visits_taken)}
    )


def with_error(one: CellFinding, **errors: float) -> CellFinding:
    """The cell with an error of our clock beside some metrics, in seconds."""
    changed = {key: replace(one.summaries[key], error=error) for key, error in errors.items()}
    return replace(one, summaries={**one.summaries, **changed})


def test_a_cell_of_which_every_visit_was_disturbed_is_neither_faster_nor_slower() -> None:
    found = told([Q8, Q4], [*visits(Q8, SLOW), *visits(Q4, RATES)])
    q8, q4 = found.cells
    first, _ = answers.answer((q8, with_marks(q4, BUSY)), found.axes, ())
    assert first == (
        "At one stream, smollm2:135m q8_0 decodes at 69.0 tok/s (95 % interval 66.6–71.5) and gives its first token "
        "after 100 ms; q4_0 cannot be judged: every visit was disturbed (other programs kept 1.40 cores busy)."
    )


def test_a_cell_that_was_disturbed_is_no_other_end_of_a_step() -> None:
    cells = [cell(num_ctx=2048), cell(num_ctx=8192)]
    found = told(cells, [*visits(cells[0], RATES), *visits(cells[1], SLOW)])
    small, large = found.cells
    _, second = answers.answer((small, with_marks(large, BUSY)), found.axes, ())
    assert "8192" not in second


def test_where_nothing_can_be_judged_the_answer_says_why() -> None:
    found = told([Q8, Q4], [*visits(Q8, SLOW), *visits(Q4, RATES)])
    q8, q4 = (with_marks(one, BUSY, "swap grew by 90 MiB") for one in found.cells)
    assert answers.answer((q8, q4), found.axes, ()) == (
        "None of 2 cells can be judged: every visit was disturbed (in visit 1, other programs kept 1.40 cores busy).",
    )
    alone = told([ONE], visits(ONE, RATES))
    assert answers.answer((with_marks(alone.cells[0], BUSY),), alone.axes, ()) == (
        "Nothing can be judged: every visit to smollm2:135m was disturbed (other programs kept 1.40 cores busy).",
    )


def test_a_cell_with_one_sound_visit_is_judged_by_it() -> None:
    found = told([Q8, Q4], [*visits(Q8, SLOW), *visits(Q4, RATES)])
    q8, q4 = found.cells
    some = replace(q4, marked={0: (BUSY,)})
    assert answers.answer((q8, some), found.axes, ()) == found.answer


# --- what our clock cannot see --------------------------------------------------------------------------------


def test_a_first_token_below_the_clocks_error_is_told_as_that() -> None:
    found = told([ONE], visits(ONE, RATES))
    (first, _) = answers.answer((with_error(found.cells[0], ttft=0.12),), found.axes, ())
    assert first.endswith("and gives its first token after less than 120 ms (the error of our own clock).")
    both = told([Q8, Q4], [*visits(Q8, SLOW), *visits(Q4, RATES)])
    _, second = answers.answer([with_error(one, ttft=0.12) for one in both.cells], both.axes, ())
    assert second.startswith(
        "For smollm2:135m q4_0, the first token comes after less than 120 ms (the error of our own clock)"
    )


def test_a_difference_below_the_clocks_error_is_none() -> None:
    cells = [cell(concurrency=count) for count in (1, 2)]
    seen = [
        one for of, wait in zip(cells, (0.08, 0.09), strict=True) for one in visits(of, RATES, prefill_s=wait)
    ]
    found = told(cells, seen)
    assert "time to first token rises from 100 ms to 110 ms" in found.answer[1]
    blurred = [with_error(one, ttft=0.02) for one in found.cells]
    assert answers.answer(blurred, found.axes, ())[1].endswith(
        "the intervals are too wide to tell a change in time to first token (100 and 110 ms, closer than our clock can tell)."
    )
    unseen = [with_error(one, ttft=0.2) for one in found.cells]
    assert "time to first token stays at less than 200 ms" in answers.answer(unseen, found.axes, ())[1]


def test_what_is_faster_than_the_clock_sees_is_so_many_times_faster_at_least() -> None:
    bare = [
        replace(one, samples=tuple(replace(each, counts=None) for each in one.samples))
        for of, wait in ((Q8, 0.98), (Q4, 0.08))
        for one in visits(of, RATES, prefill_s=wait)
    ]
    found = told([Q8, Q4], bare)  # without counts the first token decides: 1,000 ms against 100 ms
    first, *_ = answers.answer([with_error(one, ttft=0.2) for one in found.cells], found.axes, ())
    assert first == (
        "At one stream, smollm2:135m q4_0 gives its first token after less than 200 ms (the error of our own clock), more "
        "than 5.0 times as fast as q8_0 (1.00 s)."
    )


def test_the_answer_is_the_same_every_time() -> None:
    assert analyse(a_record()).answer == analyse(a_record()).answer
    first, second = analyse(a_record()).answer
    assert first.startswith("At one stream and ctx 2048, <script>alert(1)</script> q4_0 decodes at 200 tok/s")
    assert second.startswith("For <script>alert(1)</script> q4_0, with 4 streams instead of one, ")
