"""The scripted server's rhythm, queue, blast and truth; in virtual time, where every moment is exact."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import virtual
from phone import Phone, asked, body, hang_up, lines, told, whole
from virtual import START_NS

from olbench.clock import now, sleep_until
from olbench.engines.scripted import Script, Scripted
from olbench.engines.scripted_rhythm import Rhythm, exact_loop

MS = 1_000_000
PLAIN = Script(load_ns=0, prefill_ns_per_token=MS, itl_ns=20 * MS)
Story = Callable[[Scripted], Coroutine[Any, Any, Any]]


def play(script: Script, story: Story) -> Any:
    """The story of a server that no port leads to, in virtual time."""

    async def run() -> Any:
        server = Scripted(script, kernel=False)
        try:
            return await story(server)
        finally:
            await server.stop()
            hang_up()

    return virtual.run(run())


def ms(moments: list[int]) -> list[float]:
    return [(one - START_NS) / MS for one in moments]


async def generated(server: Scripted, prompt: str, tokens: int = 3, **fields: Any) -> Phone:
    """A finished request."""
    phone = Phone(server)
    await phone.post(
        "/api/generate", model="scripted:1b", prompt=prompt, options={"num_predict": tokens}, **fields
    )
    await phone.answer()
    phone.close()
    return phone


def until(true: Callable[[], bool]) -> Coroutine[Any, Any, None]:
    async def turns() -> None:
        while not true():
            await asyncio.sleep(0)

    return turns()


# --- rhythm -------------------------------------------------------------------------------------------------------


def test_tokens_leave_when_they_are_due_and_the_truth_says_when() -> None:
    async def story(server: Scripted) -> Phone:
        phone = await generated(server, "two words")
        (truth,) = server.truth
        assert (truth.prompt_tokens, truth.stamps) == (2 + 5, "user-space")
        assert ms([truth.read_ns, *truth.sends_ns]) == [0, 7, 27, 47]
        return phone

    phone = play(PLAIN, story)
    # Each token is one send, the head goes with the first, the last line follows at once.
    assert [moment for moment, _ in phone.heard][:3] == [START_NS + due * MS for due in (7, 27, 47)]
    assert [one["response"] for one in lines(phone.all())] == ["tok ", "tok ", "tok ", ""]


def test_a_fixed_ttft_holds_for_any_prompt() -> None:
    async def story(server: Scripted) -> None:
        await asyncio.gather(generated(server, "one"), generated(server, "and " * 500))
        assert [ms(one.sends_ns) for one in server.truth] == [[50, 70, 90]] * 2

    play(Script(load_ns=0, ttft_ns=50 * MS, itl_ns=20 * MS), story)


def test_a_prompt_that_was_seen_costs_one_token() -> None:
    async def story(server: Scripted) -> Any:
        await generated(server, "the same", 1)
        return lines((await generated(server, "the same", 1)).all())[-1]

    final = play(PLAIN, story)
    assert (final["prompt_eval_count"], final["prompt_eval_cached_count"]) == (7, 6)
    assert final["prompt_eval_duration"] == 1 * MS


def test_the_last_line_keeps_its_distance_and_tells_the_counts() -> None:
    script = Script(load_ns=30 * MS, ttft_ns=10 * MS, itl_ns=20 * MS, final_ns=5 * MS, tells_cached=False)
    phone = play(script, lambda server: generated(server, "hello"))
    moment, last = phone.heard[-1]
    assert ms([moment]) == [30 + 10 + 40 + 5]
    final = lines(phone.all())[-1]
    assert last.endswith(b"\r\n0\r\n\r\n")
    assert {name: value for name, value in final.items() if name != "created_at"} == {
        "model": "scripted:1b",
        "response": "",
        "done": True,
        "done_reason": "length",
        "total_duration": 80 * MS,
        "load_duration": 30 * MS,
        "prompt_eval_count": 6,
        "prompt_eval_duration": 10 * MS,
        "eval_count": 3,
        "eval_duration": 40 * MS,
    }


def test_a_token_line_is_ollamas_to_the_byte() -> None:
    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        said = [{"role": "user", "content": "hi"}]
        await phone.post("/api/chat", model="scripted:1b", messages=said, options={"num_predict": 3})
        await phone.answer()
        return phone.heard[1][1]

    line = play(PLAIN, story)
    date = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z"
    told = rb'\{"model":"scripted:1b","created_at":"' + date + rb'","message":\{"role":"assistant",'
    found = re.fullmatch(rb"(\w+)\r\n(" + told + rb'"content":"tok "\},"done":false\}\n)\r\n', line)
    assert found is not None
    assert int(found[1], 16) == len(found[2])


def test_an_answer_that_ends_of_itself_says_stop() -> None:
    phone = play(Script(load_ns=0, tokens=2), lambda server: generated(server, "hello", 9))
    final = lines(phone.all())[-1]
    assert (final["eval_count"], final["done_reason"]) == (2, "stop")


def test_no_token_at_all_is_an_answer() -> None:
    phone = play(PLAIN, lambda server: generated(server, "hello", 0))
    (final,) = lines(phone.all())
    assert (final["eval_count"], final["response"]) == (0, "")


def test_an_unstreamed_answer_is_one_send_when_its_last_token_is_due() -> None:
    async def story(server: Scripted) -> Any:
        phone = await generated(server, "two words", stream=False)
        assert ms(server.truth[0].sends_ns) == [7 + 40]
        return told(phone.all())

    assert play(PLAIN, story)["response"] == "tok tok tok "


def test_what_is_late_catches_up_and_stays_no_longer_late() -> None:
    async def story() -> list[int]:
        rhythm, moments = Rhythm(), list[int]()

        def tick() -> int | None:
            moments.append(now() - START_NS)
            return START_NS + len(moments) * 10 * MS if len(moments) < 6 else None

        await sleep_until(START_NS + 25 * MS)
        rhythm.at(START_NS, tick)
        await sleep_until(START_NS + 99 * MS)
        return moments

    assert virtual.run(story()) == [25 * MS, 25 * MS, 25 * MS, 30 * MS, 40 * MS, 50 * MS]


def test_the_earliest_is_first_and_equals_take_turns() -> None:
    async def story() -> str:
        rhythm, said = Rhythm(), list[str]()

        def tick(name: str) -> Callable[[], int | None]:
            def one() -> int | None:
                said.append(name)
                return START_NS + 10 * MS if said.count(name) < 3 else None

            return one

        rhythm.at(START_NS + 10 * MS, tick("a"))
        rhythm.at(START_NS + 10 * MS, tick("b"))
        rhythm.at(START_NS + 5 * MS, tick("c"))
        await sleep_until(START_NS + 20 * MS)
        return "".join(said)

    assert virtual.run(story()) == "cabcabcab"


def test_the_loop_of_a_process_of_its_own_wakes_between_milliseconds() -> None:
    async def story() -> int:
        best = 1 << 62
        for _ in range(20):  # others may hold the processor: the best of some
            due = now() + 300_000
            await sleep_until(due)
            best = min(best, now() - due)
        return best

    with asyncio.Runner(loop_factory=exact_loop) as runner:
        late = runner.run(story())
    assert -1000 < late < 400_000


# --- slots and memory -----------------------------------------------------------------------------------------------


def test_those_who_wait_for_a_slot_are_served_in_the_order_of_arrival() -> None:
    async def story(server: Scripted) -> None:
        await asyncio.gather(*(generated(server, f"number {i}", 2) for i in range(4)))
        assert [ms(one.sends_ns) for one in server.truth] == [[10, 30], [10, 30], [40, 60], [40, 60]]

    play(Script(load_ns=0, slots=2, ttft_ns=10 * MS, itl_ns=20 * MS), story)


def test_who_leaves_the_queue_or_goes_in_mid_stream_holds_up_nobody() -> None:
    async def story(server: Scripted) -> None:
        phones = [Phone(server) for _ in range(3)]
        for phone in phones:
            await phone.post("/api/generate", model="scripted:1b", prompt="x", options={"num_predict": 3})
        await until(lambda: len(server.truth) == 3)
        phones[1].close()
        await sleep_until(START_NS + 15 * MS)
        phones[0].close()
        await phones[2].answer()
        first, second, third = (ms(one.sends_ns) for one in server.truth)
        assert (first, second) == ([10], [])
        assert third == [25, 45, 65]

    play(Script(load_ns=0, slots=1, ttft_ns=10 * MS, itl_ns=20 * MS), story)


def test_a_context_is_clamped_and_another_one_loads_anew() -> None:
    async def story(server: Scripted) -> None:
        moments = []
        for context in (2048, 2048, 9_999):
            await generated(server, f"context {context}", 0)
            phone = Phone(server)
            await phone.post(
                "/api/generate",
                model="scripted:1b",
                prompt="x",
                options={"num_predict": 0, "num_ctx": context},
            )
            await phone.answer()
            phone.close()
            moments.append(server.resident["scripted:1b"])
        assert moments == [2048, 2048, 8192]
        assert await asked(server, "/api/generate", "POST", model="scripted:1b", keep_alive=0)
        assert (await asked(server, "/api/ps"))["models"] == []

    play(Script(ttft_ns=0), story)


# --- blast ----------------------------------------------------------------------------------------------------------


def test_a_blast_waits_for_a_slow_reader_and_loses_nothing() -> None:
    tokens = 4000

    async def story(server: Scripted) -> bytes:
        phone = Phone(server, buffer=4096)
        await phone.post("/api/generate", model="scripted:1b", prompt="x", options={"num_predict": tokens})
        await until(lambda: bool(server.truth and server.truth[0].sends_ns))
        stuck = 0
        while stuck != len(server.truth[0].sends_ns):  # until the socket is full
            stuck = len(server.truth[0].sends_ns)
            for _ in range(3):
                await asyncio.sleep(0)
        assert 0 < stuck < tokens
        other = await generated(server, "another has room", 100)  # is not held up
        assert len(lines(other.all())) == 101
        said = await phone.answer()
        phone.close()
        sends = server.truth[0].sends_ns
        assert len(sends) == tokens
        assert sends == sorted(sends)
        return said

    said = play(Script(load_ns=0, ttft_ns=0, itl_ns=0), story)
    found = lines(said)
    assert len(found) == tokens + 1
    assert [one["done"] for one in found] == [False] * tokens + [True]


def test_a_blast_sends_each_token_by_itself() -> None:
    async def story(server: Scripted) -> int:
        phone = await generated(server, "x", 50)
        return phone.all().count(b"\r\n{")

    # One chunk a token, and the last line.
    assert play(Script(load_ns=0, ttft_ns=0, itl_ns=0), story) == 51


# --- truth ----------------------------------------------------------------------------------------------------------


def test_the_truth_is_told_and_emptied() -> None:
    async def story(server: Scripted) -> None:
        await generated(server, "one two three", 2)
        await generated(server, "four", 1, stream=False)
        seen = (await asked(server, "/truth"))["requests"]
        assert [sorted(one) for one in seen] == [["prompt_tokens", "read_ns", "sends_ns", "stamps"]] * 2
        assert [one["prompt_tokens"] for one in seen] == [8, 6]
        assert ms(seen[0]["sends_ns"]) == [8, 28]
        assert len(server.bodies) == 2
        assert (await asked(server, "/truth", "DELETE"))["requests"] == seen
        assert (await asked(server, "/truth"))["requests"] == []
        assert (server.truth, server.bodies) == ([], [])

    play(PLAIN, story)


def test_the_truth_needs_the_token_too() -> None:
    async def story(server: Scripted) -> bytes:
        phone = Phone(server)
        await phone.say(b"GET /truth HTTP/1.1\r\nAuthorization: Bearer no\r\n\r\n")
        return await phone.answer()

    said = play(Script(token="yes"), story)
    assert said.startswith(b"HTTP/1.1 401 ")
    assert told(said) == {"error": "unauthorized"}


@pytest.mark.parametrize("path", ["/api/generate", "/v1/completions"])
def test_a_request_that_fails_has_its_place_in_the_truth(path: str) -> None:
    async def story(server: Scripted) -> None:
        for _ in range(2):
            phone = Phone(server)
            await phone.post(path, model="scripted:1b", prompt="x", stream=True)
            assert whole(await phone.answer())
            phone.close()
        assert [len(one.sends_ns) for one in server.truth] == [0, 16]

    play(Script(load_ns=0, faults={0: "503"}), story)


def test_a_stopped_server_leaves_nothing_open() -> None:
    async def story(server: Scripted) -> None:
        phone = Phone(server)
        await phone.post("/api/generate", model="scripted:1b", prompt="x", options={"num_predict": 99})
        await until(lambda: bool(server.truth))
        await server.stop()
        await server.stop()
        assert body(await phone.to_end()) == b""

    play(PLAIN, story)
