"""Where the time of a request went: means over a cell's good samples, and what in them cannot be."""

from collections.abc import Iterator

import numpy as np

from olbench.findings import Split, Value
from olbench.gist import Told
from olbench.prose import counted, ranked
from olbench.units import words

# A part below zero by less than this (or by less than a share of the whole) is the grain of two clocks.
GRAIN_S, GRAIN_SHARE = 1e-3, 0.01

NEGATIVE = {
    "queue": "the server's parts add up to more than its total_duration",
    "network": "the server's total_duration is longer than our end-to-end time",
}


def split(told: Told, nothing: str) -> Split:
    """Mean seconds of each part; None with the reason where a part is unknown or comes out below zero."""
    return Split(
        queue=_part(told, "queue", nothing),
        load=_part(told, "warm_load", nothing),
        prefill=_part(told, "prefill_time", nothing),
        decode=_part(told, "decode_time", nothing),
        network=_part(told, "network", nothing),
    )


def _part(told: Told, key: str, nothing: str) -> Value:
    seen = told.numbers(key)
    missing = told.missing(key)
    if len(seen) == 0:
        return Value(None, ranked(missing)[0][0] if missing else nothing)
    mean = float(seen.mean())
    if mean < -_grain(told):
        return Value(
            None, f"{NEGATIVE.get(key, 'it comes out below zero')} by {words(-mean, 's')} on average"
        )
    return Value(max(0.0, mean))


def _grain(told: Told) -> float:
    whole = told.numbers("e2e")
    return max(GRAIN_S, GRAIN_SHARE * float(whole.mean())) if len(whole) else GRAIN_S


def doubts(told: Told) -> Iterator[str]:
    """A sentence for each part that is clearly below zero in some samples."""
    whole = told.aligned("e2e")
    for key, why in NEGATIVE.items():
        part = told.aligned(key)
        under = part < -np.fmax(GRAIN_S, GRAIN_SHARE * whole)
        if under.any():
            worst = words(float(-np.nanmin(part)), "s")
            count = int(np.count_nonzero(under))
            yield f"in {count} of {counted(len(part), 'sample')} {why}, by up to {worst}: the parts are not to be trusted"
