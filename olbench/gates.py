"""What makes one visit unfit to be judged by: read from the visit itself, by whoever takes it and by whoever tells it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from olbench.model import Facts, Observation
from olbench.readings import Series


@dataclass(frozen=True, slots=True)
class Trip:
    """One gate that a visit did not pass."""

    gate: str  # key into GATES
    sentence: str  # "other programs kept 1.2 cores busy"


def tripped(seen: Observation, limits: Mapping[str, float], facts: Facts) -> tuple[Trip, ...]:
    """The gates that the visit does not pass; `facts` are the machine's. Pure."""
    return tuple(
        Trip(gate, sentence) for gate, check in GATES.items() for sentence in check(seen, limits, facts)
    )


def mean(seen: Observation, name: str) -> float | None:
    """The mean of a series while measured requests ran; None where no beat fell into that time."""
    line: Series | None = seen.readings.get(name)
    if line is None or seen.measured_ns is None:
        return None
    inside = [
        value
        for at, value in zip(line.t_ns, line.values, strict=True)
        if seen.measured_ns <= at <= seen.ended_ns
    ]
    return sum(inside) / len(inside) if inside else None


def _other_load(seen: Observation, limits: Mapping[str, float], _: Facts) -> Iterator[str]:
    found = mean(seen, "host.other_cpu")
    if found is not None and found > limits["other_cores"]:
        yield f"other programs kept {found:.2f} cores busy"


Gate = Callable[[Observation, Mapping[str, float], Facts], Iterator[str]]
GATES: Mapping[str, Gate] = {
    "other load": _other_load,
}
