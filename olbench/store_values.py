"""Values of the model <-> the JSON and the bytes of one row."""

from array import array
from dataclasses import replace
from typing import TypeVar

import msgspec

from olbench.model import NO_CHUNKS, Sample
from olbench.readings import Ints
from olbench.store_columns import pack_chunks, unpack_chunks

T = TypeVar("T")


def as_json(value: object) -> str:
    """Any value of the model as text."""
    # The columns of a response have bytes of their own and are empty here; those of a self-test are lists.
    return msgspec.json.encode(value, enc_hook=list).decode()


def from_json(text: str, kind: type[T]) -> T:
    """What `as_json` wrote."""
    return msgspec.json.decode(text, type=kind, dec_hook=_column)


def sample_row(sample: Sample) -> tuple[str, bytes]:
    """A sample without its chunks, and these."""
    return as_json(replace(sample, chunks=NO_CHUNKS)), pack_chunks(sample.chunks)


def sample_of(text: str, chunks: bytes) -> Sample:
    """What `sample_row` made. ValueError when the bytes are damaged."""
    sample = _SAMPLES.decode(text)
    # Nobody else has seen it yet, and `replace` would copy twenty fields of each of a hundred thousand samples.
    object.__setattr__(sample, "chunks", unpack_chunks(chunks))
    return sample


def _column(_kind: type, items: list[int]) -> Ints:
    return array("q", items)


_SAMPLES = msgspec.json.Decoder(Sample, dec_hook=_column)
