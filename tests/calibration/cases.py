"""Worlds whose truth is known: how requests and visits vary, and the quantiles of a random request of a random visit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]
Dice = np.random.Generator

POINTS = 400_000
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True, slots=True)
class Case:
    """One world: a visit's effect from a uniform number, a request from its visit's effect and a uniform number."""

    name: str
    metric: str
    visit: Callable[[Numbers], Numbers]
    request: Callable[[Numbers, Numbers], Numbers]
    asked: bool = False  # whether its coverage must lie within bounds; the others show the limits

    def draw(self, dice: Dice, trials: int, visits: int, each: int) -> Numbers:
        """Trials x visits x requests."""
        effects = self.visit(dice.random((trials, visits, 1)))
        return self.request(effects, dice.random((trials, visits, each)))

    def truth(self, p: float) -> float:
        """The p-quantile of all requests."""
        return _truth(self, p)


@lru_cache(maxsize=256)
def _truth(case: Case, p: float) -> float:
    """The quantile of as many visits as points of a lattice that fills the square evenly, one request each."""
    at = (np.arange(POINTS) + 0.5) / POINTS
    requests = case.request(case.visit(at), np.mod(GOLDEN * np.arange(1.0, POINTS + 1), 1.0))
    return float(np.quantile(requests, p))


def _none(at: Numbers) -> Numbers:
    return np.zeros_like(at)


def _normal(spread: float) -> Callable[[Numbers], Numbers]:
    def effect(at: Numbers) -> Numbers:
        found: Numbers = spread * special.ndtri(at)
        return found

    return effect


def _gamma(at: Numbers) -> Numbers:
    """Around 1, with a variance of a quarter."""
    found: Numbers = special.gammaincinv(4, at) / 4
    return found


def _kinds(at: Numbers) -> Numbers:
    """Three in ten are nearly twice as slow."""
    return np.where(at < 0.3, 0.6, 0.0)


def _rate(effect: Numbers, at: Numbers) -> Numbers:
    """A decode rate with 3 % noise; visits add theirs."""
    found: Numbers = 100 * (1 + effect + 0.03 * special.ndtri(at))
    return found


def _latency(spread: float) -> Callable[[Numbers, Numbers], Numbers]:
    """Lognormal; visits multiply."""
    return lambda effect, at: 0.2 * np.exp(effect + spread * special.ndtri(at))


# A row should look like a row.
# fmt: off
CASES = (
    Case("requests vary, visits do not", "decode", _none, _rate, asked=True),
    Case("visits vary as much as requests", "decode", _normal(0.03), _rate, asked=True),
    Case("skewed, visits do not vary", "ttft", _none, _latency(0.65), asked=True),
    Case("skewed, visits vary as much", "ttft", _normal(0.65), _latency(0.65), asked=True),
    Case("more skewed, visits vary as much", "ttft", _normal(0.8), _latency(0.8), asked=True),
    Case("skewed, visits vary half as much", "ttft", _normal(0.25), _latency(0.5), asked=True),
    Case("exponential, visits do not vary", "ttft", _none, lambda _, at: 0.02 - np.log1p(-at)),
    Case("exponential, visits multiply by a gamma", "ttft", _gamma,
         lambda effect, at: effect * -np.log1p(-at)),
    Case("skewed, visits add a constant", "ttft", _normal(0.75),
         lambda effect, at: 3 + effect + np.exp(0.65 * special.ndtri(at))),
    Case("three visits in ten are of another kind", "ttft", _kinds, _latency(0.3)),
    Case("visits vary twice as much as requests", "ttft", _normal(0.6), _latency(0.3)),
)
# fmt: on
