"""Which installed model each point of a grid means, and what stands against it."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from olbench import grid, quantization
from olbench.grid import Point
from olbench.model import ModelCard
from olbench.scenario import Part, Scenario

Pair = tuple[str, str | None]  # model as the scenario names it, quantization
_CLOUD = (":cloud", "-cloud")


@dataclass(frozen=True, slots=True)
class Choice:
    """What one model of the scenario, at one quantization, is on this server."""

    base: str  # as the scenario names it
    label: str | None  # None: the sweep has no quantization axis
    card: ModelCard | None  # None: not installed
    others: tuple[str, ...]  # further installed tags that would fit as well


def choices(scenario: Scenario, points: Sequence[Point], catalog: Sequence[ModelCard]) -> list[Choice]:
    """One Choice for each pair of model and quantization in the grid, in its order."""
    asked = dict.fromkeys(pair for point in points for pair in pairs(scenario, point))
    return [_choice(scenario, base, label, catalog) for base, label in asked]


def pairs(scenario: Scenario, point: Point) -> tuple[Pair, ...]:
    """The model and the quantization of a point; of a mix those of each part."""
    label = point.get("quantization")
    swept = str(point["model"]), None if label is None else str(label)
    return tuple(_pair(part, swept) for part in scenario.mix) or (swept,)


def _pair(part: Part, swept: Pair) -> Pair:
    """A part that names its model has no quantization but its own."""
    if part.model is not None:
        return part.model, part.quantization
    return swept[0], part.quantization or swept[1]


def missing(scenario: Scenario, catalog: Sequence[ModelCard]) -> tuple[str, ...]:
    """The names to pull before the scenario can run, in its order."""
    points = grid.points(scenario.axes, scenario.rules)
    absent = (one for one in choices(scenario, points, catalog) if one.card is None and not _is_cloud(one))
    return tuple(dict.fromkeys(_wanted(scenario, one) for one in absent))


def used(scenario: Scenario, catalog: Sequence[ModelCard]) -> tuple[str, ...]:
    """The installed names that the scenario's plan would use: whose cards must be read in full before it."""
    points = grid.points(scenario.axes, scenario.rules)
    there = (one.card.name for one in choices(scenario, points, catalog) if one.card is not None)
    return tuple(dict.fromkeys(there))


def faults(scenario: Scenario, chosen: Sequence[Choice], catalog: Sequence[ModelCard]) -> Iterator[str]:
    """What is missing, in the cloud, or unable to answer: a sentence each, and at the end what is installed."""
    for one in chosen:
        where = _where(scenario, one, "model")
        if _is_cloud(one):
            yield f"{where}: {one.base} runs in the cloud, where nothing can be measured; a local model would do"
        elif one.card is None:
            yield _absent(scenario, one, catalog)
        elif one.card.capabilities is not None and "completion" not in one.card.capabilities:
            able = ", ".join(one.card.capabilities) or "nothing"
            yield f"{where}: {one.card.name} answers no prompts (it can: {able}); a chat model would do"
    if any(one.card is None and not _is_cloud(one) for one in chosen):
        names = ", ".join(sorted(card.name for card in catalog)) or "nothing"
        yield f"installed on this server: {names}"


def _choice(scenario: Scenario, base: str, label: str | None, catalog: Sequence[ModelCard]) -> Choice:
    if label is None:
        return Choice(base, None, quantization.installed(base, catalog), ())
    names = quantization.matches(base, label, catalog, scenario.quantizations)
    card = quantization.installed(names[0], catalog) if names else None
    return Choice(base, label, card, names[1:])


def _where(scenario: Scenario, choice: Choice, key: str) -> str:
    """The key that asks for it: of the first part that does, else of the sweep."""
    for index, part in enumerate(scenario.mix):
        if choice.base == part.model or (key == "quantization" and part.quantization == choice.label):
            return f"mix[{index}].{key}"
    return f"sweep.{key}"


def _is_cloud(choice: Choice) -> bool:
    far = choice.card is not None and choice.card.remote is not None
    return far or choice.base.lower().endswith(_CLOUD)


def _wanted(scenario: Scenario, choice: Choice) -> str:
    if choice.label is None:
        return choice.base
    return quantization.wanted_tag(choice.base, choice.label, scenario.quantizations)


def _absent(scenario: Scenario, choice: Choice, catalog: Sequence[ModelCard]) -> str:
    wanted = _wanted(scenario, choice)
    pull = f"`ollama pull {shlex.quote(wanted)}` or `olbench run --pull` fetches it"
    if choice.label is None:
        return f"{_where(scenario, choice, 'model')}: {choice.base} is not installed; {pull}"
    there = ", ".join(
        f"{card.name} ({card.quantization or 'quantization unknown'})"
        for card in quantization.variants(choice.base, catalog)
    )
    return (
        f"{_where(scenario, choice, 'quantization')}: {choice.base} is not installed at {choice.label} "
        f"(installed of it: {there or 'nothing'}); {pull}, a row of [quantizations] can name another tag"
    )
