"""`olbench check`: a scenario measured and held against a baseline, with an exit code that a pipeline can act on.

0 nothing slower; 1 slower; 2 wrong usage; 3 cannot tell; 4 could not be measured; 130 interrupted.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from olbench import analysis, compare
from olbench import sides as of
from olbench.differences import Comparison, Difference, Side
from olbench.errors import OlbenchError
from olbench.metrics import METRICS
from olbench.model import Record
from olbench.prose import counted, listed
from olbench.report import compared_text
from olbench.report.exports import compared_junit, compared_markdown
from olbench.report.tables.compared import changed, word
from olbench.report.wording import plain
from olbench.store import Store
from olbench.verbs import files, github, run, sides, told
from olbench.verbs.baseline import thin
from olbench.verbs.compare import write_page

SLOWER = 1
CANNOT_TELL = 3
# A check that cannot say anything of one of these in some cell cannot say that nothing is slower.
HEADLINES = ("decode", "ttft", "throughput", "e2e")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is compared, and the files that are written beside what is printed."""

    base: Side
    across: str | None
    junit: Path | None
    markdown: Path | None
    html: Path | None


def main(
    *,
    scenario: Path,
    baseline: Path,
    across: str | None,
    junit: Path | None,
    markdown: Path | None,
    html: Path | None,
    **given: Any,
) -> int:
    """The exit code."""
    asked = run.Asked(scenario=scenario, resume=None, **given)
    try:
        # Before anything runs: a wrong file must not cost the run.
        base = sides.of_file(baseline)
        for sentence in thin(base):
            click.echo(f"note: {sentence}", err=True)
        wanted = Wanted(base=base, across=across, junit=junit, markdown=markdown, html=html)
        return _checked(asked, wanted)
    except OlbenchError as fault:
        if fault.code == SLOWER:
            fault.code = run.NOT_MEASURED  # a full disk is not a slow server
        if github.here():
            _annotate("error", [("olbench check", str(fault))])
        raise


def _checked(asked: run.Asked, wanted: Wanted) -> int:
    store = Store(asked.db)
    try:
        done = run.measured(asked, store, accept=partial(_accept, wanted, str(asked.scenario)))
        if not done.visits or done.code == run.INTERRUPTED:
            return _not_whole(done, wanted.base)
        found = analysis.analyse(store.record(done.run_id))
        told.write_page(found, run.page(asked, done))
    finally:
        store.close()
    click.echo(f"run {done.run_id}\nreport {run.page(asked, done)}", err=True)
    comparison = _compared(wanted, of.of_findings(found))
    code, sentence = verdict(comparison, done)
    _write(comparison, wanted)
    click.echo(compared_text.show(comparison, colour=sys.stdout.isatty()), nl=False)
    click.echo(f"\n{sentence}")
    _tell_github(comparison, code, sentence)
    return code


def _not_whole(done: run.Done, base: Side) -> int:
    if not done.visits:
        click.echo(f"run {done.run_id}: no visit was finished, there is nothing to compare", err=True)
        return run.INTERRUPTED if done.code == run.INTERRUPTED else run.NOT_MEASURED
    click.echo(
        f"run {done.run_id} was interrupted and is not judged; `olbench run --resume {done.run_id}` goes on, and"
        f" `olbench compare {base.name} {done.run_id}` tells what there is",
        err=True,
    )
    return run.INTERRUPTED


# --- before it runs -----------------------------------------------------------------------------------------------


def _accept(wanted: Wanted, name: str, planned: Record) -> None:
    """Refuse a run that could not be compared when it has ended. UsageError."""
    _compared(wanted, replace(of.of_findings(analysis.analyse(planned)), name=name))


def _compared(wanted: Wanted, new: Side) -> Comparison:
    return compare.compare(wanted.base, new, across=wanted.across)


# --- the verdict --------------------------------------------------------------------------------------------------


def verdict(comparison: Comparison, done: run.Done) -> tuple[int, str]:
    """The exit code, and in a sentence why."""
    worse = list(_slower(comparison))
    open_ = list(_untold(comparison))
    name = plain(comparison.base.name)
    if done.code == run.NOT_MEASURED:
        slower = f"; slower in what was: {_named(worse)}" if worse else ""
        return run.NOT_MEASURED, f"Not measured: some visit did not go through{slower}."
    if worse:
        return SLOWER, f"Slower than {name}: {_named(worse)}."
    if open_:
        return CANNOT_TELL, f"Cannot tell whether anything is slower than {name}: {_named(open_)}."
    if done.failed:
        failed = counted(done.failed, "request")
        return (
            CANNOT_TELL,
            f"Nothing is slower than {name}, but {failed} failed, and what failed is in no figure.",
        )
    return 0, f"Nothing is slower than {name}."


def _slower(comparison: Comparison) -> Iterator[tuple[str, Difference]]:
    for pair in comparison.pairs:
        yield from ((pair.label, one) for one in pair.differences if one.verdict == "slower")


def _untold(comparison: Comparison) -> Iterator[tuple[str, Difference]]:
    """Headlines that the baseline has and that nothing can be told of."""
    for pair in comparison.pairs:
        for one in pair.differences:
            known = bool(pair.base.visits.get(one.metric))
            if one.metric in HEADLINES and one.verdict == "cannot tell" and known:
                yield pair.label, one


def _named(found: list[tuple[str, Difference]]) -> str:
    """Which metrics, and in how many cells: "Decode rate in 2 cells and End-to-end time in 1 cell"."""
    cells: dict[str, int] = {}
    for _, one in found:
        cells[one.metric] = cells.get(one.metric, 0) + 1
    return listed([f"{METRICS[metric].name} in {counted(count, 'cell')}" for metric, count in cells.items()])


# --- where it goes ------------------------------------------------------------------------------------------------


def _write(comparison: Comparison, wanted: Wanted) -> None:
    for path, dump in ((wanted.junit, compared_junit.dump), (wanted.markdown, compared_markdown.dump)):
        if path is not None:
            files.write(path, dump(comparison))
    if wanted.html is not None:
        write_page(comparison, wanted.html)


def _tell_github(comparison: Comparison, code: int, sentence: str) -> None:
    github.summarise(f"**{sentence}**\n\n{compared_markdown.dump(comparison)}")
    if not github.here():
        return
    _annotate("error", _titled(_slower(comparison)))
    _annotate("warning", _titled(_untold(comparison)))
    if code == run.NOT_MEASURED:
        _annotate("error", [("olbench check", sentence)])


def _annotate(level: github.Level, titled: list[tuple[str, str]]) -> None:
    for line in github.annotations(level, titled):
        click.echo(line)


def _titled(found: Iterable[tuple[str, Difference]]) -> list[tuple[str, str]]:
    return [(f"{label}: {word(one.metric, one.verdict)}", _words(one)) for label, one in found]


def _words(one: Difference) -> str:
    """A difference as a sentence: "Decode rate: -4.9 % (-5.6 to -4.2 %)"."""
    change, interval = changed(one.ratio)
    told = change if not interval else f"{change} ({interval})"
    return "; ".join(part for part in (f"{METRICS[one.metric].name}: {told}", one.reason) if part)
