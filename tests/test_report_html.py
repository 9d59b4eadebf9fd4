"""The page: whole in itself, safe with any name, the same for the same findings."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
import records

from olbench.analysis import analyse
from olbench.findings import Findings, Flag
from olbench.metrics import METRICS
from olbench.model import Facts
from olbench.report import html
from olbench.report.exports import as_json
from olbench.report.tables import method, seen, tails, world

VOID = {"meta", "path", "rect", "use", "br", "link"}


class Reader(HTMLParser):
    """What a browser would make of the page: elements with their attributes, text, nesting."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    return reader


@pytest.fixture(scope="module")
def findings() -> Findings:
    """Two models with hostile names at two concurrencies, from the record that looks like a real run."""
    whole = records.a_record()
    cells = [cell for cell in whole.plan.cells if cell.num_ctx == 8192 and cell.quantization == "q8_0"]
    kept = {cell.id for cell in cells}
    plan = replace(
        whole.plan,
        cells=tuple(cells),
        visits=tuple(visit for visit in whole.plan.visits if visit.cell in kept),
        excluded=2,
    )
    seen_ = tuple(one for one in whole.observations if one.visit.cell in kept)
    return analyse(replace(whole, plan=plan, observations=seen_))


@pytest.fixture(scope="module")
def page(findings: Findings) -> str:
    return html.page(findings)


@pytest.fixture(scope="module")
def small() -> Findings:
    one = records.cell()
    return analyse(records.record([one], records.visits(one, [50.0, 51.0, 49.0])))


def with_run(of: Findings, **changes: Any) -> Findings:
    return replace(of, record=replace(of.record, run=replace(of.record.run, **changes)))


# --- whole in itself ------------------------------------------------------------------------------------------


def test_the_page_is_well_formed(page: str) -> None:
    reader = read(page)
    assert page.startswith("<!doctype html>")
    assert (reader.faults, reader.open) == ([], [])


def test_nothing_is_fetched_from_anywhere(page: str) -> None:
    reader = read(page)
    for tag, attributes in reader.elements:
        assert "src" not in attributes, tag
        assert not attributes.keys() & {"srcset", "data", "action", "background", "poster"}, tag
        assert (attributes.get("href") or "#").startswith("#"), (tag, attributes)
        assert tag not in ("link", "iframe", "object", "embed", "base", "form", "img")
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_policy_lets_one_script_run_and_nothing_else(page: str) -> None:
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in read(page).elements
        if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    script = page[page.rindex("<script>") + len("<script>") : page.rindex("</script>")]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    assert [attributes for tag, attributes in read(page).elements if tag == "script"] == [
        {"type": "application/json", "id": "olbench-data"},
        {},
    ]


def test_the_same_findings_give_the_same_bytes(small: Findings) -> None:
    assert html.page(small) == html.page(small)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    elements = read(page).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    links = [link[1:] for _, attributes in elements if (link := attributes.get("href") or "").startswith("#")]
    assert len(ids) == len(set(ids))
    assert set(links) <= set(ids)


# --- names and words from outside -----------------------------------------------------------------------------


def test_names_are_shown_as_text_everywhere(page: str, findings: Findings) -> None:
    text = "".join(read(page).text)
    for name in records.MODELS:
        assert text.count(name) > 10
    assert "<script>alert(1)" not in page
    assert all(found.label in text for found in findings.cells)


def test_hostile_words_in_every_place_stay_words(small: Findings) -> None:
    evil = "</script><img src=x onerror=alert(1)>{{ 7*7 }}<!--"
    one = records.cell(model=evil, base=evil, prompt_tokens=None)
    lost = records.sample(index=1, outcome="http_error", words=evil, status=500, prompt=evil)
    visit = records.observation(
        one, [records.sample(prompt=evil, text=evil), lost], problem=evil, notes=(evil,)
    )
    card = records.card(evil, system=evil, parameters=(("stop", evil),), family=evil)
    record = records.record([one], [visit], cards=(card,), facts={evil: evil}, facts_end={evil: "changed"})
    told = replace(analyse(record), answer=(evil,), flags=(Flag("slots", evil, evil),))
    page = html.page(with_run(told, name=evil, question=evil, scenario_text=evil, settings={evil: evil}))
    reader = read(page)
    assert reader.faults == []
    assert "img" not in {tag for tag, _ in reader.elements}
    assert "".join(reader.text).count("{{ 7*7 }}") >= 12
    assert not any(name.startswith("on") for _, attributes in reader.elements for name in attributes)


def test_controls_and_direction_marks_become_visible(small: Findings) -> None:
    page = html.page(with_run(small, name="a\x00b\u202ec", scenario_text="x = 1\n\x1b[31mred\ty"))
    assert "a\ufffdb\ufffdc" in page
    assert "x = 1\n\ufffd[31mred    y" in page
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", page[: page.index('id="olbench-data"')])


# --- what it says ---------------------------------------------------------------------------------------------


def test_it_opens_with_question_answer_and_machine(page: str, findings: Findings) -> None:
    text = " ".join("".join(read(page).text).split())
    for sentence in (*findings.answer, findings.record.run.question, "server 0.33.0"):
        assert " ".join(sentence.split()) in text
    assert "AMD Ryzen 7 7700 · 16 threads · 32.0 GiB RAM · NVIDIA GeForce RTX 4070 · Linux" in text


@pytest.mark.parametrize("section", [
    "cells", "speed", "load", "memory", "split", "timeline", "failures", "machine", "models", "scenario", "visits",
    "method", "data",
])  # fmt: skip
def test_every_section_is_there(page: str, section: str) -> None:
    assert f'<section id="{section}"' in page


def test_the_table_can_be_sorted_by_bare_numbers(page: str) -> None:
    body = page[page.index('<table class="cells') : page.index("</table>")]
    keys = re.findall(r'data-sort="([^"]*)"', body)
    assert len(keys) == body.count("<tr>") * (body.count('<th scope="col"')) - body.count('<th scope="col"')
    assert all(key == "" or float(key) >= 0 for key in keys)
    assert "aria-sort" not in body  # set when it is sorted


def test_a_missing_figure_says_why(page: str, small: Findings) -> None:
    failed = "the first request, which was to load the model, ended as out_of_memory"
    assert failed in "".join(read(page).text)
    assert "No RAM: no probe gave server.rss" in html.page(small)


def test_failures_have_the_servers_words(findings: Findings) -> None:
    rows = [[entry.text for entry in row] for row in seen.failures(findings).rows]
    assert [row[1:] for row in rows] == [
        ["stalled", "1", "2", "no end within 5 s"],
        [
            "out of memory",
            "3",
            "1, 2, 3",
            "model requires more system memory (11.2 GiB) than is available (9.8 GiB)",
        ],
    ]


def test_a_run_without_a_single_figure_still_gives_a_page() -> None:
    one = records.cell()
    lost = records.observation(
        one, [records.sample(outcome="refused", words="connection refused")], placement=None
    )
    page = html.page(analyse(records.record([one], [lost])))
    assert read(page).faults == []
    assert page.count("No chart: ") == 6
    assert "connection refused" in page


def test_a_run_without_observations_gives_a_page() -> None:
    broken = records.record([records.cell()], [], repeats=2, run=records.a_run(status="interrupted"))
    page = html.page(analyse(broken))
    assert "the run was interrupted: 0 of 2 planned visits were taken" in page
    assert "2 visits of the plan not taken." in page


# --- its tables -----------------------------------------------------------------------------------------------


def test_what_changed_between_both_ends_is_named(small: Findings) -> None:
    facts: Facts = {
        "server.version": "0.32.0",
        "ram.total": 34_359_738_368,
        "cpu.governor": None,
        "cpu.boost": True,
    }
    record = replace(small.record, facts=facts, facts_end={**facts, "server.version": "0.33.0"})
    found = replace(small, record=record)
    assert world.changed(found) == "Changed during the run: server.version."
    assert {group.title: group.rows for group in world.facts(found)} == {
        "server": (("version", "0.32.0 → 0.33.0", True),),
        "ram": (("total", "32.0 GiB", False),),
        "cpu": (("governor", "not available", False), ("boost", "yes", False)),
    }
    assert (
        world.changed(replace(small, record=replace(record, facts_end=facts)))
        == "Nothing changed during the run."
    )


def test_a_machine_that_is_not_the_servers_is_called_so() -> None:
    assert world.machine({"cpu.model": "X", "server.local": False}) == "olbench ran elsewhere: X"
    assert world.machine({}) == ""


def test_models_show_what_their_modelfiles_bring(small: Findings) -> None:
    card = records.card(
        "m", system="You are\na pirate.", parameters=(("num_ctx", "4096"), ("stop", "<|end|>"))
    )
    table = world.models(replace(small, record=replace(small.record, cards=(card,))))
    assert table.rows[0][-1].text == "num_ctx 4096; stop <|end|>"
    assert table.rows[0][-1].small == "system: You are a pirate."
    assert len(table.rows[0][6].text) == 12


def test_own_prompts_have_a_row_each_with_the_answers_beginning() -> None:
    one = records.cell(prompt_tokens=None)
    samples = [
        records.sample(index=0, prompt="b", text="第一 answer"),
        records.sample(index=1, prompt="a", text="x" * 500, sent_s=2.0),
        records.sample(index=2, prompt="c", outcome="stalled", sent_s=3.0),
    ]
    found = analyse(records.record([one], [records.observation(one, samples)]))
    rows = [[entry.text for entry in row] for row in seen.prompts(found).rows]
    assert [(row[0], row[2], row[-1]) for row in rows] == [
        ("b", "100", "第一 answer"),
        ("a", "100", "x" * 140 + "…"),
    ]


def test_synthetic_text_has_no_rows_by_prompt(small: Findings) -> None:
    assert seen.prompts(small).rows == ()


def test_visits_are_listed_as_they_were_taken(small: Findings) -> None:
    rows = [[entry.text for entry in row] for row in seen.visits(small).rows]
    assert rows[0] == [
        "1",
        "1. smollm2:135m",
        "1",
        "2026-11-22 22:02:56",
        "41 s",
        "preloaded 500 ms",
        "191 MiB",
        "",
    ]


def test_every_metric_stands_in_the_method_with_its_formula(page: str) -> None:
    text = "".join(read(page).text)
    assert "TTFT of the first request after a verified unload: the load is in it" in text
    assert len(method.formulas().rows) == len(METRICS)


def test_what_was_left_out_is_said(page: str) -> None:
    assert "The scenario&#39;s exclude rules took out 2 points of the grid." in page
    assert "temperature is 0" in page


# --- its data -------------------------------------------------------------------------------------------------


def test_the_data_can_be_read_again_as_the_page_says(page: str, findings: Findings) -> None:
    assert data_of(page) == json.loads(as_json.dump(findings))


def data_of(page: str) -> Any:
    found = re.search(r'id="olbench-data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    assert not re.search(r"[<>&\u2028\u2029]", found[1])
    return json.loads(found[1])


def test_a_page_has_room_for_all_figures_of_a_large_run_and_not_for_each_of_its_samples() -> None:
    cells = [records.cell(concurrency=streams) for streams in (1, 2, 4)]
    one = records.several(1_000, n=2)
    taken = [records.observation(cell, one, repeat=repeat) for repeat in range(3) for cell in cells]
    findings = analyse(records.record(cells, taken))
    large = html.page(findings)
    assert len(large) < 400_000
    assert (
        "Too many for a page are the 9,000 samples (a page holds 5,000): null stands for them here, and "
        "<code>olbench export 20261122-220256-quickstart-3f9a</code> writes them."
    ) in large
    kept, whole = data_of(large), json.loads(as_json.dump(findings))
    assert [one["samples"] for one in kept["visits"]] == [None] * 9
    assert [len(one["samples"]) for one in whole["visits"]] == [1_000] * 9
    assert kept["cells"] == whole["cells"]


def test_results_of_very_many_prompts_stay_out_of_the_page() -> None:
    own = records.cell(prompt_tokens=None)
    asked = [records.sample(index=place, prompt=f"mine:{place}", sent_s=1.0 + place) for place in range(201)]
    findings = analyse(records.record([own], [records.observation(own, asked)]))
    large = html.page(findings)
    assert "Too many for a page are the 201 results by prompt (a page holds 200)" in large
    assert "1 more row in what `olbench export` writes." in large
    assert data_of(large)["cells"][0]["by_prompt"] is None
    assert len(json.loads(as_json.dump(findings))["cells"][0]["by_prompt"]) == 201


def test_percentiles_are_shown_as_far_as_the_samples_support_them() -> None:
    table = tails.percentiles(analyse(records.a_record()))
    rows = {(entries[0].text, entries[1].text): entries for entries in table.rows}
    assert rows
    for entries in rows.values():
        count = int(entries[2].text.replace(",", ""))
        shown = [entry.text != "–" for entry in entries[3:]]
        assert shown == [True, count >= 10, count >= 20, count >= 100]
