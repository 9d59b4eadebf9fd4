"""A history on the terminal, on a page, and for other programs; and its verb."""

import csv
import io
import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from builders import a_run, cell, record, visits
from test_history import AFTER, BEFORE, FOUR, ONE, seen

from olbench import cli
from olbench.glance import Glance
from olbench.history import History, history
from olbench.model import Cell, Facts
from olbench.report import history_data, history_html, history_text
from olbench.report.columns import width_of
from olbench.report.history_words import changed
from olbench.store import Store
from olbench.verbs.history import Progress

HOSTILE = cell(model="通义千问:7b-instruct-q8_0", base="</svg><script>alert('通义千问')</script>\x1b[31m")
NEW: Facts = {"server.version": "0.34.0<b>\x1b[0m"}


@pytest.fixture(scope="module")
def made() -> History:
    """Three cells, one of them with a hostile name; a step with the server's version; runs of all kinds."""
    cells = [ONE, FOUR, HOSTILE]
    runs = [
        *(seen(place, value, of=cells) for place, value in enumerate(BEFORE)),
        *(seen(place, value, of=cells, facts=NEW) for place, value in enumerate(AFTER, 12)),
    ]
    runs[3] = seen(3, 50.1, of=cells, marked=3)
    runs[5] = seen(5, None, of=cells)
    runs[7] = seen(7, 50.2, of=cells, marked=1, status="interrupted")
    return history("nightly", "decode", cells, runs)


# --- terminal -----------------------------------------------------------------------------------------------------


def test_the_table_fits_a_terminal_and_says_all_of_a_run(made: History) -> None:
    text = history_text.show(made)
    commands = [line for line in text.splitlines() if line.startswith("  → ")]
    assert all(width_of(line) <= 100 for line in text.splitlines() if line not in commands)
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "nightly: Decode rate"
    assert "3 steps in 3 of 3 cells; the last on 2026-10-13: −8.1 %" in text
    own = [line for line in lines if line.startswith("run-")]
    assert len(own) == 3 * 24
    assert own[0].split() == ["run-00", "2026-10-01", "22:00", "0.33.0", "50.10", "±", "0.50", "–"]
    assert own[3].endswith("–  not judged")
    assert own[5].endswith("no figure")
    assert own[7].endswith("1 marked, interrupted")
    assert own[12].endswith("−7.9 %  ▸")


def test_values_stand_below_each_other(made: History) -> None:
    rows = [line for line in history_text.show(made).splitlines() if line.startswith("run-") and "±" in line]
    assert len({line.index("±") for line in rows}) == 1


def test_a_command_is_not_broken(made: History) -> None:
    assert history_text.show(made, width=30).count("\n  → olbench compare run-11 run-12\n") == 3


def test_what_nobody_measured_has_a_reason_and_no_verdict() -> None:
    text = history_text.show(history("nightly", "decode", [ONE], [seen(0, None), seen(1, None)]))
    assert "Nothing could be searched for steps: nothing was measured." in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "–"),
        (0.0312, "+3.1 %"),
        (-0.08, "−8.0 %"),
        (0.0001, "0.0 %"),
        (-0.0001, "0.0 %"),
        (59.0, "×60"),
    ],
)
def test_a_change_has_its_sign(change: float | None, said: str) -> None:
    assert changed(change) == said


# --- page ---------------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def test_names_from_outside_stay_text(made: History) -> None:
    page = history_html.page(made)
    read = Reader(page)
    assert read.count("script") == 1
    assert read.count("b") == 3  # "To test it:", one a step
    assert "\x1b" not in page
    assert "</svg><script>alert('通义千问')</script>" in "".join(read.text)


def test_the_page_needs_nothing_else_and_is_the_same_for_the_same_history(made: History) -> None:
    page = history_html.page(made)
    assert page == history_html.page(made)
    assert not re.search(r"(src|href)=\"(?!#)", page)
    ids = [attributes["id"] for _, attributes in Reader(page).elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_each_cell_has_a_chart_with_its_versions_and_its_step(made: History) -> None:
    page = history_html.page(made)
    charts = re.findall(r"<figure.*?</figure>", page, re.DOTALL)
    assert len(charts) == 3
    for chart in charts:
        assert ">0.33.0</text>" in chart
        assert ">0.34.0&lt;b&gt;\ufffd[0m</text>" in chart
        assert ">−8.1 %</text>" in chart
        assert "levels in turn: 50.1 tok/s, 46.0 tok/s." in chart
    assert page.count("<code>olbench compare run-11 run-12</code>") == 3


def test_a_cell_without_a_figure_has_no_chart_and_a_table() -> None:
    page = history_html.page(history("nightly", "decode", [ONE], [seen(0, None)]))
    assert "<figure" not in page
    assert "nothing was measured" in page


def odd(values: list[float | None]) -> list[Glance]:
    return [seen(place % 28, value) for place, value in enumerate(values)]


@pytest.mark.parametrize(
    "values",
    [[50.0], [0.0, 0.0], [-1.0, 2.0, 0.5], [0.001, 900.0, 0.002, 800.0], [None, 50.0, None], [50.0] * 300],
)
def test_odd_histories_can_be_drawn_and_written(values: list[float | None]) -> None:
    found = history("nightly", "decode", [ONE], odd(values))
    assert history_html.page(found).count("<figure") == 1
    assert history_text.show(found)
    json.loads(history_data.as_json(found))


# --- data ---------------------------------------------------------------------------------------------------------


def test_the_csv_has_a_row_a_cell_and_run(made: History) -> None:
    rows = list(csv.DictReader(io.StringIO(history_data.as_csv(made))))
    assert len(rows) == 3 * 24
    first, stepped = rows[0], rows[12]
    assert (first["label"], first["run"], float(first["value"])) == (made.lines[0].label, "run-00", 50.1)
    assert (first["step"], stepped["step"], stepped["server_version"]) == (
        "false",
        "true",
        "0.34.0<b>\ufffd[0m",
    )
    assert float(stepped["level"]) == pytest.approx(46.023)
    assert (rows[3]["level"], rows[3]["marks"]) == ("", "not judged")
    assert (rows[5]["value"], rows[5]["reason"]) == ("", "nothing was measured")


def test_the_json_holds_points_levels_and_steps(made: History) -> None:
    document = json.loads(history_data.as_json(made))
    assert document["schema"] == "olbench-history/1"
    line = document["cells"][0]
    assert [len(line[key]) for key in ("points", "levels", "steps")] == [24, 2, 1]
    assert line["steps"][0]["command"] == "olbench compare run-11 run-12"
    assert line["points"][5]["value"] is None


# --- the verb -----------------------------------------------------------------------------------------------------


@pytest.fixture
def said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Exit code and output of `olbench history` in a folder with its own reports."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(["history", *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return call


Said = Callable[..., tuple[int, str, str]]


def keep(path: Path, name: str, day: int, rate: float, cells: tuple[Cell, ...] = (ONE, FOUR)) -> str:
    run = a_run(
        id=f"202610{day:02d}-220000-{name}-0000", name=name, started_at=f"2026-10-{day:02d}T22:00:00Z"
    )
    taken = [visit for one in cells for visit in visits(one, [rate, rate * 1.001, rate * 0.999])]
    made = record(cells, taken, run=run)
    store = Store(path)
    store.begin(made.run, made.plan, made.facts, made.cards)
    for visit in taken:
        store.append(run.id, visit)
    store.end(made.run, made.facts)
    store.close()
    return run.id


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Two scenarios, of which the newest run is of nightly."""
    path = tmp_path / "reports" / "olbench.db"
    keep(path, "weekly", 1, 30.0)
    for day, value in enumerate(BEFORE[:4], 2):
        keep(path, "nightly", day, value)
    return path


def test_the_newest_runs_scenario_is_told_where_none_is_named(said: Said, kept: Path) -> None:
    code, out, err = said()
    assert (code, err) == (0, "")
    assert out.startswith("nightly: Decode rate\n4 runs, 2026-10-02 22:00 to 2026-10-05 22:00 UTC\n")
    assert said("weekly")[1].startswith("weekly: Decode rate\n1 run")


def test_one_cell_can_be_chosen_by_number_or_label(said: Said, kept: Path) -> None:
    _, by_number, _ = said("--cell", "2")
    _, by_label, _ = said("--cell", "×4")
    assert by_number == by_label
    assert "2. ×4" in by_number
    assert "1. ×1" not in by_number


def test_the_page_is_written_and_named(said: Said, kept: Path) -> None:
    code, out, _ = said("--html", "out/history.html")
    assert (code, out.splitlines()[-1]) == (0, "out/history.html")
    assert Path("out/history.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_other_formats_are_nothing_but_themselves(said: Said, kept: Path) -> None:
    _, out, err = said("--format", "json", "--html", "history.html")
    assert json.loads(out)["scenario"] == "nightly"
    assert err == "history.html\n"
    assert said("--format", "csv")[1].startswith("cell,label,run,")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--metric", "decod"], "--metric decod: there is no such metric; did you mean decode?"),
        (["--metric", "§"], "--metric §: there is no such metric; it can be ttft, ttft_answer"),
        (["--cell", "3"], "--cell 3: there is no such cell; its number or label would do: 1. ×1, 2. ×4"),
        (["nightli"], "holds no run of a scenario named nightli; did you mean nightly?"),
        (["scenarios/nightly.toml"], "named scenarios/nightly.toml; did you mean nightly?"),
        (["x\x1b"], "named x\ufffd; there are runs of nightly, weekly"),
    ],
)
def test_what_is_not_there_is_one_sentence(
    said: Said, kept: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = said(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err


def test_no_runs_at_all_are_said(said: Said) -> None:
    code, _, err = said()
    assert (code, err) == (
        2,
        "olbench: reports/olbench.db holds no run yet; `olbench run SCENARIO` makes one\n",
    )


def test_cells_of_older_plans_have_a_history_too(said: Said, kept: Path) -> None:
    keep(kept, "nightly", 9, 50.0, (ONE,))
    _, out, _ = said()
    assert out.index("1. ×1") < out.index("2. ×4")
    assert out.count("20261009-220000-nightly-0000") == 1


def test_nothing_is_said_of_a_short_reading() -> None:
    progress = Progress(200, 0, terminal=True)
    assert [progress.said(place, place * 10**8) for place in range(20)] == [""] * 20
    assert progress.ended() == ""


def test_a_long_reading_is_told_in_place_on_a_terminal_and_once_elsewhere() -> None:
    terminal, file = Progress(200, 0, terminal=True), Progress(200, 0, terminal=False)
    spoken = [(terminal.said(place, place * 10**9), file.said(place, place * 10**9)) for place in range(5)]
    assert [one for one, _ in spoken] == ["", "", *(f"\rread {place} of 200 runs" for place in (2, 3, 4))]
    assert [one for _, one in spoken] == ["", "", "reading 200 runs\n", "", ""]
    assert (terminal.ended(), file.ended()) == ("\r\x1b[K", "")
