"""The table "Can I trust this?": green with its evidence, amber with what to do, grey with the reason."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from records import (
    a_run,
    card,
    cell,
    observation,
    placement,
    readings,
    record,
    sample,
    series,
    several,
    visits,
)
from selftests import MS, ints, level, selftest

from olbench import labels, validity
from olbench.findings import Estimate, Flag, Roof, Trust
from olbench.gist import Told, gist
from olbench.model import Cell, Observation, Record
from olbench.validity import CHECKS, RUN_CHECKS, Seen, trust
from olbench.validity.trust import ROWS

ONE = cell()
PAIR = (cell(num_ctx=4096), cell(num_ctx=4096, concurrency=2))
FACTS = {"server.version": "0.33.0", "power.source": "mains", "cpu.governor": "performance"}


def seen(of: Record, *, roof: Roof | None = None) -> list[Seen]:
    """The cells of a record as the table takes them."""
    names = labels.labels(of.plan.cells)
    found = []
    for one, name in zip(of.plan.cells, names, strict=True):
        own = tuple(gist(visit) for visit in of.observations if visit.visit.cell == one.id)
        planned = sum(1 for visit in of.plan.visits if visit.cell == one.id)
        made = next((made for made in of.cards if made.name == one.model), None)
        told = Told(one, planned, own, facts=of.facts, card=made)
        found.append(Seen(name, told, validity.of_cell(told), roof))
    return found


def rows(of: Record, **changes: Any) -> dict[str, Trust]:
    """The rows by their name."""
    cells = seen(of, **changes)
    flags = validity.of_run(of, len(of.observations), [(one.label, one.told) for one in cells])
    return {one.name: one for one in trust(of, cells, flags)}


def watched(of: Cell, repeat: int, **changes: Any) -> Observation:
    """A visit of which everything was read that the checks look at."""
    where = placement(
        context_length=of.num_ctx,
        parallel=2,
        digest=card(of.model).digest,
        size=1000,
        size_vram=1000,
        batch=512,
    )
    (found,) = visits(of, (95.0,), requests=4)
    fields: dict[str, Any] = {
        "visit": replace(found.visit, repeat=repeat),
        "placement": where,
        "after": where,
        "version": "0.33.0",
        "version_after": "0.33.0",
        "readings": readings(
            series("host.other_cpu", [0.1] * 90, "cores"),
            series("host.steal", [0.0] * 90, "cores"),
            series("host.swap_used", [0.0] * 90),
            series("gpu0.throttle", [0.0] * 90, "count"),
        ),
    }
    return replace(found, **(fields | changes))


def a_sound_record(**changes: Any) -> Record:
    """Two cells, six visits each, and nothing wrong."""
    taken = [watched(of, repeat) for repeat in range(6) for of in PAIR]
    fields: dict[str, Any] = {"facts": FACTS, "facts_end": FACTS, "selftest": selftest(level())}
    return record(PAIR, taken, **(fields | changes))


ROOF = Roof(share=Estimate(0.61, 0.6, 0.62), bandwidth=20e9, by="measured: triad on 2 threads", per_token=1e8)

# --- green ----------------------------------------------------------------------------------------------------

EVIDENCE = {
    "Completeness": "12 of 12 visits and 72 of 72 requests went through",
    "Requests as asked": "72 prompts within 0 tokens of what was asked; 72 answers of the length that was asked",
    "Cells alike": (
        "2 cells differ in concurrency, as asked; the same in the model's share on the GPU, slots and batch size"
    ),
    "Prompt cache": "all 72 cold prompts computed whole: 0 tokens from the cache",
    "Model placement": "each of 2 cells the same in all its visits (12 in all): 100 % on the GPU, context 4,096",
    "Slots": "2 slots for at most 2 streams (by the runner's command line)",
    "Server unchanged": "version 0.33.0 before and after each of 12 visits",
    "Other work on the machine": (
        "other programs took at most 0.10 cores on average of a visit; the machine's host withheld at most 0 cores"
    ),
    "Power and heat": "the GPU was held back for at most 0 % of a visit; power from mains; governor performance",
    "Memory pressure": "swap grew by at most 0 B in a visit",
    "Steady over time": "decode rates changed by at most 0 % from the first visit to the last in 2 cells",
    "Outliers": (
        "none of 72 requests is further from the middle of its cell than 0 % (decode rate) and 0 % (time to first token)"
    ),
    "Time adds up": "the parts of 72 requests add up to the whole within",
    "Our own clock": "This client's TTFT is exact to",
    "Enough samples": "6 visits and 24 requests or more in each cell",
    "Memory roofline": "decoding uses 61 % of what memory allows (20.0 GB/s, measured: triad on 2 threads)",
}


def test_a_sound_run_is_green_in_every_row_with_figures_of_its_own() -> None:
    found = rows(a_sound_record(), roof=ROOF)
    assert {name: one.state for name, one in found.items()} == dict.fromkeys(EVIDENCE, "green")
    assert {name: one.action for name, one in found.items()} == dict.fromkeys(EVIDENCE, "")
    for name, evidence in EVIDENCE.items():
        assert found[name].evidence.startswith(evidence), found[name].evidence
        assert found[name].cells == ()
    assert len(found) == 16


@pytest.mark.parametrize("of", [ONE, cell(concurrency=2), cell(prompt_tokens=None), cell(cache="warm")])
def test_a_sound_run_of_which_little_was_read_is_green_or_grey(of: Cell) -> None:
    cached = 63 if of.cache == "warm" else 0
    taken = [
        observation(of, several(3 * of.concurrency, streams=of.concurrency, cached=cached), repeat=repeat)
        for repeat in range(3)
    ]
    found = rows(record([of], taken))
    assert {one.state for one in found.values()} == {"green", "grey"}
    assert [one.name for one in found.values() if not one.evidence] == []


@pytest.mark.parametrize(
    ("cache", "cached", "evidence"),
    [
        (
            "cold",
            5,
            "all 3 cold prompts computed but for their beginning: at most 5 tokens (7.8 %) from the cache",
        ),
        ("warm", 63, "all 3 warm prompts at least 98 % from the cache"),
    ],
)
def test_the_cache_shows_how_much_came_from_it(cache: str, cached: int, evidence: str) -> None:
    of = cell(cache=cache)
    taken = [observation(of, [sample(cached=cached)], repeat=repeat) for repeat in range(3)]
    assert rows(record([of], taken))["Prompt cache"].evidence == evidence


def test_a_marked_visit_is_counted_beside_those_that_went_through() -> None:
    busy = readings(series("host.other_cpu", [3.0] * 90, "cores"))
    taken = [watched(ONE, 0, readings=busy), *[watched(ONE, repeat) for repeat in (1, 2)]]
    found = rows(record([ONE], taken))
    assert found["Completeness"].evidence == (
        "3 of 3 visits and 12 of 12 requests went through; 1 visit did not pass a gate and is drawn hollow"
    )
    assert found["Other work on the machine"].state == "amber"


# --- grey -----------------------------------------------------------------------------------------------------

BARE = [
    (
        "Prompt cache",
        {"samples": several(3, cached=None)},
        "the server does not say how much of a prompt came from its cache, and the time spent on prompts does not tell",
    ),
    (
        "Requests as asked",
        {"samples": several(3, counts=None)},
        "the server sent no counts",
    ),
    ("Model placement", {"placement": None}, "it was not seen where the server put the model"),
    ("Other work on the machine", {}, "what other programs take of the processor was not read"),
    (
        "Other work on the machine",
        {"readings": readings(absent={"host.other_cpu": "the server runs on another machine"})},
        "the server runs on another machine",
    ),
    ("Power and heat", {}, "no GPU that can be read"),
    ("Memory pressure", {}, "the use of swap was not read"),
    ("Steady over time", {}, "3 visits: a drift can be told from 5 on"),
    (
        "Our own clock",
        {},
        "no self-test was made before the run: `olbench selftest` tells how exact the clock is",
    ),
    ("Cells alike", {}, "1 cell: there is nothing to compare"),
    ("Memory roofline", {}, "the bandwidth of this machine's memory is not known"),
    ("Outliers", {"samples": ()}, "no measured sample went through"),
]


@pytest.mark.parametrize(("name", "changes", "reason"), BARE)
def test_what_could_not_be_looked_at_is_grey_with_the_reason(
    name: str, changes: dict[str, Any], reason: str
) -> None:
    taken = [replace(one, **changes) for one in visits(ONE, (95.0, 95.0, 95.0))]
    found = rows(record([ONE], taken))[name]
    assert (found.state, found.evidence, found.action) == ("grey", reason, "")


def test_a_server_whose_version_was_read_once_is_grey() -> None:
    found = rows(record([ONE], visits(ONE, (95.0,) * 3), facts_end=None))["Server unchanged"]
    assert (found.state, found.evidence) == (
        "grey",
        "the server's version was not read again at the run's end",
    )


def test_a_roof_that_is_unknown_everywhere_gives_its_reason() -> None:
    unknown = replace(
        ROOF, share=Estimate(None, None, None, "the model lay in other places from visit to visit")
    )
    found = rows(a_sound_record(), roof=unknown)["Memory roofline"]
    assert (found.state, found.evidence) == ("grey", "the model lay in other places from visit to visit")


def test_a_check_that_could_look_in_some_cells_only_says_so_in_its_green_row() -> None:
    taken = [watched(of, repeat) for repeat in range(6) for of in PAIR]
    taken = [replace(one, after=None) if one.visit.cell == PAIR[0].id else one for one in taken]
    found = rows(record(PAIR, taken))["Model placement"]
    assert found.state == "green"
    assert found.evidence.endswith(
        "; not looked at (1 of 2 cells): the model's placement was not read again after the measuring"
    )


def test_a_run_of_which_nothing_was_taken_has_no_green_row() -> None:
    found = rows(record([ONE], [], repeats=3))
    assert [name for name, one in found.items() if one.state == "green"] == []
    assert found["Completeness"].state == "amber"
    assert found["Slots"].evidence == "no visit was taken"


# --- amber ----------------------------------------------------------------------------------------------------


def test_what_was_found_stands_with_its_action_and_its_cells() -> None:
    taken = [watched(of, repeat) for repeat in range(6) for of in PAIR]
    warm = [
        replace(one, samples=several(3, cached=60)) if one.visit.cell == PAIR[1].id else one for one in taken
    ]
    found = rows(record(PAIR, warm))["Prompt cache"]
    assert found == Trust(
        check="cache",
        name="Prompt cache",
        state="amber",
        evidence="18 of 18 samples took more than half of the prompt from the cache: meant cold, were not",
        action=CHECKS["cache state"].flags(seen(record(PAIR, warm))[1].told)[0].action,
        cells=("×2",),
    )
    assert "proxy" in found.action


def test_the_same_in_several_cells_is_told_once() -> None:
    taken = [watched(of, repeat) for repeat in range(2) for of in PAIR]
    found = rows(record(PAIR, taken))["Enough samples"]
    assert (
        found.evidence == "2 visits: a typical value has an interval from 3 on (and the like in 1 more cell)"
    )
    assert found.action == "set `[measure] repeats` to 3 or more"
    assert found.cells == ("×1", "×2")


def test_two_checks_of_one_row_stand_side_by_side_and_a_third_is_counted() -> None:
    partly = placement(
        size=100, size_vram=60, context_length=1024, others=("big:70b",), digest=card(ONE.model).digest
    )
    found = rows(record([ONE], [watched(ONE, repeat, placement=partly, after=partly) for repeat in range(3)]))
    row = found["Model placement"]
    assert row.evidence == (
        "asked for num_ctx 2048, the server gave 1024; 40 % of the model ran on the CPU, the rest on the GPU; and 1 more"
    )
    assert row.action.count(";") >= 1


def test_a_flag_of_the_run_concerns_no_single_cell() -> None:
    found = rows(a_sound_record(facts=FACTS | {"power.source": "battery"}))["Power and heat"]
    assert (found.state, found.cells) == ("amber", ())
    assert found.evidence.startswith("the machine ran on battery: it may have held its clocks down")
    assert found.action == "plug the machine in and run again"


def test_an_unfinished_run_is_not_complete() -> None:
    found = rows(record([ONE], visits(ONE, (95.0,)), repeats=3, run=a_run(status="interrupted")))[
        "Completeness"
    ]
    assert found.state == "amber"
    assert found.evidence.startswith("the run was interrupted: 1 of 3 planned visits were taken")


def test_flags_that_are_told_elsewhere_have_their_rows() -> None:
    flags = [
        Flag("roof", "decoding uses only 7.3 % of what memory gives", "look"),
        Flag("clock", "the stamps are others", "test"),
        Flag("drift", "decode rate fell by 9 %", "cool"),
        Flag("stall", "nothing came", "see"),
        Flag("never heard of", "odd", "do"),
    ]
    found = {one.name: one for one in trust(a_sound_record(), seen(a_sound_record(), roof=ROOF), flags)}
    assert [name for name, one in found.items() if one.state == "amber"] == [
        "Completeness",
        "Steady over time",
        "Outliers",
        "Our own clock",
        "Memory roofline",
    ]
    assert found["Completeness"].evidence == "odd"


def test_a_self_test_that_ended_badly_is_amber_with_its_verdict() -> None:
    found = rows(a_sound_record(selftest=selftest(level(ttft_ns=ints([9 * MS] * 100)))))["Our own clock"]
    assert found.state == "amber"
    assert found.evidence.startswith("This client is not exact here: TTFT is off by")
    assert found.action == "close other programs and run `olbench selftest` again"


def test_every_check_has_a_row() -> None:
    names = {one.name for one in ROWS}
    told: Sequence[str] = [name for check in CHECKS.values() for _, name in check.tells]
    assert {check.name for check in CHECKS.values()} | {one.name for one in RUN_CHECKS.values()} | set(
        told
    ) == names
