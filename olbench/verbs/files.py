"""Files in and out: what cannot be read or written is a sentence, and nothing is left half-written."""

import os
import tempfile
from pathlib import Path

from olbench.errors import OlbenchError, UsageError

BOM = "\ufeff"  # with which some editors open a file


def read(path: Path) -> str:
    """The text of a UTF-8 file. UsageError when there is none."""
    try:
        return path.read_bytes().decode("utf-8").removeprefix(BOM)
    except UnicodeDecodeError as fault:
        raise UsageError(f"{path}: byte {fault.start} is not UTF-8; a file in UTF-8 would do") from fault
    except OSError as fault:
        raise UsageError(f"{path}: it cannot be read ({fault.strerror or fault})") from fault


def write(path: Path, text: str) -> None:
    """Put the text there whole, or not at all. OlbenchError when it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(part).chmod(0o644)
            Path(part).replace(path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
    except OSError as fault:
        raise OlbenchError(f"{path}: it cannot be written ({fault.strerror or fault})") from fault
