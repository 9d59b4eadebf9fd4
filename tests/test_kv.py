"""Keys and values by the metadata: hand-computed for the ways in which models keep them."""

from collections.abc import Mapping
from typing import Any

import pytest

from olbench import kv

LLAMA: Mapping[str, object] = {
    "general.architecture": "llama",
    "llama.block_count": 28,
    "llama.embedding_length": 3072,
    "llama.attention.head_count": 24,
    "llama.attention.head_count_kv": 8,
    "llama.attention.key_length": 128,
    "llama.attention.value_length": 128,
}
GEMMA: Mapping[str, object] = {
    "general.architecture": "gemma3",
    "gemma3.block_count": 26,
    "gemma3.embedding_length": 1152,
    "gemma3.attention.head_count": 4,
    "gemma3.attention.head_count_kv": 1,
    "gemma3.attention.key_length": 256,
    "gemma3.attention.value_length": 256,
    "gemma3.attention.sliding_window": 512,
}
DEEPSEEK: Mapping[str, object] = {
    "general.architecture": "deepseek2",
    "deepseek2.block_count": 27,
    "deepseek2.embedding_length": 2048,
    "deepseek2.attention.head_count": 16,
    "deepseek2.attention.head_count_kv": 1,
    "deepseek2.attention.kv_lora_rank": 512,
    "deepseek2.attention.key_length": 576,
    "deepseek2.attention.value_length": 512,
    "deepseek2.rope.dimension_count": 64,
}
HYBRID: Mapping[str, object] = {
    "general.architecture": "mixed",
    "mixed.block_count": 4,
    "mixed.embedding_length": 1024,
    "mixed.attention.head_count_kv": None,
    "mixed.ssm.conv_kernel": 4,
    "mixed.ssm.inner_size": 2048,
    "mixed.ssm.state_size": 128,
    "mixed.ssm.group_count": 1,
}
ALL = 28 * 8 * (128 + 128) * 2


def without(*keys: str) -> dict[str, object]:
    return {key: value for key, value in LLAMA.items() if key.split(".")[-1] not in keys}


def tensors(layers: Mapping[int, tuple[int, int]], embedding: int) -> list[dict[str, Any]]:
    """The list of /api/show, with the projections of these layers' keys and values, in the file's order of sides."""
    return [
        {"name": f"blk.{layer}.attn_{part}.weight", "type": "F16", "shape": [embedding, width]}
        for layer, widths in layers.items()
        for part, width in zip("kv", widths, strict=True)
    ]


@pytest.mark.parametrize(
    ("model_info", "bytes_per_token"),
    [
        (LLAMA, ALL),
        (without("key_length", "value_length"), ALL),
        ({**LLAMA, "llama.attention.value_length": 64}, 28 * 8 * (128 + 64) * 2),
        ({**LLAMA, "llama.attention.head_count_kv": [8] * 14 + [4] * 14}, (14 * 8 + 14 * 4) * 256 * 2),
        ({**without("key_length", "value_length"), "llama.attention.head_count": [24] * 28}, ALL),
        ({**LLAMA, "llama.attention.sliding_window": 0}, ALL),
        (
            {**LLAMA, "llama.attention.sliding_window": 1024},
            ALL,
        ),  # llama.cpp knows none for this architecture
        ({**LLAMA, "llama.attention.kv_lora_rank": 512}, ALL),  # an old file: its heads are kept one by one
        ({**LLAMA, "llama.attention.head_count_kv": None}, None),  # an array that the server left out
        ({**LLAMA, "llama.attention.head_count_kv": [8] * 3}, None),  # not one for each layer
        ({**LLAMA, "llama.attention.head_count_kv": "8"}, None),
        ({**LLAMA, "llama.attention.key_length": None}, None),
        (without("block_count"), None),
        (without("head_count_kv"), None),
        ({**LLAMA, "llama.ssm.state_size": 16}, None),  # which layers are recurrent, tensors would tell
        ({**LLAMA, "llama.attention.indexer.top_k": 2048}, None),  # it keeps more than keys and values
        ({}, None),
    ],
)
def test_bytes_of_a_token_of_context(model_info: Mapping[str, object], bytes_per_token: float | None) -> None:
    assert kv.kv_bytes_per_token(model_info) == bytes_per_token


def test_layers_with_a_window_hold_it_and_a_batch_once_a_slot() -> None:
    # Each sixth of 26 layers sees all: 6, 12, 18 and 24. A layer takes 1 * (256 + 256) * 2 = 1024 bytes a token.
    assert kv.cache(GEMMA) == kv.Cache(4 * 1024, 22 * 1024 * (512 + 512))


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [(2, 13), ([True, True, False] * 8 + [True, False], 9), (None, 4)],
    ids=["every second", "layer by layer", "left out: as llama.cpp has it"],
)
def test_a_pattern_that_the_file_gives_goes_before_the_usual_one(pattern: object, whole: int) -> None:
    found = kv.cache({**GEMMA, "gemma3.attention.sliding_window_pattern": pattern})
    assert found is not None
    assert found.per_token == whole * 1024


def test_a_window_of_an_architecture_that_nobody_knows_is_not_guessed() -> None:
    unknown = {key.replace("gemma3", "newest"): value for key, value in GEMMA.items()}
    assert kv.cache({**unknown, "general.architecture": "newest"}) is None


def test_the_first_layer_of_a_group_may_be_the_one_that_sees_all() -> None:
    small = {key.replace("gemma3", "smallthinker"): value for key, value in GEMMA.items()}
    # Layers 0, 4, 8, ... 24 of 26.
    assert kv.kv_bytes_per_token({**small, "general.architecture": "smallthinker"}) == 7 * 1024


def test_latent_attention_keeps_one_row_and_no_values() -> None:
    latent = {**DEEPSEEK, "deepseek2.attention.key_length_mla": 192}
    assert kv.kv_bytes_per_token(latent) == 27 * (512 + 64) * 2
    assert kv.kv_bytes_per_token(DEEPSEEK) == 27 * (576 + 512) * 2


@pytest.mark.parametrize("step", [1, -1], ids=["width last", "width first"])
def test_shapes_of_tensors_tell_what_arrays_that_were_left_out_do_not(step: int) -> None:
    info = {**LLAMA, "llama.attention.head_count_kv": None, "llama.block_count": 3}
    made = tensors({0: (1024, 1024), 1: (512, 256)}, 3072)
    rows = [{**row, "shape": row["shape"][::step]} for row in made]
    # The third layer has no attention of its own.
    assert kv.kv_bytes_per_token(info, rows) == (1024 + 1024 + 512 + 256) * 2


def test_layers_that_share_a_cache_have_none_of_their_own() -> None:
    info = {**LLAMA, "llama.attention.shared_kv_layers": 8}
    assert kv.kv_bytes_per_token(info) == ALL * 20 / 28


def test_recurrent_layers_have_a_state_for_each_slot_whatever_the_context() -> None:
    # Layers 0, 1 and 2 are recurrent; f32: (4 - 1) * (2048 + 2 * 1 * 128) + 128 * 2048 numbers each.
    assert kv.cache(HYBRID, tensors({3: (512, 512)}, 1024)) == kv.Cache(2048.0, 3 * 4 * (3 * 2304 + 262_144))


@pytest.mark.parametrize("garbled", [None, "none", [1], [{"name": "blk.0.attn_k.weight", "shape": 5}], [{}]])
def test_garbled_tensors_are_as_good_as_none(garbled: object) -> None:
    assert kv.kv_bytes_per_token(LLAMA, garbled) == ALL


@pytest.mark.parametrize(
    ("kind", "share"),
    [("", 1.0), ("f16", 1.0), ("Q8_0", 34 / 64), ("q4_0", 18 / 64), ("f32", 2.0), ("q9_9", None)],
)
def test_a_cache_of_another_type_takes_another_share(kind: str, share: float | None) -> None:
    assert kv.scaled(kind) == share


@pytest.mark.parametrize(
    ("num_ctx", "slots", "cells"), [(1024, 1, 1024), (1000, 1, 1024), (1, 4, 1024), (257, 2, 1024)]
)
def test_each_slot_is_rounded_up(num_ctx: int, slots: int, cells: int) -> None:
    assert kv.cells(num_ctx, slots) == cells
