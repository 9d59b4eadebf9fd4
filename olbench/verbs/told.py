"""`olbench runs`, `show`, `report`, `export`: what is kept, told."""

import sys
from pathlib import Path

import click

from olbench import analysis, footprint
from olbench.errors import UsageError
from olbench.findings import Findings
from olbench.footprint_loads import LEARNED
from olbench.labels import labels
from olbench.model import Cell, Plan, Record
from olbench.report import fitting, text
from olbench.report.wording import plain
from olbench.store import Store
from olbench.verbs import files


def runs(*, db: Path) -> int:
    """All runs, newest first."""
    store = Store(db)
    try:
        click.echo(text.runs(store.runs(), colour=_coloured()))
    finally:
        store.close()
    return 0


def show(*, run: str, db: Path, requests: bool, cell: str | None, whole: bool) -> int:
    """One run as tables."""
    if not requests and (cell is not None or whole):
        raise UsageError("--cell and --all belong to --requests: olbench show RUN --requests --cell 2")
    store = Store(db)
    try:
        if requests:
            _show_requests(store.record(store.find(run)), cell, whole=whole)
        else:
            found = _findings(store, store.find(run))
            click.echo(text.show(found, colour=_coloured()))
            _show_fitting(found.record)
    finally:
        store.close()
    return 0


def _show_fitting(record: Record) -> None:
    """What `olbench fit` had to say of a run of its own."""
    if record.run.settings.get(LEARNED):
        click.echo(fitting.show(footprint.of(analysis.told(record)), colour=_coloured()), nl=False)


def _show_requests(record: Record, cell: str | None, *, whole: bool) -> None:
    from olbench.report.tables import requests  # noqa: PLC0415 - only this one needs it

    cells = record.plan.cells if cell is None else (_cell(record.plan, cell),)
    most = None if whole else requests.MOST
    for line in requests.lines(record, cells, most=most, colour=_coloured()):
        click.echo(line)


def _cell(plan: Plan, asked: str) -> Cell:
    """The cell of that number or label, as the table of cells has them."""
    names = labels(plan.cells)
    if asked.isdecimal() and 0 < int(asked) <= len(names):
        return plan.cells[int(asked) - 1]
    found = [cell for cell, label in zip(plan.cells, names, strict=True) if asked in (label, cell.id)]
    if not found:
        listed = ", ".join(f"{place}. {plain(label)}" for place, label in enumerate(names[:10], 1))
        more = f", and {len(names) - 10} more" if len(names) > 10 else ""
        raise UsageError(
            f"--cell {plain(asked)}: there is no such cell; its number or label would do: {listed}{more}"
        )
    return found[0]


def report(*, run: str, db: Path, out: Path | None) -> int:
    """One run as a page."""
    store = Store(db)
    try:
        run_id = store.find(run)
        path = out or db.parent / f"{run_id}.html"
        write_page(_findings(store, run_id), path)
    finally:
        store.close()
    click.echo(path)
    return 0


def export(*, run: str, db: Path, kind: str, out: Path | None) -> int:
    """One run for other programs."""
    from olbench.report.exports import EXPORTS  # noqa: PLC0415 - only this verb needs it

    store = Store(db)
    try:
        written = EXPORTS[kind][0](_findings(store, store.find(run)))
    finally:
        store.close()
    if out is None:
        # Programs read UTF-8 from a pipe, whatever this system's old encoding; a terminal knows its own.
        click.echo(written if _coloured() else written.encode(), nl=not written.endswith("\n"))
    else:
        files.write(out, written)
        click.echo(out)
    return 0


def finished(store: Store, run_id: str, path: Path) -> None:
    """The end of `olbench run`: the page on the disk, the figures on the terminal, and where the page lies."""
    found = _findings(store, run_id)
    try:
        write_page(found, path)  # first: whoever reads the figures may stop reading (`| head`)
    finally:
        click.echo(text.show(found, colour=_coloured()))
    click.echo(f"\nrun {run_id}\nreport {path}")


def _findings(store: Store, run_id: str) -> Findings:
    return analysis.analyse(store.record(run_id))


def write_page(found: Findings, path: Path) -> None:
    """The run's page on the disk."""
    from olbench.report import html  # noqa: PLC0415 - matplotlib takes half a second

    files.write(path, html.page(found))


def _coloured() -> bool:
    return sys.stdout.isatty()
