"""What was predicted of a capacity, and how it stands to what was found, in sentences."""

from olbench.findings import Estimate
from olbench.report.capacity_words import amount, between, sentence
from olbench.sized import Capacity


def forecast(found: Capacity, *, persona: bool) -> tuple[str, str]:
    """What was predicted, and how it stands to what was found."""
    made = found.predicted
    if made is None:
        return "Nothing.", f"{unforetold(persona=persona)}."
    if made.capacity.value is None:
        return "Nothing.", f"{sentence(made.reason or made.capacity.reason)}"
    return f"{between(made.capacity, found.by)}.", _agreement(found, made.capacity)


def unforetold(*, persona: bool) -> str:
    """Why nobody tried to predict."""
    return (
        "There is no cost model to simulate it with" if persona else "The scenario has no persona to simulate"
    )


def _agreement(found: Capacity, predicted: Estimate) -> str:
    """Prediction and finding in one sentence; "" where there is nothing to hold against each other."""
    if predicted.value is None:
        return ""
    if not found.answer:
        return _below(found.over, predicted)
    if not found.resolved:
        return _open(found.answer, found.over, predicted.value)
    off = (predicted.value / found.answer - 1) * 100
    size = f"{abs(off):.0f} % {'above' if off > 0 else 'below'} what was found"
    parts = ["the same as found" if abs(off) < 0.5 else size]
    if predicted.low is not None and predicted.high is not None:
        held = "inside" if predicted.low <= found.answer <= predicted.high else "outside"
        parts.append(f"the finding lies {held} the predicted interval")
    return f"Prediction is {'; '.join(parts)}."


def _open(answer: float, over: float | None, value: float) -> str:
    """Where something was kept, and the load above it was not shown to be too much."""
    if over is not None:
        lies = "within" if answer <= value < over else "outside"
        return f"Prediction lies {lies} what was found ({amount(answer)} kept, {amount(over)} too many)."
    if value <= answer:
        return "As many as were predicted are carried, or more."
    return f"Prediction lies above the {amount(answer)} that were kept; how much above them the limit lies was not shown."


def _below(over: float | None, predicted: Estimate) -> str:
    """Where no load was kept, and this one was broken."""
    least = predicted.value if predicted.low is None else predicted.low
    if over is None or least is None:
        return ""
    if over <= least:
        return "What was found is below all that was predicted."
    if over <= (predicted.value or 0.0):
        return "As many as were predicted were too many, fewer that lie in its interval may not be."
    return "Prediction lies below what was too many."
