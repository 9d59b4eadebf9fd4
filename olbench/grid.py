"""The grid of a sweep: the product of its axes, less what its rules exclude."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from olbench.model import OptionValue

MOST_POINTS = 10_000
Point = Mapping[str, OptionValue]


@dataclass(frozen=True, slots=True)
class Axis:
    """One thing swept, with its values in the order of the file."""

    name: str
    values: tuple[OptionValue, ...]
    given: bool  # False: olbench's own default, the scenario does not name it


@dataclass(frozen=True, slots=True)
class Rule:
    """An `exclude` rule: it takes out the points that have, on each of its axes, one of the values named."""

    values: Mapping[str, tuple[OptionValue, ...]]

    def matches(self, point: Point) -> bool:
        """Whether the rule takes this point out."""
        return all(point[name] in values for name, values in self.values.items())


def size(axes: Sequence[Axis]) -> int:
    """The number of points before any rule."""
    return math.prod(len(axis.values) for axis in axes)


def points(axes: Sequence[Axis], rules: Sequence[Rule]) -> list[Point]:
    """The points that no rule takes out; the last axis moves fastest."""
    names = [axis.name for axis in axes]
    every = (dict(zip(names, values, strict=True)) for values in product(*(axis.values for axis in axes)))
    return [point for point in every if not any(rule.matches(point) for rule in rules)]


def idle(axes: Sequence[Axis], rules: Sequence[Rule]) -> list[int]:
    """The indices of the rules that take out nothing."""
    every = points(axes, ())
    return [index for index, rule in enumerate(rules) if not any(rule.matches(point) for point in every)]
