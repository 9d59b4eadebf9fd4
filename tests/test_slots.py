"""How many slots a probe shows, from requests laid out by hand."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from builders import UNIX_NS, cell, ns, observation, placement, sample

from olbench import slots
from olbench.findings import Slots
from olbench.gist import chosen, gist
from olbench.model import Outcome, Sample

PROMPT_S, GAP_S, TOKENS = 0.02, 0.02, 5
LENGTH_S = PROMPT_S + (TOKENS - 1) * GAP_S  # 0.1 s
SENT_S = 1.0


def waiting(waits_s: Sequence[float], **changes: Any) -> list[Sample]:
    """Requests sent at once that waited so long for their slots."""
    laid: dict[str, Any] = {
        "phase": "probe",
        "sent_s": SENT_S,
        "prefill_s": PROMPT_S,
        "gap_s": GAP_S,
        "n": TOKENS,
    } | changes
    return [sample(index=index, queue_s=wait, **laid) for index, wait in enumerate(waits_s)]


def rounds(count: int, slots: int) -> list[float]:
    """The waits of requests that are all equally long."""
    return [index // slots * LENGTH_S for index in range(count)]


def exactly(count: int, of: int) -> Slots:
    return Slots(count, at_least=False, how=f"a probe of {of} requests at once")


# --- one probe ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [9, 17, 33])
@pytest.mark.parametrize("true", [1, 2, 3, 4, 5, 8])
def test_as_many_are_computed_at_once_as_there_are_slots(true: int, count: int) -> None:
    assert slots.infer(waiting(rounds(count, true))) == exactly(true, count)


@pytest.mark.parametrize("true", [9, 16])
def test_where_none_waits_there_may_be_more(true: int) -> None:
    found = slots.infer(waiting(rounds(9, true)))
    assert found == Slots(9, at_least=True, how="a probe of 9 requests at once")


def test_one_that_waits_is_enough() -> None:
    assert slots.infer(waiting(rounds(9, 8))) == exactly(8, 9)


def test_without_a_probe_nothing_is_said() -> None:
    assert slots.infer([sample(phase="warmup"), sample()]) is None


def test_the_scout_that_came_before_is_not_of_the_burst() -> None:
    (scout,) = waiting([0], sent_s=SENT_S - 0.5)
    assert slots.infer([scout, *waiting(rounds(9, 4))]) == exactly(4, 9)


def test_what_every_request_passes_before_its_slot_is_no_waiting() -> None:
    # 30 ms for a template, with a slot for each.
    found = slots.infer(waiting([0.03] * 9))
    assert found == Slots(9, at_least=True, how="a probe of 9 requests at once")


def test_handing_a_slot_over_takes_a_moment() -> None:
    late = [turn * (LENGTH_S + 0.02) for turn in range(9)]
    assert slots.infer(waiting(late)) == exactly(1, 9)
    # longer than it is computed, where other programs keep the machine busy
    late = [turn * (LENGTH_S + 0.12) for turn in range(9)]
    assert slots.infer(waiting(late)) == exactly(1, 9)
    # and with two slots, out of step: one is nearly always in a hand-over when the other is not
    late = [(index // 2) * (LENGTH_S + 0.015) + index % 2 * 0.045 for index in range(9)]
    assert slots.infer(waiting(late)) == exactly(2, 9)


def test_a_next_one_may_begin_while_the_last_line_is_still_being_written() -> None:
    early = [turn * (LENGTH_S - 0.004) for turn in range(9)]
    assert slots.infer(waiting(early)) == exactly(1, 9)


def test_answers_need_not_be_equally_long() -> None:
    # Two slots, and every other request ends after 2 tokens of 5: 0.04 s instead of 0.1 s.
    free, made = [0.0, 0.0], []
    for index in range(9):
        slot = free.index(min(free))
        tokens, length = (2, 0.04) if index % 2 else (5, 0.1)
        made += waiting([free[slot]], n=tokens, outcome="short" if index % 2 else "ok")
        free[slot] += length
    assert slots.infer(made) == exactly(2, 9)


def test_requests_that_arrive_one_after_the_other_are_told_all_the_same() -> None:
    # 4 ms from one to the next at the door, as at a front that is busy: three slots.
    door = [0.004 * index for index in range(9)]
    free, waits = [0.0] * 3, []
    for at in door:
        slot = free.index(min(free))
        begin = max(at, free[slot])
        waits.append(begin - at)
        free[slot] = begin + LENGTH_S
    made = [
        one
        for at, wait in zip(door, waits, strict=True)
        for one in waiting([wait], sent_s=SENT_S + at, wanted_ns=ns(SENT_S))
    ]
    assert slots.infer(made) == exactly(3, 9)


def test_a_response_in_one_piece_counts_back_from_its_end() -> None:
    assert slots.infer(waiting(rounds(9, 2), streamed=False)) == exactly(2, 9)


def test_requests_that_the_server_refused_took_no_slot() -> None:
    full: list[Sample] = waiting([0] * 3, outcome="queue_full", words="server busy")
    assert slots.infer([*waiting(rounds(6, 2)), *full]) == exactly(2, 6)


@pytest.mark.parametrize("outcome", ["stalled", "cut_off", "http_error", "cancelled"])
def test_a_request_that_broke_off_may_have_held_a_slot(outcome: Outcome) -> None:
    (broken,) = waiting([0], outcome=outcome)
    found = slots.infer([*waiting(rounds(8, 1)), broken])
    assert found is not None
    assert (found.count, found.reason) == (None, f"1 of the probe's 9 requests failed (1 {outcome})")


def test_a_probe_that_was_refused_shows_nothing() -> None:
    found = slots.infer(waiting([0] * 9, outcome="queue_full"))
    assert found is not None
    assert (found.count, found.reason) == (None, slots.ALONE)


def uncounted(one: Sample) -> Sample:
    return replace(one, counts=None)


def untimed(one: Sample) -> Sample:
    assert one.counts is not None
    return replace(one, counts=replace(one.counts, prompt_eval_ns=None))


def undated(one: Sample) -> Sample:
    blank = one.chunks.created_ns[:]
    for place in range(len(blank)):
        blank[place] = 0
    return replace(one, chunks=replace(one.chunks, created_ns=blank))


@pytest.mark.parametrize("spoilt", [uncounted, untimed, undated])
def test_a_server_that_does_not_say_when_shows_nothing(spoilt: Any) -> None:
    first, *others = waiting(rounds(9, 2))
    found = slots.infer([spoilt(first), *others])
    assert found is not None
    assert (found.count, found.reason) == (None, slots.LOST)


def test_requests_that_never_met_show_nothing() -> None:
    apart = [one for turn in range(9) for one in waiting([0], sent_s=SENT_S + turn, wanted_ns=ns(SENT_S))]
    found = slots.infer(apart)
    assert found is not None
    assert (found.count, found.reason) == (None, slots.TOO_SHORT)


def test_waiting_beside_free_slots_is_a_contradiction() -> None:
    # Four begin together; then one after the other alone, though each says that it waited.
    found = slots.infer(waiting([0, 0, 0, 0, *(0.1 * turn for turn in range(1, 9))]))
    assert found is not None
    assert found.count is None
    assert (
        found.reason == "4 requests of the probe were computed at once, but later fewer while others waited"
    )


def test_an_engine_may_look_at_a_new_prompt_only_when_it_has_read_the_others() -> None:
    # Four slots, as llama.cpp was seen on a machine with four other programs at work: a slot stood idle for 2.5 s.
    starts = [0, 0, 0, 1.606, 7.515, 5.811, 3.309, 3.304, 3.304]
    ends = [3.276, 3.278, 3.276, 3.304, 9.238, 7.527, 7.505, 7.500, 7.506]
    made = [
        one
        for start, end in zip(starts, ends, strict=True)
        for one in waiting([start], prefill_s=(end - start) / 2, gap_s=(end - start) / 2 / (TOKENS - 1))
    ]
    assert slots.infer(made) == exactly(4, 9)


def test_a_server_that_says_it_took_no_time_shows_nothing() -> None:
    found = slots.infer(waiting(rounds(9, 2), prefill_s=0.0, gap_s=0.0))
    assert found is not None
    assert (found.count, found.reason) == (None, slots.TOO_SHORT)


def test_no_word_of_a_server_is_too_large() -> None:
    made = waiting(rounds(9, 2))
    largest = 2**63 - 1
    for field in ("total_ns", "load_ns", "prompt_eval_ns", "eval_ns"):
        for value in (largest, -largest):
            changed: Any = {field: value}
            assert made[0].counts is not None
            lie = replace(made[0], counts=replace(made[0].counts, **changed))
            assert slots.infer([lie, *made[1:]]) is not None


def test_the_servers_date_is_not_ours() -> None:
    assert UNIX_NS > 10**18  # a float would round it to 256 ns
    assert slots.infer([replace(one, sent_ns=None) for one in waiting(rounds(9, 3))]) == exactly(3, 9)


# --- a cell ---------------------------------------------------------------------------------------------------

TWO, FOUR = exactly(2, 9), exactly(4, 9)
NINE_OR_MORE = Slots(9, at_least=True, how="a probe of 9 requests at once")
FOUR_OR_MORE = Slots(4, at_least=True, how="a probe of 4 requests at once")
NOTHING = Slots(None, at_least=False, how="a probe of 9 requests at once", reason="2 of 9 failed")
UNSEEN = placement(parallel=None)


@pytest.mark.parametrize(
    ("placements", "probes", "said"),
    [
        ([placement(parallel=4)], [], Slots(4, at_least=False, how=slots.COMMAND_LINE)),
        ([placement(parallel=4)], [TWO], Slots(4, at_least=False, how=slots.COMMAND_LINE)),
        ([UNSEEN, placement(parallel=1)], [], Slots(1, at_least=False, how=slots.COMMAND_LINE)),
        (
            [placement(parallel=4), placement(parallel=1)],
            [],
            Slots(1, at_least=False, how="the runner's command line; the fewest of 1 and 4"),
        ),
        ([UNSEEN], [TWO], TWO),
        ([], [TWO], TWO),
        ([UNSEEN], [NOTHING, TWO], TWO),
        ([UNSEEN], [TWO, TWO], TWO),
        ([UNSEEN], [FOUR_OR_MORE, FOUR], FOUR),
        ([UNSEEN], [FOUR_OR_MORE, NINE_OR_MORE], NINE_OR_MORE),
        ([UNSEEN], [NOTHING], NOTHING),
        ([UNSEEN], [], Slots(None, at_least=False, how="", reason=slots.NOT_PROBED)),
    ],
)
def test_the_command_line_is_proof_and_a_probe_the_next_best(
    placements: Any, probes: list[Slots], said: Slots
) -> None:
    assert slots.of(placements, probes) == said


@pytest.mark.parametrize("probes", [[TWO, FOUR], [TWO, NINE_OR_MORE]])
def test_probes_that_disagree_show_nothing(probes: list[Slots]) -> None:
    found = slots.of([UNSEEN], probes)
    counts = " and ".join(str(one.count) for one in probes)
    assert (found.count, found.reason) == (None, f"2 probes disagree: {counts} slots")


# --- in a gist ------------------------------------------------------------------------------------------------


def test_a_probe_enters_no_figure_and_is_no_failure() -> None:
    of = cell()
    seen = [sample(index=index, sent_s=9.0 + index) for index in range(3)]
    broken = waiting([0], outcome="stalled", words="no end", streamed=True)
    plain = gist(observation(of, seen))
    probed = gist(observation(of, [*waiting(rounds(9, 2)), *broken, *seen]))
    assert probed.probe is not None
    assert (plain.probe, probed.probe.count) == (None, None)
    assert (probed.failures, probed.outcomes, probed.stamps) == (plain.failures, plain.outcomes, plain.stamps)
    for key, column in plain.columns.items():
        assert column.numbers.tolist() == probed.columns[key].numbers.tolist(), key


def test_a_visit_that_is_taken_again_keeps_what_its_probe_showed() -> None:
    of = cell()
    first = gist(observation(of, [*waiting(rounds(9, 2)), sample()]))
    again = gist(observation(of, [sample()]))
    (kept,) = chosen([first, again])[of.id]
    assert kept.probe == TWO
    (kept,) = chosen([first, replace(again, problem="interrupted")])[of.id]
    assert kept.probe == TWO
