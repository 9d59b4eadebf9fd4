"""The verbs that compare: what a word on the command line names, what a check makes of verdicts, what GitHub is told."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from comparisons import comparison, difference, pair, side, side_cell, slower, untold
from lying import HONEST, MS, asked, findings
from records import a_record

from olbench import analysis, baseline, cli, compare, scenario, sides
from olbench.differences import Difference, Side
from olbench.errors import UsageError
from olbench.gist import is_cold
from olbench.metric_keys import MARGIN_KEYS
from olbench.metrics import METRICS
from olbench.report import baselines
from olbench.store import Store
from olbench.verbs import baseline as verb
from olbench.verbs import check, github
from olbench.verbs import sides as named
from olbench.verbs.run import Done

SHORT = 'question = "Which is faster?"\n[sweep]\nmodel = "llama3.2:3b"\n'
SAME = difference("decode", (1.001, 0.99, 1.012), "equivalent")
FASTER = difference("ttft", (0.9, 0.88, 0.92), "faster", base=0.1)


# --- margins in a scenario ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "margin"), [('decode = "3%"', 0.03), ("decode = 0.03", 0.03), ('load = "50 %"', 0.5)]
)
def test_a_margin_of_a_scenario_goes_into_the_settings_of_its_runs(line: str, margin: float) -> None:
    name = line.partition(" ")[0]
    found = scenario.parse(f"{SHORT}[margins]\n{line}\n", path="a.toml", environ={})
    assert found.margins == {name: pytest.approx(margin)}
    said = scenario.settings(found)
    assert said[f"margin.{name}"] == pytest.approx(margin)
    assert "margin.ttft" not in said


def test_every_metric_of_which_more_is_better_or_worse_can_have_a_margin() -> None:
    assert {key for key, row in METRICS.items() if row.better != "neither"} == set(MARGIN_KEYS)
    assert [key for key in MARGIN_KEYS if is_cold(METRICS[key])] == ["ttft_cold", "prefill_cold", "load"]


# --- what a word names --------------------------------------------------------------------------------------------


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[Store]:
    """Two runs, of which nothing was seen."""
    record = a_record()
    store = Store(tmp_path / "runs.db")
    for name in ("20261122-220256-quickstart-3f9a", "20261123-040000-quickstart-77aa"):
        store.begin(replace(record.run, id=name), record.plan, record.facts, record.cards)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("word", "run"),
    [
        ("latest", "20261123-040000-quickstart-77aa"),
        ("latest~0", "20261123-040000-quickstart-77aa"),
        ("latest~1", "20261122-220256-quickstart-3f9a"),
        ("20261122", "20261122-220256-quickstart-3f9a"),
        ("quickstart", "20261123-040000-quickstart-77aa"),
    ],
)
def test_a_word_names_a_run(stored: Store, word: str, run: str) -> None:
    assert stored.find(word) == run


@pytest.mark.parametrize("word", ["latest~2", "latest~", "latest~x", "latest~99999999999"])
def test_a_word_that_names_nothing_is_told_with_what_there_is(stored: Store, word: str) -> None:
    with pytest.raises(UsageError, match=r"there is no run .* the newest are 20261123") as caught:
        stored.find(word)
    assert f"'{word}'" in str(caught.value)


def test_a_word_that_is_a_file_is_read_and_no_database_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("latest").write_text(baseline.dump(one_side()), encoding="utf-8")
    assert named.named("latest", tmp_path / "runs.db").name == "latest"
    with pytest.raises(UsageError, match=r"none.json: it cannot be read \(No such file or directory\)"):
        named.named("none.json", tmp_path / "runs.db")
    assert not (tmp_path / "runs.db").exists()


# --- the verdict of a check ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("differences", "failed", "code", "sentence"),
    [
        ([SAME, FASTER], 0, 0, "Nothing is slower than base.json."),
        ([SAME, slower()], 0, 1, "Slower than base.json: Decode rate in 1 cell."),
        ([slower(), untold("ttft", "why")], 0, 1, "Slower than base.json: Decode rate in 1 cell."),
        (
            [SAME, untold("ttft", "why")],
            0,
            3,
            "Cannot tell whether anything is slower than base.json: Time to first token in 1 cell.",
        ),
        # No headline, or not even in the baseline: what stands beside it may stay open.
        ([SAME, untold("prefill", "why")], 0, 0, "Nothing is slower than base.json."),
        ([SAME, untold("ttft", "why", None)], 0, 0, "Nothing is slower than base.json."),
        (
            [SAME],
            2,
            3,
            "Nothing is slower than base.json, but 2 requests failed, and what failed is in no figure.",
        ),
        ([slower()], 2, 1, "Slower than base.json: Decode rate in 1 cell."),
    ],
)
def test_a_check_ends_with_a_code_and_a_sentence(
    differences: Sequence[Difference], failed: int, code: int, sentence: str
) -> None:
    made = comparison([pair("×1", differences)], base=side("base.json"))
    assert check.verdict(made, Done("a", 3, failed, int(failed > 0))) == (code, sentence)


def test_what_was_not_measured_weighs_more_than_any_verdict() -> None:
    made = comparison([pair("×1", [slower()]), pair("×4", [slower(), SAME])], base=side("base.json"))
    assert check.verdict(made, Done("a", 3, 1, 4)) == (
        4,
        "Not measured: some visit did not go through; slower in what was: Decode rate in 2 cells.",
    )
    assert check.verdict(made, Done("a", 3, 0, 0))[1] == "Slower than base.json: Decode rate in 2 cells."


def test_a_server_slower_by_a_twentieth_is_found_as_five_percent() -> None:
    script = replace(HONEST, noise=0.005)
    base = sides.of_findings(findings(script, asked()))
    slow = replace(script, itl_ns=round(20 * MS / 0.95), seed=1)
    for new, verdict, ratio in ((replace(script, seed=2), "equivalent", 1.0), (slow, "slower", 0.95)):
        made = compare.compare(base, sides.of_findings(findings(new, asked())))
        ((decode,),) = ([one for one in each.differences if one.metric == "decode"] for each in made.pairs)
        assert decode.verdict == verdict
        assert decode.ratio.low is not None
        assert decode.ratio.high is not None
        assert decode.ratio.low < ratio < decode.ratio.high
        assert decode.ratio.high - decode.ratio.low < 0.02
        assert (check.verdict(made, Done("a", 8, 0, 0))[0] == 1) == (verdict == "slower")


# --- baselines ----------------------------------------------------------------------------------------------------


def one_side(name: str = "run a", *, factor: float = 1.0) -> Side:
    return side(name, [side_cell({"decode": (50.0 * factor, 51.0 * factor, 52.0 * factor)})])


def test_a_run_is_saved_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file, db = tmp_path / "baselines" / "quick.json", tmp_path / "runs.db"
    monkeypatch.setattr(named, "of_run", lambda word, _: one_side(factor={"a": 1.0, "b": 2.0}[word]))
    assert verb.save(run="a", file=file, force=False, db=db) == 0
    assert capsys.readouterr().out == f"{file}\n"
    with pytest.raises(UsageError, match="is there already; another name, or --force, would do"):
        verb.save(run="b", file=file, force=False, db=db)
    assert named.of_file(file).cells == one_side().cells
    assert verb.save(run="b", file=file, force=True, db=db) == 0
    assert named.of_file(file).cells == one_side(factor=2.0).cells


@pytest.mark.parametrize(
    ("marked", "words"),
    [
        (3, "run a has no sound visit: something disturbed all 3 "),
        (0, "run a has no visit that went through; a run that was measured would do"),
    ],
)
def test_a_run_without_a_sound_visit_is_no_baseline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, marked: int, words: str
) -> None:
    empty = side("run a", [side_cell({}, marked=marked)])
    monkeypatch.setattr(named, "of_run", lambda *_: empty)
    with pytest.raises(UsageError) as caught:
        verb.save(run="a", file=tmp_path / "a.json", force=False, db=tmp_path / "runs.db")
    assert str(caught.value).startswith(words)
    assert not (tmp_path / "a.json").exists()


def test_what_too_few_visits_can_never_tell_is_said_at_once() -> None:
    cells = [side_cell({"decode": (50.0,) * visits}) for visits in (2, 3, 4)]
    assert list(verb.thin(side("run a", cells[1:]))) == []
    (sentence,) = verb.thin(side("run a", cells))
    assert sentence.startswith(
        "1 of 3 cells in run a with fewer than 3 sound visits: nothing can be told there; "
    )


def test_baselines_are_listed_and_what_is_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(baseline.dump(one_side()), encoding="utf-8")
    (tmp_path / "b.json").write_text("{}", encoding="utf-8")
    (tmp_path / "c.txt").write_text("not asked for", encoding="utf-8")
    assert verb.listed(folder=tmp_path) == 0
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["file", "a.json"]
    assert err.startswith(f"note: {tmp_path / 'b.json'}: ")
    with pytest.raises(UsageError, match="there is no such folder"):
        verb.listed(folder=tmp_path / "none")


def test_a_baseline_is_shown_with_typical_figures() -> None:
    shown = baselines.show(one_side("base.json"))
    assert "smollm2:135m · digest 9077fe9d2ae1" in shown
    row = next(line for line in shown.splitlines() if line.startswith("×1"))
    assert row.split() == ["×1", "3", "51.0"]  # (50 * 51 * 52) ** (1 / 3) = 50.99


def test_a_real_run_makes_a_baseline_that_reads_as_it_was_written() -> None:
    made = sides.of_findings(analysis.analyse(a_record()))
    again = baseline.load(baseline.dump(made), "base.json")
    assert baselines.show(replace(again, name="x")) == baselines.show(replace(made, name="x"))


# --- GitHub -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "sentence", "line"),
    [
        ("a", "b", "::error title=a::b"),
        ("a:1b, q8", "5 %, so", "::error title=a%3A1b%2C q8::5 %25, so"),
        ("a\n::add-mask::x", "b\r\n::error::c", "::error title=a%0A%3A%3Aadd-mask%3A%3Ax::b%0D%0A::error::c"),
        ("100%25", "%0A", "::error title=100%2525::%250A"),
    ],
)
def test_an_annotation_is_one_line_whatever_a_name_holds(title: str, sentence: str, line: str) -> None:
    assert github.command("error", title, sentence) == line


def test_of_many_annotations_the_last_one_counts_the_rest() -> None:
    ten = [(f"{place}", "b") for place in range(10)]
    assert len(list(github.annotations("warning", ten))) == 10
    *first, last = github.annotations("warning", [*ten, ("x", "b"), ("y", "b")])
    assert len(first) == 9
    assert last == "::warning title=olbench::and 3 more"


def test_a_summary_is_appended_where_there_is_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n", encoding="utf-8")
    github.summarise("# 通义千问", {"GITHUB_STEP_SUMMARY": str(file)})
    github.summarise("# nowhere", {})
    assert file.read_text(encoding="utf-8") == "before\n# 通义千问\n"
    github.summarise("a line\n" * 200_000, {"GITHUB_STEP_SUMMARY": str(file)})
    assert file.stat().st_size < 2**20
    assert "`--markdown FILE` has it whole" in file.read_text(encoding="utf-8")
    assert capsys.readouterr().err == ""
    github.summarise("a", {"GITHUB_STEP_SUMMARY": str(tmp_path)})
    assert capsys.readouterr().err == "note: the step's summary cannot be written (Is a directory)\n"


# --- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(list(arguments))
        return code, *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["compare", "latest", "latest"],
            "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one",
        ),
        (["compare", "a.json", "latest"], "a.json: it cannot be read (No such file or directory)"),
        (
            ["check", "a.toml", "--baseline", "a.json"],
            "a.json: it cannot be read (No such file or directory)",
        ),
        (["baseline", "show", "a.json"], "a.json: it cannot be read (No such file or directory)"),
        (
            ["baseline", "list"],
            "baselines: there is no such folder; `olbench baseline save RUN FILE` makes a baseline",
        ),
        (
            ["baseline", "save", "latest", "a.json"],
            "reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one",
        ),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    said: Callable[..., tuple[int, str, str]], arguments: list[str], sentence: str
) -> None:
    assert said(*arguments) == (2, "", f"olbench: {sentence}\n")


def test_a_fault_is_an_annotation_as_well_where_github_reads(
    said: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    code, out, err = said("check", "a.toml", "--baseline", "a.json")
    sentence = "a.json: it cannot be read (No such file or directory)"
    assert (code, out) == (2, f"::error title=olbench check::{sentence}\n")
    assert err == f"olbench: {sentence}\n"


@pytest.mark.parametrize("kind", ["text", "md", "json", "junit"])
def test_a_comparison_is_printed_in_any_form_and_ends_well_whatever_it_says(
    said: Callable[..., tuple[int, str, str]], tmp_path: Path, kind: str
) -> None:
    slow = one_side(factor=0.8)
    for name, one in (("base", one_side()), ("new", slow)):
        (tmp_path / f"{name}.json").write_text(baseline.dump(one), encoding="utf-8")
    code, out, err = said("compare", "base.json", "new.json", "--format", kind)
    assert (code, err) == (0, "")
    assert "slower" in out
    code, told, err = said("compare", "base.json", "new.json", "--format", kind, "--out", "out/it")
    assert (code, told, err) == (0, "out/it\n", "")
    assert (tmp_path / "out" / "it").read_text(encoding="utf-8") == out
    assert not (tmp_path / "reports").exists()
