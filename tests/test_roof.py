"""How near decoding comes to what memory allows."""

from typing import Any

import pytest
from records import card, cell, observation, placement, sample

from olbench import roof
from olbench.gist import Told, gist
from olbench.model import Facts, Placement
from olbench.roof import of
from olbench.thresholds import limits

CPU: Facts = {"ram.bandwidth": 10e9, "ram.bandwidth_by": "measured on 2 threads"}
GPU: Facts = {"gpu0.bandwidth": 100e9, "gpu0.bandwidth_by": "the driver's bus width and memory clock"}
ONE = cell(model="a:1b")
IN_RAM = placement(size=1000, size_vram=0)
HALF = placement(size=1000, size_vram=500)
ON_CARD = placement(size=1000, size_vram=1000)


def told(
    *places: Placement | None,
    facts: Facts = CPU,
    of: Any = ONE,
    model: dict[str, Any] | None = None,
    **of_sample: Any,
) -> Told:
    # 10 tokens in 0.9 s are 10 steps a second; a prompt of 95 tokens and half of the answer are 100 tokens deep.
    one = {"n": 10, "gap_s": 0.1, "prompt_tokens": 95, **of_sample}
    seen = [
        observation(of, [sample(**one), sample(**one)], repeat=repeat, placement=place)
        for repeat, place in enumerate(places)
    ]
    known = {"touched": 90_000_000, "size": 120_000_000, "kv_bytes_per_token": 100_000.0}
    return Told(
        of, len(seen), tuple(map(gist, seen)), facts=facts, card=card("a:1b", **{**known, **(model or {})})
    )


def share(found: Told) -> float | None:
    return of(found).share.value


def test_the_share_is_bytes_of_a_token_times_steps_by_bandwidth() -> None:
    found = of(told(IN_RAM, IN_RAM, IN_RAM))
    # (90 MB of weights + 100 tokens of 100 kB) x 10 steps a second, of 10 GB/s
    assert found.per_token == 100e6
    assert found.share.value == pytest.approx(0.1)
    assert found.share.low == pytest.approx(0.1)
    assert found.share.high == pytest.approx(0.1)
    assert (found.bandwidth, found.by) == (10e9, "measured on 2 threads")


PLACES = [
    ("on the card", told(ON_CARD, facts=CPU | GPU), 0.01, 100e9, "the driver's bus width and memory clock"),
    # half of the bytes at 10 GB/s and half at 100: 1 / (0.5/10 + 0.5/100) = 18.18 GB/s
    (
        "half on it",
        told(HALF, facts=CPU | GPU),
        0.055,
        200e9 / 11,
        "measured on 2 threads and the driver's bus width and memory clock",
    ),
    (
        "unified memory",
        told(ON_CARD, facts=CPU | {"unified.bandwidth": 50e9, "unified.bandwidth_by": "vendor's table"}),
        0.02,
        50e9,
        "vendor's table",
    ),
    # The slowest of several cards: layers go through all of them.
    (
        "two cards",
        told(ON_CARD, facts=GPU | {"gpu1.bandwidth": 50e9}),
        0.02,
        50e9,
        "the driver's bus width and memory clock",
    ),
]


@pytest.mark.parametrize(
    ("found", "part", "rate", "by"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES]
)
def test_bandwidth_is_that_of_the_memory_where_the_model_lies(
    found: Told, part: float, rate: float, by: str
) -> None:
    seen = of(found)
    assert seen.share.value == pytest.approx(part)
    assert seen.bandwidth == pytest.approx(rate)
    assert seen.by == by


def test_keys_and_values_of_a_smaller_type_are_fewer_bytes() -> None:
    found = of(told(IN_RAM, facts=CPU | {"server.env.OLLAMA_KV_CACHE_TYPE": "q8_0"}))
    assert found.per_token == 90e6 + 100 * 100_000 * 34 / 64


UNKNOWN = [
    (
        told(IN_RAM, of=cell(model="a:1b", concurrency=2)),
        "several streams share one reading of the weights: given for one stream",
    ),
    (told(None), "the server does not say where the model lies"),
    (told(IN_RAM, ON_CARD, facts=CPU | GPU), "the model lay in other places from visit to visit"),
    (told(IN_RAM, facts={}), "the bandwidth of the memory that the model lies in is unknown"),
    (told(ON_CARD), "the bandwidth of the memory that the model lies in is unknown"),
    (
        told(IN_RAM, model={"touched": None, "experts": (2, 8)}),
        "the server does not say how many bytes of the model a token reads",
    ),
    (
        told(IN_RAM, model={"kv_bytes_per_token": None}),
        "the server does not say how large keys and values are",
    ),
    (
        told(IN_RAM, facts=CPU | {"server.env.OLLAMA_KV_CACHE_TYPE": "iq4_nl"}),
        "the server does not say how large keys and values are",
    ),
]


@pytest.mark.parametrize(("found", "reason"), UNKNOWN)
def test_what_is_unknown_is_said(found: Told, reason: str) -> None:
    seen = of(found)
    assert (seen.share.value, seen.share.reason) == (None, reason)
    assert list(roof.doubts(found, seen)) == []


def test_the_whole_file_stands_in_for_tensors_that_are_not_listed() -> None:
    assert of(told(IN_RAM, model={"touched": None})).per_token == 120e6 + 10e6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.1, "decoding uses only 10 % of what memory gives (10.0 GB/s)"),
        (0.1 / 5, None),
        (
            0.1 / 12,
            "decoding needs 120 % of what memory gives (10.0 GB/s): less than the whole model is read for a token",
        ),
    ],
)
def test_a_share_that_cannot_be_right_is_doubted(seconds: float, words: str | None) -> None:
    found = told(IN_RAM, gap_s=seconds)
    doubts = list(roof.doubts(found, of(found)))
    assert [sentence for sentence, _ in doubts] == ([words] if words else [])
    assert all(action for _, action in doubts)


def test_a_mixture_is_told_as_what_it_is() -> None:
    found = told(IN_RAM, gap_s=0.1 / 12, model={"experts": (2, 8)})
    ((_, action),) = roof.doubts(found, of(found))
    assert action.startswith("a mixture of experts reads a part of its weights")
    assert found.limits == limits({})
