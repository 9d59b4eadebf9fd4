"""What was seen, kept: all SQL of olbench. One SQLite file in WAL mode, one transaction a visit."""

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, overload

from olbench.errors import StoreError, UsageError
from olbench.model import (
    Bandwidth,
    Facts,
    Level,
    ModelCard,
    Observation,
    Plan,
    Record,
    Run,
    Sample,
    SelfTest,
)
from olbench.readings import NO_READINGS, Readings, Series
from olbench.store_columns import pack, unpack_points
from olbench.store_later import Later
from olbench.store_schema import STEPS, VERSION
from olbench.store_values import as_json, from_json, sample_of, sample_row

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

    def begin(
        self, run: Run, plan: Plan, facts: Facts, cards: Sequence[ModelCard], selftest: int | None = None
    ) -> None:
        """Open a run; `selftest` is the number of the one that holds, None where none does."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO run (id, run, plan, facts, cards, selftest) VALUES (?, ?, ?, ?, ?, ?)",
                (run.id, as_json(run), as_json(plan), as_json(facts), as_json(tuple(cards)), selftest),
            )

    def keep(self, test: SelfTest) -> int:
        """Keep a self-test; its number."""
        with self._transaction() as db:
            number = db.execute(
                "INSERT INTO selftest (machine, at, olbench, levels) VALUES (?, ?, ?, ?)",
                (test.machine, test.at, test.olbench, as_json(test.levels)),
            ).lastrowid
        return int(number or 0)

    def append(self, run_id: str, seen: Observation) -> None:
        """Keep one visit with all its samples and readings, or nothing of it."""
        frame = replace(seen, samples=(), baseline=NO_READINGS, readings=NO_READINGS)
        with self._transaction() as db:
            visit = db.execute(
                "INSERT INTO visit (run, cell, repeat, problem, frame) VALUES (?, ?, ?, ?, ?)",
                (run_id, seen.visit.cell, seen.visit.repeat, seen.problem, as_json(_absences(frame, seen))),
            ).lastrowid
            db.executemany(
                "INSERT INTO sample (visit, outcome, sample, chunks) VALUES (?, ?, ?, ?)",
                ((visit, one.outcome, *sample_row(one)) for one in seen.samples),
            )
            db.executemany(
                "INSERT INTO reading (visit, part, name, unit, points) VALUES (?, ?, ?, ?, ?)",
                (
                    (visit, part, one.name, one.unit, pack(one.t_ns, one.values))
                    for part, readings in (("baseline", seen.baseline), ("visit", seen.readings))
                    for one in readings.series
                ),
            )

    def extend(self, run_id: str, plan: Plan) -> None:
        """Add the cells, visits and notes of `plan` that the run's own plan has not; nothing that it has is changed."""
        with self._transaction() as db:
            row = db.execute("SELECT plan FROM run WHERE id = ?", (run_id,)).fetchone()
            if row is None:
                raise UsageError(f"there is no run {run_id!r} in {self._path}")
            both = _joined(from_json(row[0], Plan), plan)
            db.execute("UPDATE run SET plan = ? WHERE id = ?", (as_json(both), run_id))

    def end(self, run: Run, facts_end: Facts | None) -> None:
        """Write how a run ended; also its new beginning when it is resumed."""
        with self._transaction() as db:
            db.execute(
                "UPDATE run SET run = ?, facts_end = ? WHERE id = ?",
                (as_json(run), None if facts_end is None else as_json(facts_end), run.id),
            )

    # --- reading ---------------------------------------------------------------------------------------------

    def runs(self) -> tuple[tuple[Run, int, int], ...]:
        """All runs, newest first, each with the visits that it planned and those that went through."""
        rows = self._query(
            "SELECT run.run, run.plan, (SELECT count(DISTINCT cell || ' ' || repeat) FROM visit"
            " WHERE visit.run = run.id AND problem IS NULL) FROM run ORDER BY run.id DESC"
        )
        return tuple(
            (from_json(run, Run), len(from_json(plan, Plan).visits), int(done)) for run, plan, done in rows
        )

    def find(self, asked: str) -> str:
        """The id of a run by its id, its beginning, its name (the newest), "latest", or "latest~1": the one before."""
        known = [(run.id, run.name) for run, _, _ in self.runs()]
        if not known:
            raise UsageError(f"{self._path} holds no run yet; `olbench run SCENARIO` makes one")
        back = re.fullmatch(r"latest(?:~([0-9]{1,6}))?", asked)
        if back is not None and int(back[1] or 0) < len(known):
            return known[int(back[1] or 0)][0]
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

    def record(self, run_id: str, cell: str = "*") -> Record:
        """A run as kept, with the visits to all cells or to one; they are read one by one as they are asked for."""
        rows = self._query(
            "SELECT run, plan, facts, facts_end, cards, selftest FROM run WHERE id = ?", run_id
        )
        if not rows:
            raise UsageError(f"there is no run {run_id!r} in {self._path}")
        run, plan, facts, facts_end, cards, selftest = rows[0]
        visits = self._query("SELECT id FROM visit WHERE run = ? AND cell GLOB ? ORDER BY id", run_id, cell)
        return Record(
            run=from_json(run, Run),
            plan=from_json(plan, Plan),
            facts=from_json(facts, Facts),
            facts_end=None if facts_end is None else from_json(facts_end, Facts),
            cards=from_json(cards, tuple[ModelCard, ...]),
            observations=_Observations(self, tuple(int(row[0]) for row in visits)),
            selftest=None if selftest is None else self._selftest(int(selftest)),
        )

    def selftests(self, machine: str) -> tuple[tuple[int, SelfTest], ...]:
        """The newest self-tests of a machine and set-up with their numbers, newest first."""
        rows = self._query("SELECT id FROM selftest WHERE machine = ? ORDER BY id DESC LIMIT 10", machine)
        return tuple((int(number), self._selftest(int(number))) for (number,) in rows)

    def keep_bandwidth(self, seen: Bandwidth) -> None:
        """Keep what a machine's memory gave."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO bandwidth (machine, bandwidth) VALUES (?, ?)", (seen.machine, as_json(seen))
            )

    def bandwidth(self, machine: str) -> Bandwidth | None:
        """The newest of a machine; None when there is none."""
        rows = self._query(
            "SELECT bandwidth FROM bandwidth WHERE machine = ? ORDER BY id DESC LIMIT 1", machine
        )
        return next((from_json(found, Bandwidth) for (found,) in rows), None)

    def _selftest(self, number: int) -> SelfTest:
        ((machine, at, olbench, levels),) = self._query(
            "SELECT machine, at, olbench, levels FROM selftest WHERE id = ?", number
        )
        return SelfTest(at=at, olbench=olbench, machine=machine, levels=from_json(levels, tuple[Level, ...]))

    def observation(self, visit: int) -> Observation:
        """One visit; its samples and readings are read when they are asked for."""
        ((frame, samples),) = self._query(
            "SELECT frame, (SELECT count(*) FROM sample WHERE visit = visit.id) FROM visit WHERE id = ?",
            visit,
        )
        parts = dict(self._query("SELECT part, count(*) FROM reading WHERE visit = ? GROUP BY part", visit))
        seen = from_json(frame, Observation)
        return replace(
            seen,
            samples=Later(int(samples), partial(self._samples, visit)),
            baseline=self._readings(visit, "baseline", parts, seen.baseline),
            readings=self._readings(visit, "visit", parts, seen.readings),
        )

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

    def _readings(self, visit: int, part: str, counts: Mapping[str, int], seen: Readings) -> Readings:
        return Readings(Later(counts.get(part, 0), partial(self._series, visit, part)), seen.absent)

    def _samples(self, visit: int) -> tuple[Sample, ...]:
        rows = self._query("SELECT sample, chunks FROM sample WHERE visit = ? ORDER BY id", visit)
        with self._undamaged(visit):
            return tuple([sample_of(text, blob) for text, blob in rows])

    def _series(self, visit: int, part: str) -> tuple[Series, ...]:
        rows = self._query(
            "SELECT name, unit, points FROM reading WHERE visit = ? AND part = ? ORDER BY id", visit, part
        )
        with self._undamaged(visit):
            return tuple([Series(name, unit, *unpack_points(points)) for name, unit, points in rows])

    @contextmanager
    def _undamaged(self, visit: int) -> Iterator[None]:
        try:
            yield
        except ValueError as fault:
            raise StoreError(f"{self._path}: visit {visit}: {fault}") from fault

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


def _joined(old: Plan, new: Plan) -> Plan:
    cells, visits = {one.id for one in old.cells}, {(one.cell, one.repeat) for one in old.visits}
    return replace(
        old,
        cells=(*old.cells, *(one for one in new.cells if one.id not in cells)),
        visits=(*old.visits, *(one for one in new.visits if (one.cell, one.repeat) not in visits)),
        notes=tuple(dict.fromkeys((*old.notes, *new.notes))),
    )
