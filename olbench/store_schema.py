"""The database's tables, by version. A newer olbench migrates an older file; an older one refuses a newer file."""

# History
# 1  2026-11: runs, visits, samples, readings.
# 2  2026-11: self-tests, and which of them held when a run began.
# 3  2026-11: bandwidths of memory.
VERSION = 3

STEPS: dict[int, str] = {
    1: """
CREATE TABLE run (
    id TEXT PRIMARY KEY,
    run TEXT NOT NULL,            -- model.Run as JSON
    plan TEXT NOT NULL,           -- model.Plan as JSON
    facts TEXT NOT NULL,          -- model.Facts as JSON, at the start
    facts_end TEXT,               -- the same at the end
    cards TEXT NOT NULL           -- list of model.ModelCard as JSON
) STRICT;
CREATE TABLE visit (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    cell TEXT NOT NULL,
    repeat INTEGER NOT NULL,
    problem TEXT,                 -- NULL: it went through
    frame TEXT NOT NULL           -- model.Observation without samples and readings, as JSON
) STRICT;
CREATE INDEX visit_run ON visit (run);
CREATE TABLE sample (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
    outcome TEXT NOT NULL,
    sample TEXT NOT NULL,         -- model.Sample without its chunks, as JSON
    chunks BLOB NOT NULL          -- columns, see store_columns
) STRICT;
CREATE INDEX sample_visit ON sample (visit);
CREATE TABLE reading (
    id INTEGER PRIMARY KEY,
    visit INTEGER NOT NULL REFERENCES visit (id) ON DELETE CASCADE,
    part TEXT NOT NULL,           -- baseline or visit
    name TEXT NOT NULL,
    unit TEXT NOT NULL,
    points BLOB NOT NULL          -- columns, see store_columns
) STRICT;
CREATE INDEX reading_visit ON reading (visit);
""",
    2: """
CREATE TABLE selftest (
    id INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    at TEXT NOT NULL,
    olbench TEXT NOT NULL,
    levels TEXT NOT NULL          -- list of model.Level as JSON, its columns as lists
) STRICT;
ALTER TABLE run ADD COLUMN selftest INTEGER REFERENCES selftest (id);
""",
    3: """
CREATE TABLE bandwidth (
    id INTEGER PRIMARY KEY,
    machine TEXT NOT NULL,
    bandwidth TEXT NOT NULL       -- model.Bandwidth as JSON
) STRICT;
""",
}
