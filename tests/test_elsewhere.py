"""Other machines: ranges whose width is what such estimates are known to be off by."""

import itertools
from dataclasses import replace
from typing import Any

import pytest

from olbench import machines, published
from olbench.arrival import Persona
from olbench.elsewhere import decode_here, elsewhere, known_error, prefill_here
from olbench.findings import Estimate
from olbench.machines import Machine
from olbench.model import Facts
from olbench.report.tables.elsewhere import ranged
from olbench.sized import CostModel, Elsewhere, Footprint, Held, Line
from olbench.slo import Term

LOW, HIGH = published.from_another()
LEAST, MOST = published.of_compute()


def estimate(value: float) -> Estimate:
    return Estimate(value, value, value)


def line(what: Any, terms: dict[str, float], **span: tuple[float, float]) -> Line:
    return Line(
        what=what,
        terms=tuple(terms),
        coefficients=tuple(estimate(one) for one in terms.values()),
        covariance=tuple((0.0,) * len(terms) for _ in terms),
        scatter=0.0,
        freedom=10,
        lack=0.5,
        reason="",
        span=span,
        points=(),
    )


# 8 billion parameters on a processor: 0.1 s a step and stream, 50 ms a prompt token.
COST = CostModel(
    model="a:8b",
    label="a:8b q4_0",
    decode=line("decode", {"1": 0.08, "streams": 0.02}, streams=(1.0, 2.0), depth=(100.0, 2000.0)),
    prefill=line("prefill", {"tokens": 0.05}, tokens=(100.0, 1000.0), depth=(0.0, 1000.0)),
    load=None,
    slots=2,
    missing={},
)
FACTS: Facts = {"ram.bandwidth": 50e9}
BIG = {"a:8b": 8_000_000_000}
CARD = Machine(name="card", memory=24e9, usable=1.0, bandwidth=1000e9, compute=300e12, sources={}, unread=())
PERSONA = Persona(
    users=20, questions_per_hour=12, prompt_tokens=600, output_tokens=200, turns=1, think_ns=30 * 10**9
)
TERMS = (Term(key="e2e_p95", aspect="e2e", share=0.95, bound=30.0),)


def footprint(ram: float = 6e9, vram: float = 0.0, weights: float = 5e9) -> Footprint:
    held = Held(num_ctx=2048, slots=2, ram=estimate(ram), vram=estimate(vram), predicted=False)
    return Footprint(
        model="a:8b",
        label="a:8b q4_0",
        weights=weights,
        per_token=estimate(1e5),
        formula=None,
        overhead=estimate(1e8),
        loads=(held,),
        most={},
        budget=None,
        trained=None,
        remarks=(),
    )


def on(machine: Machine = CARD, held: Footprint | None = None, **changes: Any) -> Elsewhere:
    asked: dict[str, Any] = {
        "cost": COST,
        "facts": FACTS,
        "target": None,
        "persona": None,
        "terms": (),
        "parameters": BIG,
    }
    asked |= changes
    cost, facts = asked.pop("cost"), asked.pop("facts")
    (found,) = elsewhere((cost,), (held or footprint(),), (machine,), facts, **asked)
    return found


def test_writing_goes_by_bandwidth_and_reading_by_compute() -> None:
    found = on()
    # 10 tok/s here, twenty times the bandwidth; 300 TFLOPS by two operations for each of 8 billion parameters.
    assert found.decode == pytest.approx((200 * LOW, 200 * HIGH))
    assert found.prefill == pytest.approx((18_750 * LEAST, 18_750 * MOST))
    assert (found.fits, found.memory, found.users, found.reason) == (True, 6e9, None, "")


def test_what_does_not_fit_has_no_rates() -> None:
    found = on(replace(CARD, memory=8e9, usable=0.7), target=20.0)
    assert (found.fits, found.decode, found.prefill, found.users, found.meets) == (
        False,
        None,
        None,
        None,
        False,
    )
    assert found.reason == (
        "it needs 5.59 GiB with the context and slots of this run, and there are 5.22 GiB"
    )


def test_a_small_model_may_gain_nothing() -> None:
    found = on(held=footprint(weights=1e9))
    assert found.decode == pytest.approx((10.0, 200 * HIGH))
    assert found.prefill == pytest.approx((20.0, 18_750 * MOST))
    slower = on(replace(CARD, bandwidth=25e9), footprint(weights=1e9))
    assert slower.decode == pytest.approx((5 * LOW, 5 * HIGH))


UNKNOWN = [
    (
        {"facts": {}},
        "decode",
        "writing: the bandwidth of this machine's memory is not known; `olbench bandwidth` measures it",
    ),
    (
        {"held": footprint(vram=2e9), "facts": {"gpu0.bandwidth": 1e12}},
        "decode",
        "writing: here the model lies partly in GPU memory and partly in RAM",
    ),
    (
        {"machine": replace(CARD, compute=None)},
        "prefill",
        "reading: no figure of its maker's for its compute",
    ),
    (
        {"parameters": {}},
        "prefill",
        "reading: the server does not say how many parameters the model has",
    ),
    (
        {"cost": replace(COST, decode=None, missing={"decode": "no answer of two tokens or more"})},
        "decode",
        "writing: no answer of two tokens or more",
    ),
]


@pytest.mark.parametrize(("changes", "what", "reason"), UNKNOWN)
def test_what_is_unknown_is_said(changes: dict[str, Any], what: str, reason: str) -> None:
    found = on(**changes)
    assert getattr(found, what) is None
    assert found.reason == reason


def test_on_a_card_the_cards_own_bandwidth_counts() -> None:
    found = on(held=footprint(vram=5.5e9), facts={"gpu0.bandwidth": 500e9, "ram.bandwidth": 50e9})
    assert found.decode == pytest.approx((20 * LOW, 20 * HIGH))


def test_without_a_footprint_nobody_knows_whether_it_fits() -> None:
    (found,) = elsewhere((COST,), (), (CARD,), FACTS, target=1.0, persona=None, terms=(), parameters=BIG)
    assert (found.fits, found.memory, found.meets) == (None, None, None)


# --- users -----------------------------------------------------------------------------------------------------


def test_users_come_from_both_ends_of_the_ranges() -> None:
    found = on(persona=PERSONA, terms=TERMS, target=20.0)
    assert found.users is not None
    low, high = found.users
    assert 1 <= low < high
    # An answer takes 200 steps of 0.12 s by 20 x LOW at the slow end, two at a time.
    busy = 12 / 3600 * 200 * 0.12 / (20 * LOW) / 2
    assert low <= 1.3 / busy  # people wait for their answers before they ask again
    assert found.meets is (True if low >= 20 else None)


@pytest.mark.parametrize(("target", "meets"), [(1.0, True), (1e6, False), (None, None)])
def test_a_target_is_met_missed_or_perhaps(target: float | None, *, meets: bool | None) -> None:
    assert on(persona=PERSONA, terms=TERMS, target=target).meets is meets


def test_users_take_both_rates() -> None:
    found = on(replace(CARD, compute=None), persona=PERSONA, terms=TERMS)
    assert found.users is None
    assert found.reason == (
        "reading: no figure of its maker's for its compute; users: they take a rate of writing and one of reading"
    )


def test_rates_here_are_at_the_personas_place() -> None:
    assert (decode_here(COST, None), prefill_here(COST, None)) == pytest.approx((10.0, 20.0))
    deep = replace(
        COST,
        decode=line("decode", {"1": 0.1, "streams*depth": 1e-4}, streams=(1.0, 1.0), depth=(100.0, 2000.0)),
    )
    assert decode_here(deep, PERSONA) == pytest.approx(1 / (0.1 + 700e-4))
    assert decode_here(deep, None) == pytest.approx(1 / (0.1 + 100e-4))


# --- the published table ----------------------------------------------------------------------------------------


def test_the_range_holds_the_published_machines_foretold_from_one_another() -> None:
    pairs = list(itertools.permutations(published.ROWS, 2))
    inside = [
        LOW <= there.decode / (here.decode * there.bandwidth / here.bandwidth) <= HIGH
        for here, there in pairs
    ]
    assert sum(inside) / len(inside) >= 0.95


def test_one_left_out_lies_within_what_the_others_say_of_compute() -> None:
    known = [row for row in published.ROWS if row.compute]
    for row in known:
        share = row.prefill * published.OPERATIONS / (row.compute or 1)
        assert LEAST <= share <= MOST, row.name


def test_the_known_error_is_told_with_its_numbers() -> None:
    words = known_error()
    assert f"off by a factor of {LOW:.2g} to {HIGH:.2g}" in words
    assert published.SOURCE in words


def test_our_own_table_can_be_scaled_to() -> None:
    found = elsewhere(
        (COST,),
        (footprint(),),
        machines.shipped(),
        FACTS,
        target=None,
        persona=None,
        terms=(),
        parameters=BIG,
    )
    assert all(one.decode is not None for one in found if one.fits)
    assert [one.machine for one in found if not one.fits] == []


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        (None, "–"),
        ((12.0, 47.0), "12–47"),
        ((9.0, 9.0), "9"),
        ((4.26, 15.8), "4.3–16"),
        ((312.0, 1240.0), "310–1,200"),
        ((304.2, 113_718.0), "300 or more"),
        ((0.0, 40.0), "0–40"),
    ],
)
def test_a_range_has_two_figures_and_no_end_that_tells_nothing(ends: Any, shown: str) -> None:
    assert ranged(ends) == shown
