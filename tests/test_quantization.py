"""A model at a quantization -> the installed tag: by table, by convention, by what the server says."""

from dataclasses import replace

import pytest
from cards import installed

from olbench import quantization


@pytest.mark.parametrize(
    ("base", "label", "catalog", "found"),
    [
        # the library's convention
        ("llama3.2:3b-instruct", "q8_0", ["llama3.2:3b-instruct-q8_0=Q8_0"], "llama3.2:3b-instruct-q8_0"),
        ("llama3.2:3b", "q4_K_M", ["llama3.2:3b-instruct-q4_K_M=Q4_K_M"], "llama3.2:3b-instruct-q4_K_M"),
        ("llama3.2:3b", "Q4_k_m", ["llama3.2:3b-instruct-q4_K_M=Q4_K_M"], "llama3.2:3b-instruct-q4_K_M"),
        ("qwen2.5:0.5b", "f16", ["qwen2.5:0.5b-instruct-fp16=F16"], "qwen2.5:0.5b-instruct-fp16"),
        ("qwen2.5:0.5b", "fp16", ["qwen2.5:0.5b-instruct-fp16=F16"], "qwen2.5:0.5b-instruct-fp16"),
        ("qwen3:4b", "q8_0", ["qwen3:4b-thinking-q8_0=Q8_0", "qwen3:4b-q8_0=Q8_0"], "qwen3:4b-q8_0"),
        # a base that names a quantization itself
        (
            "llama3.2:3b-instruct-q4_K_M",
            "q8_0",
            ["llama3.2:3b-instruct-q8_0=Q8_0"],
            "llama3.2:3b-instruct-q8_0",
        ),
        # the base itself, when it has the level
        ("llama3.2:3b", "q4_K_M", ["llama3.2:3b=Q4_K_M"], "llama3.2:3b"),
        ("smollm2:135m", "q4_0", ["smollm2:135m=Q4_1", "smollm2:135m-q4_0=Q4_0"], "smollm2:135m-q4_0"),
        # what the server says, under whatever tag
        ("mine:3b", "q8_0", ["mine:3b-better=Q8_0", "mine:3b=Q4_0"], "mine:3b-better"),
        ("hf.co/a/b", "q8_0", ["hf.co/a/b:Q4_K_M=Q4_K_M", "hf.co/a/b:Q8_0=Q8_0"], "hf.co/a/b:Q8_0"),
        # what the tag says, where the server says nothing
        ("old:7b", "q8_0", ["old:7b-q8_0=unknown"], "old:7b-q8_0"),
        ("old:7b", "q8_0", ["old:7b-chat-q8_0="], "old:7b-chat-q8_0"),
        # a model that answers comes before one that completes
        (
            "some:7b",
            "q8_0",
            ["some:7b-text-q8_0=Q8_0", "some:7b-assistant-q8_0=Q8_0"],
            "some:7b-assistant-q8_0",
        ),
        # none
        ("llama3.2:3b", "q8_0", ["llama3.2:3b=Q4_K_M"], None),
        ("llama3.2:3b", "q8_0", ["llama3.2:1b-instruct-q8_0=Q8_0"], None),
        ("llama3.2:3b", "q8_0", ["llama3.1:3b-instruct-q8_0=Q8_0"], None),
        (
            "llama3.2:3b",
            "q8_0",
            ["llama3.2:3b-instruct-q8_0=Q4_0"],
            None,
        ),  # its name says one thing, it is another
        ("llama3.2:3b", "q8_0", [], None),
    ],
)
def test_a_quantization_finds_its_tag(base: str, label: str, catalog: list[str], found: str | None) -> None:
    assert quantization.resolve(base, label, installed(*catalog), {}) == found


def test_the_table_of_the_scenario_decides_alone() -> None:
    cards = installed("my-llama:q8=Q8_0", "llama3.2:3b-instruct-q8_0=Q8_0")
    table = {"Llama3.2:3b": {"Q8_0": "my-llama:q8"}}
    assert quantization.resolve("llama3.2:3b", "q8_0", cards, table) == "my-llama:q8"
    assert quantization.resolve("llama3.2:3b", "q8_0", cards[1:], table) is None


def test_tags_of_the_same_digest_are_one_model() -> None:
    cards = installed("qwen3:4b=Q4_K_M@aa", "qwen3:4b-q4_K_M=Q4_K_M@aa", "qwen3:4b-mine=Q4_K_M@bb")
    assert quantization.matches("qwen3:4b", "q4_K_M", cards, {}) == ("qwen3:4b-q4_K_M", "qwen3:4b-mine")


def test_a_base_without_tag_takes_tags_of_its_own_size() -> None:
    base, small, large = installed("m:latest=Q4_0", "m:1b-q8_0=Q8_0", "m:8b-q8_0=Q8_0")
    cards = [base, replace(small, parameter_size="1.2B"), large]
    assert quantization.resolve("m", "q8_0", cards, {}) == "m:8b-q8_0"


def test_a_model_in_the_cloud_is_no_tag_to_measure() -> None:
    (card,) = installed("m:8b-q8_0=Q8_0")
    assert quantization.resolve("m:8b", "q8_0", [replace(card, remote="ollama.com")], {}) is None


@pytest.mark.parametrize(
    ("base", "label", "tag"),
    [
        ("llama3.2:3b-instruct", "q8_0", "llama3.2:3b-instruct-q8_0"),
        ("llama3.2:3b", "q4_k_m", "llama3.2:3b-instruct-q4_K_M"),
        ("gemma3:4b", "f16", "gemma3:4b-it-fp16"),
        ("qwen3:4b", "Q8_0", "qwen3:4b-q8_0"),
        ("llama3.2:3b-instruct-q4_K_M", "q6_k", "llama3.2:3b-instruct-q6_K"),
        ("smollm2:135m", "q4_0", "smollm2:135m-instruct-q4_0"),
        ("hf.co/a/b:Q4_K_M", "q8_0", "hf.co/a/b:Q8_0"),
        ("host:5000/a/b:7b", "q8_0", "host:5000/a/b:7b-q8_0"),
        ("llama3.2", "q8_0", "llama3.2:q8_0"),
    ],
)
def test_the_tag_to_pull_follows_the_librarys_convention(base: str, label: str, tag: str) -> None:
    assert quantization.wanted_tag(base, label) == tag


def test_the_tag_to_pull_is_the_tables_where_it_has_one() -> None:
    assert quantization.wanted_tag("m:3b", "q8_0", {"m:3b": {"q8_0": "my:q8"}}) == "my:q8"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("llama3.2", "llama3.2:latest"),
        ("Llama3.2:3B", "llama3.2:3b"),
        ("registry.ollama.ai/library/llama3.2:3b", "llama3.2:3b"),
        ("host:5000/me/x", "host:5000/me/x:latest"),
        ("通义千问:7b", "通义千问:7b"),
    ],
)
def test_names_are_compared_as_a_server_compares_them(name: str, canonical: str) -> None:
    assert quantization.canonical(name) == canonical
