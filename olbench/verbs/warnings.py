"""What should be said before a run begins: the machine is busy, small, or not empty."""

from collections.abc import Iterator, Mapping, Sequence

from olbench import estimate, units
from olbench.model import Facts, ModelCard, Plan, Resident
from olbench.prepare import cards_by_name
from olbench.scenario import Scenario

BUSY_CORES = 0.5
SWAPPED = 256 * 2**20


def before(
    plan: Plan,
    scenario: Scenario,
    cards: Sequence[ModelCard],
    *,
    resident: Sequence[Resident],
    facts: Facts,
    last: Mapping[str, float],
) -> Iterator[str]:
    """One sentence a doubt. `last`: the probes' last values by name; what is not there is not judged."""
    mine = {cell.model.removesuffix(":latest") for cell in plan.cells}
    foreign = [one.name for one in resident if one.name.removesuffix(":latest") not in mine]
    if foreign:
        yield f"in memory and about to be unloaded: {', '.join(foreign)}"
    if facts.get("server.local") is False:
        return  # what the probes see here is not the machine that computes
    if last.get("host.other_cpu", 0.0) > BUSY_CORES:
        yield (
            f"other programs keep {last['host.other_cpu']:.1f} cores busy: rates will be lower and less steady"
            " than this machine can do"
        )
    if last.get("host.swap_used", 0.0) > SWAPPED:
        yield f"{units.words(last['host.swap_used'], 'B')} are swapped out: memory was short before this began"
    if facts.get("power.source") == "battery":
        yield "the machine runs on battery: it may slow itself down"
    # Cells that differ only in what takes no memory need the same sentence.
    yield from dict.fromkeys(_too_large(plan, scenario, cards, last))


def _too_large(
    plan: Plan, scenario: Scenario, cards: Sequence[ModelCard], last: Mapping[str, float]
) -> Iterator[str]:
    free = last.get("host.available")
    if free is None or any(name.startswith("gpu") for name in last):
        return  # what fits beside a GPU is the server's to decide
    known = cards_by_name(tuple(cards))
    needed = {cell.id: estimate.needs(cell, known, scenario.server.parallel).total for cell in plan.cells}
    fits = [cell for cell in plan.cells if (needed[cell.id] or 0) <= free]
    for cell in plan.cells:
        need = needed[cell.id]
        if need is not None and need > free:
            smaller = [one.num_ctx for one in fits if one.model == cell.model]
            advice = f"; num_ctx {max(smaller)} would fit" if smaller else ""
            yield (
                f"{cell.model} at num_ctx {cell.num_ctx} needs about {units.words(need, 'B')},"
                f" {units.words(free, 'B')} are free{advice}"
            )
