"""What is kept comes back the same; a visit is kept whole or not at all."""

import sqlite3
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from olbench.errors import StoreError, UsageError
from olbench.model import (
    TEXT,
    Cell,
    Chunks,
    Counts,
    Level,
    Observation,
    Placement,
    Plan,
    Run,
    Sample,
    SelfTest,
    Visit,
)
from olbench.readings import NO_READINGS, Readings, Series
from olbench.store import Store
from olbench.store_columns import pack_chunks, unpack_chunks
from olbench.store_schema import STEPS, VERSION
from olbench.store_values import as_json, from_json, sample_of, sample_row


def a_run(run_id: str = "20261122-220256-quick-3f9a", name: str = "quick") -> Run:
    return Run(
        id=run_id,
        name=name,
        question="Which?",
        status="running",
        started_at="2026-11-22T22:02:56Z",
        ended_at=None,
        olbench="0.1.0",
        scenario_text="question = 'Which?'\n",
        settings={"repeats": 3, "budget": None},
    )


def a_sample(**changes: object) -> Sample:
    chunks = Chunks(array("q", [10, 20]), array("q", [0, 1 << 60]), bytes([TEXT, 0]))
    fields: dict[str, object] = {
        "index": 0,
        "phase": "measured",
        "stream": 0,
        "prompt": "通义",
        "outcome": "ok",
        "words": "",
        "status": 200,
        "wanted_ns": 1,
        "sent_ns": 2,
        "head_ns": None,
        "end_ns": 30,
        "stamps": "kernel",
        "streamed": True,
        "chunks": chunks,
        "counts": Counts(30, 1, 5, 4, None, 2, 3, "length"),
        "text": "<b>'; DROP TABLE run; --",
        "thinking": "",
    }
    return Sample(**(fields | changes))  # type: ignore[arg-type]


def a_visit(repeat: int = 0, **changes: object) -> Observation:
    series = Series("server.rss", "B", array("q", [1, 2]), array("d", [1.5, 2.5]))
    fields: dict[str, object] = {
        "visit": Visit(repeat, "c0ffee000001", repeat),
        "started_at": "2026-11-22T22:03:00Z",
        "started_ns": 1,
        "measured_ns": 2,
        "ended_ns": 40,
        "placement": Placement(
            how="preloaded",
            preload_ns=5,
            digest="d",
            size=9,
            size_vram=0,
            context_length=4096,
            runner_pid=None,
            parallel=2,
            doubts=("one",),
        ),
        "problem": None,
        "notes": ("a note",),
        "samples": (a_sample(), a_sample(index=1, outcome="cut_off", counts=None)),
        "baseline": NO_READINGS,
        "readings": Readings((series,), (("gpu0.used", "no NVIDIA driver was found"),)),
    }
    return Observation(**(fields | changes))  # type: ignore[arg-type]


def a_selftest(**changes: object) -> SelfTest:
    level = Level(
        streams=16,
        rate=None,
        stamps="kernel",
        ttft_ns=array("q", [80_000, -5_000]),
        gap_ns=array("q", [1, -2, 3]),
        dispatch_ns=array("q"),
        chunks=4,
        coalesced=0,
        unstamped=1,
        failed=0,
        cpu_ns=9,
    )
    fields: dict[str, object] = {
        "at": "2026-11-22T22:00:00Z",
        "olbench": "0.1.0",
        "machine": "0123456789ab",
        "levels": (level, replace(level, streams=66, rate=200.0)),
    }
    return SelfTest(**(fields | changes))  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "deep" / "olbench.db")


def test_a_run_comes_back_as_it_was_kept(store: Store, cell: Callable[..., Cell]) -> None:
    options = (
        ("num_batch", 512),
        ("seed", 0),
        ("stop", ("a", "b")),
        ("temperature", 0.0),
        ("use_mmap", True),
    )
    plan = Plan((cell(options=options),), (Visit(0, "c0ffee000001", 0),), 2, ("note",))
    facts = {"server.version": "0.33", "cpu.cores": 2, "gpu": None}
    store.begin(a_run(), plan, facts, ())
    store.append(a_run().id, a_visit())
    store.append(a_run().id, a_visit(1, problem="the server went away", placement=None, samples=()))
    store.end(replace(a_run(), status="complete", ended_at="2026-11-22T22:05:00Z"), facts)
    record = store.record(a_run().id)
    assert record.plan == plan
    assert (record.facts, record.facts_end, record.run.status) == (facts, facts, "complete")
    assert list(record.observations) == [
        a_visit(),
        a_visit(1, problem="the server went away", placement=None, samples=()),
    ]
    assert store.done(a_run().id) == {("c0ffee000001", 0)}
    assert [(run.id, planned, done) for run, planned, done in store.runs()] == [(a_run().id, 1, 1)]


def test_a_visit_that_cannot_be_written_whole_is_not_written_at_all(
    store: Store, cell: Callable[..., Cell]
) -> None:
    store.begin(a_run(), Plan((cell(),), (), 0, ()), {}, ())
    broken = replace(a_sample(), outcome=None)  # type: ignore[arg-type]  # violates NOT NULL in the second row
    with pytest.raises(StoreError, match="nothing was written"):
        store.append(a_run().id, a_visit(samples=(a_sample(), broken)))
    assert len(store.record(a_run().id).observations) == 0


def test_a_run_is_found_by_id_beginning_name_or_latest(store: Store) -> None:
    with pytest.raises(UsageError, match="holds no run yet"):
        store.find("latest")
    for run_id, name in (("20261101-1-a", "one"), ("20261102-1-b", "two"), ("20261103-1-c", "one")):
        store.begin(a_run(run_id, name), Plan((), (), 0, ()), {}, ())
    assert store.find("latest") == "20261103-1-c"
    assert store.find("one") == "20261103-1-c"
    assert store.find("two") == "20261102-1-b"
    assert store.find("20261101") == "20261101-1-a"
    with pytest.raises(UsageError, match="not the beginning of one id alone"):
        store.find("202611")
    with pytest.raises(UsageError, match="there is no run 'three'"):
        store.find("three")


def test_two_processes_may_write_to_one_file(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "deep" / "olbench.db")
    store.begin(a_run("20261101-1-a"), Plan((), (), 0, ()), {}, ())
    other.begin(a_run("20261102-1-b"), Plan((), (), 0, ()), {}, ())
    other.append("20261101-1-a", a_visit())
    assert len(store.runs()) == 2
    assert len(store.record("20261101-1-a").observations) == 1


def test_the_self_test_that_held_comes_back_with_its_run(store: Store) -> None:
    older, other = a_selftest(), a_selftest(machine="ba9876543210")
    newer = a_selftest(at="2026-11-22T22:01:00Z", levels=())
    numbers = [store.keep(one) for one in (older, other, newer)]
    assert store.selftests("0123456789ab") == ((numbers[2], newer), (numbers[0], older))
    assert store.selftests("none") == ()
    store.begin(a_run("20261101-1-a"), Plan((), (), 0, ()), {}, (), numbers[0])
    store.begin(a_run("20261102-1-b"), Plan((), (), 0, ()), {}, ())
    assert store.record("20261101-1-a").selftest == older
    assert store.record("20261102-1-b").selftest is None


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    Store(tmp_path / "new.db").begin(a_run(), Plan((), (), 0, ()), {"cpu.cores": 2}, ())
    columns = "id, run, plan, facts, facts_end, cards"
    old = sqlite3.connect(tmp_path / "old.db")
    old.executescript(STEPS[1])
    old.execute("ATTACH ? AS new", (str(tmp_path / "new.db"),))
    old.execute(f"INSERT INTO run ({columns}) SELECT {columns} FROM new.run")
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    store = Store(tmp_path / "old.db")
    assert store.record(a_run().id).facts == {"cpu.cores": 2}
    assert store.record(a_run().id).selftest is None
    store.append(a_run().id, a_visit())
    store.begin(a_run("20261123-1-b"), Plan((), (), 0, ()), {}, (), store.keep(a_selftest()))
    assert store.record("20261123-1-b").selftest == a_selftest()
    store.close()
    (found,) = sqlite3.connect(tmp_path / "old.db").execute("PRAGMA user_version").fetchone()
    assert found == VERSION


def test_a_newer_file_and_a_foreign_file_are_refused_in_words(tmp_path: Path) -> None:
    newer = sqlite3.connect(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(StoreError, match="written by a newer olbench"):
        Store(tmp_path / "newer.db")
    (tmp_path / "foreign.db").write_text("this is no database, and longer than a header " * 9)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path / "foreign.db")


def test_columns_are_checked_when_they_are_read() -> None:
    chunks = a_sample().chunks
    assert unpack_chunks(pack_chunks(chunks)) == chunks
    for damaged in (b"x", pack_chunks(chunks)[:-3]):
        with pytest.raises(ValueError, match="damaged"):
            unpack_chunks(damaged)


def test_samples_and_readings_of_a_visit_are_read_when_they_are_asked_for(
    store: Store, cell: Callable[..., Cell], tmp_path: Path
) -> None:
    store.begin(a_run(), Plan((cell(),), (), 0, ()), {}, ())
    store.append(a_run().id, a_visit())
    raw = sqlite3.connect(tmp_path / "deep" / "olbench.db")
    raw.execute("UPDATE sample SET chunks = x'00'")
    raw.execute("UPDATE reading SET points = x'00'")
    raw.commit()
    raw.close()
    (seen,) = store.record(a_run().id).observations
    assert (len(seen.samples), len(seen.readings.series), len(seen.baseline.series)) == (2, 1, 0)
    assert seen.notes == ("a note",)
    with pytest.raises(StoreError, match=r"visit 1: .*damaged"):
        list(seen.readings.series)
    with pytest.raises(StoreError, match=r"visit 1: .*damaged"):
        seen.samples[0]


def test_a_run_that_goes_on_gets_cells_and_visits_and_keeps_those_it_has(
    store: Store, cell: Callable[..., Cell]
) -> None:
    run, old = a_run(), Plan((cell(),), (Visit(0, "c0ffee000001", 0),), 0, ("a note",))
    store.begin(run, old, {}, [])
    more = replace(old.cells[0], id="c0ffee000002", concurrency=9)
    fresh = Visit(7, more.id, 0)
    store.extend(run.id, Plan((*old.cells, more), (*old.visits, fresh), 0, ("another note",)))
    store.extend(run.id, Plan((more,), (fresh,), 0, ()))
    plan = store.record(run.id).plan
    assert plan.cells == (*old.cells, more)
    assert plan.visits == (*old.visits, fresh)
    assert plan.notes == (*old.notes, "another note")
    with pytest.raises(UsageError, match="no run 'gone'"):
        store.extend("gone", old)


def test_a_visit_that_was_given_up_and_the_turn_of_a_sample_come_back(
    store: Store, cell: Callable[..., Cell]
) -> None:
    store.begin(a_run(), Plan((cell(),), (), 0, ()), {}, [])
    store.append(a_run().id, a_visit(cut_short=True, samples=(a_sample(turn=2, part=1),)))
    (seen,) = store.record(a_run().id).observations
    assert seen.cut_short
    assert [(one.turn, one.part) for one in seen.samples] == [(2, 1)]


def test_what_was_kept_before_there_were_loads_reads_as_without_them(cell: Callable[..., Cell]) -> None:
    text, chunks = sample_row(a_sample())
    old = text.replace(',"part":0', "").replace(',"turn":0', "")
    assert "turn" not in old
    assert sample_of(old, chunks) == a_sample()
    old = as_json(cell()).replace(',"load":null', "").replace(',"mix":[]', "")
    assert "mix" not in old
    assert from_json(old, Cell) == cell()
