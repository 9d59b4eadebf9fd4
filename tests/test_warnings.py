"""What is said before a run begins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from records import card, cell

from olbench import scenario
from olbench.model import Cell, Facts, ModelCard, Plan, Resident
from olbench.verbs import warnings

GIB = 2**30
ASKED = scenario.parse(
    'question = "?"\n[sweep]\nmodel = "tiny:1b"\n[server]\nparallel = 2\n', path="a.toml", environ={}
)
# One GiB of weights, and a KiB for each token of each of two slots.
TINY = card("tiny:1b", size=GIB, kv_bytes_per_token=1024.0, context_length=2**20)


def said(
    *cells: Cell,
    resident: Sequence[Resident] = (),
    facts: Facts | None = None,
    last: Mapping[str, float] | None = None,
    cards: Sequence[ModelCard] = (TINY,),
) -> list[str]:
    planned = cells or (cell(model="tiny:1b"),)
    plan = Plan(planned, (), 0, ())
    return list(warnings.before(plan, ASKED, cards, resident=resident, facts=facts or {}, last=last or {}))


def loaded(name: str) -> Resident:
    return Resident(name=name, digest=None, size=None, size_vram=None, context_length=None)


def test_a_machine_that_is_quiet_large_and_empty_needs_no_word() -> None:
    calm = {"host.other_cpu": 0.5, "host.swap_used": 256 * 2.0**20, "host.available": 64.0 * GIB}
    assert said(last=calm, facts={"power.source": "mains", "server.local": True}) == []


def test_what_is_not_known_is_not_judged() -> None:
    assert said() == []


def test_models_that_are_not_the_plans_are_named() -> None:
    found = said(resident=[loaded("other:7b"), loaded("tiny:1b"), loaded("third:latest")])
    assert found == ["in memory and about to be unloaded: other:7b, third:latest"]


def test_latest_is_no_other_model() -> None:
    assert said(cell(model="tiny"), resident=[loaded("tiny:latest")]) == []


@pytest.mark.parametrize(
    ("last", "facts", "sentence"),
    [
        (
            {"host.other_cpu": 1.26},
            {},
            "other programs keep 1.3 cores busy: rates will be lower and less steady",
        ),
        ({"host.swap_used": 3.0 * GIB}, {}, "3.00 GiB are swapped out: memory was short before this began"),
        ({}, {"power.source": "battery"}, "the machine runs on battery: it may slow itself down"),
    ],
)
def test_a_machine_that_is_not_at_its_best_is_a_sentence(
    last: Mapping[str, float], facts: Facts, sentence: str
) -> None:
    (found,) = said(last=last, facts=facts)
    assert found.startswith(sentence)


def test_of_a_server_elsewhere_this_machine_says_nothing() -> None:
    last = {"host.other_cpu": 4.0, "host.swap_used": 3.0 * GIB, "host.available": 1.0}
    facts: Facts = {"server.local": False, "power.source": "battery"}
    assert said(resident=[loaded("other:7b")], last=last, facts=facts) == [
        "in memory and about to be unloaded: other:7b"
    ]


def test_a_cell_that_does_not_fit_is_named_with_the_largest_context_that_does() -> None:
    cells = [cell(model="tiny:1b", num_ctx=size) for size in (4096, 8192, 2**20)]
    # Twice 2**20 tokens of a KiB are 2 GiB beside 1 GiB of weights.
    assert said(*cells, last={"host.available": 2.0 * GIB}) == [
        "tiny:1b at num_ctx 1048576 needs about 3.00 GiB, 2.00 GiB are free; num_ctx 8192 would fit"
    ]


def test_what_fits_nowhere_has_no_advice() -> None:
    assert said(last={"host.available": 0.5 * GIB}) == [
        "tiny:1b at num_ctx 2048 needs about 1.00 GiB, 512 MiB are free"
    ]


def test_cells_that_need_the_same_share_one_sentence() -> None:
    cells = [cell(model="tiny:1b", concurrency=streams) for streams in (1, 2, 4)]
    assert len(said(*cells, last={"host.available": 0.5 * GIB})) == 1


def test_what_fits_beside_a_gpu_is_the_servers_to_decide() -> None:
    assert said(last={"host.available": 1.0, "gpu0.used": 0.0}) == []


def test_a_model_of_unknown_size_is_not_judged() -> None:
    last = {"host.available": 1.0}
    assert said(last=last, cards=[replace(TINY, size=None)]) == []
    assert said(last=last, cards=[]) == []
