"""The search for a passage of the asked length, against tokenizers of every kind."""

import math
import re
from collections.abc import Callable, Sequence

import pytest

from olbench.calibrate import Impossible, Settled, Try, next_size, tolerance
from olbench.passages import Language
from olbench.workload import Synthetic

Tokenizer = Callable[[str], int]
FRAME = "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
PIECES = re.compile(r" ?[A-Za-z]+|[0-9]|[\u4e00-\u9fff]|[^\w\s]+\n?|\s")


def words(text: str) -> int:
    """A token a word."""
    return len(text.split())


def single_bytes(text: str) -> int:
    return len(text.encode())


def four_characters(text: str) -> int:
    return math.ceil(len(text) / 4)


def pieces(text: str) -> int:
    """Like BPE: split at word boundaries first, then a token for each five letters."""
    return sum(math.ceil(len(piece) / 5) for piece in PIECES.findall(text))


def three_halves(text: str) -> int:
    """Chinese text at one token and a half a character, as in vocabularies made for other languages."""
    chinese = sum("\u4e00" <= char <= "\u9fff" for char in text)
    return math.ceil(1.5 * chinese) + math.ceil((len(text) - chinese) / 4)


CASES: Sequence[tuple[Language, Tokenizer]] = (
    ("en", words),
    ("en", single_bytes),
    ("en", four_characters),
    ("en", pieces),
    ("zh", single_bytes),
    ("zh", four_characters),
    ("zh", pieces),
    ("zh", three_halves),
)


def counted(language: Language, size: int, tokenizer: Tokenizer, nonce: str) -> int:
    (message,) = Synthetic(language, size, 7, None).prompt(0, nonce).messages
    return tokenizer(FRAME.format(message.content))


def search(language: Language, asked: int, tokenizer: Tokenizer) -> tuple[Settled | Impossible, list[Try]]:
    tried: list[Try] = []
    while True:
        step = next_size(language, asked, tried)
        if not isinstance(step, int):
            return step, tried
        assert step not in [one.size for one in tried]
        tried.append(Try(step, counted(language, step, tokenizer, f"calibration {len(tried)}")))


@pytest.mark.parametrize(("language", "tokenizer"), CASES)
@pytest.mark.parametrize("asked", [32, 64, 100, 128, 256, 333, 512, 1000, 2048, 4096, 16_384, 131_072])
def test_it_settles_within_four_tries_and_all_prompts_hold_the_tolerance(
    language: Language, tokenizer: Tokenizer, asked: int
) -> None:
    end, tried = search(language, asked, tokenizer)
    least = counted(language, 0, tokenizer, "least")
    if isinstance(end, Impossible):
        assert least > asked + tolerance(asked)
        assert len(tried) == 1
        return
    assert len(tried) <= 4
    for nonce in ("a", "b", "c", "d", "e") if asked < 10_000 else ("a",):
        assert abs(counted(language, end.size, tokenizer, nonce) - asked) <= tolerance(asked)


@pytest.mark.parametrize(("language", "tokenizer"), CASES)
@pytest.mark.parametrize("asked", [512, 4096, 131_072])
def test_no_try_runs_out_of_a_context_that_just_holds_the_prompt(
    language: Language, tokenizer: Tokenizer, asked: int
) -> None:
    _, tried = search(language, asked, tokenizer)
    assert max(one.tokens for one in tried) <= asked * 1.1


@pytest.mark.parametrize(
    ("asked", "allowed"), [(1, 4), (64, 4), (200, 4), (250, 5), (1000, 20), (131_072, 2621)]
)
def test_the_tolerance_is_two_per_cent_or_four_tokens(asked: int, allowed: int) -> None:
    assert tolerance(asked) == allowed


def test_a_long_prompt_is_reached_over_short_ones() -> None:
    """The first try has at most 1,024 tokens even if each byte is one: 768 / 6.2 words, 768 / 3.1 characters."""
    assert next_size("en", 131_072, []) == 123
    assert next_size("zh", 131_072, []) == 247
    # 220 tokens / (123 + 33 words) = 1.41; towards 64 * 220 = 14,080 tokens: 123 + 13,860 / 1.41 = 9,951
    assert next_size("en", 131_072, [Try(123, 220)]) == 9951


def test_a_short_prompt_begins_with_nothing() -> None:
    assert next_size("en", 64, []) == 0


def test_the_second_try_follows_a_straight_line() -> None:
    # (1046 - 218) / (700 - 123) = 1.435 tokens a word; 700 - 46 / 1.435 = 668
    assert next_size("en", 1000, [Try(123, 218), Try(700, 1046)]) == 668


def test_it_settles_two_tokens_early_to_leave_room_for_the_spread() -> None:
    assert next_size("en", 64, [Try(13, 62)]) == Settled(13, 62)
    assert isinstance(next_size("en", 64, [Try(13, 61)]), int)


def test_after_four_tries_the_whole_tolerance_counts() -> None:
    tried = [Try(0, 46), Try(20, 72), Try(15, 68), Try(10, 59)]
    assert next_size("en", 64, tried) == Settled(15, 68)


def test_a_frame_that_is_longer_than_what_was_asked_is_said() -> None:
    end = next_size("en", 16, [Try(0, 43)])
    assert end == Impossible(
        "the chat template, the system prompt, the opening words and the closing instruction alone are 43 tokens; "
        "prompt_tokens = 16 cannot be had, 43 or more can"
    )


def test_a_frame_within_the_tolerance_is_taken() -> None:
    assert next_size("en", 40, [Try(0, 43)]) == Settled(0, 43)


def test_a_server_that_cuts_the_prompt_is_noticed() -> None:
    end = next_size("en", 4096, [Try(123, 218), Try(2300, 2048), Try(4000, 2048)])
    assert isinstance(end, Impossible)
    assert end.reason.startswith(
        "the server counts 2048 tokens for 2300 words and 2048 for 4000; it cuts the prompt"
    )


def test_it_gives_up_after_six_tries_and_names_the_nearest() -> None:
    """A server that only counts in multiples of forty: 80 and 120 are both 20 tokens away from 100."""

    def forties(text: str) -> int:
        return 40 * (len(text) // 160)

    end, tried = search("en", 100, forties)
    assert len(tried) == 6
    assert isinstance(end, Impossible)
    assert re.fullmatch(
        r"no passage came within 4 tokens of prompt_tokens = 100; the nearest has \d+ words and (80|120) tokens",
        end.reason,
    )
