"""Estimates against hand calculations."""

from dataclasses import replace

import pytest
from cards import PLAIN

from olbench import estimate, plan, scenario
from olbench.estimate import Memory, Rates

TEXT = """question = "How long?"
[sweep]
model = "llama3.2:3b"
num_ctx = [2048, 8192]
prompt_tokens = 300
output_tokens = 50
[measure]
repeats = 2
requests = 4
warmup = 1
"""
S = 10**9


def test_time_is_requests_and_loads_and_what_a_visit_costs() -> None:
    asked = scenario.parse(TEXT, path="a.toml", environ={})
    made = plan.expand(asked, [PLAIN])
    rates = {"llama3.2:3b": Rates(decode=10, prefill=100, load_ns=7 * S)}
    # A request: 300 / 100 + 50 / 10 = 8 s. A visit: 5 requests and 2 s = 42 s. Two rounds A B | B A: 3 loads.
    times = estimate.time(made, asked, [PLAIN], rates)
    assert times.total == 4 * 42 * S + 3 * 7 * S
    assert sorted(times.cells.values()) == [84 * S + 7 * S, 84 * S + 14 * S]
    assert times.basis == "rough, from earlier runs"


def test_requests_that_fall_due_take_as_long_on_any_machine() -> None:
    asked = scenario.parse(TEXT, path="a.toml", overrides=["sweep.rate=2"], environ={})
    made = plan.expand(asked, [PLAIN])
    slow, fast = (
        estimate.time(made, asked, [PLAIN], {"llama3.2:3b": Rates(decode=one, prefill=one, load_ns=S)})
        for one in (10, 10_000)
    )
    assert slow.total > fast.total
    # One to warm up and four that count, two a second.
    assert slow.due == fast.due == {cell.id: 2.5 * S for cell in made.cells}
    closed = scenario.parse(TEXT, path="a.toml", environ={})
    assert estimate.time(plan.expand(closed, [PLAIN]), closed, [PLAIN]).due == {}


@pytest.mark.parametrize(("more", "most"), [("", 1.0), ('until = { metric = "ttft", within = 0.1 }\n', 15.0)])
def test_a_plan_that_may_go_on_takes_as_much_longer_as_it_may_have_more_visits(
    more: str, most: float
) -> None:
    # Two visits are planned to a cell, and 30 are the most.
    asked = scenario.parse(TEXT + more, path="a.toml", environ={})
    times = estimate.time(plan.expand(asked, [PLAIN]), asked, [PLAIN])
    assert times.most == round(most * times.total)


def test_a_cold_load_costs_a_load_and_a_request_each_visit() -> None:
    asked = scenario.parse(TEXT + "cold_load = true\n", path="a.toml", environ={})
    made = plan.expand(asked, [PLAIN])
    rates = {"llama3.2:3b": Rates(decode=10, prefill=100, load_ns=7 * S)}
    assert estimate.time(made, asked, [PLAIN], rates).total == 4 * (6 * 8 + 2 + 7) * S


def test_a_warm_prompt_is_not_read_again() -> None:
    asked = scenario.parse(TEXT + '[workload]\ncache = "warm"\n', path="a.toml", environ={})
    made = plan.expand(asked, [PLAIN])
    rates = {"llama3.2:3b": Rates(decode=10, prefill=100, load_ns=0)}
    assert estimate.time(made, asked, [PLAIN], rates).total == 4 * (5 * 5 + 2) * S


def test_rates_are_assumed_from_the_size_and_it_is_said() -> None:
    # 20 GB/s through 2 GB: 10 tok/s; a small model is held to 60; reading 2 GB at 1 GB/s and 1 s.
    assert estimate.assumed(replace(PLAIN, size=2 * 10**9)) == Rates(10.0, 30.0, 3 * S)
    assert estimate.assumed(replace(PLAIN, size=100 * 10**6)).decode == 60.0
    assert estimate.assumed(None).decode == 5.0
    asked = scenario.parse(TEXT, path="a.toml", environ={})
    basis = estimate.time(plan.expand(asked, [PLAIN]), asked, [PLAIN]).basis
    assert basis == "rough, from the sizes of the models alone for a slow machine (llama3.2:3b)"


def test_memory_is_the_weights_and_the_context_of_every_slot() -> None:
    made = plan.expand(scenario.parse(TEXT, path="a.toml", environ={}), [PLAIN])
    card = replace(PLAIN, size=2_000_000_000)
    # 114688 B x 2048 tokens x 2 slots = 469,762,048 B
    assert estimate.memory(made.cells[0], card, 2) == Memory(2_469_762_048, 2_000_000_000, 469_762_048, 2, "")
    one = estimate.memory(made.cells[0], card, None)
    assert (one.context, one.reason) == (234_881_024, "slots are not known, one is assumed")
    assert estimate.memory(made.cells[1], replace(card, context_length=4096), 1).context == 469_762_048


def test_memory_that_cannot_be_told_is_none_with_the_reason() -> None:
    made = plan.expand(scenario.parse(TEXT, path="a.toml", environ={}), [PLAIN])
    nothing = estimate.memory(made.cells[0], replace(PLAIN, size=None), 1)
    assert (nothing.total, nothing.reason) == (None, "the server does not say how large the model is")
    part = estimate.memory(made.cells[0], replace(PLAIN, kv_bytes_per_token=None), 1)
    assert (part.total, part.weights, part.context) == (None, PLAIN.size, None)
    assert part.reason == "the model's metadata do not say how much memory a token of context takes"
