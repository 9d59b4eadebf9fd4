"""`olbench history`: the stored runs of a scenario over time, one metric, cell by cell."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

import click

from olbench import clock
from olbench.errors import UsageError
from olbench.glance import Glance, glance
from olbench.history import History, history, numbered
from olbench.metrics import METRICS
from olbench.model import Cell
from olbench.report import history_data, history_text
from olbench.report.wording import plain
from olbench.store import Store
from olbench.verbs import files

DEFAULT_DB = Path("reports/olbench.db")
PATIENCE_NS, BEAT_NS = 2 * 10**9, 10**9  # so long nothing is said of the reading, and then so often
LISTED = 10


def main(
    *, scenario: str | None, metric: str, cell: str | None, db: Path, html: Path | None, kind: str
) -> int:
    """The history of a scenario: of the newest run's where none is named."""
    _known(metric)
    store = Store(db)
    try:
        name, runs = _runs(store, scenario, db)
        found = _history(store, name, runs, metric, cell=cell, options=_options(db))
    finally:
        store.close()
    if html is not None:
        _write_page(found, html)
    _show(found, kind)
    if html is not None:
        click.echo(html, err=kind != "text")
    return 0


def _history(
    store: Store, name: str, runs: Sequence[str], metric: str, *, cell: str | None, options: str
) -> History:
    """Two passes: the plans, which are small; then the runs, of which one at a time is in memory."""
    cells = _cells(store, runs)
    chosen = None if cell is None else (_cell(cells, cell),)
    seen = list(_glances(store, runs, metric, cells if chosen is None else chosen))
    return history(name, metric, cells, seen, chosen=chosen, options=options)


def _known(metric: str) -> None:
    if metric not in METRICS:
        near = get_close_matches(metric, METRICS, 1)
        hint = f"did you mean {near[0]}?" if near else f"it can be {', '.join(METRICS)}"
        raise UsageError(f"--metric {plain(metric)}: there is no such metric; {hint}")


def _runs(store: Store, asked: str | None, db: Path) -> tuple[str, list[str]]:
    """The scenario's name and the ids of its runs, oldest first."""
    kept = [run for run, _, _ in store.runs()]
    if not kept:
        raise UsageError(f"{db} holds no run yet; `olbench run SCENARIO` makes one")
    name = kept[0].name if asked is None else asked
    found = [run.id for run in reversed(kept) if run.name == name]
    if not found:
        names = list(dict.fromkeys(run.name for run in kept))
        near = get_close_matches(name, names, 1) or [one for one in names if one == Path(name).stem]
        more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
        hint = (
            f"did you mean {plain(near[0])}?"
            if near
            else f"there are runs of {', '.join(map(plain, names[:LISTED]))}{more}"
        )
        raise UsageError(f"{db} holds no run of a scenario named {plain(name)}; {hint}")
    return name, found


def _cells(store: Store, runs: Sequence[str]) -> list[Cell]:
    """All cells that the scenario ever had, each once: those of the newest run first, in its plan's order."""
    found: dict[str, Cell] = {}
    for run in reversed(runs):
        for cell in store.record(run).plan.cells:
            found.setdefault(cell.id, cell)
    return list(found.values())


def _cell(cells: Sequence[Cell], asked: str) -> Cell:
    """The cell of that number or label, as the history lists them."""
    names = numbered(cells)
    for cell in cells:
        number, label = names[cell.id]
        if asked in (str(number), label, plain(label), cell.id):
            return cell
    listed = ", ".join(f"{number}. {plain(label)}" for number, label in list(names.values())[:LISTED])
    more = f", and {len(names) - LISTED} more" if len(names) > LISTED else ""
    raise UsageError(
        f"--cell {plain(asked)}: there is no such cell; its number or label would do: {listed}{more}"
    )


def _glances(store: Store, runs: Sequence[str], metric: str, cells: Sequence[Cell]) -> Iterator[Glance]:
    progress = Progress(len(runs), clock.now(), terminal=sys.stderr.isatty())
    for place, run in enumerate(runs):
        click.echo(progress.said(place, clock.now()), nl=False, err=True)
        yield glance(store.record(run), metric, cells)
    click.echo(progress.ended(), nl=False, err=True)


class Progress:
    """How far the reading is, where it takes long: in place on a terminal, once elsewhere."""

    def __init__(self, runs: int, now_ns: int, *, terminal: bool) -> None:
        """So many runs are to be read from now on."""
        self._runs = runs
        self._terminal = terminal
        self._next_ns = now_ns + PATIENCE_NS
        self._spoke = False

    def said(self, place: int, now_ns: int) -> str:
        """What is to be written when so many runs have been read; "" most of the time."""
        if now_ns < self._next_ns or (self._spoke and not self._terminal):
            return ""
        self._spoke, self._next_ns = True, now_ns + BEAT_NS
        return f"\rread {place} of {self._runs} runs" if self._terminal else f"reading {self._runs} runs\n"

    def ended(self) -> str:
        """What takes it off the terminal again."""
        return "\r\x1b[K" if self._spoke and self._terminal else ""


def _show(found: History, kind: str) -> None:
    colour = sys.stdout.isatty()
    if kind == "text":
        click.echo(history_text.show(found, colour=colour), nl=False)
        return
    written = history_data.WRITERS[kind](found)
    # Programs read UTF-8 from a pipe, whatever this system's old encoding; a terminal knows its own.
    click.echo(written if colour else written.encode(), nl=False)


def _write_page(found: History, path: Path) -> None:
    from olbench.report import history_html  # noqa: PLC0415 - matplotlib takes half a second

    files.write(path, history_html.page(found))


def _options(db: Path) -> str:
    """What a command that is told needs beside the runs."""
    return "" if db == DEFAULT_DB else f" --db {shlex.quote(str(db))}"
