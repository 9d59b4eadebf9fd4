"""Where a curve of goodput against the load bends."""

from collections.abc import Iterator, Sequence

import numpy as np

from olbench.stats.order import Numbers

_ROUNDING = 1e-9  # of a slope


def knee(loads: Sequence[float], goodputs: Sequence[float]) -> float | None:
    """The load from which on goodput grows less: where a line that bends once fits best, by least squares.

    It bends between the second load and the last but one. None for fewer than four loads, and where it bends upwards.
    """
    order = np.argsort(loads)
    x, y = (np.asarray(one, dtype=np.float64)[order] for one in (loads, goodputs))
    if len(x) < 4:
        return None
    _, bend, at = min(_bent(x, y, float(at)) for at in (*x[1:-1], *_meets(x, y)))
    return at if bend < -_ROUNDING * float(np.ptp(y) / np.ptp(x)) else None


def _bent(x: Numbers, y: Numbers, at: float) -> tuple[float, float, float]:
    """The squares that are left by a line that bends there, by how much its slope changes, and where."""
    parts = np.column_stack((np.ones_like(x), x, np.maximum(x - at, 0.0)))
    factors = np.linalg.lstsq(parts, y, rcond=None)[0]
    left = y - parts @ factors
    return float(left @ left), float(factors[2]), at


def _meets(x: Numbers, y: Numbers) -> Iterator[float]:
    """Where lines through the loads below a gap and above it meet within the gap."""
    for cut in range(2, len(x) - 1):
        (slope, base), (later, beyond) = (np.polyfit(x[own], y[own], 1) for own in (np.s_[:cut], np.s_[cut:]))
        if slope != later and x[cut - 1] <= (beyond - base) / (slope - later) <= x[cut]:
            yield float((beyond - base) / (slope - later))
