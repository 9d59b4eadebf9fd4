"""When the slots are looked for, with what, and what comes of it on a server whose slots are known."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import virtual
from benches import Ear, bench, no_runner, taken, terms
from builders import placement
from pretend import MS, SECOND, Fault, Habits, Pretend
from records import cell

from olbench import slot_probe, slots
from olbench.apis.ollama import Ollama
from olbench.engines.scripted import Script, Scripted
from olbench.findings import Slots
from olbench.model import Cell, Observation, Sample

QUICK = Habits(token_ns=0)  # an answer of eight tokens takes 7 x 20 ms, and the prompt nothing
WIDE = cell(num_ctx=2048, concurrency=2)


def story(
    *cells: Cell, habits: Habits = QUICK, repeats: int = 1, **changes: object
) -> tuple[Pretend, list[Observation], list[str]]:
    """The server, what was kept, and what the audience heard; the runner cannot be seen."""

    async def run() -> tuple[Pretend, list[Observation], list[str]]:
        api = Pretend(habits)
        made = bench(api, cells, repeats, **({"runner": no_runner} | changes))
        seen = await taken(made)
        assert isinstance(made.audience, Ear)
        return api, seen, made.audience.heard

    return virtual.run(run())


def probes(seen: Observation) -> list[Sample]:
    return [one for one in seen.samples if one.phase == "probe"]


def counts(seen: Sequence[Observation]) -> list[int]:
    return [len(probes(one)) for one in seen]


# --- when -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("concurrency", "parallel", "said", "due"),
    [
        (1, None, None, False),
        (2, None, None, True),
        (2, 4, None, False),
        (2, 4, 4, False),
        (1, None, 4, True),
        (1, 1, 4, False),
    ],
)
def test_slots_are_looked_for_where_they_matter_and_nothing_tells_them(
    concurrency: int, parallel: int | None, said: int | None, *, due: bool
) -> None:
    of = cell(concurrency=concurrency)
    assert slot_probe.due(of, placement(parallel=parallel), said) is due
    assert slot_probe.due(of, None, said) is (concurrency > 1 or said is not None)


@pytest.mark.parametrize(
    ("concurrencies", "said", "count"),
    [
        ([1], None, 9),
        ([2], None, 9),
        ([8], None, 17),
        ([1, 8, 2], None, 17),
        ([2], 8, 17),
        ([2], 1024, 33),
        ([16], None, 33),
        ([32], None, 33),
        ([64], None, 65),
    ],
)
def test_a_probe_is_twice_as_wide_as_what_is_asked_about(
    concurrencies: list[int], said: int | None, count: int
) -> None:
    assert slot_probe.size([cell(concurrency=one) for one in concurrencies], said) == count


def test_the_probe_comes_between_load_and_warm_up() -> None:
    api, (seen,), heard = story(WIDE)
    assert [(one.phase, one.index) for one in seen.samples] == [
        *(("probe", index) for index in range(5, 15)),
        ("warmup", 0),
        *(("measured", index) for index in range(1, 5)),
    ]
    assert heard[1:-1] == ["unloading", "loading", "counting the slots", "warming up", "measuring"]
    # One alone, nine at once of which four are answered at a time, and the warm-up when the last has ended.
    sent = [(at, what.removeprefix("send ")) for at, what in api.log if "send" in what]
    assert sent[:2] == [(2.3, "probe 5"), (2.6, "probe 6")]
    assert sent[9:11] == [(2.6, "probe 14"), (3.5, "warmup 0")]
    assert api.most_flying == 9


def test_a_load_is_probed_once() -> None:
    narrow, other = cell(num_ctx=2048), cell(num_ctx=2048, output_tokens=4, concurrency=16)
    _, seen, _ = story(narrow, WIDE, other, repeats=2)
    # The first cell with streams asks for the widest of those that share its load: 33, and the scout.
    assert counts(seen) == [0, 34, 0, 0, 0, 0]


def test_another_load_is_probed_on_its_own() -> None:
    _, seen, _ = story(WIDE, cell(num_ctx=4096, concurrency=2), repeats=2)
    assert counts(seen) == [10, 10, 0, 0]


def test_a_cold_start_comes_first() -> None:
    _, (seen,), _ = story(WIDE, terms=terms(cold_load=True))
    assert [one.phase for one in seen.samples][:2] == ["cold", "probe"]


def test_what_the_scenario_says_of_the_slots_is_looked_at() -> None:
    _, (plain,), _ = story(cell())
    _, (said,), _ = story(cell(), terms=terms(parallel=8))
    assert (counts([plain]), counts([said])) == ([0], [18])


# --- with what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gap_ns", "num_ctx", "tokens"),
    [
        (20 * MS, 2048, 16),
        (2 * MS, 2048, 60),
        (MS // 4, 2048, 480),
        (1, 8192, 512),
        (1, 512, 128),
        (SECOND, 512, 16),
    ],
)
def test_an_answer_lasts_long_enough_at_the_servers_rate(gap_ns: int, num_ctx: int, tokens: int) -> None:
    habits = Habits(token_ns=0, gap_ns=gap_ns, slots=64)
    _, (seen,), _ = story(cell(num_ctx=num_ctx, concurrency=2), habits=habits)
    scout, *burst = [one.counts.eval_count for one in probes(seen) if one.counts]
    assert (scout, set(burst)) == (16, {tokens})


@pytest.mark.parametrize(("gap_s", "sent"), [(0.1, 33), (0.5, 8), (10, 5)])
def test_a_slow_server_is_sent_fewer(gap_s: float, sent: int) -> None:
    # The first request takes 15 gaps: 1.5, 7.5 and 150 s, of a minute.
    habits = Habits(token_ns=0, gap_ns=round(gap_s * SECOND), slots=64)
    patient = terms(timeout_ns=1000 * SECOND)
    _, (seen,), _ = story(cell(num_ctx=2048, concurrency=16), habits=habits, terms=patient)
    assert len(probes(seen)) == 1 + sent


def test_a_model_that_says_little_is_asked_for_little() -> None:
    _, (seen,), _ = story(WIDE, habits=Habits(token_ns=0, stops_after=1))
    assert [one.outcome for one in probes(seen)] == ["short"] * 10


def test_no_prompt_of_a_probe_is_in_the_cache_even_where_the_cell_is_warm() -> None:
    _, (seen,), _ = story(cell(num_ctx=2048, concurrency=2, cache="warm"))
    cached = {one.phase: one.counts.cached_count for one in seen.samples if one.counts}
    assert {one.counts.cached_count for one in probes(seen) if one.counts} == {0}
    assert cached["measured"]  # and the warm-up came after the probe
    again = [one.counts.prompt_eval_count for one in probes(seen) if one.counts]
    assert len(set(again)) == 1


# --- when it goes wrong ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["refused", "busy", "cut", "stall", "memory"])
@pytest.mark.parametrize("request_", [0, 3])
def test_a_probe_that_fails_costs_nothing_but_itself(fault: Fault, request_: int) -> None:
    _, (seen,), _ = story(WIDE, habits=Habits(token_ns=0, faults={request_: fault}))
    assert seen.problem is None
    assert [one.outcome for one in seen.samples if one.phase != "probe"] == ["ok"] * 5
    assert len(probes(seen)) == (10 if request_ else 1)
    found = slots.infer(seen.samples)
    assert found is not None
    assert found.count is None


def test_a_stop_in_mid_probe_measures_nothing() -> None:
    async def run() -> Observation:
        made = bench(Pretend(QUICK), [WIDE], runner=no_runner)
        asyncio.get_running_loop().call_later(2.65, made.stop.set)
        (seen,) = await taken(made)
        return seen

    seen = virtual.run(run())
    assert (seen.problem, {one.phase for one in seen.samples}) == ("interrupted", {"probe"})
    assert [one.outcome for one in seen.samples] == ["ok"] + ["cancelled"] * 9


# --- on a server whose slots are known --------------------------------------------------------------------------


async def _probed(script: Script, of: Cell, said: int | None = None) -> Slots | None:
    async with Scripted(script) as server:
        api = Ollama(server.url)
        try:
            await api.preload(of)
            sent = slot_probe.Burst(
                count=slot_probe.size([of], said), first=0, language="en", nonce="n", timeout_ns=30 * SECOND
            )
            return slots.infer(await slot_probe.probe(api, of, sent, asyncio.Event()))
        finally:
            await api.close()


@pytest.mark.parametrize(
    ("true", "concurrency", "found"),
    [
        (1, 2, "1 of 9"),
        (2, 2, "2 of 9"),
        (3, 2, "3 of 9"),
        (4, 2, "4 of 9"),
        (8, 2, "8 of 9"),
        (9, 2, "9+ of 9"),
        (8, 8, "8 of 17"),
        (3, 16, "3 of 33"),
        (32, 16, "32 of 33"),
    ],
)
def test_the_slots_of_a_scripted_server_are_found(
    cell: Callable[..., Cell], true: int, concurrency: int, found: str
) -> None:
    script = Script(slots=true, itl_ns=10 * MS, prefill_ns_per_token=MS // 4, load_ns=0)
    shown: Any = asyncio.run(_probed(script, cell(concurrency=concurrency)))
    more = "+" if shown.at_least else ""
    count = slot_probe.size([cell(concurrency=concurrency)], None)
    assert (f"{shown.count}{more} of {count}", shown.reason) == (found, "")
    assert shown.how == f"a probe of {count} requests at once"
