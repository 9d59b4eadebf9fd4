"""Columns of numbers <-> compressed bytes, little-endian whatever the machine."""

import struct
import sys
import zlib
from array import array

from olbench.model import NO_CHUNKS, Chunks
from olbench.readings import Floats, Ints

_COUNT = struct.Struct("<I")
_LEVEL = 1  # stamps hardly shrink further, and the store must not be what a run waits for


def pack(*columns: Ints | Floats) -> bytes:
    """Columns of eight-byte numbers, all of one length."""
    return zlib.compress(b"".join([_COUNT.pack(len(columns[0])), *map(_little, columns)]), _LEVEL)


def pack_chunks(chunks: Chunks) -> bytes:
    """The columns of a response; nothing at all for a response without lines."""
    if not len(chunks):
        return b""
    body = [
        _COUNT.pack(len(chunks)),
        _little(chunks.arrived_ns),
        _little(chunks.created_ns),
        chunks.kind,
    ]
    return zlib.compress(b"".join(body), _LEVEL)


def unpack_chunks(blob: bytes) -> Chunks:
    """What `pack_chunks` wrote. ValueError when the bytes are damaged."""
    if not blob:
        return NO_CHUNKS
    raw, size = _open(blob)
    return Chunks(_column("q", raw[:size]), _column("q", raw[size : 2 * size]), raw[2 * size :])


def unpack_points(blob: bytes) -> tuple[Ints, Floats]:
    """Stamps and values of a series. ValueError when the bytes are damaged."""
    raw, size = _open(blob)
    return _column("q", raw[:size]), _column("d", raw[size : 2 * size])


def _open(blob: bytes) -> tuple[bytes, int]:
    """The columns' bytes, and how many of them one column of numbers has."""
    try:
        raw = zlib.decompress(blob)
        (count,) = _COUNT.unpack_from(raw)
    except (zlib.error, struct.error) as fault:
        raise ValueError(f"a column of numbers is damaged: {fault}") from fault
    if len(raw) < _COUNT.size + 16 * count:
        raise ValueError("a column of numbers is damaged: it is too short")
    return raw[_COUNT.size :], 8 * count


def _little(column: Ints | Floats) -> bytes:
    if sys.byteorder == "little":
        return column.tobytes()
    turned = array(column.typecode, column)
    turned.byteswap()
    return turned.tobytes()


def _column(typecode: str, raw: bytes) -> "array":  # type: ignore[type-arg]  # q or d, as the caller knows
    column = array(typecode, raw)
    if sys.byteorder == "big":
        column.byteswap()
    return column
