"""What the loads and mixes of a plan are, in sentences."""

from collections.abc import Iterator, Sequence
from typing import assert_never

from olbench import units
from olbench.arrival import Arrival, Load, Share, span_ns
from olbench.model import Plan
from olbench.scenario import Measure


def sentences(plan: Plan, measure: Measure, trace: Sequence[Arrival] = ()) -> Iterator[str]:
    """One for each load, one for each mix."""
    for load in dict.fromkeys(cell.load for cell in plan.cells if cell.load is not None):
        span = span_ns(load, measure.count, trace)
        yield f"{_load(load)}: a visit takes {units.span(span)} at least"
    for mix in dict.fromkeys(cell.mix for cell in plan.cells if cell.mix):
        yield f"each {'conversation' if _talks(plan) else 'request'} is one of {_mix(mix)}"


def _load(load: Load) -> str:
    match load.pattern:
        case "steady":
            return f"{_rate(load)}, evenly spaced"
        case "poisson":
            return f"{_rate(load)} at random moments, as people ask who know nothing of each other"
        case "ramp":
            return f"requests that grow from {load.start_rate:g} to {load.rate:g} a second"
        case "burst":
            return f"{_rate(load)}, {load.burst} of them at once"
        case "replay":
            faster = "" if load.speed == 1 else f", {load.speed:g} times as fast"
            return f"requests as they were recorded{faster}"
        case "sessions":
            people = "1 user who asks" if load.users == 1 else f"{load.users} users who each ask"
            return f"{people} {load.questions_per_hour:g} questions an hour, {_turns(load)}"
        case unknown:
            assert_never(unknown)


def _rate(load: Load) -> str:
    return f"{load.rate:g} {'request' if load.rate == 1 else 'requests'} a second"


def _turns(load: Load) -> str:
    if load.turns == 1:
        return "each question by itself"
    return f"{load.turns} to a conversation, with {units.span(load.think_ns or 0)} to think between them"


def _mix(mix: Sequence[Share]) -> str:
    total = sum(share.weight for share in mix)
    return ", ".join(
        f"{share.model} with {share.prompt_tokens} + {share.output_tokens} tokens "
        f"({units.words(share.weight / total, 'share', 2)})"
        for share in mix
    )


def _talks(plan: Plan) -> bool:
    return any(cell.load is not None and cell.load.pattern == "sessions" for cell in plan.cells)
