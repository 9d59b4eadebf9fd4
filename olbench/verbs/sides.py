"""The two that are compared, as a command line names them: runs in the store, or files."""

from pathlib import Path

from olbench import analysis, baseline, sides
from olbench.differences import Side
from olbench.store import Store
from olbench.verbs import files


def named(word: str, db: Path) -> Side:
    """The side of a run (id, beginning of it, name, "latest", "latest~1") or of a file. UsageError when there is none."""
    path = Path(word)
    return of_file(path) if path.suffix.lower() == ".json" or path.is_file() else of_run(word, db)


def of_file(path: Path) -> Side:
    """A baseline, or the JSON of a run."""
    return baseline.load(files.read(path), str(path))


def of_run(word: str, db: Path) -> Side:
    """A run in the store."""
    store = Store(db)
    try:
        return sides.of_findings(analysis.analyse(store.record(store.find(word))))
    finally:
        store.close()
