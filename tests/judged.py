"""Cells as their checks see them, made of a few visits."""

from collections.abc import Sequence
from typing import Any

from records import cell, observation, several

from olbench import validity
from olbench.gist import Told, gist
from olbench.model import Cell, Observation
from olbench.validity import CHECKS

FINE = cell()


def of_cell(seen: Told) -> tuple[str, ...]:
    return tuple(flag.sentence for flag in validity.of_cell(seen))


def told(of: Cell, seen: Sequence[Observation], planned: int | None = None) -> Told:
    return Told(of, len(seen) if planned is None else planned, tuple(gist(one) for one in seen))


def said(check: str, of: Cell, *seen: Observation, planned: int | None = None) -> list[str]:
    return [flag.sentence for flag in CHECKS[check].flags(told(of, seen, planned))]


def visits(of: Cell, count: int, **changes: Any) -> list[Observation]:
    return [
        observation(of, several(3 * of.concurrency, streams=of.concurrency, **changes), repeat=repeat)
        for repeat in range(count)
    ]
