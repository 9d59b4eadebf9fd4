"""What varies, and names made of nothing else."""

from typing import Any

import pytest
from records import cell

from olbench.arrival import Share
from olbench.labels import axes, labels, phrase, said
from olbench.model import Cell


def quantized(base: str, level: str | None, **changes: Any) -> Cell:
    return cell(base=base, model=f"{base}-{level}", quantization=level, **changes)


LABELS = [
    ([cell()], (), ("smollm2:135m",)),
    ([quantized("a:1b", "q4_0"), quantized("a:1b", "q8_0")], ("quantization",), ("q4_0", "q8_0")),
    (
        [quantized("a:1b", "q4_0"), quantized("b:2b", "q8_0")],  # the quantization follows from the model
        ("model",),
        ("a:1b", "b:2b"),
    ),
    (
        [quantized("a:1b", "q4_0"), quantized("a:1b", "q8_0"), quantized("通义千问:7b", None)],
        ("model", "quantization"),
        ("a:1b q4_0", "a:1b q8_0", "通义千问:7b quantization unknown"),
    ),
    (
        [
            quantized("a:1b", "q8_0", num_ctx=8192, concurrency=4),
            quantized("a:1b", "q4_0", num_ctx=2048, concurrency=1),
        ],
        ("quantization", "num_ctx", "concurrency"),
        ("q8_0 · ctx 8192 · ×4", "q4_0 · ctx 2048 · ×1"),
    ),
    (
        [cell(options=(("num_thread", 2), ("seed", 1))), cell(options=(("seed", 1),))],
        ("num_thread",),
        ("num_thread 2", "num_thread default"),
    ),
    (
        [cell(base="a", model="a", think=True), cell(base="b", model="b", think=None)],
        ("model",),
        ("a", "b"),
    ),
    ([cell(think=True), cell(think=False)], ("think",), ("thinking", "no thinking")),
    ([cell(think="low"), cell(think="high")], ("think",), ("thinking low", "thinking high")),
    ([cell(cache="cold"), cell(cache="warm")], ("cache",), ("cold cache", "warm cache")),
    ([cell(prompt_tokens=None), cell(prompt_tokens=64)], ("prompt_tokens",), ("own prompts", "prompt 64")),
    ([], (), ()),
]


@pytest.mark.parametrize(("cells", "names", "expected"), LABELS)
def test_a_label_names_only_what_varies(
    cells: list[Cell], names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert axes(cells) == names
    assert labels(cells) == expected


def test_cells_that_differ_in_nothing_that_a_label_shows_are_told_apart_by_their_ids() -> None:
    twins = [cell(model="a:latest"), cell(model="a")]
    wide = cell(num_ctx=8192)
    expected = (*(f"ctx 2048 · {one.id}" for one in twins), "ctx 8192")
    assert labels([*twins, wide]) == expected


def test_options_of_all_kinds_have_words() -> None:
    assert said("use_mmap", False) == "use_mmap off"
    assert said("stop", ("a", "b")) == "stop a b"
    assert said("temperature", 0.5) == "temperature 0.5"
    assert phrase("prompt_tokens", 64) == "prompts of 64 tokens"
    assert phrase("prompt_tokens", None) == "own prompts"
    assert phrase("cache", "cold") == "a cold cache"
    assert phrase("num_ctx", 2048) == "ctx 2048"


def test_a_mix_is_called_by_all_its_models() -> None:
    parts = [
        Share(model=name, base=name, quantization=None, weight=1.0, prompt_tokens=tokens, output_tokens=8)
        for name, tokens in (("a:1b", 64), ("b:1b", 64), ("a:1b", 400))
    ]
    assert labels([cell(model="a:1b", base="a:1b", mix=tuple(parts))]) == ("a:1b and b:1b",)
