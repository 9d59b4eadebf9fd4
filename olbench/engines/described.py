"""A model as /api/tags, /api/show and /api/ps describe it. Pure."""

from typing import Any

from olbench.engines.gguf_header import TYPES, Header
from olbench.engines.shelf import Model
from olbench.engines.wall import local

CAPABILITIES = ("completion",)
_UNITS = ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0))
_CELLS = 256  # llama.cpp rounds the context of a slot up to a multiple of this


def tag(model: Model, digest: str) -> dict[str, Any]:
    """The model's row of /api/tags."""
    lengths = {name: model.header.own(name) for name in ("context_length", "embedding_length")}
    return {
        "name": model.name,
        "model": model.name,
        "modified_at": local(model.modified_ns),
        "size": model.size,
        "digest": digest,
        "details": details(model.header)
        | {name: length for name, length in lengths.items() if length is not None},
        "capabilities": list(CAPABILITIES),
    }


def show(model: Model, *, verbose: bool) -> dict[str, Any]:
    """The answer of /api/show. Arrays are null unless asked for, and so is always the vocabulary."""
    keys = model.header.keys
    info = {key: value for key, value in keys.items() if key != "tokenizer.chat_template"}
    if not verbose:
        info = {key: None if isinstance(value, tuple) else value for key, value in info.items()}
    return {
        "modelfile": f"# made by olbench's embedded engine\nFROM {model.path}\n",
        "parameters": "",
        "template": str(keys.get("tokenizer.chat_template") or ""),
        "system": "",
        "license": str(keys.get("general.license") or ""),
        "details": details(model.header),
        "model_info": info | {"general.parameter_count": model.header.parameters},
        "capabilities": list(CAPABILITIES),
        "tensors": [
            {"name": one.name, "type": TYPES.get(one.kind, "unknown"), "shape": list(one.shape)}
            for one in model.header.tensors
        ],
        "modified_at": local(model.modified_ns),
    }


def details(header: Header) -> dict[str, Any]:
    """What both lists and /api/show have under `details`."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": header.architecture,
        "families": [header.architecture],
        "parameter_size": rounded(header.parameters),
        "quantization_level": header.quantization,
    }


def rounded(count: int) -> str:
    """A number of weights as Ollama rounds it: 134515008 -> "134.52M", 8e9 -> "8B"."""
    for unit, letter, places in _UNITS:
        if count >= unit:
            return f"{count / unit:.{places if count % unit else 0}f}{letter}"
    return str(count)


def resident_bytes(model: Model, num_ctx: int, slots: int) -> int:
    """Weights and keys and values of all slots; compute buffers are not in it, as nobody says what they take."""
    cells = -(-num_ctx // _CELLS) * _CELLS * slots
    return model.size + cells * (model.header.kv_bytes_per_cell() or 0)
