"""What the reader of a plan must know of the models' own settings and of the server's ways."""

from collections.abc import Iterator, Sequence

from olbench import grid
from olbench.grid import Point
from olbench.model import Cell, ModelCard
from olbench.plan_models import Choice
from olbench.scenario import Scenario
from olbench.trace import Trace

# Families that Ollama gives one slot, whatever OLLAMA_NUM_PARALLEL says (server/sched.go).
_ONE_SLOT = frozenset(
    {
        *("mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next", "lfm2", "lfm2moe"),
        *("nemotron_h", "nemotron_h_moe", "nemotron_h_omni"),
    }
)
_VISION_LEAST = 2048  # a vision model is loaded with at least this context (api/types.go)
_AXIS_OF = {"num_predict": "output_tokens"}


def notes(
    scenario: Scenario,
    cells: Sequence[Cell],
    chosen: Sequence[Choice],
    own_prompts: int,
    trace: Trace | None = None,
) -> tuple[str, ...]:
    """All notes of a plan, each once."""
    cards = {one.card.name: one.card for one in chosen if one.card is not None}
    every: list[str] = []
    for one in chosen:
        every += _ambiguous(one)
    for card in cards.values():
        every += _own_parameters(scenario, card)
        every += _own_system(scenario, card)
    for cell in cells:
        for card in (cards[name] for name in models(cell)):
            every += (
                *_context(cell, card),
                *_slots(cell, card, scenario.server.parallel),
                *_thinking(cell, card),
            )
    every += _idle_rules(scenario)
    every += _few_requests(scenario, own_prompts)
    every += _short_trace(scenario, trace)
    if scenario.load is not None and not any(cell.load for cell in cells):
        every.append("no cell has a rate: `olbench size` seeks it, `olbench run` measures one stream")
    return tuple(dict.fromkeys(every))


def models(cell: Cell) -> tuple[str, ...]:
    """The names that a cell sends, each once."""
    return tuple(dict.fromkeys(share.model for share in cell.mix)) or (cell.model,)


def too_long(scenario: Scenario, points: Sequence[Point], trace: Trace | None) -> Iterator[str]:
    """What of a trace no context of the plan holds."""
    asked = () if trace is None else trace.arrivals[: scenario.measure.count]
    need = max((one.prompt_tokens + one.output_tokens for one in asked), default=0)
    for context in dict.fromkeys(point["num_ctx"] for point in points):
        if isinstance(context, int) and context < need:
            yield (
                f"sweep.num_ctx is {context}, but the longest prompt and answer of {scenario.trace} have {need} "
                f"tokens; a whole number of at least {need} would do"
            )


def _ambiguous(choice: Choice) -> Iterator[str]:
    if choice.others and choice.card is not None:
        others = ", ".join(choice.others)
        yield f"{choice.base} at {choice.label} is {choice.card.name}; {others} would have fitted as well"


def _own_parameters(scenario: Scenario, card: ModelCard) -> Iterator[str]:
    """The model's own PARAMETER lines: an axis wins over its namesake, all others apply to each request."""
    given = {axis.name for axis in scenario.axes if axis.given}
    sent = {axis.name for axis in scenario.axes} | {"temperature", "seed"}
    apply = []
    for name, value in card.parameters:
        axis = _AXIS_OF.get(name, name)
        if axis not in sent:
            apply.append(f"{name} {value}")
            continue
        who = f"axis {axis}" if axis in given else f"olbench's default {axis}"
        yield f"{who} wins over the model's own PARAMETER {name} {value} ({card.name})"
    if apply:
        yield f"{card.name} has PARAMETERs of its own that apply to each of its requests: {', '.join(apply)}"


def _own_system(scenario: Scenario, card: ModelCard) -> Iterator[str]:
    if not card.system:
        return
    if scenario.workload.system is None:
        yield f"{card.name} has a system prompt of its own, which opens each of its requests"
    else:
        yield f"workload.system takes the place of the system prompt of {card.name}"


def _context(cell: Cell, card: ModelCard) -> Iterator[str]:
    most = card.context_length
    if most is not None and cell.num_ctx > most:
        yield f"num_ctx {cell.num_ctx} is above the {most} that {card.name} was trained for: the server gives {most}"
    if "vision" in (card.capabilities or ()) and cell.num_ctx < _VISION_LEAST:
        yield (
            f"num_ctx {cell.num_ctx} is below the {_VISION_LEAST} that a vision model has at least: "
            f"the server gives {card.name} {_VISION_LEAST}"
        )
    if card.format == "safetensors":
        yield f"{card.name} runs in the MLX engine, which takes num_ctx as a hint: expect no effect of it"


def _slots(cell: Cell, card: ModelCard, parallel: int | None) -> Iterator[str]:
    if cell.concurrency == 1 and cell.load is None:
        return
    if card.family in _ONE_SLOT or card.format == "safetensors":
        queue = (
            "concurrency above 1 measures its queue" if cell.load is None else "what comes meanwhile waits"
        )
        yield f"the server answers one request of {card.name} at a time: {queue}"
    elif parallel is not None and cell.concurrency > parallel:
        yield f"concurrency {cell.concurrency} is above the server's {parallel} slots: it measures the queue too"


def _thinking(cell: Cell, card: ModelCard) -> Iterator[str]:
    if card.capabilities is None and cell.think not in {None, False}:
        yield f"the server does not say whether {card.name} can think; it may refuse think"
    if card.family in {"gptoss", "gpt-oss"} and isinstance(cell.think, bool):
        yield f'{card.name} thinks whether think is true or false; "low", "medium" and "high" make a difference'


def _idle_rules(scenario: Scenario) -> Iterator[str]:
    for index in grid.idle(scenario.axes, scenario.rules):
        yield f"sweep.exclude[{index}] takes nothing out"


def _few_requests(scenario: Scenario, own_prompts: int) -> Iterator[str]:
    count = max(own_prompts, len(scenario.workload.prompts))
    requests = scenario.measure.requests
    if count > requests:
        yield f"of {count} own prompts a visit's {requests} requests ask only as many: measure.requests can be more"


def _short_trace(scenario: Scenario, trace: Trace | None) -> Iterator[str]:
    count = scenario.measure.count
    if trace is not None and len(trace.arrivals) != count:
        have = len(trace.arrivals)
        which = f"all {have:,}" if have < count else f"the first {count:,} of {have:,}"
        yield (
            f"a visit replays {which} requests of {scenario.trace}: measure.warmup and measure.requests "
            f"come to {count:,}"
        )
