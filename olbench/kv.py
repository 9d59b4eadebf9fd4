"""The memory of a context: keys and values, from a model's metadata."""

from collections.abc import Mapping

_F16 = 2  # bytes
_OTHER_WAYS = ("ssm.", "attention.kv_lora_rank", "attention.sliding_window")


def kv_bytes_per_token(model_info: Mapping[str, object]) -> float | None:
    """Bytes of f16 keys and values that one token of context takes, from the `model_info` of /api/show.

    Sum over the layers of head_count_kv * (key_length + value_length) * 2. None where that is not the model's
    way (recurrent state, latent attention, sliding windows) or where the server leaves the numbers out.
    """
    arch = model_info.get("general.architecture")
    ways = tuple(f"{arch}.{part}" for part in _OTHER_WAYS)
    if any(key.startswith(ways) and value != 0 for key, value in model_info.items()):
        return None
    layers = _number(model_info.get(f"{arch}.block_count"))
    heads = _total(model_info.get(f"{arch}.attention.head_count_kv"), layers)
    key = _head(model_info, f"{arch}.attention.key_length", str(arch))
    value = _head(model_info, f"{arch}.attention.value_length", str(arch))
    if heads is None or key is None or value is None:
        return None
    return heads * (key + value) * _F16


def _head(model_info: Mapping[str, object], key: str, arch: str) -> float | None:
    """The width of one head; where the model does not give it, the embedding shared among the heads."""
    given = model_info.get(key)
    if given is not None or key in model_info:
        return _number(given)
    embedding = _number(model_info.get(f"{arch}.embedding_length"))
    heads = _number(model_info.get(f"{arch}.attention.head_count"))
    return None if not embedding or not heads else embedding / heads


def _total(heads: object, layers: float | None) -> float | None:
    """Heads of all layers together; a list has them layer by layer."""
    if isinstance(heads, list | tuple):
        numbers = [_number(one) for one in heads]
        known = [one for one in numbers if one is not None]
        return sum(known) if known and len(known) == len(numbers) == layers else None
    number = _number(heads)
    return None if number is None or layers is None else number * layers


def _number(value: object) -> float | None:
    """A number above or at 0; a list of equal ones is one of them."""
    if isinstance(value, list | tuple) and value and len(set(value)) == 1:
        return _number(value[0])
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return None
    return float(value)
