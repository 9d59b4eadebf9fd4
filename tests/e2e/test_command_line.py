"""The command line over real inference: what it measures, keeps and tells, and what it survives."""

import csv
import json
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import psutil
import pytest
from outside import (
    PATIENCE_S,
    Said,
    alive,
    below,
    command,
    ended,
    kept,
    olbench,
    once,
    outcomes,
    page,
    scenario,
    started,
    through,
    until,
)

from olbench import analysis
from olbench.model import GOOD, Record, Sample

pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
pytestmark = pytest.mark.embedded
__all__ = ["olbench"]  # a fixture

F16, Q8 = "olbench-tiny:latest", "olbench-tiny:q8_0"
EMBEDDED = {"engine": "embedded", "threads": 1, "parallel": 2}


@dataclass(frozen=True)
class Alone:
    """`olbench serve-embedded`, running."""

    url: str
    log: Path
    pid: int

    def tree_rss(self) -> int:
        one = psutil.Process(self.pid)
        return sum(process.memory_info().rss for process in (one, *one.children(recursive=True)))

    def logged(self, tokens: int) -> list[float]:
        """Milliseconds from the first token to the last, of each request of that many, as llama.cpp tells them."""
        text = "".join(file.read_text(encoding="utf-8", errors="replace") for file in self.log.glob("*.log"))
        found = re.findall(r"\| +eval time = +([\d.]+) ms / +(\d+) tokens", text)
        return sorted(float(ms) for ms, count in found if int(count) == tokens)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OLBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def alone(cache: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    log = tmp_path_factory.mktemp("log")
    words = command("serve-embedded", "--port", 0, "--threads", 1, "--log", log)
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Alone(process.stdout.readline().strip(), log, process.pid)
            engines = below(process.pid)
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
        finally:
            process.kill()  # one that does not end fails a test, and does not hold all others up
        assert engines
        until(lambda: not any(alive(one) for one in engines))


def measured(record: Record) -> list[Sample]:
    return [one for seen in record.observations for one in seen.samples if one.phase == "measured"]


# --- a run, from the scenario to the page -------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """A run on the engine that runs alone."""

    db: Path
    said: Said
    record: Record
    rss: int  # of the server's processes, right after it


@pytest.fixture(scope="module")
def done(alone: Alone, tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("done")
    asked = scenario(
        folder,
        {"url": alone.url},
        sweep={
            "model": [F16, Q8],
            "concurrency": [1, 2],
            "num_ctx": 2048,
            "prompt_tokens": 512,
            "output_tokens": 256,
        },
        measure={"requests": 3, "repeats": 3},
    )
    with started("run", asked, "--db", folder / "runs.db") as process:
        said = ended(process)
    return Done(folder / "runs.db", said, kept(folder / "runs.db"), alone.tree_rss())


def test_a_scenario_goes_in_and_measured_cells_and_a_page_come_out(done: Done) -> None:
    assert done.said.code == 0
    assert done.record.run.status == "complete"
    assert len(done.record.plan.cells) == 4
    assert once(done.record)
    assert [one.outcome in GOOD for one in measured(done.record)] == [True] * 4 * 3 * 3
    counts = [one.counts for one in measured(done.record)]
    assert all(one is not None and one.eval_count == 256 for one in counts)
    assert all(one is not None and abs((one.prompt_eval_count or 0) - 512) <= 10 for one in counts)
    assert "[12/12]" in done.said.err
    shown = page(done.said)
    assert shown.count("<svg") >= 5
    assert "Does it go through?" in shown
    assert all(name in shown for name in (F16, Q8))


def test_memory_is_the_servers_not_the_clients(done: Done) -> None:
    cells = analysis.analyse(done.record).cells
    for cell in cells:
        assert cell.summaries["ram_peak"].typical.value == pytest.approx(done.rss, rel=0.15)
    for seen in done.record.observations:
        # the runner is among the processes as soon as it is there, however short the visit
        server, runner = seen.readings.get("server.rss"), seen.readings.get("runner.rss")
        assert server is not None
        assert runner is not None
        assert server.values[-1] == pytest.approx(done.rss, rel=0.15)
        assert 0 < runner.values[-1] < server.values[-1]


def test_rates_are_those_that_llama_cpp_logs_itself(done: Done, alone: Alone) -> None:
    recorded = sorted(
        one.counts.eval_ns / 1e6 for one in measured(done.record) if one.counts and one.counts.eval_ns
    )
    logged = alone.logged(256)
    assert recorded == pytest.approx(logged, rel=0.03)
    told = [one.summaries["steps"] for one in analysis.analyse(done.record).cells]
    assert max(one.most or 0 for one in told) == pytest.approx(255e3 / logged[0], rel=0.03)
    assert min(one.least or 0 for one in told) == pytest.approx(255e3 / logged[-1], rel=0.03)


def test_what_the_client_saw_agrees_with_what_the_server_says(done: Done) -> None:
    ratios = []
    for one in measured(done.record):
        assert one.counts is not None
        assert one.counts.total_ns is not None
        assert one.counts.eval_ns is not None
        assert one.sent_ns is not None
        assert 0 < one.counts.total_ns <= one.end_ns - one.sent_ns
        assert all(before <= after for before, after in pairwise(one.chunks.arrived_ns))
        ratios.append((one.end_ns - one.chunks.arrived_ns[0]) / one.counts.eval_ns)
    # The time from the first token to the last, by our stamps and by llama.cpp's clock; a single answer may be handed
    # on late by a machine that has other things to do.
    assert median(ratios) == pytest.approx(1, rel=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux stamps receives in the kernel")
def test_receives_are_stamped_by_the_kernel(done: Done) -> None:
    assert {one.stamps for one in measured(done.record)} == {"kernel"}


def test_all_verbs_tell_of_it(done: Done, olbench: Callable[..., Said], tmp_path: Path) -> None:
    run_id, db = done.record.run.id, ("--db", done.db)
    runs, show = olbench("runs", *db), olbench("show", run_id, *db)
    assert (runs.code, runs.err, show.code, show.err) == (0, "", 0, "")
    assert run_id in runs.out
    assert "12/12" in runs.out
    assert show.out.strip() in done.said.out
    assert olbench("report", run_id, "--out", tmp_path / "page.html", *db).out == f"{tmp_path}/page.html\n"
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == page(done.said)
    told = {
        kind: olbench("export", run_id[:20], "--format", kind, *db)
        for kind in ("json", "csv", "samples-csv", "md")
    }
    assert all((one.code, one.err) == (0, "") for one in told.values())
    assert json.loads(told["json"].out)["run"]["id"] == run_id
    rows = list(csv.DictReader(told["csv"].out.splitlines()))
    assert {row["model"] for row in rows} == {F16, Q8}
    assert len(list(csv.DictReader(told["samples-csv"].out.splitlines()))) == 36
    assert told["md"].out.count("|") > 20
    listed = olbench("models", "--url", done.record.run.settings["server.url"])
    assert (listed.code, listed.err) == (0, "")
    assert all(name in listed.out for name in (F16, Q8))


def test_a_prompt_that_is_repeated_is_answered_from_the_cache(
    alone: Alone, tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    waits: dict[str, float] = {}
    cached: dict[str, list[int]] = {}
    for state in ("cold", "warm"):
        asked = scenario(
            tmp_path,
            {"url": alone.url},
            sweep={"model": F16, "num_ctx": 2048, "prompt_tokens": 1024, "output_tokens": 8},
            workload={"cache": state},
            measure={"warmup": 1, "requests": 5, "repeats": 1},
        )
        assert olbench("run", asked, "--db", tmp_path / f"{state}.db").code == 0
        record = kept(tmp_path / f"{state}.db")
        summary = analysis.analyse(record).cells[0].summaries["ttft"]
        waits[state] = statistics.median(summary.per_visit)
        cached[state] = [one.counts.cached_count or 0 for one in measured(record) if one.counts]
    assert waits["warm"] < 0.5 * waits["cold"]
    assert max(cached["cold"]) < 64
    assert min(cached["warm"]) > 960


def test_a_model_that_the_engine_does_not_know_is_not_pulled(
    alone: Alone, tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    asked = scenario(tmp_path, {"url": alone.url}, sweep={"model": "nobody:1b"})
    said = olbench("run", asked, "--pull", "--db", tmp_path / "runs.db")
    assert said.code == 4
    assert "olbench: pulling nobody:1b failed: " in said.err


# --- unplugged ----------------------------------------------------------------------------------------------------


def killed_in_the_next(pid: int, module: str, db: Path, visit: int) -> None:
    """Kill a process of the engine in the visit after so many, while its first request is answered."""
    until(lambda: through(db) == visit)
    (child,) = below(pid, "olbench.engines.child")
    (victim,) = below(pid, module)
    since = sum(child.cpu_times()[:2])
    until(lambda: sum(child.cpu_times()[:2]) > since + 0.05)
    victim.kill()


def test_an_engine_that_is_killed_is_started_again_and_the_run_goes_on(tmp_path: Path) -> None:
    db = tmp_path / "runs.db"
    asked = scenario(
        tmp_path,
        EMBEDDED,
        sweep={"model": F16, "num_ctx": 2048, "output_tokens": 1000},
        measure={"requests": 2, "repeats": 5},
    )
    with started("run", asked, "--db", db) as process:
        for module, visit in (("olbench.engines.child", 1), ("olbench.engines.front", 3)):
            killed_in_the_next(process.pid, module, db, visit)
        said = ended(process)
    taken = kept(db).observations
    assert len(taken) == 5
    runner, front = outcomes(taken[1]), outcomes(taken[3])
    assert said.code in (1, 4)
    assert "ok" not in (runner[0], front[0])
    assert "signal 9" in taken[1].samples[0].words
    assert runner[1:] == ["ok"]  # the front loads the model again, as Ollama does
    assert front in (["cut_off", "refused"], ["cut_off", "cut_off"])  # its port is closed a little later
    assert [outcomes(taken[number]) for number in (0, 2, 4)] == [["ok"] * 2] * 3
    assert taken[4].notes == ("the engine had died and was started again",)
    assert "signal 9" in page(said)


def test_a_kill_loses_the_visit_in_hand_at_most_and_resume_takes_the_rest(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    asked = scenario(
        tmp_path,
        EMBEDDED,
        sweep={"model": [F16, Q8], "num_ctx": 2048, "output_tokens": 600},
        measure={"requests": 2, "repeats": 3},
    )
    with started("run", asked, "--db", db) as process:
        until(lambda: through(db) == 2)
        engines = below(process.pid)
        assert {"olbench.engines.front", "olbench.engines.child"} <= {
            w for one in engines for w in one.cmdline()
        }
        process.kill()
        process.wait()
    until(lambda: not any(alive(one) for one in engines))
    before = kept(db)
    assert before.run.status == "running"
    assert [outcomes(one) for one in before.observations] == [["ok", "ok"]] * len(before.observations)
    assert len(before.observations) in (2, 3)
    resumed = olbench("run", "--resume", "latest", "--db", db)
    assert resumed.code == 0
    after = kept(db)
    assert after.run.id == before.run.id
    assert after.run.status == "complete"
    assert once(after)
    assert len(after.observations) == 6
    assert f"run {after.run.id}" in resumed.out
