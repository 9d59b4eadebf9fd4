"""The scripted server as a queue that is known exactly: slots, shared decoding, one engine, caches, models that leave."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual
from phone import Phone, hang_up, lines
from virtual import START_NS

from olbench.clock import sleep_until
from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_lies import Lies

MS = 1_000_000
# One slot, 10 ms to the first token, two more 20 ms apart: 50 ms of service.
ONE = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, slots=1)


def play(script: Script, story: Callable[[Scripted], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        server = Scripted(script, kernel=False)
        try:
            return await story(server)
        finally:
            await server.stop()
            hang_up()

    return virtual.run(run())


async def answered(server: Scripted, prompt: str, *, at: float = 0, tokens: int = 3, **fields: Any) -> Any:
    """The last line of the answer to a request that comes so many milliseconds after the beginning."""
    await sleep_until(START_NS + round(at * MS))
    phone = Phone(server)
    asked = {"model": "scripted:1b", "prompt": prompt, "options": {"num_predict": tokens}} | fields
    await phone.post("/api/generate", **asked)
    await phone.answer()
    phone.close()
    return lines(phone.all())[-1]


def sends(server: Scripted) -> list[list[float]]:
    return [[(moment - START_NS) / MS for moment in one.sends_ns] for one in server.truth]


def together(script: Script, *comings: float, tokens: int = 3) -> list[list[float]]:
    """When the tokens of requests leave that come at these milliseconds."""

    async def story(server: Scripted) -> list[list[float]]:
        every = [
            answered(server, f"number {place}", at=at, tokens=tokens) for place, at in enumerate(comings)
        ]
        await asyncio.gather(*every)
        return sends(server)

    found: list[list[float]] = play(script, story)
    return found


# --- slots --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slots", "ends"), [(1, [50, 100, 150, 200]), (2, [50, 52, 100, 102]), (4, [50, 52, 54, 56])]
)
def test_requests_wait_for_a_slot_in_the_order_in_which_they_came(slots: int, ends: list[float]) -> None:
    script = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, slots=slots)
    assert [one[-1] for one in together(script, 0, 2, 4, 6)] == ends


# --- decoding together --------------------------------------------------------------------------------------------


def test_a_step_takes_longer_the_more_answers_are_decoded() -> None:
    script = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, slots=4, sharing=0.5)
    # Alone 20 ms a step; from 10 ms on two are decoded, 30 ms a step, until the first ends.
    assert together(script, 0) == [[10, 30, 50]]
    assert together(script, 0, 0) == [[10, 40, 70], [10, 40, 70]]
    # The second one's first token comes at 35: the first one's step of 30 began alone, the one after that did not.
    assert together(script, 0, 25) == [[10, 30, 50], [35, 65, 85]]


def test_with_full_sharing_the_machine_gives_as_many_tokens_as_to_one() -> None:
    script = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=10 * MS, slots=4, sharing=1.0)
    every = together(script, 0, 0, 0, 0, tokens=11)
    assert {one[-1] for one in every} == {10 + 10 * 4 * 10.0}


def test_one_engine_reads_prompts_in_turn_and_meanwhile_no_token_comes() -> None:
    script = Script(load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, slots=4, one_engine=True)
    # The second is read from 25 to 35: the token that was due at 30 comes at 40, the next one 20 later.
    assert together(script, 0, 25) == [[10, 40, 60], [35, 55, 75]]
    assert [one[0] for one in together(script, 0, 0, 0)] == [10, 20, 30]


# --- the whole server stops ---------------------------------------------------------------------------------------


def test_a_server_that_freezes_does_everything_later() -> None:
    script = Script(
        load_ns=0, ttft_ns=10 * MS, itl_ns=20 * MS, slots=4, lies=Lies(freeze_at=1, freeze_ns=2000 * MS)
    )
    # At 20 ms all stops: what was due at 30 comes at 2030, and who comes meanwhile is begun at 2020.
    assert together(script, 0, 20, 500) == [[10, 2030, 2050], [2030, 2050, 2070], [2030, 2050, 2070]]


# --- what it remembers --------------------------------------------------------------------------------------------


def turns(script: Script) -> list[tuple[int, int]]:
    """Prompt tokens, and those from the cache, of two turns and of a stranger who begins alike."""

    async def story(server: Scripted) -> list[tuple[int, int]]:
        first = [{"role": "user", "content": "one two three"}]
        said = {"role": "assistant", "content": "tok tok tok "}
        second = [*first, said, {"role": "user", "content": "four five"}]
        stranger = [{"role": "user", "content": "one two six"}]
        finals = []
        for messages in (first, second, stranger):
            phone = Phone(server)
            body = {"model": "scripted:1b", "messages": messages, "options": {"num_predict": 3}}
            await phone.post("/api/chat", **body)
            await phone.answer()
            phone.close()
            finals.append(lines(phone.all())[-1])
        return [(one["prompt_eval_count"], one["prompt_eval_cached_count"]) for one in finals]

    found: list[tuple[int, int]] = play(script, story)
    return found


def test_a_conversation_that_goes_on_reads_only_what_is_new() -> None:
    # Five tokens of the template, three words and three of the answer are known; two words are new.
    assert turns(Script(load_ns=0, conversations=True)) == [(8, 0), (13, 11), (8, 0)]


def test_else_only_the_same_prompt_is_known() -> None:
    assert turns(Script(load_ns=0)) == [(8, 0), (13, 0), (8, 0)]


# --- models that make others leave --------------------------------------------------------------------------------


def loads(most: int | None, *asked: str) -> list[float]:
    """What load_duration says of requests to these models, one after the other, in milliseconds."""
    script = Script(models=("a:1b", "b:1b", "c:1b"), load_ns=100 * MS, ttft_ns=0, itl_ns=MS, max_loaded=most)

    async def story(server: Scripted) -> list[float]:
        finals = [await answered(server, f"{place}", model=model) for place, model in enumerate(asked)]
        return [one["load_duration"] / MS for one in finals]

    found: list[float] = play(script, story)
    return found


@pytest.mark.parametrize(
    ("most", "spans"),
    [
        (None, [100, 100, 0, 0, 100, 0]),
        (2, [100, 100, 0, 0, 100, 100]),  # c makes a leave, which was unused for longer than b
        (1, [100, 100, 100, 100, 100, 100]),
    ],
)
def test_a_model_more_makes_the_one_leave_that_was_unused_for_longest(
    most: int | None, spans: list[float]
) -> None:
    assert loads(most, "a:1b", "b:1b", "a:1b", "b:1b", "c:1b", "a:1b") == spans


def test_a_model_leaves_when_it_has_answered_and_who_comes_later_waits_behind() -> None:
    script = Script(
        models=("a:1b", "b:1b"), load_ns=100 * MS, ttft_ns=0, itl_ns=20 * MS, slots=4, max_loaded=1
    )

    async def story(server: Scripted) -> list[list[float]]:
        await asyncio.gather(
            answered(server, "one", model="a:1b"),
            answered(server, "two", model="b:1b", at=110),
            answered(server, "three", model="a:1b", at=120),
        )
        return sends(server)

    # a answers from 100 to 140, b is loaded until 240 and answers until 280, then a is loaded again.
    assert play(script, story) == [[100, 120, 140], [240, 260, 280], [380, 400, 420]]
