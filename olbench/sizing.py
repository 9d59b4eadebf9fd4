"""How much this machine carries: the search as a run has it so far, and all that can be said of it when it has ended.

Everything is told from the record alone: what to probe next as well, so a search that was interrupted goes on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from olbench import analysis, binding, cost_model, footprint, labels, observed, seek, service, slo
from olbench.arrival import Persona
from olbench.elsewhere import elsewhere
from olbench.forecast import predicted
from olbench.gist import Told
from olbench.machines import Machine
from olbench.model import Cell, Facts, Record
from olbench.seek import Ask, Found, Seen
from olbench.sized import By, Capacity, Predicted, Sizing, Step
from olbench.sizing_words import answer
from olbench.slo import Term

_NO_PROBE = "no load was tried"
_ENDED = "the search was ended before it had its answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """The search of one cell: what was tried, and what is to be tried next."""

    cell: Cell  # without its load
    label: str
    by: By
    loads: tuple[float, ...]  # the grid
    tried: tuple[tuple[Step, Told], ...]  # in the order of the search
    next: Ask | Found

    @property
    def steps(self) -> tuple[Step, ...]:
        """What was tried."""
        return tuple(step for step, _ in self.tried)


def searches(record: Record, foretold: Mapping[str, Predicted] | None = None) -> tuple[Search, ...]:
    """All searches of a run. `foretold`: what `foretell` said, by the id of the cell without its load."""
    told = analysis.told(record)
    terms = slo.terms(record.run.settings)
    known = foretold or {}
    return tuple(
        _search(record.run.settings, cell, label, _under_load(record, cell, told, terms), known.get(cell.id))
        for cell, label in bare(record)
    )


def foretell(record: Record) -> Mapping[str, Predicted]:
    """The capacity of each cell as its cost model has it, from what was measured without such a load. Takes seconds."""
    settings = record.run.settings
    persona = persona_of(settings)
    if persona is None:
        return {}
    closed = _closed(analysis.told(record))
    costs = {one.model: one for one in cost_model.of(closed)}
    beside = {model: observed.beside([one for one in closed if one.cell.model == model]) for model in costs}
    terms, loads, seed = slo.terms(settings), grid(settings), _whole(settings, "seed")
    return {
        cell.id: predicted(costs[cell.model], persona, terms, loads, seed=seed, beside=beside[cell.model])
        for cell, _ in bare(record)
        if cell.model in costs
    }


def of(
    record: Record, machines: Sequence[Machine] = (), foretold: Mapping[str, Predicted] | None = None
) -> Sizing:
    """All that sizing says of a run; `foretold` spares telling it anew."""
    known = foretell(record) if foretold is None else foretold
    told, settings = analysis.told(record), record.run.settings
    persona, terms = persona_of(settings), slo.terms(settings)
    costs = cost_model.of(_closed(told))
    footprints = footprint.of(told)
    capacities = tuple(_capacity(one, known.get(one.cell.id)) for one in searches(record, known))
    target = None if persona is None else float(persona.users)
    parameters = {card.name: card.parameter_count for card in record.cards}
    there = elsewhere(
        costs,
        footprints,
        machines,
        record.facts,
        target=target,
        persona=persona,
        terms=terms,
        parameters=parameters,
    )
    return Sizing(
        answer=answer(capacities, target, there),
        target=target,
        terms=terms,
        costs=costs,
        footprints=footprints,
        capacities=capacities,
        elsewhere=there,
    )


# --- what was asked -----------------------------------------------------------------------------------------------


def persona_of(settings: Facts) -> Persona | None:
    """The people of a run; None where there are none."""
    if settings.get("persona.users") is None:
        return None
    return Persona(
        users=_whole(settings, "persona.users"),
        questions_per_hour=_number(settings, "persona.questions_per_hour"),
        prompt_tokens=_whole(settings, "persona.prompt_tokens"),
        output_tokens=_whole(settings, "persona.output_tokens"),
        turns=_whole(settings, "persona.turns"),
        think_ns=_whole(settings, "persona.think_ns"),
    )


def by_of(settings: Facts) -> By:
    """What is turned up."""
    said = settings.get("size.by")
    return "users" if said == "users" else "rate" if said == "rate" else "concurrency"


def grid(settings: Facts) -> tuple[float, ...]:
    """The loads that may be tried."""
    return seek.grid(
        _number(settings, "size.least"),
        _number(settings, "size.most"),
        _number(settings, "size.step"),
        whole=by_of(settings) != "rate",
    )


def bare(record: Record) -> tuple[tuple[Cell, str], ...]:
    """The cells that are searched, without a load, and what they are called."""
    persona = persona_of(record.run.settings)
    found: dict[Cell, Cell] = {}
    for cell in record.plan.cells:
        plain = _bare(cell)
        if persona is not None and not cell.mix and _shape(cell) != _shape(persona):
            continue  # the cost model is learned from it
        # The cell of one stream has the id that such a cell has everywhere; a load's is as good a name.
        if plain not in found or (cell.load is None and cell.concurrency == 1):
            found[plain] = replace(plain, id=cell.id)
    names = labels.labels(tuple(found.values()))
    return tuple(zip(found.values(), names, strict=True))


def _bare(cell: Cell) -> Cell:
    return replace(cell, id="", load=None, concurrency=1)


def _shape(of: Cell | Persona) -> tuple[int | None, int]:
    return of.prompt_tokens, of.output_tokens


def _number(settings: Facts, key: str) -> float:
    value = settings[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(key)
    return float(value)


def _whole(settings: Facts, key: str) -> int:
    return round(_number(settings, key))


# --- what was seen ------------------------------------------------------------------------------------------------


def _search(
    settings: Facts, cell: Cell, label: str, tried: Sequence[tuple[Step, Told]], foretold: Predicted | None
) -> Search:
    loads = grid(settings)
    following = seek.following(
        _seen(tried),
        loads,
        start=_start(foretold, loads),
        most=_whole(settings, "size.probes"),
        again=seek.EFFORTS.get(str(settings.get("size.effort")), seek.AGAIN),
        requests=_whole(settings, "size.requests"),
    )
    return Search(cell=cell, label=label, by=by_of(settings), loads=loads, tried=tuple(tried), next=following)


def _under_load(
    record: Record, cell: Cell, told: Sequence[Told], terms: Sequence[Term]
) -> list[tuple[Step, Told]]:
    """The loads of a cell that were tried, in the order of the search."""
    settings = record.run.settings
    loads, by = grid(settings), by_of(settings)
    own = [one for one in told if one.gists and _bare(one.cell) == _bare(cell)]
    found = []
    for one in sorted(own, key=lambda one: min(gist.visit.seq for gist in one.gists)):
        load = load_of(one.cell, by)
        if load is not None and load in loads:
            served = service.of(one, terms)
            found.append((Step(place=loads.index(load), load=load, cell=one.cell.id, service=served), one))
    return found


def _seen(tried: Sequence[tuple[Step, Told]]) -> list[Seen]:
    return [
        Seen(
            step.place,
            step.service.verdict,
            step.service.requests,
            len(one.gists),
            leans=all((line.share.value or 0.0) >= line.term.share for line in step.service.terms),
        )
        for step, one in tried
    ]


def _shown(search: Search) -> Found:
    """What stands of a search that was ended before it had its answer."""
    if not search.tried:
        return Found(None, None, resolved=False, reason=_NO_PROBE)
    found = seek.following(_seen(search.tried), search.loads, most=0)
    if isinstance(found, Ask):
        raise TypeError(found)
    return found if found.resolved else replace(found, reason=_ENDED)


def _start(foretold: Predicted | None, loads: Sequence[float]) -> int | None:
    if foretold is None or foretold.capacity.value is None:
        return None
    return seek.place_of(foretold.capacity.value, loads)


def load_of(cell: Cell, by: By) -> float | None:
    """Where a cell stands on the grid; None where it was not loaded in this way."""
    if by == "concurrency":
        return float(cell.concurrency) if cell.load is None else None
    value = None if cell.load is None else cell.load.users if by == "users" else cell.load.rate
    return None if value is None else float(value)


def _closed(told: Sequence[Told]) -> list[Told]:
    return [one for one in told if one.cell.load is None and not one.cell.mix]


def _capacity(search: Search, foretold: Predicted | None) -> Capacity:
    found = search.next
    if isinstance(found, Ask):
        found = _shown(search)
    over = None if found.over is None else search.loads[found.over]
    measured = binding.of(search.tried, found.over)
    return Capacity(
        label=search.label,
        by=search.by,
        answer=None if found.place is None else search.loads[found.place],
        over=over,
        resolved=found.resolved,
        reason=found.reason,
        steps=search.steps,
        predicted=foretold,
        binds=measured or (None if foretold is None else foretold.binds),
    )
