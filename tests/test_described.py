"""A model as the lists of the embedded engine describe it."""

from pathlib import Path

import pytest

from olbench.engines.described import resident_bytes, rounded, show, tag
from olbench.engines.gguf_header import Header, Tensor, Value
from olbench.engines.shelf import Model


def model(**changes: Value) -> Model:
    keys: dict[str, Value] = {
        "general.architecture": "llama",
        "general.file_type": 3,
        "llama.block_count": 30,
        "llama.embedding_length": 576,
        "llama.attention.head_count": 9,
        "llama.attention.head_count_kv": 3,
        "llama.context_length": 8192,
        "tokenizer.ggml.tokens": None,
        "tokenizer.chat_template": "{{ messages }}",
    }
    header = Header(keys | changes, {}, (0, 0), (Tensor("w", (1000, 134_520), 0, 0),), 0)
    return Model("smollm2:135m", Path("/models/a.gguf"), 98_362_432, 1_700_000_000 * 10**9, header)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (134_515_008, "134.52M"),
        (8_000_000_000, "8B"),
        (8_030_261_248, "8.0B"),
        (7_000_000, "7M"),
        (107_328, "107K"),
        (999, "999"),
    ],
)
def test_sizes_are_rounded_as_ollama_rounds_them(count: int, text: str) -> None:
    assert rounded(count) == text


def test_what_is_resident_is_the_weights_and_the_cells_of_all_slots() -> None:
    # 23,040 bytes a cell; 300 tokens take 512 cells, as llama.cpp rounds a slot up to 256
    assert resident_bytes(model(), 2048, 2) == 98_362_432 + 2 * 2048 * 23_040
    assert resident_bytes(model(), 300, 2) == 98_362_432 + 2 * 512 * 23_040
    assert resident_bytes(model(**{"llama.block_count": None}), 300, 2) == 98_362_432


def test_a_tag_has_what_a_list_shows() -> None:
    row = tag(model(), "ab" * 32)
    assert (row["name"], row["model"], row["digest"]) == ("smollm2:135m", "smollm2:135m", "ab" * 32)
    assert row["details"] == {
        "parent_model": "",
        "format": "gguf",
        "family": "llama",
        "families": ["llama"],
        "parameter_size": "134.52M",
        "quantization_level": "Q4_1",
        "context_length": 8192,
        "embedding_length": 576,
    }
    assert row["modified_at"].startswith("2023-11-1")


def test_show_gives_the_keys_of_the_file_but_no_arrays() -> None:
    many = model(**{"llama.attention.head_count_kv": (3, 3)})
    brief, long = show(many, verbose=False), show(many, verbose=True)
    assert brief["model_info"]["llama.attention.head_count_kv"] is None
    assert long["model_info"]["llama.attention.head_count_kv"] == (3, 3)
    assert brief["model_info"]["general.parameter_count"] == 134_520_000
    assert brief["template"] == "{{ messages }}"
    assert "tokenizer.chat_template" not in brief["model_info"]
    assert "FROM /models/a.gguf\n" in brief["modelfile"]
    assert brief["capabilities"] == ["completion"]
