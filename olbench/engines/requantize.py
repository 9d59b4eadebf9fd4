"""A GGUF file of Q4_1 weights, written anew in another quantization."""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from olbench.engines.gguf_header import Header, Tensor, read

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_Q4_1 = 3
_SIZES: Mapping[int, tuple[int, int]] = {  # enum ggml_type -> weights in a block, bytes of a block
    0: (1, 4),  # F32
    1: (1, 2),  # F16
    2: (32, 18),  # Q4_0: a scale, 32 numbers of 4 bits
    _Q4_1: (32, 20),  # a scale, a least value, 32 numbers of 4 bits
    8: (32, 34),  # Q8_0: a scale, 32 numbers of 8 bits
}
_AT_ONCE = 2048  # blocks; what one step touches then stays in the processor's cache
_ALIGNMENT = 32
_TEXT = 8  # GGUF's type of a text


@dataclass(frozen=True, slots=True)
class Target:
    """A quantization to write: its name, its number among file types and tensor types, and blocks -> bytes."""

    name: str
    file_type: int
    tensor_type: int
    pack: Callable[[Floats], Bytes]


def requantize(source: Path, file: BinaryIO, to: Target, progress: Callable[[int, int], None]) -> None:
    """Write `source` to `file` with every Q4_1 tensor in another quantization; other tensors stay as they are.

    `progress` gets the bytes of weights written, and in all. The metadata is copied as it stands, but for the file's
    type and a description that says what was done: a vocabulary that is not taken apart need not be put together.
    """
    header = read(source)
    whole = np.memmap(source, dtype=np.uint8, mode="r")
    entries = tuple(_entries(header, to))
    file.write(_head(header, whole, entries, to))
    total = entries[-1].offset + _aligned(_size(entries[-1]))
    for old, new in zip(header.tensors, entries, strict=True):
        begin = header.data + old.offset
        weights = whole[begin : begin + _size(old)]
        file.writelines(_blocks(weights, to) if old.kind == _Q4_1 else [weights.tobytes()])
        file.write(bytes(_aligned(_size(new)) - _size(new)))
        progress(new.offset + _aligned(_size(new)), total)


def pack_q8_0(weights: Floats) -> Bytes:
    """Rows of 32 weights as blocks of Q8_0: the largest becomes 127, halves are rounded away from zero."""
    scale: Floats = np.abs(weights).max(axis=1, keepdims=True) / np.float32(127)
    steps: Floats = weights * _inverse(scale)
    rounded = np.trunc(steps + np.copysign(np.float32(0.5), steps)).astype(np.int8)
    return np.hstack([_f16(scale), rounded.view(np.uint8)])


def pack_q4_0(weights: Floats) -> Bytes:
    """Rows of 32 weights as blocks of Q4_0: the largest in size becomes -8; two numbers a byte, 16 places apart."""
    largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=1, keepdims=True), axis=1)
    scale: Floats = largest / np.float32(-8)
    steps = np.minimum(np.trunc(weights * _inverse(scale) + np.float32(8.5)), 15).astype(np.uint8)
    return np.hstack([_f16(scale), steps[:, :16] | (steps[:, 16:] << 4)])


def unpack_q4_1(blocks: Bytes) -> Floats:
    """Blocks of Q4_1 as rows of 32 weights."""
    scale, least = (blocks[:, at : at + 2].copy().view(np.float16).astype(np.float32) for at in (0, 2))
    steps = blocks[:, 4:]
    weights = np.empty((len(blocks), 32), dtype=np.float32)
    np.multiply(steps & 15, scale, out=weights[:, :16])
    np.multiply(steps >> 4, scale, out=weights[:, 16:])
    weights += least
    return weights


TARGETS = {
    "q8_0": Target("Q8_0", 7, 8, pack_q8_0),
    "q4_0": Target("Q4_0", 2, 2, pack_q4_0),
}


def _blocks(weights: Bytes, to: Target) -> Iterator[bytes]:
    blocks = weights.reshape(-1, _SIZES[_Q4_1][1])
    for at in range(0, len(blocks), _AT_ONCE):
        yield to.pack(unpack_q4_1(blocks[at : at + _AT_ONCE])).tobytes()


def _inverse(scale: Floats) -> Floats:
    return np.divide(np.float32(1), scale, out=np.zeros_like(scale), where=scale != 0)


def _f16(scale: Floats) -> Bytes:
    return scale.astype(np.float16).view(np.uint8)


def _entries(header: Header, to: Target) -> Iterator[Tensor]:
    """The tensors as they will stand in the new file."""
    offset = 0
    for tensor in header.tensors:
        new = replace(tensor, kind=to.tensor_type if tensor.kind == _Q4_1 else tensor.kind, offset=offset)
        yield new
        offset += _aligned(_size(new))


def _size(tensor: Tensor) -> int:
    if tensor.kind not in _SIZES:
        raise ValueError(f"tensor {tensor.name} is of ggml type {tensor.kind}, which is not handled here")
    weights, size = _SIZES[tensor.kind]
    return prod(tensor.shape) // weights * size


def _head(header: Header, whole: Bytes, entries: tuple[Tensor, ...], to: Target) -> bytes:
    metadata = bytearray(whole[slice(*header.metadata)].tobytes())
    struct.pack_into("<I", metadata, header.places["general.file_type"] - header.metadata[0], to.file_type)
    said = f"requantized to {to.name} from Q4_1 by olbench: its quality is that of Q4_1 at most"
    metadata += _text("general.description") + struct.pack("<I", _TEXT) + _text(said)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(entries), len(header.keys) + 1) + metadata
    head += b"".join(map(_entry, entries))
    return head.ljust(_aligned(len(head)), b"\0")


def _entry(tensor: Tensor) -> bytes:
    dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
    return _text(tensor.name) + dimensions + struct.pack("<IQ", tensor.kind, tensor.offset)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
