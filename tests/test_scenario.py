"""Scenario files: what they come to, and what is said of wrong ones."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cards import installed

from olbench import grid, plan, scenario
from olbench.errors import UsageError
from olbench.gist import is_cold
from olbench.metric_keys import METRIC_KEYS
from olbench.metrics import METRICS
from olbench.model import Message, Prompt
from olbench.scenario import Scenario, Until
from olbench.scenario_keys import SECTIONS, TOP, UNTIL
from olbench.scenario_lines import lines_of

HERE = Path(__file__).parent
WRONG = sorted((HERE / "golden" / "wrong").glob("*.toml"))
SHIPPED = sorted((HERE.parent / "scenarios").glob("*.toml"))
SHORT = 'question = "Which is faster?"\n[sweep]\nmodel = "llama3.2:3b"\n'
# Everything that the shipped scenarios ask for, under the names that a server has for it.
LIBRARY = (
    *("llama3.2:1b", "llama3.2:3b", "qwen2.5:3b", "qwen3:4b", "gemma3:4b"),
    *(f"llama3.2:3b-instruct-{level}={level}" for level in ("q8_0", "q6_K", "q5_K_M", "q4_K_M", "q3_K_M")),
    *("smollm2:135m-instruct-q8_0=Q8_0", "smollm2:135m-instruct-q4_0=Q4_0"),
)


def parse(text: str, *overrides: str, environ: Mapping[str, str] | None = None) -> Scenario:
    return scenario.parse(text, path="a.toml", overrides=overrides, environ=environ or {})


def faults(text: str, *overrides: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(UsageError) as caught:
        parse(text, *overrides, environ=environ)
    return caught.value.faults


# --- what a file comes to -------------------------------------------------------------------------------------


def test_a_short_scenario_has_every_default() -> None:
    short = parse(SHORT)
    assert (short.name, short.question) == ("a", "Which is faster?")
    assert {axis.name: axis.values for axis in short.axes} == {
        "model": ("llama3.2:3b",),
        "num_ctx": (4096,),
        "concurrency": (1,),
        "prompt_tokens": (256,),
        "output_tokens": (128,),
        "api": ("chat",),
    }
    assert [axis.name for axis in short.axes if axis.given] == ["model"]
    assert scenario.settings(short) == {
        "server.url": "http://127.0.0.1:11434",
        "server.engine": None,
        "server.parallel": None,
        "server.threads": None,
        "language": "en",
        "own_prompts": None,
        "file": None,
        "system": None,
        "format": None,
        "stream": True,
        "cache": "cold",
        "repeats": 3,
        "requests": 8,
        "warmup": 1,
        "timeout_ns": 300 * 10**9,
        "connect_timeout_ns": 10 * 10**9,
        "first_byte_timeout_ns": None,
        "stall_timeout_ns": None,
        "seed": 1,
        "order": "shuffled",
        "cold_load": False,
        "budget_ns": None,
        "retake": True,
    }
    assert (short.measure.until, short.measure.at_most, short.thresholds) == (None, 30, {})


def test_axes_keep_the_order_of_the_file_and_numbers_their_kind() -> None:
    text = (
        SHORT
        + 'temperature = [0, 0.5]\nnum_ctx = [8192, 2048]\nthink = [false, "low"]\nstop = [["a"], ["b", "c"]]\n'
    )
    axes = {axis.name: axis.values for axis in parse(text).axes if axis.given}
    assert list(axes) == ["model", "temperature", "num_ctx", "think", "stop"]
    assert axes["stop"] == (("a",), ("b", "c"))
    assert axes["think"] == (False, "low")
    assert [type(value) for value in axes["temperature"]] == [float, float]


def test_a_list_of_stop_texts_is_one_value() -> None:
    assert parse(SHORT + 'stop = ["a", "b"]\n').values("stop") == (("a", "b"),)
    assert parse(SHORT + "stop = []\n").values("stop") == ((),)


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [('"90s"', 90 * 10**9), ('"1h30m"', 5400 * 10**9), ("2", 2 * 10**9), ("0.5", 5 * 10**8)],
)
def test_a_span_is_seconds_or_words(value: str, nanoseconds: int) -> None:
    assert parse(SHORT + f"[measure]\ntimeout = {value}\n").measure.timeout_ns == nanoseconds


@pytest.mark.parametrize(
    "until",
    [
        '[measure]\nuntil = { metric = "decode", within = "3%" }\n',
        '[measure.until]\nmetric = "decode"\nwithin = 0.03\n',
        '[measure]\n[measure.until]\nwithin = "3 %"\nmetric = "decode"\n',
    ],
)
def test_how_well_a_figure_shall_be_known_is_a_table(until: str) -> None:
    found = parse(SHORT + until)
    assert (found.measure.until, found.measure.at_most) == (Until("decode", 0.03), 30)
    said = scenario.settings(found)
    assert [said[key] for key in ("until.metric", "until.within", "at_most")] == ["decode", 0.03, 30]


def test_how_well_can_be_said_on_the_command_line() -> None:
    found = parse(SHORT, "measure.until.metric=ttft", "measure.until.within=5%", "measure.at_most=9")
    assert (found.measure.until, found.measure.at_most) == (Until("ttft", 0.05), 9)


def test_every_fault_of_a_table_within_a_section_is_told() -> None:
    assert faults(f"{SHORT}[measure]\nuntil = {{ metric = 1, within = 0, wihtin = 2 }}\n") == (
        "a.toml:5: measure.until.wihtin is no key of [measure.until]; did you mean within?",
        'a.toml:5: measure.until.metric is 1; the key of a metric, such as "decode" or "ttft", would do',
        'a.toml:5: measure.until.within is 0; a share above 0 and of at most 0.5, such as "3%", would do',
    )


def test_what_a_run_can_be_asked_to_know_well_is_every_metric_of_measured_requests_and_visits() -> None:
    assert {key for key, row in METRICS.items() if not is_cold(row)} == set(METRIC_KEYS)
    assert len(set(METRIC_KEYS)) == len(METRIC_KEYS)


def test_a_seed_of_zero_is_a_seed() -> None:
    assert parse(SHORT + "[measure]\nseed = 0\n").measure.seed == 0


def test_own_prompts_are_texts_or_turns_and_have_no_length_of_ours() -> None:
    text = (
        SHORT
        + '[workload]\nprompts = ["Hi", [{ role = "system", content = "S" }, { role = "user", content = "U" }]]\n'
    )
    own = parse(text)
    assert own.workload.prompts == (
        Prompt("prompt 1", (Message("user", "Hi"),)),
        Prompt("prompt 2", (Message("system", "S"), Message("user", "U"))),
    )
    assert own.values("prompt_tokens") == ()


def test_a_format_is_json_or_a_schema() -> None:
    assert parse(SHORT + '[workload]\nformat = "json"\n').workload.format == "json"
    schema = parse(SHORT + '[workload.format]\ntype = "object"\n')
    assert schema.workload.format == {"type": "object"}
    assert scenario.settings(schema)["format"] == '{"type": "object"}'


@pytest.mark.parametrize(
    ("server", "overrides", "environ", "url"),
    [
        ("", (), {}, "http://127.0.0.1:11434"),
        ("", (), {"OLLAMA_HOST": "0.0.0.0:1234"}, "http://127.0.0.1:1234"),
        ('url = "box"', (), {"OLLAMA_HOST": "ftp://other"}, "http://box:11434"),
        ('url = "http://box:1"', ("server.url=http://other:2",), {}, "http://other:2"),
        ('engine = "embedded"', (), {"OLLAMA_HOST": "box"}, None),
        ('engine = "embedded"\nthreads = 1', ("server.url=http://other:2",), {}, "http://other:2"),
        ('url = "http://box:1"', ("server.engine=embedded",), {}, None),
    ],
)
def test_the_server_is_the_files_or_the_command_lines_or_ollama_hosts(
    server: str, overrides: tuple[str, ...], environ: Mapping[str, str], url: str | None
) -> None:
    found = parse(f"{SHORT}[server]\n{server}\n", *overrides, environ=environ).server
    assert found.url == url
    assert found.engine == ("embedded" if url is None else None)
    assert found.parallel == (2 if url is None else None)


def test_slots_of_the_engine_are_not_those_of_the_server_that_takes_its_place() -> None:
    text = SHORT + '[server]\nengine = "embedded"\nparallel = 4\n'
    assert parse(text).server.parallel == 4
    assert parse(text, "server.url=http://box:1").server.parallel is None
    assert parse(text, "server.url=http://box:1", "server.parallel=3").server.parallel == 3


# --- overrides ------------------------------------------------------------------------------------------------


def test_overrides_are_toml_or_bare_words_and_make_sections() -> None:
    found = parse(
        SHORT,
        "sweep.num_ctx=[2048, 8192]",
        "sweep.model=qwen3:4b",
        "measure.repeats = 5",
        'quantizations."qwen3:4b".q8_0=mine:q8',
    )
    assert found.values("num_ctx") == (2048, 8192)
    assert found.values("model") == ("qwen3:4b",)
    assert found.measure.repeats == 5
    assert found.quantizations == {"qwen3:4b": {"q8_0": "mine:q8"}}


def test_the_kept_text_holds_the_overrides_and_gives_them_back() -> None:
    overrides = ("sweep.num_ctx=[2048, 8192]", "sweep.model=qwen3:4b")
    kept = parse(SHORT, *overrides).text
    assert kept.endswith("# --set sweep.num_ctx=[2048, 8192]\n# --set sweep.model=qwen3:4b\n")
    text, again = scenario.reread(kept)
    assert again == overrides
    assert parse(text, *again).axes == parse(SHORT, *overrides).axes
    assert parse(text, *again).text == kept
    assert scenario.reread(SHORT) == (SHORT, ())


@pytest.mark.parametrize(
    ("override", "fault"),
    [
        (
            "sweep.num_ctx=-1",
            "--set sweep.num_ctx: sweep.num_ctx is -1; a whole number of at least 4 would do",
        ),
        (
            "sweep.num_ctx=[2048, 3]",
            "--set sweep.num_ctx: sweep.num_ctx[1] is 3; a whole number of at least 4 would do",
        ),
        ("sweep.num_cxt=1", "--set sweep.num_cxt: sweep.num_cxt is no key of [sweep]; did you mean num_ctx?"),
        ("sweep", '--set sweep: a key and a value would do, such as "sweep.num_ctx=[2048, 8192]"'),
        ("a b=1", '--set a b: its key is none; names with dots between them would do, such as "sweep.model"'),
        ("question.x=1", "--set question.x: question is a value, not a section; it has no keys"),
        (
            "sweep.model=[a, b]",
            (
                "--set sweep.model: its value is no TOML; texts within a list stand in quotes, and the shell takes "
                'quotes away unless others stand around them: --set \'sweep.model=["a", "b"]\''
            ),
        ),
        (
            "sweep.model=a\nmeasure.repeats=3",
            "--set sweep.model: it holds a line break or a control character; one line of text would do",
        ),
    ],
)
def test_a_wrong_override_is_located_by_its_own_words(override: str, fault: str) -> None:
    assert faults(SHORT, override) == (fault,)


# --- what is wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_file_gets_one_sentence_for_each_fault(path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        scenario.parse(path.read_text("utf-8"), path=path.name, environ={})
    assert "\n".join(caught.value.faults) + "\n" == path.with_suffix(".txt").read_text("utf-8")
    assert caught.value.code == 2


def test_there_are_twenty_wrong_files_and_all_but_one_have_one_fault() -> None:
    many = [path.stem for path in WRONG if len(path.with_suffix(".txt").read_text("utf-8").splitlines()) > 1]
    assert len(WRONG) >= 20
    assert many == ["42-many-faults"]


@pytest.mark.parametrize(
    "value",
    ["sk-abcdef", "ghp_abcdefghij", "hf_abcdef", "0123456789abcdef0123456789abcdef", "my token", "a-b"],
)
def test_a_token_is_never_repeated(value: str) -> None:
    text = f'{SHORT}[server]\ntoken_env = "{value}"\n'
    assert not any(value in fault for fault in faults(text))
    assert not any(value in fault for fault in faults(SHORT, f"server.token_env={value}"))


def test_a_token_that_has_the_looks_of_a_name_is_not_repeated_either() -> None:
    (fault,) = faults(SHORT + '[server]\ntoken_env = "hunter"\n')
    assert fault == "a.toml:5: server.token_env names a variable that is not set here; set it to the token"
    assert parse(SHORT + '[server]\ntoken_env = "T"\n', environ={"T": "x"}).server.token_env == "T"


def test_an_ollama_host_that_is_no_address_is_named_only_where_it_is_used() -> None:
    environ = {"OLLAMA_HOST": "ftp://box"}
    assert faults(SHORT, environ=environ) == (
        'OLLAMA_HOST cannot be used: its scheme is "ftp"; http or https would do',
    )
    assert parse(SHORT + '[server]\nurl = "box"\n', environ=environ).server.url == "http://box:11434"


def test_an_exclude_rule_makes_a_prompt_that_does_not_fit_no_fault() -> None:
    text = SHORT + "num_ctx = [512, 2048]\nprompt_tokens = [128, 1024]\n"
    assert len(faults(text)) == 1
    assert len(parse(text + "exclude = [{ num_ctx = 512, prompt_tokens = 1024 }]\n").rules) == 1


def test_streams_that_an_exclude_rule_takes_out_need_no_requests() -> None:
    text = SHORT + "num_ctx = [2048, 8192]\nconcurrency = [1, 16]\nexclude = [{ concurrency = 16 }]\n"
    assert parse(text).measure.requests == 8


def test_every_option_of_the_table_can_be_swept() -> None:
    text = SHORT + "".join(
        f"{name} = {value}\n"
        for name, value in {
            "num_batch": "[128, 512]",
            "num_gpu": "[0, -1]",
            "main_gpu": "0",
            "use_mmap": "[true, false]",
            "num_thread": "4",
            "draft_num_predict": "0",
            "num_keep": "4",
            "seed": "[0, 7]",
            "top_k": "40",
            "top_p": "0.9",
            "min_p": "0",
            "typical_p": "1",
            "repeat_last_n": "-1",
            "repeat_penalty": "1.1",
            "presence_penalty": "-0.5",
            "frequency_penalty": "0.5",
        }.items()
    )
    assert grid.size(parse(text).axes) == 16


ODD = (
    *(
        "true",
        "-1",
        "0",
        "1.5",
        "nan",
        "inf",
        "99999999999999999999",
        '""',
        '"x"',
        "[]",
        "[[]]",
        "[{}]",
        "{}",
    ),
    *('["a", "a"]', "[1, true]", "{ a = { b = 1 } }", "1979-05-27", "07:32:00", '"\\u0000"'),
)


TABLES = {**SECTIONS, "measure.until": UNTIL}


@pytest.mark.parametrize("section", ["", *TABLES])
def test_odd_values_are_faults_or_values_and_never_a_crash(section: str) -> None:
    keys = TOP if not section else {**TABLES[section], "exclude": None, "other": None}
    for key in keys:
        for value in ODD:
            found = outcome(f"{section}.{key}={value}" if section else f"{key}={value}")
            assert all(fault.startswith(("--set ", "a.toml")) for fault in found), found


def outcome(override: str) -> tuple[str, ...]:
    """The faults of the short scenario with that override, from reading to planning; () when it has none."""
    try:
        plan.expand(parse(SHORT, override), installed("llama3.2:3b", "x", "true"))
    except UsageError as exc:
        return exc.faults
    return ()


def test_a_mark_of_byte_order_and_windows_line_ends_are_no_fault() -> None:
    assert parse("\ufeff" + SHORT.replace("\n", "\r\n")).question == "Which is faster?"
    (fault,) = faults((SHORT + "num_ctx = 1\n").replace("\n", "\r\n"))
    assert fault.startswith("a.toml:4: sweep.num_ctx is 1;")


def test_a_file_of_nothing_but_brackets_is_a_fault_and_no_crash() -> None:
    assert len(faults("a = " + "[" * 100_000)) == 1


# --- lines ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a = 1\nb = 2\n", ("b",), 2),
        ("# [x]\n[t]\n\na.b = 1\n", ("t", "a", "b"), 4),
        ('a = """\n[x]\n"""\nb = 1\n', ("b",), 4),
        ("a = '''\nx'''''\nb = 1\n", ("b",), 3),
        ("a = [\n  1, # one\n  2,\n]\n", ("a", 1), 3),
        ("a = [\n{ b = 1 },\n{ b = 2 }]\n", ("a", 1, "b"), 3),
        ("[[t]]\na = 1\n[[t]]\na = 2\n[t.u]\nb = 3\n", ("t", 1, "u", "b"), 6),
        ('["x.y"]\n"a b" = "=]#"\nc = 1979-05-27 07:32:00\nd = 1.5\n', ("x.y", "d"), 4),
    ],
)
def test_every_key_has_its_line(text: str, key: tuple[Any, ...], line: int) -> None:
    assert lines_of(text)[key] == line


# --- what is shipped ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_scenario_opens_with_its_question_and_plans(path: Path) -> None:
    text = path.read_text("utf-8")
    opening = text.splitlines()[:2]
    assert all(line.startswith("#") for line in opening)
    assert any(line.endswith("?") for line in opening)
    shipped = scenario.parse(text, path=str(path), environ={})
    assert shipped.question.endswith("?")
    planned = plan.expand(shipped, installed(*LIBRARY))
    assert planned.cells
    assert len(planned.visits) == len(planned.cells) * shipped.measure.repeats


def test_the_scenarios_that_every_reader_looks_for_are_there() -> None:
    names = {path.stem for path in SHIPPED}
    assert names >= {
        *("quickstart", "compare-models", "quant-ladder", "context-cost", "concurrency", "cold-start"),
        *("chinese-prompts", "regression-check"),
    }


def test_the_quickstart_runs_on_a_server_when_told_its_url() -> None:
    text = (HERE.parent / "scenarios" / "quickstart.toml").read_text("utf-8")
    assert parse(text).server.engine == "embedded"
    assert parse(text, "server.url=http://127.0.0.1:11434").server.engine is None
    assert len(plan.expand(parse(text), installed(*LIBRARY)).cells) == 8
