"""Tables for the terminal: widths in the terminal's own columns, and figures with the digits that they bear."""

import re
from dataclasses import replace

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import Estimate, Findings, Flag
from olbench.model import Plan, Resident, Visit
from olbench.report import text
from olbench.report.columns import Column, cut, grid, paragraph, shortened, width_of
from olbench.report.wording import number, plain, plain_lines, scale, spread


@pytest.fixture(scope="module")
def whole() -> Findings:
    return analyse(records.a_record())


@pytest.fixture(scope="module")
def small() -> Findings:
    cells = [records.cell(concurrency=one) for one in (1, 2)]
    seen = [visit for one in cells for visit in records.visits(one, [50.0, 51.0, 49.0])]
    lost = records.sample(index=9, outcome="stalled", words="no end within 5 s", sent_s=90.0)
    seen[0] = replace(seen[0], samples=(*seen[0].samples, lost))
    found = analyse(records.record(cells, seen))
    failed = Flag(
        "failed samples", "1 of 10 samples failed (1 stalled); they enter no figure", "ask less of it"
    )
    bare = [replace(one, flags=(), roof=None, slots=None) for one in found.cells]
    return replace(found, cells=(replace(bare[0], flags=(failed,)), bare[1]), flags=(), trust=())


# --- figures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("estimate", "unit", "shown"),
    [
        (Estimate(0.0517, 0.0505, 0.0529), "s", ("51.7", "± 1.2")),
        (
            Estimate(96.23, 96.21, 96.25),
            "tok/s",
            ("96.23", "± 0.02"),
        ),  # a fourth figure where the interval bears it
        (Estimate(96.0, 96.0, 96.0), "tok/s", ("96.0", "± <0.1")),  # never "± 0"
        (Estimate(1234.5, 1134.5, 1334.5), "tok/s", ("1,234", "± 100")),  # half to even
        (Estimate(0.05, 0.048, 0.06), "s", ("50.0", "48.0–60.0")),  # lopsided: both ends
        (Estimate(1.0, -0.5, 4.0), "tok/s", ("1.00", "-0.50 to 4.00")),
        (Estimate(0.875, None, None, "1 visit"), "share", ("87.5", "")),
        (Estimate(None, None, None, "why"), "s", ("–", "")),
        (Estimate(0.0, 0.0, 0.0), "s", ("0", "± <1")),
    ],
)
def test_a_figure_has_the_digits_that_its_interval_bears(
    estimate: Estimate, unit: str, shown: tuple[str, str]
) -> None:
    values = [] if estimate.value is None else [estimate.value]
    assert spread(estimate, scale(values, unit)) == shown


def test_a_column_has_one_unit() -> None:
    one = scale([0.004, 0.9, 30.0], "s")
    assert (one.unit, number(0.004, one), number(30.0, one)) == ("ms", "4.00", "30,000")
    assert scale([], "s").unit == "s"
    assert scale([0.0], "B").unit == "B"
    assert number(3 * 2**30, scale([2**30], "B")) == "3.00"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("通义千问:7b", "通义千问:7b"),
        ("a\x1b[31mb", "a\ufffd[31mb"),
        ("a\nb\tc", "a b c"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("\ud800", "\ufffd"),
        ("क्‍ष", "क्‍ष"),  # a joiner is part of how this is written
    ],
)
def test_what_acts_instead_of_showing_is_replaced(raw: str, shown: str) -> None:
    assert plain(raw) == shown


def test_lines_stay_lines() -> None:
    assert plain_lines("a\r\n\tb\x07") == "a\n    b\ufffd"


# --- columns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "width"), [("abc", 3), ("通义", 4), ("é", 1), ("e\u0301", 1), ("ｶ", 1), ("Ａ", 2), ("", 0)]
)
def test_width_is_counted_in_columns_of_the_terminal(words: str, width: int) -> None:
    assert width_of(words) == width


@pytest.mark.parametrize(
    ("words", "width", "shown"),
    [
        ("llama3.2:3b-instruct-q4_K_M", 15, "llama3.…-q4_K_M"),
        ("通义千问:72b-chat", 9, "通义…chat"),
        ("通义千问通义千问", 8, "通义…问"),  # a wide character does not fit into one column
        ("short", 5, "short"),
        ("abc", 1, "…"),
        ("llama3.2:3b-instruct · ctx 16384 · ×1", 27, "llama…ruct · ctx 16384 · ×1"),
        ("llama3.2:3b · ctx 16384 · ×1", 20, "llama3.2:3…6384 · ×1"),
    ],
)
def test_names_lose_their_middle(words: str, width: int, shown: str) -> None:
    assert cut(words, width) == shown
    assert width_of(shown) <= width


def test_prose_loses_its_end() -> None:
    assert shortened("Which of these suits?", 12) == "Which of th…"


def test_columns_stand_under_each_other_whatever_the_script() -> None:
    lines = grid([Column("model", ["通义千问", "llama"]), Column("n", ["1", "22"], right=True)], 100)
    assert lines == ["model      n", "通义千问   1", "llama     22"]


def test_the_widest_column_that_may_gives_way() -> None:
    columns = [Column("a", ["x" * 30], least=8), Column("b", ["y" * 20], least=8), Column("c", ["z" * 9])]
    (head, row) = grid(columns, 40)
    assert width_of(row) == 40
    assert row.endswith("z" * 9)
    assert head.split() == ["a", "b", "c"]


def test_paragraphs_break_between_words_and_between_wide_characters() -> None:
    assert paragraph("one two three", 8) == ["one two", "three"]
    assert paragraph("北京是中国的首都", 8) == ["北京是中", "国的首都"]
    assert paragraph("a" * 10, 4) == ["aaaa", "aaaa", "aa"]
    assert paragraph("one two", 8, "[1] ") == ["[1] one", "    two"]
    assert paragraph("", 8) == []


# --- the tables -----------------------------------------------------------------------------------------------


def test_a_run_is_shown_with_question_answer_cells_and_failures(small: Findings) -> None:
    shown = text.show(
        replace(small, answer=("It does.",), flags=(Flag("load", "The machine was busy.", "Wait."),))
    )
    assert shown == GOLDEN


GOLDEN = """\
quickstart
Which of these suits this machine?

It does.

run 20261122-220256-quickstart-3f9a · complete · 2026-11-22T22:02:56Z
server 0.33.0
Test CPU · 2 threads

#  cell    TTFT ↓      TPOT ↓    Decode ↑  Prefill ↑     Throughput ↑        E2E ↓  failed  notes
               ms          ms       tok/s      tok/s            tok/s           ms
1  ×1    100 ± <1  22.9 ± 1.2  50.0 ± 2.5   800 ± <1  0.5961 ± 0.0001  260.0 ± 8.1    1/10  1
2  ×2    100 ± <1  22.9 ± 1.2  50.0 ± 2.5   800 ± <1     1.19 ± <0.01  260.0 ± 8.1       0

#  cell  Preload ↓
                ms
1  ×1     500 ± <1
2  ×2     500 ± <1

[1] 1 of 10 samples failed (1 stalled); they enter no figure
    → ask less of it

×2: 2 requests at a time, each on a stream of its own.
No E2E p95: 9 to 18 samples; p95 needs 20.
No Load: no cold request was taken.
No RAM: no probe gave server.rss.
No GPU memory: no probe gave gpuN.used.

The clock's error is unknown: no self-test went before this run (`olbench selftest` takes one).

failed:
- 1 request stalled in cell 1: no end within 5 s

! The machine was busy.
  → Wait.
"""


def test_nothing_is_wider_than_a_hundred_columns(whole: Findings) -> None:
    assert text.show(whole).count("通义千问:7b q4_0") == 12  # the first table has no room for whole names
    assert max(map(width_of, text.show(whole).splitlines())) <= 100
    assert max(map(width_of, text.show(whole, width=72).splitlines())) <= 72


def test_columns_without_room_stand_in_further_tables(whole: Findings) -> None:
    heads = [line for line in text.show(whole).splitlines() if line.startswith(" #  cell")]
    assert [re.findall(r"(\w[\w ]*?) [↑↓]", line.removeprefix(" #  cell")) for line in heads] == [
        ["TTFT", "Decode", "Throughput"],
        ["Prefill", "Load", "RAM", "GPU memory"],
        ["TPOT", "E2E p95"],
    ]
    assert [line.endswith("failed  notes") for line in heads] == [True, False, False]


def test_labels_that_are_cut_still_differ(whole: Findings) -> None:
    first = text.show(whole).split(" #  cell")[1]
    labels = re.findall(r"^ ?\d+  (.*? · ×\d)", first, re.MULTILINE)
    assert len(labels) == len(set(labels)) == 24


def test_footnotes_are_numbered_over_all_tables(whole: Findings) -> None:
    shown = text.show(whole)
    marks = re.findall(r"– \[([\d,]+)\]|  ([\d,]+)$", shown, re.MULTILINE)
    used = {int(number) for pair in marks for group in pair for number in group.split(",") if number}
    below = {int(number) for number in re.findall(r"^\[(\d+)\]", shown, re.MULTILINE)}
    assert below == set(range(1, len(below) + 1))
    assert below <= used


def test_colour_is_a_choice(small: Findings) -> None:
    assert "\x1b[" not in text.show(small)
    assert text.show(small, colour=True).startswith("\x1b[1mquickstart\x1b[0m\n")


def test_runs_are_listed_with_their_progress() -> None:
    run = records.a_run(question="通" * 60)
    lines = text.runs([(run, 24, 24), (replace(run, status="interrupted"), 24, 3)]).splitlines()
    assert lines[1].startswith("20261122-220256-quickstart-3f9a  2026-11-22 22:02  complete      24/24  通")
    assert "  3/24  " in lines[2]
    assert max(map(width_of, lines)) <= 100
    assert text.runs([]) == "no runs yet\n"


def test_models_are_listed_with_what_is_in_memory() -> None:
    cards = [
        records.card("通义千问:7b", quantization=None, capabilities=None, context_length=None),
        records.card("x" * 120),
        records.card("big:cloud", remote="example.com", size=None),
    ]
    resident = Resident(name="通义千问:7b", digest=None, size=2**30, size_vram=0, context_length=4096)
    lines = text.models(cards, [resident]).splitlines()
    assert lines[1].split() == [
        "通义千问:7b",
        "–",
        "134.52M",
        "138",
        "MiB",
        "–",
        "–",
        "1.00",
        "GiB,",
        "ctx",
        "4096",
    ]
    assert lines[2].startswith("xxxx")
    assert "…" in lines[2]
    assert "cloud: …le.com" in lines[3]
    assert max(map(width_of, lines)) <= 100
    assert text.models([], []) == "no models are installed\n"


def test_a_plan_shows_cells_order_time_and_memory() -> None:
    cells = tuple(records.cell(concurrency=one) for one in (1, 4))
    visits = tuple(Visit(seq, cells[which].id, seq // 2) for seq, which in enumerate((1, 0, 0, 1)))
    asked = Plan(cells, visits, 3, ("num_ctx of the scenario wins",))
    known = {
        cells[0].id: text.Forecast(10, 90 * 10**9, 2**30),
        cells[1].id: text.Forecast(40, None, None, "the server does not say how large the model is"),
    }
    assert text.plan(asked, known, (215 * 10**9, "rough")) == PLAN


PLAN = """\
#  cell  model         visits  requests        time    memory
1  ×1    smollm2:135m       2        10  1 min 30 s  1.00 GiB
2  ×4    smollm2:135m       2        40           –         –

order: 2 1 1 2

2 cells, 4 visits, 50 requests, about 3 min 35 s (rough)
memory: the server does not say how large the model is
3 points of the grid excluded
num_ctx of the scenario wins
"""
