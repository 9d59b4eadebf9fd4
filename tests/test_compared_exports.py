"""A comparison for other programs: Markdown that GitHub shows, JSON with every reason, JUnit that schemas accept."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import comparisons
import pytest

from olbench.differences import Comparison, Unlike
from olbench.findings import Estimate
from olbench.report.exports import compared_json, compared_junit, compared_markdown

# --- Markdown -------------------------------------------------------------------------------------------------


def test_the_markdown_opens_with_the_verdict_and_folds_what_is_long() -> None:
    text = compared_markdown.dump(comparisons.whole())
    assert text.startswith("### 🔴 quickstart: 4 slower, 4 faster, 10 equivalent, 6 cannot tell\n")
    open_part = text.partition("<details>")[0]
    assert open_part.count("\n| ") == 10  # head, rule, and what changed
    assert open_part.count("🔴 slower") == 4
    assert "equivalent |" not in open_part
    assert text.count("<details>") == text.count("</details>") == 5


def test_what_is_slower_stands_above_what_is_faster() -> None:
    open_part = compared_markdown.dump(comparisons.whole()).partition("<details>")[0]
    signs = re.findall("🔴 slower|🟢 faster", open_part)
    assert signs == ["🔴 slower"] * 4 + ["🟢 faster"] * 4


def test_folded_tables_have_the_empty_lines_without_which_github_shows_their_source() -> None:
    text = compared_markdown.dump(comparisons.whole())
    assert all(text[found.end() :].startswith("\n\n") for found in re.finditer("</summary>", text))
    assert all(text[: found.start()].endswith("\n\n") for found in re.finditer("</details>", text))


def test_every_row_of_a_table_has_as_many_fields_as_its_head() -> None:
    lines = compared_markdown.dump(comparisons.whole()).split("\n")
    counts = [len(re.findall(r"(?<!\\)\|", line)) for line in lines]
    for before, after in pairwise(counts):
        assert not (before and after) or before == after


def test_names_act_on_nothing_in_the_markdown() -> None:
    text = compared_markdown.dump(comparisons.whole())
    assert "<script>" not in text.replace(r"\<script\>", "")
    assert r"a\|b\`c\`\*d\*\_e\_ \$x\$ \@someone" in text


def test_a_version_is_no_item_of_a_list() -> None:
    text = compared_markdown.dump(comparisons.whole())
    assert "| server.version | 0.33.0 | 0.33.1 |" in text


def test_a_comparison_without_a_change_says_so() -> None:
    one = comparisons.difference("decode", (1.0, 0.99, 1.01), "equivalent")
    text = compared_markdown.dump(comparisons.comparison([comparisons.pair("×1", [one])]))
    assert text.startswith("### ⚪ quickstart: 1 equivalent\n")
    assert "Nothing is told to be slower or faster." in text
    assert "Nothing that was looked at differs between the two set-ups." in text


def test_of_many_things_that_differ_the_first_ones_are_named() -> None:
    many = tuple(Unlike(f"option {place}", "1", "2", content=False) for place in range(9))
    text = compared_markdown.dump(replace(comparisons.small(), unlike=many))
    assert "option 4, option 5 and 3 more." in text


# --- JSON -----------------------------------------------------------------------------------------------------


def test_the_json_holds_every_field_with_its_reason() -> None:
    made = comparisons.whole()
    found = json.loads(compared_json.dump(made))
    assert found["schema"] == "olbench-comparison/1"
    assert found["verdict"] == "4 slower, 4 faster, 10 equivalent, 6 cannot tell"
    assert found["across"] == "quantization"
    assert found["base"]["facts"]["server.version"] == "0.33.0"
    assert found["unlike"][3]["content"] is True
    first = found["pairs"][0]
    assert first["differences"][0] == {
        "metric": "decode",
        "base": {"value": 50.0, "low": 49.0, "high": 51.0, "reason": ""},
        "new": {"value": pytest.approx(47.4), "low": pytest.approx(46.452), "high": pytest.approx(48.348), "reason": ""},
        "ratio": {"value": 0.948, "low": 0.9435, "high": pytest.approx(0.9525), "reason": ""},
        "verdict": "slower",
        "margin": 0.02,
        "detectable": 0.021,
        "paired": False,
        "reason": "",
        "word": "slower",
    }  # fmt: skip
    assert found["pairs"][1]["differences"][3]["reason"] == "no cold request was taken"
    assert found["geomeans"]["ram_peak"]["reason"] == "1 pair has it; a mean needs 2"
    assert found["notes"] == list(made.notes)
    assert set(found["metrics"]) == {"decode", "ttft", "ram_peak", "load"}


def test_pairs_name_their_cells_by_id() -> None:
    found = json.loads(compared_json.dump(comparisons.small()))
    ids = {one["cell"]["id"] for one in found["base"]["cells"]}
    assert {one["base_cell"] for one in found["pairs"]} <= ids


def test_what_json_has_no_word_for_becomes_null() -> None:
    odd = comparisons.slower()
    odd = replace(odd, ratio=Estimate(float("nan"), 0.1, float("inf")))
    found = json.loads(
        compared_json.dump(comparisons.comparison([comparisons.pair("\ud800", [odd])])),
        parse_constant=pytest.fail,
    )
    assert found["pairs"][0]["differences"][0]["ratio"]["value"] is None


# --- JUnit ----------------------------------------------------------------------------------------------------

# The rules of two schemas at once, Ant's (windyroad/JUnit-Schema) and Jenkins' (junit-10.xsd): element ->
# (attributes that must be there, attributes that may, children in their order with the least and the most of each).
INFINITE = 10**9
RULES: dict[str, tuple[set[str], set[str], tuple[tuple[set[str], int, int], ...]]] = {
    "testsuites": (set(), set(), (({"testsuite"}, 0, INFINITE),)),
    "testsuite": (
        {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "package", "id"},
        {"skipped"},
        (({"properties"}, 1, 1), ({"testcase"}, 0, INFINITE), ({"system-out"}, 1, 1), ({"system-err"}, 1, 1)),
    ),
    "properties": (set(), set(), (({"property"}, 0, INFINITE),)),
    "property": ({"name", "value"}, set(), ()),
    "testcase": ({"name", "classname", "time"}, set(), (({"skipped", "error", "failure"}, 0, 1),)),
    "failure": ({"type"}, {"message"}, ()),
    "skipped": (set(), {"message", "type"}, ()),
    "system-out": (set(), set(), ()),
    "system-err": (set(), set(), ()),
}
SHAPES = {
    **dict.fromkeys(("tests", "failures", "errors", "skipped", "id"), r"\d+"),
    "timestamp": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d",
    "time": r"\d{0,3}(\.\d+)?",
    "name": r".+",
    "hostname": r".+",
}
HOLDS_TEXT = {"failure", "skipped", "system-out", "system-err"}


def validate(element: ET.Element) -> None:
    must, may, children = RULES[element.tag]
    assert must <= set(element.attrib) <= must | may, element.tag
    for name, value in element.attrib.items():
        assert re.fullmatch(SHAPES.get(name, r".*"), value, re.DOTALL), (element.tag, name, value)
    if element.tag not in HOLDS_TEXT:
        assert not (element.text or "").strip()
    left = list(element)
    for tags, least, most in children:
        count = 0
        while left and left[0].tag in tags and count < most:
            validate(left.pop(0))
            count += 1
        assert count >= least, (element.tag, tags)
    assert not left, (element.tag, left)


def parsed(made: Comparison) -> ET.Element:
    return ET.fromstring(compared_junit.dump(made))


@pytest.mark.parametrize("made", [comparisons.whole(), comparisons.small(), comparisons.comparison([])])
def test_the_junit_file_keeps_to_the_schemas_of_ant_and_of_jenkins(made: Comparison) -> None:
    validate(parsed(made))


def test_slower_fails_and_what_cannot_be_told_is_skipped() -> None:
    suite = parsed(comparisons.whole())[0]
    cases = suite.findall("testcase")
    assert len(cases) == 24
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "24",
        "failures": "4",
        "errors": "0",
        "skipped": "6",
    }
    assert len(suite.findall("testcase/failure")) == 4
    assert len(suite.findall("testcase/skipped")) == 6


def test_a_failure_says_by_how_much() -> None:
    failure = parsed(comparisons.small()).find(".//failure")
    assert failure is not None
    assert failure.get("message") == "Decode rate: slower, -5.2 % (-6.1 to -4.3 %)"
    assert failure.text == (
        "base 50.0 tok/s, new 47.40 tok/s; differences within 2 % count as none; "
        "a change from 2.1 % on would have been seen"
    )


def test_a_skipped_case_says_why() -> None:
    skipped = parsed(comparisons.small()).find(".//skipped")
    assert skipped is not None
    assert skipped.get("message") == "1 visit of the new side; an interval needs 2"


def test_names_from_outside_stay_text_in_the_junit_file() -> None:
    name = 'a<b>&"\x00\x1b\ud800\ufffe]]>'
    made = comparisons.comparison([comparisons.pair(name, [comparisons.slower()])], notes=("&\x08",))
    case = parsed(made).find(".//testcase")
    assert case is not None
    assert case.get("classname") == 'olbench.a<b>&"\ufffd\ufffd\ufffd\ufffd]]>'


def test_a_label_with_dots_is_one_class() -> None:
    case = parsed(comparisons.comparison([comparisons.pair("llama3.2:3b", [comparisons.slower()])])).find(
        ".//testcase"
    )
    assert case is not None
    assert case.get("classname") == "olbench.llama3_2:3b"


@pytest.mark.parametrize(
    ("at", "shown"),
    [
        ("2026-11-23T04:00:00Z", "2026-11-23T04:00:00"),
        ("2026-11-23T04:00:00.123+00:00", "2026-11-23T04:00:00"),
        ("", "1970-01-01T00:00:00"),
    ],
)
def test_the_time_stamp_has_no_zone(at: str, shown: str) -> None:
    made = comparisons.small()
    suite = parsed(replace(made, new=replace(made.new, at=at)))[0]
    assert suite.get("timestamp") == shown
