"""Service levels: what share of requests has to be how quick. Words only; `service` holds samples against them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from olbench.model import Fact

PREFIX = "slo."  # of the keys in a run's settings
Aspect = Literal["ttft", "tpot", "e2e", "answer_rate", "success"]
SHARES: Mapping[str, float] = {"p50": 0.50, "p90": 0.90, "p95": 0.95, "p99": 0.99}
ANSWERING = 0.95  # of answers that must come at `answer_rate` at least
_SQUARE = 1.959963984540054**2  # of the 97.5 % quantile
# Key -> what it is about, and the share of requests that must keep it; of `success` the value is that share.
KEYS: Mapping[str, tuple[Aspect, float | None]] = {
    **{
        f"{aspect}_{name}": (aspect, share)
        for aspect in ("ttft", "tpot", "e2e")
        for name, share in SHARES.items()
    },
    "answer_rate": ("answer_rate", ANSWERING),
    "success": ("success", None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One line of a service level. A request that failed, or has no such figure, does not meet it."""

    key: str  # "ttft_p95"
    aspect: Aspect
    share: float  # of requests that must meet the bound
    bound: float | None  # s (ttft, tpot, e2e: at most), tok/s (answer_rate: at least); None: success


def terms(settings: Mapping[str, Fact]) -> tuple[Term, ...]:
    """The service level of a run, from its settings; () where the scenario has none."""
    found = []
    for key, (aspect, share) in KEYS.items():
        value = settings.get(PREFIX + key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            whole = float(value) if share is None else share
            found.append(Term(key=key, aspect=aspect, share=whole, bound=None if share is None else value))
    return tuple(found)


def least_requests(keys: Iterable[str]) -> int:
    """How many requests it takes to show that these lines are kept, if all of them meet their bound.

    n / (n + z^2), the lower end of Wilson's interval then, must reach the share. Success is judged by what is seen.
    """
    shares = [share for key in keys if (share := KEYS[key][1]) is not None]
    return max((math.ceil(_SQUARE * share / (1 - share)) for share in shares), default=1)
