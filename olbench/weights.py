"""How many bytes of a model's weights one token reads, from the list of tensors that /api/show gives."""

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

# ggml type -> (bytes, weights) of one block: ggml/src/ggml-common.h of llama.cpp.
BLOCKS: Mapping[str, tuple[int, int]] = {
    "F32": (4, 1),
    "F16": (2, 1),
    "BF16": (2, 1),
    "Q4_0": (18, 32),
    "Q4_1": (20, 32),
    "Q5_0": (22, 32),
    "Q5_1": (24, 32),
    "Q8_0": (34, 32),
    "Q2_K": (84, 256),
    "Q3_K": (110, 256),
    "Q4_K": (144, 256),
    "Q5_K": (176, 256),
    "Q6_K": (210, 256),
    "IQ1_S": (50, 256),
    "IQ1_M": (56, 256),
    "IQ2_XXS": (66, 256),
    "IQ2_XS": (74, 256),
    "IQ2_S": (82, 256),
    "IQ3_XXS": (98, 256),
    "IQ3_S": (110, 256),
    "IQ4_XS": (136, 256),
    "IQ4_NL": (18, 32),
    "TQ1_0": (54, 256),
    "TQ2_0": (66, 256),
    "MXFP4": (17, 32),
}
_INPUT, _OUTPUT = "token_embd.weight", "output.weight"
_EXPERTS = "_exps."  # of a mixture: all experts of a layer in one tensor
_OTHER_PARTS = ("v.", "mm.", "a.")  # what sees and hears works on the prompt alone


def experts(model_info: Mapping[str, object]) -> tuple[int, int] | None:
    """Experts of a mixture that one token uses, and all of them; None where the model is none."""
    arch = model_info.get("general.architecture")
    used, every = model_info.get(f"{arch}.expert_used_count"), model_info.get(f"{arch}.expert_count")
    if not isinstance(used, int) or not isinstance(every, int) or not 0 < used <= every:
        return None
    return used, every


def touched(tensors: object, of_experts: tuple[int, int] | None) -> int | None:
    """Bytes of weights read for one token; None where the list is missing or names a type that is not known.

    All tensors count but the input embeddings of a model whose output has a matrix of its own (one row is looked up
    there), and the experts that a token does not use. An untied embedding is a tenth to a fifth of a small model.
    """
    rows = _rows(tensors)
    if not rows:
        return None
    names = {row["name"] for row in rows}
    total = 0.0
    for row in rows:
        size = _bytes(row)
        if size is None:
            return None
        if (row["name"] == _INPUT and _OUTPUT in names) or row["name"].startswith(_OTHER_PARTS):
            continue
        share = of_experts[0] / of_experts[1] if of_experts and _EXPERTS in row["name"] else 1.0
        total += size * share
    return round(total)


def _rows(tensors: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(tensors, list):
        return ()
    return [row for row in tensors if isinstance(row, dict) and isinstance(row.get("name"), str)]


def _bytes(row: Mapping[str, Any]) -> float | None:
    block, shape = BLOCKS.get(str(row.get("type")).upper()), row.get("shape")
    if block is None or not isinstance(shape, list) or not all(isinstance(one, int) for one in shape):
        return None
    size, count = block
    return prod(shape) * size / count
