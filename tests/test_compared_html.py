"""The page of a comparison: one file, nothing from outside acts in it, and the charts show what the tables say."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import comparisons
import pytest

from olbench.report import compared_html
from olbench.report.charts import change


@pytest.fixture(scope="module")
def whole() -> str:
    return compared_html.page(comparisons.whole())


class Seen(HTMLParser):
    """Tags and the ids that a page has, and those that it points to."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "xlink:href") and value:
                self.targets.append(value)


def seen(page: str) -> Seen:
    found = Seen()
    found.feed(page)
    return found


def test_the_page_needs_nothing_else_and_its_links_lead_somewhere(whole: str) -> None:
    found = seen(whole)
    assert all(target.startswith("#") for target in found.targets)
    assert {target[1:] for target in found.targets} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert not re.search(r"(src|url)\s*[=(]\s*[\"']?(https?:)?//", whole)


def test_names_from_outside_are_shown_and_not_run(whole: str) -> None:
    found = seen(whole)
    assert found.tags.count("script") == 2
    assert "<script>alert" not in whole
    assert "<i>x</i>" not in whole
    assert "&lt;script&gt;alert(1)&lt;/script&gt; q8_0" in whole


def test_same_comparison_same_bytes(whole: str) -> None:
    assert compared_html.page(comparisons.whole()) == whole


def test_the_verdict_is_the_first_thing_said_and_what_differs_the_second(whole: str) -> None:
    marks = (
        "4 slower, 4 faster, 10 equivalent, 6 cannot tell</p>",
        'id="differs"',
        'id="changes"',
        'id="cells"',
    )
    places = [whole.index(one) for one in marks]
    assert places == sorted(places)


def test_the_data_in_the_page_reads_as_json(whole: str) -> None:
    found = re.search(r'id="olbench-data">(.*?)</script>', whole, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["schema"] == "olbench-comparison/1"


def test_a_comparison_of_nothing_is_a_page_too() -> None:
    page = compared_html.page(comparisons.comparison([]))
    assert "nothing to compare: no cell stands on both sides" in page
    assert "No cell stands on both sides." in page
    assert "Nothing that was looked at differs" in page


def test_each_metric_with_a_ratio_has_a_chart_of_changes_and_one_of_visits() -> None:
    found = change.charts(comparisons.whole(), "k")
    assert [one.title for one in found] == [
        "Decode rate ↑",
        "Time to first token ↓",
        "Peak RAM of the server ↓",
        "Load time, cold ↓",
    ]
    assert all(len(one.panels) == 2 for one in found)
    assert [bool(one.keys) for one in found] == [True, False, False, False]


def test_a_chart_says_what_it_does_not_show() -> None:
    found = change.charts(comparisons.whole(), "k")
    assert "3 cells without a ratio: see the table." in found[3].note
    many = [comparisons.pair(f"×{place}", [comparisons.slower()]) for place in range(42)]
    (one,) = change.charts(comparisons.comparison(many), "k")
    assert "2 more cells in the table only." in one.note


def test_a_chart_has_its_changes_in_words() -> None:
    (decode, _) = change.charts(comparisons.small(), "k")
    assert "×1: -5.2 % -6.1 to -4.3 %, slower; ×4: +0.3 % -0.9 to +1.5 %, equivalent." in decode.panels[0].svg
    assert "×1: -1.5 to +1.0 % and -6.6 to -4.3 %" in decode.panels[1].svg


def test_a_metric_without_any_ratio_has_no_chart() -> None:
    one = comparisons.pair("×1", [comparisons.untold("load", "no cold request was taken", None)])
    assert change.charts(comparisons.comparison([one]), "k") == ()


@pytest.mark.parametrize("ratio", [(1.5, 0.001, 4000.0), (0.2, 0.2, 0.2), (1.0, 1.0, 1.0)])
def test_odd_intervals_are_drawn_too(ratio: tuple[float, float, float]) -> None:
    one = comparisons.pair("×1", [comparisons.difference("decode", ratio, "cannot tell")])
    assert "nan" not in compared_html.page(comparisons.comparison([one])).lower().replace("finance", "")


def test_a_typical_value_of_zero_has_no_visits_in_percent() -> None:
    told = comparisons.difference("decode", (1.0, 0.9, 1.1), "cannot tell", base=0.0)
    (chart,) = change.charts(comparisons.comparison([comparisons.pair("×1", [told])]), "k")
    assert "no visit and no visit" in chart.panels[1].svg


def test_control_characters_do_not_reach_the_page() -> None:
    made = comparisons.comparison([comparisons.pair("a\x00\x1b", [comparisons.slower()])])
    made = replace(made, notes=("\x08",), alone=("\x01",))
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", compared_html.page(made))
