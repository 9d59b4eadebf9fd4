"""Any bytes into every entry, for so many seconds: with atheris where it is installed, else with dice of our own."""

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from fuzz.mutants import SEEDS, WORDS, mutated, tokens

ROOT = Path(__file__).parent.parent.parent
MOST = 8192
Entry = Callable[[bytes], None]


def atheris() -> Any | None:
    """The library; None where it is not installed, as where there is no wheel of it for this Python."""
    with suppress(ImportError):
        return import_module("atheris")
    return None


def entry(library: Any | None) -> Entry:
    """All entries at once; what they import is instrumented."""
    with nullcontext() if library is None else library.instrument_imports(include=["olbench"]):
        found: Entry = import_module("fuzz.entries").every
        return found


def by_dice(every: Entry, seconds: float, found: Path) -> None:
    """Mutations without a look at coverage."""
    told(f"atheris is not here: {seconds:g} s of random mutations, blind to coverage")
    dice = random.Random(os.environ.get("SEED", "0"))
    seeds, words = [one.read_bytes() for one in SEEDS], tokens()
    done, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        data = mutated(dice, seeds, words)[:MOST]
        try:
            every(data)
        except BaseException:
            (found / "crash").write_bytes(data)
            told(f"input {done} broke something; it is kept in {found / 'crash'}")
            raise
        done += 1
    told(f"{done} inputs, none of them broke anything")


def by_atheris(library: Any, every: Entry, seconds: float, found: Path) -> None:
    """Mutations that are led by the coverage of our own code."""
    grown = found / "corpus"
    grown.mkdir(exist_ok=True)
    options = (f"-max_total_time={seconds:g}", f"-max_len={MOST}", "-rss_limit_mb=512", "-timeout=20")
    places = (f"-dict={WORDS}", f"-artifact_prefix={found}/", str(grown), str(SEEDS[0].parent))
    library.Setup([sys.argv[0], *options, "-print_final_stats=1", *places], every)
    library.Fuzz()


def told(sentence: str) -> None:
    """Say it."""
    sys.stdout.write(f"{sentence}\n")


def main() -> None:
    """`python -m fuzz [seconds]`, or `python -m fuzz FILE` to see one input again."""
    asked = sys.argv[1] if len(sys.argv) > 1 else "600"
    if Path(asked).is_file():
        entry(None)(Path(asked).read_bytes())
        return
    os.nice(10)
    found = ROOT / "build" / "fuzz"
    found.mkdir(parents=True, exist_ok=True)
    library = atheris()
    every = entry(library)
    if library is None:
        by_dice(every, float(asked), found)
    else:
        by_atheris(library, every, float(asked), found)


if __name__ == "__main__":
    main()
