"""The page of a sizing: one file, nothing from outside acts in it, and a section without data says why."""

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest
import sizings

from olbench.findings import Flag
from olbench.machines import Machine
from olbench.model import Facts
from olbench.report import capacity_html
from olbench.sized import Sizing

SECTIONS = ("found", "curve", "forecast", "memory", "cost", "elsewhere", "method", "data")


def page(made: Sizing, **settings: object) -> str:
    return capacity_html.page(made, sizings.findings(settings or None))


HOSTILE = "通义千问 <script>alert(2)</script>"


@cache
def kind(made: str) -> str:
    """The page of a sizing by its name; drawing takes a second."""
    settings: dict[str, Facts] = {"by_rate": sizings.RATE, "bare": {"none": 1}}
    if made != "many":
        return page(getattr(sizings, made)(), **settings.get(made, {}))
    scenario = "</pre><script>alert(3)</script>"
    findings = sizings.findings(name=HOSTILE, question="<i>?</i>", scenario_text=scenario)
    return capacity_html.page(sizings.many(), findings)


@pytest.fixture(scope="module")
def whole() -> str:
    return kind("sizing")


@pytest.fixture(scope="module")
def many() -> str:
    return kind("many")


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


def seen(text: str) -> Seen:
    found = Seen()
    found.feed(text)
    return found


def section(text: str, key: str) -> str:
    found = re.search(rf'<section id="{key}">(.*?)</section>', text, re.DOTALL)
    assert found is not None, key
    return found[1]


@pytest.mark.parametrize("made", sizings.KINDS)
def test_the_page_needs_nothing_else_and_its_links_lead_somewhere(made: str) -> None:
    text = kind(made)
    found = seen(text)
    assert all(target.startswith("#") for target in found.targets)
    assert {target[1:] for target in found.targets} <= set(found.ids)
    assert len(found.ids) == len(set(found.ids))
    assert not re.search(r"(src|url)\s*[=(]\s*[\"']?(https?:)?//", text)


@pytest.mark.parametrize("made", sizings.KINDS)
def test_every_drawing_has_a_title_and_words_and_no_figure_that_is_none(made: str) -> None:
    for svg in re.findall(r"<svg xmlns.*?</svg>", kind(made), re.DOTALL):
        assert "<title" in svg
        assert "<desc" in svg
        assert not re.search(r"\b(nan|inf|None)\b", svg)


@pytest.mark.parametrize("made", sizings.KINDS)
def test_every_section_is_there_and_has_something_to_say(made: str) -> None:
    text = kind(made)
    for key in SECTIONS:
        words = re.sub(r"<h2>.*?</h2>|<[^>]+>", " ", section(text, key), flags=re.DOTALL)
        assert len(words.split()) >= 3, key


def test_names_from_outside_are_shown_and_not_run(many: str) -> None:
    assert seen(many).tags.count("script") == 2
    assert "<script>alert" not in many
    assert "<b>" not in many.replace("<b>Do:</b>", "")
    assert "<i>" not in many
    assert "&lt;script&gt;alert(1)&lt;/script&gt; q8_0" in many
    assert "通义千问:7b q4_0" in many
    assert "a|b`c`*d*_e_ $x$ @someone q8_0" in many


def test_control_characters_do_not_reach_the_page() -> None:
    one = sizings.capacity("a\x00\x1b", reason="\x08", resolved=False)
    made = sizings.sizing(capacities=(one,), answer=("\x01",), footprints=(sizings.footprint("\x02", remarks=("\x03",)),),
                          costs=(sizings.cost("\x04"),), elsewhere=(sizings.elsewhere("\x05", reason="\x06"),))  # fmt: skip
    shown = page(made).split('<script type="application/json"')[0]
    assert not re.search(r"[\x00-\x08\x0b-\x1f]", shown)


def test_same_sizing_same_bytes() -> None:
    assert page(sizings.by_rate(), **sizings.RATE) == kind("by_rate")


def test_the_answer_comes_first_then_what_to_do_then_the_loads_then_the_curve(whole: str) -> None:
    marks = (
        "This machine carries 9 such users within the service level; 10 were too many.",
        "Share 20 users out over 3 such machines",
        '<table class="loads">',
        '<section id="curve">',
    )
    places = [whole.index(one) for one in marks]
    assert places == sorted(places)


def test_the_chosen_load_is_marked(whole: str) -> None:
    assert whole.count('<tr class="chosen"><th scope="row">9 users') == 1


def test_several_models_share_a_table_that_leads_to_each(many: str) -> None:
    found = section(many, "found")
    assert [f'href="#capacity-{place}"' in found for place in (1, 2, 3, 4)] == [True, True, True, False]
    assert found.count('<table class="loads">') == 3


def test_the_data_in_the_page_reads_as_json(many: str) -> None:
    found = re.search(r'id="olbench-data">(.*?)</script>', many, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert data["schema"] == "olbench-sizing/1"
    assert data["capacities"][1]["label"] == "<script>alert(1)</script> q8_0"


def test_estimates_are_called_estimates_wherever_they_stand(whole: str) -> None:
    other = section(whole, "elsewhere")
    assert '<span class="badge">estimate</span>' in other
    assert other.count('<span class="small">estimate</span>') == 3
    assert "none was measured" in other
    assert "RTX 4090" not in whole.replace(other, "").split('<script type="application/json"')[0]


def test_figures_of_machines_stand_with_their_sources_and_unread_ones_say_so() -> None:
    kind_ = Machine(name="<b>Box</b>", memory=24e9, usable=0.75, bandwidth=1008e9, compute=330e12, unread=("compute",),
                    sources={"memory": "https://example.org/a", "compute": "https://example.org/b"})  # fmt: skip
    made = sizings.sizing(
        capacities=(), costs=(), footprints=(), elsewhere=(sizings.elsewhere("<b>Box</b>"),)
    )
    found = section(capacity_html.page(made, sizings.findings(), (kind_,)), "elsewhere")
    for words in ("75 % of it for a model", "1,008 GB/s", "330 TFLOPS", ">https://example.org/a<"):
        assert words in found
    assert "Not checked: https://example.org/b" in found
    assert "<b>Box" not in found


def test_how_far_off_estimates_are_known_to_be_stands_beside_them(whole: str) -> None:
    found = section(whole, "elsewhere")
    assert "How: Writing: the rate measured here" in found
    assert "Known error: Scaled from one machine to another" in found


def test_a_sizing_of_nothing_says_in_each_section_why() -> None:
    text = kind("bare")
    why = {
        "found": "No load was held against a service level: the scenario has no [slo].",
        "forecast": "Nothing was predicted.",
        "memory": "it takes loads at two or three sizes of num_ctx",
        "cost": "No cost model: it takes cells with concurrency",
        "elsewhere": "No other machine was estimated",
    }
    for key, words in why.items():
        assert words in section(text, key)
        assert "<svg" not in section(text, key)


def test_a_search_by_rate_says_that_there_is_nobody_to_simulate() -> None:
    text = kind("by_rate")
    assert "Not predicted: the scenario has no persona to simulate." in section(text, "forecast")
    assert "Requests come at random moments" in section(text, "method")


def test_a_prediction_that_failed_says_why_and_the_search_stands() -> None:
    text = kind("unpredicted")
    assert "Not predicted: decode was measured at one number of streams only." in section(text, "forecast")
    assert "9 users" in section(text, "found")


def test_a_line_that_is_missing_says_why(many: str) -> None:
    found = section(many, "cost")
    assert "No line: one length only; a line needs 3." in found
    assert "No line: no model was loaded more than once." in found
    assert "It does not fit well: points lie off the line by more than visits differ." in found


def test_memory_that_is_missing_says_why(many: str) -> None:
    assert "no line of memory: the size of its weights is unknown" in section(many, "memory")


def test_how_it_was_done_names_the_people_the_steps_and_what_was_left_out(whole: str, many: str) -> None:
    found = section(whole, "method")
    assert "The load: 20 people who each ask 12 questions an hour" in found
    assert "in steps of 10 %" in found
    assert "The search, step by step" in found
    assert "olbench itself sent 99 % of requests within 400 us of when they were due" in found
    assert "1 load given up early" in found
    assert "5 users: olbench came late" in section(many, "method")


def test_what_is_wrong_with_the_run_stands_above_the_loads() -> None:
    flag = Flag("power", "The machine ran on battery.", "plug it in and run `olbench size` again.")
    findings = replace(sizings.findings(), flags=(flag,))
    text = capacity_html.page(sizings.sizing(costs=(), footprints=()), findings)
    assert text.index("ran on battery") < text.index('<table class="loads">')
    assert "<code>olbench size</code>" in text


def test_a_search_that_did_not_begin_says_why() -> None:
    one = sizings.capacity(
        answer=None, over=None, resolved=False, reason="no load was tried", steps=(), predicted=None
    )
    text = page(sizings.sizing(capacities=(one,), costs=(), footprints=()))
    assert "No load was tried: no load was tried." not in text
    assert "No load was tried" in section(text, "found")
    assert "No load was tried" in section(text, "curve")
