"""Footnotes with what to do about them: once for all cells that they concern."""

from dataclasses import replace

import records

from olbench.analysis import analyse
from olbench.findings import CellFinding, Findings, Flag
from olbench.report import html, text
from olbench.report.amounts import merged
from olbench.report.overview import overview
from olbench.report.tables.flags import actions, of_run, once


def told(*flags: tuple[Flag, ...]) -> Findings:
    """A run with a cell for each group of flags."""
    cells = [records.cell(concurrency=place) for place, _ in enumerate(flags, 1)]
    seen = [visit for one in cells for visit in records.visits(one, [50.0, 51.0, 49.0])]
    found = analyse(records.record(cells, seen))
    pairs = zip(found.cells, flags, strict=True)
    return replace(found, trust=(), flags=(), cells=tuple(_with(one, own) for one, own in pairs))


def _with(one: CellFinding, flags: tuple[Flag, ...]) -> CellFinding:
    return replace(one, flags=flags, marked={}, slots=None, roof=None, contaminated=0, cut=0)


SWAP = (
    Flag("swap", "swap grew by 40 MiB", "close programs"),
    Flag("swap", "swap grew by 90 MiB", "close programs"),
)


def test_flags_that_differ_in_amounts_share_a_footnote_and_its_action() -> None:
    table = overview(told((SWAP[0],), (SWAP[1],)))
    assert (table.notes, table.actions) == (("swap grew by 40 to 90 MiB",), ("close programs",))
    assert [row.notes for row in table.rows] == [(1,), (1,)]


def test_actions_that_differ_in_amounts_are_merged_too() -> None:
    flags = [
        Flag("slots", f"{one} streams on 2 slots", f"start the server with {one} slots") for one in (4, 8)
    ]
    folded = merged(flag.sentence for flag in flags)
    assert actions(flags, folded) == {"4 to 8 streams on 2 slots": "start the server with 4 to 8 slots"}


def test_an_action_is_said_once_and_then_referred_to() -> None:
    assert once(["a", "", "b", "a", ""]) == ("a", "", "b", "as for 1", "")


def test_the_terminal_sets_the_action_behind_an_arrow() -> None:
    shown = text.show(
        told((SWAP[0], Flag("few", "2 visits", ""), Flag("power", "on battery", "close programs")))
    )
    assert (
        "[1] swap grew by 40 MiB\n    → close programs\n[2] 2 visits\n[3] on battery\n    → as for 1\n"
        in shown
    )


def test_the_page_sets_the_action_below_the_footnote() -> None:
    page = html.page(told((Flag("swap", "swap <grew>", "end <it> with `kill <x>`, or wait"),)))
    done = "end &lt;it&gt; with <code>kill &lt;x&gt;</code>, or wait"
    assert f'<li id="note-1">swap &lt;grew&gt;<span class="do"><b>Do:</b> {done}</span></li>' in page


def test_flags_of_the_whole_run_are_told_once_with_their_action() -> None:
    twice = Flag("server", "the server was\x07 replaced", "turn its updater off")
    found = replace(told(()), flags=(twice, Flag("power", "on battery", ""), twice))
    assert of_run(found) == (
        replace(twice, sentence="the server was\ufffd replaced"),
        Flag("power", "on battery", ""),
    )
    assert text.show(found).endswith(
        "! the server was\ufffd replaced\n  → turn its updater off\n! on battery\n"
    )
    assert html.page(found).count("<b>Do:</b> turn its updater off") == 1
