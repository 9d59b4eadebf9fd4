"""How a run goes, while it goes: the time that is left, a line a visit, the view on a terminal."""

from collections.abc import Mapping
from io import StringIO

import pytest
from records import cell, ns, observation, readings, sample, series
from rich.console import Console

from olbench import clock
from olbench.live import ROWS, Pace, View, summary
from olbench.model import Cell, Observation, Visit

ONE, TWO = cell(num_ctx=2048), cell(num_ctx=4096)
GIB = 2.0**30


class Probes:
    """The last values of some probes."""

    def __init__(self, **last: tuple[float, str]) -> None:
        self._last = {name.replace("_", ".", 1): value for name, value in last.items()}

    def latest(self) -> Mapping[str, tuple[float, str]]:
        return self._last


def visits(*cells: Cell, repeats: int = 1) -> tuple[Visit, ...]:
    return tuple(
        Visit(repeat * len(cells) + place, one.id, repeat)
        for repeat in range(repeats)
        for place, one in enumerate(cells)
    )


def view(*cells: Cell, repeats: int = 1, probes: Probes | None = None, first: str = "ctx 2048") -> View:
    names = {one.id: f"ctx {one.num_ctx}" for one in cells} | {ONE.id: first}
    expected = dict.fromkeys(names, 1.0)
    return View(visits(*cells, repeats=repeats), names, expected, probes or Probes(), within="3 %")


# --- the time that is left ------------------------------------------------------------------------------------


def test_nothing_is_said_of_the_rest_before_the_first_visit_has_ended() -> None:
    assert Pace({ONE.id: 5.0}, visits(ONE)).left() is None


def test_the_rest_is_the_estimate_scaled_by_how_true_it_has_been() -> None:
    pace = Pace({ONE.id: 10.0, TWO.id: 30.0}, visits(ONE, TWO, repeats=2))
    pace.took(ONE.id, 25.0)  # 2.5 times what was expected; 70 are left
    assert pace.left() == 175.0
    pace.took(TWO.id, 15.0)  # 40 now for an expected 40; the second round is 40
    assert pace.left() == 40.0
    pace.took(ONE.id, 10.0)
    pace.took(TWO.id, 30.0)
    assert pace.left() == 0.0


def test_a_cell_without_an_estimate_is_no_ground_for_one() -> None:
    pace = Pace({}, visits(ONE, TWO))
    pace.took(ONE.id, 25.0)
    assert pace.left() is None


def test_a_visit_that_is_taken_again_takes_nothing_from_the_rest() -> None:
    pace = Pace({ONE.id: 10.0, TWO.id: 30.0}, visits(ONE, TWO))
    pace.took(ONE.id, 20.0)
    assert pace.left() == 60.0
    pace.again(ONE.id, 20.0)
    assert pace.left() == 60.0  # still twice as long as was expected, and TWO is still to come
    pace.took(TWO.id, 60.0)
    assert pace.left() == 0.0


def test_visits_beyond_the_plan_add_to_the_rest() -> None:
    pace = Pace({ONE.id: 10.0, TWO.id: 30.0}, visits(ONE))
    pace.took(ONE.id, 20.0)
    pace.further(visits(ONE, TWO))
    assert pace.left() == 80.0


def test_what_falls_due_takes_its_time_however_true_the_estimates_were() -> None:
    pace = Pace({ONE.id: 10.0, TWO.id: 30.0}, visits(ONE, TWO), {TWO.id: 300.0})
    pace.took(ONE.id, 2.0)
    assert pace.left() == 300.0
    assert pace.left(TWO.id, 120.0) == 180.0
    pace.took(TWO.id, 400.0)
    assert pace.left() == 0.0
    pace.further(visits(ONE))
    assert pace.left() == 2.0  # as true as before: how long people take to ask says nothing of it


def test_what_falls_due_needs_no_estimate_before_it() -> None:
    due = {TWO.id: 200.0}
    pace = Pace({ONE.id: 10.0}, (), due)
    due[TWO.id] = 300.0  # known when it comes
    pace.further(visits(TWO))
    assert pace.left(TWO.id, 100.0) == 200.0
    pace.further(visits(ONE))
    assert pace.left() is None  # nobody knows yet how long ONE takes


def test_a_visit_that_takes_longer_than_expected_leaves_the_others_their_time() -> None:
    pace = Pace({ONE.id: 10.0, TWO.id: 30.0}, visits(ONE, TWO, repeats=2))
    pace.took(ONE.id, 20.0)  # 60, 20 and 60 are to come
    assert [pace.left(TWO.id, elapsed) for elapsed in (0.0, 45.0, 60.0, 75.0)] == [140.0, 95.0, 80.0, 80.0]


# --- a visit in words -----------------------------------------------------------------------------------------


def test_a_visit_is_told_by_its_rates_its_ttft_and_its_memory() -> None:
    # 8 tokens in 7 gaps of 20 ms; TTFT 100 ms; 8 tokens in 240 ms from the sending to the end.
    rss = readings(series("server.rss", [1.0 * GIB, 1.5 * GIB], start_s=1.0, every_s=0.1))
    seen = observation(ONE, [sample()], readings=rss)
    assert summary(seen) == ("57.1 tok/s", "100 ms", "33.3 tok/s", "1.50 GiB", "")


def test_the_middle_request_stands_for_a_visit() -> None:
    slow = [sample(index=place, sent_s=place, prefill_s=0.08 + place / 10) for place in range(3)]
    assert summary(observation(ONE, slow))[1] == "200 ms"


def test_what_is_not_known_is_left_empty() -> None:
    assert summary(observation(ONE, [sample(streamed=False)]))[1] == ""
    assert summary(observation(ONE, [sample()]))[3] == ""


def test_failed_requests_are_counted_and_those_to_warm_up_are_not() -> None:
    samples = [
        sample(phase="warmup", outcome="stalled"),
        sample(index=1),
        sample(index=2, outcome="queue_full"),
        sample(index=3, outcome="short"),
    ]
    assert summary(observation(ONE, samples))[4] == "1 of 3 failed"


def test_requests_that_were_stopped_with_their_load_did_not_fail() -> None:
    samples = [sample(), sample(index=1, outcome="cancelled"), sample(index=2, outcome="stalled")]
    assert summary(observation(ONE, samples, cut_short=True))[4] == "given up, 1 of 2 failed"
    assert summary(observation(ONE, samples[:2], cut_short=True))[4] == "given up"


def test_a_visit_with_a_problem_is_its_problem_alone() -> None:
    seen = observation(ONE, [sample()], problem="interrupted")
    assert summary(seen) == ("", "", "", "", "interrupted")


# --- plain lines ----------------------------------------------------------------------------------------------


def told(capsys: pytest.CaptureFixture[str], *seen: Observation, first: str = "ctx 2048") -> list[str]:
    """What is printed where there is no terminal, when each visit ends as it says."""
    at = [0]
    with clock.told_by(lambda: at[0]), view(ONE, TWO, repeats=2, first=first) as shown:
        for one in seen:
            shown.visiting(one.visit, ONE)
            shown.doing("measuring")
            at[0] = one.ended_ns
            shown.observed(one)
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def test_without_a_terminal_each_visit_is_one_line_with_the_time_so_far_and_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = observation(ONE, [sample()], ended_ns=ns(20))
    second = observation(TWO, [sample()], started_ns=ns(20), ended_ns=ns(50), problem="interrupted")
    assert told(capsys, first, second) == [
        "[1/4] 20 s, about 1 min 00 s left: ctx 2048 #1: 57.1 tok/s, 100 ms, 33.3 tok/s",
        "[2/4] 50 s, about 50 s left: ctx 4096 #1: interrupted",
    ]


def test_a_visit_that_is_taken_again_is_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    first = observation(ONE, [sample()], ended_ns=ns(20))
    again = observation(ONE, [sample()], started_ns=ns(20), ended_ns=ns(40))
    second = observation(TWO, [sample()], started_ns=ns(40), ended_ns=ns(60))
    lines = told(capsys, first, again, second)
    assert [line.partition(": ctx")[0] for line in lines] == [
        "[1/4] 20 s, about 1 min 00 s left",
        "[1/4] 40 s, about 1 min 00 s left",
        "[2/4] 1 min 00 s, about 40 s left",
    ]
    assert ": ctx 2048 #1 again: 57.1 tok/s" in lines[1]


def test_a_further_round_is_told_and_counted(capsys: pytest.CaptureFixture[str]) -> None:
    at = [0]
    with clock.told_by(lambda: at[0]), view(ONE, TWO) as shown:
        for repeat in range(2):
            for of in (ONE, TWO):
                at[0] += ns(10)
                ended = observation(of, [sample()], repeat=repeat, started_ns=at[0] - ns(10), ended_ns=at[0])
                shown.observed(ended)
            if not repeat:
                shown.going_on(2, visits(ONE, TWO))
    assert [line.partition(": ctx")[0] for line in capsys.readouterr().err.splitlines()] == [
        "[1/2] 10 s, about 10 s left",
        "[2/2] 20 s",
        "round 2: 2 cells not known within 3 % yet",
        "[3/4] 30 s, about 10 s left",
        "[4/4] 40 s",
    ]


def test_names_and_words_from_outside_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    seen = observation(ONE, problem="[/red] no such [bold]model[/bold]", ended_ns=ns(20))
    (line,) = told(capsys, seen, first="[red]通义")
    assert line.endswith("left: [red]通义 #1: [/red] no such [bold]model[/bold]")


def test_a_long_line_is_not_broken(capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = told(capsys, observation(ONE, problem="why " * 100, ended_ns=ns(20)))
    assert line.count("why") == 100


def test_a_sentence_is_said_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with view(ONE) as shown:
        shown.say("stopping: [all] is kept")
    assert capsys.readouterr().err == "stopping: [all] is kept\n"


# --- on a terminal --------------------------------------------------------------------------------------------


def drawn(shown: View, width: int = 100) -> list[str]:
    file = StringIO()
    Console(file=file, width=width, color_system=None).print(shown._drawn())
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_view_shows_what_is_being_done_and_the_memory_of_now() -> None:
    probes = Probes(server_rss=(1.5 * GIB, "B"), gpu0_server=(2.0 * GIB, "B"), host_available=(8 * GIB, "B"))
    with clock.told_by(lambda: 0):
        shown = view(ONE, TWO, repeats=2, probes=probes)
        shown.visiting(Visit(2, TWO.id, 1), TWO)
        shown.doing("warming up")
        lines = drawn(shown)
    assert lines[1] == "warming up: ctx 4096, repeat 2   RAM 1.50 GiB · GPU 2.00 GiB · free 8.00 GiB"
    assert lines[2].endswith("  0 of 4 visits, 0 s")


def test_a_view_shows_which_round_it_is_and_that_a_visit_is_taken_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with clock.told_by(lambda: 0):
        shown = view(ONE, TWO)
        seen = observation(TWO, [sample()], repeat=2, ended_ns=ns(1))
        shown.going_on(3, (seen.visit,))
        shown.observed(seen)
        shown.visiting(seen.visit, TWO)
        lines = drawn(shown)
    assert "preparing: ctx 4096, repeat 3 again   " in [line + "   " for line in lines]
    assert "round 3: 1 cell not known within 3 % yet" in lines
    assert "  1 of 3 visits, " in lines[-1]
    capsys.readouterr()


def test_before_the_first_visit_it_is_starting() -> None:
    assert drawn(view(ONE))[1].startswith("starting")


def test_a_view_holds_the_visits_that_ended_last(capsys: pytest.CaptureFixture[str]) -> None:
    at = [0]
    with clock.told_by(lambda: at[0]):
        shown = view(ONE, repeats=12)
        for repeat in range(10):
            at[0] = ns(2 * repeat + 2)
            seen = observation(
                ONE, [sample()], repeat=repeat, started_ns=ns(2 * repeat), ended_ns=ns(2 * repeat + 2)
            )
            shown.observed(seen)
        lines = drawn(shown)
    rows = [line for line in lines if "#" in line]
    assert len(rows) == ROWS == 8
    assert rows[0].split() == ["ctx", "2048", "#3", "57.1", "tok/s", "100", "ms", "33.3", "tok/s"]
    assert "#10" in rows[-1]
    assert lines[-1].rpartition("  ")[2] == "10 of 12 visits, 20 s, about 4.0 s left"
    capsys.readouterr()
