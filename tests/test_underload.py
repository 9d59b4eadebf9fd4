"""Visits to cells under a load, in virtual time: due times, histories, mixes, replays, stalls, and when one is given up."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from loading import MS, SECOND, SERVER, asked, measured, observed, seen, waits

from olbench.arrival import Arrival, Load, Share
from olbench.engines.scripted_lies import Lies
from olbench.model import Sample
from olbench.slo import terms as slo

STEADY = Load(pattern="steady", rate=5.0)
PEOPLE = Load(pattern="sessions", users=3, questions_per_hour=360.0, turns=3, think_ns=2 * SECOND)
CHATTY = replace(SERVER, conversations=True)


def gaps(samples: list[Sample]) -> list[float]:
    return [(after.wanted_ns - before.wanted_ns) / SECOND for before, after in pairwise(samples)]


# --- open loops ---------------------------------------------------------------------------------------------------


def test_requests_come_when_they_are_due_first_those_that_warm_up() -> None:
    (visit,) = observed(asked(load=STEADY), requests=20, warmup=5)
    assert visit.problem is None
    assert Counter(one.phase for one in visit.samples) == {"warmup": 5, "measured": 20}
    assert gaps(list(visit.samples)) == [0.2] * 24
    assert all(one.sent_ns == one.wanted_ns and one.outcome == "ok" for one in visit.samples)
    assert visit.measured_ns == visit.samples[5].wanted_ns
    assert len({one.index for one in visit.samples}) == 25
    assert not visit.cut_short


def test_the_same_draws_come_at_every_rate_and_others_at_every_visit() -> None:
    def offsets(rate: float, repeats: int) -> list[list[float]]:
        cell = asked(load=Load(pattern="poisson", rate=rate))
        return [gaps(list(one.samples)) for one in observed(cell, requests=30, repeats=repeats)]

    (slow,) = offsets(2.0, 1)
    first, second = offsets(4.0, 2)
    assert slow == pytest.approx([2 * one for one in first], rel=1e-6)
    assert first != second


def test_a_server_that_stalls_for_two_seconds_shows_them_in_all_that_fell_due_meanwhile() -> None:
    # Five requests a second, each needs 100 ms for its prompt and 140 for the rest: nobody waits for a slot of eight.
    script = replace(SERVER, slots=64)
    (calm,) = observed(asked(load=STEADY), script, requests=40, warmup=0)
    calmly = waits(measured(calm))
    # Requests that find the prompt's length come first; the twelfth measured one meets the stall.
    ahead = len(seen(asked(load=STEADY), script, requests=1, warmup=0)[1]) - 1
    frozen = replace(script, lies=Lies(freeze_at=ahead + 12, freeze_ns=2 * SECOND))
    (visit,) = observed(asked(load=STEADY), frozen, requests=40, warmup=0)
    stalled = waits(measured(visit))
    more = [round(late - usual) for late, usual in zip(stalled, calmly, strict=True)]
    # Due at 2.4 s when the stall begins, 200 ms later, ... and after 2 s nobody waits any more.
    assert more == [0] * 12 + [2000, 1800, 1600, 1400, 1200, 1000, 800, 600, 400, 200] + [0] * 18


def test_bursts_and_ramps_go_through_the_same_loop() -> None:
    (burst,) = observed(asked(load=Load(pattern="burst", rate=8.0, burst=4)), requests=8, warmup=0)
    assert gaps(list(burst.samples)) == [0, 0, 0, 0.5, 0, 0, 0]
    (ramp,) = observed(asked(load=Load(pattern="ramp", start_rate=1.0, rate=9.0)), requests=8, warmup=0)
    assert gaps(list(ramp.samples)) == sorted(gaps(list(ramp.samples)), reverse=True)


# --- replays ------------------------------------------------------------------------------------------------------


def entry(due_s: float, prompt: int, output: int) -> Arrival:
    return Arrival(due_ns=round(due_s * SECOND), prompt_tokens=prompt, output_tokens=output)


def test_a_replay_has_the_traces_times_and_lengths() -> None:
    lengths = [150, 1200, 400, 90, 900, 2400, 131, 650]
    trace = [entry(place * place / 4, tokens, 4 + place) for place, tokens in enumerate(lengths)]
    of = asked(load=Load(pattern="replay", trace="0" * 12, speed=1.0))
    ((visit,), bodies) = seen(of, trace=trace, requests=6, warmup=2)
    assert [(one.wanted_ns - visit.samples[0].wanted_ns) / SECOND for one in visit.samples] == [
        place * place / 4 for place in range(8)
    ]
    assert [one.phase for one in visit.samples] == ["warmup"] * 2 + ["measured"] * 6
    counts = [one.counts for one in visit.samples]
    assert [one.eval_count for one in counts if one] == list(range(4, 12))
    assert all(one.outcome == "ok" for one in visit.samples)  # by its own output_tokens, not the cell's
    found = [one.prompt_eval_count for one in counts if one]
    assert found == pytest.approx(lengths, rel=0.02, abs=4)
    assert len(bodies) < len(lengths) + 3 * 6  # three lengths were counted, not eight


def test_of_a_short_trace_the_warm_up_takes_its_part() -> None:
    trace = [entry(place, 200, 4) for place in range(10)]
    of = asked(load=Load(pattern="replay", trace="0" * 12, speed=2.0))
    (visit,) = observed(of, trace=trace, requests=40, warmup=10)
    assert Counter(one.phase for one in visit.samples) == {"warmup": 2, "measured": 8}
    assert gaps(list(visit.samples)) == [0.5] * 9


def test_what_does_not_fit_into_the_context_is_told() -> None:
    trace = [entry(place, 200 if place else 9000, 4) for place in range(4)]
    of = asked(load=Load(pattern="replay", trace="0" * 12, speed=1.0))
    (visit,) = observed(of, trace=trace, requests=3, warmup=1)
    (note,) = visit.notes
    assert note.startswith("1 of 4 requests of the trace need more than num_ctx 4096")


# --- sessions -----------------------------------------------------------------------------------------------------


def test_each_turn_carries_what_was_said_and_finds_it_in_the_cache() -> None:
    ((visit,), bodies) = seen(asked(load=PEOPLE), CHATTY, requests=60, warmup=6)
    assert visit.problem is None
    talks: dict[tuple[int, ...], list[Sample]] = {}
    current: dict[int, list[Sample]] = {}
    for one in visit.samples:
        if one.turn == 0:
            current[one.stream] = []
        current[one.stream].append(one)
        talks[one.stream, current[one.stream][0].index] = current[one.stream]
    whole = [samples for samples in talks.values() if len(samples) == 3]
    assert len(whole) > 5
    for first, second, third in whole:
        prompts, cached = zip(*[_counts(one) for one in (first, second, third)], strict=True)
        assert cached[0] == 0  # nobody has said anything like it
        assert cached[1] == prompts[0] + 8  # the question and its answer are known
        assert cached[2] == prompts[1] + 8
        assert second.wanted_ns > first.end_ns
    assert {len(body["messages"]) for body in bodies} >= {1, 3, 5}
    said = next(body["messages"] for body in bodies if len(body["messages"]) == 5)
    assert [one["role"] for one in said] == ["user", "assistant"] * 2 + ["user"]
    assert said[1]["content"] == "tok " * 8
    openings = [body["messages"][0]["content"] for body in bodies if len(body["messages"]) == 1]
    assert len({one.split("\n")[0] for one in openings}) == len(openings)


def _counts(sample: Sample) -> tuple[int, int]:
    assert sample.counts is not None
    assert sample.counts.prompt_eval_count is not None
    assert sample.counts.cached_count is not None
    return sample.counts.prompt_eval_count, sample.counts.cached_count


def test_questions_of_the_span_are_asked_and_the_first_part_warms_up() -> None:
    # Three users ask 0.3 questions a second: 220 s for 66. The first 20 s warm up.
    (visit,) = observed(asked(load=PEOPLE), CHATTY, requests=60, warmup=6)
    began = visit.samples[0].wanted_ns
    for one in visit.samples:
        assert one.phase == ("warmup" if one.wanted_ns < _measured_from(visit) else "measured")
    assert visit.samples[-1].wanted_ns - began < 220 * SECOND
    assert 40 <= len(measured(visit)) <= 80  # 20 conversations or so, of three questions each
    assert visit.measured_ns == measured(visit)[0].wanted_ns


def _measured_from(visit: Any) -> int:
    first: int = measured(visit)[0].wanted_ns
    return first


def test_a_user_asks_one_question_at_a_time() -> None:
    # Answers take 7 s, so conversations pile up behind one another.
    slow = replace(CHATTY, itl_ns=SECOND, slots=64)
    hasty = replace(PEOPLE, questions_per_hour=1200.0)
    (visit,) = observed(asked(load=hasty), slow, requests=60, warmup=6, timeout_ns=900 * SECOND)
    by_user: dict[int, list[Sample]] = {}
    for one in visit.samples:
        by_user.setdefault(one.stream, []).append(one)
    assert len(by_user) == 3
    waited = 0
    for samples in by_user.values():
        for before, after in pairwise(samples):
            assert after.wanted_ns >= before.end_ns
            waited += after.turn == 0 and after.wanted_ns == before.end_ns
    assert waited > 3


def test_an_answer_that_fails_ends_its_conversation() -> None:
    asks = len(seen(asked(load=PEOPLE), CHATTY, requests=1, warmup=0)[1])
    faults = dict.fromkeys(range(asks + 5, asks + 400, 3), "500")
    (visit,) = observed(asked(load=PEOPLE), replace(CHATTY, faults=faults), requests=60, warmup=6)
    failed = [one for one in visit.samples if one.outcome == "http_error"]
    assert len(failed) > 5
    numbers = {one.index for one in visit.samples}  # three a conversation
    assert not any(one.turn < 2 and one.index + 1 in numbers for one in failed)


# --- mixes --------------------------------------------------------------------------------------------------------

BOTH = (
    Share(model="a:1b", base="a:1b", quantization=None, weight=3.0, prompt_tokens=100, output_tokens=8),
    Share(model="b:1b", base="b:1b", quantization=None, weight=1.0, prompt_tokens=400, output_tokens=4),
)


def mixed(**changes: Any) -> Any:
    return asked(model="a:1b", base="a:1b", mix=BOTH, **({"load": STEADY} | changes))


def test_parts_come_by_their_weights_each_with_its_own_model_and_lengths() -> None:
    ((visit,), bodies) = seen(mixed(), requests=196, warmup=4)
    assert visit.problem is None
    parts = Counter(one.part for one in visit.samples)
    assert parts[0] + parts[1] == 200
    assert 30 <= parts[1] <= 70
    for one in visit.samples:
        prompt, _ = _counts(one)
        assert prompt == pytest.approx(400 if one.part else 100, abs=8)
        assert one.counts is not None
        assert one.counts.eval_count == (4 if one.part else 8)
        assert one.outcome == "ok"
    assert {body["model"] for body in bodies} == {"a:1b", "b:1b"}
    assert visit.placement is not None
    assert visit.placement.others == ()
    assert visit.notes == ()  # both are in memory, as they should be


def test_models_that_make_each_other_leave_show_their_loads_and_do_not_fail_the_visit() -> None:
    slow = Load(pattern="steady", rate=1.0)
    (visit,) = observed(mixed(load=slow), replace(SERVER, max_loaded=1), requests=40, warmup=4)
    assert visit.problem is None
    loads = [one.counts.load_ns for one in visit.samples if one.counts and one.counts.load_ns is not None]
    changes = sum(before.part != after.part for before, after in pairwise(visit.samples))
    assert changes > 5
    assert sum(load >= 500 * MS for load in loads) >= changes
    assert "of 2 models in the mix, b:1b had left memory before it was measured" in visit.notes


def test_a_closed_loop_draws_from_a_mix_too() -> None:
    (visit,) = observed(mixed(load=None, concurrency=2), requests=40, warmup=4)
    assert Counter(one.part for one in visit.samples)[1] in range(3, 20)
    assert all(one.outcome == "ok" for one in visit.samples)


def test_users_hold_conversations_with_either_model() -> None:
    (visit,) = observed(mixed(load=PEOPLE), CHATTY, requests=60, warmup=6)
    assert {one.part for one in visit.samples} == {0, 1}
    for before, after in pairwise(sorted(visit.samples, key=lambda one: (one.stream, one.wanted_ns))):
        if after.turn:
            assert after.part == before.part


# --- given up -----------------------------------------------------------------------------------------------------

TERMS = slo({"slo.ttft_p95": 0.5})
ONE_SLOT = replace(SERVER, slots=1)  # 240 ms an answer: 4.2 a second


def test_a_load_that_cannot_be_kept_is_given_up_and_what_was_due_stays() -> None:
    of = asked(load=Load(pattern="steady", rate=10.0))
    (visit,) = observed(of, ONE_SLOT, requests=200, warmup=10, slo=TERMS, give_up=True)
    assert visit.cut_short
    assert visit.problem is None
    outcomes = Counter(one.outcome for one in visit.samples)
    # 5 % of 200 may miss it; 3 standard deviations more make 19, so the twentieth ends it.
    assert outcomes["ok"] < 60
    assert outcomes["cancelled"] > 20
    assert len(visit.samples) < 120
    last = max(one.wanted_ns for one in visit.samples)
    assert all(one.end_ns >= last for one in visit.samples if one.outcome == "cancelled")


@pytest.mark.parametrize("changes", [{"slo": TERMS}, {"give_up": True}, {}])
def test_nothing_is_given_up_unless_it_is_asked_for(changes: dict[str, Any]) -> None:
    of = asked(load=Load(pattern="steady", rate=10.0))
    (visit,) = observed(of, ONE_SLOT, requests=60, warmup=0, timeout_ns=900 * SECOND, **changes)
    assert not visit.cut_short
    assert {one.outcome for one in visit.samples} == {"ok"}


def test_a_load_that_is_kept_goes_on_to_its_end() -> None:
    of = asked(load=Load(pattern="steady", rate=4.0))
    (visit,) = observed(of, ONE_SLOT, requests=100, warmup=5, slo=TERMS, give_up=True)
    assert (visit.cut_short, len(visit.samples)) == (False, 105)


def test_sessions_are_given_up_too() -> None:
    crowd = replace(PEOPLE, users=40, think_ns=SECOND)
    (visit,) = observed(asked(load=crowd), ONE_SLOT, requests=200, warmup=10, slo=TERMS, give_up=True)
    assert visit.cut_short
    assert "cancelled" in {one.outcome for one in visit.samples}


def test_closed_streams_are_given_up_too() -> None:
    of = asked(concurrency=8)
    (visit,) = observed(of, ONE_SLOT, requests=200, warmup=8, slo=TERMS, give_up=True)
    assert visit.cut_short
    assert Counter(one.outcome for one in visit.samples)["cancelled"] in range(1, 9)
    assert len(visit.samples) < 60
