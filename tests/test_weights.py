"""Bytes of weights that one token reads."""

from typing import Any

import pytest

from olbench.weights import experts, touched


def tensor(name: str, kind: str = "F16", *shape: int) -> dict[str, Any]:
    return {"name": name, "type": kind, "shape": list(shape or (32, 10))}


TIED = [
    tensor("token_embd.weight"),
    tensor("blk.0.attn_q.weight", "Q4_0"),
    tensor("output_norm.weight", "F32", 32),
]
SIZES = [
    # 320 weights of two bytes, 320 of 18/32 bytes, 32 of four: a tied embedding is the output's matrix too.
    ("tied", TIED, None, 640 + 180 + 128),
    (
        "untied: one row of the input is looked up",
        [*TIED, tensor("output.weight", "Q8_0")],
        None,
        340 + 180 + 128,
    ),
    (
        "two of eight experts",
        [tensor("token_embd.weight"), tensor("blk.0.ffn_up_exps.weight", "F16", 32, 10, 8)],
        (2, 8),
        640 + 5120 // 4,
    ),
    (
        "what sees works on the prompt",
        [*TIED, tensor("v.blk.0.attn_q.weight"), tensor("mm.0.weight")],
        None,
        948,
    ),
    ("lower case", [tensor("token_embd.weight", "f16")], None, 640),
    ("a type that is not known", [*TIED, tensor("blk.1.x", "Q9_Z")], None, None),
    ("a shape that is none", [{"name": "a", "type": "F16", "shape": None}], None, None),
    ("no list", None, None, None),
    ("an empty list", [], None, None),
    ("rows that are none", ["x", {"type": "F16"}], None, None),
]


@pytest.mark.parametrize(
    ("tensors", "used", "size"), [row[1:] for row in SIZES], ids=[row[0] for row in SIZES]
)
def test_a_token_reads_these_bytes(tensors: object, used: tuple[int, int] | None, size: int | None) -> None:
    assert touched(tensors, used) == size


@pytest.mark.parametrize(
    ("info", "found"),
    [
        (
            {
                "general.architecture": "qwen3moe",
                "qwen3moe.expert_used_count": 8,
                "qwen3moe.expert_count": 128,
            },
            (8, 128),
        ),
        ({"general.architecture": "llama"}, None),
        ({"general.architecture": "llama", "llama.expert_used_count": 0, "llama.expert_count": 0}, None),
        ({"general.architecture": "llama", "llama.expert_used_count": 9, "llama.expert_count": 8}, None),
        ({}, None),
    ],
)
def test_a_mixture_says_how_many_experts_it_uses(
    info: dict[str, object], found: tuple[int, int] | None
) -> None:
    assert experts(info) == found
