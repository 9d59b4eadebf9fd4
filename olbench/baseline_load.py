"""How requests come, in a baseline: keys that only cells with a load or a mix have, so that all others stay as they were."""

from typing import Any

from olbench.arrival import PATTERNS, Load, Share
from olbench.checked import At
from olbench.model import Cell


def out(cell: Cell) -> dict[str, Any]:
    """What a cell's load and mix add to it; what does not belong to them is left out."""
    found: dict[str, Any] = {}
    if cell.load is not None:
        found["load"] = _known(cell.load, Load.__dataclass_fields__)
    if cell.mix:
        found["mix"] = [_known(share, Share.__dataclass_fields__) for share in cell.mix]
    return found


def _known(of: Load | Share, names: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(of, name)) is not None}


def load(cell: At) -> Load | None:
    """The load of a cell; None where it has closed streams."""
    at = cell.maybe("load")
    if at is None:
        return None
    found = at.key("pattern")
    pattern = next((one for one in PATTERNS if one == found.value), None)
    if pattern is None:
        found.fault(" or ".join(PATTERNS))
    trace = at.maybe("trace")
    return Load(
        pattern=pattern,
        rate=_number(at, "rate"),
        start_rate=_number(at, "start_rate"),
        burst=_whole(at, "burst"),
        trace=None if trace is None else trace.text(),
        speed=_number(at, "speed"),
        users=_whole(at, "users"),
        questions_per_hour=_number(at, "questions_per_hour"),
        turns=_whole(at, "turns"),
        think_ns=_whole(at, "think_ns"),
    )


def mix(cell: At) -> tuple[Share, ...]:
    """The mix of a cell; () where all its requests are alike."""
    at = cell.maybe("mix")
    return () if at is None else tuple(map(_share, at.items()))


def _share(at: At) -> Share:
    quantization = at.maybe("quantization")
    return Share(
        model=at.key("model").text(),
        base=at.key("base").text(),
        quantization=None if quantization is None else quantization.text(),
        weight=at.key("weight").number(),
        prompt_tokens=at.key("prompt_tokens").whole(1),
        output_tokens=at.key("output_tokens").whole(1),
    )


def _number(at: At, name: str) -> float | None:
    found = at.maybe(name)
    return None if found is None else found.number()


def _whole(at: At, name: str) -> int | None:
    found = at.maybe(name)
    return None if found is None else found.whole()
