"""How long a plan will take and how much memory its cells will need, before anything runs. Rough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.model import Cell, ModelCard, Plan
from olbench.plan import load_key
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


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one loaded cell: weights and context. `reason`: why there is no total, or what it assumes."""

    total: int | None
    weights: int | None
    context: int | None  # keys and values of all slots, f16
    slots: int
    reason: str


def time(
    plan: Plan, scenario: Scenario, cards: Sequence[ModelCard], rates: Mapping[str, Rates] | None = None
) -> Times:
    """A rough time for a plan. `rates` (model -> Rates) come before what is assumed from a model's size."""
    by_name = {card.name: card for card in cards}
    known = rates or {}
    cells = {cell.id: cell for cell in plan.cells}
    spent = dict.fromkeys(cells, 0)
    loaded = None
    for visit in plan.visits:
        cell = cells[visit.cell]
        rate = known.get(cell.model) or assumed(by_name.get(cell.model))
        loads = scenario.measure.cold_load or load_key(cell) != loaded
        spent[cell.id] += _requests_ns(cell, scenario, rate) + (rate.load_ns if loads else 0) + _ns(_VISIT_S)
        loaded = load_key(cell)
    total, measure = sum(spent.values()), scenario.measure
    most = total if measure.until is None else round(total * measure.at_most / measure.repeats)
    return Times(spent, total, _basis(plan, known), most)


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
    context = round(card.kv_bytes_per_token * tokens * slots)
    reason = "slots are not known, one is assumed" if parallel is None else ""
    return Memory(card.size + context, card.size, context, slots, reason)


def _requests_ns(cell: Cell, scenario: Scenario, rate: Rates) -> int:
    """All requests of one visit. Streams share the machine, so that their number changes little."""
    measure = scenario.measure
    prompt = _UNKNOWN_PROMPT if cell.prompt_tokens is None else cell.prompt_tokens
    one = prompt / rate.prefill + cell.output_tokens / rate.decode
    if cell.cache == "warm":
        one = cell.output_tokens / rate.decode
    cold = 1 if measure.cold_load else 0
    return _ns(one * (cold + measure.warmup + measure.requests))


def _basis(plan: Plan, known: Mapping[str, Rates]) -> str:
    guessed = sorted({cell.model for cell in plan.cells} - known.keys())
    if not guessed:
        return "rough, from earlier runs"
    return f"rough, from the sizes of the models alone for a slow machine ({', '.join(guessed)})"


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
