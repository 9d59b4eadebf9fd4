"""A side of a comparison, made of a run."""

from dataclasses import replace
from typing import Any

from builders import a_run, card, cell, observation, record, sample, visits
from records import a_record

from olbench import sides
from olbench.analysis import analyse
from olbench.differences import Side
from olbench.findings import CellFinding
from olbench.model import Facts, Observation


def side(rates: list[float], **changes: Any) -> Side:
    of = cell()
    return sides.of_findings(analyse(record([of], visits(of, rates), **changes)))


def test_a_side_holds_each_visits_median() -> None:
    made = side([40.0, 50.0, 44.0])
    (one,) = made.cells
    assert (made.name, made.at, made.scenario) == (
        "run 20261122-220256-quickstart-3f9a",
        "2026-11-22T22:02:56Z",
        "quickstart",
    )
    assert [round(rate, 6) for rate in one.visits["decode"]] == [40.0, 50.0, 44.0]
    assert (one.samples["decode"], one.samples["throughput"], one.marked) == (9, 3, 0)


def test_figures_of_cold_requests_are_left_out_but_for_the_load() -> None:
    of = cell()
    cold = sample(phase="cold", load_s=2.0, sent_s=0.5)
    made = sides.of_findings(analyse(record([of], [observation(of, (cold, sample()))])))
    kept = made.cells[0].visits
    assert kept["load"] == (2.0,)
    assert not {"ttft_cold", "prefill_cold"} & kept.keys()


def test_a_metric_without_a_value_has_no_key() -> None:
    assert "gpu_peak" not in side([40.0]).cells[0].visits


def test_disturbed_visits_are_counted_and_left_out() -> None:
    found = analyse(a_record())
    made = sides.of_findings(found)
    told = {one.cell.id: one for one in made.cells}
    assert len(told) == len(found.cells)
    for one in found.cells:
        own = told[one.cell.id]
        assert own.marked == len(one.marked)
        assert own.visits.get("e2e", ()) == (one.summaries["e2e"].per_visit if one.judged else ())


def test_a_cell_of_which_no_visit_is_sound_has_no_visits() -> None:
    of = cell()
    disturbed = [_on_battery_later(one) for one in visits(of, [40.0, 50.0])]
    found = analyse(record([of], disturbed))
    assert not _only(found.cells).judged
    (one,) = sides.of_findings(found).cells
    assert (dict(one.visits), dict(one.samples), one.marked) == ({}, {}, 2)


def _on_battery_later(seen: Observation) -> Observation:
    return replace(seen, facts={"power.source.before": "mains", "power.source": "battery"})


def _only(cells: tuple[CellFinding, ...]) -> CellFinding:
    (one,) = cells
    return one


def test_models_are_told_apart_by_what_they_are() -> None:
    own = card(
        "smollm2:135m",
        digest="d" * 64,
        template_sha256="t" * 64,
        system="You are a pirate.\nAlways.",
        parameters=(("stop", "<|im_end|>"), ("temperature", "0.7")),
    )
    made = side([40.0], cards=(own,)).models["smollm2:135m"]
    assert made == {
        "digest": "d" * 64,
        "template": "t" * 64,
        "quantization": "Q8_0",
        "parameters": "stop <|im_end|>; temperature 0.7",
        "system": sides.hashed("You are a pirate.\nAlways."),
    }
    assert (
        side([40.0], cards=(card("smollm2:135m", parameters=()),)).models["smollm2:135m"]["system"] == "none"
    )


def test_nothing_private_goes_into_a_side() -> None:
    known: Facts = {
        "server.version": "0.33.0",
        "server.pid": 4711,
        "server.started": 1.0,
        "engine.log_dir": "/home/somebody/logs",
        "server.url": "http://user:secret@example.org:11434/ollama",
    }
    assert sides.facts(known) == {
        "server.version": "0.33.0",
        "server.url": "http://example.org:11434/ollama",
    }


def test_long_texts_of_a_scenario_are_told_apart_and_not_kept() -> None:
    run = a_run(settings={
        "system": "You are a pirate.", "format": '{"type": "object"}', "file": "/home/somebody/prompts.jsonl", "seed": 1,
    })  # fmt: skip
    made = side([40.0], run=run).settings
    assert made == {
        "system": sides.hashed("You are a pirate."),
        "format": sides.hashed('{"type": "object"}'),
        "file": "prompts.jsonl",
        "seed": 1,
    }
    assert sides.settings({"format": "json", "system": None}) == {"format": "json", "system": None}
    assert sides.settings(made) == made
