"""Visits that something disturbed, taken once more, in virtual time."""

from array import array
from collections.abc import Sequence
from typing import Any

import pytest
import virtual
from benches import Ear, bench, seconds, stopped_after, taken, terms
from pretend import MS, SECOND, Fault, Habits, Pretend, at
from records import cell

from olbench.clock import now
from olbench.gist import chosen, gist
from olbench.model import Observation
from olbench.readings import Readings, Series
from olbench.thresholds import limits

# The first visit ends at 3.0 s; the model stays, so each later one takes 0.7 s.
QUICK = Habits(token_ns=0)
BUSY = "other programs kept 1.20 cores busy"
AGAIN = f"taken again, because {BUSY}"


class Busy:
    """A watch on a machine on which others compute from one second to another."""

    def __init__(self, *spans: tuple[float, float]) -> None:
        self._spans = spans

    def cut(self) -> Readings:
        """One beat, of this moment."""
        busy = any(begin <= at() <= end for begin, end in self._spans)
        return Readings(
            (Series("host.other_cpu", "cores", array("q", [now()]), array("d", [1.2 if busy else 0.0])),), ()
        )


def story(
    *spans: tuple[float, float],
    repeats: int = 2,
    habits: Habits = QUICK,
    stop_s: float | None = None,
    **changes: Any,
) -> tuple[list[Observation], list[str]]:
    """What was seen while others computed in these spans, and what the audience heard."""

    async def run() -> tuple[list[Observation], list[str]]:
        made = bench(Pretend(habits), [cell()], repeats, **({"watch": Busy(*spans)} | changes))
        seen = await (taken(made) if stop_s is None else stopped_after(stop_s, made))
        assert isinstance(made.audience, Ear)
        return seen, made.audience.heard

    return virtual.run(run())


def order(seen: Sequence[Observation]) -> list[int]:
    return [one.visit.repeat for one in seen]


def test_a_visit_that_was_disturbed_is_taken_again_at_once_and_both_are_kept() -> None:
    seen, heard = story((2.9, 3.1))
    assert order(seen) == [0, 0, 1]
    assert [one.visit for one in seen[:2]] == [seen[0].visit] * 2
    assert [one.notes for one in seen] == [(), (AGAIN,), ()]
    assert [seconds(one.ended_ns)[0] for one in seen] == [3.0, 3.7, 4.4]
    assert [one for one in heard if one.startswith(("visit", "observed"))] == [
        *("visit 0 2048", "observed 0", "visit 0 2048", "observed 0"),
        *("visit 1 2048", "observed 1"),
    ]


def test_figures_are_taken_of_the_visit_that_was_not_disturbed() -> None:
    seen, _ = story((2.9, 3.1))
    (kept,) = chosen(map(gist, seen)).values()
    assert [(one.visit.repeat, one.notes, one.trips) for one in kept] == [(0, (AGAIN,), ()), (1, (), ())]


def test_a_machine_that_is_left_alone_costs_nothing_more() -> None:
    assert order(story()[0]) == [0, 1]


def test_a_visit_is_never_taken_a_third_time() -> None:
    seen, _ = story((2.9, 3.8))
    assert order(seen) == [0, 0, 1]
    assert seen[2].notes == ()


def test_prompts_of_a_visit_that_is_taken_again_are_new_to_the_server() -> None:
    seen, _ = story((0.0, 99.0), repeats=1, habits=Habits(token_ns=1 * MS))
    counts = [sample.counts for one in seen for sample in one.samples]
    assert len(seen) == 2
    assert [one.cached_count for one in counts if one] == [0] * len(counts)


@pytest.mark.parametrize(
    "changes",
    [{"retake": False}, {"limits": limits({"threshold.other_cores": 1.3})}],
    ids=["not asked for", "a higher threshold"],
)
def test_a_visit_is_not_taken_again_where_the_scenario_says_so(changes: dict[str, Any]) -> None:
    assert order(story((0.0, 99.0), terms=terms(**changes))[0]) == [0, 1]


def test_a_visit_that_failed_for_a_reason_of_its_own_is_not_taken_again() -> None:
    faults: dict[int, Fault] = {1: "busy", 2: "busy", 3: "busy", 4: "busy"}
    seen, _ = story((0.0, 99.0), repeats=1, habits=Habits(token_ns=0, faults=faults))
    assert order(seen) == [0]
    assert seen[0].problem is not None


@pytest.mark.parametrize(("budget_s", "taken"), [(5.99, [0]), (6.0, [0, 0]), (6.7, [0, 0, 1])])
def test_it_is_taken_again_only_if_the_budget_holds_another_visit(budget_s: float, taken: list[int]) -> None:
    seen, _ = story((2.9, 3.1), terms=terms(budget_ns=round(budget_s * SECOND)))
    assert order(seen) == taken


def test_a_stop_while_it_is_taken_again_keeps_the_first_and_begins_nothing_else() -> None:
    seen, _ = story((2.9, 3.1), stop_s=3.3)
    assert [(one.visit.repeat, one.problem, one.notes) for one in seen] == [
        (0, None, ()),
        (0, "interrupted", (AGAIN,)),
    ]
    (kept,) = chosen(map(gist, seen)).values()
    assert [one.problem for one in kept] == [None]


NOTE = (
    "note: visits that were taken again were no better 3 times in a row (other programs kept 1.20 cores busy):"
    " from now on none is taken again"
)


def test_on_a_machine_that_is_always_busy_three_visits_are_taken_again_and_no_more() -> None:
    seen, heard = story((0.0, 99.0), repeats=6)
    assert order(seen) == [0, 0, 1, 1, 2, 2, 3, 4, 5]
    assert [one for one in heard if one.startswith("note")] == [NOTE]


def test_that_a_visit_was_left_alone_does_not_show_that_taking_another_again_helps() -> None:
    # Visits 0 and 1 end at 3.0, 3.7, 4.4 and 5.1 s, and visit 2, left alone, at 5.8 s.
    seen, heard = story((0.0, 5.5), (6.0, 99.0), repeats=7)
    assert order(seen) == [0, 0, 1, 1, 2, 3, 3, 4, 5, 6]
    assert heard.count(NOTE) == 1


def test_a_second_take_that_was_left_alone_begins_the_count_anew() -> None:
    # Visit 1 ends at 4.4 s, disturbed, and at 5.1 s, left alone.
    seen, _ = story((0.0, 4.5), (5.5, 99.0), repeats=6)
    assert order(seen) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
