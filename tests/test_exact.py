"""How exact the clock was, as the reports show it: the self-test, the run's own stamps, figures below the error."""

import csv
import json
from dataclasses import replace
from typing import Any

import pytest
import records
from selftests import MS, US, ints, level, selftest

from olbench.analysis import analyse
from olbench.findings import Findings
from olbench.model import COALESCED, TEXT, UNSTAMPED, SelfTest
from olbench.report import html, text
from olbench.report.exports import as_csv, as_json, as_markdown
from olbench.report.overview import BELOW, overview
from olbench.report.selftest import table
from olbench.report.tables import seen, tails
from olbench.report.tables.exact import UNKNOWN, exact

GOOD = selftest(level(1), level(16, ttft_ns=ints([90 * US] * 16)), level(67, rate=200.0))
# One that is off by 150 ms in TTFT and by 30 ms in gaps: more than the 100 ms and 20 ms of the runs below.
COARSE = selftest(level(1, ttft_ns=ints([150 * MS] * 100), gap_ns=ints([30 * MS] * 100)))


def told(
    test: SelfTest | None, *, concurrency: int = 1, prompt_tokens: int | None = 64, **changes: Any
) -> Findings:
    """Three visits of three requests: TTFT 0.1 s, gaps of 0.02 s, e2e 0.24 s."""
    one = records.cell(concurrency=concurrency, prompt_tokens=prompt_tokens)
    samples = records.several(3, **changes)
    visits = [records.observation(one, samples, repeat=repeat) for repeat in range(3)]
    return analyse(replace(records.record([one], visits), selftest=test))


# --- figures below the error ----------------------------------------------------------------------------------


def test_each_figure_of_our_clock_has_its_error_beside_it() -> None:
    summaries = told(GOOD).cells[0].summaries
    assert summaries["ttft"].error == pytest.approx(40e-6)
    assert summaries["gap"].error == pytest.approx(3e-6)
    assert [summaries[key].error for key in ("decode", "dispatch", "preload", "ram_peak")] == [None] * 4
    assert not summaries["ttft"].below(summaries["ttft"].typical)
    assert all(one.error is None for one in told(None).cells[0].summaries.values())


def test_a_cell_of_more_streams_than_were_tested_says_so() -> None:
    assert told(GOOD, concurrency=16).cells[0].doubts == told(None, concurrency=16).cells[0].doubts
    assert told(GOOD, concurrency=17).cells[0].doubts[-1] == (
        "the self-test went up to 16 streams: the clock's error may be larger here"
    )


def test_a_figure_below_the_error_is_shown_as_that_with_a_footnote() -> None:
    found = told(COARSE)
    shown = overview(found)
    figures = dict(zip((one.name for one in shown.headings), shown.rows[0].figures, strict=True))
    assert (figures["TTFT"].value, figures["TTFT"].interval) == ("< 150", "")
    assert figures["TTFT"].number == pytest.approx(0.1)  # by which it is still sorted
    (note,) = figures["TTFT"].notes
    assert shown.notes[note - 1] == BELOW
    assert figures["TPOT"].value == "< 30.0"
    assert figures["E2E"].value == "240"
    assert "< 150 [" in text.show(found)
    assert "| \\< 150<sup>" in as_markdown.dump(found)
    assert "&lt; 150<sup>" in html.page(found)


def test_percentiles_and_results_of_prompts_are_marked_alike() -> None:
    rows = {one[0].text: [entry.text for entry in one[3:]] for one in tails.percentiles(told(COARSE)).rows}
    assert rows["Time to first token, ms"][0] == "< 150"
    assert rows["End-to-end time, ms"][0] == "240"
    own = seen.prompts(told(COARSE, prompt_tokens=None))
    assert own.rows[0][2].text == "< 150"


def test_the_exports_carry_error_and_mark() -> None:
    found = told(COARSE)
    rows = {row["metric"]: row for row in csv.DictReader(as_csv.dump(found).splitlines())}
    marks = {
        key: (rows[key]["clock_error"], rows[key]["below_clock_error"]) for key in ("ttft", "e2e", "decode")
    }
    assert marks == {"ttft": ("0.15", "true"), "e2e": ("0.15", "false"), "decode": ("", "")}
    data = json.loads(as_json.dump(found))
    ttft = data["cells"][0]["summaries"]["ttft"]
    assert (ttft["clock_error"], ttft["below_clock_error"]) == (0.15, True)
    assert data["cells"][0]["summaries"]["decode"]["below_clock_error"] is None
    assert data["stamps"] == {"sources": {"kernel": 9}, "lines": 81, "coalesced": 0, "unstamped": 0}
    held = data["selftest"]
    assert (held["machine"], held["good"], len(held["levels"])) == ("0123456789ab", False, 1)
    assert held["levels"][0]["ttft"] == {"middle": 0.15, "far": 0.15, "count": 100}
    assert json.loads(as_json.dump(told(None)))["selftest"] is None


# --- the section of the page ----------------------------------------------------------------------------------


def test_without_a_self_test_the_page_and_the_terminal_say_that_the_error_is_unknown() -> None:
    found = told(None)
    assert exact(found).sentences == (UNKNOWN,)
    assert exact(found).levels.rows == ()
    assert UNKNOWN in text.show(found)
    assert "The clock&#39;s error is unknown" in html.page(found)


def test_the_section_has_the_verdict_the_levels_and_where_they_come_from() -> None:
    shown = exact(told(GOOD))
    assert shown.sentences == (
        (
            "This client's TTFT is exact to 0.090 ms (largest of 16) up to 16 streams, a gap between chunks to 3.0 us "
            "(p99 at 1 stream); kernel stamps."
        ),
        "Self-test of 2026-11-22 22:00:00 UTC, olbench 0.1.0, machine and set-up 0123456789ab.",
    )
    assert [[entry.text for entry in row] for row in shown.levels.rows] == [
        ["1", "100", "0.04 / 0.04", "3.00 / 3.00", "0.20 / 0.20", "kernel", "0 %", "0", "50.0"],
        ["16", "16", "0.09 / 0.09", "3.00 / 3.00", "0.20 / 0.20", "kernel", "0 %", "0", "50.0"],
        ["200/s", "100", "0.04 / 0.04", "3.00 / 3.00", "0.20 / 0.20", "kernel", "0 %", "0", "50.0"],
    ]
    assert shown.levels.rows[1][2].small == "largest of 16"
    assert "How exact the clock was" in html.page(told(GOOD))


def test_the_runs_own_stamps_are_counted() -> None:
    one = records.cell()
    kinds = bytes([TEXT | COALESCED, TEXT | UNSTAMPED, TEXT])
    odd = replace(records.sample(), stamps="user-space")
    odd = replace(odd, chunks=replace(odd.chunks, kind=kinds + odd.chunks.kind[3:]))
    lost = records.sample(outcome="refused", stamps="none")
    found = analyse(records.record([one], [records.observation(one, [records.sample(), odd, lost])]))
    assert exact(found).own == (
        "3 responses: 1 stamped by the kernel, 1 stamped in user space and 1 without a stamp.",
        (
            "18 lines: 1 came in one receive with a later line (coalesced: the stamp is an upper bound) and 1 without the "
            "kernel's stamp (unstamped: ours stands there)."
        ),
    )
    assert exact(analyse(records.record([one], []))).own == ()


def test_stamps_that_the_self_test_did_not_judge_are_a_doubt_of_the_run() -> None:
    assert told(GOOD).doubts == ()
    (doubt,) = told(GOOD, stamps="user-space").doubts
    assert doubt.startswith("9 of 9 responses carry no stamps of the kernel")
    assert doubt in text.show(told(GOOD, stamps="user-space")).replace("\n  ", " ")


def test_how_late_olbench_was_stands_there_cell_by_cell() -> None:
    lags = records.readings(records.series("client.loop_lag", [0.001, 0.0002, 0.0003, 0.004], "s"))
    one = records.cell()
    samples = [records.sample(late_s=0.0001), records.sample(index=1, sent_s=2.0, late_s=0.0003)]
    # Measured from 1.0 s to 2.24 s: the beats at 1 s and 2 s fall into it.
    found = analyse(records.record([one], [records.observation(one, samples, readings=lags)]))
    (row,) = exact(found).late.rows
    assert [entry.text for entry in row[1:]] == ["0.20", "0.30", "0.25", "0.30"]  # too few for a p99
    assert exact(analyse(records.record([one], []))).late.rows == ()


def test_what_comes_from_the_store_is_shown_as_text() -> None:
    evil = replace(GOOD, machine="<b>x</b>", olbench="<script>alert(1)</script>")
    page = html.page(told(evil))
    assert "<script>alert(1)" not in page
    assert "<b>x" not in page


# --- the terminal ---------------------------------------------------------------------------------------------


def test_the_terminals_table_keeps_to_its_width_and_marks_few_values() -> None:
    wide = level(
        1024, stamps="user-space", ttft_ns=ints([-10_250 * US] * 16), gap_ns=ints([2_345 * US] * 9),
        dispatch_ns=ints([123_400 * US] * 16), coalesced=1200, unstamped=123_456, failed=2, cpu_ns=3 * 10**9,
    )  # fmt: skip
    shown = table(selftest(level(1), wide, level(67, rate=200.0)), ["only one core"])
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[2].split() == [
        "1", "100", "0.04", "/", "0.04", "3.00", "/", "3.00", "0.20", "/", "0.20", "kernel", "0", "%", "0", "50.0",
    ]  # fmt: skip
    assert lines[3].split()[:4] == ["1024", "16", "-10.2", "/"]
    assert "10.2*" in lines[3]
    assert lines[4].split()[0] == "200/s"
    assert "* fewer than 100 values: instead of p99 the largest of 9 to 16." in lines
    assert "2 requests at 1024 gave no figure." in lines
    assert "only one core." in shown
    assert "\x1b[33m" in table(selftest(wide), colour=True)
    assert "\x1b[33m" not in table(GOOD, colour=True)
