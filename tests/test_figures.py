"""Charts: what is drawn, that it is text and not markup, and that the same numbers give the same bytes."""

import re
import warnings
from array import array
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import records

from olbench.analysis import analyse
from olbench.findings import CellFinding, Estimate, Findings, Summary
from olbench.metrics import METRICS
from olbench.model import Observation
from olbench.report import figures
from olbench.report.bundles import bundles, identity, steps
from olbench.report.charts import canvas
from olbench.report.charts.frame import framed, log_ticks
from olbench.report.charts.memory import Use, capacity, taken
from olbench.report.charts.rows import MOST_ROWS
from olbench.report.charts.timeline import thinned
from olbench.report.palette import TINTS

NAMES = ("<script>alert(1)</script>", "通义千问:7b", "$x^2$", 'a"b&c', "tab\tand\x07bell\u202e")


def told(**axes: tuple[object, ...]) -> Findings:
    """Two visits to each cell of a grid; every cell decodes at 50 tok/s."""
    combinations: list[dict[str, object]] = [{}]
    for name, values in axes.items():
        combinations = [{**one, name: value} for one in combinations for value in values]
    cells = [records.cell(**(one | _named(one))) for one in combinations]
    seen = [
        visit
        for one in cells
        for visit in records.visits(one, [50.0, 51.0, 49.0], cached=63 if one.cache == "warm" else 0)
    ]
    return analyse(records.record(cells, seen))


def _named(one: dict[str, object]) -> dict[str, object]:
    base, quantization = one.get("base", "smollm2:135m"), one.get("quantization")
    return {"base": base, "model": f"{base}-{quantization}" if quantization else base}


def drawings(charts: tuple[canvas.Chart, ...]) -> list[str]:
    return [panel.svg for chart in charts for panel in chart.panels]


def words(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter() if one.tag.endswith("}text")]


# --- curves and panels ----------------------------------------------------------------------------------------


def test_models_are_named_by_what_tells_them_apart() -> None:
    grid = told(base=("a", "b"), quantization=("q4_0", "q8_0"))
    assert list(identity(grid.cells).values()) == ["a q4_0", "a q8_0", "b q4_0", "b q8_0"]
    assert list(identity(told(quantization=("q4_0", "q8_0")).cells).values()) == ["q4_0", "q8_0"]
    assert list(identity(told(concurrency=(1, 2)).cells).values()) == ["smollm2:135m"]


def test_a_chart_never_has_more_than_eight_curves() -> None:
    by_base = bundles(told(base=("a", "b", "c"), quantization=tuple("qrst")).cells)
    assert [(one.title, [curve.name for curve in one.curves]) for one in by_base] == [
        ("a", list("qrst")),
        ("b", list("qrst")),
        ("c", list("qrst")),
    ]
    in_parts = bundles(told(base=tuple("abcdefghij")).cells)
    assert [(one.title, len(one.curves)) for one in in_parts] == [("part 1 of 2", 5), ("part 2 of 2", 5)]


def test_a_curve_keeps_its_colour_in_every_chart_of_its_bundle() -> None:
    (one,) = bundles(told(quantization=("q4_0", "q8_0"), concurrency=(1, 2)).cells)
    assert [(curve.tint, curve.marker, len(curve.cells)) for curve in one.curves] == [
        ("s1", "o", 2),
        ("s2", "s", 2),
    ]


def test_only_axes_that_vary_in_numbers_have_a_chart() -> None:
    found = told(concurrency=(1, 2, 4), cache=("cold", "warm"))
    charts = figures.speed(found)
    assert [chart.title for chart in charts] == ["Against concurrency"]
    assert [panel.caption for panel in charts[0].panels] == [
        "Time to first token, cold cache",
        "Decode rate, cold cache",
        "System throughput, cold cache",
        "Time to first token, warm cache",
        "Decode rate, warm cache",
        "System throughput, warm cache",
    ]


def test_an_option_that_is_swept_has_a_chart_of_its_own() -> None:
    found = told(options=((("num_batch", 128),), (("num_batch", 512),)))
    assert [chart.title for chart in figures.speed(found)] == ["Against num_batch"]


def test_without_an_axis_of_numbers_there_is_a_row_a_cell() -> None:
    (chart,) = figures.speed(told(quantization=("q4_0", "q8_0")))
    assert chart.title == "By cell"
    assert {"q4_0", "q8_0"} <= set(words(chart.panels[0].svg))


def test_a_single_cell_is_drawn_too() -> None:
    found = told()
    assert len(drawings(figures.speed(found))) == 3
    assert len(drawings(figures.time_split(found))) == 1
    assert len(drawings(figures.load(found))) == 2  # times and file sizes


def test_nothing_measured_gives_no_chart_and_no_error() -> None:
    cells = [records.cell(concurrency=one) for one in (1, 2)]
    lost = [
        records.observation(one, [records.sample(outcome="refused", words="no")], placement=None)
        for one in cells
    ]
    found = analyse(records.record(cells, lost))
    assert figures.speed(found) == figures.load(found) == figures.memory_use(found) == ()
    assert figures.time_split(found) == figures.over_time(found) == ()


def test_steps_of_one_cell_or_of_words_are_no_axis() -> None:
    assert steps(told(concurrency=(4, 1)).cells, "concurrency") == (1.0, 4.0)
    assert steps(told().cells, "concurrency") == ()
    assert steps(told(cache=("cold", "warm")).cells, "cache") == ()


# --- the axis of values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimates", "expected"),
    [
        ([(10.0, 9.0, 11.0), (20.0, 19.0, 21.0)], (0.0, 22.4, False)),  # 20 * 1.12
        ([(10.0, -80.0, 100.0)], (0.0, 16.0, False)),  # the interval is cut at 1.6 times the value
        ([(1.0, 0.9, 1.1), (100.0, 99.0, 101.0)], (0.625, 160.0, True)),  # 100 times: logarithmic
        ([(0.0, None, None)], (0.0, 1.0, False)),  # an axis of no length cannot be drawn
    ],
)
def test_the_axis_holds_the_values(
    estimates: list[tuple[float, float | None, float | None]], expected: tuple[float, float, bool]
) -> None:
    one = framed(METRICS["decode"], [Estimate(*numbers) for numbers in estimates])
    assert one is not None
    assert (one.low, round(one.high, 9), one.log) == expected


def test_no_value_no_axis() -> None:
    assert framed(METRICS["decode"], [Estimate(None, None, None, "why")]) is None


def test_log_ticks_stay_readable() -> None:
    assert log_ticks(3.0, 60.0) == [5.0, 10.0, 20.0, 50.0]
    assert log_ticks(0.5, 5e4) == [1.0, 10.0, 100.0, 1000.0, 10000.0]


def test_intervals_are_drawn_and_their_absence_shows() -> None:
    found = told(concurrency=(1, 2))
    with_bars = drawings(figures.speed(found))[1]
    bare = replace(found, cells=tuple(_without_interval(one) for one in found.cells))
    without = drawings(figures.speed(bare))[1]
    assert with_bars.count("<path") > without.count("<path")
    assert "fill:var(--paper)" in without
    assert "fill:var(--paper)" not in with_bars


def _without_interval(found: CellFinding) -> CellFinding:
    def bare(one: Summary) -> Summary:
        return replace(one, typical=replace(one.typical, low=None, high=None))

    return replace(found, summaries={key: bare(one) for key, one in found.summaries.items()})


# --- memory and time ------------------------------------------------------------------------------------------


def test_memory_is_the_highest_of_the_cells_that_share_model_and_context() -> None:
    cells = [records.cell(num_ctx=num_ctx, concurrency=one) for num_ctx in (2048, 4096) for one in (1, 2)]
    peaks = (100.0, 120.0, 200.0, 180.0)
    seen = [
        records.observation(
            one,
            [records.sample()],
            readings=records.readings(records.series("server.rss", [peak, peak], every_s=1.5)),
        )
        for one, peak in zip(cells, peaks, strict=True)
    ]
    found = analyse(records.record(cells, seen))
    assert taken(found.cells) == (
        Use("smollm2:135m · num_ctx 2048", None, 120.0),
        Use("smollm2:135m · num_ctx 4096", None, 200.0),
    )


def test_what_the_machine_has_is_what_a_container_may_use() -> None:
    assert capacity({"ram.total": 64, "ram.limit": 16, "gpu0.total": 12, "gpu1.total": 12}) == (
        ("GPU memory", 24.0),
        ("RAM", 16.0),
    )
    assert capacity({"ram.total": None, "gpu0.name": "x"}) == ()
    assert capacity({"ram.total": 64, "server.local": False}) == ()


def test_thinning_keeps_the_extremes() -> None:
    values = np.zeros(10_000)
    values[1234], values[7777] = 5.0, -3.0
    seconds, kept = thinned(np.arange(10_000.0), values, 100)
    assert len(kept) <= 102
    assert (kept.max(), kept.min()) == (5.0, -3.0)
    assert seconds[np.argmax(kept)] == 1234.0


def _visit(start_s: float) -> Observation:
    one = records.cell()
    beats = array("q", [records.ns(start_s + place) for place in range(3)])
    rss = records.readings(replace(records.series("server.rss", [1e6, 2e6, 2e6]), t_ns=beats))
    return records.observation(
        one, started_ns=records.ns(start_s), ended_ns=records.ns(start_s + 2), readings=rss
    )


@pytest.mark.parametrize("second", [40_000.0, -500.0])
def test_a_run_that_was_resumed_leaves_its_pause_out(second: float) -> None:
    found = analyse(records.record([records.cell()], [_visit(0.0), _visit(second)]))
    (chart,) = figures.over_time(found)
    assert "1 long pause between visits not drawn" in chart.note
    assert "over 9.0 s and 2 visits" in chart.panels[0].svg  # 2 s, a pause drawn as 5 s, 2 s


def test_rows_beyond_the_limit_are_announced() -> None:
    found = told(options=tuple((("stop", f"word {place}"),) for place in range(MOST_ROWS + 2)))
    (chart,) = figures.speed(found)
    assert "2 more cells stand in the table only." in chart.note


# --- from figure to page --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile() -> Findings:
    return told(base=NAMES, concurrency=(1,))


def test_names_are_text_in_every_drawing(hostile: Findings) -> None:
    shown = [words(svg) for svg in drawings(figures.speed(hostile) + figures.time_split(hostile))]
    for one in shown:
        assert {"<script>alert(1)</script>", "通义千问:7b", "$x^2$", 'a"b&c'} <= set(one)
    assert all("tab and\ufffdbell\ufffd" in one for one in shown)
    assert all("<script" not in svg for svg in drawings(figures.speed(hostile)))


def test_the_same_numbers_give_the_same_bytes(hostile: Findings) -> None:
    assert drawings(figures.speed(hostile)) == drawings(figures.speed(hostile))
    assert drawings(figures.load(hostile)) == drawings(figures.load(hostile))


def test_ids_are_the_drawings_own_and_all_references_lead_somewhere() -> None:
    found = told(concurrency=(1, 2), quantization=("q4_0", "q8_0"))
    ids: list[str] = []
    for svg in drawings(figures.speed(found) + figures.time_split(found)):
        own = re.findall(r' id="([^"]+)"', svg)
        used = re.findall(r'(?:href="|url\()#([^")]+)', svg)
        assert set(used) <= set(own)
        ids += own
    assert len(ids) == len(set(ids))


def test_a_drawing_has_a_title_a_description_and_only_the_colours_of_the_page(hostile: Findings) -> None:
    for svg in drawings(figures.speed(hostile)):
        root = ET.fromstring(svg)
        assert root.attrib["role"] == "img"
        assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]
        assert not re.search(r"(?:fill|stroke):\s*#", svg)
        assert "font-family" not in svg
        assert "<style" not in svg


def test_the_description_tells_the_figures() -> None:
    (chart,) = figures.speed(told(concurrency=(1, 2)))
    assert (
        "smollm2:135m: 50.0 ± 2.5 tok/s at concurrency 1, 50.0 ± 2.5 tok/s at concurrency 2."
        in chart.panels[1].svg
    )


def test_only_the_word_on_missing_glyphs_is_silenced() -> None:
    with canvas.drawing(), pytest.raises(UserWarning, match="something else"):
        warnings.warn("something else", UserWarning, stacklevel=1)
    with canvas.drawing():
        warnings.warn("Glyph 36890 (X) missing from font(s) DejaVu Sans.", UserWarning, stacklevel=1)


def test_long_names_lose_their_middle() -> None:
    assert canvas.fitted("short", 100) == "short"
    cut = canvas.fitted("registry.example.com/some/llama:70b-instruct-q4_K_M", 120)
    assert re.fullmatch(r"regis.*….*4_K_M", cut)
    assert canvas.text_width(cut) <= 120
    assert canvas.text_width("通义") == 22.0


# --- colours --------------------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_curves_stand_out_in_both_themes(theme: str) -> None:
    of = {tint.name: getattr(tint, theme) for tint in TINTS}
    for ground in ("paper", "raised"):
        for text in ("ink", "muted", "accent", "warn", "fine"):
            assert _contrast(of[text], of[ground]) >= 4.5, (text, ground)
    for series in (f"s{place}" for place in range(1, 9)):
        assert _contrast(of[series], of["paper"]) >= 3.0, series
