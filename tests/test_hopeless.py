"""When a load is given up: by numbers that can be followed by hand."""

import pytest

from olbench.hopeless import Limit, Outlook, limits, lost
from olbench.model import Phase, Prompt, Request
from olbench.ports import Reply, Wire
from olbench.slo import terms

MS = 1_000_000


@pytest.mark.parametrize(
    ("said", "found"),
    [
        # 5 % of 200 are 10, with a standard deviation of sqrt(200 * 0.05 * 0.95) = 3.08.
        ({"slo.ttft_p95": 0.5}, Limit(500 * MS, None, 34)),
        ({"slo.e2e_p99": 4}, Limit(None, 4000 * MS, 13)),  # 2 and 8 * 1.41
        ({"slo.success": 0.9}, Limit(None, None, 53)),  # 20 and 8 * 4.24
    ],
)
def test_a_line_may_be_missed_by_its_share_and_eight_deviations_more(
    said: dict[str, float], found: Limit
) -> None:
    assert limits(terms(said), 200) == (found,)


def test_lines_on_the_pace_of_answers_are_not_looked_at() -> None:
    assert limits(terms({"slo.tpot_p95": 0.1, "slo.answer_rate": 10.0}), 200) == ()


@pytest.mark.parametrize(
    ("missed", "recent", "over"),
    [
        (19, [True] * 10, False),
        (20, [True] * 10, True),
        (20, [True, False] * 5, True),
        (20, [True] * 4 + [False] * 6, False),  # it gets better
        (20, [], True),  # nobody is answered at all
    ],
)
def test_a_line_is_lost_when_too_many_missed_it_and_it_does_not_get_better(
    missed: int,
    recent: list[bool],
    over: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert lost(missed, 19, recent) is over


def wire(index: int, *, warmup: bool = False) -> Wire:
    phase: Phase = "warmup" if warmup else "measured"
    return Wire(Request(index, phase, Prompt("p", ())), "/api/chat", b"", streamed=True)


def reply(
    due: int, head_ms: int | None, end_ms: int, fault: str | None = None, status: int | None = 200
) -> Reply:
    return Reply(
        wanted_ns=due,
        sent_ns=due,
        head_ns=None if head_ms is None else due + head_ms * MS,
        end_ns=due + end_ms * MS,
        status=status,
        content_type="",
        body=b"",
        marks=[],  # type: ignore[arg-type]  # nothing looks at them
        stamps="none",
        fault=fault,
        words="",
    )


FAST, LATE = reply(0, 100, 900), reply(0, 600, 900)


def after(answers: list[Reply], said: dict[str, float], *, warmup: bool = False) -> bool:
    """Whether a load of forty requests is lost after these; of 40, two and 8 * 1.38 may miss a p95: thirteen."""
    outlook = Outlook(limits(terms(said), 40))
    for index, one in enumerate(answers):
        outlook.sent(wire(index, warmup=warmup), 0)
        outlook.answered(wire(index, warmup=warmup), one)
    return outlook.over.is_set()


def test_a_late_first_byte_a_late_end_and_a_failure_each_miss_their_line() -> None:
    assert not after([LATE] * 13, {"slo.ttft_p95": 0.5})
    assert after([LATE] * 14, {"slo.ttft_p95": 0.5})
    assert not after([FAST] * 30, {"slo.ttft_p95": 0.5, "slo.e2e_p95": 0.95})
    assert after([FAST] * 14, {"slo.e2e_p95": 0.85})
    assert after([reply(0, None, 0, "refused", None)] * 14, {"slo.ttft_p95": 0.5})
    assert after([reply(0, 10, 10, status=503)] * 14, {"slo.ttft_p95": 0.5})


def test_warm_ups_and_what_was_stopped_count_for_nothing() -> None:
    assert not after([LATE] * 30, {"slo.ttft_p95": 0.5}, warmup=True)
    assert not after([reply(0, None, 0, "cancelled", None)] * 30, {"slo.ttft_p95": 0.5})


def test_without_a_service_level_there_is_always_hope() -> None:
    assert not after([reply(0, None, 0, "refused", None)] * 40, {})


def test_requests_that_wait_for_too_long_count_before_they_end() -> None:
    outlook = Outlook(limits(terms({"slo.e2e_p95": 0.5}), 40))
    for index in range(14):
        outlook.sent(wire(index), -(10**12))  # due long ago
    assert outlook.over.is_set()
