"""A straight line through figures of several places, each visited several times, with what it takes to doubt it.

What makes visits differ multiplies (a clock, a placement), so errors are shares of the fitted figure: least squares with
weights 1 / fitted^2, iterated until the weights are those of the fit (Carroll and Ruppert, "Transformation and
Weighting in Regression", 1988, chapter 2). Visits to one place differ by chance alone; whether the places lie off the line by
more than that is the F test for lack of fit (Draper and Smith, "Applied Regression Analysis", 3rd ed., section 2.1).
Where they do, a place not yet visited will lie off the line too: the scatter of places is added to that of visits
(variance components by moments, Henderson, Biometrics 9, 1953; degrees of freedom by Satterthwaite, Biometrics
Bulletin 2, 1946).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from olbench.stats.order import Numbers
from olbench.stats.visits import student

Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]

_ROUNDS = 30  # of weighting; it settles after three or four
_STILL = 1e-8
_HAIR = 1e-9
_FLOOR = 0.2  # of what is usual at a place: a line that dips below may not make a weight without end


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Coefficients with what they are worth. `scatter` and `covariance` are NaN where no freedom is left."""

    coefficients: Numbers
    covariance: Matrix
    scatter: float  # standard deviation of one visit to one new place, as a share of the line
    freedom: int
    lack: float | None  # p-value of the test for lack of fit; None: nothing to test with
    fitted: Numbers

    def half(self) -> Numbers:
        """Half the width of each coefficient's 95 % interval."""
        spread: Numbers = np.sqrt(np.diag(self.covariance))
        return spread * (student(self.freedom) if self.freedom else math.nan)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Scatter of visits to one place and of places around the line, as variances of shares, with their freedom."""

    visits: float
    places: float
    freedom: float
    lack: float | None


def determined(rows: Matrix) -> bool:
    """Whether figures at these rows determine every coefficient."""
    scaled = rows / np.abs(rows).max(axis=0, initial=1e-300)
    return len(rows) >= rows.shape[1] and bool(np.linalg.matrix_rank(scaled, tol=1e-6) == rows.shape[1])


def as_doubtful(chosen: Fit, tried: Sequence[Fit]) -> Fit:
    """The fit with no less doubt than any that was tried before it: to have chosen by the figures is no knowledge."""
    scatter, freedom = max(one.scatter for one in tried), min(one.freedom for one in tried)
    if not freedom or not chosen.scatter > 0:
        return replace(chosen, freedom=freedom)
    wider = (scatter / chosen.scatter) ** 2
    return replace(chosen, scatter=scatter, freedom=freedom, covariance=chosen.covariance * wider)


def fit(rows: Matrix, seen: Numbers, places: Rows) -> Fit:
    """The line through what was seen (above 0), one row of terms for each; equal `places` are repeats of one another."""
    places = np.unique(places, return_inverse=True)[1]
    unit = np.abs(rows).max(axis=0)  # terms may be millions and their coefficients nanoseconds
    terms = rows / unit
    usual = _mean(seen[:, None], places)[
        places, 0
    ]  # one visit that was far too quick is not to draw the line to it
    scale = usual
    for _ in range(_ROUNDS):
        coefficients, covariance, parts = _weighted(terms / scale[:, None], seen / scale, places)
        after = np.maximum(terms @ coefficients, _FLOOR * usual)
        moved = float(np.max(np.abs(after / scale - 1)))
        scale = after
        if moved < _STILL:
            break
    return Fit(
        coefficients=coefficients / unit,
        covariance=covariance / np.outer(unit, unit),
        scatter=math.sqrt(parts.visits + parts.places),
        freedom=math.floor(parts.freedom + 1e-9),
        lack=parts.lack,
        fitted=terms @ coefficients,
    )


def _weighted(rows: Matrix, seen: Numbers, places: Rows) -> tuple[Numbers, Matrix, _Parts]:
    inverse = np.asarray(np.linalg.inv(rows.T @ rows), dtype=np.float64)
    plain = inverse @ (rows.T @ seen)
    parts = _parts(rows, seen - rows @ plain, places)
    if not parts.places:
        return plain, inverse * parts.visits, parts
    # Visits to one place share what the place is off the line: with so much of their mean taken out they are independent.
    # Where repeats agree to the last digit only their mean speaks, and a hair of each is left to keep the sums whole.
    visits = max(parts.visits, _HAIR * parts.places)
    less = 1 - np.sqrt(visits / (visits + np.bincount(places) * parts.places))[places]
    around = rows - less[:, None] * _mean(rows, places)[places]
    figures = seen - less * _mean(seen[:, None], places)[places, 0]
    inverse = np.asarray(np.linalg.inv(around.T @ around), dtype=np.float64)
    return inverse @ (around.T @ figures), inverse * visits, parts


def _mean(rows: Matrix, places: Rows) -> Matrix:
    """The mean row of each place."""
    total = np.zeros((int(places.max()) + 1, rows.shape[1]))
    np.add.at(total, places, rows)
    mean: Matrix = total / np.bincount(places)[:, None]
    return mean


def _parts(rows: Matrix, off: Numbers, places: Rows) -> _Parts:
    """What of the residuals is of visits and what of places."""
    visits, terms = rows.shape
    count = np.bincount(places)
    middle = _mean(off[:, None], places)[:, 0]
    between, within = float(np.sum(count * middle**2)), float(np.sum((off - middle[places]) ** 2))
    free_between, free_within = len(count) - terms, visits - len(count)
    if free_between + free_within <= 0:
        return _Parts(math.nan, 0.0, 0.0, None)
    together = (between + within) / (free_between + free_within)
    if free_between <= 0:
        return _Parts(within / free_within, 0.0, free_within, None)
    if free_within <= 0:
        return _Parts(together, 0.0, free_between, None)
    of_places, of_visits = between / free_between, within / free_within
    lack = _tail(of_places, of_visits, free_between, free_within)
    if of_places <= of_visits:
        return _Parts(together, 0.0, free_between + free_within, lack)
    # How many visits stand behind a place's residual, once the line has taken its own part of it.
    total = _mean(rows, places) * count[:, None]
    each = (visits - float(np.trace(np.linalg.inv(rows.T @ rows) @ (total.T @ total)))) / free_between
    beyond = (of_places - of_visits) / each
    whole = of_visits + beyond
    pieces = (of_places / each) ** 2 / free_between + ((1 - 1 / each) * of_visits) ** 2 / free_within
    return _Parts(of_visits, beyond, max(1.0, whole**2 / pieces), lack)


def _tail(of_places: float, of_visits: float, free_between: int, free_within: int) -> float:
    if of_visits == 0:
        return 1.0 if of_places == 0 else 0.0
    return float(special.fdtrc(free_between, free_within, of_places / of_visits))
