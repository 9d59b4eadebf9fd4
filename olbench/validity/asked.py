"""Checks of what came instead of what was asked: visits, samples, prompts, answers, the state of the cache."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from olbench.cachestate import CONTAMINATED, UNKNOWN, states
from olbench.column import Mask, Rows
from olbench.gates import RETAKEN
from olbench.gist import Gist, Told
from olbench.model import GOOD
from olbench.prose import counted, listed, tallied
from olbench.size_keys import SEARCHED
from olbench.stats import VISITS_NEEDED
from olbench.validity import lengths
from olbench.validity.check import Said, needs, spread, where

OWN_PROMPTS = "own prompts have no length that was asked for"


# --- is it all there ------------------------------------------------------------------------------------------


def missing(told: Told) -> Iterator[Said]:
    """Visits that gave nothing, or not all."""
    filled = sum(1 for gist in told.gists if gist.prompts)
    if filled < told.planned:
        yield Said(f"{filled} of {counted(told.planned, 'planned visit')} gave samples")
    yield from _said(told, lambda gist: (gist.problem,) if gist.problem else ())


def notes(told: Told) -> Iterator[Said]:
    """What visits say of themselves that went through all the same."""
    # A visit that was taken again is sound now, or is told as unfit.
    yield from _said(told, lambda gist: (one for one in gist.notes if not one.startswith(RETAKEN)))


def _said(told: Told, read: Callable[[Gist], Iterable[str]]) -> Iterator[Said]:
    said: dict[str, list[int]] = {}
    for gist in told.gists:
        for sentence in read(gist):
            said.setdefault(sentence, []).append(gist.visit.repeat)
    for sentence, visits in said.items():
        everywhere = len(visits) == len(told.gists) > 1
        which = f"visit{'s' if len(visits) > 1 else ''} {listed([str(one + 1) for one in visits])}"
        yield Said(sentence if everywhere else f"{which}: {sentence}", tuple(visits))


def failures(told: Told) -> Iterator[Said]:
    """Requests that did not go through."""
    outcomes = told.outcomes()
    failed = {outcome: count for outcome, count in outcomes.items() if outcome not in GOOD}
    if failed:
        whole = sum(outcomes.values())
        bad = [one.visit.repeat for one in told.gists if any(kind not in GOOD for kind in one.outcomes)]
        yield Said(
            f"{sum(failed.values())} of {counted(whole, 'sample')} failed ({tallied(failed)}); they enter no figure",
            tuple(bad),
        )


def unfit(told: Told) -> Iterator[Said]:
    """A cell of which no visit passed the gates."""
    filled = [one for one in told.gists if one.prompts]
    if filled and all(one.trips for one in filled):
        yield Said(
            f"{_none_of(len(filled))}: the figures stand, and no verdict is made of them",
            tuple(one.visit.repeat for one in filled),
        )


def _none_of(count: int) -> str:
    return (
        f"none of {count} visits passed its gates" if count > 1 else "the only visit did not pass its gates"
    )


def few(told: Told) -> Iterator[Said]:
    """Too few visits or samples for the figures that people look for."""
    every = [gist for gist in told.gists if gist.prompts]
    filled = [len(gist.prompts) for gist in every if not gist.trips] or [len(gist.prompts) for gist in every]
    # A search goes to each load as often as its answer needs, and has intervals of its own.
    if 0 < len(filled) < VISITS_NEEDED and not told.settings.get(SEARCHED):
        yield Said(
            f"{counted(len(filled), 'visit')}: a typical value has an interval from {VISITS_NEEDED} on",
            action=f"set `[measure] repeats` to {VISITS_NEEDED} or more",
        )
    streams = 1 if told.cell.load else told.cell.concurrency
    if filled and streams > 1 and min(filled) < 3 * streams:
        yield Said(
            f"{min(filled)} samples in a visit on {streams} streams: system throughput includes ramp-up and run-out, which "
            f"{3 * streams} samples would leave out",
            action=f"set `[measure] requests` to {3 * streams} or more",
        )


# --- the requests ---------------------------------------------------------------------------------------------


def short(told: Told) -> Iterator[Said]:
    """Answers that ended before their length."""
    made = told.aligned("output_tokens")
    whole = lengths.answers(told)
    less = made < whole
    if less.any():
        yield Said(
            f"{int(less.sum())} of {counted(len(made), 'answer')} ended before {spread(whole[less], '.0f')} tokens "
            f"(the shortest after {np.nanmin(made):,.0f})",
            where(told, less),
        )


def prompt(told: Told) -> Iterator[Said]:
    """Prompts that missed their length."""
    asked = lengths.prompts(told)
    if np.isnan(asked).all():
        return
    seen = told.aligned("prompt_tokens")
    share, least = told.limits["prompt_share"], told.limits["prompt_least"]
    off = np.abs(seen - asked) > np.fmax(share * asked, least)
    if off.any():
        known = ~np.isnan(seen) & ~np.isnan(asked)
        yield Said(
            f"{int(off.sum())} of {counted(int(known.sum()), 'prompt')} missed {spread(asked[off], '.0f')} tokens by more than "
            f"{share * 100:g} % and {least:g} tokens (seen: {spread(seen[known])})",
            where(told, off),
        )


def can_prompt(told: Told) -> str:
    """Why no prompt can be held against what was asked."""
    if told.cell.prompt_tokens is None and not told.cell.mix:
        return OWN_PROMPTS
    return needs("prompt_tokens")(told)


# --- the cache ------------------------------------------------------------------------------------------------

CACHE_UNKNOWN = "the server does not say how much of a prompt came from its cache, and the time spent on prompts does not tell"
_MEANT = {"cold": ("more", "far too fast for a cold one"), "warm": ("less", "as slowly as a cold one")}


def cache(told: Told) -> Iterator[Said]:
    """Prompts that were meant to be computed and came from the cache, or the other way round."""
    share = told.aligned("cached_tokens") / told.aligned("prompt_tokens")
    wrong, meant = state_codes(told) == CONTAMINATED, told.cell.cache
    counted_ones, timed = wrong & ~np.isnan(share), wrong & np.isnan(share)
    amount, pace = _MEANT[meant]
    if counted_ones.any():
        bar = told.limits["cached_share"]
        part = "half" if bar == 0.5 else f"{bar * 100:g} %"
        yield Said(
            f"{_of(counted_ones)} took {amount} than {part} of the prompt from the cache: meant {meant}, were not",
            where(told, counted_ones),
            _CACHE_ACTIONS[meant],
        )
    if timed.any():
        yield Said(
            f"{_of(timed)} read their prompt {pace}: meant {meant}, were not",
            where(told, timed),
            _CACHE_ACTIONS[meant],
        )


_CACHE_ACTIONS = {
    "cold": "see whether something between olbench and the model (a proxy) answers or repeats prompts; these requests are "
    "left out",
    "warm": "set `[measure] warmup` to the number of slots or more, so that each has seen the prompt; these requests are "
    "left out",
}


def state_codes(told: Told) -> Rows:
    """The state of the cache for each measured sample, as places in cachestate.NAMES."""
    found = [one.codes for one in states(told)]
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def can_cache(told: Told) -> str:
    """Why no sample's cache state is known."""
    return "" if (state_codes(told) != UNKNOWN).any() else CACHE_UNKNOWN


def _of(rows: Mask) -> str:
    return f"{int(rows.sum())} of {counted(len(rows), 'sample')}"
