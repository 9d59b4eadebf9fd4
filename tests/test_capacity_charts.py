"""The drawings of a sizing: they show what the tables say, name it in words, and stand odd figures."""

from dataclasses import replace
from functools import cache

import pytest
import sizings

from olbench.findings import Estimate
from olbench.report.charts import cost, footprint, forecast, plot, service
from olbench.report.charts.canvas import Chart
from olbench.sized import Capacity


@cache
def curve() -> Chart:
    """That of the usual sizing."""
    (chart,) = service.charts(sizings.sizing(), "s")
    return chart


# --- the service level against the load -----------------------------------------------------------------------


def test_each_line_has_its_panel_and_goodput_stands_beside_them() -> None:
    chart = curve()
    assert [panel.caption for panel in chart.panels] == [
        "Answer begins within 1 s, for 95 % of requests",
        "Then a token at least every 50 ms, for 95 % of requests",
        "Answered without an error, for 99 % of requests",
        "Requests that met every line; dashed: all that came",
    ]
    assert [key.name for key in chart.keys] == [
        "measured: kept",
        "measured: broken",
        "measured: cannot tell",
        "predicted before, with its 95 % band",
    ]


def test_the_curve_marks_the_answer_the_target_and_what_must_be() -> None:
    chart = curve()
    for words in (">answer: 9<", ">wanted: 20<", ">95 %<"):
        assert words in chart.panels[0].svg


def test_the_knee_of_goodput_is_drawn_where_there_is_one() -> None:
    assert ">knee: " in curve().panels[3].svg
    three = sizings.capacity(steps=tuple(sizings.step(load, 0.99) for load in (1.0, 2.0, 3.0)))
    assert ">knee: " not in service.charts(sizings.sizing(capacities=(three,)), "s")[0].panels[3].svg


def test_the_curve_is_told_in_words() -> None:
    chart = curve()
    assert (
        "9 users: 95.2–97.5 %, kept; 10 users: 90.2–93.5 %, broken; 12 users: 77.4–82.4 %, broken"
        in chart.panels[0].svg
    )
    assert "12 users: 0.0320 1/s of 0.0400 1/s asked" in chart.panels[3].svg


def test_a_load_that_does_not_count_is_not_drawn_and_the_note_says_so() -> None:
    two = service.charts(sizings.many(), "s")[1]
    assert "Loads that do not count are not drawn." in two.note
    assert "5 users" not in two.panels[0].svg


def test_a_target_far_off_is_told_and_not_drawn() -> None:
    (chart,) = service.charts(sizings.sizing(target=400.0), "s")
    assert "The 400 users that there are to be lie beyond the drawing." in chart.note
    assert ">wanted" not in chart.panels[0].svg


def test_a_wide_range_of_loads_has_a_logarithmic_axis() -> None:
    one = sizings.capacity(steps=tuple(sizings.step(load, 0.99) for load in (1.0, 8.0, 64.0)), predicted=None)
    assert service.across(one, None).log
    assert not service.across(sizings.capacity(), 20.0).log


def test_a_prediction_without_any_measured_load_is_drawn_too() -> None:
    one = sizings.capacity(steps=(), answer=None, over=None, resolved=False, reason="no load was tried")
    (chart,) = service.charts(sizings.sizing(capacities=(one,)), "s")
    assert len(chart.panels) == 3
    assert "No load was measured" in chart.panels[0].svg


def test_nothing_measured_and_nothing_predicted_is_no_chart() -> None:
    one = sizings.capacity(steps=(), predicted=None)
    assert service.charts(sizings.sizing(capacities=(one,)), "s") == ()


@pytest.mark.parametrize("share", [0.0, 1.0, 0.5])
def test_a_share_without_an_interval_and_at_the_ends_is_drawn(share: float) -> None:
    made = sizings.step(3.0, 0.9)
    lines = tuple(replace(one, share=Estimate(share, None, None, "3 requests")) for one in made.service.terms)
    step = replace(made, service=replace(made.service, terms=lines, goodput=Estimate(None, None, None, "x")))
    (chart,) = service.charts(sizings.sizing(capacities=(sizings.capacity(steps=(step,)),)), "s")
    assert len(chart.panels) == 3


# --- predicted and found --------------------------------------------------------------------------------------


def test_prediction_and_finding_stand_in_one_row() -> None:
    first, second = forecast.charts(sizings.sizing(), "f")
    assert "predicted 9 users (8 to 11). Carries 9 users; 10 were too many." in first.panels[0].svg
    assert "6 users: reading prompts 27 %, writing answers 15 %, waiting 20 %" in second.panels[0].svg


def test_what_was_not_predicted_has_no_row() -> None:
    assert forecast.charts(sizings.unpredicted(), "f") == ()
    first = forecast.charts(sizings.many(), "f")[0]
    assert "alert" not in first.panels[0].svg


@pytest.mark.parametrize(
    "capacity", [Estimate(9.0, None, None, "x"), Estimate(0.0, 0.0, 0.0), Estimate(1.0, 0.0, 400.0)]
)
def test_odd_predictions_are_drawn(capacity: Estimate) -> None:
    one: Capacity = sizings.capacity(predicted=sizings.predicted(capacity=capacity), answer=None, over=None)
    assert forecast.charts(sizings.sizing(capacities=(one,)), "f")


# --- memory ---------------------------------------------------------------------------------------------------


def test_memory_shows_loads_lines_the_formula_and_the_limit() -> None:
    (chart,) = footprint.charts(sizings.sizing(), "m")
    assert [key.name for key in chart.keys] == ["1 slot", "2 slots", "4 slots", "by the formula (dotted)"]
    assert [panel.caption for panel in chart.panels] == ["smollm2:135m q8_0 (limit: 4.00 GiB)"]
    svg = chart.panels[0].svg
    for words in (
        ">limit<",
        ">fits: 8,192 ×2<",
        ">fits: 32,768 ×4<",
        "2,048 × 1 slot: 241 MiB",
        "559 MiB (predicted)",
    ):
        assert words in svg


def test_a_limit_far_above_all_that_was_seen_is_told_and_not_drawn() -> None:
    one = sizings.footprint(budget=2**40, most={})
    (chart,) = footprint.charts(sizings.sizing(footprints=(one,)), "m")
    assert ">limit<" not in chart.panels[0].svg
    assert "limit: 1.00 TiB" in chart.panels[0].caption


def test_a_context_that_fits_far_beyond_what_was_loaded_does_not_stretch_the_axis() -> None:
    one = sizings.footprint(most={1: 4_000_000})
    (chart,) = footprint.charts(sizings.sizing(footprints=(one,)), "m")
    assert ">fits" not in chart.panels[0].svg
    assert "1 slot: 4,000,000" in chart.panels[0].svg


def test_memory_of_ram_and_gpu_is_drawn_together() -> None:
    loads = (sizings.held(2048, 1, 3e9, vram=2e9), sizings.held(8192, 1, 4e9, vram=2.5e9))
    (chart,) = footprint.charts(sizings.sizing(footprints=(sizings.footprint(loads=loads),)), "m")
    assert "2,048 × 1 slot: 2.79 GiB" in chart.panels[0].svg


def test_a_footprint_without_any_memory_has_no_panel() -> None:
    one = sizings.footprint(loads=())
    assert footprint.charts(sizings.sizing(footprints=(one,)), "m") == ()


# --- the cost model -------------------------------------------------------------------------------------------


def test_each_line_has_its_fit_and_its_residuals() -> None:
    found = cost.charts(sizings.sizing(), "c")
    assert [chart.title for chart in found] == [
        "Writing: one step of all streams",
        "Reading a prompt",
        "Loading a model",
    ]
    assert [len(chart.panels) for chart in found] == [2, 2, 2]
    assert [key.name for key in found[0].keys] == ["1 stream", "2 streams", "4 streams"]
    assert "1 stream: 12.2 ms at 256 tokens" in found[0].panels[0].svg
    assert "18 visits, from -1.2 to +1.2 % off the line." in found[0].panels[1].svg


def test_streams_that_are_means_of_visits_are_one_curve() -> None:
    line = sizings.line("decode")
    points = tuple(replace(p, at={**p.at, "streams": p.at["streams"] * 0.97}) for p in line.points)
    made = sizings.sizing(costs=(sizings.cost(decode=replace(line, points=points), prefill=None, load=None),))
    assert [key.name for key in cost.charts(made, "c")[0].keys] == ["1 stream", "2 streams", "4 streams"]


def test_a_line_of_loads_that_all_models_share_is_drawn_once() -> None:
    made = sizings.sizing(costs=(sizings.cost("a", prefill=None), sizings.cost("b", prefill=None)))
    titles = [chart.title for chart in cost.charts(made, "c")]
    assert titles.count("Loading a model") == 1
    assert titles[0] == "a: writing: one step of all streams"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "Nothing speaks against its shape (lack-of-fit test, p = 0.41)."),
        ({"lack": 0.003, "reason": "it bends (p = 0.003)"}, "It does not fit well: it bends (p = 0.003)."),
        ({"lack": None}, "could not be tested: no place was visited twice."),
        ({"lack": None, "reason": "as many visits as terms"}, "could not be tested: as many visits as terms."),
        ({"freedom": 0, "lack": None, "scatter": 0.0}, "Whether the line has the right shape could not be tested"),
    ],
)  # fmt: skip
def test_how_well_a_line_fits_is_said_in_words(changes: dict[str, object], words: str) -> None:
    made = sizings.sizing(
        costs=(sizings.cost(decode=sizings.line("decode", **changes), prefill=None, load=None),)
    )
    note = cost.charts(made, "c")[0].note
    assert words in note
    assert ("standard deviation" in note) == ("freedom" not in changes)


# --- axes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"), [(12_000.0, "12,000"), (2.5, "2.5"), (0.0002, "2e-04"), (0.0, "0"), (1234.0, "1,234")]
)
def test_a_tick_is_short(value: float, shown: str) -> None:
    assert plot.tick(value) == shown


def test_an_axis_of_one_value_has_some_width() -> None:
    low, high = plot.stretch([3.0])
    assert low < 3.0 < high
    assert plot.stretch([0.0], floor=0.0) == (0.0, 1.0)
    assert plot.stretch([]) == pytest.approx((-0.06, 1.06))
