"""`olbench baseline save|show|list`: runs as small files that are made to be committed beside what they are a baseline of."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from olbench import baseline
from olbench.differences import Side
from olbench.errors import UsageError
from olbench.prose import counted
from olbench.report import baselines
from olbench.stats.ratios import NEEDED
from olbench.verbs import files, sides


def save(*, run: str, file: Path, force: bool, db: Path) -> int:
    """A run's figures in a file. UsageError where it would take the place of another, or hold nothing."""
    if file.exists() and not force:
        raise UsageError(f"{file} is there already; another name, or --force, would do")
    side = sides.of_run(run, db)
    if not any(map(baselines.visits, side.cells)):
        raise UsageError(f"{side.name} {_nothing(side)}")
    files.write(file, baseline.dump(side))
    for sentence in thin(side):
        click.echo(f"note: {sentence}", err=True)
    click.echo(file)
    return 0


def show(*, file: Path) -> int:
    """What a file holds."""
    click.echo(baselines.show(sides.of_file(file), colour=sys.stdout.isatty()), nl=False)
    return 0


def listed(*, folder: Path) -> int:
    """The baselines in a folder; what is none is named with the reason."""
    if not folder.is_dir():
        raise UsageError(
            f"{folder}: there is no such folder; `olbench baseline save RUN FILE` makes a baseline"
        )
    found = []
    for file in sorted(folder.glob("*.json")):
        try:
            found.append((file.name, sides.of_file(file)))
        except UsageError as fault:
            click.echo(f"note: {fault}", err=True)
    if not found:
        click.echo(f"no baselines in {folder}")
    else:
        click.echo(baselines.listed(found, colour=sys.stdout.isatty()), nl=False)
    return 0


def thin(side: Side) -> Iterator[str]:
    """What can never be told with this side, because a cell has too few sound visits."""
    few = sum(baselines.visits(cell) < NEEDED for cell in side.cells)
    if few:
        yield (
            f"{few} of {counted(len(side.cells), 'cell')} in {side.name} with fewer than {NEEDED} sound visits: nothing can"
            " be told there; more visits (--set measure.repeats=5) on a quiet machine would do"
        )


def _nothing(side: Side) -> str:
    """Why a run has nothing to compare with, and what would do."""
    marked = sum(cell.marked for cell in side.cells)
    if marked:
        return (
            f"has no sound visit: something disturbed all {marked} (`olbench show` says what); a run on a quiet"
            " machine would do"
        )
    return "has no visit that went through; a run that was measured would do"
