"""What may be believed: each check looks at one cell (or at the run) and says in sentences what is doubtful."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from olbench import phases
from olbench.column import Numbers
from olbench.findings import Flag
from olbench.gist import Told
from olbench.model import GOOD, Placement
from olbench.prose import counted, distinct, listed, tallied
from olbench.stats import VISITS_NEEDED
from olbench.units import words
from olbench.validity.whole import of_run

__all__ = ["CHECKS", "of_cell", "of_run"]

PROMPT_SHARE, PROMPT_TOKENS = 0.02, 4.0  # a prompt may miss its length by the larger of these
SHARED = 0.10  # share of a cold prompt from the cache that is worth a word: what stands before every prompt
OPENING_GRAIN = 2  # tokens by which a common beginning differs, as its last one runs into what follows
CACHED = 0.50  # share from which a prompt is warm, and below which it is cold
OTHER_CORES = 0.5
STOLEN_CORES, STOLEN_SHARE = 0.1, 0.05  # cores withheld, and their share of all: both must be passed
SLOWED_SHARE = 0.1
RELOAD_S = 1.0  # a warm request with such a load_duration carried a load
RELOAD_SHARE, RELOAD_LEAST_S = 0.2, 0.2  # or with such a share of its whole time, if it is not tiny
QUEUE_SHARE = 0.2
SWAP_BYTES = 32 * 2**20
BLURRED_SHARE = 0.1
VRAM_SHARE = 0.01


def of_cell(told: Told) -> tuple[Flag, ...]:
    """All doubts about one cell, in the order of the table."""
    return tuple(
        Flag(key, sentence, "") for key, check in CHECKS.items() for sentence in distinct(check(told))
    )


# --- what is missing ------------------------------------------------------------------------------------------


def _visits(told: Told) -> Iterator[str]:
    filled = sum(1 for gist in told.gists if gist.prompts)
    if filled < told.planned:
        yield f"{filled} of {counted(told.planned, 'planned visit')} gave samples"
    said: dict[str, list[int]] = {}
    for gist in told.gists:
        for sentence in (*([gist.problem] if gist.problem else []), *gist.notes):
            said.setdefault(sentence, []).append(gist.visit.repeat + 1)
    for sentence, visits in said.items():
        everywhere = len(visits) == len(told.gists) > 1
        which = f"visit{'s' if len(visits) > 1 else ''} {listed([str(one) for one in visits])}"
        yield sentence if everywhere else f"{which}: {sentence}"


def _failures(told: Told) -> Iterator[str]:
    outcomes = told.outcomes()
    failed = {outcome: count for outcome, count in outcomes.items() if outcome not in GOOD}
    if failed:
        whole = sum(outcomes.values())
        yield f"{sum(failed.values())} of {counted(whole, 'sample')} failed ({tallied(failed)}); they enter no figure"


def _few(told: Told) -> Iterator[str]:
    filled = [len(gist.prompts) for gist in told.gists if gist.prompts]
    if 0 < len(filled) < VISITS_NEEDED:
        yield f"{counted(len(filled), 'visit')}: a typical value has an interval from {VISITS_NEEDED} on"
    streams = told.cell.concurrency
    if filled and streams > 1 and min(filled) < 3 * streams:
        yield (
            f"{min(filled)} samples in a visit on {streams} streams: system throughput includes ramp-up and run-out, which "
            f"{3 * streams} samples would leave out"
        )


# --- what came instead of what was asked ----------------------------------------------------------------------


def _short(told: Told) -> Iterator[str]:
    made = told.aligned("output_tokens")
    short = made < told.cell.output_tokens
    if short.any():
        yield (
            f"{int(short.sum())} of {counted(len(made), 'answer')} ended before {told.cell.output_tokens} tokens "
            f"(the shortest after {np.nanmin(made):,.0f})"
        )


def _prompt(told: Told) -> Iterator[str]:
    asked = told.cell.prompt_tokens
    if asked is None:
        return
    seen = told.aligned("prompt_tokens")
    off = np.abs(seen - asked) > max(PROMPT_SHARE * asked, PROMPT_TOKENS)
    if off.any():
        yield (
            f"{int(off.sum())} of {counted(len(seen), 'prompt')} missed {asked} tokens by more than 2 % and 4 tokens "
            f"(seen: {_range(seen[~np.isnan(seen)])})"
        )


def _context(told: Told) -> Iterator[str]:
    for placement in _placements(told):
        yield from placement.doubts
        given, asked = placement.context_length, told.cell.num_ctx
        if given is not None and given < asked and not any("num_ctx" in one for one in placement.doubts):
            yield f"asked for num_ctx {asked}, the server gave {given}"


def _placement(told: Told) -> Iterator[str]:
    for what, read in _PLACED.items():
        seen = [one for one in (read(placement) for placement in _placements(told)) if one is not None]
        if len(set(seen)) > 1:
            yield f"visits differ in {what} ({listed(distinct(seen))}) and are pooled all the same"
    shares = [share for placement in _placements(told) if (share := _vram_share(placement)) is not None]
    if shares and max(shares) - min(shares) > VRAM_SHARE:
        low, high = words(min(shares), "share", 2), words(max(shares), "share", 2)
        yield f"visits differ in the share of the model in GPU memory ({low} to {high}) and are pooled all the same"


_PLACED: Mapping[str, Callable[[Placement], str | None]] = {
    "the model's digest": lambda one: one.digest and one.digest[:12],
    "context length": lambda one: None if one.context_length is None else str(one.context_length),
    "parallel slots": lambda one: None if one.parallel is None else str(one.parallel),
}


def _vram_share(placement: Placement) -> float | None:
    if not placement.size or placement.size_vram is None:
        return None
    return placement.size_vram / placement.size


def _placements(told: Told) -> list[Placement]:
    return [gist.placement for gist in told.gists if gist.placement is not None]


def _cache(told: Told) -> Iterator[str]:
    cached = told.aligned("cached_tokens")
    share = cached / told.aligned("prompt_tokens")
    wrong = (share > CACHED) & ~_opening(cached, share) if told.cell.cache == "cold" else share < CACHED
    if wrong.any():
        more, meant = ("more", "cold") if told.cell.cache == "cold" else ("less", "warm")
        yield (
            f"{int(wrong.sum())} of {counted(len(share), 'sample')} took {more} than half of the prompt from the cache: "
            f"meant {meant}, were not"
        )
    if told.cell.cache == "cold":
        yield from _shared(told, (share > SHARED) & ~wrong)


def _opening(cached: Numbers, share: Numbers) -> NDArray[np.bool_]:
    """Whether as many tokens came from the cache with longer prompts: then they are what all begin with."""
    usual = np.unique(cached[share <= CACHED])
    amounts, which = np.unique(cached, return_inverse=True)
    near = [bool((np.abs(usual - one) <= OPENING_GRAIN).any()) for one in amounts]
    return np.array(near, dtype=np.bool_)[which]


def _shared(told: Told, rows: NDArray[np.bool_]) -> Iterator[str]:
    """Every prompt begins with the template and the system prompt, whatever it says after them."""
    if rows.any():
        cached, whole = (_range(told.aligned(key)[rows]) for key in ("cached_tokens", "prompt_tokens"))
        yield (
            f"{cached} of {whole} prompt tokens came from the cache in {int(rows.sum())} of "
            f"{counted(len(rows), 'sample')}: every prompt begins with them (chat template, system prompt); the prefill "
            "rate counts the other tokens alone"
        )


def _range(seen: Numbers) -> str:
    least, most = f"{seen.min():,.0f}", f"{seen.max():,.0f}"
    return least if least == most else f"{least} to {most}"


def _reloads(told: Told) -> Iterator[str]:
    load, whole = told.aligned("warm_load"), told.aligned("e2e")
    carried = (load > RELOAD_S) | ((load > RELOAD_SHARE * whole) & (load > RELOAD_LEAST_S))
    if carried.any():
        worst = words(float(np.nanmax(load)), "s")
        yield (
            f"{int(carried.sum())} of {counted(len(load), 'sample')} carried a load of up to {worst} although the model "
            "was meant to be in memory"
        )


# --- what stood beside the measurement ------------------------------------------------------------------------


def _slots(told: Told) -> Iterator[str]:
    known = [one.parallel for one in _placements(told) if one.parallel is not None]
    streams = told.cell.concurrency
    if known and streams > min(known):
        yield f"{streams} streams on {counted(min(known), 'slot')}: this measures the queue"
    if not known and streams > 1:
        yield from _waiting(told)


def _waiting(told: Told) -> Iterator[str]:
    queue, whole = told.numbers("queue"), told.numbers("e2e")
    if len(queue) and whole.sum() > 0 and queue.sum() / whole.sum() > QUEUE_SHARE:
        share = words(float(queue.sum() / whole.sum()), "share", 2)
        yield f"requests waited inside the server for {share} of their time: it seems to have fewer slots than streams"


def _other_load(told: Told) -> Iterator[str]:
    bad = _above(told, "cpu_other", OTHER_CORES)
    if bad:
        yield f"other programs kept {_amounts(bad)} cores busy on average in {_in(bad, told)}: end them and run again"


def _steal(told: Told) -> Iterator[str]:
    bad = _above(told, "cpu_steal", max(STOLEN_CORES, STOLEN_SHARE * (told.threads or 0)))
    if bad:
        whole = f" of {told.threads}" if told.threads else ""
        yield (
            f"the host of this virtual machine withheld {_amounts(bad)}{whole} cores on average in {_in(bad, told)}: the "
            "figures may be worse for it"
        )


def _slowed(told: Told) -> Iterator[str]:
    bad = _above(told, "gpu_slowed", SLOWED_SHARE)
    if bad:
        share = words(max(bad), "share", 2)
        yield f"heat or the power supply held the GPU back for up to {share} of the time in {_in(bad, told)}"


def _swap(told: Told) -> Iterator[str]:
    bad = _above(told, "swap_growth", SWAP_BYTES)
    if bad:
        yield f"swap grew by up to {words(max(bad), 'B')} in {_in(bad, told)}: memory was short"


def _above(told: Told, key: str, bar: float) -> list[float]:
    """The figure of each visit in which it passes the bar."""
    return [float(one) for one in told.numbers(key) if one > bar]


def _amounts(bad: Sequence[float]) -> str:
    least, most = f"{min(bad):.2f}", f"{max(bad):.2f}"
    return least if least == most else f"{least} to {most}"


def _in(bad: Sequence[float], told: Told) -> str:
    return f"{len(bad)} of {counted(len(told.gists), 'visit')}"


def _blurred(told: Told) -> Iterator[str]:
    shares: Numbers = told.numbers("coalesced")
    if len(shares) and shares.mean() > BLURRED_SHARE:
        share = words(float(shares.mean()), "share", 2)
        yield f"{share} of the lines came in one receive with a later one: their stamps are upper bounds"


def _gpu_memory(told: Told) -> Iterator[str]:
    for gist in told.gists:
        own = any(name.startswith("gpu") and name.endswith(".server") for name in gist.series)
        if len(gist.columns["gpu_peak"].numbers) and not own:
            reasons = [
                why for name, why in gist.absent if name.startswith("gpu") and name.endswith(".server")
            ]
            why = f" ({reasons[0]})" if reasons else ""
            yield f"GPU memory is what the cards have in use less the idle baseline, not the server's own{why}"
            return


CHECKS: Mapping[str, Callable[[Told], Iterator[str]]] = {
    "missing visits": _visits,
    "failed samples": _failures,
    "few samples": _few,
    "short outputs": _short,
    "prompt length": _prompt,
    "context": _context,
    "placement": _placement,
    "cache state": _cache,
    "reloads": _reloads,
    "slots": _slots,
    "other load": _other_load,
    "withheld CPU": _steal,
    "GPU held back": _slowed,
    "swap": _swap,
    "negative parts": phases.doubts,
    "blurred stamps": _blurred,
    "GPU memory": _gpu_memory,
}
