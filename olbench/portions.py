"""Some requests of a cell told apart from the others: those of one part of its mix, or of one turn of its conversations."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from olbench import stats
from olbench.column import Mask, Numbers, Rows, joined
from olbench.findings import Portion, Value
from olbench.gist import Gist, Told
from olbench.served import Served

KEYS = ("ttft", "e2e")
MOST_TURNS = 50  # beyond them conversations are told as a whole
NO_CACHED = "the server does not say how much of a prompt came from its cache"
NOTHING = "none of its requests went through"

Place = Callable[[Served], Rows]


def by_part(told: Told) -> tuple[Portion, ...]:
    """The parts of a mix; () where all requests are alike."""
    return tuple(_portion(told, _part, place) for place in range(len(told.cell.mix))) if told.cell.mix else ()


def by_turn(told: Told) -> tuple[Portion, ...]:
    """The turns of conversations, as many as came to be; () where the load is none of sessions."""
    if told.cell.load is None or told.cell.load.pattern != "sessions":
        return ()
    last = max((int(one.served.turn.max(initial=-1)) for one in told.gists), default=-1)
    return tuple(_portion(told, _turn, place) for place in range(min(last + 1, MOST_TURNS)))


def _part(one: Served) -> Rows:
    return one.part


def _turn(one: Served) -> Rows:
    return one.turn


def _portion(told: Told, of: Place, place: int) -> Portion:
    every = [(of(one.served) == place) & ~one.served.stopped for one in told.gists]
    good = [own[one.served.good] for own, one in zip(every, told.gists, strict=True)]
    failed = sum(
        int(np.count_nonzero(own & ~one.served.good)) for own, one in zip(every, told.gists, strict=True)
    )
    return Portion(
        place=place,
        requests=sum(int(np.count_nonzero(own)) for own in every),
        failed=failed,
        summaries={
            key: stats.summary(
                key,
                [numbers[np.isfinite(numbers)] for numbers in _numbers(told.gists, good, key)],
                {},
                nothing=NOTHING,
            )
            for key in KEYS
        },
        reloads=_reloads(told, good),
        cached=_cached(told.gists, good),
    )


def _numbers(gists: Sequence[Gist], rows: Sequence[Mask], key: str) -> list[Numbers]:
    return [one.columns[key].aligned()[own] for one, own in zip(gists, rows, strict=True)]


def _reloads(told: Told, rows: Sequence[Mask]) -> int | None:
    load, whole = (joined(_numbers(told.gists, rows, key)) for key in ("warm_load", "e2e"))
    return int(np.count_nonzero(reloaded(load, whole, told.limits))) if np.isfinite(load).any() else None


def reloaded(load: Numbers, whole: Numbers, limits: Mapping[str, float]) -> Mask:
    """Which requests waited for a load of their model; `whole`: their end-to-end time."""
    share = (load > limits["reload_share"] * whole) & (load > limits["reload_least"])
    found: Mask = (load > limits["reload"]) | share
    return found


def _cached(gists: Sequence[Gist], rows: Sequence[Mask]) -> Value:
    cached = joined(_numbers(gists, rows, "cached_tokens"))
    prompts = joined(_numbers(gists, rows, "prompt_tokens"))
    known = np.isfinite(cached) & (prompts > 0)
    if not known.any():
        return Value(None, NO_CACHED if len(cached) else NOTHING)
    return Value(float(cached[known].sum() / prompts[known].sum()))
