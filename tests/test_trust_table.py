"""Can I trust this? The verdict over all checks, their order, and what each row says."""

from dataclasses import replace

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import Findings, State, Trust
from olbench.report import html, text
from olbench.report.columns import width_of
from olbench.report.tables.trust import NONE, checks

NAMES = ("<script>alert(1)</script>", "通义千问:7b")


@pytest.fixture(scope="module")
def run() -> Findings:
    """Four cells without any check, whatever is found out of such a run elsewhere."""
    cells = [records.cell(concurrency=one) for one in (1, 2, 4, 8)]
    seen = [visit for one in cells for visit in records.visits(one, [50.0, 51.0, 49.0], requests=1)]
    return replace(analyse(records.record(cells, seen)), trust=())


def check(state: State, name: str = "Swap", **changes: object) -> Trust:
    return replace(Trust(name.lower(), name, state, "seen", "mend it" if state == "amber" else ""), **changes)  # type: ignore[arg-type]  # the fields of Trust


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (["amber", "green", "grey", "green"], "1 of 4 checks found something; 1 could not be made here."),
        (["amber", "amber", "green"], "2 of 3 checks found something."),
        (["green", "grey"], "None of 2 checks found anything; 1 could not be made here."),
        (["green", "green"], "2 checks, and none found anything."),
        (["grey", "grey"], "None of 2 checks could be made here."),
        (["amber"], "1 of 1 check found something."),
        ([], NONE),
    ],
)
def test_the_verdict_counts_what_was_found_and_what_could_not_be_looked_at(
    run: Findings, states: list[State], verdict: str
) -> None:
    told = replace(run, trust=tuple(check(one, f"check {place}") for place, one in enumerate(states)))
    assert checks(told).verdict == verdict


def test_what_found_something_comes_first_and_what_is_fine_last(run: Findings) -> None:
    trust = (check("green", "A"), check("grey", "B"), check("amber", "C"), check("green", "D"))
    rows = checks(replace(run, trust=trust)).rows
    assert [(one.name, one.word) for one in rows] == [
        ("C", "look"),
        ("B", "not known"),
        ("A", "fine"),
        ("D", "fine"),
    ]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ((), ""),
        (("×2",), "cell 2"),
        (("×4", "×1"), "cells 1 and 3"),
        (("×1", "×2", "×4"), "cells 1–3"),
        (("×1", "×2", "×4", "×8"), "all 4 cells"),
        (("×1", "×2", "×8"), "cells 1, 2 and 4"),
        (("no such cell",), "no such cell"),
    ],
)
def test_cells_are_named_by_their_numbers_in_the_table(
    run: Findings, labels: tuple[str, ...], said: str
) -> None:
    (row,) = checks(replace(run, trust=(check("amber", cells=labels),))).rows
    assert row.cells == said


def test_the_terminal_tells_at_length_only_what_found_something(run: Findings) -> None:
    trust = (
        check("green", "Placement"),
        check("grey", "Heat"),
        check(
            "amber", "Slots", evidence="8 streams on 4 slots " * 6, action="start it with 8", cells=("×8",)
        ),
        check("green", "Swap"),
    )
    shown = text.show(replace(run, trust=trust))
    assert shown.endswith(
        "Can I trust this? 1 of 4 checks found something; 1 could not be made here.\n"
        "! Slots (cell 4): 8 streams on 4 slots 8 streams on 4 slots 8 streams on 4 slots 8 streams on 4\n"
        "  slots 8 streams on 4 slots 8 streams on 4 slots\n"
        "  → start it with 8\n"
        "not known: Heat\n"
        "fine: Placement; Swap\n"
    )
    assert max(map(width_of, shown.splitlines())) <= 100


def test_a_run_without_checks_says_so_on_its_page_and_nothing_in_the_terminal(run: Findings) -> None:
    assert NONE in html.page(run)
    assert "Can I trust this?" not in text.show(run)


def test_each_state_has_a_word_and_a_sign_beside_its_colour(run: Findings) -> None:
    trust = (check("amber", "A"), check("grey", "B"), check("green", "C"))
    page = html.page(replace(run, trust=trust))
    body = page[
        page.index('<table class="trust">') : page.index("</table>", page.index('<table class="trust">'))
    ]
    signs = [part[: part.index("</svg>")] for part in body.split('<svg class="sign"')[1:]]
    assert len(set(signs)) == 3
    assert [word in body for word in ("</svg>look<", "</svg>not known<", "</svg>fine<")] == [True] * 3
    assert body.count("<b>Do:</b> mend it") == 1
    assert body.count("<b>Do:</b>") == 1  # nothing is to be done where nothing was found


def test_words_from_outside_stay_words(run: Findings) -> None:
    for name in NAMES:
        row = check("amber", name, evidence=f"saw {name}", action=f"end {name}", cells=(name,))
        told = replace(run, trust=(row,))
        page = html.page(told)
        assert "<script>alert" not in page
        assert page.count(name.replace("<", "&lt;").replace(">", "&gt;")) >= 4
        assert f"! {name} ({name}): saw {name}\n  → end {name}\n" in text.show(told)


def test_controls_in_a_check_become_visible(run: Findings) -> None:
    told = replace(run, trust=(check("amber", "a\x1b[31m", evidence="b\x07", action="c\u202e"),))
    (row,) = checks(told).rows
    assert (row.name, row.evidence, row.action) == ("a\ufffd[31m", "b\ufffd", "c\ufffd")
