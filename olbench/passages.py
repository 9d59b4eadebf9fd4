"""Synthetic natural text: a chronicle of distinct sentences in English or Chinese, cut to any size.

The size of a passage is its number of words (en) or characters (zh). Each sentence stands on a line of its own,
because tokenizers split at line ends: the tokens of a passage are then the sum of the tokens of its lines, in
whatever order they come. So all passages of one size hold the same lines and have the same number of tokens.
"""

import random
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, chain
from typing import Literal

from olbench import passages_en, passages_en_words, passages_zh, passages_zh_words

Language = Literal["en", "zh"]

_SLOT = re.compile(r"\{(\w+)\}")
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_OPEN = re.compile(r"[\[{]")
_OPENING_WORDS = 6
_FILLER = -1  # the pattern of the line that fills up


@dataclass(frozen=True, slots=True)
class Sentence:
    """One line of the chronicle; `pattern` is what it was made from."""

    text: str
    pattern: int
    size: int


@dataclass(frozen=True, slots=True)
class _Tongue:
    """What makes the chronicle of one language."""

    patterns: Sequence[str]
    slots: Mapping[str, Sequence[str]]
    size: Callable[[str], int]
    clauses: Mapping[int, Sequence[str]]  # by size, each with the mark that follows it
    notes: Sequence[str]  # lines of the sizes that no clause has: notes[0] is "", notes[1] has size 1, ...
    comma: str
    stop: str
    opening: Sequence[str]  # 256 plain words or more: at least eight bits each
    between: str  # two words of the opening
    closing: str  # makes the model write on; last, because what stands first would be cached


def _words(text: str) -> int:
    return len(text.split())


_TONGUES: Mapping[Language, _Tongue] = {
    "en": _Tongue(
        passages_en.PATTERNS,
        passages_en_words.SLOTS,
        _words,
        passages_en.CLAUSES,
        passages_en.NOTES,
        ", ",
        ".",
        passages_en_words.OPENING,
        " ",
        passages_en.CLOSING,
    ),
    "zh": _Tongue(
        passages_zh.PATTERNS,
        passages_zh_words.SLOTS,
        len,
        passages_zh.CLAUSES,
        passages_zh.NOTES,
        "，",
        "。",
        passages_zh_words.OPENING,
        "、",
        passages_zh.CLOSING,
    ),
}


def size_of(language: Language, text: str) -> int:
    """Words (en) or characters (zh) of the lines of `text`."""
    return sum(_TONGUES[language].size(line) for line in text.splitlines())


def opening(language: Language, nonce: str) -> str:
    """A line of six plain words drawn by `nonce`: 48 bits or more, in nearly the same number of tokens each time."""
    tongue = _TONGUES[language]
    return tongue.between.join(random.Random(nonce).choices(tongue.opening, k=_OPENING_WORDS))


def closing(language: Language) -> str:
    """The sentence that makes a model write on at length; it ends every synthetic prompt."""
    return _TONGUES[language].closing


def passage(language: Language, size: int, seed: str) -> str:
    """The first sentences of the chronicle and a line that fills up to `size`, in an order drawn by `seed`."""
    lines = list(_first(language, size)) if size > 0 else []
    rest = size - sum(line.size for line in lines)
    if rest > 0:
        lines.append(Sentence(filler(language, rest), _FILLER, rest))
    return "\n".join(line.text for line in _shuffled(lines, random.Random(seed)))


def filler(language: Language, size: int) -> str:
    """A line of exactly that size, made of short clauses; "" for 0."""
    tongue = _TONGUES[language]
    if size < len(tongue.notes):
        return tongue.notes[size]
    parts = -(-size // max(tongue.clauses))
    sizes = [(size + place) // parts for place in range(parts)]
    unused = {each: iter(clauses) for each, clauses in tongue.clauses.items()}
    return _capital(tongue.comma.join(next(unused[each]) for each in sizes) + tongue.stop)


def chronicle(language: Language, sentences: int) -> tuple[Sentence, ...]:
    """The first sentences of the chronicle: no two alike, neighbours from different patterns, ever the same."""
    return _chronicle(language, max(64, 1 << (sentences - 1).bit_length()))[:sentences]


def _first(language: Language, size: int) -> tuple[Sentence, ...]:
    """As many whole sentences from the beginning as `size` has room for."""
    limit = 64
    while True:
        sizes = list(accumulate(sentence.size for sentence in _chronicle(language, limit)))
        if sizes[-1] > size:
            return _chronicle(language, limit)[: bisect_right(sizes, size)]
        limit *= 2


@cache
def _chronicle(language: Language, sentences: int) -> tuple[Sentence, ...]:
    tongue = _TONGUES[language]
    rng = random.Random(f"chronicle {language}")
    made: dict[str, Sentence] = {}
    last = -1
    while len(made) < sentences:
        # Every round uses each pattern once, so that even a short passage is varied.
        order = rng.sample(range(len(tongue.patterns)), len(tongue.patterns))
        if order[0] == last:
            order.reverse()
        for pattern in order:
            text = _distinct(tongue, pattern, rng, made)
            made[text] = Sentence(text, pattern, tongue.size(text))
        last = order[-1]
    return tuple(made.values())[:sentences]


def _distinct(tongue: _Tongue, pattern: int, rng: random.Random, made: Mapping[str, Sentence]) -> str:
    while True:
        text = _sentence(tongue, tongue.patterns[pattern], rng)
        if text not in made:
            return text


def _sentence(tongue: _Tongue, pattern: str, rng: random.Random) -> str:
    """The pattern with every choice made; no word of a slot comes twice in one sentence."""
    taken: set[str] = set()

    def fill(match: re.Match[str]) -> str:
        word = rng.choice([word for word in tongue.slots[match[1]] if word not in taken])
        if not _OPEN.search(word):
            taken.add(word)
        return word

    text = pattern
    while _OPEN.search(text):
        text = _ALTERNATIVES.sub(lambda match: rng.choice(str(match[1]).split("|")), text)
        text = _SLOT.sub(fill, text)
    return _capital(text)


def _capital(text: str) -> str:
    """The text with its first character as a capital; Chinese has none and stays."""
    return text[:1].upper() + text[1:]


def _shuffled(sentences: Sequence[Sentence], rng: random.Random) -> list[Sentence]:
    """In a random order in which no two neighbours are made from one pattern, as far as that can be."""
    order: list[Sentence] = []
    alike: list[Sentence] = []
    for sentence in rng.sample(sentences, len(sentences)):
        clash = bool(order) and order[-1].pattern == sentence.pattern
        (alike if clash else order).append(sentence)
    for sentence in alike:
        start = rng.randrange(len(order))
        places = chain(range(start, len(order) + 1), range(start))
        order.insert(next((place for place in places if _fits(order, place, sentence)), start), sentence)
    return order


def _fits(order: Sequence[Sentence], place: int, sentence: Sentence) -> bool:
    return all(near.pattern != sentence.pattern for near in order[max(0, place - 1) : place + 1])
