"""What a GGUF file says of itself, read in milliseconds: metadata and tensor shapes, never the weights."""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

Value = bool | int | float | str | tuple[bool | int | float, ...] | None  # None: an array that is not kept

_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_U32, _U64, _STRING, _ARRAY = _SCALARS[4], _SCALARS[10], 8, 9
_KEPT = 1024  # entries; per-layer arrays are kept, a vocabulary is not
_F16 = 2  # bytes
ALIGNMENT = 32  # of the weights, in bytes; a file may say otherwise, but none that is rewritten here does

# general.file_type, as llama.cpp numbers it (enum llama_ftype) and Ollama names it.
_FILE_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    21: "Q2_K_S",
    22: "IQ3_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    28: "IQ2_S",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    36: "TQ1_0",
    37: "TQ2_0",
    38: "MXFP4_MOE",
}
# enum ggml_type of llama.cpp, named as Ollama names it.
TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    29: "IQ1_M",
    30: "BF16",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor's entry: its shape with the row's length first, and where its bytes are, from `Header.data`."""

    name: str
    shape: tuple[int, ...]
    kind: int  # enum ggml_type
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """Metadata under the file's own keys, and what is needed to write the file anew with other weights."""

    keys: Mapping[str, Value]
    places: Mapping[str, int]  # key -> where its value begins in the file
    metadata: tuple[int, int]  # where the pairs of key and value begin and end in the file
    tensors: tuple[Tensor, ...]
    data: int  # where the weights begin in the file

    @property
    def parameters(self) -> int:
        """The number of weights."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def architecture(self) -> str:
        """The prefix of all keys that belong to the architecture; "" where the file does not say."""
        return str(self.keys.get("general.architecture") or "")

    @property
    def quantization(self) -> str:
        """The quantization by Ollama's names; "unknown" where the file does not say."""
        kind = self.number("general.file_type")
        return "unknown" if kind is None else _FILE_TYPES.get(kind, "unknown")

    @property
    def context_length(self) -> int | None:
        """The context that the model was trained for."""
        return self.own("context_length")

    def number(self, key: str) -> int | None:
        """A whole number under a full key."""
        value = self.keys.get(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def own(self, key: str) -> int | None:
        """A whole number under a key of the architecture."""
        return self.number(f"{self.architecture}.{key}")

    def kv_bytes_per_cell(self) -> int | None:
        """Bytes that one position of one sequence takes in a cache of f16 keys and values; None: cannot be told."""
        layers = self.own("block_count")
        if layers is None:
            return None
        heads = self._per_layer("attention.head_count", layers)
        groups = self._per_layer("attention.head_count_kv", layers) or heads
        if not heads or not max(heads):
            return None
        width = (self.own("embedding_length") or 0) // max(heads)
        both = (self.own("attention.key_length") or width) + (self.own("attention.value_length") or width)
        return sum(groups) * both * _F16 if both else None

    def _per_layer(self, key: str, layers: int) -> list[int]:
        value = self.keys.get(f"{self.architecture}.{key}")
        values = value if isinstance(value, tuple) else (value,) * layers
        return [one for one in values if isinstance(one, int)] if len(values) == layers else []


def read(path: Path) -> Header:
    """The header of the file. ValueError says what is wrong with it, OSError that it cannot be read."""
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise ValueError(f"{path.name}: not a GGUF file, it does not begin with the letters GGUF")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _header(_Cursor(data))
            except (struct.error, IndexError) as fault:
                raise ValueError(
                    f"{path.name}: it ends in the middle of its header, or is garbled"
                ) from fault
            except ValueError as fault:
                raise ValueError(f"{path.name}: {fault}") from fault


class _Cursor:
    """A place in the file that moves on as values are read."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.at = 4

    def scalar(self, kind: struct.Struct) -> int:
        value: int = kind.unpack_from(self._data, self.at)[0]
        self.at += kind.size
        return value

    def string(self) -> str:
        length = self.scalar(_U64)
        self.skip(length)
        return self._data[self.at - length : self.at].decode("utf-8", "replace")

    def skip(self, size: int) -> None:
        if size > len(self._data) - self.at:
            raise IndexError
        self.at += size

    def skip_strings(self, count: int) -> None:
        # A vocabulary has a hundred thousand of them: this loop is the time that reading takes.
        at, data, length = self.at, self._data, _U64.unpack_from
        for _ in range(count):
            at += 8 + length(data, at)[0]
        self.at = at


def _header(cursor: _Cursor) -> Header:
    version = cursor.scalar(_U32)
    if version not in (2, 3):
        raise ValueError(f"its GGUF version is {version}; 2 and 3 can be read")
    count, pairs = cursor.scalar(_U64), cursor.scalar(_U64)
    keys: dict[str, Value] = {}
    places: dict[str, int] = {}
    begin = cursor.at
    for _ in range(pairs):
        key, kind = cursor.string(), cursor.scalar(_U32)
        places[key] = cursor.at
        keys[key] = _value(cursor, kind)
    metadata = (begin, cursor.at)
    tensors = tuple(_tensor(cursor) for _ in range(count))
    return Header(keys, places, metadata, tensors, -(-cursor.at // ALIGNMENT) * ALIGNMENT)


def _value(cursor: _Cursor, kind: int) -> Value:
    if kind == _STRING:
        return cursor.string()
    if kind == _ARRAY:
        return _array(cursor, cursor.scalar(_U32), cursor.scalar(_U64))
    return cursor.scalar(_scalar(kind))


def _array(cursor: _Cursor, kind: int, count: int) -> Value:
    if kind == _STRING:
        cursor.skip_strings(count)
        return None
    scalar = _scalar(kind)
    if count > _KEPT:
        cursor.skip(count * scalar.size)
        return None
    return tuple(cursor.scalar(scalar) for _ in range(count))


def _scalar(kind: int) -> struct.Struct:
    if kind not in _SCALARS:
        raise ValueError(f"it holds a value of type {kind}, which GGUF does not have here")
    return _SCALARS[kind]


def _tensor(cursor: _Cursor) -> Tensor:
    name = cursor.string()
    shape = tuple(cursor.scalar(_U64) for _ in range(cursor.scalar(_U32)))
    return Tensor(name, shape, cursor.scalar(_U32), cursor.scalar(_U64))
