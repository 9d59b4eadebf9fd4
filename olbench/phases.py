"""Where the time of a request went: means over a cell's good samples, and what in them cannot be."""

from collections.abc import Iterator

import numpy as np

from olbench.column import Mask, Numbers
from olbench.findings import Split, Value
from olbench.gist import Told
from olbench.prose import counted, ranked
from olbench.units import words

NEGATIVE = {
    "queue": "the server's parts add up to more than its total_duration",
    "network": "the server's total_duration is longer than our end-to-end time",
}
BELOW = "it comes out below zero"


def split(told: Told, nothing: str) -> Split:
    """Mean seconds of each part; None with the reason where a part is unknown or comes out below zero."""
    return Split(
        connect=_connect(told, nothing),
        queue=_part(told, "queue", nothing),
        load=_part(told, "warm_load", nothing),
        prefill=_part(told, "prefill_time", nothing),
        decode=_part(told, "decode_time", nothing),
        network=_part(told, "network", nothing),
        unexplained=_part(told, "unexplained", nothing),
        held=_part(told, "held", nothing),
    )


def _connect(told: Told, nothing: str) -> Value:
    late = _part(told, "dispatch", nothing)
    new = told.aligned("connect")
    if late.number is None or not len(new):
        return late
    return Value(late.number + float(np.nan_to_num(new).mean()))


def _part(told: Told, key: str, nothing: str) -> Value:
    seen = told.numbers(key)
    missing = told.missing(key)
    if len(seen) == 0:
        return Value(None, ranked(missing)[0][0] if missing else nothing)
    mean = float(seen.mean())
    if mean < -_grain(told):
        return Value(None, f"{NEGATIVE.get(key, BELOW)} by {words(-mean, 's')} on average")
    return Value(max(0.0, mean))


def _grain(told: Told) -> float:
    whole = told.numbers("e2e")
    least, share = told.limits["sum_least"], told.limits["sum_share"]
    return max(least, share * float(whole.mean())) if len(whole) else least


def doubts(told: Told) -> Iterator[tuple[str, Mask]]:
    """Sentences on durations that contradict each other, and the measured samples that they are about."""
    yield from _negative(told)
    yield from _unexplained(told)
    yield from _alone(told)


def _bar(told: Told) -> Numbers:
    """Seconds that a sample's parts may be wrong by: the grain of two clocks."""
    bar: Numbers = np.fmax(told.limits["sum_least"], told.limits["sum_share"] * told.aligned("e2e"))
    return bar


def _negative(told: Told) -> Iterator[tuple[str, Mask]]:
    for key, why in NEGATIVE.items():
        part = told.aligned(key)
        under = part < -_bar(told)
        if under.any():
            worst = words(float(-np.nanmin(part)), "s")
            yield f"{_in(under)} {why}, by up to {worst}: the parts are not to be trusted", under


def _unexplained(told: Told) -> Iterator[tuple[str, Mask]]:
    """One sample may have been read late; where many miss the whole, the durations are wrong."""
    rest = told.aligned("unexplained")
    off = np.abs(rest) > _bar(told)
    if off.any() and off.mean() > told.limits["sum_often"]:
        most = words(float(np.nanmax(np.abs(rest))), "s")
        short = float(np.nansum(rest[off])) > 0
        what = "leave time unexplained" if short else "add up to more than our end-to-end time"
        yield (
            f"{_in(off)} the server's durations {what}, by up to {most}: the parts are not to be trusted",
            off,
        )


def _alone(told: Told) -> Iterator[tuple[str, Mask]]:
    """A request that waits although no other one of ours runs: something else is computed, or the clock is wrong."""
    if not told.alone:
        return
    queue = told.aligned("queue")
    off = (queue > told.limits["queue_least"]) & (queue > told.limits["queue_share"] * told.aligned("e2e"))
    if off.any():
        most = words(float(np.nanmax(queue)), "s")
        why = "on nothing that its durations name, though no other request of ours was under way"
        yield f"{_in(off)} the server spent up to {most} {why}", off


def _in(rows: Mask) -> str:
    return f"in {int(np.count_nonzero(rows))} of {counted(len(rows), 'sample')}"
