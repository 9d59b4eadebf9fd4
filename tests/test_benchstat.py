"""Go benchmark text: what benchstat's reader accepts, names that two runs share, and nothing lost on the way."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import Findings
from olbench.metrics import METRICS
from olbench.model import Cell
from olbench.report.exports import EXPORTS, as_benchstat

# The grammar of https://go.dev/design/14313-benchmark-format, as benchstat's reader has it.
KEY = re.compile(r"([a-z][^\sA-Z:]*):[ \t]+(\S.*)")
UNIT = re.compile(r"Unit (\S+) better=(higher|lower)")
NAME = re.compile(r"Benchmark[A-Z]\w*((?:/[^\s/=]+=[^\s/=]*)+)")
COMMENT = re.compile(r"# .*")


@pytest.fixture(scope="module")
def whole() -> Findings:
    return analyse(records.a_record())


def told(rates: Sequence[float] = (50.0, 51.0, 49.0), *cells: Cell) -> Findings:
    asked = list(cells) or [records.cell()]
    return analyse(
        records.record(asked, [seen for one in asked for seen in records.visits(one, list(rates))])
    )


def lines_of(found: Findings) -> list[str]:
    return as_benchstat.dump(found).splitlines()


def results(found: Findings) -> list[tuple[str, dict[str, float]]]:
    """Name and measurements of each result, read as the grammar has it."""
    read = []
    for line in lines_of(found):
        if line.startswith("Benchmark"):
            name, count, *pairs = line.split()
            assert count == "1"
            assert len(pairs) % 2 == 0
            assert pairs
            read.append((name, dict(zip(pairs[1::2], map(float, pairs[::2]), strict=True))))
    return read


def names_of(found: Findings) -> list[str]:
    return list(dict.fromkeys(name for name, _ in results(found)))


def test_a_run_reads_like_this() -> None:
    lines = lines_of(told())
    assert lines[0].startswith("# olbench ")
    assert "cpu: Test CPU" in lines
    assert "Unit tok/s better=higher" in lines
    assert "Unit ttft-sec better=lower" in lines
    assert lines[-3].startswith(
        "BenchmarkOlbench/model=smollm2:135m/quant=none/ctx=2048/prompt=64/output=8/cache=cold/streams=1 1 50 tok/s "
    )


def test_every_line_is_one_of_the_grammars(whole: Findings) -> None:
    for line in lines_of(whole):
        name = line.partition(" ")[0]
        assert not line or any(one.fullmatch(line) for one in (KEY, UNIT, COMMENT)) or NAME.fullmatch(name), (
            line
        )


def test_each_visit_is_a_result_of_one_iteration() -> None:
    found = results(told((50.0, 51.0, 49.0)))
    assert [measured["tok/s"] for _, measured in found] == [50.0, 51.0, 49.0]
    assert [measured["ttft-sec"] for _, measured in found] == pytest.approx([0.1, 0.1, 0.1])


def test_every_value_of_every_visit_is_there(whole: Findings) -> None:
    found = results(whole)
    for metric, unit in as_benchstat.UNITS.items():
        expected = sorted(value for one in whole.cells for value in one.summaries[metric].per_visit)
        assert sorted(measured[unit] for _, measured in found if unit in measured) == pytest.approx(
            expected, rel=1e-6
        )


def test_units_are_as_different_as_their_metrics_and_say_what_is_better() -> None:
    assert len(set(as_benchstat.UNITS.values())) == len(as_benchstat.UNITS)
    assert {METRICS[metric].better for metric in as_benchstat.UNITS} == {"higher", "lower"}
    # The reader rescales what it takes for nanoseconds and megabytes.
    assert not any(re.search(r"\b(ns|MB)\b", unit) for unit in as_benchstat.UNITS.values())


def test_cells_have_names_of_their_own_and_the_same_ones_in_another_run() -> None:
    cells = [records.cell(concurrency=one) for one in (1, 2)]
    first, second = told((50.0, 51.0), *cells), told((40.0, 41.0), *cells)
    assert len(names_of(first)) == 2
    assert names_of(first) == names_of(second)


def test_what_varies_beside_the_usual_axes_stands_in_the_name() -> None:
    cells = [records.cell(options=(("num_thread", one), ("seed", 1), ("temperature", 0.0))) for one in (2, 4)]
    assert [name.split("/")[-2] for name in names_of(told((50.0, 51.0), *cells))] == [
        "num_thread=2",
        "num_thread=4",
    ]


def test_no_name_ends_as_if_it_counted_processors() -> None:
    odd = records.cell(model="llama-8", base="llama-8")
    assert not any(re.search(r"-\d+$", name) for name in names_of(told((50.0, 51.0), odd)))


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("hf.co/org/model:q4", "hf.co%2Forg%2Fmodel:q4"),
        ("a b\tc", "a%20b%20c"),
        ("100%=x", "100%25%3Dx"),
        ("通义千问:7b", "通义千问:7b"),
        ("a\u3000b\u00a0c", "a%E3%80%80b%C2%A0c"),
        ("x\x1b[2J", "x\ufffd[2J"),
    ],
)
def test_what_would_end_a_name_is_written_as_in_a_url(model: str, shown: str) -> None:
    (name,) = names_of(told((50.0, 51.0), records.cell(model=model, base=model)))
    assert NAME.fullmatch(name)
    assert f"/model={shown}/" in name


def test_a_fact_of_several_lines_starts_no_result() -> None:
    found = told()
    record = replace(found.record, facts={"cpu.model": "CPU\nBenchmarkX 1 1 ns/op", "os.name": None})
    lines = lines_of(replace(found, record=record))
    assert "cpu: CPU BenchmarkX 1 1 ns/op" in lines
    assert not any(line.startswith("goos") for line in lines)


def test_what_one_compares_across_is_a_comment(whole: Findings) -> None:
    """Benchstat would put runs of two versions into two tables if the version were a configuration line."""
    keys = {found[1] for line in lines_of(whole) if (found := KEY.fullmatch(line))}
    assert keys == {"goos", "cpu", "gpu0"}
    assert "# server.version 0.33.0" in lines_of(whole)


def test_a_cell_without_a_figure_gives_no_line() -> None:
    one = records.cell()
    lost = records.observation(one, [records.sample(outcome="refused", words="no")], placement=None)
    assert results(analyse(records.record([one], [lost]))) == []


def test_the_format_is_one_of_those_that_export_writes() -> None:
    assert EXPORTS["benchstat"][0] is as_benchstat.dump


@pytest.mark.skipif(
    shutil.which("benchstat") is None, reason="golang.org/x/perf/cmd/benchstat is not installed"
)
def test_benchstat_reads_two_exports_without_a_complaint(tmp_path: Path) -> None:
    for name, rates in (
        ("old", (50.0, 51.0, 49.0, 50.5, 49.5, 50.2)),
        ("new", (47.0, 48, 46, 47.5, 46.5, 47.2)),
    ):
        (tmp_path / name).write_text(as_benchstat.dump(told(rates)), encoding="utf-8")
    done = subprocess.run(
        ["benchstat", tmp_path / "old", tmp_path / "new"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    assert re.search(r"streams=1 +50\.10 ± 2% +47\.10 ± 2% +-5\.99% \(p=0\.002 n=6\)", done.stdout)
