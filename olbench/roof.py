"""How near decoding comes to what memory allows: bytes a token needs, times tokens a second, by the bandwidth. Pure.

One token of one stream reads every weight once (of a mixture the experts that it uses) and the keys and values of all
tokens before it. Decoding one stream does next to nothing else, so bandwidth is its roof (Williams, Waterman and
Patterson, "Roofline", CACM 52, 2009). Streams that decode together share one reading of the weights: the figure
is given for one stream. A model that lies partly in GPU memory is read part by part, each at its own speed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench import stats
from olbench.column import Numbers
from olbench.findings import Estimate, Roof
from olbench.gist import Told
from olbench.model import Facts, Placement
from olbench.prose import listed
from olbench.units import words

# Bytes of one value in the cache of keys and values, by OLLAMA_KV_CACHE_TYPE, against the two of f16.
KV_TYPES: Mapping[str, float] = {"f16": 1.0, "q8_0": 34 / 32 / 2, "q4_0": 18 / 32 / 2}
KV_SETTING = "server.env.OLLAMA_KV_CACHE_TYPE"
STREAMS = "several streams share one reading of the weights: given for one stream"


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast memory gives a model's bytes where the model lies."""

    rate: float | None  # B/s
    by: str  # how it is known; why it is not, where `rate` is None


def of(told: Told) -> Roof:
    """The roof of one cell; the share has no value where something of it is unknown, and says what."""
    speed = _speed(told)
    depth = _depth(told)
    weights = _weights(told)
    read = None if weights is None or depth is None else weights + depth
    unknown = _unknown(told, speed, weights, depth)
    if unknown or read is None or speed.rate is None:
        nothing = Estimate(None, None, None, unknown)
        return Roof(share=nothing, bandwidth=speed.rate, by=speed.by, per_token=read)
    shares = [_shares(told, number, weights or 0.0, speed.rate) for number in range(len(told.gists))]
    found = stats.summary("roof", shares, {}, nothing="no decode rate is known").typical
    return Roof(share=found, bandwidth=speed.rate, by=speed.by, per_token=read)


_LOW = (
    "look at where the model lies (`ollama ps`), how many threads the engine has, and what else runs; a very small model "
    "is held back by other work than reading"
)


def doubts(told: Told, roof: Roof) -> Iterator[tuple[str, str]]:
    """A sentence and what to do, where the share is outside of what can be."""
    share = roof.share.value
    if share is None:
        return
    if share > told.limits["roof_high"]:
        sentence = (
            f"decoding needs {words(share, 'share', 2)} of what memory gives ({words(roof.bandwidth, 'B/s')}): less than "
            "the whole model is read for a token"
        )
        yield sentence, _why_high(told)
    elif share < told.limits["roof_low"]:
        yield (
            f"decoding uses only {words(share, 'share', 2)} of what memory gives ({words(roof.bandwidth, 'B/s')})",
            _LOW,
        )


def _why_high(told: Told) -> str:
    if told.card is not None and told.card.experts:
        return "a mixture of experts reads a part of its weights; the tensors' list would tell which"
    return (
        "the model may lie in another memory than the server says, fit into the processor's cache, or guess tokens ahead "
        "(speculative decoding); if memory was busy when its bandwidth was measured, `olbench bandwidth` measures it anew"
    )


# --- bytes ----------------------------------------------------------------------------------------------------


def _weights(told: Told) -> float | None:
    """Bytes of weights of one token; the file's size where the server does not list tensors and there are no experts."""
    card = told.card
    if card is None:
        return None
    if card.touched is not None:
        return float(card.touched)
    return None if card.experts or card.size is None else float(card.size)


def _depth(told: Told) -> float | None:
    """Bytes of keys and values that a token in the middle of an answer reads."""
    token = _kv(told)
    if token is None:
        return None
    prompts, outputs = told.numbers("prompt_tokens"), told.numbers("output_tokens")
    if not len(prompts) or not len(outputs):
        return None
    return token * float(prompts.mean() + outputs.mean() / 2)


def _kv(told: Told) -> float | None:
    """Bytes of keys and values of one token."""
    plain = told.card.kv_bytes_per_token if told.card is not None else None
    share = KV_TYPES.get(str(told.facts.get(KV_SETTING) or "f16").lower())
    return None if plain is None or share is None else plain * share


def _shares(told: Told, number: int, weights: float, rate: float) -> Numbers:
    columns = told.gists[number].columns
    steps, prompts, outputs = (columns[key].aligned() for key in ("steps", "prompt_tokens", "output_tokens"))
    found = steps * (weights + (_kv(told) or 0.0) * (prompts + outputs / 2)) / rate
    return found[~np.isnan(found)]


def _unknown(told: Told, speed: Speed, weights: float | None, depth: float | None) -> str:
    if not told.alone:
        return STREAMS
    if speed.rate is None:
        return speed.by
    if weights is None:
        return "the server does not say how many bytes of the model a token reads"
    return "" if depth is not None else "the server does not say how large keys and values are"


# --- bandwidth ------------------------------------------------------------------------------------------------


def _speed(told: Told) -> Speed:
    """Of the memory, or the memories, in which the model lies."""
    shares = {share for gist in told.gists if (share := _on_gpu(gist.placement)) is not None}
    if not shares:
        return Speed(None, "the server does not say where the model lies")
    if len(shares) > 1 and max(shares) - min(shares) > told.limits["vram_share"]:
        return Speed(None, "the model lay in other places from visit to visit")
    on_gpu = max(shares)
    unified = _fact(told.facts, "unified.bandwidth")
    if unified is not None and on_gpu > 0:
        return Speed(unified, _by(told.facts, "unified.bandwidth"))
    main, cards = _fact(told.facts, "ram.bandwidth"), _cards(told.facts)
    if (on_gpu < 1 and main is None) or (on_gpu > 0 and not cards):
        return Speed(None, "the bandwidth of the memory that the model lies in is unknown")
    # Layer after layer: the times add up, so the speeds join as resistances do.
    card = min(cards, default=0.0)
    slow = 0.0 if on_gpu == 1 else (1 - on_gpu) / (main or 1.0)
    fast = 0.0 if on_gpu == 0 else on_gpu / card
    ways = [_by(told.facts, "ram.bandwidth")] if on_gpu < 1 else []
    ways += [_by(told.facts, "gpu0.bandwidth")] if on_gpu > 0 else []
    return Speed(1 / (slow + fast), listed(ways))


def _on_gpu(placement: Placement | None) -> float | None:
    if placement is None or not placement.size or placement.size_vram is None:
        return None
    return min(1.0, placement.size_vram / placement.size)


def _cards(facts: Facts) -> Sequence[float]:
    found = (_fact(facts, f"gpu{number}.bandwidth") for number in range(16))
    return [one for one in found if one is not None]


def _fact(facts: Facts, name: str) -> float | None:
    found = facts.get(name)
    return float(found) if isinstance(found, int | float) and found > 0 else None


def _by(facts: Facts, name: str) -> str:
    return str(facts.get(f"{name}_by") or "as the machine says")
