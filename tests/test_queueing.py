"""The queue against what is known of it: by hand, by formulas, and by laws that hold for any queue."""

import math
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise, product

import numpy as np
import pytest
import queues

from olbench.arrival import Load, Talk, talks
from olbench.queueing import Cache, Engine, Played, Shape, simulate

ALIKE = Shape(100, 11)


def engine(
    *, slots: int = 1, batch: int = 512, cache: Cache = "slot", head: int = 0, **costs: float
) -> Engine:
    free = dict.fromkeys(("step", "stream", "depth", "opening", "token", "square"), 0.0)
    return Engine(slots=slots, batch=batch, cache=cache, head=head, **{**free, **costs})


def once(*dues: float) -> tuple[Talk, ...]:
    """One question each of so many users."""
    return tuple(Talk(user, round(due * 1e9), (), 0) for user, due in enumerate(dues))


def near(*values: float) -> list[object]:
    return [pytest.approx(value, abs=1e-6) for value in values]


# --- by hand --------------------------------------------------------------------------------------------------


def test_one_request_reads_its_prompt_and_then_takes_a_step_for_each_further_token() -> None:
    played = simulate(engine(token=0.01, step=0.1, stream=0.02, depth=0.001), once(5.0), [ALIKE])
    (one,) = played.served
    # 100 tokens in 1 s; steps of 0.12 s and 0.001 s for each token of context: 100, 101, ... 109.
    assert [one.due, one.start, one.first] == near(5.0, 5.0, 6.0)
    assert one.end == pytest.approx(6.0 + 10 * 0.12 + 0.001 * sum(range(100, 110)))
    assert (one.prompt, one.cached, one.output, one.waited) == (100, 0, 11, False)
    assert played.reading == pytest.approx(1.0)
    assert played.reading + played.decoding == pytest.approx(one.end - 5.0)


def test_a_prompt_that_is_read_in_parts_costs_its_square_once() -> None:
    long = Shape(1000, 1)
    whole = simulate(engine(token=0.001, square=1e-6, batch=2048), once(0.0), [long]).served[0]
    parts = simulate(engine(token=0.001, square=1e-6, batch=128), once(0.0), [long]).served[0]
    assert [whole.end, parts.end] == near(2.0, 2.0)


def test_a_second_request_waits_for_the_only_slot() -> None:
    first, second = simulate(engine(token=0.01, step=0.1), once(0.0, 0.5), [ALIKE]).served
    assert [first.first, first.end] == near(1.0, 2.0)
    assert [second.start, second.first, second.end] == near(2.0, 3.0, 4.0)
    assert [first.waited, second.waited] == [False, True]


def test_a_prompt_holds_up_the_answers_beside_it_until_it_is_read() -> None:
    first, second = simulate(engine(slots=2, token=0.01, step=0.1), once(0.0, 1.25), [ALIKE]).served
    # The step in hand ends at 1.3 s, then a batch of 1 s has the prompt and one token of the first answer.
    assert [second.start, second.first, second.waited] == [*near(1.3, 2.3), False]
    # 10 tokens after the first: 3 until 1.3 s, one at 2.3 s, 6 more in steps of 0.1 s.
    assert [first.end, second.end] == near(2.9, 3.3)


def test_small_batches_let_answers_through_between_the_parts_of_a_prompt() -> None:
    first, second = simulate(engine(slots=2, token=0.01, step=0.1, batch=26), once(0.0, 1.25), [ALIKE]).served
    # 26 tokens a batch, one of them the first answer's: 25 + 25 + 25 + 25 of the prompt, 0.25 s each.
    assert second.first == pytest.approx(2.3)
    assert first.end == pytest.approx(2.3 + 3 * 0.1)


def test_two_prompts_that_come_at_once_are_read_one_after_the_other_in_the_order_of_slots() -> None:
    first, second = simulate(engine(slots=2, token=0.01, batch=60), once(0.0, 0.0), [Shape(100, 1)]).served
    # 60 | 40 + 20 | 60 | 20: the first ends with the second batch, the other with the last.
    assert sorted([first.first, second.first]) == near(1.2, 2.0)


def test_weights_are_read_once_for_prompts_and_answers_together() -> None:
    short = Shape(1, 1)
    alone = simulate(engine(token=0.001, step=0.1), once(0.0), [short]).served[0]
    assert alone.end == pytest.approx(
        0.1
    )  # a batch of one token takes a step, however quick a prompt's token is


@pytest.mark.parametrize(
    ("cache", "cached"), [("slot", [0, 111, 222]), ("all", [0, 111, 222]), ("none", [0, 0, 0])]
)
def test_a_conversation_carries_what_was_said_and_reads_only_what_is_new(
    cache: Cache, cached: list[int]
) -> None:
    talk = Talk(0, 0, (2 * 10**9, 3 * 10**9), 0)
    served = simulate(engine(cache=cache, token=0.01, step=0.1), [talk], [ALIKE]).served
    assert [one.prompt for one in served] == [100, 211, 322]
    assert [one.cached for one in served] == cached
    assert served[1].due == pytest.approx(served[0].end + 2)
    assert [one.first - one.due for one in served] == near(
        *((100 + 111 * k - cached[k]) / 100 for k in range(3))
    )


@pytest.mark.parametrize(
    ("cache", "cached"), [("slot", [0, 24, 24, 24]), ("all", [24, 24, 24, 111]), ("none", [0, 0, 0, 0])]
)
def test_how_all_prompts_begin_is_read_once_a_slot_and_said_once_a_conversation(
    cache: Cache, cached: list[int]
) -> None:
    people = [*once(0.0, 10.0, 20.0), Talk(1, 10 * 10**9, (20 * 10**9,), 0)]
    del people[1]
    served = simulate(engine(cache=cache, head=24, token=0.01), people, [ALIKE]).served
    assert [(one.user, one.prompt) for one in served] == [(0, 100), (1, 100), (2, 100), (1, 187)]
    assert [one.cached for one in served] == cached
    assert [one.first - one.due for one in served] == near(
        *((one.prompt - one.cached) / 100 for one in served)
    )


def test_who_comes_between_takes_the_slot_and_what_it_kept() -> None:
    both = [Talk(0, 0, (10 * 10**9,), 0), Talk(1, 4 * 10**9, (), 0)]
    expected: tuple[tuple[Cache, int], ...] = (("slot", 0), ("all", 111))
    for cache, cached in expected:
        served = simulate(engine(cache=cache, token=0.01, step=0.1), both, [ALIKE]).served
        assert [(one.user, one.cached) for one in served] == [(0, 0), (1, 0), (0, cached)]


def test_a_talk_finds_its_own_slot_and_a_new_one_takes_the_slot_that_was_free_for_longest() -> None:
    people = [
        Talk(0, 0, (10 * 10**9,), 0),
        Talk(1, 1 * 10**9, (12 * 10**9,), 0),
        Talk(2, 9 * 10**9, (), 0),  # takes the first one's slot
    ]
    served = simulate(engine(slots=2, token=0.001), people, [ALIKE]).served
    assert [(one.user, one.cached) for one in served if one.turn] == [(0, 0), (1, 0)]
    # The first one, whose slot was taken, takes the second one's in turn. With three slots each keeps its own.
    served = simulate(engine(slots=3, token=0.001), people, [ALIKE]).served
    assert [(one.user, one.cached) for one in served if one.turn] == [(0, 111), (1, 111)]


def test_three_talks_on_two_slots_find_in_the_cache_what_llama_cpp_was_seen_to_keep() -> None:
    """The same order as was sent to its server (xllamacpp 2026.10.11549), one question at a time."""
    order = [0, 1, 0, 1, 2, 0, 1, 2, 2, 0]
    found = [False, False, True, True, False, False, False, False, True, False]
    people = []
    for user in range(3):
        dues = [1000 * place * 10**9 for place, one in enumerate(order) if one == user]
        people.append(Talk(user, dues[0], tuple(late - early for early, late in pairwise(dues)), 0))
    served = simulate(engine(slots=2, step=1e-6), people, [ALIKE]).served
    assert [one.user for one in served] == order
    assert [one.cached > 0 for one in served] == found


def test_a_user_asks_one_question_at_a_time() -> None:
    both = [Talk(0, 0, (1 * 10**9,), 0), Talk(0, 2 * 10**9, (), 0)]
    served = simulate(engine(slots=4, token=0.01, step=0.1), both, [ALIKE]).served
    assert [one.due for one in served] == near(0.0, 3.0, served[1].end)


def test_no_question_begins_after_the_span_and_those_under_way_are_answered() -> None:
    served = simulate(engine(token=0.01, step=0.1), once(0.0, 1.0, 3.0), [ALIKE], until=2.0).served
    assert [one.end for one in served] == near(2.0, 4.0)


def test_an_engine_that_takes_no_time_answers_at_once() -> None:
    served = simulate(engine(slots=2), once(0.0, 0.0, 0.0, 1.0), [ALIKE]).served
    assert [one.end for one in served] == near(0.0, 0.0, 0.0, 1.0)


# --- by formulas and recursions -------------------------------------------------------------------------------


def poisson(rate: float, count: int, seed: int) -> tuple[float, ...]:
    draws = random.Random(seed)
    return tuple(accumulate(draws.expovariate(rate) for _ in range(count)))


def waited(played: Played) -> list[float]:
    return [one.start - one.due for one in played.served]


def mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def asked(
    dues: Sequence[float], lengths: Sequence[float], tokens: float
) -> tuple[tuple[Talk, ...], list[Shape]]:
    """Questions without a prompt, and answers that are so many tokens long for each second."""
    people = tuple(Talk(number, round(due * 1e9), (), number) for number, due in enumerate(dues))
    return people, [Shape(0, 1 + round(tokens * length)) for length in lengths]


@pytest.mark.parametrize("spread", [0.0, 0.8, 1.3])
@pytest.mark.parametrize(("slots", "busy"), [(1, 0.7), (2, 0.7), (4, 0.8)])
def test_steps_that_cost_alike_whatever_is_in_them_make_a_queue_of_slots_alone(
    slots: int, busy: float, spread: float
) -> None:
    """M/D/c and M/G/c: the waits are those of Kiefer and Wolfowitz's recursion, request by request."""
    draws = random.Random(slots)
    dues = poisson(slots * busy, 2000, 6)
    lengths = [math.exp(spread * draws.gauss(0, 1) - spread**2 / 2) for _ in dues]
    played = simulate(engine(slots=slots, step=1 / 5000), *asked(dues, lengths, 5000.0))
    known = queues.waits(np.array(dues), np.array(lengths), slots)
    # Steps of 0.2 ms; who comes waits for the one in hand and opens with another.
    assert mean(waited(played)) == pytest.approx(known.mean(), rel=0.01, abs=1e-3)
    assert sum(one.waited for one in played.served) == pytest.approx((known > 0).sum(), rel=0.01, abs=3)


@pytest.mark.parametrize("busy", [0.3, 0.6, 0.8])
def test_prompts_alone_on_one_slot_make_an_md1_queue(busy: float) -> None:
    """Waiting of Pollaczek and Khinchine for a fixed service of 1 s: busy / (2 (1 - busy)); and Erlang's shares."""
    played = simulate(engine(token=0.01), once(*poisson(busy, 10_000, 3)), [Shape(100, 1)])
    assert mean(waited(played)) == pytest.approx(busy / (2 * (1 - busy)), rel=0.08)
    kept = sum(one <= 2 for one in waited(played)) / 10_000
    assert kept == pytest.approx(queues.kept_by_even_answers(busy, 2.0), abs=0.03)


def test_random_answers_on_two_slots_keep_a_bound_as_often_as_erlang_says() -> None:
    draws = random.Random(3)
    dues = poisson(1.2, 20_000, 4)
    lengths = [draws.expovariate(1) for _ in dues]
    played = simulate(engine(slots=2, step=1 / 1000), *asked(dues, lengths, 1000.0))
    kept = sum(one <= 1 for one in waited(played)) / len(dues)
    assert kept == pytest.approx(queues.kept_by_random_answers(1.2, 2, 1.0), abs=0.015)


@pytest.mark.parametrize("sharing", [0.3, 1.0])
@pytest.mark.parametrize("slots", [1, 2, 4])
def test_steps_that_cost_by_the_answers_in_them_share_the_engine(slots: int, sharing: float) -> None:
    """In the recursion answers go their own pace and first tokens cost no step: waits differ by as much."""
    draws, gap = random.Random(9), 0.01
    tokens = np.array([draws.choice((20, 180)) for _ in range(1500)])
    dues = poisson(0.7 / (gap * 100 * (sharing + (1 - sharing) / slots)), len(tokens), 7)
    first, last = queues.shared(np.array(dues), tokens, slots, sharing, gap)
    people, _ = asked(dues, [], 0)
    shapes = [Shape(0, int(one)) for one in tokens]
    played = simulate(engine(slots=slots, step=gap * (1 - sharing), stream=gap * sharing), people, shapes)
    assert mean([one.first - one.due for one in played.served]) == pytest.approx(
        (first - dues).mean(), rel=0.12, abs=gap
    )
    assert mean([one.end - one.first for one in played.served]) == pytest.approx(
        (last - first).mean(), rel=0.01
    )


def test_without_slots_to_wait_for_the_mean_stay_is_that_of_processor_sharing() -> None:
    """M/G/1 with processor sharing: a length stays 1 / (1 - busy) times as long, whatever the lengths are."""
    busy, draws = 0.6, random.Random(8)
    dues = poisson(busy, 10_000, 9)
    lengths = [draws.choice((0.2, 1.8)) for _ in dues]
    played = simulate(engine(slots=64, stream=1e-3), *asked(dues, lengths, 1000.0))
    for length in (0.2, 1.8):
        own = [one.end - one.due for one in played.served if one.output == 1 + round(1000 * length)]
        assert mean(own) == pytest.approx(length / (1 - busy), rel=0.1)


# --- by laws --------------------------------------------------------------------------------------------------


def crowd(seed: int, *, users: int = 20) -> tuple[Talk, ...]:
    load = Load(pattern="sessions", users=users, questions_per_hour=60.0, turns=4, think_ns=20 * 10**9)
    return talks(load, 1200 * 10**9, (1.0,), seed)


def busy_ones() -> Iterator[tuple[Engine, tuple[Talk, ...], Played]]:
    caches: tuple[Cache, ...] = ("slot", "all", "none")
    for seed, (slots, cache) in enumerate(product((1, 2, 5), caches)):
        machine = Engine(
            slots=slots,
            step=0.01,
            stream=0.002,
            depth=1e-6,
            opening=0.02,
            token=5e-4,
            square=1e-7,
            cache=cache,
        )
        people = crowd(seed)
        yield machine, people, simulate(machine, people, [Shape(300, 120)])


def test_every_question_is_answered_once_in_order_and_in_time() -> None:
    for _, people, played in busy_ones():
        served = played.served
        assert len(served) == sum(1 + len(talk.thinks_ns) for talk in people)
        assert all(one.due <= one.start < one.first <= one.end for one in served)
        assert all(0 <= one.cached < one.prompt for one in served)
        for user in range(20):
            own = [one for one in served if one.user == user]
            assert all(early.end <= late.due for early, late in pairwise(own))
        # First come, first served.
        starts = [one.start for one in served]
        assert starts == sorted(starts)


def test_no_more_are_computed_at_once_than_there_are_slots_and_who_waits_finds_none_free() -> None:
    for machine, _, played in busy_ones():
        steps = sorted(
            [(one.start, 1) for one in played.served] + [(one.end, -1) for one in played.served],
        )
        assert max(accumulate(step for _, step in steps)) <= machine.slots
        for one in played.served:
            taken = sum(other.start < one.due < other.end for other in played.served)
            assert one.waited or taken < machine.slots


def test_the_time_of_all_tokens_is_the_time_that_the_engine_was_busy() -> None:
    for machine, _, played in busy_ones():
        together = sum(
            # What belongs to one request alone; what steps share is what is left.
            machine.token * (one.prompt - one.cached)
            + machine.square * (one.prompt**2 - one.cached**2)
            + (one.output - 1) * (machine.stream + machine.depth * (one.prompt + (one.output - 2) / 2))
            for one in played.served
        )
        shared = played.reading + played.decoding - together
        most = sum(machine.step * (one.output - 1) + machine.opening for one in played.served)
        assert 0 < shared <= most + 1e-6
        if machine.slots == 1:
            assert shared == pytest.approx(most)


def test_requests_in_the_house_are_those_that_come_times_how_long_they_stay() -> None:
    """Little's law, over a span that begins and ends with an empty house: exact."""
    for _, _, played in busy_ones():
        stays = sum(one.end - one.due for one in played.served)
        steps = sorted([(one.due, 1) for one in played.served] + [(one.end, -1) for one in played.served])
        inside = accumulate(step for _, step in steps)
        area = sum(
            there * (late[0] - early[0])
            for there, (early, late) in zip(inside, pairwise(steps), strict=False)
        )
        assert area == pytest.approx(stays)


def test_the_closed_form_is_what_step_by_step_gives() -> None:
    machine = Engine(slots=3, step=0.01, stream=0.002, depth=1e-5, opening=0.0, token=5e-4, square=0.0)
    dues = poisson(0.9, 300, 2)
    served = simulate(machine, once(*dues), [Shape(300, 120)]).served
    assert [one.end for one in served] == near(*step_by_step(machine, dues, Shape(300, 120)))


def step_by_step(machine: Engine, dues: Sequence[float], shape: Shape) -> list[float]:
    """When each request ends, prompts being read in a batch each: no jumps, nothing kept but who has what left."""
    now, ends = 0.0, [0.0] * len(dues)
    queue, reads, decodes = list(range(len(dues))), list[int](), dict[int, int]()
    while queue or reads or decodes:
        if not reads and not decodes:
            now = max(now, dues[queue[0]])
        while queue and dues[queue[0]] <= now and len(reads) + len(decodes) < machine.slots:
            reads.append(queue.pop(0))
        tokens = min(shape.prompt_tokens * len(reads), machine.batch - len(decodes))
        ended = [reads.pop(0)] if reads and tokens >= shape.prompt_tokens else []
        assert not reads or tokens == shape.prompt_tokens  # two at once would be read in parts
        context = sum(shape.prompt_tokens + shape.output_tokens - 1 - left for left in decodes.values())
        now += max(machine.token * tokens, machine.step)
        now += machine.stream * len(decodes) + machine.depth * context
        decodes = {one: left - 1 for one, left in decodes.items()} | dict.fromkeys(
            ended, shape.output_tokens - 1
        )
        for one in [one for one, left in decodes.items() if not left]:
            ends[one] = now
            del decodes[one]
    return ends
