"""What a scenario says of people, loads, mixes and service levels, and what that comes to."""

import random
from collections.abc import Sequence

import pytest
from cards import installed

from olbench import plan, scenario, slo
from olbench.arrival import Load, Persona
from olbench.errors import UsageError
from olbench.model import Fact
from olbench.scenario import Part, Scenario, Size
from olbench.scenario_keys import SECTIONS
from olbench.slo import Term

SHORT = 'question = "How many?"\n[sweep]\nmodel = "llama3.2:3b"\n'
PEOPLE = "[persona]\nusers = 20\nquestions_per_hour = 12\nprompt_tokens = 600\noutput_tokens = 250\n"
GOOD = '[slo]\nttft_p95 = "1s"\n'


def parse(text: str, *overrides: str) -> Scenario:
    return scenario.parse(text, path="a.toml", overrides=overrides, environ={})


def faults(text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        parse(text, *overrides)
    return caught.value.faults


def settings(text: str, *sections: str) -> dict[str, Fact]:
    found = scenario.settings(parse(text))
    return {key: value for key, value in found.items() if key.split(".")[0] in sections}


# --- service levels ------------------------------------------------------------------------------------------


def test_a_service_level_is_kept_in_base_units_and_read_back_as_terms() -> None:
    text = SHORT + (
        '[slo]\nttft_p95 = "1500ms"\ntpot_p50 = 0.1\ne2e_p99 = "1m"\nanswer_rate = "10 tok/s"\nsuccess = "99%"\n'
    )
    bounds = {"ttft_p95": 1.5, "tpot_p50": 0.1, "e2e_p99": 60.0, "answer_rate": 10.0, "success": 0.99}
    assert parse(text).slo == bounds
    kept = settings(text, "slo")
    assert kept == {f"slo.{key}": bound for key, bound in bounds.items()}
    assert slo.terms(kept) == (
        Term(key="ttft_p95", aspect="ttft", share=0.95, bound=1.5),
        Term(key="tpot_p50", aspect="tpot", share=0.5, bound=0.1),
        Term(key="e2e_p99", aspect="e2e", share=0.99, bound=60.0),
        Term(key="answer_rate", aspect="answer_rate", share=0.95, bound=10.0),
        Term(key="success", aspect="success", share=0.99, bound=None),
    )


@pytest.mark.parametrize(("value", "rate"), [("10", 10.0), ('"7.5tok/s"', 7.5), ('"8 tok/s"', 8.0)])
def test_a_rate_of_answers_is_a_number_or_tokens_a_second(value: str, rate: float) -> None:
    assert parse(SHORT + f"[slo]\nanswer_rate = {value}\n").slo == {"answer_rate": rate}


def test_without_these_sections_a_scenario_is_what_it_was() -> None:
    plain = parse(SHORT)
    assert (plain.slo, plain.persona, plain.load, plain.trace, plain.mix, plain.size) == (
        *({}, None, None, None),
        *((), None),
    )
    assert settings(SHORT, "slo", "persona", "load", "size") == {}
    assert not {axis.name for axis in plain.axes} & {"rate", "users"}


# --- people --------------------------------------------------------------------------------------------------


def test_people_bring_their_number_and_the_length_of_their_questions() -> None:
    found = parse(SHORT + "num_ctx = 8192\n" + PEOPLE + 'turns = 4\nthink = "45s"\n')
    assert found.persona == Persona(
        users=20,
        questions_per_hour=12.0,
        prompt_tokens=600,
        output_tokens=250,
        turns=4,
        think_ns=45 * 10**9,
    )
    axes = {axis.name: (axis.values, axis.given) for axis in found.axes}
    assert axes["users"] == ((20,), False)
    assert axes["prompt_tokens"] == ((600,), False)
    assert axes["output_tokens"] == ((250,), False)
    assert settings(SHORT + PEOPLE, "persona") == {
        "persona.users": 20,
        "persona.questions_per_hour": 12.0,
        "persona.prompt_tokens": 600,
        "persona.output_tokens": 250,
        "persona.turns": 1,
        "persona.think_ns": 30 * 10**9,
    }


def test_numbers_of_users_that_are_swept_come_before_the_target() -> None:
    assert parse(SHORT + "users = [5, 10]\n" + PEOPLE).values("users") == (5, 10)


def test_a_conversation_of_turns_that_all_fit_is_no_fault() -> None:
    assert parse(SHORT + "num_ctx = 3400\n" + PEOPLE + "turns = 4\n").values("num_ctx") == (3400,)
    (fault,) = faults(SHORT + "num_ctx = 3399\n" + PEOPLE + "turns = 4\n")
    assert fault.endswith("a whole number of at least 3400, or persona.turns of at most 3, would do")


def test_a_context_that_holds_no_turn_at_all_names_no_number_of_turns() -> None:
    (fault,) = faults(SHORT + "num_ctx = 512\n" + PEOPLE + "turns = 4\n")
    assert fault == (
        "a.toml:4: sweep.num_ctx is 512, too small for 4 turns of prompt_tokens 600 + output_tokens 250, 3400 in all; "
        "a whole number of at least 3400, or an exclude rule for these values, would do"
    )


def test_people_who_pause_as_long_as_they_may_are_no_fault() -> None:
    # Three pauses of 30 s in conversations that begin every 4 x 3600 / 150 = 96 s; at 160 an hour every 90 s.
    many = PEOPLE.replace("= 12\n", "= 150\n") + "turns = 4\n"
    assert parse(SHORT + many) is not None
    assert len(faults(SHORT + many.replace("150", "160"))) == 1


# --- loads ---------------------------------------------------------------------------------------------------


def test_a_rate_by_itself_is_a_poisson_load() -> None:
    found = parse(SHORT + "rate = [1, 2.5]\n")
    assert (found.load, found.values("rate")) == (Load(pattern="poisson"), (1.0, 2.5))
    assert settings(SHORT + "rate = 1\n", "load") == {"load.pattern": "poisson"}


@pytest.mark.parametrize(
    ("section", "load", "kept"),
    [
        ('pattern = "steady"', Load(pattern="steady"), {}),
        (
            'pattern = "ramp"\nstart_rate = 0',
            Load(pattern="ramp", start_rate=0.0),
            {"load.start_rate": 0.0},
        ),
        ('pattern = "burst"\nburst = 8', Load(pattern="burst", burst=8), {"load.burst": 8}),
    ],
)
def test_a_load_is_a_pattern_with_what_belongs_to_it(section: str, load: Load, kept: dict[str, Fact]) -> None:
    text = f"{SHORT}rate = 2\n[load]\n{section}\n"
    assert parse(text).load == load
    assert settings(text, "load") == {"load.pattern": load.pattern, **kept}


def test_a_replay_has_a_file_and_a_speed_and_no_length_of_ours() -> None:
    text = SHORT + '[load]\npattern = "replay"\nfile = "calls.jsonl"\n'
    found = parse(text)
    assert (found.load, found.trace) == (Load(pattern="replay", speed=1.0), "calls.jsonl")
    assert found.values("prompt_tokens") == ()
    kept = {"load.pattern": "replay", "load.file": "calls.jsonl", "load.speed": 1.0}
    assert settings(text, "load") == kept
    assert settings(text + "speed = 20\n", "load") == {**kept, "load.speed": 20.0}


@pytest.mark.parametrize(
    "text",
    [
        SHORT + 'rate = 2\n[workload]\nprompts = ["a", "b"]\n',
        SHORT + 'rate = 2\n[workload]\ncache = "warm"\n',
        SHORT + '[workload]\nprompts = ["a"]\ncache = "warm"\n[load]\npattern = "replay"\nfile = "x.csv"\n',
        SHORT + "rate = 2\nconcurrency = 1\n",
        SHORT + "concurrency = 1\n" + PEOPLE,
        SHORT + "rate = 2\n[measure]\nrequests = 100\ncold_load = true\n",
    ],
)
def test_what_may_stand_beside_a_load(text: str) -> None:
    assert parse(text).load is not None or parse(text).persona is not None


# --- mixes ---------------------------------------------------------------------------------------------------


def test_parts_of_a_mix_leave_to_the_sweep_what_they_do_not_say() -> None:
    found = parse(
        SHORT + '[[mix]]\nweight = 3\nprompt_tokens = 64\n[[mix]]\nmodel = "b"\nquantization = "q8_0"\n'
    )
    assert found.mix == (
        Part(model=None, quantization=None, weight=3.0, prompt_tokens=64, output_tokens=None),
        Part(model="b", quantization="q8_0", weight=1.0, prompt_tokens=None, output_tokens=None),
    )


def test_a_mix_that_names_all_its_models_needs_none_of_the_sweep() -> None:
    text = 'question = "Which?"\n[sweep]\nnum_ctx = 2048\n[[mix]]\nmodel = "a"\n[[mix]]\nmodel = "b"\n'
    assert parse(text).values("model") == ("a",)


def test_every_fault_of_every_part_is_told() -> None:
    found = faults(SHORT + '[[mix]]\nweight = "x"\noutput = 3\n[[mix]]\nprompt_tokens = 1\nnum_ctx = 7\n')
    assert found == (
        'a.toml:5: mix[0].weight is "x"; a number above 0 would do',
        "a.toml:6: mix[0].output is no key of [[mix]]; did you mean output_tokens?",
        "a.toml:8: mix[1].prompt_tokens is 1; a whole number of at least 8 would do",
        "a.toml:9: mix[1].num_ctx is no key of [[mix]]; it belongs into [sweep]",
    )


# --- what is sought ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "by", "ends"),
    [
        (SHORT + GOOD, "concurrency", (1.0, 64.0)),
        (SHORT + PEOPLE + GOOD, "users", (1.0, 200.0)),
        (SHORT + "rate = [2, 4]\n" + GOOD, "rate", (0.2, 40.0)),
    ],
)
def test_what_is_sought_and_how_far_comes_from_the_load(text: str, by: str, ends: Sequence[float]) -> None:
    found = parse(text + "[size]\n").size
    assert found == Size(
        by=by, least=ends[0], most=ends[1], step=0.1, probes=15, requests=200, effort="usual"
    )


def test_a_search_can_be_told_how_far_and_how_closely() -> None:
    text = (
        SHORT
        + GOOD
        + '[size]\nby = "rate"\nleast = 0.5\nmost = 20\nstep = "5%"\nprobes = 9\nrequests = 80\neffort = "sharp"\n'
    )
    found = parse(text)
    assert found.size == Size(
        by="rate", least=0.5, most=20.0, step=0.05, probes=9, requests=80, effort="sharp"
    )
    assert settings(text, "size") == {
        "size.by": "rate",
        "size.least": 0.5,
        "size.most": 20.0,
        "size.step": 0.05,
        "size.probes": 9,
        "size.requests": 80,
        "size.effort": "sharp",
    }


def test_a_search_by_rate_takes_the_pattern_of_the_load_and_needs_no_rate() -> None:
    found = parse(SHORT + GOOD + '[load]\npattern = "steady"\n[size]\nmost = 20\n')
    assert found.size is not None
    assert (found.size.by, found.load) == ("rate", Load(pattern="steady"))


def test_faults_of_several_sections_are_told_at_once() -> None:
    found = faults(
        SHORT + 'rate = 0\n[slo]\nttft = 1\n[load]\npattern = "ramp"\n[size]\nprobes = 0\n' + PEOPLE
    )
    assert [fault.split(" ")[1] for fault in found] == [
        *("sweep.rate", "sweep.rate", "slo.ttft", "load", "size.probes"),
    ]


def test_all_of_it_can_be_said_on_the_command_line() -> None:
    found = parse(SHORT + PEOPLE, "persona.users=5", "slo.ttft_p95=2s", "size.most=12", "persona.turns=2")
    assert found.persona is not None
    assert (found.persona.users, found.persona.turns, found.slo) == (5, 2, {"ttft_p95": 2.0})
    assert found.size is not None
    assert found.size.most == 12.0


BASES = (
    SHORT + PEOPLE + "turns = 2\n" + GOOD + "[size]\nmost = 9\n",
    SHORT + 'rate = [1, 2]\n[load]\npattern = "ramp"\nstart_rate = 0.5\n' + GOOD + "[size]\n",
    SHORT + '[load]\npattern = "replay"\nfile = "x"\n',
    SHORT + '[[mix]]\nweight = 1\n[[mix]]\nmodel = "x"\nquantization = "Q4_K_M"\n',
)
KEYS = {
    *(f"{name}.{key}" for name in ("persona", "load", "size", "slo") for key in SECTIONS[name]),
    *("sweep.rate", "sweep.users", "sweep.concurrency", "sweep.prompt_tokens", "sweep.output_tokens"),
    *(
        "sweep.num_ctx",
        "sweep.quantization",
        "workload.cache",
        "workload.prompts",
        "mix",
        "persona",
        "load",
        "size",
    ),
}
VALUES = (
    *(
        "0",
        "1",
        "-1",
        "2.5",
        "1e300",
        "nan",
        "inf",
        "true",
        "9999999999999999999",
        "[]",
        "[1, 2]",
        "[0.1]",
        "{}",
    ),
    *(
        '""',
        '"replay"',
        '"ramp"',
        '"warm"',
        '"users"',
        '"rate"',
        '"concurrency"',
        '"50%"',
        '"10 tok/s"',
        '"1h"',
    ),
    *("[{ weight = 1 }]", "[{}, {}]", '[{ model = "x" }, { model = "x" }]', '["a"]', "1979-05-27"),
)


@pytest.mark.parametrize("base", BASES)
def test_odd_values_beside_all_else_are_faults_or_plans_and_never_a_crash(base: str) -> None:
    every = [f"{key}={value}" for key in sorted(KEYS) for value in VALUES]
    ends = {outcome(base, override) for override in random.Random(base).sample(every, 200)}
    assert ends == {"plan", "faults"}


def outcome(base: str, override: str) -> str:
    try:
        plan.expand(parse(base, override), installed("llama3.2:3b=Q4_K_M", "x=Q4_K_M"))
    except UsageError as exc:
        return "faults" if exc.faults else "no sentence"
    return "plan"


def test_a_section_that_is_a_value_is_one_fault() -> None:
    for name in ("slo", "persona", "load", "size"):
        (fault,) = faults(f"{name} = 3\n{SHORT}")
        assert fault == f"a.toml:1: {name} is a value; a section [{name}] with keys of its own would do"
