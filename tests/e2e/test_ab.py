"""Two set-ups measured in turn, from outside: servers in processes of their own, one a little slower or not."""

import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from outside import Said, ended, kept, olbench, scenario, scripted, started, through, until

from olbench.model import Record
from olbench.store import Store

__all__ = ["olbench"]  # a fixture

MS = 1_000_000
ITL = 4 * MS
TOKENS = 12
# Other tests may compute beside this one.
ALONE = {"thresholds": {"other_cores": 64.0, "stolen_cores": 64.0, "pressure": 1.0, "clock_fall": 1.0}}


def asked(folder: Path, url: str, **tables: dict[str, Any]) -> Path:
    whole: dict[str, dict[str, Any]] = {
        "sweep": {"output_tokens": TOKENS},
        "measure": {"requests": 3, "retake": True},
        **ALONE,
    }
    return scenario(
        folder, {"url": url}, **{name: whole.get(name, {}) | tables.get(name, {}) for name in whole}
    )


def ids(db: Path) -> list[str]:
    store = Store(db)
    try:
        return sorted(run.id for run, _, _ in store.runs())
    finally:
        store.close()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


def test_a_server_that_is_five_percent_slower_is_found_within_few_blocks(
    tmp_path: Path, db: Path, olbench: Callable[..., Said]
) -> None:
    with scripted(itl_ns=ITL) as a, scripted(itl_ns=round(ITL / 0.95)) as b:
        said = olbench(
            "ab",
            asked(tmp_path, a.url),
            *("--b", f"server.url={b.url}", "--db", db, "--no-selftest", "--most", "12"),
        )
    one, two = (kept(db, run) for run in ids(db))
    assert said.code == 1
    assert "B is slower: Decode rate in 1 cell, after " in said.out
    assert f"A and B differ in server.url ({a.url} against {b.url})" in said.err
    assert "two servers, so no change of side loads anything" in said.err
    assert [record.run.name for record in (one, two)] == ["story (a)", "story (b)"]
    assert [record.run.settings["ab.side"] for record in (one, two)] == ["a", "b"]
    assert [record.run.settings["ab.of"] for record in (one, two)] == [one.run.id] * 2
    assert [record.run.status for record in (one, two)] == ["complete"] * 2
    assert {"abba", "baab"} == set(blocks := in_fours(one, two))
    assert all(before != after for before, after in pairwise(blocks))
    assert len(blocks) < 12


def in_fours(a: Record, b: Record) -> list[str]:
    """The sides of all visits in the order of taking; of one that was taken again, the first."""
    first: dict[tuple[str, int], int] = {}
    for side, record in (("a", a), ("b", b)):
        for seen in record.observations:
            first.setdefault((side, seen.visit.repeat), seen.started_ns)
    order = "".join(side for side, _ in sorted(first, key=lambda one: first[one]))
    return [order[place : place + 4] for place in range(0, len(order), 4)]


def test_the_same_script_twice_is_not_slower_and_the_first_blocks_say_how_many_it_takes(
    tmp_path: Path, db: Path, olbench: Callable[..., Said]
) -> None:
    page = tmp_path / "ab.html"
    with scripted(itl_ns=ITL) as a, scripted(itl_ns=ITL) as b:
        said = olbench(
            "ab",
            asked(tmp_path, a.url),
            *("--b", f"server.url={b.url}", "--db", db, "--no-selftest", "--detect", "20%", "--html", page),
        )
    assert said.code in (0, 3)
    assert "B is slower" not in said.out
    assert "first 3 blocks of 4 visits to each of 1 pair of cells" in said.err
    assert "to see 20 % with 90 % power" in said.err
    assert "story" in page.read_text(encoding="utf-8")


def test_one_server_loads_its_models_in_turn(tmp_path: Path, db: Path, olbench: Callable[..., Said]) -> None:
    with scripted(itl_ns=ITL, load_ns=MS) as server:
        said = olbench(
            "ab",
            asked(tmp_path, server.url),
            *("--b", "sweep.num_ctx=8192", "--db", db, "--no-selftest", "--most", "3"),
        )
    one, two = (kept(db, run) for run in ids(db))
    assert "A and B differ in num_ctx (4096 against 8192)" in said.err
    assert "one server, so a change of side loads the model anew, 3 times a block" in said.err
    assert said.code in (0, 1, 3)
    for record, context in ((one, 4096), (two, 8192)):
        found = {seen.placement.context_length for seen in record.observations if seen.placement}
        assert found == {context}


def test_sides_of_unlike_numbers_of_cells_are_refused(
    tmp_path: Path, db: Path, olbench: Callable[..., Said]
) -> None:
    with scripted() as server:
        said = olbench(
            "ab", asked(tmp_path, server.url), "--b", "sweep.concurrency=[1,2]", "--db", db, "--no-selftest"
        )
    assert said.code == 2
    assert "A has 1 cell and B 2; cells are paired in their order" in said.err
    assert ids(db) == []


def test_a_server_that_is_not_there_could_not_be_measured(
    tmp_path: Path, db: Path, olbench: Callable[..., Said]
) -> None:
    with scripted() as gone:
        pass
    with scripted() as a:
        said = olbench(
            "ab", asked(tmp_path, a.url), "--b", f"server.url={gone.url}", "--db", db, "--no-selftest"
        )
    assert said.code == 4
    assert f"no Ollama server answers at {gone.url}" in said.err


def test_a_stop_keeps_what_was_measured_and_one_side_is_not_resumed(
    tmp_path: Path, db: Path, olbench: Callable[..., Said]
) -> None:
    with scripted(itl_ns=ITL) as a, scripted(itl_ns=ITL) as b:
        arguments = ("ab", asked(tmp_path, a.url, measure={"requests": 12}), "--b", f"server.url={b.url}")
        with started(*arguments, "--db", db, "--no-selftest") as process:
            until(lambda: through(db) >= 2)
            process.send_signal(signal.SIGINT)
            said = ended(process)
        again = olbench("run", "--resume", "latest", "--db", db)
    assert said.code == 130
    assert "Interrupted after " in said.out
    assert {kept(db, run).run.status for run in ids(db)} == {"interrupted"}
    assert again.code == 2
    assert "a new `olbench ab` would do" in again.err
