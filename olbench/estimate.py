"""How long a plan will take and how much memory its cells will need, before anything runs. Rough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.arrival import Arrival, span_ns
from olbench.model import Cell, ModelCard, Plan
from olbench.plan import load_key
from olbench.plan_notes import models
from olbench.scenario import Scenario

# What is assumed of a machine of which nothing is known: weights are read once for each token from memory
# that gives 20 GB/s to the CPU, prefill is three times as fast, a disk gives 1 GB/s. Slow on purpose.
_MEMORY_BYTES_PER_S = 20e9
_MOST_DECODE = 60.0  # tok/s: small models are bound by overhead
_PREFILL_PER_DECODE = 3.0
_DISK_BYTES_PER_S = 1e9
_LOAD_S = 1.0  # what a load takes beside reading
_VISIT_S = 2.0  # unloading, waiting for memory to come back, looking at the idle machine
_UNKNOWN_SIZE = 4e9  # of a model of which the server does not say it
_UNKNOWN_PROMPT = 256  # tokens of an own prompt


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast a model is, from an earlier run or assumed."""

    decode: float  # tok/s of all streams together
    prefill: float  # tok/s
    load_ns: int


@dataclass(frozen=True, slots=True)
class Times:
    """Nanoseconds of each cell (all its visits) and of the whole plan."""

    cells: Mapping[str, int]
    total: int
    basis: str  # where the rates come from, for the line that shows the total
    most: int  # the whole plan with all visits that may come on top of it
    due: Mapping[
        str, int
    ]  # of one visit to each cell whose requests fall due: so long it takes on any machine


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one loaded cell: weights and context. `reason`: why there is no total, or what it assumes."""

    total: int | None
    weights: int | None
    context: int | None  # keys and values of all slots, f16
    slots: int
    reason: str


def time(
    plan: Plan,
    scenario: Scenario,
    cards: Sequence[ModelCard],
    rates: Mapping[str, Rates] | None = None,
    trace: Sequence[Arrival] = (),
) -> Times:
    """A rough time for a plan. `rates` (model -> Rates) come before what is assumed from a model's size."""
    by_name = {card.name: card for card in cards}
    known = rates or {}
    cells = {cell.id: cell for cell in plan.cells}
    spent = dict.fromkeys(cells, 0)
    loaded = None
    for visit in plan.visits:
        cell = cells[visit.cell]
        of = {name: known.get(name) or assumed(by_name.get(name)) for name in models(cell)}
        loads = scenario.measure.cold_load or load_key(cell) != loaded
        load_ns = sum(rate.load_ns for rate in of.values()) if loads else 0
        spent[cell.id] += _requests_ns(cell, scenario, of, trace) + load_ns + _ns(_VISIT_S)
        loaded = load_key(cell)
    total, measure = sum(spent.values()), scenario.measure
    most = total if measure.until is None else round(total * measure.at_most / measure.repeats)
    spans = [
        (cell.id, span_ns(cell.load, measure.count, trace)) for cell in plan.cells if cell.load is not None
    ]
    due = {cell: span for cell, span in spans if span}  # a trace that is not at hand tells none
    return Times(spent, total, _basis(plan, known), most, due)


def assumed(card: ModelCard | None) -> Rates:
    """The rates of a model on a slow machine, from its size alone."""
    size = float(card.size) if card is not None and card.size else _UNKNOWN_SIZE
    decode = min(_MOST_DECODE, _MEMORY_BYTES_PER_S / size)
    return Rates(decode, decode * _PREFILL_PER_DECODE, _ns(_LOAD_S + size / _DISK_BYTES_PER_S))


def memory(cell: Cell, card: ModelCard | None, parallel: int | None) -> Memory:
    """What a loaded cell needs: the weights' file and f16 keys and values for each slot.

    `parallel` None is taken as one slot, Ollama's default. Compute buffers and the driver come on top.
    """
    slots = 1 if parallel is None else parallel
    if card is None or card.size is None:
        return Memory(None, None, None, slots, "the server does not say how large the model is")
    if card.kv_bytes_per_token is None:
        reason = "the model's metadata do not say how much memory a token of context takes"
        return Memory(None, card.size, None, slots, reason)
    tokens = cell.num_ctx if card.context_length is None else min(cell.num_ctx, card.context_length)
    context = round((card.kv_bytes_per_token * tokens + (card.kv_bytes_per_slot or 0)) * slots)
    reason = "slots are not known, one is assumed" if parallel is None else ""
    return Memory(card.size + context, card.size, context, slots, reason)


def needs(cell: Cell, cards: Mapping[str, ModelCard], parallel: int | None) -> Memory:
    """The same of all models that a cell sends, by their names: those of a mix are to be in memory together."""
    every = [memory(cell, cards.get(name), parallel) for name in models(cell)]
    return Memory(
        _sum([one.total for one in every]),
        _sum([one.weights for one in every]),
        _sum([one.context for one in every]),
        every[0].slots,
        "; ".join(dict.fromkeys(one.reason for one in every if one.reason)),
    )


def _sum(parts: Sequence[int | None]) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _requests_ns(cell: Cell, scenario: Scenario, rates: Mapping[str, Rates], trace: Sequence[Arrival]) -> int:
    """All requests of one visit. Streams share the machine, so that their number changes little."""
    measure = scenario.measure
    one = _request_s(cell, rates)
    work = _ns(one * measure.count)
    # A load is over no sooner than its last request has fallen due, however fast the machine is.
    spent = work if cell.load is None else max(work, span_ns(cell.load, measure.count, trace))
    return spent + (_ns(one) if measure.cold_load else 0)


def _request_s(cell: Cell, rates: Mapping[str, Rates]) -> float:
    """One request; of a mix the mean."""
    prompt = _UNKNOWN_PROMPT if cell.prompt_tokens is None else cell.prompt_tokens
    shapes = [(one.weight, one.model, one.prompt_tokens, one.output_tokens) for one in cell.mix]
    every = shapes or [(1.0, cell.model, prompt, cell.output_tokens)]
    total = sum(
        weight * (output / rates[model].decode + (0 if cell.cache == "warm" else read / rates[model].prefill))
        for weight, model, read, output in every
    )
    return total / sum(weight for weight, *_ in every)


def _basis(plan: Plan, known: Mapping[str, Rates]) -> str:
    guessed = sorted({name for cell in plan.cells for name in models(cell)} - known.keys())
    if not guessed:
        return "rough, from earlier runs"
    return f"rough, from the sizes of the models alone for a slow machine ({', '.join(guessed)})"


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
