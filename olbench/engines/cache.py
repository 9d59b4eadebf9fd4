"""The folder of models that olbench fetched or made, and how a file comes into it whole."""

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_STALE_S = 3600  # nothing here takes an hour to write: an older part belongs to a process that is gone


def folder() -> Path:
    """`$OLBENCH_CACHE`, else `olbench` in the place where this system keeps caches."""
    if asked := os.environ.get("OLBENCH_CACHE"):
        return Path(asked)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "olbench"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "olbench"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "olbench"


@contextmanager
def written(target: Path) -> Iterator[Path]:
    """A path to write to, which becomes `target` when the block ends well and is removed when it does not.

    Whoever dies in the block leaves no half `target`; two writers at once both end with a whole one.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(suffix=".part", dir=target.parent)
    os.close(handle)
    part = Path(name)
    _sweep(part)
    try:
        yield part
        _replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _replace(part: Path, target: Path) -> None:
    try:
        part.replace(target)
    except PermissionError:
        # Windows keeps a file that somebody has mapped; the other writer's is as good as ours.
        if not target.exists():
            raise


def _sweep(mine: Path) -> None:
    born = mine.stat().st_mtime
    for part in mine.parent.glob("*.part"):
        with suppress(OSError):  # another process sweeps too
            if part.stat().st_mtime < born - _STALE_S:
                part.unlink()


def sha256(path: Path, cache: Path) -> str:
    """The SHA-256 of a file, remembered in the cache by its size and date: hashing gigabytes takes seconds."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    known = cache / "digests.json"
    digests = _digests(known)
    if key not in digests:
        digests[key] = hashed(path)
        with suppress(OSError), written(known) as part:  # a cache that cannot be written is only slow
            part.write_text(json.dumps(digests, indent=0), encoding="utf-8")
    return digests[key]


def hashed(path: Path) -> str:
    """The SHA-256 of a file, read now."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digests(known: Path) -> dict[str, str]:
    try:
        digests = json.loads(known.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return digests if isinstance(digests, dict) else {}
