"""Whether a cell stayed the same while it was visited: drifts, steps, start-up, requests far out, and stalls."""

from olbench.steady.flags import cannot, startup_cut, told
from olbench.steady.level import Step, step, steps_of_requests
from olbench.steady.requests import outliers, startup
from olbench.steady.trend import Drift, drift, unjudged

__all__ = [
    "Drift",
    "Step",
    "cannot",
    "drift",
    "outliers",
    "startup",
    "startup_cut",
    "step",
    "steps_of_requests",
    "told",
    "unjudged",
]
