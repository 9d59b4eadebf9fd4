"""What the requests of a visit say of their prompts: what is needed to tell cold ones from warm ones."""

from dataclasses import dataclass

import numpy as np

from olbench.column import Mask, Numbers
from olbench.sample_columns import Samples
from olbench.sample_metrics import prefill


@dataclass(frozen=True, slots=True, kw_only=True)
class Prefills:
    """What the measured requests of one visit, or of several, say of their prompts; NaN where unknown."""

    prompt: Numbers  # tokens
    cached: Numbers  # of them
    spent: Numbers  # seconds on the prompt
    step: Numbers  # seconds of one decoding step
    first: Mask  # the first of its visit, which may be slow for reasons of its own
    later: Mask  # of a conversation, not its first turn: meant to find what was said before in the cache
    after_load: Numbers  # seconds a token of the requests after a verified unload


def of_samples(measured: Samples, cold: Samples) -> Prefills:
    """The prefills of a visit from its requests that went through."""
    rates = prefill(cold).numbers
    return Prefills(
        prompt=measured.prompt_eval_count,
        cached=measured.cached_count,
        spent=measured.prompt_eval_ns / 1e9,
        step=_step(measured.eval_count, measured.eval_ns / 1e9),
        first=np.arange(len(measured.stream)) == 0,
        later=measured.turn > 0,
        after_load=1 / rates,
    )


def _step(made: Numbers, spent: Numbers) -> Numbers:
    """Seconds of a decoding step; 0 where there was none."""
    step: Numbers = np.nan_to_num(spent / np.where(made >= 2, made - 1, np.nan))
    return step
