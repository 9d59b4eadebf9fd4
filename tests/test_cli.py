"""The command line by itself: help, usage, and one sentence for each fault, with the exit code that belongs to it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from olbench import __version__, cli
from olbench.errors import EngineError, OlbenchError, ServerError, StoreError, UsageError

VERBS = (
    "run",
    "plan",
    "thresholds",
    "selftest",
    "bandwidth",
    "models",
    "runs",
    "show",
    "report",
    "export",
    "serve-embedded",
    "compare",
    "check",
    "baseline",
    "ab",
    "history",
    "size",
    "capacity",
    "fit",
)
WHOLE = 'question = "Does it?"\n[server]\nurl = "http://127.0.0.1:9"\n[sweep]\nmodel = "m:1b"\n'


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Exit code, standard output, standard error of a command line that is given in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(list(arguments))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def scenario(said: Call, tmp_path: Path) -> Callable[[str], str]:
    """The name of a file in the folder of the command line, with this text."""

    def write(text: str) -> str:
        (tmp_path / "story.toml").write_text(text, encoding="utf-8")
        return "story.toml"

    return write


# --- help ---------------------------------------------------------------------------------------------------------


def test_the_verbs_are_these() -> None:
    assert tuple(cli.commands.commands) == VERBS


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_verb_with_its_sentence(said: Call, flag: str) -> None:
    code, out, err = said(flag)
    assert (code, err) == (0, "")
    listed = out.partition("Commands:\n")[2].splitlines()
    assert sorted(line.split()[0] for line in listed) == sorted(VERBS)
    assert all(line.endswith(".") and not line.endswith("..") for line in listed)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_every_option_has_help(said: Call, verb: str) -> None:
    code, out, err = said(verb, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: olbench {verb} [OPTIONS]")
    # a sentence, a default, or the range of a number stands behind each option
    options = [line.split() for line in out.splitlines() if line.startswith("  -")]
    names = [line[0].strip(",") for line in options]
    assert len(names) == len(set(names))
    assert [line for line in options if len(line) == 1] == []


def test_the_version_is_said(said: Call) -> None:
    assert said("--version") == (0, f"olbench, version {__version__}\n", "")


# --- wrong usage --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fly"], "No such command 'fly'"),
        (["run", "--fast"], "No such option '--fast'"),
        (["plan"], "Missing argument 'SCENARIO'"),
        (["show", "one", "two"], "unexpected extra argument (two)"),
        (["export", "--format", "xml"], "'xml' is not one of"),
        (["run", "a.toml", "--hz", "0"], "0.0 is not in the range"),
        (["run", "a.toml", "--db", "."], "is a directory"),
        (["selftest", "--fast"], "No such option '--fast'"),
        (["serve-embedded", "--port", "70000"], "70000 is not in the range"),
        (["serve-embedded", "--models", "nowhere"], "'nowhere' does not exist"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence_that_names_what_was_found(
    said: Call, arguments: list[str], words: str
) -> None:
    code, out, err = said(*arguments)
    assert (code, out) == (2, "")
    (told,) = (line for line in err.splitlines() if line.startswith("Error: "))
    assert words in told


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["run"], "no scenario was given; `olbench run scenarios/quickstart.toml` would do"),
        (["run", "none.toml"], "none.toml: it cannot be read (No such file or directory)"),
        (["selftest", "none.toml"], "none.toml: it cannot be read (No such file or directory)"),
        (
            ["selftest", "--streams", "1,0"],
            "--streams: '0' is no number of streams; numbers from 1 to 1024 with commas between them would do",
        ),
        (
            ["selftest", "--streams", "many"],
            "--streams: 'many' is no number of streams; numbers from 1 to 1024 with commas between them would do",
        ),
        (["plan", "none.toml"], "none.toml: it cannot be read (No such file or directory)"),
        (["plan", "."], ".: it cannot be read (Is a directory)"),
        (
            ["run", "--resume", "latest"],
            "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one",
        ),
        (
            ["run", "--resume", "x", "--set", "sweep.num_ctx=1"],
            "--set cannot change a run that has begun; a new run would do",
        ),
        (["show"], "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one"),
        (["report", "mine"], "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one"),
        (["export", "mine"], "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one"),
        (
            ["models", "--token-env", "NO_SUCH_TOKEN"],
            "--token-env: the environment has no variable NO_SUCH_TOKEN",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(said: Call, arguments: list[str], sentence: str) -> None:
    assert said(*arguments) == (2, "", f"olbench: {sentence}\n")


def test_a_server_address_that_is_none_is_one_sentence(said: Call) -> None:
    code, out, err = said("models", "--url", "http://a b")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("olbench: --url: ")


def test_a_variable_that_is_no_address_is_one_sentence(said: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://a b")
    code, out, err = said("models")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("olbench: OLLAMA_HOST: ")


def test_nobody_at_the_address_is_told_with_the_first_help(said: Call) -> None:
    code, out, err = said("models", "--url", "http://127.0.0.1:9")
    assert (code, out) == (4, "")
    first, *help_ = err.splitlines()
    assert first.startswith("olbench: no Ollama server answers at http://127.0.0.1:9 (")
    assert any("ollama serve" in line for line in help_)


# --- scenarios ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sweep.num_ctx", "--set sweep.num_ctx: a key and a value would do"),
        ("=1", "a key and a value would do"),
        ("sweep.num_ctx=", "--set sweep.num_ctx: "),
        ("sweep.num_ctx=[1024", "--set sweep.num_ctx: "),
        ("sweep.num_ctxx=1024", "num_ctx"),
        ("sweep.num_ctx=-1", "-1"),
        ("sweep.max_tokens=5", "num_predict"),
        ("nothing.here=1", "--set nothing.here: nothing is no key and no section"),
        ("a.b.c.d=1", "--set a.b.c.d: a is no key and no section"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "plan"])
def test_an_override_that_is_wrong_is_told_and_nothing_is_run(
    said: Call, scenario: Callable[[str], str], verb: str, override: str, words: str
) -> None:
    code, out, err = said(verb, scenario(WHOLE), "--set", override)
    assert (code, out) == (2, "")
    assert words in err
    assert all(line.startswith("olbench: ") for line in err.splitlines())


def test_all_faults_of_a_scenario_are_told_at_once(said: Call, scenario: Callable[[str], str]) -> None:
    code, out, err = said("plan", scenario(WHOLE.replace("m:1b", "") + "num_ctx = -1\nthink = 7\n"))
    assert (code, out) == (2, "")
    assert [line.split(": ")[1] for line in err.splitlines()] == [
        "story.toml:5",
        "story.toml:6",
        "story.toml:7",
    ]


@pytest.mark.parametrize("text", ["", "\0", "[", "question = 1", "\ufeff", "= = ="])
def test_a_file_that_is_no_scenario_is_told(said: Call, scenario: Callable[[str], str], text: str) -> None:
    code, out, err = said("plan", scenario(text))
    assert (code, out) == (2, "")
    assert err.startswith("olbench: story.toml")


def test_a_scenario_that_is_no_text_is_told(said: Call, tmp_path: Path) -> None:
    (tmp_path / "story.toml").write_bytes(b"question = \xff")
    assert said("plan", "story.toml") == (
        2,
        "",
        "olbench: story.toml: byte 11 is not UTF-8; a file in UTF-8 would do\n",
    )


def test_prompts_that_are_not_there_are_told(said: Call, scenario: Callable[[str], str]) -> None:
    code, out, err = said("plan", scenario(WHOLE + '[workload]\nfile = "none.jsonl"\n'))
    assert (code, out) == (2, "")
    assert err == "olbench: none.jsonl: it cannot be read (No such file or directory)\n"


# --- the database -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["runs", "show", "report", "export"])
def test_a_file_that_is_no_database_is_told(said: Call, tmp_path: Path, verb: str) -> None:
    (tmp_path / "text.db").write_text("this is a text, and not a database at all\n" * 100)
    code, out, err = said(verb, "--db", "text.db")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert err.startswith("olbench: text.db: ")


def test_an_empty_store_has_no_runs(said: Call) -> None:
    code, out, err = said("runs")
    assert (code, err) == (0, "")
    assert out.strip()


# --- exit codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "told"),
    [
        (OlbenchError("a"), 1, "olbench: a\n"),
        (StoreError("a"), 1, "olbench: a\n"),
        (UsageError(["a", "b"]), 2, "olbench: a\nolbench: b\n"),
        (ServerError("a\nb"), 4, "olbench: a\nolbench: b\n"),
        (EngineError("a"), 4, "olbench: a\n"),
        (KeyboardInterrupt(), 130, "olbench: interrupted\n"),
        (BrokenPipeError(), 0, ""),
        (
            OSError(28, "No space left on device"),
            1,
            "olbench: what there is to say cannot be written: No space left on device\n",
        ),
    ],
)
def test_each_kind_of_fault_has_its_exit_code(
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    fault: BaseException,
    code: int,
    told: str,
) -> None:
    def fail(**_: object) -> int:
        raise fault

    monkeypatch.setattr(cli.commands.commands["runs"], "callback", fail)
    assert cli.run(["runs"]) == code
    assert capfd.readouterr().err.lstrip("\n") == told  # click ends the line that ^C stands in


def test_a_bug_is_told_in_full_with_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli.commands.commands["runs"], "callback", lambda **_: 1 / 0)
    assert cli.run(["runs"]) == 3
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert err.splitlines()[-1].startswith(f"olbench: this is a bug in olbench {__version__};")
