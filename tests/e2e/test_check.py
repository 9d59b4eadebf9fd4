"""The whole loop from outside: a baseline, something that changed or did not, a check, a verdict and its exit code."""

import json
import signal
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from outside import Said, Server, command, ended, kept, olbench, scenario, scripted, started, until

from olbench.store import Store

__all__ = ["olbench"]  # a fixture

# A request takes a fifth of a second, of which the gaps are nearly all; visits differ by a thousandth or two.
SCRIPT: dict[str, Any] = {"itl_ns": 8_000_000, "ttft_ns": 20_000_000, "noise": 0.004, "seed": 1}
SLOWER = SCRIPT | {"itl_ns": round(8_000_000 / 0.95), "seed": 2}
TOKENS = 20
# What a machine that runs other tests as well does to a visit is no part of the story.
CALM = {"other_cores": 1000, "stolen_cores": 1000, "pressure": 1.0, "swap": "100GiB", "clock_fall": 1.0}
# The decode rate is the server's own; what our clock sees of a busy machine may wander.
MARGINS = dict.fromkeys(("ttft", "tpot", "e2e", "throughput", "preload"), "50%") | {"decode": "2%"}


def asked(folder: Path, server: Server | str, **tables: Any) -> Path:
    url = server if isinstance(server, str) else server.url
    sweep = {"output_tokens": TOKENS, **tables.pop("sweep", {})}
    measure = {"repeats": 4, "requests": 3, **tables.pop("measure", {})}
    folder.mkdir(exist_ok=True)
    return scenario(
        folder, {"url": url}, sweep=sweep, measure=measure, thresholds=CALM, margins=MARGINS, **tables
    )


@pytest.fixture(autouse=True)
def _no_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@dataclass(frozen=True)
class Begun:
    """A server that runs, and the baseline that was made of it."""

    server: Server
    baseline: Path


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    folder = tmp_path_factory.mktemp("base")
    db, file = folder / "runs.db", folder / "baselines" / "story.json"
    with scripted(**SCRIPT) as server:
        for words in (
            command("run", asked(folder, server), "--db", db),
            command("baseline", "save", "latest", file, "--db", db),
        ):
            done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, done.stderr
        yield Begun(server, file)


Call = Callable[..., Said]


def check(olbench: Call, story: Path, base: Path, *further: object) -> Said:
    db = story.parent / "runs.db"
    return olbench("check", story, "--baseline", base, "--db", db, "--no-selftest", *further)


def compared(olbench: Call, base: Path, folder: Path) -> dict[str, Any]:
    """The figures of the only pair of cells, by metric."""
    said = olbench("compare", base, "latest", "--db", folder / "runs.db", "--format", "json")
    assert said.code == 0
    (pair,) = json.loads(said.out)["pairs"]
    return {one["metric"]: one for one in pair["differences"]}


# --- measured -----------------------------------------------------------------------------------------------------


def test_the_same_server_is_not_slower_than_itself(begun: Begun, tmp_path: Path, olbench: Call) -> None:
    said = check(olbench, asked(tmp_path, begun.server), begun.baseline)
    assert said.code in (0, 3), said.out
    found = compared(olbench, begun.baseline, tmp_path)
    assert {one["verdict"] for one in found.values()} <= {"equivalent", "cannot tell"}
    assert said.out.splitlines()[-1].startswith(("Nothing is slower than ", "Cannot tell whether "))


def test_a_server_slower_by_a_twentieth_is_found_as_that_and_told_everywhere(
    begun: Begun, tmp_path: Path, olbench: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("an earlier step's\n", encoding="utf-8")
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    out = {kind: tmp_path / f"out.{kind}" for kind in ("junit", "markdown", "html")}
    further = [word for kind, path in out.items() for word in (f"--{kind}", path)]
    with scripted(**SLOWER) as server:
        said = check(olbench, asked(tmp_path, server), begun.baseline, *further)
    assert said.code == 1, said.out
    decode = compared(olbench, begun.baseline, tmp_path)["decode"]
    assert decode["verdict"] == "slower"
    assert decode["ratio"]["value"] == pytest.approx(0.95, abs=0.02)  # in virtual time: test_verbs_compare.py
    assert "Slower than " in said.out
    assert any(
        line.startswith("::error title=") and "Decode rate: -" in line for line in said.out.splitlines()
    )
    assert summary.read_text(encoding="utf-8").startswith("an earlier step's\n**Slower than ")
    assert out["markdown"].read_text(encoding="utf-8") in summary.read_text(encoding="utf-8")
    assert ET.parse(out["junit"]).getroot().tag in ("testsuites", "testsuite")
    assert "<html" in out["html"].read_text(encoding="utf-8")


# --- refused ------------------------------------------------------------------------------------------------------


def refused(said: Said, folder: Path, words: str) -> None:
    """In sentences, and nothing was kept."""
    assert said.code == 2
    assert said.out == ""
    assert words in said.err
    assert all(line.startswith("olbench: ") for line in said.err.splitlines())
    assert runs(folder) == 0


def runs(folder: Path) -> int:
    store = Store(folder / "runs.db")
    try:
        return len(store.runs())
    finally:
        store.close()


def test_a_model_of_another_digest_is_refused_before_anything_runs(
    begun: Begun, tmp_path: Path, olbench: Call
) -> None:
    with scripted(**SCRIPT, lies={"digest_from": 0}) as server:
        said = check(olbench, asked(tmp_path, server), begun.baseline)
        refused(said, tmp_path, "digest of scripted:1b")
        assert server.served() == 0


@pytest.mark.parametrize(
    "sweep", [{"num_ctx": 2048}, {"concurrency": 2}, {"output_tokens": 40}, {"temperature": 0.5}]
)
def test_other_cells_are_refused_before_anything_runs(
    begun: Begun, tmp_path: Path, olbench: Call, sweep: dict[str, Any]
) -> None:
    before = begun.server.served()
    said = check(olbench, asked(tmp_path, begun.server, sweep=sweep), begun.baseline)
    refused(said, tmp_path, next(iter(sweep)))
    assert begun.server.served() == before


@pytest.mark.parametrize("text", ["", "{}", '{"olbench_baseline": 99}', "[thresholds]"])
def test_a_file_that_is_no_baseline_is_refused_before_anybody_is_asked(
    tmp_path: Path, olbench: Call, text: str
) -> None:
    (tmp_path / "base.json").write_text(text, encoding="utf-8")
    story = asked(tmp_path / "story", "http://127.0.0.1:9")
    said = check(olbench, story, tmp_path / "base.json")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(f"olbench: {tmp_path / 'base.json'}: ")
    assert not (tmp_path / "story" / "runs.db").exists()


# --- not measured -------------------------------------------------------------------------------------------------


def test_a_server_that_is_not_there_is_not_measured(begun: Begun, tmp_path: Path, olbench: Call) -> None:
    said = check(olbench, asked(tmp_path, "http://127.0.0.1:9"), begun.baseline)
    assert (said.code, said.out) == (4, "")
    assert "no Ollama server answers at http://127.0.0.1:9" in said.err


def test_a_database_that_cannot_be_opened_is_no_slow_server(
    begun: Begun, tmp_path: Path, olbench: Call
) -> None:
    story = asked(tmp_path, begun.server)
    (tmp_path / "runs.db").write_text("this is no database\n" * 100, encoding="utf-8")
    said = check(olbench, story, begun.baseline)
    assert (said.code, said.out) == (4, "")


def test_a_server_that_goes_while_it_is_measured_is_not_judged(begun: Begun, tmp_path: Path) -> None:
    with scripted(**SCRIPT) as server:
        said = disturbed(server, begun.baseline, tmp_path, lambda _: server.process.kill())
    assert said.code == 4
    assert "did not go through" in said.out.splitlines()[-1]


def test_a_check_that_is_interrupted_keeps_its_run_and_judges_nothing(begun: Begun, tmp_path: Path) -> None:
    with scripted(**SCRIPT) as server:
        said = disturbed(server, begun.baseline, tmp_path, lambda one: one.send_signal(signal.SIGINT))
    record = kept(tmp_path / "runs.db")
    assert (said.code, said.out) == (130, "")
    assert record.run.status == "interrupted"
    assert f"`olbench run --resume {record.run.id}` goes on" in said.err


def disturbed(
    server: Server, base: Path, folder: Path, act: Callable[[subprocess.Popen[str]], object]
) -> Said:
    """A check in a process of its own, to which something is done in its second visit."""
    story = asked(folder, server, measure={"repeats": 2})
    words = ("check", story, "--baseline", base, "--db", folder / "runs.db", "--no-selftest")
    with started(*words) as process:
        until(lambda: server.served() >= 4)
        act(process)
        return ended(process)


# --- by hand ------------------------------------------------------------------------------------------------------


def test_a_baseline_is_shown_listed_and_not_written_over(begun: Begun, olbench: Call, tmp_path: Path) -> None:
    shown = olbench("baseline", "show", begun.baseline)
    assert shown.code == 0
    assert "scripted:1b" in shown.out
    assert "Decode" in shown.out
    listed = olbench("baseline", "list", begun.baseline.parent)
    assert (listed.code, listed.err) == (0, "")
    assert "story.json" in listed.out
    before = begun.baseline.read_bytes()
    db = begun.baseline.parent.parent / "runs.db"
    again = olbench("baseline", "save", "latest", begun.baseline, "--db", db)
    assert (again.code, again.out) == (2, "")
    assert again.err == f"olbench: {begun.baseline} is there already; another name, or --force, would do\n"
    assert begun.baseline.read_bytes() == before
    assert olbench("baseline", "save", "latest", begun.baseline, "--force", "--db", db).code == 0
    assert begun.baseline.read_bytes() == before


def test_runs_and_files_are_compared_in_any_form(begun: Begun, olbench: Call, tmp_path: Path) -> None:
    db = begun.baseline.parent.parent / "runs.db"
    exported = tmp_path / "run.json"
    assert olbench("export", "latest", "--format", "json", "--out", exported, "--db", db).code == 0
    for base, new in (("latest", begun.baseline), (begun.baseline, exported), (exported, "story")):
        said = olbench("compare", base, new, "--db", db)
        assert said.code == 0, said.err
        assert "slower" not in said.out.split("margin")[0].lower() or "nothing slower" in said.out.lower()
    for kind in ("md", "json", "junit"):
        file = tmp_path / f"out.{kind}"
        said = olbench("compare", "latest", exported, "--db", db, "--format", kind, "--out", file)
        assert (said.code, said.out) == (0, f"{file}\n")
        assert file.stat().st_size
    missing = olbench("compare", "latest~1", "latest", "--db", db)
    assert missing.code == 2
    assert "there is no run 'latest~1'" in missing.err
