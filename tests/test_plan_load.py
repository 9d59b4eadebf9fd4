"""Cells with a load or a mix: what they hold, and what stands against them."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from cards import PLAIN, installed

from olbench import estimate, plan, plan_words, scenario, trace
from olbench.arrival import Arrival, Load, Share
from olbench.errors import UsageError
from olbench.estimate import Memory, Rates
from olbench.model import ModelCard, Plan
from olbench.trace import Trace

ONE = 'question = "Which?"\n[sweep]\nmodel = "llama3.2:3b"\n'
PEOPLE = (
    "[persona]\nusers = 20\nquestions_per_hour = 12\nprompt_tokens = 600\noutput_tokens = 250\nturns = 4\n"
)
REPLAY = '[load]\npattern = "replay"\nfile = "calls.csv"\nspeed = 2\n[measure]\nrequests = 2\nwarmup = 0\n'
CALLS = trace.of("time,prompt_tokens,output_tokens\n0,100,20\n1,300,40\n9,9000,900\n", "calls.csv")
S = 10**9


def expand(text: str, catalog: Sequence[ModelCard] = (PLAIN,), calls: Trace | None = None) -> Plan:
    return plan.expand(scenario.parse(text, path="a.toml", environ={}), catalog, 0, calls)


def faults(text: str, catalog: Sequence[ModelCard] = (PLAIN,), calls: Trace | None = None) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        expand(text, catalog, calls)
    return caught.value.faults


# --- ids -----------------------------------------------------------------------------------------------------


def test_cells_without_a_load_or_a_mix_keep_the_ids_that_they_had_before_those_existed() -> None:
    assert [cell.id for cell in expand(ONE + "concurrency = [1, 4]\n").cells] == [
        "e1737e8cbe49",
        "65e4961b967a",
    ]


def test_a_cell_with_another_load_is_another_cell_and_without_it_the_same_again() -> None:
    (cell,) = expand(ONE).cells
    steady = Load(pattern="steady", rate=2.0)
    loaded = plan.at_load(cell, steady)
    assert (loaded.load, loaded.concurrency) == (steady, 1)
    assert loaded.id != cell.id
    assert loaded.id != plan.at_load(cell, replace(steady, rate=3.0)).id
    assert plan.at_load(loaded, steady) == loaded
    assert plan.without_load(loaded) == cell
    assert plan.at_load(plan.at_streams(cell, 4), steady) == loaded
    assert loaded == expand(ONE + 'rate = 2\n[load]\npattern = "steady"\n').cells[0]


def test_a_cell_at_other_streams_or_lengths_is_the_cell_of_a_scenario_that_says_so() -> None:
    (cell,) = expand(ONE).cells
    assert plan.at_streams(cell, 4) == expand(ONE + "concurrency = 4\n").cells[0]
    assert plan.at_prompt(cell, 64, 32) == expand(ONE + "prompt_tokens = 64\noutput_tokens = 32\n").cells[0]


# --- loads ---------------------------------------------------------------------------------------------------


def test_each_rate_is_a_cell_with_the_pattern_of_the_load() -> None:
    cells = expand(ONE + 'rate = [1, 4]\n[load]\npattern = "ramp"\nstart_rate = 0.5\n').cells
    assert [cell.load for cell in cells] == [
        Load(pattern="ramp", start_rate=0.5, rate=1.0),
        Load(pattern="ramp", start_rate=0.5, rate=4.0),
    ]
    assert {cell.concurrency for cell in cells} == {1}


def test_each_number_of_users_is_a_cell_of_sessions_with_the_personas_lengths() -> None:
    cells = expand(ONE + "users = [5, 10]\n" + PEOPLE).cells
    assert [cell.load.users for cell in cells if cell.load is not None] == [5, 10]
    assert cells[0].load == Load(
        pattern="sessions", users=5, questions_per_hour=12.0, turns=4, think_ns=30 * S
    )
    assert {(cell.prompt_tokens, cell.output_tokens) for cell in cells} == {(600, 250)}
    (target,) = expand(ONE + PEOPLE).cells
    assert target.load is not None
    assert target.load.users == 20


def test_a_search_by_rate_has_cells_without_one() -> None:
    made = expand(ONE + '[load]\npattern = "steady"\n[slo]\nttft_p95 = 1\n[size]\nmost = 9\n')
    assert made.cells == expand(ONE).cells
    assert made.notes == ("no cell has a rate: `olbench size` seeks it, `olbench run` measures one stream",)


def test_own_prompts_come_as_a_load_as_well() -> None:
    (cell,) = expand(ONE + 'rate = 2\n[workload]\nprompts = ["Hi"]\n').cells
    assert (cell.prompt_tokens, cell.load) == (None, Load(pattern="poisson", rate=2.0))


def test_a_replay_holds_the_digest_of_its_trace_and_the_longest_answer_that_it_replays() -> None:
    (cell,) = expand(ONE + REPLAY, calls=CALLS).cells
    assert cell.load == Load(pattern="replay", trace=CALLS.digest, speed=2.0)
    assert (cell.prompt_tokens, cell.output_tokens) == (None, 40)


def test_a_context_too_small_for_a_trace_is_refused() -> None:
    text = ONE + "num_ctx = [256, 512]\n" + REPLAY
    (fault,) = faults(text, calls=CALLS)
    assert fault == (
        "a.toml: sweep.num_ctx is 256, but the longest prompt and answer of calls.csv have 340 tokens; "
        "a whole number of at least 340 would do"
    )


@pytest.mark.parametrize(
    ("requests", "note"),
    [
        (2, "a visit replays the first 2 of 3 requests of calls.csv"),
        (3, None),
        (9, "a visit replays all 3 requests of calls.csv"),
    ],
)
def test_how_much_of_a_trace_is_replayed_is_told(requests: int, note: str | None) -> None:
    text = ONE + "num_ctx = 16384\n" + REPLAY.replace("requests = 2", f"requests = {requests}")
    told = [one for one in expand(text, calls=CALLS).notes if "calls.csv" in one]
    assert told == (
        [] if note is None else [f"{note}: measure.warmup and measure.requests come to {requests}"]
    )


def test_a_model_whose_context_is_too_small_for_a_conversation_is_refused() -> None:
    small = replace(PLAIN, context_length=3000)
    (fault,) = faults(ONE + PEOPLE, [small])
    assert fault == (
        "a.toml: sweep.model: llama3.2:3b has a context of 3000 tokens, too small for prompt and answer of 3400; "
        "fewer tokens, or an exclude rule for this model, would do"
    )


def test_a_model_with_one_slot_lets_a_load_wait() -> None:
    alone = replace(PLAIN, family="qwen35")
    words = "the server answers one request of llama3.2:3b at a time: what comes meanwhile waits"
    assert words in expand(ONE + "rate = 2\n", [alone]).notes
    assert words not in expand(ONE, [alone]).notes
    assert words not in expand(ONE + "rate = 2\n").notes


# --- mixes ---------------------------------------------------------------------------------------------------

MIX = '[[mix]]\nweight = 3\nprompt_tokens = 64\noutput_tokens = 200\n[[mix]]\nmodel = "qwen3:4b"\nquantization = "q8_0"\n'
TWO = installed("llama3.2:3b=Q4_K_M", "qwen3:4b=Q4_K_M", "qwen3:4b-q8_0=Q8_0")


def test_parts_of_a_mix_are_resolved_as_the_sweep_is() -> None:
    (cell,) = expand(ONE + MIX, TWO).cells
    small = Share(
        model="llama3.2:3b",
        base="llama3.2:3b",
        quantization="Q4_K_M",
        weight=3.0,
        prompt_tokens=64,
        output_tokens=200,
    )
    large = Share(
        model="qwen3:4b-q8_0",
        base="qwen3:4b",
        quantization="q8_0",
        weight=1.0,
        prompt_tokens=256,
        output_tokens=128,
    )
    assert cell.mix == (small, large)
    assert (cell.model, cell.base, cell.quantization) == ("llama3.2:3b", "llama3.2:3b", "Q4_K_M")
    assert (cell.prompt_tokens, cell.output_tokens) == (256, 200)
    assert plan.at_load(cell, Load(pattern="steady", rate=1.0)).mix == cell.mix


def test_a_mix_of_models_needs_all_of_them_and_each_is_named_where_it_is_asked_for() -> None:
    asked = scenario.parse(ONE + MIX, path="a.toml", environ={})
    assert plan.missing(asked, [PLAIN]) == ("qwen3:4b-q8_0",)
    assert plan.used(asked, TWO) == ("llama3.2:3b", "qwen3:4b-q8_0")
    (fault, _) = faults(ONE + MIX)
    assert fault.startswith("a.toml: mix[1].quantization: qwen3:4b is not installed at q8_0")
    (fault, _) = faults(ONE + MIX.replace('quantization = "q8_0"\n', ""))
    assert fault.startswith("a.toml: mix[1].model: qwen3:4b is not installed")


def test_a_swept_model_is_the_model_of_parts_that_name_none() -> None:
    text = (
        ONE.replace('"llama3.2:3b"', '["llama3.2:3b", "qwen3:4b"]')
        + "[[mix]]\nweight = 1\n[[mix]]\nprompt_tokens = 64\n"
    )
    cells = expand(text, TWO).cells
    assert [tuple(share.model for share in cell.mix) for cell in cells] == [
        ("llama3.2:3b", "llama3.2:3b"),
        ("qwen3:4b", "qwen3:4b"),
    ]


def test_people_can_ask_two_models() -> None:
    (cell,) = expand(
        ONE + "num_ctx = 8192\n" + PEOPLE + '[[mix]]\nweight = 1\n[[mix]]\nmodel = "qwen3:4b"\n', TWO
    ).cells
    assert cell.load is not None
    assert [(share.model, share.prompt_tokens) for share in cell.mix] == [
        ("llama3.2:3b", 600),
        ("qwen3:4b", 600),
    ]


# --- in words ------------------------------------------------------------------------------------------------

NINE = "[measure]\nrequests = 8\nwarmup = 1\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            'rate = 3\n[load]\npattern = "steady"\n',
            "3 requests a second, evenly spaced: a visit takes 3.0 s at least",
        ),
        (
            "rate = 1\n",
            (
                "1 request a second at random moments, as people ask who know nothing of each other: "
                "a visit takes 9.0 s at least"
            ),
        ),
        (
            'rate = 2\n[load]\npattern = "ramp"\nstart_rate = 0\n',
            "requests that grow from 0 to 2 a second: a visit takes 9.0 s at least",
        ),
        (
            'rate = 0.1\n[load]\npattern = "burst"\nburst = 5\n',
            "0.1 requests a second, 5 of them at once: a visit takes 1 min 30 s at least",
        ),
        (
            PEOPLE,
            (
                "20 users who each ask 12 questions an hour, 4 to a conversation, with 30 s to think between them: "
                "a visit takes 2 min 15 s at least"
            ),
        ),
        (
            PEOPLE.replace("users = 20", "users = 1").replace("turns = 4", "turns = 1"),
            "1 user who asks 12 questions an hour, each question by itself: a visit takes 45 min 00 s at least",
        ),
    ],
)
def test_a_load_in_words_says_how_requests_come_and_how_long_that_takes(text: str, words: str) -> None:
    asked = scenario.parse(ONE + text + NINE, path="a.toml", environ={})
    assert list(plan_words.sentences(plan.expand(asked, [PLAIN]), asked.measure)) == [words]


@pytest.mark.parametrize(
    ("speed", "words"),
    [("1", "requests as they were recorded"), ("2", "requests as they were recorded, 2 times as fast")],
)
def test_a_replay_in_words_says_how_fast_it_is(speed: str, words: str) -> None:
    text = (
        ONE
        + "num_ctx = 16384\n"
        + REPLAY.replace("speed = 2", f"speed = {speed}").replace("requests = 2", "requests = 3")
    )
    asked = scenario.parse(text, path="a.toml", environ={})
    made = plan.expand(asked, [PLAIN], 0, CALLS)
    (found,) = plan_words.sentences(made, asked.measure, CALLS.arrivals)
    assert found == f"{words}: a visit takes {'9.0' if speed == '1' else '4.5'} s at least"


def test_a_mix_in_words_says_how_much_of_it_each_part_is() -> None:
    asked = scenario.parse(ONE + MIX, path="a.toml", environ={})
    assert list(plan_words.sentences(plan.expand(asked, TWO), asked.measure)) == [
        "each request is one of llama3.2:3b with 64 + 200 tokens (75 %), qwen3:4b-q8_0 with 256 + 128 tokens (25 %)"
    ]


# --- estimates -----------------------------------------------------------------------------------------------


def time_of(text: str, rates: Rates, arrivals: Sequence[Arrival] = (), calls: Trace | None = None) -> int:
    """Nanoseconds of one visit, without what a visit costs by itself."""
    asked = scenario.parse(text, path="a.toml", environ={})
    made = plan.expand(asked, TWO, 0, calls)
    names = dict.fromkeys(("llama3.2:3b", "qwen3:4b-q8_0"), rates)
    times = estimate.time(made, asked, TWO, names, arrivals)
    return times.total // len(made.visits) - 2 * S


QUICK = Rates(decode=1e6, prefill=1e6, load_ns=0)
SLOW = Rates(decode=12.8, prefill=256, load_ns=0)  # a request of 256 and 128 tokens: 11 s


def test_a_load_takes_as_long_as_its_requests_take_to_fall_due() -> None:
    nine = "[measure]\nrequests = 8\nwarmup = 1\n"
    assert time_of(ONE + "rate = 0.5\n" + nine, QUICK) == 18 * S
    assert time_of(ONE + 'rate = 2\n[load]\npattern = "ramp"\nstart_rate = 1\n' + nine, QUICK) == 6 * S
    # 20 users of 12 questions an hour ask one every 15 s.
    assert time_of(ONE + PEOPLE + nine, QUICK) == 9 * 15 * S
    assert time_of(ONE + REPLAY, QUICK, CALLS.arrivals, CALLS) == S // 2


def test_a_load_that_the_machine_cannot_keep_up_with_takes_as_long_as_the_machine() -> None:
    assert time_of(ONE + "rate = 0.5\n[measure]\nrequests = 8\nwarmup = 1\n", SLOW) == 99 * S


def test_a_mix_takes_the_mean_of_its_parts_and_the_memory_of_all_its_models() -> None:
    # 3 of 4: 64 / 256 + 200 / 12.8 = 15.875 s; 1 of 4: 11 s. Mean 14.65625 s, of 4 requests.
    text = ONE + MIX + "[measure]\nrequests = 4\nwarmup = 0\n"
    assert time_of(text, SLOW) == round(4 * 14.65625 * S)
    (cell,) = expand(text, TWO).cells
    cards = {card.name: replace(card, size=10**9) for card in TWO}
    # 114,688 B x 4096 tokens, for each of two models.
    context = 2 * 114_688 * 4096
    assert estimate.needs(cell, cards, 1) == Memory(2 * 10**9 + context, 2 * 10**9, context, 1, "")
    del cards["qwen3:4b-q8_0"]
    assert estimate.needs(cell, cards, 1).total is None


def test_memory_of_one_model_is_what_it_was() -> None:
    (cell,) = expand(ONE).cells
    assert estimate.needs(cell, {"llama3.2:3b": PLAIN}, 2) == estimate.memory(cell, PLAIN, 2)
