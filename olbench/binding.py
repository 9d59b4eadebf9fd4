"""What binds at the lowest load that was seen to break its service level: where the time of its requests went."""

from collections.abc import Mapping, Sequence

import numpy as np

from olbench.gist import Told
from olbench.sized import Binds, Step

# Parts of a request's time, and what there would have to be more of.
_PARTS: Mapping[str, Binds] = {
    "warm_load": "reloads",
    "queue": "slots",
    "prefill_time": "prefill",
    "decode_time": "decode",
}
_BEFORE_TEXT = ("warm_load", "queue", "prefill_time")


def of(tried: Sequence[tuple[Step, Told]], over: int | None) -> Binds | None:
    """As measured; None where nothing broke, where it is not known, or where a simulation tells better.

    Users who wait for a slot do so because answers are slow, or because slots are few: that only the simulation knows.
    """
    broken = [(step, told) for step, told in tried if step.place == over and step.service.verdict == "broken"]
    if not broken:
        return None
    step, told = broken[-1]
    aspect = {one.term.key: one.term.aspect for one in step.service.terms}.get(step.service.tightest)
    if aspect in ("tpot", "answer_rate"):
        return "decode"
    spent = {key: _mean(told, key) for key in (_BEFORE_TEXT if aspect == "ttft" else _PARTS)}
    most = max(spent, key=lambda key: spent[key])
    people = told.cell.load is not None and told.cell.load.users is not None
    return None if not spent[most] or (people and _PARTS[most] == "slots") else _PARTS[most]


def _mean(told: Told, key: str) -> float:
    numbers = told.numbers(key)
    return float(np.mean(numbers)) if len(numbers) else 0.0
