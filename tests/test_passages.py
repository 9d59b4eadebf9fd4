"""The chronicle: natural, distinct, exact in size, the same in whatever order."""

import hashlib
import re
from collections import Counter
from itertools import pairwise

import pytest

from olbench import passages, passages_en, passages_en_words, passages_zh, passages_zh_words
from olbench.passages import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")
BOTH = pytest.mark.parametrize("language", LANGUAGES)
TABLES = {
    "en": (passages_en.PATTERNS, passages_en_words.SLOTS, passages_en_words.OPENING),
    "zh": (passages_zh.PATTERNS, passages_zh_words.SLOTS, passages_zh_words.OPENING),
}
# Half-width marks and letters have no place in Chinese text; digits have, in years.
NOT_CHINESE = re.compile(r"[^\u4e00-\u9fff0-9，。、：；？“”]")


@BOTH
def test_two_hundred_thousand_units_hold_no_sentence_twice(language: Language) -> None:
    sentences = passages.chronicle(language, 16_000)
    assert sum(sentence.size for sentence in sentences) > 200_000
    assert len({sentence.text for sentence in sentences}) == 16_000


@BOTH
def test_neighbours_in_the_chronicle_come_from_different_patterns(language: Language) -> None:
    sentences = passages.chronicle(language, 4000)
    assert all(one.pattern != next_one.pattern for one, next_one in pairwise(sentences))


@BOTH
def test_the_first_sentences_use_every_pattern_once(language: Language) -> None:
    patterns = len(TABLES[language][0])
    assert len({sentence.pattern for sentence in passages.chronicle(language, patterns)}) == patterns


@BOTH
def test_a_longer_chronicle_begins_with_the_shorter_one(language: Language) -> None:
    assert passages.chronicle(language, 1000)[:100] == passages.chronicle(language, 100)


@pytest.mark.parametrize(("language", "digest"), [("en", "c16f745a1f1cdf11"), ("zh", "fca4ead049c77040")])
def test_the_chronicle_is_the_same_on_every_machine(language: Language, digest: str) -> None:
    """A change here makes prompts of older runs incomparable: change the text only where it is wrong."""
    text = "\n".join(sentence.text for sentence in passages.chronicle(language, 1000))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest


@BOTH
def test_every_slot_of_a_pattern_has_words_and_every_list_is_used(language: Language) -> None:
    patterns, slots, _ = TABLES[language]
    used = set(
        re.findall(r"\{(\w+)\}", "".join([*patterns, *(word for words in slots.values() for word in words)]))
    )
    assert used == set(slots)


@BOTH
def test_no_bracket_is_left_in_a_sentence(language: Language) -> None:
    assert not [
        one.text
        for one in passages.chronicle(language, 4000)
        if re.search(r"[\[\]{}|;]{2}|[\[\]{}|]", one.text)
    ]


@BOTH
@pytest.mark.parametrize("size", [*range(120), 500, 4999, 50_000])
def test_a_passage_has_exactly_the_size_that_was_asked_for(language: Language, size: int) -> None:
    assert passages.size_of(language, passages.passage(language, size, "seed")) == size


@BOTH
def test_the_filler_can_be_as_long_as_any_sentence(language: Language) -> None:
    longest = max(sentence.size for sentence in passages.chronicle(language, 16_000))
    for size in range(longest + 1):
        line = passages.filler(language, size)
        assert passages.size_of(language, line) == size
        assert "\n" not in line


def test_short_fillers_read_as_entries_of_a_diary() -> None:
    assert [passages.filler("en", size) for size in (0, 1, 2, 3, 4, 7)] == [
        "",
        "Rain.",
        "Light rain.",
        "The rain stopped.",
        "The old dog slept.",
        "The rain stopped, the old dog slept.",
    ]
    assert [passages.filler("zh", size) for size in (0, 1, 2, 3, 4, 9)] == [
        "",
        "晴",
        "晴。",
        "有风。",
        "风停了。",
        "风停了，炉火正旺。",
    ]


@BOTH
def test_passages_of_one_size_hold_the_same_lines_in_another_order(language: Language) -> None:
    one, other = (passages.passage(language, 3000, seed).split("\n") for seed in ("a", "b"))
    assert Counter(one) == Counter(other)
    assert one != other
    assert passages.passage(language, 3000, "a").split("\n") == one


@BOTH
def test_shuffling_leaves_no_neighbours_of_one_pattern(language: Language) -> None:
    patterns = {sentence.text: sentence.pattern for sentence in passages.chronicle(language, 4000)}
    for seed in "abcd":
        lines = passages.passage(language, 30_000, seed).split("\n")
        made = [patterns.get(line, -1) for line in lines]
        assert all(one != next_one for one, next_one in pairwise(made))


def test_a_passage_without_room_is_empty() -> None:
    assert passages.passage("en", 0, "seed") == ""


@BOTH
def test_an_opening_has_six_words_of_one_length_and_48_bits(language: Language) -> None:
    words = TABLES[language][2]
    assert len(set(words)) == len(words) >= 256
    assert len({len(word) for word in words}) == 1
    openings = {passages.opening(language, f"{number}") for number in range(2000)}
    assert len(openings) == 2000
    assert {len(re.split("[ 、]", line)) for line in openings} == {6}


def test_english_sentences_have_the_right_article() -> None:
    text = "\n".join(sentence.text for sentence in passages.chronicle("en", 16_000))
    assert not re.findall(r"\b[Aa] [aeioAEIO]\w*", text)
    assert not re.findall(r"\b[Aa]n [^aeiouhAEIOU]\w*", text)


def test_english_sentences_are_cleanly_set() -> None:
    for sentence in passages.chronicle("en", 16_000):
        assert re.fullmatch(r'"?[A-Z].*[.?]', sentence.text), sentence.text
        assert not re.search(r"  | [,.;:?]|[,;:][,;:.]|\b(\w+) \1\b", sentence.text), sentence.text


def test_chinese_sentences_are_cleanly_set() -> None:
    for sentence in passages.chronicle("zh", 16_000):
        assert not NOT_CHINESE.search(sentence.text), sentence.text
        assert re.fullmatch(r".*[。？]", sentence.text), sentence.text
        assert not re.search(r"[，。、：]{2}|的的|了了|是是|在在|在位于", sentence.text), sentence.text


def test_every_chinese_thing_carries_its_measure_word() -> None:
    measures = set("盏口把只张台捆个支副架条扇套根顶枚辆卷叠尊本袋部匹册床块面方罐幅件双盆座杆")
    assert {thing[0] for thing in passages_zh_words.SLOTS["thing"]} <= measures
