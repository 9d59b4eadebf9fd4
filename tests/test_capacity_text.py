"""A sizing on the terminal: the answer first, in at most 100 columns, and nothing from outside acts."""

from dataclasses import replace
from typing import Any

import pytest
import sizings

from olbench.arrival import PATTERNS
from olbench.findings import Estimate
from olbench.model import Facts
from olbench.report import capacity_text
from olbench.report.agreement import forecast
from olbench.report.capacity_words import (
    advice,
    against,
    amount,
    between,
    binding,
    coming,
    headline,
    level,
    load,
    persona,
    remark,
    sureness,
    wish,
)
from olbench.report.columns import width_of
from olbench.report.tables.capacity import found, percents
from olbench.sized import Capacity, Sizing, Step
from olbench.slo import KEYS, Term


def said(made: Sizing, **settings: object) -> str:
    return capacity_text.text(made, sizings.findings(settings or None))


@pytest.mark.parametrize("made", sizings.KINDS)
def test_no_line_is_wider_than_the_terminal(made: str) -> None:
    for line in said(getattr(sizings, made)()).splitlines():
        assert width_of(line) <= 100, line


def test_the_first_screen_reads_like_this() -> None:
    assert said(sizings.sizing()).splitlines()[:27] == [
        "This machine carries 9 such users within the service level; 10 were too many. Reading prompts binds;",
        "for 20 users it takes 3 such machines.",
        "",
        "wanted      20 people who each ask 12 questions an hour, in conversations of 4 questions, with 30 s",
        "            to think before the next one; a question has 600 tokens, an answer 250.",
        "            Service level: answer begins within 1 s (95 % of requests), then a token at least every",
        "            50 ms (95 % of requests) and answered without an error (99 % of requests).",
        "",
        "found       Carries 9 users; 10 were too many. 20 users: too many for this machine. The next step",
        "            above the answer was shown to be too much.",
        "predicted   9 users (8 to 11). Prediction is the same as found; the finding lies inside the",
        "            predicted interval.",
        "binds       Reading the questions and what was said before them takes most of the machine's time. At",
        "            10 users the engine reads prompts 45 % of the time and writes answers 25 % of it.",
        "do          Share 20 users out over 3 such machines, 9 on each at most.",
        "            Shorten prompts and system texts, keep a conversation on one server so that what was",
        "            read once is not read again, take a smaller model, or a machine with more compute.",
        "",
        "load        requests       ttft_p95, %         tpot_p95, %          success, %  service level",
        "                             95 % must           95 % must           99 % must",
        "  6 users      1,000  99.5 (98.8–99.8)  100.0 (99.6–100.0)  100.0 (99.6–100.0)  kept",
        "  8 users      1,000  98.5 (97.5–99.1)  100.0 (99.6–100.0)  100.0 (99.6–100.0)  kept",
        "> 9 users      1,000  96.5 (95.2–97.5)    98.5 (97.5–99.1)  100.0 (99.6–100.0)  kept",
        "  10 users     1,000  92.0 (90.2–93.5)    94.0 (92.4–95.3)  100.0 (99.6–100.0)  broken",
        "  12 users     1,000  80.0 (77.4–82.4)    82.0 (79.5–84.3)  100.0 (99.6–100.0)  broken",
        "",
        "memory             weights  a token of context  by formula     limit  largest num_ctx",
    ]


def test_several_models_have_their_own_blocks_and_names_are_shown_as_they_are() -> None:
    text = said(sizings.many())
    places = [text.index(f"\n{name}\n") for name in sizings.NAMES]
    assert places == sorted(places)
    assert "left out: 5 users: olbench came late" in text


def test_controls_in_names_do_not_reach_the_terminal() -> None:
    one = sizings.capacity("a\x1b[31m\x00b", reason="\x07", resolved=False)
    made = sizings.sizing(capacities=(one,), answer=("\x1b]0;x",), footprints=(sizings.footprint("\x1b[2J"),))
    assert not {char for char in said(made) if ord(char) < 32} - {"\n"}


def test_a_service_level_of_many_lines_is_cut_into_tables_that_fit() -> None:
    terms = tuple(
        Term(key=key, aspect=aspect, share=share or 0.99, bound=None if share is None else 1.0)
        for key, (aspect, share) in KEYS.items()
    )
    served = sizings.service([0.97] * len(terms), terms)
    steps = (Step(place=0, load=3.0, cell="a" * 12, service=served),)
    text = said(sizings.sizing(terms=terms, capacities=(sizings.capacity(steps=steps),)))
    assert max(map(width_of, text.splitlines())) <= 100
    assert all(f"{key}, %" in text for key in KEYS)


def test_colour_marks_verdicts_and_moves_nothing() -> None:
    plain = said(sizings.sizing())
    painted = capacity_text.text(sizings.sizing(), sizings.findings(), colour=True)
    assert "\x1b[32m" in painted
    assert "\x1b[31m" in painted
    for code in ("0", "1", "2", "31", "32", "33"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert painted == plain


def test_a_sizing_of_nothing_says_why() -> None:
    text = said(sizings.bare(), none=1)
    assert text.startswith("Nothing can be said of this machine's capacity.")
    assert "No load was held against a service level: the scenario has no [slo]." in text


# --- words ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [(9.0, "9 users"), (1.0, "1 user"), (1200.0, "1,200 users")],
)
def test_a_load_has_its_unit(value: float, shown: str) -> None:
    assert load(value, "users") == shown


def test_a_rate_has_as_many_places_as_it_needs() -> None:
    assert [amount(value) for value in (0.5, 2.42, 10.0, 1234.56, 0.0312)] == [
        "0.5",
        "2.42",
        "10",
        "1,235",
        "0.0312",
    ]
    assert load(1.0, "rate") == "1 request a second"


def test_a_predicted_load_shows_its_interval_only_where_there_is_one() -> None:
    assert between(Estimate(9.0, 8.0, 11.0), "users") == "9 users (8 to 11)"
    assert between(Estimate(9.0, 9.0, 9.0), "users") == "9 users"
    assert between(Estimate(9.0, None, None, "x"), "users") == "9 users"
    assert between(Estimate(None, None, None, "x"), "users") == ""


@pytest.mark.parametrize("key", KEYS)
def test_every_line_of_a_service_level_has_its_words(key: str) -> None:
    aspect, share = KEYS[key]
    term = Term(key=key, aspect=aspect, share=share or 0.99, bound=None if share is None else 2.5)
    assert "{" not in wish(term)
    assert ("2.5" in wish(term)) == (share is not None)
    assert level((term,)).startswith("Service level: ")


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "Carries 9 users; 10 were too many."),
        ({"answer": 1.0, "over": 2.0}, "Carries 1 user; 2 were too many."),
        ({"over": None}, "Carries 9 users at least; no greater load was shown to be too much."),
        ({"answer": None, "over": 1.0}, "No load was shown to keep the service level: 1 user broke it."),
        ({"answer": None, "over": None}, "No load was shown to keep the service level."),
        ({"by": "rate", "answer": 2.0, "over": 2.42}, "Carries 2 requests a second; 2.42 were too many."),
    ],
)
def test_what_was_found_is_one_sentence(changes: dict[str, Any], shown: str) -> None:
    assert headline(sizings.capacity(**changes)) == shown


@pytest.mark.parametrize(
    ("target", "changes", "shown"),
    [
        (9.0, {}, ("9 users: within what was shown to be kept.", "")),
        (10.0, {}, ("10 users: too many for this machine.", "Share 10 users out over 2 such machines, 9 on each at most.")),
        (11.0, {"over": 12.0}, ("11 users: cannot be told from these runs.", "")),
        (11.0, {"over": None}, ("11 users: cannot be told from these runs.", "")),
        (11.0, {"answer": None, "over": 1.0}, ("11 users: too many for this machine.", "")),
        (None, {}, ("", "")),
        (11.0, {"by": "rate"}, ("", "")),
    ],
)  # fmt: skip
def test_the_target_is_held_against_what_was_found(
    target: float | None, changes: dict[str, Any], shown: tuple[str, str]
) -> None:
    assert against(target, sizings.capacity(**changes)) == shown


def test_who_carries_enough_needs_no_advice() -> None:
    assert advice(9.0, sizings.capacity()) == ()


@pytest.mark.parametrize("binds", ["slots", "prefill", "decode", "memory", "reloads"])
def test_whatever_binds_there_is_something_to_do(binds: str) -> None:
    one = sizings.capacity(binds=binds)
    assert len(advice(None, one)) == 1
    assert binding(one)[0].endswith(".")


def test_why_the_prediction_binds_is_only_told_of_what_binds_as_measured() -> None:
    assert "reads prompts 45 %" in binding(sizings.capacity())[1]
    assert binding(sizings.capacity(binds="memory"))[1] == ""


def _sharpness() -> list[tuple[Capacity, str]]:
    one = sizings.capacity(resolved=False, reason="not clear after 15 probes")
    return [
        (sizings.capacity(), "The next step above the answer was shown to be too much."),
        (one, "Not resolved: not clear after 15 probes."),
        (replace(one, reason=""), "Not resolved: the search gave no reason."),
        (
            replace(one, answer=None, over=1.0, steps=()),
            "Even the smallest load that was tried was too much.",
        ),
        (replace(one, answer=None, over=20.0), "Not resolved: not clear after 15 probes."),
    ]


@pytest.mark.parametrize(("one", "shown"), _sharpness())
def test_how_sure_the_answer_is_is_said(one: Capacity, shown: str) -> None:
    assert sureness(one) == shown


@pytest.mark.parametrize(
    ("capacity", "shown"),
    [
        (Estimate(9.0, 8.0, 11.0), "Prediction is the same as found; the finding lies inside the predicted interval."),
        (Estimate(12.0, 10.0, 13.0), "Prediction is 33 % above what was found; the finding lies outside the predicted interval."),
        (Estimate(6.0, None, None, "x"), "Prediction is 33 % below what was found."),
    ],
)  # fmt: skip
def test_prediction_and_finding_are_held_against_each_other(capacity: Estimate, shown: str) -> None:
    made = sizings.capacity(predicted=sizings.predicted(capacity=capacity))
    assert forecast(made, persona=True)[1] == shown


@pytest.mark.parametrize(("value", "lies"), [(12.0, "within"), (14.0, "outside"), (8.0, "outside")])
def test_a_prediction_is_held_against_all_that_an_unresolved_search_left_open(
    value: float, lies: str
) -> None:
    made = sizings.predicted(capacity=Estimate(value, value, value))
    one = sizings.capacity(predicted=made, resolved=False, over=14.0)
    assert forecast(one, persona=True)[1] == f"Prediction lies {lies} what was found (9 kept, 14 too many)."


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (9.0, "As many as were predicted are carried, or more."),
        (
            18.0,
            "Prediction lies above the 9 that were kept; how much above them the limit lies was not shown.",
        ),
    ],
)
def test_a_prediction_is_not_off_by_what_was_not_shown(value: float, shown: str) -> None:
    made = sizings.predicted(capacity=Estimate(value, 8.0, 20.0))
    one = sizings.capacity(predicted=made, resolved=False, over=None)
    assert forecast(one, persona=True)[1] == shown


def test_to_know_more_is_to_go_higher_only_where_nothing_higher_was_tried() -> None:
    unclear = sizings.capacity(
        resolved=False, over=None, steps=(sizings.step(9, 0.97), sizings.step(10, 0.95))
    )
    highest = replace(unclear, steps=unclear.steps[:1])
    assert "`size.requests`" in advice(None, unclear)[-1]
    assert "`size.most`" in advice(None, highest)[-1]


@pytest.mark.parametrize(
    ("low", "value", "shown"),
    [
        (14.0, 20.0, "What was found is below all that was predicted."),
        (None, 20.0, "What was found is below all that was predicted."),
        (10.0, 20.0, "As many as were predicted were too many, fewer that lie in its interval may not be."),
        (8.0, 12.0, "Prediction lies below what was too many."),
    ],
)
def test_a_prediction_is_held_against_a_load_that_was_broken_where_none_was_kept(
    low: float | None, value: float, shown: str
) -> None:
    made = sizings.predicted(capacity=Estimate(value, low, None if low is None else 30.0))
    one = sizings.capacity(predicted=made, resolved=False, answer=None, over=14.0)
    assert forecast(one, persona=True)[1] == shown


def test_why_nothing_was_predicted_is_said() -> None:
    one = sizings.capacity(predicted=None)
    assert forecast(one, persona=False) == ("Nothing.", "The scenario has no persona to simulate.")
    assert forecast(one, persona=True) == ("Nothing.", "There is no cost model to simulate it with.")


def test_a_persona_reads_as_people() -> None:
    assert persona(sizings.PERSONA).startswith(
        "20 people who each ask 12 questions an hour, in conversations of 4"
    )
    alone: Facts = {"persona.users": 1, "persona.questions_per_hour": 6.0, "persona.turns": 1}
    assert persona(alone) == "1 person who asks 6 questions an hour."
    assert persona({}) == ""


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_load_has_its_sentence(pattern: str) -> None:
    assert coming({"load.pattern": pattern}, sizings.by_rate()).endswith(".")


def test_closed_streams_are_told_as_such() -> None:
    made = sizings.sizing(capacities=(sizings.capacity(by="concurrency"),))
    assert coming({}, made).startswith("So many streams are kept busy")


# --- the first table ------------------------------------------------------------------------------------------


def test_of_a_load_that_was_tried_again_the_last_word_counts() -> None:
    (one,) = found(sizings.sizing())
    assert [row.load for row in one.loads] == ["6 users", "8 users", "9 users", "10 users", "12 users"]
    assert [row.verdict for row in one.loads] == ["kept", "kept", "kept", "broken", "broken"]
    assert [row.answer for row in one.loads] == [False, False, True, False, False]
    assert one.loads[2].shares[0].text == "96.5 %"
    assert one.loads[2].shares[0].predicted == "predicted 93.2–97.7 %"


def test_the_first_screen_shows_the_loads_around_the_answer() -> None:
    steps = tuple(sizings.step(float(place), 1.0 if place < 10 else 0.5) for place in range(1, 16))
    (one,) = found(sizings.sizing(capacities=(sizings.capacity(steps=steps),)))
    assert [row.load.split()[0] for row in one.near] == ["7", "8", "9", "10", "11", "12"]
    assert len(one.loads) == 15


def test_an_unclear_load_says_how_little_its_requests_tell() -> None:
    (ttft, *others) = sizings.service((0.96, 0.99, 1.0)).terms
    queued = (replace(ttft, worth=75.4), *others)
    unclear = replace(sizings.service((0.96, 0.99, 1.0)), verdict="unclear", terms=queued)
    assert remark(unclear) == "says as much as 75 requests that do not wait for each other"
    assert remark(replace(unclear, verdict="kept")) == ""
    assert remark(replace(unclear, terms=(replace(ttft, worth=900.0), *others))) == ""
    made = sizings.capacity(steps=(Step(place=0, load=9.0, cell="a" * 12, service=unclear),))
    assert "  9 users: says as much as 75 requests" in said(sizings.sizing(capacities=(made,)))


def test_a_load_that_does_not_count_has_no_verdict() -> None:
    two = found(sizings.many())[1]
    assert (two.loads[0].word, two.loads[0].verdict) == ("does not count", None)
    assert {share.verdict for share in two.loads[0].shares} == {None}


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (Estimate(0.965, 0.952, 0.975), "95.2–97.5 %"),
        (Estimate(1.0, 1.0, 1.0), "100.0 %"),
        (Estimate(0.9996, 0.9991, 0.9998), "99.9–99.98 %"),  # not all of them, and it shows
        (Estimate(0.5, None, None, "2 requests"), "50.0 %"),
        (Estimate(None, None, None, "nothing"), "–"),
    ],
)
def test_a_share_reads_as_its_interval(share: Estimate, shown: str) -> None:
    assert percents(share) == shown
