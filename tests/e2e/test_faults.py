"""What a broken server does to a run: every fault is told, and the run goes on."""

import csv
import html
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from outside import (
    Said,
    Server,
    command,
    ended,
    kept,
    olbench,
    once,
    outcomes,
    page,
    scenario,
    scripted,
    started,
    until,
)

from olbench.engines.scripted_faults import FAULTS

__all__ = ["olbench"]  # a fixture

TOLD = {
    "404": "not_found",
    "503": "queue_full",
    "500": "http_error",
    "memory": "out_of_memory",
    "html": "stream_error",
    "garbage": "http_error",
    "bad_json": "stream_error",
    "half_line": "cut_off",
    "error_line": "stream_error",
    "no_done": "cut_off",
    "stall": "stalled",
    "drop": "cut_off",
}
TOKEN = "sk-Qe71-not-to-be-seen"


def test_each_fault_ends_as_its_outcome_and_the_run_goes_on(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted(faults=dict(enumerate(TOLD))) as server:
        asked = scenario(tmp_path, {"url": server.url}, measure={"requests": 14, "timeout": 0.5})
        said = olbench("run", asked, "--db", db)
    assert set(TOLD) == set(FAULTS)
    first, second = kept(db).observations
    assert outcomes(first) == [*TOLD.values(), "ok", "ok"]
    assert outcomes(second) == ["ok"] * 14
    assert all(one.words for one in first.samples if one.outcome != "ok")
    assert said.code == 1
    assert "12 of 14 failed" in said.err
    shown = page(said)
    for words in (
        "maximum pending requests exceeded",
        "cudaMalloc failed: out of memory",
        "not done within 0.5 s",
    ):
        assert words in shown
        assert words in said.out


def test_a_cell_whose_every_request_fails_is_not_measured_and_the_next_one_is(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted(models=["a:1b", "b:1b"], faults={0: "500", 1: "503"}) as server:
        asked = scenario(
            tmp_path,
            {"url": server.url},
            sweep={"model": ["a:1b", "b:1b"]},
            measure={"repeats": 1, "order": "listed"},
        )
        said = olbench("run", asked, "--db", db)
        assert said.code == 4
        first, second = kept(db).observations
        assert outcomes(first) == ["http_error", "queue_full"]
        assert first.problem is not None
        assert "none of 2 requests succeeded" in first.problem
        assert (outcomes(second), second.problem) == (["ok", "ok"], None)
        assert "none of 2 requests succeeded" in page(said)
        # what it lacked is taken when it is resumed, and nothing twice
        assert olbench("run", "--resume", "latest", "--db", db).code == 0
    assert once(kept(db))
    assert olbench("run", "--resume", "latest", "--db", db) == Said(
        2, "", f"olbench: run {kept(db).run.id} is complete: nothing is left to resume\n"
    )


def test_a_server_that_is_killed_leaves_problems_and_a_page(tmp_path: Path) -> None:
    db = tmp_path / "runs.db"
    with scripted(itl_ns=10_000_000) as server:
        asked = scenario(tmp_path, {"url": server.url}, sweep={"output_tokens": 50}, measure={"repeats": 3})
        with started("run", asked, "--db", db) as process:
            asked_for(server, 3)  # the first of the second visit
            server.process.kill()
            said = ended(process)
    assert said.code == 4
    first, second, third = kept(db).observations
    assert outcomes(first) == ["ok", "ok"]
    assert outcomes(second) in (["cut_off", "refused"], ["cut_off", "cut_off"])
    assert third.problem is not None
    assert third.samples == ()
    assert kept(db).run.status == "failed"
    assert kept(db).facts_end is None
    assert "Connection refused" in third.problem
    assert third.problem in html.unescape(page(said))


def test_an_answer_that_is_no_server_of_this_kind_is_told_before_anything_runs(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    asked = scenario(tmp_path, {"url": "http://127.0.0.1:9"})
    said = olbench("run", asked, "--db", tmp_path / "runs.db")
    assert (said.code, said.out) == (4, "")
    assert "no Ollama server answers at http://127.0.0.1:9" in said.err
    assert "ollama serve" in said.err
    assert "engine=" in said.err


# --- interrupted --------------------------------------------------------------------------------------------------


def test_a_signal_ends_the_run_and_keeps_what_was_measured(tmp_path: Path) -> None:
    signs = (signal.SIGINT, signal.SIGTERM)
    with ExitStack() as stack:
        runs = [stack.enter_context(running(tmp_path / sign.name)) for sign in signs]
        for sign, (server, process) in zip(signs, runs, strict=True):
            asked_for(server, 5)  # the second of the second visit
            process.send_signal(sign)
        for sign, (_, process) in zip(signs, runs, strict=True):
            kept_what_was_measured(ended(process), tmp_path / sign.name / "runs.db")


def asked_for(server: Server, requests: int) -> None:
    until(lambda: server.served() >= requests)


@contextmanager
def running(folder: Path) -> Iterator[tuple[Server, subprocess.Popen[str]]]:
    """A run of nine visits of three requests of a fifth of a second, and its server."""
    folder.mkdir()
    with scripted(itl_ns=10_000_000) as server:
        sweep, measure = {"output_tokens": 20}, {"requests": 3, "repeats": 9}
        asked = scenario(folder, {"url": server.url}, sweep=sweep, measure=measure)
        with started("run", asked, "--db", folder / "runs.db") as process:
            yield server, process


def kept_what_was_measured(said: Said, db: Path) -> None:
    assert said.code == 130
    first, second = kept(db).observations
    assert outcomes(first) == ["ok"] * 3
    assert outcomes(second) in (["ok", "cancelled"], ["ok", "ok", "cancelled"])
    assert second.problem == "interrupted"
    assert kept(db).run.status == "interrupted"
    assert "what was measured is kept" in said.err
    assert "interrupted" in page(said)


# --- names and secrets --------------------------------------------------------------------------------------------


def test_names_from_outside_are_shown_as_text(tmp_path: Path, olbench: Callable[..., Said]) -> None:
    names, db = ["<script>alert(1)</script>", "通义千问:7b"], tmp_path / "runs.db"
    with scripted(models=names) as server:
        asked = scenario(tmp_path, {"url": server.url}, sweep={"model": names}, measure={"repeats": 1})
        said = olbench("run", asked, "--db", db, "--report", tmp_path / "page.html")
        listed = olbench("models", "--url", server.url)
    assert said.code == 0
    for text in (said.out, listed.out):
        assert all(name in text for name in names)
    shown = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
    assert "通义千问:7b" in shown
    rows = list(csv.DictReader(olbench("export", "--format", "csv", "--db", db).out.splitlines()))
    assert {row["model"] for row in rows} == set(names)
    markdown = olbench("export", "--format", "md", "--db", db).out
    assert olbench("export", "--format", "md", "--out", tmp_path / "figures.md", "--db", db).code == 0
    assert (tmp_path / "figures.md").read_text(encoding="utf-8") == markdown
    assert "<script>" not in markdown
    assert "通义千问:7b" in markdown


def test_names_that_the_output_cannot_hold_are_spelled_out(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "cp1252"}  # what a pipe on Windows may be
    with scripted(models=["通义千问:7b"]) as server:
        done = subprocess.run(
            command("models", "--url", server.url),
            env=environment,
            capture_output=True,
            encoding="cp1252",
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"\u901a\u4e49\u5343\u95ee:7b" in done.stdout


def test_a_token_is_sent_and_kept_nowhere(
    tmp_path: Path, olbench: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "runs.db"
    monkeypatch.setenv("STORY_TOKEN", TOKEN)
    with scripted(token=TOKEN, faults={1: "500"}) as server:
        asked = scenario(tmp_path, {"url": server.url, "token_env": "STORY_TOKEN"})
        said = [
            olbench("run", asked, "--db", db),
            olbench("models", "--url", server.url, "--token-env", "STORY_TOKEN"),
        ]
        assert [one.code for one in said] == [1, 0]
        monkeypatch.setenv("STORY_TOKEN", "another")
        refused = olbench("run", asked, "--db", tmp_path / "other.db")
        assert refused.code == 4
        assert "unauthorized" in refused.err
    said += [olbench("export", "--format", kind, "--db", db) for kind in ("json", "csv", "samples-csv", "md")]
    said += [olbench(verb, "--db", db) for verb in ("show", "runs", "report")]
    assert not any(TOKEN in one.out + one.err for one in said)
    written = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert {".db", ".html"} <= {file.suffix for file in written}
    assert not any(TOKEN.encode() in file.read_bytes() for file in written)


def test_a_model_that_cannot_be_pulled_is_told_in_the_servers_words(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url}, sweep={"model": "gone:1b"})
        said = olbench("run", asked, "--pull", "--db", db)
        assert (said.code, said.out) == (4, "")
        assert "pulling gone:1b failed: pull model manifest: file does not exist" in said.err
        without = olbench("run", asked, "--db", db)
    assert without.code == 2
    assert "scripted:1b" in without.err
    assert (
        olbench("show", "--db", db).err
        == f"olbench: {db} holds no run yet; `olbench run SCENARIO` makes one\n"
    )


# --- the disk -----------------------------------------------------------------------------------------------------


def test_two_runs_at_once_share_a_database(tmp_path: Path) -> None:
    db = tmp_path / "runs.db"
    with scripted(slots=8) as server:
        asked = scenario(tmp_path, {"url": server.url}, measure={"repeats": 4})
        with started("run", asked, "--db", db) as one, started("run", asked, "--db", db) as other:
            both = [ended(one), ended(other)]
    assert [said.code for said in both] == [0, 0]
    ids = [re.findall(r"^run (\S+)$", said.out, re.MULTILINE)[-1] for said in both]
    assert len(set(ids)) == 2
    assert all(once(kept(db, run)) for run in ids)


def test_a_target_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    wall, db = tmp_path / "file", tmp_path / "runs.db"
    wall.write_text("not a folder")
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url})
        nowhere = olbench("run", asked, "--db", wall / "runs.db")
        unreported = olbench("run", asked, "--db", db, "--report", wall / "page.html")
    assert (nowhere.code, nowhere.out) == (1, "")
    assert nowhere.err.count("\n") == 1
    assert str(wall) in nowhere.err
    # the figures and the run are there, only the page is not; it is written when it can be
    assert unreported.code == 1
    assert once(kept(db))
    assert kept(db).run.id in unreported.out
    assert f"olbench: {wall}/page.html: it cannot be written" in unreported.err
    for arguments in (("report", "--out", wall / "page.html"), ("export", "--out", wall / "figures.json")):
        said = olbench(*arguments, "--db", db)
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    for verb in ("runs", "show", "report", "export"):
        said = olbench(verb, "--db", wall / "runs.db")
        assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit is a shell's of Unix")
def test_a_full_disk_ends_the_run_and_keeps_what_was_written(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted(itl_ns=100_000) as server:
        asked = scenario(
            tmp_path,
            {"url": server.url},
            sweep={"output_tokens": 400},
            measure={"repeats": 9, "requests": 8, "timeout": 30},
        )
        limited = ["sh", "-c", 'ulimit -f 400; exec "$@"', "sh", *command("run", asked, "--db", db)]
        done = subprocess.run(limited, capture_output=True, text=True, timeout=30, check=False)
    said = Said(done.returncode, done.stdout, done.stderr)
    assert said.code == 1
    assert said.err.splitlines()[-1].startswith(f"olbench: {db}: nothing was written: ")
    taken = kept(db).observations
    assert 0 < len(taken) < 9
    assert all(one.problem is None for one in taken)
    assert olbench("show", "--db", db).code == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_figures_that_nobody_takes_are_one_sentence(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command("models", "--help"),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "olbench: what there is to say cannot be written: No space left on device\n"


def test_a_reader_that_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    with started("models", "--help") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
