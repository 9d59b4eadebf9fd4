"""A scenario on a server -> cells, and the order in which they are visited."""

import hashlib
import json
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, replace

from olbench import grid, plan_models, plan_notes
from olbench.arrival import Load, Share
from olbench.errors import UsageError
from olbench.grid import Point
from olbench.model import Cell, ModelCard, Options, OptionValue, Plan, Visit
from olbench.options import OPTIONS
from olbench.plan_models import missing, used
from olbench.scenario import Measure, Scenario
from olbench.trace import Trace

__all__ = [
    "LoadKey",
    "at_context",
    "at_load",
    "at_prompt",
    "at_streams",
    "expand",
    "in_turn",
    "load_key",
    "missing",
    "resume",
    "used",
    "without_load",
]

LoadKey = tuple[str, int, Options]  # model, num_ctx, options that only take effect at a load
_TEMPERATURE = 0.0  # greedy, unless the scenario says otherwise: the same work in every repeat


def expand(
    scenario: Scenario, catalog: Sequence[ModelCard], own_prompts: int = 0, trace: Trace | None = None
) -> Plan:
    """The plan of a scenario on the server that has `catalog`; the same arguments give the same plan.

    The cards hold what /api/show says, where the server says it. `own_prompts` is the number of prompts in
    the workload's file, `trace` what `scenario.trace` holds. UsageError names everything that stands against
    the plan at once.
    """
    points = grid.points(scenario.axes, scenario.rules)
    chosen = plan_models.choices(scenario, points, catalog)
    faults = list(plan_models.faults(scenario, chosen, catalog))
    cards = {(one.base, one.label): one.card for one in chosen if one.card is not None}
    asked = [(point, plan_models.pairs(scenario, point)) for point in points]
    known = [
        (point, tuple(map(cards.__getitem__, pairs))) for point, pairs in asked if set(pairs) <= cards.keys()
    ]
    faults += dict.fromkeys(
        fault for point, own in known for card in own for fault in _unable(scenario, point, card)
    )
    faults += plan_notes.too_long(scenario, points, trace)
    if faults:
        raise UsageError(f"{scenario.path}: {fault}" for fault in faults)
    cells = tuple(_cell(scenario, point, own, trace) for point, own in known)
    return Plan(
        cells=cells,
        visits=_visits(cells, scenario.measure),
        excluded=grid.size(scenario.axes) - len(points),
        notes=plan_notes.notes(scenario, cells, chosen, own_prompts, trace),
    )


def load_key(cell: Cell) -> LoadKey:
    """What the server must load anew for: cells with the same key can follow one another without a load."""
    at_load = tuple((name, value) for name, value in cell.options if OPTIONS[name].load_time)
    return cell.model, cell.num_ctx, at_load


def at_load(cell: Cell, load: Load) -> Cell:
    """The same cell, asked by that load."""
    return _named(replace(cell, load=load, concurrency=1))


def without_load(cell: Cell) -> Cell:
    """The same cell, asked by one closed stream."""
    return at_streams(cell, 1)


def at_streams(cell: Cell, concurrency: int) -> Cell:
    """The same cell, asked by so many closed streams."""
    return _named(replace(cell, load=None, concurrency=concurrency))


def at_prompt(cell: Cell, prompt_tokens: int, output_tokens: int) -> Cell:
    """The same cell with requests of another length."""
    return _named(replace(cell, prompt_tokens=prompt_tokens, output_tokens=output_tokens))


def at_context(cell: Cell, num_ctx: int) -> Cell:
    """The same cell with another context."""
    return _named(replace(cell, num_ctx=num_ctx))


def resume(plan: Plan, done: Collection[tuple[str, int]]) -> tuple[Visit, ...]:
    """The visits that are not among `done` (pairs of cell and repeat), in the plan's order."""
    return tuple(visit for visit in plan.visits if (visit.cell, visit.repeat) not in done)


def in_turn(measure: Measure, cells: Sequence[Cell], repeat: int, loaded: LoadKey | None) -> Sequence[Cell]:
    """The order of one round.

    Cells that need the same load stand together, and a round begins with what is in memory. When every
    visit loads anyway, there is nothing to keep together.
    """
    groups = _groups(cells, measure)
    if measure.order == "shuffled":
        shuffle = random.Random(f"{measure.seed}/{repeat}").shuffle
        shuffle(groups)
        for group in groups:
            shuffle(group)
        groups.sort(key=lambda group: measure.cold_load or load_key(group[0]) != loaded)
    return [cell for group in groups for cell in group]


def _unable(scenario: Scenario, point: Point, card: ModelCard) -> Iterator[str]:
    """What this model cannot do of what this point asks."""
    think = point.get("think", False)
    if think is not False and card.capabilities is not None and "thinking" not in card.capabilities:
        words = "true" if think is True else f'"{think}"'
        yield (
            f"sweep.think is {words}, but {card.name} cannot think; false would do, or an exclude rule such as "
            f'{{ model = "{point["model"]}", think = {words} }}'
        )
    need = _longest(scenario, point)
    if card.context_length is not None and need > card.context_length:
        yield (
            f"sweep.model: {card.name} has a context of {card.context_length} tokens, too small for prompt and "
            f"answer of {need}; fewer tokens, or an exclude rule for this model, would do"
        )


def _longest(scenario: Scenario, point: Point) -> int:
    """Tokens of the longest prompt and its answer, with all that was said before in the conversation."""
    prompt, output = _whole(point.get("prompt_tokens", 0)), _whole(point["output_tokens"])
    turns = 1 if scenario.persona is None else scenario.persona.turns
    shapes = [(part.prompt_tokens or prompt, part.output_tokens or output) for part in scenario.mix]
    return turns * max(sum(shape) for shape in shapes or [(prompt, output)])


def _cell(scenario: Scenario, point: Point, cards: Sequence[ModelCard], trace: Trace | None) -> Cell:
    label, mix = point.get("quantization"), _mix(scenario, point, cards)
    prompt, card = point.get("prompt_tokens"), cards[0]
    cell = Cell(
        id="",
        model=card.name,
        base=mix[0].base if mix else str(point["model"]),
        quantization=mix[0].quantization if mix else card.quantization if label is None else str(label),
        api="generate" if point["api"] == "generate" else "chat",
        num_ctx=_whole(point["num_ctx"]),
        concurrency=_whole(point["concurrency"]),
        # Of a mix the longest: what one request has says its part.
        prompt_tokens=max(
            (one.prompt_tokens for one in mix), default=None if prompt is None else _whole(prompt)
        ),
        output_tokens=max((one.output_tokens for one in mix), default=_output(scenario, point, trace)),
        think=_think(point.get("think"), card),
        cache=scenario.workload.cache,
        options=_options(point, scenario.measure.seed),
        load=_load(scenario, point, trace),
        mix=mix,
    )
    return _named(cell)


def _mix(scenario: Scenario, point: Point, cards: Sequence[ModelCard]) -> tuple[Share, ...]:
    pairs = plan_models.pairs(scenario, point)
    return tuple(
        Share(
            model=card.name,
            base=base,
            quantization=card.quantization if label is None else label,
            weight=part.weight,
            prompt_tokens=_whole(part.prompt_tokens or point["prompt_tokens"]),
            output_tokens=_whole(part.output_tokens or point["output_tokens"]),
        )
        for part, (base, label), card in zip(scenario.mix, pairs, cards, strict=bool(scenario.mix))
    )


def _load(scenario: Scenario, point: Point, trace: Trace | None) -> Load | None:
    """How requests come to a cell; None: from closed streams."""
    if scenario.persona is not None:
        return scenario.persona.load(_whole(point["users"]))
    if scenario.load is None:
        return None
    if scenario.load.pattern == "replay":
        return None if trace is None else replace(scenario.load, trace=trace.digest)
    rate = point.get("rate")
    # A search finds its rates itself, and its cells need none.
    return replace(scenario.load, rate=rate) if isinstance(rate, float) else None


def _output(scenario: Scenario, point: Point, trace: Trace | None) -> int:
    """Tokens of an answer; of a replay the longest of those that are asked for."""
    if trace is None:
        return _whole(point["output_tokens"])
    return max(one.output_tokens for one in trace.arrivals[: scenario.measure.count])


def _named(cell: Cell) -> Cell:
    return replace(cell, id=_id(cell))


def _id(cell: Cell) -> str:
    """Twelve hex digits of all fields but the id itself; a load or a mix that is not there is no field."""
    fields = {name: value for name, value in asdict(cell).items() if name != "id"}
    for name in ("load", "mix"):  # cells of before those existed keep their ids, and so their baselines
        if not fields[name]:
            del fields[name]
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _think(asked: OptionValue | None, card: ModelCard) -> bool | str | None:
    """What to send: off unless asked where the model can think, nothing where it cannot."""
    if card.capabilities is not None and "thinking" not in card.capabilities:
        return None
    if asked is None:
        # A server too old to say what a model can do is too old to think.
        return None if card.capabilities is None else False
    return asked if isinstance(asked, bool | str) else None


def _options(point: Point, seed: int) -> Options:
    swept = {name: value for name, value in point.items() if name in OPTIONS}
    sent: dict[str, OptionValue] = {"temperature": _TEMPERATURE, "seed": seed, **swept}
    return tuple(sorted(sent.items()))


def _visits(cells: Sequence[Cell], measure: Measure) -> tuple[Visit, ...]:
    order = ((cell, repeat) for repeat, visited in enumerate(_rounds(cells, measure)) for cell in visited)
    return tuple(Visit(seq, cell.id, repeat) for seq, (cell, repeat) in enumerate(order))


def _rounds(cells: Sequence[Cell], measure: Measure) -> Iterator[Sequence[Cell]]:
    """One order of all cells for each repeat: rounds keep slow drift of the machine from falling on one cell alone."""
    loaded: LoadKey | None = None
    for repeat in range(measure.repeats):
        ordered = in_turn(measure, cells, repeat, loaded)
        loaded = load_key(ordered[-1])
        yield ordered


def _groups(cells: Sequence[Cell], measure: Measure) -> list[list[Cell]]:
    if measure.cold_load:
        return [[cell] for cell in cells]
    together: dict[LoadKey, list[Cell]] = {}
    for cell in cells:
        together.setdefault(load_key(cell), []).append(cell)
    return list(together.values())


def _whole(value: OptionValue) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(value)
