"""What charts show of doubt: marked visits hollow, the slots on an axis of streams, the roof that memory sets."""

import re
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import CellFinding, Estimate, Findings, Roof, Slots
from olbench.model import Observation
from olbench.report import figures, html
from olbench.report.charts import roof
from olbench.report.charts.canvas import Chart
from olbench.report.charts.frame import ALL_MARKED, MARKED, frame
from olbench.report.charts.queue import QUEUE

BUSY = "other programs kept 1.40 cores busy"


def told(cells: list[Any], **changes: Any) -> Findings:
    seen = [
        visit for one in cells for visit in records.visits(one, [50.0, 51.0, 49.0], requests=1, **changes)
    ]
    found = analyse(records.record(cells, seen))
    return replace(found, cells=tuple(replace(one, marked={}, slots=None, roof=None) for one in found.cells))


@pytest.fixture(scope="module")
def by_cell() -> Findings:
    names = ("<script>alert(1)</script>", "通义千问:7b")
    return told([records.cell(base=name, model=name) for name in names])


@pytest.fixture(scope="module")
def by_streams() -> Findings:
    return told([records.cell(concurrency=one) for one in (1, 2, 4)])


def with_marks(one: CellFinding, *repeats: int, times: float = 1.1) -> CellFinding:
    """The cell with visits marked whose figures are so many times the typical ones."""
    summaries = {
        key: replace(own, marked=tuple((repeat, times * (own.typical.value or 0.0)) for repeat in repeats))
        for key, own in one.summaries.items()
    }
    return replace(one, marked=dict.fromkeys(repeats, (BUSY,)), summaries=summaries)


def first_marked(found: Findings, *repeats: int, times: float = 1.1) -> Findings:
    first, *others = found.cells
    return replace(found, cells=(with_marks(first, *repeats, times=times), *others))


def names(charts: tuple[Chart, ...]) -> list[str]:
    return [key.name for chart in charts for key in chart.keys]


def hollow(svg: str) -> int:
    """How many marks are filled with paper."""
    return len(re.findall(r"fill:var\(--paper\)", svg))


def words(svg: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(svg).iter() if one.tag.endswith("}text")]


# --- marked visits --------------------------------------------------------------------------------------------


def test_marked_visits_are_hollow_and_have_an_entry_in_the_legend(
    by_cell: Findings, by_streams: Findings
) -> None:
    for found in (by_cell, by_streams):
        assert MARKED not in names(figures.speed(found))
        (chart,) = figures.speed(first_marked(found, 0, 2))
        assert [key.name for key in chart.keys if key.hollow] == [MARKED]
        before = [hollow(panel.svg) for panel in figures.speed(found)[0].panels]
        assert [hollow(panel.svg) for panel in chart.panels] > before


def test_a_cell_of_which_every_visit_is_marked_is_told_of_in_the_legend(by_cell: Findings) -> None:
    assert names(figures.speed(first_marked(by_cell, 0, 1, 2))) == [MARKED + ALL_MARKED]


def test_the_axis_makes_room_for_marked_visits_but_not_without_end(by_cell: Findings) -> None:
    high = [frame("decode", first_marked(by_cell, 1, times=times).cells) for times in (1.0, 1.4, 40.0)]
    assert [round(one.high, 1) for one in high if one is not None] == [
        56.0,
        72.8,
        80.0,
    ]  # 50 * 1.12, 1.4 * 1.04, 1.6


def test_the_page_draws_the_legends_ring_without_filling_it(by_cell: Findings) -> None:
    page = html.page(first_marked(by_cell, 1))
    assert f'style="fill:none;stroke:var(--muted);stroke-width:1.4"/></svg>{MARKED}</li>' in page


def visit(repeat: int, start_s: float, **changes: Any) -> Observation:
    rss = records.readings(records.series("server.rss", [1e6, 2e6, 2e6], start_s=start_s))
    return records.observation(
        records.cell(),
        [records.sample(sent_s=start_s + 0.5)],
        repeat=repeat,
        **{"started_ns": records.ns(start_s), "ended_ns": records.ns(start_s + 2), "readings": rss} | changes,
    )


def test_bands_of_marked_visits_are_outlined_over_the_run() -> None:
    found = analyse(records.record([records.cell()], [visit(place, 3.0 * place) for place in range(3)]))
    (plain,) = figures.over_time(found)
    (chart,) = figures.over_time(first_marked(found, 1))
    assert (plain.keys, names((chart,))) == ((), [MARKED])
    assert "stroke-dasharray" in chart.panels[0].svg
    assert "stroke-dasharray" not in plain.panels[0].svg


def test_a_visit_that_was_taken_again_is_outlined_too() -> None:
    found = analyse(records.record([records.cell()], [visit(0, 0.0), visit(1, 3.0), visit(0, 6.0)]))
    assert names(figures.over_time(found)) == ["a visit that was taken again: it enters no figure"]
    lost = analyse(records.record([records.cell()], [visit(0, 0.0), visit(0, 6.0, problem="cut short")]))
    assert names(figures.over_time(lost)) == []


def test_marked_visits_say_why_in_the_list_of_visits(by_cell: Findings) -> None:
    page = html.page(first_marked(by_cell, 1))
    assert page.count(f"marked: {BUSY}") == 1


# --- slots ----------------------------------------------------------------------------------------------------


def with_slots(found: Findings, *slots: Slots | None) -> Findings:
    pairs = zip(found.cells, slots, strict=True)
    return replace(found, cells=tuple(replace(one, slots=own) for one, own in pairs))


def known(count: int, *, at_least: bool = False) -> Slots:
    return Slots(count, at_least=at_least, how="the runner's command line")


@pytest.mark.parametrize(
    ("slots", "line", "queue"),
    [
        ((known(2),) * 3, "2 slots", True),
        ((known(1),) * 3, "1 slot", True),
        ((known(4),) * 3, "4 slots", False),  # no step lies beyond it
        ((known(8),) * 3, "", False),  # beyond the axis
        ((known(4, at_least=True),) * 3, "", False),  # where they end is not known
        ((known(2), known(2), known(4)), "", False),
        ((None,) * 3, "", False),
    ],
)
def test_the_slots_are_a_line_and_what_lies_beyond_is_the_queue(
    by_streams: Findings, slots: tuple[Slots | None, ...], line: str, *, queue: bool
) -> None:
    (chart,) = figures.speed(with_slots(by_streams, *slots))
    for panel in chart.panels:
        said = words(panel.svg)
        assert [one for one in said if "slot" in one] == [line] * bool(line)
        assert (QUEUE in said) is queue


def test_only_an_axis_of_streams_has_slots() -> None:
    found = told([records.cell(num_ctx=one) for one in (2048, 4096)])
    (chart,) = figures.speed(with_slots(found, known(2048), known(2048)))
    assert not any("slot" in one for panel in chart.panels for one in words(panel.svg))


# --- the roof -------------------------------------------------------------------------------------------------


def a_roof(share: float | None, reason: str = "") -> Roof:
    low, high = (None, None) if share is None else (share - 0.02, share + 0.02)
    return Roof(
        share=Estimate(share, low, high, reason),
        bandwidth=38.2e9,
        by="measured: triad <on> 2",
        per_token=2.0**30,
    )


def with_roofs(found: Findings, *roofs: Roof | None) -> Findings:
    pairs = zip(found.cells, roofs, strict=True)
    return replace(found, cells=tuple(replace(one, roof=own) for one, own in pairs))


def test_the_roof_has_a_bar_a_cell_and_says_how_bandwidth_is_known(by_cell: Findings) -> None:
    found = with_roofs(by_cell, a_roof(0.61), a_roof(1.3))
    (chart,) = figures.roofline(found)
    assert chart.note.endswith("Memory gives 38.2 GB/s (measured: triad <on> 2).")
    said = words(chart.panels[0].svg)
    assert {"all that memory gives", "61.0 % · 1.00 GiB a token", "130.0 % · 1.00 GiB a token"} <= set(said)
    assert {"1. <script>alert(1)</script>", "2. 通义千问:7b"} <= set(said)
    page = html.page(found)
    assert "<script>alert" not in page
    assert "triad &lt;on&gt; 2" in page
    assert '<section id="roof">' in page


def test_cells_without_a_share_are_named_with_the_reason(by_streams: Findings) -> None:
    why = "given for one stream"
    found = with_roofs(by_streams, a_roof(0.5), a_roof(None, why), a_roof(None, why))
    (chart,) = figures.roofline(found)
    assert chart.note.endswith("No bar for cells 2 and 3: given for one stream.")
    assert [one.value for one in roof.known(found.cells)] == [0.5]


def test_without_any_share_there_is_no_chart(by_streams: Findings) -> None:
    assert figures.roofline(by_streams) == ()
    assert figures.roofline(with_roofs(by_streams, *[a_roof(None, "unknown")] * 3)) == ()
