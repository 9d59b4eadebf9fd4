"""What the requests of a visit say: cold prompts share nothing, warm ones everything, and all are seeded."""

import re
from collections.abc import Sequence
from dataclasses import replace

import pytest

from olbench import passages
from olbench.arrival import Share
from olbench.model import Cell, Message, Prompt, Request
from olbench.passages import Language
from olbench.ports import Prompts
from olbench.workload import Batch, Synthetic, requests

CELL = Cell(
    id="0123456789ab",
    model="m:1b",
    base="m:1b",
    quantization=None,
    api="generate",
    num_ctx=2048,
    concurrency=1,
    prompt_tokens=256,
    output_tokens=64,
    think=None,
    cache="cold",
    options=(),
)
WARM = replace(CELL, cache="warm")
TEXT = Synthetic("en", 200, 7, None)
HI = Prompt("a:1", (Message("user", "Hi"),))
TALK = Prompt("a:2", (Message("user", "One"), Message("assistant", "Two"), Message("user", "Three")))
RULED = Prompt("a:3", (Message("system", "Rhyme."), Message("user", "Go")))
OWN = Batch((HI, TALK, RULED), None)


def made(
    cell: Cell = CELL,
    prompts: Prompts = TEXT,
    *,
    seed: int = 1,
    repeat: int = 0,
    run_nonce: str = "run",
    warmup: int = 1,
    measured: int = 3,
    cold: bool = False,
) -> tuple[Request, ...]:
    return requests(
        cell,
        prompts,
        seed=seed,
        repeat=repeat,
        run_nonce=run_nonce,
        warmup=warmup,
        measured=measured,
        cold=cold,
    )


def said(asked: Sequence[Request]) -> list[str]:
    """What the server reads, one string a request."""
    return ["\n".join(message.content for message in request.prompt.messages) for request in asked]


@pytest.mark.parametrize(
    ("cold", "warmup", "phases"),
    [
        (False, 0, ["measured", "measured"]),
        (False, 2, ["warmup", "warmup", "measured", "measured"]),
        (True, 1, ["cold", "warmup", "measured", "measured"]),
        (True, 0, ["cold", "measured", "measured"]),
    ],
)
def test_phases_follow_each_other_and_indexes_count_all(cold: bool, warmup: int, phases: list[str]) -> None:  # noqa: FBT001 - a column of the table
    asked = made(cold=cold, warmup=warmup, measured=2)
    assert [request.phase for request in asked] == phases
    assert [request.index for request in asked] == list(range(len(phases)))


def test_the_same_arguments_give_the_same_requests() -> None:
    assert made(cold=True) == made(cold=True)


def test_whatever_differs_gives_other_prompts() -> None:
    variants = [
        made(),
        made(seed=2),
        made(repeat=1),
        made(run_nonce="resumed"),
        made(replace(CELL, id="0123456789ac")),
    ]
    texts = [text for variant in variants for text in said(variant)]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize(
    "prompts", [TEXT, Synthetic("zh", 200, 7, None), Synthetic("en", 50, 7, "Be brief."), OWN]
)
def test_cold_prompts_share_no_more_than_two_words_at_the_beginning(prompts: Prompts) -> None:
    """Of 44,850 pairs, one in 256 shares the first word, one in 65,536 the second too: 300 draws of 256 hit 177."""
    texts = [
        re.split("[ 、\n]", text) for text in said(made(prompts=prompts, cold=True, warmup=50, measured=249))
    ]
    assert len({tuple(words[:3]) for words in texts}) == len(texts)
    assert len({words[0] for words in texts}) == pytest.approx(177, abs=20)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_synthetic_prompt_is_opening_passage_and_closing(language: Language) -> None:
    (message,) = Synthetic(language, 100, 7, None).prompt(0, "n").messages
    first, *lines, last = message.content.split("\n")
    assert message.role == "user"
    assert first == passages.opening(language, "n")
    assert "\n".join(lines) == passages.passage(language, 100, "n")
    assert last == passages.closing(language)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_all_prompts_of_a_size_hold_the_same_lines_after_the_opening(language: Language) -> None:
    text = Synthetic(language, 2000, 7, None)
    contents = [text.prompt(index, nonce).messages[0].content for index, nonce in enumerate(["a", "b", ""])]
    lines = [sorted(content.split("\n")[1:]) for content in contents]
    assert lines[0] == lines[1] == lines[2]
    assert len(set(contents)) == 3
    assert len({len(content) for content in contents}) == 1


def test_an_empty_passage_leaves_opening_and_closing() -> None:
    (message,) = Synthetic("en", 0, 7, None).prompt(0, "n").messages
    assert message.content.count("\n") == 1


def test_in_a_warm_cell_all_synthetic_prompts_are_one() -> None:
    asked = made(WARM, cold=True, warmup=2, measured=5)
    assert len({request.prompt for request in asked}) == 1
    assert asked == made(WARM, cold=True, warmup=2, measured=5, repeat=3, run_nonce="other")


def test_another_seed_gives_another_warm_prompt_of_the_same_lines() -> None:
    one, other = (Synthetic("en", 500, seed, None).prompt(0, "").messages[0].content for seed in (1, 2))
    assert one != other
    assert sorted(one.split("\n")[1:]) == sorted(other.split("\n")[1:])


def test_the_system_prompt_comes_first_and_the_nonce_opens_it() -> None:
    system, user = Synthetic("en", 20, 7, "Be brief.").prompt(0, "n").messages
    assert system == Message("system", f"{passages.opening('en', 'n')}\nBe brief.")
    assert user.role == "user"
    assert user.content.endswith(passages.closing("en"))


def test_own_prompts_take_turns() -> None:
    asked = made(prompts=OWN, cold=True, warmup=1, measured=4)
    assert [request.prompt.name for request in asked] == ["a:1", "a:2", "a:3", "a:1", "a:2", "a:3"]
    assert OWN.names() == ("a:1", "a:2", "a:3")


def test_own_prompts_of_a_warm_cell_stay_as_they_were_given() -> None:
    assert [request.prompt for request in made(WARM, OWN, warmup=0)] == [HI, TALK, RULED]


def test_a_nonce_stands_on_a_line_before_the_first_message_of_an_own_prompt() -> None:
    words = passages.opening("en", "n")
    assert OWN.prompt(0, "n").messages == (Message("user", f"{words}\nHi"),)
    assert OWN.prompt(1, "n").messages == (Message("user", f"{words}\nOne"), *TALK.messages[1:])
    assert OWN.prompt(2, "n").messages == (Message("system", f"{words}\nRhyme."), RULED.messages[1])


def test_a_system_prompt_goes_before_own_prompts_that_have_none() -> None:
    under = Batch((HI, RULED), "Be brief.")
    assert under.prompt(0, "").messages == (Message("system", "Be brief."), Message("user", "Hi"))
    assert under.prompt(1, "") == RULED
    assert under.prompt(0, "n").messages[0].content == f"{passages.opening('en', 'n')}\nBe brief."


def test_a_chinese_prompt_is_opened_by_chinese_words() -> None:
    chinese = Batch((Prompt("p", (Message("user", "写一首诗。"),)),), None)
    first, text = chinese.prompt(0, "n").messages[0].content.split("\n")
    assert re.fullmatch(r"([\u4e00-\u9fff]{2}、){5}[\u4e00-\u9fff]{2}", first)
    assert text == "写一首诗。"


def test_a_synthetic_prompt_is_called_synthetic() -> None:
    assert TEXT.prompt(3, "n").name == "synthetic"
    assert TEXT.names() == ("synthetic",)


def test_the_parts_of_a_mix_come_by_weight_with_prompts_of_their_own() -> None:
    share = Share(model="m:1b", base="m:1b", quantization=None, weight=3, prompt_tokens=9, output_tokens=9)
    mixed = replace(CELL, mix=(share, replace(share, weight=1)))
    sources = (TEXT, Synthetic("en", 20, 7, None))
    asked = requests(
        mixed, TEXT, seed=1, repeat=0, run_nonce="run", warmup=10, measured=90, cold=True, mix=sources
    )
    drawn = [one.part for one in asked]
    assert drawn[0] == 0  # carries the load
    assert 15 <= sum(drawn) <= 35
    lengths = [len(text.split()) for text in said(asked)]
    assert all((length < 100) == (part == 1) for length, part in zip(lengths, drawn, strict=True))
