"""The order of two set-ups that are measured in turn: blocks A B B A and B A A B, in which what drifts cancels."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from olbench.model import Cell, Visit
from olbench.plan import LoadKey, in_turn, load_key
from olbench.scenario import Measure

Letter = Literal["a", "b"]
OTHER: Mapping[Letter, Letter] = {"a": "b", "b": "a"}
VISITS = 2  # of each side to a cell, in one block: visits 2 n and 2 n + 1 are those of block n


@dataclass(frozen=True, slots=True)
class Twin:
    """Two cells that are measured against each other."""

    a: Cell
    b: Cell

    def of(self, side: Letter) -> Cell:
        """The cell of that side."""
        return self.a if side == "a" else self.b


@dataclass(frozen=True, slots=True)
class Turn:
    """One visit of one side."""

    side: Letter
    visit: Visit


def order(seed: int, number: int) -> tuple[Letter, Letter, Letter, Letter]:
    """Block `number` (from 0): A B B A or B A A B, in turn; the seed says which of them is first."""
    sides: tuple[Letter, Letter] = ("a", "b")
    first = sides[(random.Random(f"{seed}/blocks").randrange(2) + number) % 2]
    return first, OTHER[first], OTHER[first], first


def turns(
    measure: Measure,
    twins: Sequence[Twin],
    number: int,
    wanted: Collection[int],
    loaded: LoadKey | None = None,
) -> tuple[Turn, ...]:
    """The visits of block `number` to the twins at the places `wanted`.

    Twins that need the same loads take their turns together, in mirrored order: each stands as far from the middle
    on one side as on the other, and no load comes in between but where the side changes.
    """
    places = {twins[place].a.id: place for place in wanted}
    ordered = in_turn(measure, [twins[place].a for place in sorted(wanted)], number, loaded)
    found: list[Turn] = []
    counts: dict[Letter, int] = dict.fromkeys(OTHER, VISITS * len(twins) * number)
    for _, together in groupby((twins[places[cell.id]] for cell in ordered), _loads):
        for side, half, group in _mirrored(order(measure.seed, number), list(together)):
            for twin in group:
                found.append(Turn(side, Visit(counts[side], twin.of(side).id, VISITS * number + half)))
                counts[side] += 1
    return tuple(found)


def _mirrored(sides: Sequence[Letter], group: Sequence[Twin]) -> list[tuple[Letter, int, Sequence[Twin]]]:
    """Side, its first or second visit, and the twins in the order of going there."""
    return [
        (side, int(place >= VISITS), group if place < VISITS else group[::-1])
        for place, side in enumerate(sides)
    ]


def _loads(twin: Twin) -> tuple[LoadKey, LoadKey]:
    return load_key(twin.a), load_key(twin.b)
