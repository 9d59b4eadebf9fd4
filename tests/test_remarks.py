"""What stands below the table of cells: slots, start-up, contaminated requests, the roof; and the column of visits."""

from dataclasses import replace
from typing import Any

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import CellFinding, Estimate, Findings, Flag, Roof, Slots
from olbench.report import html, text
from olbench.report.columns import width_of
from olbench.report.overview import Figure, overview
from olbench.report.remarks import slots_of
from olbench.report.tables import which
from olbench.report.tables.given import given

RUNNER = Slots(4, at_least=False, how="the runner's command line")
PROBE = Slots(9, at_least=True, how="a probe of 9 requests at once")
NEITHER = Slots(None, at_least=False, how="", reason="no probe was taken")
ROOF = Roof(share=Estimate(0.61, 0.59, 0.63), bandwidth=38.2e9, by="measured: triad", per_token=2.0**30)
BUSY = "other programs kept 1.40 cores busy"


@pytest.fixture(scope="module")
def plain_run() -> Findings:
    cells = [records.cell(concurrency=one) for one in (1, 2, 4)]
    seen = [visit for one in cells for visit in records.visits(one, [50.0, 51.0, 49.0])]
    found = analyse(records.record(cells, seen))
    bare = {"flags": (), "marked": {}, "contaminated": 0, "cut": 0, "slots": None, "roof": None}
    return replace(found, trust=(), flags=(), cells=tuple(replace(one, **bare) for one in found.cells))  # type: ignore[arg-type]  # the fields of CellFinding


def changed(run: Findings, *changes: dict[str, Any]) -> Findings:
    """The run with other fields in its cells, in turn."""
    pairs = zip(run.cells, changes, strict=True)
    return replace(run, cells=tuple(replace(one, **own) for one, own in pairs))


def marked(one: CellFinding, *repeats: int) -> dict[str, Any]:
    summaries = {
        key: replace(own, marked=tuple((repeat, 2 * (own.typical.value or 0.0)) for repeat in repeats))
        for key, own in one.summaries.items()
    }
    return {"marked": dict.fromkeys(repeats, (BUSY,)), "summaries": summaries}


@pytest.mark.parametrize(
    ("slots", "said"),
    [
        (RUNNER, ("4", "the runner's command line")),
        (PROBE, ("at least 9", "a probe of 9 requests at once")),
        (NEITHER, ("unknown", "no probe was taken")),
    ],
)
def test_slots_say_how_they_are_known(slots: Slots, said: tuple[str, str]) -> None:
    assert slots_of(slots) == said


@pytest.mark.parametrize(
    ("places", "of", "said"),
    [
        ([3], 9, "cell 3"),
        ([1, 2], 9, "cells 1 and 2"),
        ([1, 2, 3, 7], 9, "cells 1–3 and 7"),
        ([1, 2], 2, "all 2 cells"),
        ([1], 1, "cell 1"),
    ],
)
def test_cells_are_listed_by_number(places: list[int], of: int, said: str) -> None:
    assert which(places, of) == said


def test_slots_start_up_and_contaminated_requests_are_told_once_for_all_cells(plain_run: Findings) -> None:
    told = changed(
        plain_run,
        {"slots": RUNNER, "cut": 2},
        {"slots": RUNNER, "cut": 2, "contaminated": 3},
        {"slots": PROBE, "cut": 1, "contaminated": 1},
    )
    said = [one for one in overview(told).remarks if one.startswith(("Slots", "Left out"))]
    assert said == [
        (
            "Slots of the server: 4 (the runner's command line) in cells 1 and 2; at least 9 (a probe of 9 requests at "
            "once) in cell 3."
        ),
        "Left out as start-up: the first 2 requests of each visit in cells 1 and 2.",
        "Left out as start-up: the first request of each visit in cell 3.",
        "Left out because the cache was not as it was meant: 3 requests in cell 2 and 1 request in cell 3.",
    ]


def test_nothing_is_said_of_what_nobody_looked_at(plain_run: Findings) -> None:
    table = overview(plain_run)
    assert not [one for one in table.remarks if one.startswith(("Slots", "Left out")) or "Roof" in one]
    assert "Roof" not in [one.name for one in table.headings]
    assert not table.marked
    assert "sound" not in text.show(plain_run)


def test_visits_that_are_left_out_are_counted_with_their_reason(plain_run: Findings) -> None:
    first, second, _ = plain_run.cells
    told = changed(plain_run, marked(first, 1), marked(second, 0, 1, 2), {})
    table = overview(told)
    left_out, unfit = (
        table.notes.index(one) + 1
        for one in (
            f"a visit is left out of the figures, because {BUSY}",
            f"no verdict rests on these figures, because {BUSY}",
        )
    )
    assert [row.sound for row in table.rows] == [
        Figure("2 of 3", "", 2, (left_out,)),
        Figure("0 of 3", "", 0, (unfit,)),
        Figure("3 of 3", "", 3, ()),
    ]
    assert (
        "Visits that did not pass a check are marked and left out of the figures; of cell 2 no visit is sound, so the "
        "figures stand and no verdict does."
    ) in table.remarks
    shown = text.show(told).splitlines()
    assert next(line.split()[-3:] for line in shown if line.startswith("1  ")) == ["2/3", "0", f"{left_out}"]
    assert max(map(width_of, shown)) <= 100
    assert '<td class="num" data-sort="2">2 of 3<sup>' in html.page(told)


def test_a_flag_that_names_the_reason_stands_for_it(plain_run: Findings) -> None:
    first = plain_run.cells[0]
    flag = Flag("other load", f"visit 2: {BUSY}", "close other programs", (1,))
    table = overview(changed(plain_run, marked(first, 1) | {"flags": (flag,)}, {}, {}))
    place = table.notes.index(flag.sentence) + 1
    assert table.rows[0].sound.notes == (place,)
    assert table.actions[place - 1] == "close other programs"
    assert not [note for note in table.notes if note.startswith("a visit is left out")]


def test_the_roof_is_a_column_where_any_cell_has_one(plain_run: Findings) -> None:
    nothing = Roof(
        share=Estimate(None, None, None, "given for one stream"), bandwidth=None, by="", per_token=None
    )
    told = changed(plain_run, {"roof": ROOF}, {"roof": nothing}, {"roof": nothing})
    table = overview(told)
    (place,) = [place for place, one in enumerate(table.headings) if one.name == "Roof"]
    assert table.headings[place].unit == "%"
    column = [row.figures[place] for row in table.rows]
    assert [(one.value, one.interval) for one in column] == [("61.0", "± 2.0"), ("–", ""), ("–", "")]
    assert table.notes[column[1].notes[0] - 1] == "given for one stream"


def test_a_roof_that_no_cell_has_gives_its_reason_instead(plain_run: Findings) -> None:
    nothing = Roof(
        share=Estimate(None, None, None, "no bandwidth is known"), bandwidth=None, by="", per_token=None
    )
    told = changed(plain_run, *[{"roof": nothing}] * 3)
    assert "No Roof: no bandwidth is known." in overview(told).remarks
    assert "No chart: no bandwidth is known." in html.page(told)
    assert 'id="roof"' not in html.page(plain_run)


def test_what_the_server_gave_stands_in_a_row_a_cell(plain_run: Findings) -> None:
    first = plain_run.cells[0]
    less = records.placement(context_length=1024, size=2**30, size_vram=2**29)
    odd = {"placements": (*first.placements, less), "slots": RUNNER, "cut": 2, "contaminated": 1}
    told = changed(plain_run, odd | marked(first, 1), {"slots": PROBE}, {"placements": ()})
    rows = [[(entry.text, entry.small) for entry in row] for row in given(told).rows]
    assert rows[0] == [
        ("1.\u00a0×1", ""),
        ("2,048 / 1,024", "asked 2,048"),
        ("191 MiB / 1.00 GiB", ""),
        ("0 % / 50 %", ""),
        ("4", "the runner's command line"),
        (
            "1 visit of 3, marked; the first 2 of each visit, as start-up; 1 request whose cache was not as meant",
            "",
        ),
    ]
    assert rows[1][4:] == [("at least 9", "a probe of 9 requests at once"), ("", "")]
    assert len(rows) == 2  # the third cell was never loaded
