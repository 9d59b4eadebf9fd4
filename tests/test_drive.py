"""The closed and the open loop in virtual time: who sends when, what a stop leaves, and that the collector comes back."""

import asyncio
import gc
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import pytest
import virtual
from benches import seconds
from pretend import SECOND, Fault, Habits, Pretend
from records import cell
from virtual import START_NS

from olbench.arrival import Talk
from olbench.clock import now
from olbench.drive import Question, Taken, closed_loop, decoded, open_loop, sessions
from olbench.model import Message, Prompt, Request, Sample
from olbench.ports import Reply, Wire

# Three words and the template's five tokens are computed in 8 ms; of the eight tokens of an answer the first comes
# then and the others 20 ms apart: an answer takes 148 ms.
AT_ONCE = Habits(load_ns=0)


def requests(count: int) -> list[Request]:
    return [
        Request(index, "measured", Prompt("p", (Message("user", f"number {index} please"),)))
        for index in range(count)
    ]


async def loop(
    api: Pretend,
    count: int,
    *,
    streams: int,
    timeout_ns: int = 30 * SECOND,
    stop: asyncio.Event | None = None,
) -> list[Taken]:
    asked = cell(concurrency=streams)
    wires = [api.encode(asked, one) for one in requests(count)]
    return await closed_loop(api, wires, streams=streams, timeout_ns=timeout_ns, stop=stop or asyncio.Event())


def told(
    habits: Habits, count: int, *, streams: int, timeout_ns: int = 30 * SECOND
) -> tuple[Pretend, tuple[Sample, ...]]:
    async def story() -> tuple[Pretend, tuple[Sample, ...]]:
        api = Pretend(habits)
        return api, decoded(api, cell(), await loop(api, count, streams=streams, timeout_ns=timeout_ns))

    return virtual.run(story())


def test_each_stream_sends_its_next_request_when_its_last_is_answered() -> None:
    _, seen = told(AT_ONCE, 6, streams=2)
    assert [(one.index, one.stream) for one in seen] == [(0, 0), (1, 1), (2, 0), (3, 1), (4, 0), (5, 1)]
    assert seconds(*(one.wanted_ns for one in seen)) == [0, 0, 0.148, 0.148, 0.296, 0.296]
    assert seconds(*(one.end_ns for one in seen)) == [0.148, 0.148, 0.296, 0.296, 0.444, 0.444]


def test_a_closed_loop_keeps_as_many_requests_in_flight_as_it_has_streams() -> None:
    api, seen = told(AT_ONCE, 9, streams=3)
    assert api.most_flying == 3
    assert [at for at, what in api.log if what.startswith("send")] == [0.0] * 3 + [0.148] * 3 + [0.296] * 3
    assert len(seen) == 9


def test_a_stream_that_is_answered_early_does_not_wait_for_the_others() -> None:
    # The first request stalls for the whole timeout of 0.4 s; the other stream takes all the rest meanwhile.
    _, seen = told(Habits(load_ns=0, faults={0: "stall"}), 4, streams=2, timeout_ns=4 * SECOND // 10)
    assert [(one.index, one.stream, one.outcome) for one in seen] == [
        (0, 0, "stalled"),
        (1, 1, "ok"),
        (2, 1, "ok"),
        (3, 1, "ok"),
    ]
    assert seconds(*(one.end_ns for one in seen)) == [0.4, 0.148, 0.296, 0.444]


def test_there_are_never_more_streams_than_requests() -> None:
    api, seen = told(AT_ONCE, 2, streams=5)
    assert (api.most_flying, [one.stream for one in seen]) == (2, [0, 1])


def test_no_requests_give_no_samples() -> None:
    assert told(AT_ONCE, 0, streams=3)[1] == ()


def test_waiting_for_a_slot_is_part_of_a_request_and_slots_are_given_in_order() -> None:
    _, seen = told(Habits(load_ns=0, slots=1), 3, streams=3)
    assert seconds(*(one.wanted_ns for one in seen)) == [0, 0, 0]
    assert seconds(*(one.sent_ns for one in seen)) == [0, 0, 0]
    assert seconds(*(one.head_ns for one in seen)) == [0.008, 0.148 + 0.008, 0.296 + 0.008]
    assert seconds(*(one.chunks.arrived_ns[0] for one in seen)) == [0.008, 0.156, 0.304]


class Slow(Pretend):
    """A client that takes 3 ms from the wish to the socket."""

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        await asyncio.sleep(0.003)
        return await super().send(wire, wanted_ns, timeout_ns)


def test_a_request_is_wanted_when_its_stream_is_free_and_sent_when_it_goes() -> None:
    async def story() -> tuple[Sample, ...]:
        api = Slow(AT_ONCE)
        return decoded(api, cell(), await loop(api, 2, streams=1))

    first, second = virtual.run(story())
    assert seconds(first.wanted_ns, first.sent_ns, first.end_ns) == [0, 0.003, 0.151]
    assert seconds(second.wanted_ns, second.sent_ns, second.end_ns) == [0.151, 0.154, 0.302]


def test_samples_stand_in_the_order_in_which_they_were_wanted() -> None:
    # The stalled one is handed over last, and was wanted first.
    _, seen = told(Habits(load_ns=0, faults={0: "stall"}), 3, streams=2, timeout_ns=SECOND)
    assert [one.index for one in seen] == [0, 1, 2]


def test_requests_that_are_refused_do_not_end_the_loop() -> None:
    refused: dict[int, Fault] = {0: "refused", 1: "refused", 2: "busy"}
    _, seen = told(Habits(load_ns=0, faults=refused), 4, streams=2)
    assert [one.outcome for one in seen] == ["refused", "refused", "queue_full", "ok"]
    assert [one.sent_ns is None for one in seen] == [True, True, False, False]


def test_a_stop_cancels_what_is_under_way_and_sends_no_more() -> None:
    async def story() -> tuple[Pretend, tuple[Sample, ...], int]:
        api, stop = Pretend(AT_ONCE), asyncio.Event()
        asyncio.get_running_loop().call_later(0.2, stop.set)
        taken = await loop(api, 10, streams=2, stop=stop)
        ended = now()
        await asyncio.sleep(60)
        return api, decoded(api, cell(), taken), ended

    api, seen, ended = virtual.run(story())
    assert ended - START_NS == SECOND // 5
    assert len(api.asked("send")) == 4
    assert [one.outcome for one in seen] == ["ok", "ok", "cancelled", "cancelled"]
    assert seconds(*(one.end_ns for one in seen)) == [0.148, 0.148, 0.2, 0.2]
    # 0.148 + 0.008 for the first, 20 ms each for two more: what came before the stop is kept.
    assert [len(one.chunks) for one in seen] == [9, 9, 3, 3]
    assert seen[2].text == "word word word "


def test_a_stop_at_the_moment_of_an_answer_sends_no_other_request() -> None:
    async def story() -> tuple[Pretend, tuple[Sample, ...]]:
        api, stop = Pretend(AT_ONCE), asyncio.Event()
        asyncio.get_running_loop().call_later(0.148, stop.set)
        return api, decoded(api, cell(), await loop(api, 10, streams=2, stop=stop))

    api, seen = virtual.run(story())
    assert (len(api.asked("send")), len(seen)) == (2, 2)


def test_a_stop_before_the_beginning_sends_nothing() -> None:
    async def story() -> tuple[Pretend, list[Taken]]:
        api, stop = Pretend(AT_ONCE), asyncio.Event()
        stop.set()
        return api, await loop(api, 3, streams=2, stop=stop)

    api, taken = virtual.run(story())
    assert (taken, api.log) == ([], [])


def test_a_cancel_from_outside_ends_the_requests_and_is_passed_on() -> None:
    async def story() -> tuple[Pretend, float]:
        api = Pretend(AT_ONCE)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await loop(api, 10, streams=2)
        return api, (now() - START_NS) / 1e9

    api, ended = virtual.run(story())
    assert (api.flying, len(api.asked("send")), ended) == (0, 2, 0.05)


def test_a_bug_is_not_lost() -> None:
    with pytest.raises(ValueError, match="a bug"):
        told(Habits(load_ns=0, faults={1: "bug"}), 4, streams=2)


# --- the open loop ------------------------------------------------------------------------------------------------


def paced(
    dues: list[float], *, slots: int = 4, stop_at: float | None = None, faults: dict[int, Fault] | None = None
) -> tuple[Sample, ...]:
    """Requests that are due at these seconds of the story."""

    async def story() -> tuple[Sample, ...]:
        api, stop = Pretend(Habits(load_ns=0, slots=slots, faults=faults or {})), asyncio.Event()
        if stop_at is not None:
            asyncio.get_running_loop().call_later(stop_at, stop.set)
        asked = cell()
        wires = [api.encode(asked, one) for one in requests(len(dues))]
        moments = [START_NS + round(due * SECOND) for due in dues]
        return decoded(api, asked, await open_loop(api, wires, moments, timeout_ns=30 * SECOND, stop=stop))

    return virtual.run(story())


def test_an_open_loop_sends_when_it_is_due_however_many_are_unanswered() -> None:
    dues = [0.0, 0.01, 0.02, 0.02, 0.5]
    seen = paced(dues, slots=1)
    assert seconds(*(one.wanted_ns for one in seen)) == dues
    assert seconds(*(one.sent_ns or 0 for one in seen)) == dues
    # One slot, 148 ms each: the fourth waits for three others, and its wait is part of it.
    assert seconds(*(one.end_ns for one in seen)) == [0.148, 0.296, 0.444, 0.592, 0.74]


def test_a_due_moment_that_has_passed_is_still_what_was_wanted() -> None:
    (late,) = paced([-0.25])
    assert seconds(late.wanted_ns, late.sent_ns or 0) == [-0.25, 0.0]


def test_a_stop_ends_an_open_loop_and_keeps_what_came() -> None:
    seen = paced([0.0, 0.1, 5.0], stop_at=0.2)
    assert [one.outcome for one in seen] == ["ok", "cancelled"]
    assert len(seen[1].chunks) > 0


def test_a_bug_in_an_open_loop_is_not_lost() -> None:
    with pytest.raises(ValueError, match="a bug"):
        paced([0.0, 0.1], faults={0: "bug"})


def test_as_many_moments_as_requests_are_needed() -> None:
    async def story() -> None:
        api = Pretend(AT_ONCE)
        wires = [api.encode(cell(), one) for one in requests(2)]
        await open_loop(api, wires, [START_NS], timeout_ns=SECOND, stop=asyncio.Event())

    with pytest.raises(ValueError, match="zip"):
        virtual.run(story())


# --- sessions -----------------------------------------------------------------------------------------------------


def conversed(
    *talks: Talk, span: float = 60.0, stop_at: float | None = None, faults: dict[int, Fault] | None = None
) -> tuple[tuple[Sample, ...], list[tuple[int, int, int]]]:
    """The samples, and what was asked for: user, turn and answers so far."""
    asked_for: list[tuple[int, int, int]] = []

    async def story() -> tuple[Sample, ...]:
        api, stop = Pretend(Habits(load_ns=0, faults=faults or {})), asyncio.Event()
        if stop_at is not None:
            asyncio.get_running_loop().call_later(stop_at, stop.set)

        def ask(talk: Talk, turn: int, said: Sequence[str], _: int) -> Question:
            asked_for.append((talk.user, turn, len(said)))
            plain = requests(len(asked_for))[-1]
            return Question(cell(), api.encode(cell(), replace(plain, turn=turn)))

        ends = {"span_ns": round(span * SECOND), "timeout_ns": 30 * SECOND, "stop": stop}
        return await sessions(api, talks, ask, **ends)  # type: ignore[arg-type]  # three kinds in one dict

    return virtual.run(story()), asked_for


def since(seen: Sequence[Sample]) -> list[float]:
    """When they were due, in seconds from the beginning, which is 50 ms after all was ready."""
    return [round((one.wanted_ns - START_NS) / SECOND - 0.05, 3) for one in seen]


def test_a_question_is_due_when_the_user_has_thought_about_the_answer() -> None:
    seen, asked_for = conversed(Talk(4, SECOND, (2 * SECOND, SECOND), 0))
    # An answer takes 148 ms.
    assert since(seen) == [1.0, 3.148, 4.296]
    assert [(one.stream, one.turn) for one in seen] == [(4, 0), (4, 1), (4, 2)]
    assert asked_for == [(4, 0, 0), (4, 1, 1), (4, 2, 2)]


def test_a_conversation_begins_when_the_one_before_has_ended() -> None:
    talks = [Talk(0, 0, (3 * SECOND,), 0), Talk(0, SECOND, (), 0), Talk(1, SECOND, (), 0)]
    seen, _ = conversed(*talks)
    assert [(one.stream, due) for one, due in zip(seen, since(seen), strict=True)] == [
        (0, 0.0),
        (1, 1.0),
        (0, 3.148),
        (0, 3.296),
    ]


def test_no_question_falls_due_after_the_span_and_those_under_way_are_answered() -> None:
    seen, _ = conversed(Talk(0, 0, (SECOND, 0), 0), Talk(0, 5 * SECOND, (), 0), span=1.2)
    assert since(seen) == [0.0, 1.148]
    assert [one.outcome for one in seen] == ["ok", "ok"]


def test_a_failed_answer_ends_the_conversation_and_not_the_user() -> None:
    seen, _ = conversed(Talk(0, 0, (SECOND, SECOND), 0), Talk(0, 9 * SECOND, (), 0), faults={1: "busy"})
    assert [one.outcome for one in seen] == ["ok", "queue_full", "ok"]
    assert since(seen) == [0.0, 1.148, 9.0]


def test_a_stop_ends_sessions_and_keeps_what_came() -> None:
    seen, _ = conversed(
        Talk(0, 0, (SECOND,), 0), Talk(1, SECOND, (), 0), Talk(2, 9 * SECOND, (), 0), stop_at=1.1
    )
    assert [one.outcome for one in seen] == ["ok", "cancelled"]
    assert len(seen[1].chunks) > 0


def test_a_bug_in_sessions_is_not_lost() -> None:
    with pytest.raises(ValueError, match="a bug"):
        conversed(Talk(0, 0, (), 0), Talk(1, 0, (), 0), faults={1: "bug"})


class Curious(Pretend):
    """Notes whether the collector is on while it sends."""

    collecting: set[bool]

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        self.collecting = {*getattr(self, "collecting", ()), gc.isenabled()}
        return await super().send(wire, wanted_ns, timeout_ns)


@pytest.mark.parametrize("faults", [{}, {1: "bug"}], ids=["all went well", "there was a bug"])
def test_garbage_is_not_collected_during_the_loop_and_is_again_after_it(faults: dict[int, Fault]) -> None:
    async def story() -> set[bool]:
        api = Curious(Habits(load_ns=0, faults=faults))
        with pytest.raises(ValueError, match="a bug") if faults else nullcontext():
            await loop(api, 4, streams=2)
        return api.collecting

    assert gc.isenabled()
    assert virtual.run(story()) == {False}
    assert gc.isenabled()
