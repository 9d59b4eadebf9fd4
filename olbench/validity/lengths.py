"""How long each request was asked to be: one cell may ask for several lengths, and a conversation grows."""

from collections.abc import Callable

import numpy as np

from olbench.arrival import Share
from olbench.column import Mask, Numbers, Rows, joined
from olbench.gist import Gist, Told


def prompts(told: Told) -> Numbers:
    """Tokens that each measured prompt was to have, of those that went through; NaN where nobody said."""
    asked = _asked(told, told.cell.prompt_tokens, lambda share: share.prompt_tokens)
    return np.where(later(told), np.nan, asked)


def later(told: Told) -> Mask:
    """Which of the measured requests that went through are no first turn of their conversation."""
    found = [one.served.turn[one.served.good] > 0 for one in told.gists]
    return np.concatenate([np.zeros(0, dtype=np.bool_), *found])


def answers(told: Told) -> Numbers:
    """Tokens that each answer was to have."""
    return _asked(told, told.cell.output_tokens, lambda share: share.output_tokens)


def _asked(told: Told, whole: int | None, of: Callable[[Share], int]) -> Numbers:
    parts = [_parts(one) for one in told.gists]
    if (
        told.cell.load is not None and told.cell.load.pattern == "replay"
    ):  # each has the length of its own time
        return np.full(sum(map(len, parts)), np.nan)
    if not told.cell.mix:
        return np.full(sum(map(len, parts)), np.nan if whole is None else float(whole))
    lengths = np.array([of(share) for share in told.cell.mix], dtype=np.float64)
    return joined([lengths[own] for own in parts])


def _parts(one: Gist) -> Rows:
    found: Rows = one.served.part[one.served.good]
    return found
