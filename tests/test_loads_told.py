"""Whole runs under load, told: nothing is doubted that is as it should be, and what is not is named."""

from array import array
from dataclasses import replace
from typing import Any

import pytest
from builders import a_run, cell, observation, record, sample
from lying import HONEST, asked, findings, flagged

from olbench import baseline, pairing, sides
from olbench.analysis import analyse
from olbench.arrival import Load, Share
from olbench.engines.scripted import Script
from olbench.errors import UsageError
from olbench.findings import Findings
from olbench.labels import axes, labels
from olbench.model import Cell
from olbench.report import html, text
from olbench.report.exports import as_csv, as_json

LEVEL = {"slo.ttft_p95": 1.0, "slo.e2e_p95": 4.0}
PEOPLE = Load(pattern="sessions", users=6, questions_per_hour=240.0, turns=3, think_ns=2_000_000_000)
POISSON = Load(pattern="poisson", rate=2.0)


def share(name: str = "scripted:1b", **changes: Any) -> Share:
    fields = {"quantization": None, "weight": 1.0, "prompt_tokens": 64, "output_tokens": 8}
    return Share(model=name, base=name, **{**fields, **changes})


MIX = (share(weight=3.0, prompt_tokens=100, output_tokens=16), share(prompt_tokens=400, output_tokens=48))


@pytest.mark.parametrize(
    ("script", "of"),
    [
        (HONEST, asked(load=POISSON)),
        (replace(HONEST, slots=1), asked(load=replace(POISSON, rate=1.0))),  # they queue, as they should
        (HONEST, asked(load=replace(POISSON, rate=10.0))),  # far too much
        (HONEST, asked(load=Load(pattern="burst", rate=3.0, burst=8))),
        (HONEST, asked(load=Load(pattern="ramp", rate=6.0, start_rate=0.5))),
        (HONEST, asked(load=PEOPLE)),
        (HONEST, asked(load=POISSON, mix=MIX)),
    ],
    ids=["poisson", "one slot", "too much", "burst", "ramp", "sessions", "mix"],
)
def test_an_honest_load_raises_no_flag(script: Script, of: Cell) -> None:
    found = findings(script, of, LEVEL, repeats=5, requests=30)
    assert [flag.sentence for flag in flagged(found)] == []
    (one,) = found.cells
    assert one.service is not None
    assert one.service.invalid == ""
    assert one.service.late_p99 == 0.0


def test_conversations_are_told_by_turn_and_mixes_by_part() -> None:
    (people,) = findings(HONEST, asked(load=PEOPLE), LEVEL, repeats=2, requests=30).cells
    assert [one.place for one in people.by_turn] == [0, 1, 2]
    firsts = [one.summaries["ttft"].p50.value or 0.0 for one in people.by_turn]
    assert firsts == sorted(firsts)  # each carries what was said before
    assert people.by_part == ()
    (mixed,) = findings(HONEST, asked(load=POISSON, mix=MIX), LEVEL, repeats=2, requests=30).cells
    short, long = (one.summaries["e2e"].p50.value or 0.0 for one in mixed.by_part)
    assert short == pytest.approx(0.4, abs=0.2)
    assert long == pytest.approx(1.35, abs=0.4)
    assert sum(one.requests for one in mixed.by_part) == 60


# --- the cache ------------------------------------------------------------------------------------------------


def talk(*cached: int, first: int = 0) -> Findings:
    """Conversations whose later turns find so many tokens of what was said before."""
    of = cell(load=PEOPLE, prompt_tokens=64)
    samples = [
        sample(
            index=place,
            stream=user,
            turn=turn,
            sent_s=1.0 + 5 * place,
            prompt_tokens=64 * (turn + 1),
            cached=tokens,
        )
        for place, (user, turn, tokens) in enumerate(
            (user, turn, tokens) for user in range(6) for turn, tokens in enumerate((first, *cached))
        )
    ]
    return analyse(record([of], [observation(of, samples, repeat=number) for number in range(3)]))


def test_turns_that_find_what_was_said_before_are_not_contaminated() -> None:
    (found,) = talk(64, 128).cells
    assert found.contaminated == 0
    assert not [flag for flag in found.flags if flag.check in ("cache state", "prompt length")]
    assert [one.cached.number for one in found.by_turn] == [0.0, 0.5, pytest.approx(2 / 3)]


def test_a_first_turn_from_the_cache_is_contaminated() -> None:
    (found,) = talk(64, 128, first=60).cells
    assert found.contaminated == 18
    assert "cache state" in {flag.check for flag in found.flags}


# --- our own lateness -----------------------------------------------------------------------------------------


def late(seconds: float, **settings: float) -> Findings:
    of = cell(load=POISSON)
    samples = [sample(index=place, sent_s=1.0 + place, late_s=seconds) for place in range(50)]
    return analyse(record([of], [observation(of, samples)], run=a_run(settings=dict(settings))))


def test_a_client_that_sends_late_is_flagged_and_has_a_row_of_trust() -> None:
    found = late(0.03)
    (flag,) = [one for one in found.cells[0].flags if one.check == "client lateness"]
    assert flag.sentence.startswith("olbench itself sent requests late: 1 of 100 left 30 ms after it was due")
    assert flag.visits == (0,)
    assert [one.state for one in found.trust if one.name == "Client on time"] == ["amber"]


def test_lateness_that_a_bound_does_not_feel_is_none() -> None:
    found = late(0.03, **{"slo.ttft_p95": 1.0})
    assert [one.state for one in found.trust if one.name == "Client on time"] == ["green"]
    assert found.cells[0].service is not None
    assert found.cells[0].service.invalid == ""


def test_without_a_load_there_is_no_row_for_it() -> None:
    found = analyse(record([cell()], [observation(cell(), [sample()])]))
    assert "Client on time" not in {one.name for one in found.trust}


# --- names ----------------------------------------------------------------------------------------------------


def test_labels_say_how_requests_come() -> None:
    assert labels([cell(load=replace(POISSON, rate=one)) for one in (1.0, 2.5)]) == (
        "1 request/s",
        "2.5 requests/s",
    )
    assert labels([cell(load=replace(PEOPLE, users=one)) for one in (1, 20)]) == ("1 user", "20 users")
    steady = replace(POISSON, pattern="steady")
    assert labels([cell(load=POISSON), cell(load=steady)]) == ("poisson", "steady")
    assert labels([cell(concurrency=4), cell(load=PEOPLE)]) == ("×4", "6 users")
    assert axes([cell(load=PEOPLE), cell(load=replace(PEOPLE, users=7))]) == ("users",)
    parts = labels([cell(load=POISSON), cell(load=POISSON, mix=(share(weight=3.0), share(prompt_tokens=9)))])
    assert parts[1] == "75 % scripted:1b, 64 + 8 tokens and 25 % scripted:1b, 9 + 8 tokens"


# --- kept and compared ----------------------------------------------------------------------------------------


def run_of(of: Cell) -> Findings:
    samples = [sample(index=place, sent_s=1.0 + place) for place in range(10)]
    return analyse(record([of], [observation(of, samples, repeat=number) for number in range(5)]))


@pytest.mark.parametrize("of", [cell(load=PEOPLE), cell(load=POISSON, mix=MIX), cell(mix=MIX)])
def test_a_baseline_keeps_the_load_and_the_mix(of: Cell) -> None:
    side = sides.of_findings(run_of(of))
    assert baseline.load(baseline.dump(side), "b.json").cells[0].cell == of
    assert baseline.load(as_json.dump(run_of(of)), "export.json").cells[0].cell == of


def test_a_baseline_without_a_load_has_no_word_of_one() -> None:
    dumped = baseline.dump(sides.of_findings(run_of(cell())))
    assert '"load"' not in dumped.replace('"load": [', "").replace('"load": 1', "")
    assert '"mix"' not in dumped


@pytest.mark.parametrize(
    ("was", "now", "where"),
    [
        ('"pattern": "poisson"', '"pattern": "tidal"', "cells[0].cell.load.pattern"),
        ('"rate": 2.0', '"rate": "x"', "cells[0].cell.load.rate"),
        ('"load": {', '"load": 7, "other": {', "cells[0].cell.load"),
    ],
)
def test_a_load_that_is_none_is_one_sentence(was: str, now: str, where: str) -> None:
    dumped = baseline.dump(sides.of_findings(run_of(cell(load=POISSON))))
    assert was in dumped
    with pytest.raises(UsageError) as caught:
        baseline.load(dumped.replace(was, now), "b.json")
    assert str(caught.value).startswith(f"b.json: {where}")


def test_cells_under_other_loads_are_no_pair() -> None:
    base, new = (sides.of_findings(run_of(cell(load=replace(POISSON, rate=one)))) for one in (1.0, 2.0))
    with pytest.raises(UsageError, match="rate: 1 request/s in the base, 2 requests/s on the new side"):
        pairing.matches(base, new, None)
    (match,) = pairing.matches(base, new, "rate")
    assert match.label == "smollm2:135m: 1 request/s → 2 requests/s"
    thinking = sides.of_findings(run_of(cell(load=replace(PEOPLE, think_ns=1))))
    with pytest.raises(UsageError):
        pairing.matches(thinking, sides.of_findings(run_of(cell(load=PEOPLE))), None)


# --- shown ----------------------------------------------------------------------------------------------------


def shown(of: Cell) -> Findings:
    samples = [
        sample(index=place, sent_s=1.0 + place, part=place % max(1, len(of.mix)), turn=place % 3)
        for place in range(40)
    ]
    seen = [observation(of, samples, repeat=number) for number in range(3)]
    return analyse(record([of], seen, run=a_run(settings={"slo.ttft_p95": 1.0, "slo.success": 0.99})))


def test_a_service_level_is_shown_in_terminal_page_and_exports() -> None:
    found = shown(cell(load=PEOPLE))
    said = text.show(found)
    assert "service level:" in said
    assert "ttft_p95 = 1 s" in said
    assert "120 of 120" in said
    assert "turns of conversations:" in said
    page = html.page(found)
    assert '<section id="loads">' in page
    assert "Answer begins within 1 s" in page
    assert as_json.document(found)["cells"][0]["service"]["verdict"] == "kept"
    assert as_csv.dump(found).splitlines()[1].endswith(",sessions,,6,")


def test_without_a_service_level_nothing_of_it_is_shown() -> None:
    found = analyse(record([cell()], [observation(cell(), [sample()])]))
    assert "service level" not in text.show(found)
    assert 'id="loads"' not in html.page(found)
    assert as_json.document(found)["cells"][0]["service"] is None


def test_names_of_a_mix_are_shown_and_never_acted_upon() -> None:
    found = shown(cell(load=POISSON, mix=(share("<img src=x>\x1b[31m:1b"), share())))
    assert "<img src=x>" not in html.page(found)
    assert "\x1b" not in text.show(found)


# --- mixes that do not fit, conversations that a server remembers ---------------------------------------------


def test_models_that_push_each_other_out_are_told_by_part_and_are_no_fault() -> None:
    mix = (share(weight=3.0, prompt_tokens=100, output_tokens=16), share("scripted:3b", prompt_tokens=200))
    script = replace(HONEST, models=("scripted:1b", "scripted:3b"), max_loaded=1)
    found = findings(script, asked(load=replace(POISSON, rate=0.5), mix=mix), LEVEL, repeats=3, requests=30)
    (one,) = found.cells
    assert {flag.check for flag in one.flags} <= {"remarks"}  # that not all of them fit is said
    assert all((part.reloads or 0) > 0 for part in one.by_part)


@pytest.mark.parametrize("tells", [True, False])
def test_conversations_that_a_server_remembers_raise_no_flag(tells: bool) -> None:  # noqa: FBT001 - a parameter
    script = replace(HONEST, conversations=True, one_engine=True, tells_cached=tells)
    found = findings(script, asked(load=PEOPLE), LEVEL, repeats=5, requests=30)
    assert [flag.sentence for flag in flagged(found)] == []
    (cache,) = [row for row in found.trust if row.name == "Prompt cache"]
    assert cache.state == ("green" if tells else "grey")
    shares = [one.cached.number for one in found.cells[0].by_turn]
    assert shares[0] == (0 if tells else None)
    assert not tells or all((one or 0) > 0.5 for one in shares[1:])


def test_how_requests_come_is_a_remark_below_the_cells() -> None:
    said = text.show(shown(cell(load=PEOPLE)))
    assert "Load: 6 users, each with 240 questions an hour in conversations of 3, 2.0 s of thought" in said


# --- answers that stand still ---------------------------------------------------------------------------------


def stood(seconds: float, **changes: Any) -> list[str]:
    """The checks that fire where one answer of many stands still for so long between two tokens."""
    of = cell(load=POISSON)
    samples = [sample(index=place, sent_s=1.0 + place, **changes) for place in range(30)]
    lines = samples[7].chunks
    late = array("q", [*lines.arrived_ns[:4], *(at + round(seconds * 1e9) for at in lines.arrived_ns[4:])])
    samples[7] = replace(samples[7], chunks=replace(lines, arrived_ns=late))
    (found,) = analyse(record([of], [observation(of, samples)])).cells
    return [flag.sentence for flag in found.flags if flag.check == "stall"]


def test_an_answer_that_stood_still_under_a_load_is_flagged() -> None:
    (sentence,) = stood(3.0)
    assert sentence.startswith("nothing came in the middle of an answer for 3.0 s in request 8 of visit 1")


def test_an_answer_may_stand_still_while_the_prompt_of_another_is_read() -> None:
    assert stood(3.0, prefill_s=2.1) == []
    assert stood(4.0, prefill_s=2.1) != []


def test_loads_of_a_search_are_not_asked_for_more_visits() -> None:
    of, settings = cell(load=POISSON), {"slo.ttft_p95": 1.0}
    seen = [observation(of, [sample(index=place, sent_s=1.0 + place) for place in range(30)])]
    for searched, flags in ((False, ["few samples"]), (True, [])):
        run = a_run(settings=settings | ({"size.searched": True} if searched else {}))
        (found,) = analyse(record([of], seen, run=run)).cells
        assert [flag.check for flag in found.flags] == flags
