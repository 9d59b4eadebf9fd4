"""Responses that were right once: seeds, the words that break them, and dice."""

import random
from pathlib import Path

HERE = Path(__file__).parent
SEEDS = sorted((HERE / "corpus").iterdir())
WORDS = HERE / "http.dict"


def tokens() -> list[bytes]:
    """The words of the dictionary, which is libFuzzer's: one a line, in quotes."""
    quoted = [one for one in WORDS.read_text(encoding="ascii").splitlines() if one.startswith('"')]
    return [one[1:-1].encode("ascii").decode("unicode_escape").encode("latin-1") for one in quoted]


def mutated(dice: random.Random, seeds: list[bytes], words: list[bytes]) -> bytes:
    """A seed with one to six things done to it."""
    data = bytearray(dice.choice(seeds))
    for _ in range(dice.randint(1, 6)):
        at = dice.randint(0, len(data))
        to = min(len(data), at + dice.choice((1, 1, 2, 8, 64)))
        other = dice.choice(seeds)
        pieces = (
            b"",  # cut out
            bytes(data[at:to]) * dice.randint(1, 40),
            dice.choice(words),
            dice.randbytes(to - at),
            other[dice.randint(0, len(other)) :],
        )
        data[at : dice.choice((at, to, to))] = dice.choice(pieces)
    return bytes(data)
