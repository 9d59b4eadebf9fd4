"""Models as servers of all ages describe them."""

from hashlib import sha256
from typing import Any

import pytest

from olbench.apis.ollama_cards import of_ps, of_show, of_tags, own_parameters
from olbench.model import ModelCard, Resident

DETAILS = {
    "format": "gguf",
    "family": "llama",
    "parameter_size": "134.52M",
    "quantization_level": "Q8_0",
}
TAG = {"name": "tiny:1b", "model": "tiny:1b", "size": 145, "digest": "ab" * 32, "details": DETAILS}
SHOWN: dict[str, Any] = {
    "details": DETAILS,
    "model_info": {
        "general.architecture": "llama",
        "general.parameter_count": 134_515_008,
        "llama.context_length": 8192,
        "llama.block_count": 30,
        "llama.attention.head_count_kv": 3,
        "llama.attention.key_length": 64,
        "llama.attention.value_length": 64,
    },
    "capabilities": ["completion", "tools"],
    "parameters": 'temperature                    0.7\nstop                           "<|im_end|>"',
    "system": "Be brief.",
    "template": "{{ .Prompt }}",
    "modelfile": f"# FROM tiny:1b\n\nFROM /root/.ollama/models/blobs/sha256-{'0' * 64}\nTEMPLATE x\n",
}


def test_a_row_of_the_list_is_a_card_without_what_only_show_knows() -> None:
    assert of_tags({"models": [TAG]}) == (
        ModelCard(
            name="tiny:1b",
            digest="ab" * 32,
            size=145,
            format="gguf",
            family="llama",
            parameter_size="134.52M",
            parameter_count=None,
            quantization="Q8_0",
            context_length=None,
            capabilities=None,
            parameters=(),
            system=None,
            template_sha256=None,
            blob=None,
            kv_bytes_per_token=None,
            remote=None,
        ),
    )


def test_a_newer_server_lists_more() -> None:
    details = {**DETAILS, "context_length": 8192}
    row = TAG | {"capabilities": ["completion"], "details": details, "remote_host": "https://example.com"}
    (card,) = of_tags({"models": [row]})
    assert (card.capabilities, card.context_length, card.remote) == (
        ("completion",),
        8192,
        "https://example.com",
    )


@pytest.mark.parametrize(
    "answer", [{}, {"models": None}, {"models": []}, {"models": ["tiny"]}, {"models": [{}]}]
)
def test_a_list_of_nothing_is_no_cards(answer: dict[str, Any]) -> None:
    assert of_tags(answer) == ()
    assert of_ps(answer) == ()


def test_a_row_of_an_old_server_has_only_one_of_the_names() -> None:
    assert [one.name for one in of_tags({"models": [{"model": "a"}, {"name": "b"}]})] == ["a", "b"]


def test_what_show_says_is_joined_with_the_row() -> None:
    (row,) = of_tags({"models": [TAG]})
    assert of_show("TINY:1b", SHOWN, row) == ModelCard(
        name="tiny:1b",
        digest="ab" * 32,
        size=145,
        format="gguf",
        family="llama",
        parameter_size="134.52M",
        parameter_count=134_515_008,
        quantization="Q8_0",
        context_length=8192,
        capabilities=("completion", "tools"),
        parameters=(("stop", "<|im_end|>"), ("temperature", "0.7")),
        system="Be brief.",
        template_sha256=sha256(b"{{ .Prompt }}").hexdigest(),
        blob=f"sha256-{'0' * 64}",
        kv_bytes_per_token=30 * 3 * (64 + 64) * 2,
        kv_bytes_per_slot=0.0,
        remote=None,
    )


def test_a_model_without_a_row_has_the_name_it_was_asked_for_by() -> None:
    card = of_show("gone:1b", SHOWN, None)
    assert (card.name, card.digest, card.size) == ("gone:1b", None, None)


def test_an_old_server_that_shows_nothing_leaves_everything_unknown() -> None:
    card = of_show("old:1b", {"model_info": None, "details": [], "parameters": 7}, None)
    unknown = (card.format, card.family, card.quantization, card.context_length, card.capabilities, card.blob)
    assert unknown == (None,) * 6
    assert (card.parameters, card.kv_bytes_per_token, card.template_sha256) == ((), None, None)


def test_a_context_that_show_does_not_say_is_the_rows() -> None:
    (row,) = of_tags({"models": [TAG | {"details": {**DETAILS, "context_length": 4096}}]})
    assert of_show("tiny:1b", {}, row).context_length == 4096


@pytest.mark.parametrize(
    ("modelfile", "blob"),
    [
        (rf"FROM C:\Users\a b\.ollama\models\blobs\sha256-{'1' * 64}", f"sha256-{'1' * 64}"),
        (f"FROM /models/blobs/sha256:{'2' * 64}\n", f"sha256-{'2' * 64}"),
        (f"# FROM /models/blobs/sha256-{'3' * 64}\nFROM tiny:1b", None),
        ("FROM tiny:1b", None),
        ("", None),
    ],
)
def test_the_weights_are_a_blobs_name_and_never_a_path(modelfile: str, blob: str | None) -> None:
    assert of_show("a", {"modelfile": modelfile}, None).blob == blob


def test_a_model_in_the_cloud_says_where() -> None:
    assert (
        of_show("big:cloud", {"remote_host": "https://example.com:443"}, None).remote
        == "https://example.com:443"
    )


def test_models_in_memory_have_their_split() -> None:
    row = {"name": "tiny:1b", "digest": "ab", "size": 300, "size_vram": 200, "context_length": 4096}
    assert of_ps({"models": [row]}) == (
        Resident(name="tiny:1b", digest="ab", size=300, size_vram=200, context_length=4096),
    )


def test_memory_on_the_gpu_that_is_left_out_is_none_of_it_and_a_context_left_out_is_unknown() -> None:
    (found,) = of_ps({"models": [{"model": "tiny:1b", "size": 300}]})
    assert found == Resident(name="tiny:1b", digest=None, size=300, size_vram=0, context_length=None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ()),
        ("num_ctx                        4096", (("num_ctx", "4096"),)),
        ('stop "<a>"\nstop "<b>"', (("stop", "<a>"), ("stop", "<b>"))),
        ('stop "two words"\n\n', (("stop", "two words"),)),
        ("top_k 40\nmin_p 0.05\n", (("min_p", "0.05"), ("top_k", "40"))),
        ("lonely", ()),
    ],
)
def test_a_models_own_parameters_are_sorted(text: str, found: tuple[tuple[str, str], ...]) -> None:
    assert own_parameters(text) == found
