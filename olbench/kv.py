"""The memory of a context: keys and values, from a model's metadata."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Bytes of one number of the cache by its type, blocks with their scales: ggml/src/ggml-common.h of llama.cpp.
_TYPES: Mapping[str, float] = {
    "f32": 4.0,
    "f16": 2.0,
    "bf16": 2.0,
    "q8_0": 34 / 32,
    "q5_1": 24 / 32,
    "q5_0": 22 / 32,
    "q4_1": 20 / 32,
    "q4_0": 18 / 32,
    "iq4_nl": 18 / 32,
}
_F16, _F32 = 2.0, 4.0
_CELLS = 256  # llama.cpp rounds the positions of a slot up to a multiple of this
_BATCH = 512  # that a window keeps beside itself: the physical batch
# How often a layer looks at the whole context, and whether it is the first of its group: `set_swa_pattern` of
# llama.cpp, where the file need not say it. 0: the window in the file means nothing to llama.cpp.
_PATTERNS: Mapping[str, tuple[int, bool]] = {
    "gemma2": (2, False),
    "gemma3": (6, False),
    "gemma3n": (5, False),
    "gptoss": (2, False),
    "gpt-oss": (2, False),
    "cohere2": (4, False),
    "llama4": (4, False),
    "olmo2": (4, False),
    "olmo3": (4, False),
    "exaone4": (4, False),
    "smallthinker": (4, True),
    **dict.fromkeys(("llama", "qwen2", "qwen2moe", "qwen3", "qwen3moe", "phi3", "mistral3"), (0, False)),
}
_PROJECTION = re.compile(r"blk\.(\d+)\.attn_([kv])\.weight")


@dataclass(frozen=True, slots=True)
class Cache:
    """Bytes of f16 keys and values: what grows with the context, and what each slot has whatever it is."""

    per_token: float
    per_slot: float  # sliding windows, recurrent state


@dataclass(frozen=True, slots=True)
class _Layer:
    """Numbers that one token leaves in a layer's cache."""

    keys: float
    values: float


def kv_bytes_per_token(model_info: Mapping[str, object], tensors: object = None) -> float | None:
    """Bytes of f16 keys and values by which one more token of context makes a slot grow; see `cache`."""
    found = cache(model_info, tensors)
    return None if found is None else found.per_token


def scaled(kind: str) -> float | None:
    """Bytes of a cache of that type as a share of one of f16, such as OLLAMA_KV_CACHE_TYPE names it; None: unknown."""
    size = _TYPES.get(kind.strip().lower() or "f16")
    return None if size is None else size / _F16


def cells(num_ctx: int, slots: int) -> int:
    """Positions for which a cache has room: llama.cpp rounds those of each slot up."""
    return -(-num_ctx // _CELLS) * _CELLS * slots


def cache(model_info: Mapping[str, object], tensors: object = None) -> Cache | None:
    """What a context takes, from `model_info` and, where they are there, `tensors` of /api/show.

    Sum over the layers of head_count_kv * (key_length + value_length) * 2. Layers with a sliding window hold the window and
    a batch, and recurrent ones a state: both once a slot (llama-kv-cache-iswa.cpp, `n_embd_r` and `n_embd_s` of
    llama-hparams.cpp). Latent attention keeps kv_lora_rank + rope.dimension_count numbers a layer, and no values. None
    where the server leaves the numbers out, or the model has a way of its own.
    """
    of = _Info(model_info)
    if of.has("attention.indexer.") or of.has("wkv."):
        return None
    layers = _layers(of, tensors)
    windowed = None if layers is None else _windowed(of, len(layers))
    state = None if layers is None else _state(of, layers)
    if layers is None or windowed is None or state is None:
        return None
    sizes = [(one.keys + one.values) * _F16 for one in layers]
    window = sum(size for size, own in zip(sizes, windowed, strict=True) if own)
    held = -(-((of.number("attention.sliding_window") or 0) + _BATCH) // _CELLS) * _CELLS
    return Cache(sum(sizes) - window, window * held + state)


class _Info:
    """`model_info`, by names without the architecture before them."""

    def __init__(self, model_info: Mapping[str, object]) -> None:
        self._info = model_info
        self.arch = str(model_info.get("general.architecture"))

    def value(self, name: str) -> object:
        return self._info.get(f"{self.arch}.{name}")

    def number(self, name: str) -> float | None:
        return _number(self.value(name))

    def there(self, name: str) -> bool:
        return f"{self.arch}.{name}" in self._info

    def has(self, opening: str) -> bool:
        """Whether a key begins so, and says anything."""
        whole = f"{self.arch}.{opening}"
        return any(key.startswith(whole) and value != 0 for key, value in self._info.items())


# --- layers -------------------------------------------------------------------------------------------------------


def _layers(of: _Info, tensors: object) -> list[_Layer] | None:
    """Each layer of which something is kept a token; () of a layer that keeps nothing is zero."""
    count = of.number("block_count")
    if count is None:
        return None
    latent = _latent(of)
    if latent is not None:
        return [latent] * int(count)
    seen = _by_tensors(of, int(count), tensors)
    # Recurrent layers lie among the others, and arrays are left out of most answers: then tensors alone tell.
    found = seen if seen is not None or of.has("ssm.") else _by_heads(of, int(count))
    shared = int(of.number("attention.shared_kv_layers") or 0)
    if found is None or not shared:
        return found
    return [*found[: int(count) - shared], *[_Layer(0.0, 0.0)] * shared]


def _latent(of: _Info) -> _Layer | None:
    rank, rope = of.number("attention.kv_lora_rank"), of.number("rope.dimension_count")
    # A file of before llama.cpp kept what is latent has no such key, and its heads are kept one by one.
    if not rank or not of.there("attention.key_length_mla"):
        return None
    return None if rope is None else _Layer(rank + rope, 0.0)


def _by_tensors(of: _Info, count: int, tensors: object) -> list[_Layer] | None:
    """From the projections of keys and values: their shapes are there where arrays of heads are not."""
    embedding = of.number("embedding_length")
    widths: dict[tuple[int, str], float] = {}
    for row in tensors if isinstance(tensors, list) else ():
        found = _PROJECTION.fullmatch(str(row.get("name"))) if isinstance(row, dict) else None
        width = None if found is None or not embedding else _other(row.get("shape"), embedding)
        if found is not None and width is not None:
            widths[int(found[1]), found[2]] = width
    if not widths:
        return None
    keys = [widths.get((layer, "k"), 0.0) for layer in range(count)]
    return [_Layer(key, widths.get((layer, "v"), key)) for layer, key in enumerate(keys)]


def _other(shape: Any, embedding: float) -> float | None:
    """The side of a matrix that is not the embedding's, whichever comes first."""
    if not isinstance(shape, Sequence) or len(shape) != 2 or embedding not in shape:
        return None
    return _number(shape[1] if shape[0] == embedding else shape[0])


def _by_heads(of: _Info, count: int) -> list[_Layer] | None:
    heads = _per_layer(of.value("attention.head_count_kv"), count)
    key, value = _head(of, "attention.key_length"), _head(of, "attention.value_length")
    if heads is None or key is None or value is None:
        return None
    return [_Layer(one * key, one * value) for one in heads]


def _head(of: _Info, name: str) -> float | None:
    """The width of one head; where the model does not give it, the embedding shared among the heads."""
    if of.there(name):
        return of.number(name)
    embedding, heads = of.number("embedding_length"), of.number("attention.head_count")
    return None if not embedding or not heads else embedding / heads


def _per_layer(heads: object, count: int) -> list[float] | None:
    """Heads layer by layer; a single number holds for all."""
    values = list(heads) if isinstance(heads, list | tuple) else [heads] * count
    known = [one for one in map(_number, values) if one is not None]
    return known if len(known) == len(values) == count else None


# --- what does not grow -------------------------------------------------------------------------------------------


def _windowed(of: _Info, count: int) -> list[bool] | None:
    """Which layers look back no further than a window; None where nobody says."""
    if not of.has("attention.sliding_window"):
        return [False] * count
    told = of.value("attention.sliding_window_pattern")
    if isinstance(told, list | tuple):
        return [bool(one) for one in told] if len(told) == count else None
    every, first = _PATTERNS.get(of.arch, (None, False))
    every = int(number) if (number := _number(told)) else every
    if every is None:
        return None
    if every == 0:
        return [False] * count
    return [layer % every != (0 if first else every - 1) for layer in range(count)]


def _state(of: _Info, layers: Sequence[_Layer]) -> float | None:
    """Bytes of the recurrent state of one slot, f32."""
    if not of.has("ssm."):
        return 0.0
    names = ("conv_kernel", "inner_size", "state_size")
    kernel, inner, state = (of.number(f"ssm.{name}") for name in names)
    if kernel is None or inner is None or state is None:
        return None
    groups = of.number("ssm.group_count") or 0
    recurrent = sum(1 for one in layers if not one.keys)
    return recurrent * _F32 * ((kernel - 1) * (inner + 2 * groups * state) + state * inner)


def _number(value: object) -> float | None:
    """A number above or at 0; a list of equal ones is one of them."""
    if isinstance(value, list | tuple) and value and len(set(value)) == 1:
        return _number(value[0])
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return float(value)
