"""The memory model: from loads whose bytes are known, and from loads that scatter."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from builders import card, cell, observation, placement, readings, series, several

from olbench import footprint
from olbench.findings import Estimate, Slots
from olbench.footprint_loads import FREE_RAM, FREE_VRAM, LEARNED
from olbench.gist import Gist, Told, gist
from olbench.model import Cell, Placement
from olbench.sized import Footprint, Held

MB, GIB = 10**6, 2**30
WEIGHTS, TOKEN, BESIDE = 144_800_000, 25_000, 55_200_000
HERE = {"server.local": True, "ram.total": 8 * GIB}


def bytes_at(num_ctx: int, slots: int = 1) -> float:
    """The memory of a machine that is exact: 200 MB and 25 kB a token."""
    return WEIGHTS + BESIDE + TOKEN * num_ctx * slots


def load(
    num_ctx: int,
    *sizes: float,
    slots: int = 1,
    vram: Sequence[float] = (),
    ps: tuple[int, int] = (9, 0),
    stays: bool = False,
    **of: Any,
) -> Told:
    """A cell with a visit for each size of its runner's memory, which `stays` after the first; `ps`: size and size_vram."""
    asked: Cell = of.pop("cell", None) or cell(num_ctx=num_ctx, model="m:1b", base="m:1b")
    seen = [
        observation(
            asked,
            several(1),
            repeat=repeat,
            placement=placement(
                how="resident" if stays and repeat else "preloaded",
                context_length=num_ctx,
                parallel=slots,
                size=ps[0],
                size_vram=ps[1],
            ),
            readings=readings(
                series("runner.rss", [size / 2, size, size]),
                series("server.rss", [size, size + 40 * MB]),
                *([series("gpu0.server", [vram[repeat]])] if vram else []),
            ),
        )
        for repeat, size in enumerate(sizes)
    ]
    facts = {**HERE, **of.pop("facts", {})}
    known = card(
        "m:1b",
        **{"size": WEIGHTS, "kv_bytes_per_token": 25_000.0, "context_length": 131_072, **of.pop("card", {})},
    )
    return Told(asked, len(seen), tuple(gist(one) for one in seen), facts=facts, card=known, **of)


def exact(*contexts: int, **of: Any) -> list[Told]:
    return [load(num_ctx, bytes_at(num_ctx, of.get("slots", 1)), **of) for num_ctx in contexts]


def only(cells: Sequence[Told]) -> Footprint:
    (found,) = footprint.of(cells)
    return found


# --- what is learned ----------------------------------------------------------------------------------------------


def test_three_exact_loads_give_weights_bytes_a_token_and_what_is_beside_them() -> None:
    found = only(exact(1024, 2048, 4096))
    assert (found.model, found.label, found.weights, found.formula) == ("m:1b", "m:1b", WEIGHTS, 25_000.0)
    assert found.per_token.value == pytest.approx(TOKEN)
    assert found.overhead.value == pytest.approx(BESIDE)
    assert found.remarks == ()
    there = footprint.at(found, 8192, 1)
    assert (there.ram.value, there.vram.value, there.predicted) == (pytest.approx(404_800_000), 0.0, True)


def test_slots_take_what_as_much_context_takes() -> None:
    found = only(exact(1024, 2048, 4096))
    assert footprint.at(found, 2048, 4).ram.value == pytest.approx(bytes_at(8192))


def test_windows_are_counted_once_a_slot() -> None:
    window = 300 * MB
    cells = [
        load(one, bytes_at(one) + window, card={"kv_bytes_per_slot": float(window)})
        for one in (2048, 4096, 8192)
    ]
    found = only(cells)
    assert (found.per_slot, found.overhead.value) == (window, pytest.approx(BESIDE))
    assert footprint.at(found, 4096, 4).ram.value == pytest.approx(bytes_at(4096, 4) + 4 * window)


def test_scatter_gives_the_interval_of_a_hand_calculation() -> None:
    # Places 1024, 2048 and 3072 with 100, 130 and 140 MB: slope 40 MB / 2048, line 103.33, 123.33, 143.33; residuals -10/3,
    # 20/3, -10/3 MB; s = sqrt(600 / 9) MB = 8.165 MB with one degree of freedom, t = 12.706.
    found = only([load(1024, 100 * MB), load(2048, 130 * MB), load(3072, 140 * MB)])
    half = 12.7062 * 8.16497 * MB / (1024 * 2**0.5)
    assert found.per_token.value == pytest.approx(20 * MB / 1024)
    assert found.per_token.high == pytest.approx(20 * MB / 1024 + half, rel=1e-4)
    # At 4096: 163.33 MB, half the width t * s * sqrt(1 + 1/3 + 2048^2 / (2 * 1024^2)).
    there = footprint.at(found, 4096, 1).ram
    assert there.value == pytest.approx(163.3333 * MB, rel=1e-6)
    assert there.high == pytest.approx((163.3333 + 12.7062 * 8.16497 * (1 + 1 / 3 + 2) ** 0.5) * MB, rel=1e-4)


def test_a_prediction_interval_holds_what_it_says() -> None:
    draw, inside, trials = Random(20261123), 0, 600
    for _ in range(trials):
        seen = tuple(
            held(num_ctx, bytes_at(num_ctx) + draw.gauss(0, 2 * MB))
            for num_ctx in (1024, 2048, 4096)
            for _ in "ab"
        )
        there = footprint.at(a_footprint(seen), 8192, 1).ram
        assert there.low is not None
        assert there.high is not None
        inside += there.low <= bytes_at(8192) + draw.gauss(0, 2 * MB) <= there.high
    assert 0.93 <= inside / trials <= 0.97


def held(num_ctx: int, ram: float) -> Held:
    seen, none = Estimate(ram, None, None, "one load"), Estimate(0.0, None, None)
    return Held(num_ctx=num_ctx, slots=1, ram=seen, vram=none, predicted=False)


def a_footprint(loads: tuple[Held, ...]) -> Footprint:
    nothing = Estimate(None, None, None, "not asked")
    return Footprint(
        model="m", label="m", weights=None, per_token=nothing, formula=None, overhead=nothing, loads=loads, most={},
        budget=None, trained=None, remarks=(),
    )  # fmt: skip


def test_two_loads_give_a_line_without_an_interval() -> None:
    found = only(exact(1024, 4096))
    assert found.per_token.value == pytest.approx(TOKEN)
    assert (found.per_token.low, found.per_token.reason) == (None, "two loads; an interval needs three")


def test_one_context_is_grown_by_the_metadata_and_says_so() -> None:
    found = only([load(2048, bytes_at(2048), bytes_at(2048))])
    assert found.per_token.value is None
    assert found.remarks == ("all loads had the same context and slots; two that differ would tell",)
    there = footprint.at(found, 4096, 1).ram
    assert there.value == pytest.approx(bytes_at(4096))
    assert there.reason == "one context was measured: the rest is by the model's metadata"
    assert footprint.at(only([load(2048, MB, card={"kv_bytes_per_token": None})]), 4096, 1).ram.value is None


def test_a_run_without_a_load_that_went_through_has_no_footprint() -> None:
    asked = cell(num_ctx=1024)
    failed = observation(asked, (), problem="out of memory", placement=None)
    assert footprint.of([Told(asked, 1, (gist(failed),))]) == ()


def test_a_load_beside_another_model_says_nothing() -> None:
    asked = cell(num_ctx=1024)
    seen = observation(asked, several(1), placement=placement(others=("other:7b",)))
    assert footprint.of([Told(asked, 1, (gist(seen),))]) == ()


def test_a_load_that_stays_counts_once_and_as_it_was_when_it_came() -> None:
    used = [bytes_at(2048), bytes_at(2048) + 8 * MB, bytes_at(2048) + 9 * MB]
    learned = only([load(1024, bytes_at(1024)), load(2048, *used, stays=True), *exact(4096)])
    assert [one.ram.value for one in learned.loads] == [bytes_at(1024), bytes_at(2048), bytes_at(4096)]
    assert learned.per_token.value == pytest.approx(TOKEN)


def test_a_load_that_no_visit_saw_come_counts_as_it_was_found() -> None:
    asked = cell(num_ctx=2048, model="m:1b", base="m:1b")
    found = load(2048, 0.0, bytes_at(2048), stays=True, cell=asked)
    found = replace(found, gists=found.gists[1:])
    assert only([*exact(1024), found]).per_token.value == pytest.approx(TOKEN)


@pytest.mark.parametrize(
    ("found", "slots"),
    [
        (Slots(2, at_least=False, how="a probe of 6 requests at once"), 2),
        (Slots(2, at_least=True, how="a probe of 2 requests at once"), 1),
        (Slots(None, at_least=False, how="", reason="the requests were over before they met"), 1),
    ],
)
def test_slots_that_only_a_probe_shows_are_those_of_all_loads(found: Slots, slots: int) -> None:
    cells = exact(1024, 2048, 4096)
    unseen = [
        replace(one, gists=tuple(replace(gist, placement=_unseen(gist)) for gist in one.gists))
        for one in cells
    ]
    made = only([replace(unseen[0], probes=(found,)), *unseen[1:]])
    assert [one.slots for one in made.loads] == [slots] * 3
    assert made.per_token.value == pytest.approx(TOKEN / slots)
    assert any("one is assumed" in remark for remark in made.remarks) == (slots == 1)


def _unseen(gist: Gist) -> Placement | None:
    """As of a server whose command line cannot be read."""
    return None if gist.placement is None else replace(gist.placement, parallel=None)


def test_beyond_its_reach_nothing_is_said_unless_asked_for() -> None:
    found = only(exact(1024, 2048, 4096))
    far = footprint.at(found, 131_072, 1)
    assert far.ram.value is None
    assert far.ram.reason == "more than 65,536 tokens of context are too far from what was measured"
    assert footprint.at(found, 131_072, 1, beyond=True).ram.value == pytest.approx(bytes_at(131_072))
    assert footprint.at(found, 131_072, 1, reach=32).ram.value == pytest.approx(bytes_at(131_072))


# --- held against the metadata ------------------------------------------------------------------------------------


def test_memory_that_the_metadata_do_not_explain_is_told_with_both_figures() -> None:
    found = only(exact(1024, 2048, 4096, card={"kv_bytes_per_token": 20_000.0}))
    assert found.remarks == (
        "a token of context takes 24.4 KiB, 25 % more than the 19.5 KiB that the model's metadata give for a cache of f16",
    )


def test_weights_that_nobody_read_are_not_in_memory() -> None:
    found = only(exact(1024, 2048, 4096, card={"size": 300 * MB}))
    assert found.overhead.value == pytest.approx(-100 * MB)
    assert found.remarks == (
        "95.4 MiB of the weights were never in memory: they are mapped, and no request has read them",
    )


def test_a_cache_of_another_type_is_held_against_its_own_size() -> None:
    facts = {"server.env.OLLAMA_KV_CACHE_TYPE": "q8_0"}
    found = only(exact(1024, 2048, 4096, facts=facts, card={"kv_bytes_per_token": 25_000 * 64 / 34}))
    assert found.formula == pytest.approx(25_000)
    assert found.remarks == ()
    plain = only(exact(1024, 2048, 4096, facts=facts))
    assert plain.remarks == (
        "a token of context takes 24.4 KiB, 88 % more than the 13.0 KiB that the model's metadata give for a cache of q8_0",
    )


def test_a_model_whose_cache_nobody_knows_is_measured_alone() -> None:
    found = only(exact(1024, 2048, 4096, card={"kv_bytes_per_token": None}))
    assert found.remarks == (
        "the server does not say enough of the model to work its cache out: measured alone",
    )


# --- what fits ----------------------------------------------------------------------------------------------------


def test_the_largest_context_leaves_a_reserve_and_shrinks_with_the_slots() -> None:
    # 8 GiB less 1 GiB of reserve less 200 MB, by 25 kB: 292,647 tokens; in steps of 256, and never more than it was made for.
    found = only(exact(1024, 2048, 4096))
    assert found.budget == 7 * GIB
    assert found.most == {
        1: 131_072,
        2: 131_072,
        4: 73_216 - 256 + 192 - 192 + 256 - 256 + 192 - 192,
        8: 36_352,
    }


def test_what_was_free_at_the_beginning_goes_before_what_the_machine_has() -> None:
    found = only(exact(1024, 2048, 4096, settings={FREE_RAM: 1.5 * GIB}))
    assert found.budget == GIB // 2
    assert found.most[1] == int((GIB / 2 - 200 * MB) / TOKEN) // 256 * 256
    assert footprint.fits(found, footprint.at(found, 8192, 1)) is True
    assert footprint.fits(found, footprint.at(found, 16_384, 1)) is False


def test_where_not_even_the_least_fits_that_is_said() -> None:
    found = only(exact(1024, 2048, 4096, settings={FREE_RAM: 1.1 * GIB}))
    assert set(found.most.values()) == {None}


def test_a_server_elsewhere_has_room_that_nobody_knows() -> None:
    found = only(exact(1024, 2048, 4096, facts={"server.local": False}))
    assert (found.budget, found.most) == (None, {})


def test_a_model_on_a_gpu_is_bounded_by_its_memory() -> None:
    sizes = {num_ctx: bytes_at(num_ctx) for num_ctx in (1024, 2048, 4096)}
    cells = [
        load(num_ctx, 300 * MB, vram=[size], ps=(9, 9), settings={FREE_RAM: 8.0 * GIB, FREE_VRAM: 2.0 * GIB})
        for num_ctx, size in sizes.items()
    ]
    found = only(cells)
    there = footprint.at(found, 8192, 1)
    assert (there.ram.value, there.vram.value) == pytest.approx((300 * MB, bytes_at(8192)))
    assert found.budget == 8 * GIB
    assert found.most[1] == int((GIB - 200 * MB) / TOKEN) // 256 * 256


def test_one_context_on_a_gpu_grows_there_and_not_in_ram() -> None:
    found = only([load(2048, 300 * MB, vram=[bytes_at(2048)], ps=(9, 9))])
    there = footprint.at(found, 4096, 1)
    assert (there.ram.value, there.vram.value) == (300 * MB, pytest.approx(bytes_at(4096)))


def test_a_model_that_is_split_counts_both_memories_together() -> None:
    split = load(4096, 400 * MB, vram=[bytes_at(4096) - 100 * MB], ps=(9, 8))
    found = only([*[load(one, 300 * MB, vram=[bytes_at(one)], ps=(9, 9)) for one in (1024, 2048)], split])
    assert any(one.startswith("from num_ctx 4,096 on a part of it lay in RAM") for one in found.remarks)


# --- where memory is seen -----------------------------------------------------------------------------------------


def test_without_a_runner_of_its_own_all_processes_of_the_server_count() -> None:
    asked = cell(num_ctx=1024, model="m:1b", base="m:1b")
    seen = observation(asked, several(1), readings=readings(series("server.rss", [MB])))
    (one,) = footprint.of([Told(asked, 1, (gist(seen),), card=card("m:1b"))])
    assert one.loads[0].ram.value == MB
    assert "no process of the model's own is seen: RAM is that of all the server's processes" in one.remarks


def test_a_remote_server_tells_itself_what_it_takes() -> None:
    asked = cell(num_ctx=1024, model="m:1b", base="m:1b")
    seen = observation(asked, several(1), placement=placement(size=900, size_vram=600, parallel=None))
    (one,) = footprint.of([Told(asked, 1, (gist(seen),), card=card("m:1b"))])
    assert (one.loads[0].ram.value, one.loads[0].vram.value) == (300, 600)
    assert "the server does not show its slots, one is assumed; --slots says how many it has" in one.remarks


def test_quantizations_have_footprints_of_their_own() -> None:
    cells = [
        load(one, bytes_at(one), cell=cell(num_ctx=one, model=f"m:{level}", base="m", quantization=level))
        for level in ("q8_0", "q4_0")
        for one in (1024, 2048)
    ]
    assert [one.label for one in footprint.of(cells)] == ["m q8_0", "m q4_0"]


# --- confirming ---------------------------------------------------------------------------------------------------


def test_a_load_that_confirms_was_not_learned_from() -> None:
    cells = exact(1024, 2048, 4096)
    learned = " ".join(one.cell.id for one in cells)
    cells = [
        *exact(1024, 2048, 4096, settings={LEARNED: learned}),
        load(8192, 450 * MB, settings={LEARNED: learned}),
    ]
    found = only(cells)
    assert found.per_token.value == pytest.approx(TOKEN)
    ((foretold, seen),) = footprint.confirmed(found)
    assert foretold.ram.value == pytest.approx(404_800_000)
    assert (seen.ram.value, seen.predicted) == (450 * MB, False)
    assert [one.num_ctx for one in footprint.learned(found)] == [1024, 2048, 4096]
    assert found.remarks == (
        "num_ctx 8,192 took 429 MiB, 11 % more than predicted: what is told of larger ones is as far off",
    )
