"""`olbench runs`, `show`, `report`, `export`: what is kept, told."""

import sys
from pathlib import Path

import click

from olbench import analysis
from olbench.findings import Findings
from olbench.report import text
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


def show(*, run: str, db: Path) -> int:
    """One run as tables."""
    store = Store(db)
    try:
        click.echo(text.show(_findings(store, store.find(run)), colour=_coloured()))
    finally:
        store.close()
    return 0


def report(*, run: str, db: Path, out: Path | None) -> int:
    """One run as a page."""
    store = Store(db)
    try:
        run_id = store.find(run)
        path = out or db.parent / f"{run_id}.html"
        _write_page(_findings(store, run_id), path)
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
        _write_page(found, path)  # first: whoever reads the figures may stop reading (`| head`)
    finally:
        click.echo(text.show(found, colour=_coloured()))
    click.echo(f"\nrun {run_id}\nreport {path}")


def _findings(store: Store, run_id: str) -> Findings:
    return analysis.analyse(store.record(run_id))


def _write_page(found: Findings, path: Path) -> None:
    from olbench.report import html  # noqa: PLC0415 - matplotlib takes half a second

    files.write(path, html.page(found))


def _coloured() -> bool:
    return sys.stdout.isatty()
