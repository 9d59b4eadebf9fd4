"""The header of a GGUF file: what is read from it, and what is said of a file that is none."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from olbench.engines.gguf_header import Header, Value, read

Write = Callable[[bytes], Path]


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def array(kind: int, values: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(values)) + b"".join(values)


def number(value: int) -> bytes:
    return struct.pack("<I", value)


def tensor(name: str, *shape: int, kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + sizes + struct.pack("<IQ", kind, offset)


def file(pairs: list[bytes], tensors: list[bytes], *, version: int = 3) -> bytes:
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(pairs))
    return head + b"".join(pairs) + b"".join(tensors)


PAIRS = [
    pair("general.architecture", 8, text("llama")),
    pair("general.file_type", 4, number(7)),
    pair("llama.block_count", 4, number(30)),
    pair("llama.embedding_length", 4, number(576)),
    pair("llama.attention.head_count", 4, number(9)),
    pair("llama.attention.head_count_kv", 4, number(3)),
    pair("llama.context_length", 4, number(8192)),
    pair("llama.rope.freq_base", 6, struct.pack("<f", 0.5)),
    pair("tokenizer.ggml.add_bos_token", 7, b"\x01"),
    pair("tokenizer.ggml.tokens", 9, array(8, [text("a"), text("通义"), text("")])),
    pair("tokenizer.ggml.token_type", 9, array(5, [number(6)] * 2000)),
]
TENSORS = [tensor("a.weight", 576, 100, kind=8), tensor("b.weight", 576, offset=61_200)]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(raw: bytes) -> Path:
        path = tmp_path / "some.gguf"
        path.write_bytes(raw)
        return path

    return to


def header(**changes: Value) -> Header:
    keys: dict[str, Value] = {
        "general.architecture": "x",
        "x.block_count": 4,
        "x.embedding_length": 64,
        "x.attention.head_count": 8,
    }
    return Header({**keys, **changes}, {}, (0, 0), (), 0)


def test_the_keys_are_the_files_own_and_a_vocabulary_is_left_out(write: Write) -> None:
    found = read(write(file(PAIRS, TENSORS)))
    assert found.keys["llama.context_length"] == 8192
    assert found.keys["llama.rope.freq_base"] == 0.5
    assert found.keys["tokenizer.ggml.add_bos_token"] is True
    assert found.keys["tokenizer.ggml.tokens"] is None
    assert found.keys["tokenizer.ggml.token_type"] is None


def test_weights_are_counted_from_the_shapes(write: Write) -> None:
    assert read(write(file(PAIRS, TENSORS))).parameters == 576 * 100 + 576


def test_places_are_where_the_values_are_in_the_file(write: Write) -> None:
    raw = file(PAIRS, TENSORS)
    found = read(write(raw))
    at = found.places["general.file_type"]
    assert raw[at : at + 4] == number(7)
    begin, end = found.metadata
    assert raw[begin:end] == b"".join(PAIRS)
    assert found.data % 32 == 0
    assert 0 <= found.data - len(raw) < 32


def test_quantization_has_ollamas_names(write: Write) -> None:
    assert read(write(file(PAIRS, TENSORS))).quantization == "Q8_0"
    assert header(**{"general.file_type": 0}).quantization == "F32"
    assert header(**{"general.file_type": 15}).quantization == "Q4_K_M"
    assert header(**{"general.file_type": 999}).quantization == "unknown"
    assert header().quantization == "unknown"


# layers x key-value heads x (key + value width) x 2 bytes, by hand
KV: dict[str, tuple[Header | None, int | None]] = {
    "SmolLM2-135M: 30 x 3 x (64 + 64) x 2": (None, 23_040),
    "no grouping: 4 x 8 x (8 + 8) x 2": (header(), 1024),
    "key and value widths of their own: 4 x 8 x (16 + 4) x 2": (
        header(**{"x.attention.key_length": 16, "x.attention.value_length": 4}),
        1280,
    ),
    "a layer without a cache: (2 + 0 + 2 + 2) x (8 + 8) x 2": (
        header(**{"x.attention.head_count_kv": (2, 0, 2, 2)}),
        192,
    ),
    "no layers said": (header(**{"x.block_count": None}), None),
    "no heads said": (header(**{"x.attention.head_count": None}), None),
}


@pytest.mark.parametrize("case", KV)
def test_bytes_of_a_cell_of_the_cache(case: str, write: Write) -> None:
    given, expected = KV[case]
    found = read(write(file(PAIRS, TENSORS))) if given is None else given
    assert found.kv_bytes_per_cell() == expected


def test_a_file_that_is_none_is_named_with_the_reason(write: Write) -> None:
    with pytest.raises(ValueError, match=r"^some\.gguf: not a GGUF file"):
        read(write(b"<html>"))
    with pytest.raises(ValueError, match=r"^some\.gguf: its GGUF version is 1; 2 and 3 can be read"):
        read(write(file(PAIRS, TENSORS, version=1)))
    with pytest.raises(ValueError, match=r"^some\.gguf: it holds a value of type 99"):
        read(write(file([pair("k", 99, b"")], [])))


def test_wherever_a_header_is_cut_it_is_said_to_end_in_the_middle(write: Write) -> None:
    raw = file(PAIRS[:4] + PAIRS[-2:-1], TENSORS[:1])
    for length in range(4, len(raw), 3):
        with pytest.raises(ValueError, match=r"some\.gguf: it ends in the middle of its header"):
            read(write(raw[:length]))


def test_a_length_from_outside_does_not_take_memory(write: Write) -> None:
    for huge in (array(8, [])[:4] + struct.pack("<Q", 2**60), array(4, [])[:4] + struct.pack("<Q", 2**60)):
        with pytest.raises(ValueError, match=r"ends in the middle|garbled"):
            read(write(file([pair("k", 9, huge)], [])))
    with pytest.raises(ValueError, match=r"ends in the middle"):
        read(write(file([pair("k", 8, struct.pack("<Q", 2**62))], [])))
