"""Files for other programs: complete, deterministic, harmless."""

import csv
import io
import json
import re
from array import array
from dataclasses import replace

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import Findings, Flag
from olbench.metrics import METRICS
from olbench.model import FINAL, TEXT, Chunks
from olbench.report.exports import EXPORTS, as_csv, as_json, as_markdown
from olbench.report.overview import overview


@pytest.fixture(scope="module")
def whole() -> Findings:
    return analyse(records.a_record())


def told(**changes: object) -> Findings:
    one = records.cell(**changes)
    return analyse(records.record([one], records.visits(one, [50.0, 51.0, 49.0])))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# --- the table that all of them print -------------------------------------------------------------------------


def test_a_column_without_a_value_is_dropped_with_its_reason() -> None:
    table = overview(told())
    assert [one.name for one in table.headings] == [
        "TTFT",
        "TPOT",
        "Decode",
        "Prefill",
        "Throughput",
        "E2E",
        "Preload",
    ]
    assert table.remarks[:5] == (
        "No Roof: the bandwidth of the memory that the model lies in is unknown.",
        "No E2E p95: 9 samples; p95 needs 20.",
        "No Load: no cold request was taken.",
        "No RAM: no probe gave server.rss.",
        "No GPU memory: no probe gave gpuN.used.",
    )


def test_a_row_without_any_value_has_its_reason_at_its_name(whole: Findings) -> None:
    one = records.cell()
    lost = records.observation(one, [records.sample(outcome="refused", words="no")], placement=None)
    good = records.cell(concurrency=2)
    table = overview(analyse(records.record([one, good], [lost, *records.visits(good, [50.0])])))
    assert [figure.notes for figure in table.rows[0].figures] == [()] * len(table.headings)
    notes = [table.notes[number - 1] for number in table.rows[0].notes]
    assert any("refused" in note for note in notes)
    assert (table.rows[0].good, table.rows[0].failed, table.rows[0].asked) == (0, 1, 1)


def test_footnotes_are_numbered_as_they_appear(whole: Findings) -> None:
    table = overview(whole)
    seen = [
        number
        for row in table.rows
        for number in (*row.notes, *(one for f in (*row.figures, row.sound) for one in f.notes))
    ]
    assert list(dict.fromkeys(seen)) == list(range(1, len(table.notes) + 1))


# --- JSON -----------------------------------------------------------------------------------------------------


def test_json_has_the_schema_and_every_metric_of_every_cell(whole: Findings) -> None:
    data = json.loads(as_json.dump(whole))
    assert data["schema"] == "olbench/1"
    assert list(data) == [
        "schema", "run", "answer", "doubts", "flags", "trust", "axes", "facts", "facts_end", "cards", "plan", "metrics", "cells",
        "failures", "selftest", "stamps", "visits",
    ]  # fmt: skip
    assert len(data["cells"]) == 24
    for found in data["cells"]:
        assert set(found["summaries"]) == set(METRICS) == set(data["metrics"])
    assert data["plan"]["cells"][0]["options"] == {"seed": 1, "temperature": 0.0}
    assert data["run"]["scenario_text"] == 'name = "quickstart"\n'
    assert [len(one["samples"]) for one in data["visits"]] == [
        len(o.samples) for o in whole.record.observations
    ]


def test_json_keeps_intervals_reasons_and_percentiles() -> None:
    summary = json.loads(as_json.dump(told()))["cells"][0]["summaries"]["decode"]
    assert summary["typical"] == pytest.approx(
        {"value": 49.993, "low": 47.570, "high": 52.540, "reason": ""},
        abs=1e-3,  # exp(ln 49.993 ± 0.04969)
    )
    assert summary["p50"]["value"] == pytest.approx(50.0)
    assert summary["p99"] == {"value": None, "low": None, "high": None, "reason": "9 samples; p99 needs 100"}
    assert summary["per_visit"] == pytest.approx([50.0, 51.0, 49.0])
    assert {"p50", "p90", "p95", "p99"} < set(summary)


def test_stamps_are_nanoseconds_since_the_visit_began() -> None:
    found = told()
    moved = replace(found.record.observations[0], started_ns=500_000_000)
    data = json.loads(as_json.dump(replace(found, record=replace(found.record, observations=(moved,)))))
    first = data["visits"][0]["samples"][0]
    assert (first["sent_ns"], first["first_text_ns"]) == (500_000_000, 600_000_000)
    assert "chunks" not in first
    assert first["lines"] == 9


def test_answers_are_kept_for_own_prompts_alone() -> None:
    own = json.loads(as_json.dump(told(prompt_tokens=None)))
    assert own["visits"][0]["samples"][0]["text"] == "word " * 8
    assert "text" not in json.loads(as_json.dump(told()))["visits"][0]["samples"][0]


def test_what_json_cannot_hold_becomes_null_or_a_mark() -> None:
    found = told()
    record = replace(found.record, facts={"a": float("nan"), "b": "\ud800x", "c": float("inf")})
    data = json.loads(as_json.dump(replace(found, record=record)))
    assert data["facts"] == {"a": None, "b": "\ufffdx", "c": None}
    as_json.dump(replace(found, record=record)).encode()


# --- CSV ------------------------------------------------------------------------------------------------------


def test_csv_has_a_row_a_cell_and_metric() -> None:
    found = rows(as_csv.dump(told()))
    assert len(found) == len(METRICS)
    (decode,) = [row for row in found if row["metric"] == "decode"]
    assert (decode["unit"], decode["samples"], decode["visits"]) == ("tok/s", "9", "3")
    assert float(decode["value"]) == pytest.approx((50.0 * 51.0 * 49.0) ** (1 / 3))
    assert float(decode["low"]) < 50 < float(decode["high"])
    (gpu,) = [row for row in found if row["metric"] == "gpu_peak"]
    assert (gpu["value"], gpu["reason"]) == ("", "no probe gave gpuN.used")  # empty, never 0


def test_csv_of_samples_has_failed_ones_too(whole: Findings) -> None:
    found = rows(as_csv.samples(whole))
    assert len(found) == sum(len(one.samples) for one in whole.record.observations)
    assert {row["outcome"] for row in found} == {"ok", "stalled", "out_of_memory"}
    assert {row["phase"] for row in found} == {"cold", "measured"}


def test_a_sample_has_its_parts_and_what_it_found_in_the_cache() -> None:
    one = records.cell()
    seen = records.observation(
        one,
        [
            records.sample(phase="cold", cached=None, load_s=2.0),
            records.sample(index=1, sent_s=5.0, queue_s=0.5, late_s=0.002, connect_ns=1_000_000, cached=4),
            records.sample(index=2, sent_s=9.0, cached=63),
            records.sample(index=3, sent_s=12.0, outcome="stalled"),
        ],
    )
    found = analyse(records.record([one], [seen]))
    table = rows(as_csv.samples(found))
    assert [row["cache_state"] for row in table] == ["cold", "cold", "contaminated", "unknown"]
    assert [row["reused"] for row in table] == ["", "0.0625", "0.984375", ""]
    assert [row["flags"] for row in table] == ["", "o", "c", ""]
    assert (table[1]["connect_s"], table[1]["queue_s"], table[3]["queue_s"]) == ("0.002", "0.5", "")
    whole = (int(table[1]["end_ns"]) - int(table[1]["wanted_ns"])) / 1e9
    parts = ("connect", "load", "queue", "prefill", "decode", "network", "unexplained")
    assert sum(float(table[1][f"{name}_s"]) for name in parts) == pytest.approx(whole)
    samples = json.loads(as_json.dump(found))["visits"][0]["samples"]
    assert samples[1]["parts"]["queue"] == 0.5
    assert samples[2]["cache"] == {"state": "contaminated", "reused": 0.984375}
    assert samples[2]["flags"] == ["its cache was not as it was meant to be: in no figure"]
    assert (samples[3]["parts"]["queue"], samples[3]["ttft"], samples[3]["cache"]["state"]) == (
        None,
        None,
        "unknown",
    )


def test_flags_are_told_with_what_to_do_about_them() -> None:
    found = told()
    flag = Flag("slots", "4 streams on 1 slot", "set OLLAMA_NUM_PARALLEL=4", (0,))
    found = replace(
        found, cells=tuple(replace(cell, flags=(flag, flag)) for cell in found.cells), flags=(flag,)
    )
    data = json.loads(as_json.dump(found))
    as_data = {"check": "slots", "sentence": flag.sentence, "action": flag.action, "visits": [0]}
    assert data["flags"] == [as_data]
    assert data["cells"][0]["flags"] == [as_data, as_data]
    table = rows(as_csv.dump(found))
    assert {(row["doubts"], row["actions"]) for row in table} == {(flag.sentence, flag.action)}


@pytest.mark.parametrize(
    "evil", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "=cmd|' /C calc'!A0", 'a"b\nc,d']
)
def test_no_field_of_text_is_a_formula(evil: str) -> None:
    one = records.cell(model=evil, base=evil, prompt_tokens=None, options=((evil, evil),))
    lost = records.sample(outcome="http_error", words=evil, prompt=evil)
    found = analyse(records.record([one], [records.observation(one, [lost])]))
    found = replace(
        found,
        cells=tuple(replace(cell, flags=(Flag("slots", evil, evil),), label=evil) for cell in found.cells),
    )
    for text in (as_csv.dump(found), as_csv.samples(found)):
        fields = [field for row in rows(text) for field in row.values()]
        assert len({len(row) for row in csv.reader(io.StringIO(text))}) == 1
        assert not [field for field in fields if re.match(r"\s*[=+@-]", field)]
        assert any(evil.strip().split("\n")[0] in field for field in fields)


# --- Markdown -------------------------------------------------------------------------------------------------


def test_markdown_is_a_table_with_intervals_and_footnotes() -> None:
    one, other = (
        records.cell(quantization="q4_0", model="m-q4_0", base="m"),
        records.cell(quantization="q8_0", model="m-q8_0", base="m"),
    )
    seen = [*records.visits(one, [75.0, 76.0, 74.0]), *records.visits(other, [50.0])]
    found = replace(analyse(records.record([one, other], seen)), answer=("q4_0 is faster.",))
    lines = as_markdown.dump(found).splitlines()
    assert lines[:5] == ["### quickstart", "", "Which of these suits this machine?", "", "q4_0 is faster."]
    assert lines[6].startswith("| # | Cell | TTFT, ms ↓ | TPOT, ms ↓ | Decode, tok/s ↑ |")
    assert lines[7].startswith("| --: | :-- | --: |")
    assert lines[8].startswith("| 1 | q4_0 | 100 ± <1 |")
    assert "| 75.0 ± 2.5 |" in lines[8]
    assert lines[9].startswith("| 2 | q8_0")
    assert lines[-1].endswith("olbench 0.1.0 · run 20261122-220256-quickstart-3f9a · 2026-11-22T22:02:56Z")
    assert len({line.count(" | ") for line in lines if line.startswith("|")}) == 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<script>alert(1)</script>", r"\<script\>alert(1)\</script\>"),
        ("a|b", r"a\|b"),
        ("_x_ *y* `z`", r"\_x\_ \*y\* \`z\`"),
        ("llama3.2:3b-q4_K_M", "llama3.2:3b-q4_K_M"),
        ("@someone [x](y) ![z](w)", r"\@someone \[x\](y) !\[z\](w)"),
        ("# head", r"\# head"),
        ("a\nb", "a b"),
    ],
)
def test_markdown_shows_names_as_text(name: str, shown: str) -> None:
    found = told()
    found = replace(found, cells=(replace(found.cells[0], label=name),))
    (row,) = [line for line in as_markdown.dump(found).splitlines() if line.startswith("| 1 |")]
    assert row.startswith(f"| 1 | {shown} |")


# --- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", EXPORTS)
def test_the_same_findings_give_the_same_text(kind: str, whole: Findings) -> None:
    write, ending = EXPORTS[kind]
    assert write(whole) == write(whole)
    assert write(whole).endswith("\n")
    assert ending.startswith(".")


def test_lines_are_counted_without_their_stamps() -> None:
    chunks = Chunks(array("q", [5, 7, 9]), array("q", [0, 0, 0]), bytes([0, TEXT, FINAL]))
    one = records.cell()
    found = analyse(records.record([one], [records.observation(one, [records.sample(chunks=chunks)])]))
    (sample,) = json.loads(as_json.dump(found))["visits"][0]["samples"]
    assert (sample["lines"], sample["first_text_ns"], sample["last_text_ns"]) == (3, 7, 7)
