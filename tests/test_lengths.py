"""Prompts of the length that was asked for, by a pretend server's own count: a token a word, and five."""

from dataclasses import replace

import pytest
import virtual
from benches import seconds
from pretend import CARD, SECOND, Fault, Habits, Pretend
from records import cell

from olbench import lengths
from olbench.calibrate import Settled
from olbench.clock import now
from olbench.errors import ServerError
from olbench.lengths import Fit, Text, anchors
from olbench.model import Cell
from olbench.workload import Synthetic

TEXT = Text("en", None, 1, "n")


def settled(habits: Habits, of: Cell, *, timeout_ns: int = 30 * SECOND) -> tuple[Pretend, Settled, float]:
    async def story() -> tuple[Pretend, Settled, float]:
        api = Pretend(habits)
        found = await lengths.settled(api, of, TEXT, timeout_ns)
        return api, found, seconds(now())[0] or 0.0

    return virtual.run(story())


@pytest.mark.parametrize("asked", [128, 512, 4000])
def test_the_size_that_is_found_gives_the_tokens_that_were_asked_for(asked: int) -> None:
    api, found, _ = settled(Habits(load_ns=0), cell(prompt_tokens=asked, num_ctx=8192))
    assert abs(found.tokens - asked) <= max(4, asked // 50)
    words = Synthetic("en", found.size, 1, None).prompt(0, "another").messages[0].content.split()
    assert abs(len(words) + 5 - asked) <= max(4, asked // 50)
    assert len(api.asked("send")) <= 4


def test_a_try_generates_one_token() -> None:
    # 1 ms for each prompt token and nothing after it: an answer of eight tokens would take 140 ms more.
    api, found, took = settled(Habits(load_ns=0), cell(prompt_tokens=512, output_tokens=8))
    tries = [at for at, _ in api.log]
    assert round(took - tries[-1], 9) == found.tokens / 1000
    assert api.most_flying == 1


def test_no_try_meets_what_another_one_has_left_in_the_cache() -> None:
    api, _, took = settled(Habits(load_ns=0), cell(prompt_tokens=512))
    prompts = [request.prompt.messages[0].content for _, request in api._asked.values()]
    assert len(set(prompts)) == len(prompts) == len(api.asked("send"))
    assert took == sum(len(text.split()) + 5 for text in prompts) / 1000


def test_cells_share_a_size_where_the_server_would_count_alike() -> None:
    one = cell(prompt_tokens=64, num_ctx=2048, concurrency=1, options=())
    same = cell(prompt_tokens=64, num_ctx=8192, concurrency=4, options=(("num_gpu", 3),))
    assert lengths.key(one, CARD) == lengths.key(same, CARD)
    others = [
        lengths.key(replace(one, prompt_tokens=65), CARD),
        lengths.key(replace(one, api="generate"), CARD),
        lengths.key(replace(one, think=True), CARD),
        lengths.key(one, replace(CARD, digest="of another")),
        lengths.key(one, None),
    ]
    assert len({lengths.key(one, CARD), *others}) == 6


@pytest.mark.parametrize(
    ("fault", "words", "status"),
    [
        ("memory", "ended as out_of_memory: cudaMalloc failed: out of memory", 500),
        ("busy", "ended as queue_full: server busy, please try again", 503),
        ("cut", "ended as cut_off: the connection broke", None),
        ("refused", "ended as refused: no connection to port 11434", None),
        ("stall", "ended as stalled: not done within 5 s", None),
    ],
)
def test_a_try_that_fails_is_told_in_the_servers_words(fault: Fault, words: str, status: int | None) -> None:
    with pytest.raises(ServerError) as caught:
        settled(Habits(load_ns=0, faults={1: fault}), cell(prompt_tokens=512), timeout_ns=5 * SECOND)
    assert (str(caught.value), caught.value.status) == (f"finding the prompt's length {words}", status)


def test_a_server_that_does_not_count_prompt_tokens_is_no_ground_for_lengths() -> None:
    with pytest.raises(ServerError) as caught:
        settled(Habits(counts=False), cell(prompt_tokens=512))
    assert str(caught.value) == (
        "the server does not count prompt tokens, so their number cannot be steered; own prompts would do"
    )


def test_what_cannot_be_had_is_said_with_what_can() -> None:
    with pytest.raises(ServerError) as caught:
        settled(Habits(), cell(prompt_tokens=8))
    assert str(caught.value).startswith(
        "prompts of 8 tokens cannot be made for smollm2:135m: the chat template"
    )
    assert str(caught.value).endswith("or more can")


# --- many lengths -------------------------------------------------------------------------------------------------


def test_between_counted_lengths_a_straight_line_tells_the_size() -> None:
    fit = Fit(((128, 100), (512, 400), (4096, 3600)))
    assert [fit.size(tokens) for tokens in (128, 320, 512, 2304, 4096)] == [100, 250, 400, 2000, 3600]
    # Beyond them the nearest line goes on, and no text is shorter than none.
    assert [fit.size(tokens) for tokens in (64, 6, 8192)] == [50, 5, 7257]
    assert Fit(((128, 20), (256, 148))).size(40) == 0
    assert Fit(((300, 250),)).size(300) == 250


@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        ([200, 3200, 900], (200, 800, 3200)),
        ([5, 3200], (128, 640, 3200)),
        ([700, 700], (700,)),
        ([5, 60], (128, 256)),
        ([128, 128], (128,)),
    ],
)
def test_three_lengths_at_most_are_counted(asked: list[int], counted: tuple[int, ...]) -> None:
    assert anchors(asked) == counted
