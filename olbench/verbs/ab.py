"""`olbench ab`: two set-ups of one scenario measured in turn, until it is known which of them is faster."""

import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from olbench import scenario
from olbench.blocks import Letter
from olbench.differences import Comparison, Difference
from olbench.errors import OlbenchError, UsageError
from olbench.margins import margins
from olbench.metrics import METRICS
from olbench.prose import counted, listed
from olbench.report import compared_text
from olbench.report.wording import plain
from olbench.scenario import Scenario
from olbench.store import Store
from olbench.verbs import ab_begin, files
from olbench.verbs.ab_begin import Asked
from olbench.verbs.ab_blocks import Measured, take
from olbench.verbs.ab_rule import Rule
from olbench.verbs.compare import write_page

SLOWER = 1
CANNOT_TELL = 3
NOT_MEASURED = 4
INTERRUPTED = 130


def main(*, detect: str | None, **given: Any) -> int:
    """The exit code: 0 B is not slower, 1 it is, 3 cannot tell, 4 could not be measured, 130 interrupted."""
    asked = Asked(detect=share(detect), **given)
    wanted: dict[Letter, Scenario] = {"a": _scenario(asked, asked.a), "b": _scenario(asked, asked.b)}
    allowed = _margins(wanted)
    metrics = known(asked.metrics, allowed)
    try:
        store = Store(asked.db)
        try:
            rule, measured = asyncio.run(
                _measured(asked, wanted, store, {one: allowed[one] for one in metrics})
            )
            return _tell(asked, rule, measured)
        finally:
            store.close()
    except OlbenchError as fault:
        if fault.code == SLOWER:
            fault.code = NOT_MEASURED  # a full disk is not a slow server
        raise


async def _measured(
    asked: Asked, wanted: Mapping[Letter, Scenario], store: Store, allowed: Mapping[str, float]
) -> tuple[Rule, Measured]:
    async with ab_begin.begun(asked, wanted, store) as sides:
        rule = Rule(
            store=store,
            ids=(sides.begun["a"].run.id, sides.begun["b"].run.id),
            metrics=tuple(allowed),
            margins=allowed,
            asked_most=asked.most,
            detect=asked.detect,
        )
        return rule, await take(sides, rule)


# --- the command line -----------------------------------------------------------------------------------------------


def _scenario(asked: Asked, own: tuple[str, ...]) -> Scenario:
    overrides = (*asked.overrides, *own)
    text = files.read(asked.scenario)
    return scenario.parse(text, path=str(asked.scenario), overrides=overrides, environ=os.environ)


def share(text: str | None) -> float | None:
    """A change such as "3%" or 0.03. UsageError for what is none."""
    if text is None:
        return None
    number, mark, rest = text.strip().partition("%")
    try:
        found = float(number) / (100 if mark else 1)
    except ValueError:
        found = 0.0
    if rest or not 0 < found < 1:
        raise UsageError(f"--detect {text}: it is no change above 0 % and below 100 %; 3% would do")
    return found


def _margins(wanted: Mapping[Letter, Scenario]) -> Mapping[str, float]:
    """What B's scenario sets goes before what A's does."""
    return margins({}, {**wanted["a"].margins, **wanted["b"].margins})


def known(metrics: Sequence[str], allowed: Mapping[str, float]) -> tuple[str, ...]:
    """The metrics that are asked for, each once. UsageError for one that cannot be judged."""
    wrong = next((one for one in metrics if one not in allowed), None)
    if wrong is None:
        return tuple(dict.fromkeys(metrics))
    why = "it has no margin" if wrong in METRICS else "there is no such metric"
    raise UsageError(f"--metric {wrong}: {why}; {', '.join(allowed)} would do")


# --- the end ----------------------------------------------------------------------------------------------------------


def _tell(asked: Asked, rule: Rule, measured: Measured) -> int:
    a, b = rule.ids
    if not any(tally.visits for tally in measured.tallies.values()):
        click.echo(f"runs {a} and {b}: no visit was finished, there is nothing to compare", err=True)
        return INTERRUPTED if measured.stopped else NOT_MEASURED
    comparison = rule.comparison()
    if asked.html is not None:
        write_page(comparison, asked.html)  # first: whoever reads the table may stop reading
    code, sentence = verdict(comparison, measured)
    click.echo(compared_text.show(comparison, colour=sys.stdout.isatty()), nl=False)
    click.echo(f"\n{sentence}")
    click.echo(f"runs {a} (A) and {b} (B)" + (f"\npage {asked.html}" if asked.html else ""), err=True)
    return code


def verdict(comparison: Comparison, measured: Measured) -> tuple[int, str]:
    """The exit code, and in a sentence why."""
    taken = counted(measured.blocks, "block")
    slower = list(_with(comparison, "slower"))
    untold = list(_with(comparison, "cannot tell"))
    if measured.stopped:
        return (
            INTERRUPTED,
            f"Interrupted after {taken}: what was measured is kept and shown, no more is said.",
        )
    if slower:
        return SLOWER, f"B is slower: {_named(slower)}, after {taken}."
    if any(one.ratio.value is None for one in untold):
        return (
            NOT_MEASURED,
            f"Not measured: {_named([one for one in untold if one.ratio.value is None])}, after {taken}.",
        )
    if untold:
        ended = "the budget ended it" if measured.spent else "more blocks (--most) may tell"
        return CANNOT_TELL, f"Cannot tell: {_named(untold)}, after {taken}; {ended}."
    if measured.failed:
        failed = counted(measured.failed, "request")
        return CANNOT_TELL, f"B is not slower, but {failed} failed, and what failed is in no figure."
    faster = list(_with(comparison, "faster"))
    said = f"B is faster: {_named(faster)}" if faster else "A and B are equivalent"
    return 0, f"{said}, after {taken}."


def _with(comparison: Comparison, word: str) -> Iterator[Difference]:
    return (one for pair in comparison.pairs for one in pair.differences if one.verdict == word)


def _named(found: list[Difference]) -> str:
    """Which metrics, and in how many cells: "Decode rate in 2 cells and End-to-end time in 1 cell"."""
    cells: dict[str, int] = {}
    for one in found:
        cells[one.metric] = cells.get(one.metric, 0) + 1
    return plain(
        listed([f"{METRICS[metric].name} in {counted(count, 'cell')}" for metric, count in cells.items()])
    )
