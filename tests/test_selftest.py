"""The self-test: what is planned, what is compared with what, and that a delay in the client is seen as that delay."""

import asyncio
from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import virtual
from pretend import MS, SECOND, Habits, Pretend
from records import sample

from olbench import accuracy, selftest
from olbench.apis.ollama import Ollama
from olbench.engines.scripted_script import TEMPLATE_TOKENS, Script, Truth
from olbench.errors import EngineError, OlbenchError
from olbench.model import COALESCED, TEXT, UNSTAMPED, Cell, Chunks, Level, Sample, SelfTest
from olbench.ports import Reply, Wire
from olbench.selftest import compared, holds, machine_of
from olbench.selftest_steps import Step, short_steps, steps

STEP = Step(streams=2, rate=None, requests=4, ttft_ns=20 * MS, itl_ns=10 * MS, tokens=4)
US = 1_000


# --- what is planned ------------------------------------------------------------------------------------------


def test_a_whole_self_test_has_a_hundred_requests_a_level_and_ends_with_paced_sends() -> None:
    planned = steps((64, 1, 4, 16, 4))
    assert [(one.streams, one.rate, one.requests) for one in planned] == [
        (1, None, 100), (4, None, 100), (16, None, 112), (64, None, 256), (67, 200.0, 400),
    ]  # fmt: skip
    assert all(one.requests % one.streams == 0 for one in planned if one.rate is None)
    assert all(one.expected_ns < 15 * SECOND for one in planned)
    assert sum(one.expected_ns for one in planned) == pytest.approx(26 * SECOND, rel=0.05)


def test_a_request_takes_what_its_rhythm_says() -> None:
    assert STEP.request_ns == (20 + 3 * 10 + 2) * MS
    assert STEP.expected_ns == 500 * MS + 2 * STEP.request_ns
    assert replace(STEP, rate=2.0).expected_ns == 500 * MS + 2 * SECOND + STEP.request_ns


@pytest.mark.parametrize(
    ("streams", "levels"),
    [
        ((1, 16), [1, 16]),
        ((4,), [1, 4]),
        ((1,), [1]),
        ((1, 2, 4, 8, 16, 32, 64), [1, 8, 64]),  # three at most: it is to be short
    ],
)
def test_a_short_one_takes_four_seconds(streams: tuple[int, ...], levels: list[int]) -> None:
    planned = short_steps(streams)
    assert [one.streams for one in planned] == levels
    assert sum(one.expected_ns for one in planned) < 5 * SECOND
    assert all(one.requests >= 2 * one.streams for one in planned)


def test_any_number_of_streams_has_its_rhythm() -> None:
    assert all(one.requests >= 100 for count in (1, 8, 9, 32, 33, 1024) for one in steps((count,)))


# --- what is compared with what -------------------------------------------------------------------------------


def seen(
    *, words: int, sent: int, arrived: Sequence[int], kind: bytes | None = None, **changes: Any
) -> Sample:
    """A sample with so many words in its prompt, and lines of text that came when it says; all stamps in us."""
    bits = bytes([TEXT] * len(arrived)) if kind is None else kind
    chunks = Chunks(array("q", [at * US for at in arrived]), array("q", [0] * len(arrived)), bits)
    whole = sample(n=len(arrived), prompt_tokens=words + TEMPLATE_TOKENS)
    return replace(whole, wanted_ns=(sent - 1) * US, sent_ns=sent * US, chunks=chunks, **changes)


def truth(*, words: int, read: int, sends: Sequence[int]) -> Truth:
    return Truth(words + TEMPLATE_TOKENS, read * US, "kernel", [at * US for at in sends])


def one_level(samples: Sequence[Sample], truths: Sequence[Truth]) -> Level:
    return compared(replace(STEP, requests=len(samples)), samples, truths, 7)


def test_an_error_is_our_figure_less_the_servers() -> None:
    # Sent at 100, first line at 20,150: TTFT 20,050 us. Read at 120, sent at 20,130: 20,010 us. Ours is 40 us more.
    # Our gaps are 10,005 and 9,990 us, the server's 10,000 and 10,000.
    ours = seen(words=1, sent=100, arrived=(20_150, 30_155, 40_145))
    found = one_level([ours], [truth(words=1, read=120, sends=(20_130, 30_130, 40_130))])
    assert list(found.ttft_ns) == [40 * US]
    assert list(found.gap_ns) == [5 * US, -10 * US]
    assert list(found.dispatch_ns) == [1 * US]
    assert (found.chunks, found.coalesced, found.unstamped, found.failed, found.cpu_ns) == (3, 0, 0, 0, 7)
    assert (found.streams, found.rate, found.stamps) == (2, None, "kernel")


def test_requests_are_joined_by_the_number_of_words_whatever_their_order() -> None:
    ours = [seen(words=words, sent=0, arrived=(words * 1000 + words,)) for words in (3, 1, 2)]
    known = [truth(words=words, read=0, sends=(words * 1000,)) for words in (1, 2, 3)]
    assert list(one_level(ours, known).ttft_ns) == [3 * US, 1 * US, 2 * US]


def test_gaps_beside_a_blurred_or_unstamped_line_give_no_error() -> None:
    kind = bytes([TEXT, TEXT | COALESCED, TEXT, TEXT, TEXT | UNSTAMPED, TEXT])
    ours = seen(words=1, sent=0, arrived=(10, 21, 33, 46, 60, 75), kind=kind)
    found = one_level([ours], [truth(words=1, read=0, sends=(10, 20, 30, 40, 50, 60))])
    assert list(found.gap_ns) == [3 * US]  # the third to the fourth line alone
    assert (found.chunks, found.coalesced, found.unstamped) == (6, 1, 1)


def test_lines_without_text_are_no_tokens() -> None:
    kind = bytes([0, TEXT, TEXT, 0])
    ours = seen(words=1, sent=0, arrived=(5, 12, 22, 23), kind=kind)
    found = one_level([ours], [truth(words=1, read=0, sends=(10, 20))])
    assert (list(found.ttft_ns), list(found.gap_ns), found.chunks) == ([2 * US], [0], 2)


def test_what_cannot_be_compared_is_counted_as_failed() -> None:
    fine = seen(words=1, sent=0, arrived=(12,))
    strange = [
        seen(words=2, sent=0, arrived=(12,), outcome="stalled"),
        seen(words=3, sent=0, arrived=(12,), counts=None),
        seen(words=4, sent=0, arrived=(12,)),  # of which the server knows nothing
        seen(words=5, sent=0, arrived=(12, 22)),  # of which it sent one token alone
        seen(words=6, sent=0, arrived=(12,), stamps="stepped"),
    ]
    known = [truth(words=words, read=0, sends=(10,)) for words in (1, 2, 3, 5, 6)]
    found = one_level([fine, *strange], known)
    assert (list(found.ttft_ns), found.failed, found.stamps) == ([2 * US], 5, "stepped")
    assert one_level([], known).stamps == "none"


def test_the_weakest_source_of_stamps_names_the_level() -> None:
    both = [
        seen(words=words, sent=0, arrived=(10,), stamps=stamps)
        for words, stamps in ((1, "kernel"), (2, "user-space"))
    ]
    assert one_level(both, []).stamps == "user-space"


# --- taking, in virtual time ----------------------------------------------------------------------------------


class Late(Pretend):
    """A client and its server in one, which stamps what it receives so much too late."""

    def __init__(self, ttft_ns: int, gap_ns: int) -> None:
        super().__init__(Habits(load_ns=0, slots=1000, token_ns=1 * MS))
        self.truths: list[Truth] = []
        self._late = (ttft_ns, gap_ns)

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        reply = await super().send(wire, wanted_ns, timeout_ns)
        assert reply.sent_ns is not None
        stamps = reply.marks[0::2]
        words = len(wire.request.prompt.messages[0].content.split())
        self.truths.append(Truth(words + TEMPLATE_TOKENS, reply.sent_ns, "kernel", list(stamps[:-1])))
        first, each = self._late
        late = [
            value + (0 if place % 2 else first + each * (place // 2))
            for place, value in enumerate(reply.marks)
        ]
        return replace(reply, marks=array("q", late), stamps="kernel")


class Beside:
    """The server's process: it starts, tells what it knows, and stops."""

    def __init__(self, api: Late) -> None:
        self.api = api
        self.heard: list[str] = []

    async def start(self) -> str:
        self.heard.append("start")
        return "http://pretend"

    async def stop(self) -> None:
        self.heard.append("stop")

    async def truth(self) -> list[Truth]:
        self.heard.append("truth")
        return self.api.truths


def taken(planned: Sequence[Step], *, ttft_ns: int = 0, gap_ns: int = 0) -> tuple[SelfTest, list[Step]]:
    """A self-test of a client that is so late; and the steps that were told of."""
    told: list[Step] = []

    async def story() -> SelfTest:
        api = Late(ttft_ns, gap_ns)
        beside = Beside(api)

        def engine(script: Script) -> Beside:
            api.truths.clear()
            return beside

        found = await selftest.take(
            planned, machine="m", client=lambda _: api, engine=engine, told=told.append
        )
        assert beside.heard == ["start", "truth", "stop"] * len(planned)
        return found

    return virtual.run(story()), told


def test_a_client_that_is_exact_has_no_error() -> None:
    planned = (STEP, replace(STEP, rate=100.0, requests=8))
    found, told = taken(planned)
    assert told == list(planned)
    assert (found.machine, len(found.levels)) == ("m", 2)
    for level, step in zip(found.levels, planned, strict=True):
        assert list(level.ttft_ns) == [0] * step.requests
        assert list(level.gap_ns) == [0] * step.requests * 3
        assert (level.failed, level.chunks, level.stamps) == (0, step.requests * 4, "kernel")
        assert (level.streams, level.rate) == (2, step.rate)


def test_a_planted_delay_of_two_milliseconds_is_seen_as_two_milliseconds() -> None:
    found, _ = taken((STEP,), ttft_ns=2 * MS)
    assert list(found.levels[0].ttft_ns) == [2 * MS] * 4
    assert list(found.levels[0].gap_ns) == [0] * 12
    late = accuracy.figures(found.levels[0])
    assert (late.ttft.middle, late.ttft.far) == (pytest.approx(2e-3), pytest.approx(2e-3))
    assert not accuracy.verdict(found).good


def test_a_clock_that_runs_too_fast_is_seen_in_every_gap() -> None:
    found, _ = taken((STEP,), gap_ns=50 * US)
    assert list(found.levels[0].ttft_ns) == [0] * 4
    assert list(found.levels[0].gap_ns) == [50 * US] * 12


def test_a_server_that_does_not_start_is_stopped_all_the_same_and_told() -> None:
    class Broken(Beside):
        async def start(self) -> str:
            raise EngineError("the scripted engine did not start")

    async def story() -> None:
        broken = Broken(Late(0, 0))
        with pytest.raises(OlbenchError, match="did not start"):
            await selftest.take(
                (STEP,),
                machine="m",
                client=lambda _: broken.api,
                engine=lambda _: broken,
                told=lambda _: None,
            )
        assert broken.heard == ["stop"]

    virtual.run(story())


# --- taking, for real -----------------------------------------------------------------------------------------


class Delayed(Ollama):
    """The real client, with 2 ms between the arrival of a response's bytes and their stamps."""

    def sample(self, cell: Cell, wire: Wire, reply: Reply, stream: int) -> Sample:
        late = [value + (0 if place % 2 else 2 * MS) for place, value in enumerate(reply.marks)]
        return super().sample(cell, wire, replace(reply, marks=array("q", late)), stream)


def test_the_real_client_against_the_real_server_and_two_milliseconds_later() -> None:
    step = replace(STEP, streams=2, requests=6, itl_ns=5 * MS)

    async def story() -> list[Level]:
        return [
            (await selftest.take((step,), machine="m", client=client)).levels[0]
            for client in (selftest.client(), Delayed)
        ]

    exact, late = asyncio.run(story())
    for level in (exact, late):
        assert (level.failed, level.chunks, len(level.dispatch_ns)) == (0, 24, 6)
        assert level.cpu_ns > 0
        assert level.stamps == selftest.stamps()
    middles = [accuracy.figures(level).ttft.middle or 0.0 for level in (exact, late)]
    assert abs(middles[0]) < 1.5e-3  # on a machine that may be busy
    assert middles[1] - middles[0] == pytest.approx(2e-3, abs=1e-3)


# --- what is kept of it ---------------------------------------------------------------------------------------


def test_a_machine_is_told_from_others_by_its_stamps_too_and_not_by_name() -> None:
    kinds = [machine_of("kernel"), machine_of("kernel"), machine_of("user-space")]
    assert kinds[0] == kinds[1] != kinds[2]
    assert all(len(one) == 12 and int(one, 16) >= 0 for one in kinds)


def test_stamps_are_in_user_space_when_that_is_asked_for() -> None:
    assert selftest.stamps(user_space=True) == "user-space"
    assert selftest.stamps() in ("kernel", "user-space")


@pytest.mark.parametrize(
    ("at", "streams", "still"),
    [
        ("2026-11-22T10:00:00Z", 16, True),
        ("2026-11-22T21:59:59Z", 16, True),
        ("2026-11-22T22:00:00Z", 16, False),  # twelve hours old
        ("2026-11-22T09:59:59Z", 16, False),  # from the future: the clock was set
        ("2026-11-22T10:00:00Z", 17, False),  # more streams than were tested
        ("2026-11-22T10:00:00Z", 66, False),  # the paced level is no closed loop of as many
    ],
)
def test_a_self_test_holds_for_twelve_hours_and_as_many_streams(
    at: str, streams: int, *, still: bool
) -> None:
    none = array("q")
    level = Level(
        streams=16, rate=None, stamps="kernel", ttft_ns=none, gap_ns=none, dispatch_ns=none, chunks=0, coalesced=0,
        unstamped=0, failed=0, cpu_ns=0,
    )  # fmt: skip
    paced = replace(level, streams=66, rate=200.0)
    kept = SelfTest(at="2026-11-22T10:00:00Z", olbench="0.1.0", machine="m", levels=(level, paced))
    assert holds(kept, streams, at) is still
