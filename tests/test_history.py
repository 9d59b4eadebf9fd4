"""A scenario's runs over time: figures, changes, levels, steps, and what else changed where a step is."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from builders import a_run, card, cell, observation, readings, record, series, visits

from olbench.analysis import analyse
from olbench.findings import Estimate, Summary
from olbench.glance import Figure, Glance, glance
from olbench.history import History, history, numbered
from olbench.metrics import METRICS
from olbench.model import Cell, Facts

ONE, FOUR = cell(concurrency=1), cell(concurrency=4)
# Twelve runs that differ by chance alone, within 1 %.
NOISE = (1.002, 0.997, 1.001, 0.996, 1.004, 0.999, 1.003, 0.998, 1.0, 1.002, 0.997, 1.001)
BEFORE = [50.0 * one for one in NOISE]
AFTER = [46.0 * one for one in NOISE]


def summary(value: float | None, **changes: Any) -> Summary:
    """A figure whose interval is 1 % to both sides."""
    typical = (
        Estimate(None, None, None, "nothing was measured")
        if value is None
        else Estimate(value, value * 0.99, value * 1.01)
    )
    fields: dict[str, Any] = {
        "metric": "decode",
        "samples": 9,
        "visits": 3,
        "typical": typical,
        **dict.fromkeys(("p50", "p90", "p95", "p99"), typical),
        "least": value,
        "most": value,
        "per_visit": (),
        "missing": (),
    }
    return Summary(**(fields | changes))


def seen(
    place: int,
    value: float | None,
    *,
    facts: Facts | None = None,
    taken: int = 3,
    marked: int = 0,
    status: str = "complete",
    of: Sequence[Cell] = (ONE,),
) -> Glance:
    """The run of one day, with the same figure in each cell."""
    figure = Figure(summary=summary(value), taken=taken if value is not None else 0, marked=marked)
    return Glance(
        run=f"run-{place:02d}",
        at=f"2026-10-{place + 1:02d}T22:00:00Z",
        status=status,
        facts={"server.version": "0.33.0"} if facts is None else facts,
        figures={one.id: figure for one in of},
    )


def told(runs: Sequence[Glance], metric: str = "decode", **changes: Any) -> History:
    return history("nightly", metric, [ONE, FOUR], runs, chosen=[ONE], **changes)


# --- points -------------------------------------------------------------------------------------------------------


def test_a_change_is_held_against_the_last_run_that_can_be_judged() -> None:
    runs = [seen(0, 50.0), seen(1, 80.0, marked=3), seen(2, None), seen(3, 55.0), seen(4, 44.0)]
    (line,) = told(runs).lines
    assert [one.change for one in line.points] == [None, None, None, pytest.approx(0.1), pytest.approx(-0.2)]


@pytest.mark.parametrize(
    ("run", "marks"),
    [
        (seen(0, 50.0), ()),
        (seen(0, 50.0, marked=2), ("2 marked",)),
        (seen(0, 50.0, marked=3), ("not judged",)),
        (seen(0, 50.0, status="interrupted"), ("interrupted",)),
        (seen(0, None), ("no figure",)),
        (seen(0, None, status="failed"), ("no figure", "failed")),
    ],
)
def test_marks_say_what_is_remarkable_of_a_run(run: Glance, marks: tuple[str, ...]) -> None:
    (line,) = told([run]).lines
    assert line.points[0].marks == marks


def test_a_run_without_the_cell_is_no_point_of_its_history() -> None:
    runs = [seen(0, 50.0, of=[FOUR]), seen(1, 50.0), seen(2, 51.0)]
    (line,) = told(runs).lines
    assert [one.run for one in line.points] == ["run-01", "run-02"]


def test_turns_are_where_the_servers_version_is_another_one_than_was_last_known() -> None:
    versions = ("0.33.0", "0.33.0", None, "0.33.0", "0.34.0", None, "0.33.0")
    runs = [seen(place, 50.0, facts={"server.version": one}) for place, one in enumerate(versions)]
    (line,) = told(runs).lines
    assert line.turns == (4, 6)


def test_the_same_cells_have_the_same_numbers_whichever_is_chosen() -> None:
    assert numbered([ONE, FOUR]) == {ONE.id: (1, "×1"), FOUR.id: (2, "×4")}
    runs = [seen(0, 50.0, of=[ONE, FOUR])]
    (line,) = history("nightly", "decode", [ONE, FOUR], runs, chosen=[FOUR]).lines
    assert (line.number, line.label) == (2, "×4")


# --- levels and steps ---------------------------------------------------------------------------------------------


def test_runs_that_differ_by_chance_are_one_level() -> None:
    found = told([seen(place, value) for place, value in enumerate(BEFORE)])
    assert found.steps == ()
    assert [(one.first, one.last) for one in found.lines[0].levels] == [(0, 11)]


def test_a_step_comes_with_its_size_and_the_command_that_tests_it() -> None:
    runs = [seen(place, value) for place, value in enumerate([*BEFORE, *AFTER])]
    ((line, step),) = told(runs, options=" --db other.db").steps
    assert (step.at, step.old, step.new) == (12, "run-11", "run-12")
    assert step.change == pytest.approx(-0.08, abs=0.001)
    assert step.command == "olbench compare run-11 run-12 --db other.db"
    assert step.sentence == (
        "The decode rate fell by 8.0 %, which is worse: from 50.02 to 46.02 tok/s since 2026-10-13 (12 runs);"
        " no change of the set-up is known"
    )
    assert [one.value for one in line.levels] == [pytest.approx(50.025), pytest.approx(46.023)]


def test_the_servers_version_comes_first_where_it_changed_at_the_step() -> None:
    runs = [
        *(seen(place, value) for place, value in enumerate(AFTER)),
        *(seen(place, value, facts={"server.version": "0.34.0"}) for place, value in enumerate(BEFORE, 12)),
    ]
    ((_, step),) = told(runs).steps
    assert step.sentence == (
        "The server's version went from 0.33.0 to 0.34.0, and the decode rate rose by 8.7 %, which is better:"
        " from 46.02 to 50.02 tok/s since 2026-10-13 (12 runs)"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ({"os.kernel": "6.8"}, {"os.kernel": "6.9"}, "the kernel went from 6.8 to 6.9"),
        (
            {"server.url": "http://a"},
            {"server.url": "http://b"},
            "the server's address went from http://a to http://b",
        ),
        (
            {f"digest of {ONE.model}": "aa"},
            {f"digest of {ONE.model}": "bb"},
            "the model's digest went from aa to bb",
        ),
        (
            {"server.env": "0"},
            {"server.env": "1", "server.env.OLLAMA_FLASH_ATTENTION": "1"},
            "OLLAMA_FLASH_ATTENTION went from unset to 1",
        ),
        ({}, {"os.kernel": "6.9"}, None),  # what was not known before may be what it was
        ({}, {"server.env": "1", "server.env.OLLAMA_FLASH_ATTENTION": "1"}, None),
        ({"digest of other:1b": "aa"}, {"digest of other:1b": "bb"}, None),
    ],
)
def test_what_else_changed_at_a_step_is_named(old: Facts, new: Facts, said: str | None) -> None:
    runs = [
        *(seen(place, value, facts=old) for place, value in enumerate(BEFORE)),
        *(seen(place, value, facts=new) for place, value in enumerate(AFTER, 12)),
    ]
    ((_, step),) = told(runs).steps
    rest = f"changed at the same time: {said}" if said else "no change of the set-up is known"
    assert step.sentence.endswith(f"; {rest}")


def test_a_time_that_rises_is_worse() -> None:
    runs = [seen(place, value / 1000) for place, value in enumerate([*AFTER, *BEFORE])]
    ((_, step),) = told(runs, "ttft").steps
    assert step.sentence.startswith(
        "The time to first token rose by 8.7 %, which is worse: from 46.02 to 50.02 ms"
    )


def test_units_that_differ_are_both_said() -> None:
    runs = [seen(place, value) for place, value in enumerate([*(one / 60 for one in BEFORE), *BEFORE])]
    ((_, step),) = told(runs, "ttft").steps
    assert "from 833.8 ms to 50.02 s" in step.sentence


def test_a_disturbed_run_is_left_out_of_the_search() -> None:
    runs = [seen(place, value) for place, value in enumerate(BEFORE)]
    runs[5] = seen(5, 5.0, marked=3)
    runs[7] = seen(7, None)
    found = told(runs)
    assert found.steps == ()
    assert found.lines[0].levels[0].value == pytest.approx(50.0, rel=0.002)


def test_without_a_figure_there_is_no_level() -> None:
    (line,) = told([seen(0, None), seen(1, None)]).lines
    assert (line.levels, line.steps) == ((), ())


# --- one run at a glance ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ["decode", "ttft", "throughput", "load", "gpu_peak"])
def test_a_glance_has_the_figures_of_the_report(metric: str) -> None:
    busy = readings(series("host.other_cpu", [3.0] * 200, "cores"))
    seen_ = [*visits(ONE, [50.0, 51.0, 49.0], requests=6), *visits(FOUR, [20.0, 20.5, 19.0], requests=4)]
    seen_[1] = replace(seen_[1], readings=busy)
    made = record([ONE, FOUR], seen_)
    one = glance(made, metric, [ONE, FOUR])
    for found in analyse(made).cells:
        figure = one.figures[found.cell.id]
        assert figure.summary.typical == found.summaries[metric].typical
        assert (figure.taken, figure.marked) == (found.visits_taken, len(found.marked))
        assert figure.judged == found.judged


def test_a_glance_keeps_of_the_facts_those_that_may_explain_a_step() -> None:
    facts: Mapping[str, Any] = {
        "server.version": "0.34.0",
        "server.env": 1,
        "server.env.OLLAMA_NUM_PARALLEL": "4",
        "cpu.governor": None,
        "ram.free": 12345,
    }
    run = a_run(settings={"server.url": "http://127.0.0.1:11434", "repeats": 3})
    cards = (card(ONE.model, digest="ab" * 32),)
    made = record([ONE], visits(ONE, [50.0]), facts=dict(facts), cards=cards, run=run)
    assert glance(made, "decode", [ONE]).facts == {
        "server.version": "0.34.0",
        "server.url": "http://127.0.0.1:11434",
        "server.env": "1",
        "server.env.OLLAMA_NUM_PARALLEL": "4",
        "olbench": "0.1.0",
        f"digest of {ONE.model}": "abababababab",
    }


def test_a_glance_says_why_a_cell_has_no_figure() -> None:
    lost = observation(ONE, problem="the model does not fit")
    made = record([ONE], [lost], run=a_run(status="failed"))
    found = glance(made, "decode", [ONE])
    assert found.status == "failed"
    assert found.figures[ONE.id].summary.typical.reason == "the model does not fit"
    assert not found.figures[ONE.id].judged


def test_a_run_without_the_cells_that_are_asked_for_is_not_read() -> None:
    made = record([ONE], visits(ONE, [50.0]))
    unread = replace(made, observations=())
    assert glance(unread, "decode", [FOUR]).figures == {}


def test_every_metric_can_be_asked_for() -> None:
    made = record([ONE], visits(ONE, [50.0]))
    for metric in METRICS:
        assert glance(made, metric, [ONE]).figures[ONE.id].summary.metric == metric
