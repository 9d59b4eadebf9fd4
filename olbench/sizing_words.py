"""The answer of a sizing in a sentence or two, for somebody who knows no queueing theory."""

import math
from collections.abc import Sequence

from olbench.prose import counted, listed
from olbench.sized import Binds, By, Capacity, Elsewhere, Step

NAMED = 3  # machines that the answer names
_WHAT: dict[By, tuple[str, str]] = {
    "users": ("such user", "such users"),
    "rate": ("request a second", "requests a second"),
    "concurrency": ("stream", "streams"),
}
_BINDS: dict[Binds, str] = {
    "slots": "the number of answers at once (slots)",
    "prefill": "reading prompts (prefill)",
    "decode": "writing answers (decode)",
    "memory": "memory",
    "reloads": "loading models in turn",
}


def answer(
    capacities: Sequence[Capacity], target: float | None, there: Sequence[Elsewhere]
) -> tuple[str, ...]:
    """What this machine carries, and what the target takes."""
    alone = len(capacities) == 1
    said = [
        _carries(one, "This machine" if alone else f"With {one.label}, this machine") for one in capacities
    ]
    if target is None or not any(one.by == "users" for one in capacities):
        return tuple(said)
    return (*said, *([_target(capacities, target, there)] if capacities else []))


def _carries(one: Capacity, who: str) -> str:
    unit, units = _WHAT[one.by]
    if one.answer is None:
        least = min((step.load for step in one.steps if not step.service.invalid), default=None)
        if least is None and one.steps:
            return f"{who} could not be judged under load: {one.steps[-1].service.invalid}."
        if least is None:
            return f"{who} was not measured under load: {one.reason}."
        if seems := _seems(one):
            return f"{who} seems to carry {_many(seems, unit, units)}: so it was seen, but too briefly to be sure."
        shown = "does not keep" if one.over is not None else "was not shown to keep"
        return f"{who} {shown} the service level for {_many(least, unit, units)}{_binds(one)}."
    if one.resolved or one.over is None:
        carries = _many(one.answer, unit, units)
    else:
        carries = f"{_number(one.answer)} to {_many(_below(one), unit, units)}"
    more = "" if one.over is not None or one.resolved else f" or more ({one.reason})"
    seems = _seems(one)
    most = "" if not seems or one.resolved else f" (by what was seen {_number(seems)})"
    return f"{who} carries {carries}{most}{more}{_binds(one)}."


def _seems(one: Capacity) -> float | None:
    """The largest load, below all that did worse, that met its service level in the requests that there were."""
    met = {step.load: _met(step) for step in one.steps if not step.service.invalid}
    worse = min((load for load, well in met.items() if not well), default=math.inf)
    found = max((load for load, well in met.items() if well and load < worse), default=None)
    return None if found is None or found <= (one.answer or 0.0) else found


def _met(step: Step) -> bool:
    service = step.service
    shares = [(line.share.value, line.term.share) for line in service.terms]
    return not service.cut_short and all(seen is not None and seen >= asked for seen, asked in shares)


def _below(one: Capacity) -> float:
    """The largest load that was not shown to be too much."""
    over = one.over or 0.0
    return max(one.answer or 0.0, over - 1 if one.by != "rate" else over)


def _binds(one: Capacity) -> str:
    return "" if one.binds is None or one.over is None else f"; {_BINDS[one.binds]} is what limits it"


def _target(capacities: Sequence[Capacity], target: float, there: Sequence[Elsewhere]) -> str:
    people = _many(target, "user", "users")
    best = max((one.answer or 0.0 for one in capacities if one.by == "users"), default=0.0)
    if best >= target:
        return f"For {people} it is enough."
    meets = [one.machine for one in there if one.meets]
    named = listed(list(dict.fromkeys(meets))[:NAMED])
    estimate = f"; by estimate, these would do: {named}" if meets else ""
    open_ = [one for one in capacities if one.by == "users" and (one.over is None or one.over > target)]
    if open_:
        return f"Whether it carries {people} was not shown{estimate}."
    times = f" (at least {counted(-int(-target // best), 'machine')} like this one)" if best else ""
    return f"For {people} it is not enough{times}{estimate}."


def _many(load: float, unit: str, units: str) -> str:
    return f"{_number(load)} {unit if load == 1 else units}"


def _number(load: float) -> str:
    return f"{load:,.0f}" if load == round(load) else f"{load:.3g}"
