"""What was seen, kept: all SQL of olbench. One SQLite file in WAL mode, one transaction a visit."""

import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, overload

import msgspec

from olbench.errors import StoreError, UsageError
from olbench.model import (
    NO_CHUNKS,
    NO_READINGS,
    Facts,
    ModelCard,
    Observation,
    Plan,
    Readings,
    Record,
    Run,
    Sample,
    Series,
)
from olbench.store_columns import pack, pack_chunks, unpack_chunks, unpack_points
from olbench.store_schema import STEPS, VERSION

T = TypeVar("T")

BUSY_S = 30.0  # a second run on the same file waits this long for the first one's commit


class Store:
    """An open database. Safe to use from several threads, one call at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create the file, and bring an older one up to date. Raises StoreError."""
        self._path = path
        self._lock = Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # what was measured survives a power cut
            self._db.execute("PRAGMA foreign_keys = ON")
            self._migrate()
        except (sqlite3.Error, OSError) as fault:
            raise StoreError(f"{path}: the database cannot be opened: {fault}") from fault

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    # --- writing ---------------------------------------------------------------------------------------------

    def begin(self, run: Run, plan: Plan, facts: Facts, cards: Sequence[ModelCard]) -> None:
        """Open a run."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO run (id, run, plan, facts, cards) VALUES (?, ?, ?, ?, ?)",
                (run.id, _json(run), _json(plan), _json(facts), _json(tuple(cards))),
            )

    def append(self, run_id: str, seen: Observation) -> None:
        """Keep one visit with all its samples and readings, or nothing of it."""
        frame = replace(seen, samples=(), baseline=NO_READINGS, readings=NO_READINGS)
        with self._transaction() as db:
            visit = db.execute(
                "INSERT INTO visit (run, cell, repeat, problem, frame) VALUES (?, ?, ?, ?, ?)",
                (run_id, seen.visit.cell, seen.visit.repeat, seen.problem, _json(_absences(frame, seen))),
            ).lastrowid
            db.executemany(
                "INSERT INTO sample (visit, outcome, sample, chunks) VALUES (?, ?, ?, ?)",
                (
                    (visit, one.outcome, _json(replace(one, chunks=NO_CHUNKS)), pack_chunks(one.chunks))
                    for one in seen.samples
                ),
            )
            db.executemany(
                "INSERT INTO reading (visit, part, name, unit, points) VALUES (?, ?, ?, ?, ?)",
                (
                    (visit, part, one.name, one.unit, pack(one.t_ns, one.values))
                    for part, readings in (("baseline", seen.baseline), ("visit", seen.readings))
                    for one in readings.series
                ),
            )

    def end(self, run: Run, facts_end: Facts | None) -> None:
        """Write how a run ended; also its new beginning when it is resumed."""
        with self._transaction() as db:
            db.execute(
                "UPDATE run SET run = ?, facts_end = ? WHERE id = ?",
                (_json(run), None if facts_end is None else _json(facts_end), run.id),
            )

    # --- reading ---------------------------------------------------------------------------------------------

    def runs(self) -> tuple[tuple[Run, int, int], ...]:
        """All runs, newest first, each with the visits that it planned and those that went through."""
        rows = self._query(
            "SELECT run.run, run.plan, (SELECT count(DISTINCT cell || ' ' || repeat) FROM visit"
            " WHERE visit.run = run.id AND problem IS NULL) FROM run ORDER BY run.id DESC"
        )
        return tuple(
            (_value(run, Run), len(_value(plan, Plan).visits), int(done)) for run, plan, done in rows
        )

    def find(self, asked: str) -> str:
        """The id of a run by its id, the beginning of it, its name (the newest), or "latest"."""
        known = [(run.id, run.name) for run, _, _ in self.runs()]
        if not known:
            raise UsageError(f"{self._path} holds no run yet; `olbench run SCENARIO` makes one")
        if asked == "latest":
            return known[0][0]
        exact = [run_id for run_id, name in known if asked in (run_id, name)]
        begun = exact[:1] or [run_id for run_id, _ in known if run_id.startswith(asked)]
        if len(begun) == 1:
            return begun[0]
        if begun:
            raise UsageError(f"run {asked!r} is not the beginning of one id alone: {', '.join(begun[:5])}")
        raise UsageError(
            f"there is no run {asked!r} in {self._path}; the newest are {', '.join(run_id for run_id, _ in known[:5])}"
        )

    def done(self, run_id: str) -> frozenset[tuple[str, int]]:
        """(cell, repeat) of the visits that went through."""
        rows = self._query("SELECT cell, repeat FROM visit WHERE run = ? AND problem IS NULL", run_id)
        return frozenset((str(cell), int(repeat)) for cell, repeat in rows)

    def record(self, run_id: str) -> Record:
        """A run as kept; its observations are read one by one as they are asked for."""
        rows = self._query("SELECT run, plan, facts, facts_end, cards FROM run WHERE id = ?", run_id)
        if not rows:
            raise UsageError(f"there is no run {run_id!r} in {self._path}")
        run, plan, facts, facts_end, cards = rows[0]
        visits = self._query("SELECT id FROM visit WHERE run = ? ORDER BY id", run_id)
        return Record(
            run=_value(run, Run),
            plan=_value(plan, Plan),
            facts=_value(facts, Facts),
            facts_end=None if facts_end is None else _value(facts_end, Facts),
            cards=_value(cards, tuple[ModelCard, ...]),
            observations=_Observations(self, tuple(int(row[0]) for row in visits)),
        )

    def observation(self, visit: int) -> Observation:
        """One visit, whole."""
        ((frame,),) = self._query("SELECT frame FROM visit WHERE id = ?", visit)
        samples = self._query("SELECT sample, chunks FROM sample WHERE visit = ? ORDER BY id", visit)
        series = self._query(
            "SELECT part, name, unit, points FROM reading WHERE visit = ? ORDER BY id", visit
        )
        seen = _value(frame, Observation)
        try:
            return replace(
                seen,
                samples=tuple(
                    replace(_value(text, Sample), chunks=unpack_chunks(blob)) for text, blob in samples
                ),
                baseline=Readings(_series(series, "baseline"), seen.baseline.absent),
                readings=Readings(_series(series, "visit"), seen.readings.absent),
            )
        except ValueError as fault:
            raise StoreError(f"{self._path}: visit {visit}: {fault}") from fault

    # --- inside ----------------------------------------------------------------------------------------------

    def _migrate(self) -> None:
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > VERSION:
            raise StoreError(
                f"{self._path} was written by a newer olbench (schema {found}, this one knows {VERSION});"
                " a newer olbench or another --db would do"
            )
        for version in range(found + 1, VERSION + 1):
            with self._transaction() as db:
                # A second process may have come first while this one waited for the lock.
                if db.execute("PRAGMA user_version").fetchone()[0] < version:
                    for statement in STEPS[version].split(";\n"):
                        db.execute(statement)
                    db.execute(f"PRAGMA user_version = {version:d}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as fault:
                raise StoreError(f"{self._path}: nothing was written: {fault}") from fault

    def _query(self, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
        with self._lock:
            try:
                return self._db.execute(sql, values).fetchall()
            except sqlite3.Error as fault:
                raise StoreError(f"{self._path}: it cannot be read: {fault}") from fault


class _Observations(Sequence[Observation]):
    """A run's visits, decoded when they are asked for: a long run need not fit into memory."""

    def __init__(self, store: Store, visits: tuple[int, ...]) -> None:
        self._store = store
        self._visits = visits

    def __len__(self) -> int:
        return len(self._visits)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> "_Observations": ...
    def __getitem__(self, index: int | slice) -> "Observation | _Observations":
        if isinstance(index, slice):
            return _Observations(self._store, self._visits[index])
        return self._store.observation(self._visits[index])


def _absences(frame: Observation, seen: Observation) -> Observation:
    # The reasons travel with the frame; the series have rows of their own.
    return replace(
        frame, baseline=Readings((), seen.baseline.absent), readings=Readings((), seen.readings.absent)
    )


def _series(rows: list[tuple[Any, ...]], part: str) -> tuple[Series, ...]:
    return tuple(Series(name, unit, *unpack_points(points)) for of, name, unit, points in rows if of == part)


def _json(value: object) -> str:
    # Columns have rows of their own; what reaches this is empty.
    return msgspec.json.encode(value, enc_hook=list).decode()


def _value(text: str, kind: type[T]) -> T:
    return msgspec.json.decode(text, type=kind, dec_hook=lambda _kind, items: array("q", items))
