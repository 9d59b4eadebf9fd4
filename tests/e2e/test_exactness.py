"""The self-test from outside: alone, before a run, left out, and unable to run."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import SELFTEST, Said, kept, olbench, page, scenario, scripted

from olbench.store import Store

__all__ = ["olbench"]  # a fixture


def test_a_run_is_preceded_by_a_self_test_and_the_next_one_takes_it_over(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url}, sweep={"concurrency": 2})
        first = olbench("run", asked, SELFTEST, "--db", db)
        held = kept(db).selftest
        second = olbench("run", asked, SELFTEST, "--db", db)
        third = olbench("run", asked, "--hz", 50, "--db", db)
    assert [one.code for one in (first, second, third)] == [0, 0, 0]
    assert held is not None
    assert [(one.streams, one.rate, one.failed) for one in held.levels] == [(1, None, 0), (2, None, 0)]
    assert all(len(one.ttft_ns) >= 2 * one.streams for one in held.levels)
    assert "self-test of the clock first, about " in first.err
    assert "This client" in first.err
    assert "self-test" not in second.err
    records = [kept(db, run) for run in ids(db)]
    assert sorted(one.selftest == held for one in records) == [False, True, True]
    assert "The clock&#39;s error is unknown" in page(third)
    for said in (first, second):
        assert "How exact the clock was" in page(said)
        assert f"machine and set-up {held.machine}" in page(said)
        assert "The clock&#39;s error is unknown" not in page(said)
    # the loop of the run was asked how late it was
    lags = [seen.readings.get("client.loop_lag") for seen in kept(db).observations]
    assert any(one is not None and one.unit == "s" and min(one.values) > 0 for one in lags)


def ids(db: Path) -> list[str]:
    store = Store(db)
    try:
        return [run.id for run, _, _ in store.runs()]
    finally:
        store.close()


def test_a_self_test_that_cannot_run_costs_itself_and_not_the_run(
    tmp_path: Path, olbench: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url}, measure={"repeats": 1})
        monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
        said = olbench("run", asked, SELFTEST, "--db", db)
        alone = olbench("selftest", "--short", "--db", db)
    assert said.code == 0
    assert "note: no self-test, the clock's error is unknown: " in said.err
    assert kept(db).selftest is None
    assert (alone.code, alone.out) == (4, "")
    assert "no-python" in alone.err


def test_the_verb_prints_the_levels_and_a_verdict_and_its_code_is_the_verdicts(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    asked = scenario(
        tmp_path, {"url": "http://127.0.0.1:9"}, sweep={"concurrency": 3}, measure={"requests": 3}
    )
    told = olbench("selftest", asked, "--short", "--user-space", "--json", "--db", db)
    data = json.loads(told.out)
    assert [one["streams"] for one in data["levels"]] == [1, 3]
    assert {one["stamps"] for one in data["levels"]} == {"user-space"}
    assert [one["failed"] for one in data["levels"]] == [0, 0]
    assert told.code == (0 if data["good"] else 1)
    first, second = told.err.splitlines()
    assert first.startswith("[1/2] 1 stream, about ")
    assert second.startswith("[2/2] 3 streams, about ")
    store = Store(db)
    try:
        ((_, test),) = store.selftests(data["machine"])
    finally:
        store.close()
    assert [one.streams for one in test.levels] == [1, 3]
