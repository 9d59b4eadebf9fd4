"""Who else the engine computed while it answered a request: streams that decoded with it, prompts that it read meanwhile.

A server puts the prompts of new requests between (or into) the steps of those that it is answering, so an answer's
eval_duration holds the prompts of others too. Both spells of a request are known: its answer ends with its last line
and took eval_duration, its prompt was read right before that and took prompt_eval_duration.
"""

from dataclasses import dataclass

import numpy as np

from olbench.column import Numbers
from olbench.sample_columns import Samples


@dataclass(frozen=True, slots=True)
class Together:
    """One entry for each measured request that went through; NaN where it is unknown."""

    streams: Numbers  # answers under way, its own among them, on average over its steps
    others: Numbers  # seconds of its eval_duration in which prompts of others were read


def of_samples(measured: Samples) -> Together:
    """What the requests of a visit had beside them."""
    count = len(measured.end_ns)
    known = np.isfinite(measured.eval_ns) & np.isfinite(measured.prompt_eval_ns)
    if not known.any():
        return Together(np.full(count, np.nan), np.full(count, np.nan))
    base = int(measured.end_ns.min())  # from there on floats are exact
    end = (measured.end_ns - base).astype(np.float64) / 1e9
    begin = end - measured.eval_ns / 1e9
    read = begin - measured.prompt_eval_ns / 1e9
    edges = np.unique(np.concatenate((read[known], begin[known], end[known])))
    reading = _under_way(edges, read[known], begin[known]) > 0
    answering = _under_way(edges, begin[known], end[known])
    spans = np.diff(edges)
    calm = _integral(edges, spans * ~reading, begin, end)
    busy = _integral(edges, spans * reading, begin, end)
    beside = _integral(edges, spans * ~reading * answering, begin, end)
    with np.errstate(divide="ignore", invalid="ignore"):
        streams = beside / calm
    return Together(np.where(known & (calm > 0), streams, np.nan), np.where(known, busy, np.nan))


def _under_way(edges: Numbers, begin: Numbers, end: Numbers) -> Numbers:
    """How many of the spells cover each span between two edges."""
    steps = np.zeros(len(edges))
    np.add.at(steps, np.searchsorted(edges, begin), 1.0)
    np.add.at(steps, np.searchsorted(edges, end), -1.0)
    under_way: Numbers = np.cumsum(steps)[:-1]
    return under_way


def _integral(edges: Numbers, parts: Numbers, begin: Numbers, end: Numbers) -> Numbers:
    """The sum of the parts from each begin to each end, which are edges; NaN where they are."""
    whole = np.concatenate(([0.0], np.cumsum(parts)))
    found: Numbers = np.interp(end, edges, whole) - np.interp(begin, edges, whole)
    return found
