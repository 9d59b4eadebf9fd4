"""`olbench plan`: what a scenario would do, without doing it."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from olbench import estimate, plan, plan_words, scenario, units
from olbench.metrics import METRICS
from olbench.model import ModelCard, Plan
from olbench.prepare import cards_by_name
from olbench.report import bars, text
from olbench.report.columns import WIDTH, paragraph
from olbench.scenario import Scenario
from olbench.verbs import files
from olbench.verbs.prompts import own_prompts
from olbench.verbs.server import catalog, reached
from olbench.verbs.traces import replayed


def main(*, scenario: Path, overrides: tuple[str, ...]) -> int:
    """The exit code."""
    return asyncio.run(_plan(scenario, overrides))


async def _plan(path: Path, overrides: tuple[str, ...]) -> int:
    wanted = scenario.parse(files.read(path), path=str(path), overrides=overrides, environ=os.environ)
    prompts, trace = own_prompts(wanted, path), replayed(wanted, path)
    arrivals = () if trace is None else trace.arrivals
    async with reached(wanted) as server:
        cards = await catalog(server.api, wanted)
    made = plan.expand(wanted, cards, 0 if prompts is None else len(prompts.names()), trace)
    times = estimate.time(made, wanted, cards, trace=arrivals)
    forecasts = _forecasts(made, wanted, cards, times)
    click.echo(text.plan(made, forecasts, (times.total, times.basis), colour=sys.stdout.isatty()), nl=False)
    for sentence in (
        *plan_words.sentences(made, wanted.measure, arrivals),
        *_further(made, wanted, times),
        *bars.moved(wanted.thresholds),
    ):
        click.echo("\n".join(paragraph(sentence, WIDTH)))
    click.echo()
    return 0


def _further(made: Plan, wanted: Scenario, times: estimate.Times) -> Iterator[str]:
    """What may come on top of the plan, and what bounds it."""
    measure = wanted.measure
    if measure.until is not None:
        within = f"{measure.until.within * 100:g} %"
        yield (
            f"until {METRICS[measure.until.metric].name} is known within {within} in every cell:"
            f" at least {len(made.visits):,} visits, about {units.span(times.total)};"
            f" at most {len(made.cells) * measure.at_most:,}, about {units.span(times.most)}"
        )
    if measure.budget_ns is not None:
        yield f"no visit begins that the budget of {units.span(measure.budget_ns)} would not hold"


def _forecasts(
    made: Plan, wanted: Scenario, cards: Sequence[ModelCard], times: estimate.Times
) -> dict[str, text.Forecast]:
    measure = wanted.measure
    each = measure.requests + measure.warmup + int(measure.cold_load)
    visits = Counter(visit.cell for visit in made.visits)
    known = cards_by_name(tuple(cards))
    needs = {cell.id: estimate.needs(cell, known, wanted.server.parallel) for cell in made.cells}
    return {
        cell.id: text.Forecast(
            visits[cell.id] * each, times.cells[cell.id], needs[cell.id].total, needs[cell.id].reason
        )
        for cell in made.cells
    }
