"""`olbench show --requests`: a row a request, in a hundred columns, one visit at a time."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import records
from records import cell, observation, sample

from olbench import cli
from olbench.model import Observation, Record, Visit
from olbench.report.columns import width_of
from olbench.report.tables.requests import lines
from olbench.store import Store


def of_two_cells() -> Record:
    cold, warm = cell(), cell(cache="warm")
    seen = [
        observation(
            cold,
            [
                sample(phase="cold", cached=0, load_s=2.0, sent_s=0.5),
                sample(phase="warmup", index=1, cached=4, sent_s=4.0),
                sample(index=2, sent_s=5.0, late_s=0.002, connect_ns=1_000_000, queue_s=0.5, cached=4),
                sample(index=3, sent_s=9.0, cached=63, coalesced=1),
                sample(index=4, sent_s=12.0, outcome="stalled"),
            ],
        ),
        observation(
            warm, [sample(cached=63), sample(index=1, sent_s=2.0, cached=0)], visit=Visit(1, warm.id, 0)
        ),
    ]
    return records.record([cold, warm], seen)


def shown(record: Record, *places: int, most: int | None = None) -> list[str]:
    cells = [record.plan.cells[place] for place in places or range(len(record.plan.cells))]
    return list(lines(record, cells, most=most))


def test_each_request_has_a_row_with_its_parts_and_its_cache() -> None:
    table = shown(of_two_cells(), 0)
    assert table[0] == "1. cold cache, visit 1"
    assert [line.split() for line in table[1:8]] == [
        ["#", "on", "ended", "cache", "TTFT", "server", "conn", "load", "queue", "prefill", "decode", "net", "rest", "flags"],
        ["ms"] * 9,
        ["0", "L", "0", "ok", "cold", "2,090", "2,080", "0.00", "2,000", "0.00", "80.0", "140", "10.0", "0.00"],
        ["1", "W", "0", "ok", "cold", "6%", "100", "90.0", "0.00", "10.0", "0.00", "80.0", "140", "10.0", "0.00"],
        ["2", "0", "ok", "cold", "6%", "600", "590", "2.00", "10.0", "500", "80.0", "140", "10.0", "0.00", "o"],
        ["3", "0", "ok", "warm", "98%", "100", "90.0", "0.00", "10.0", "0.00", "80.0", "140", "10.0", "0.00", "cb"],
        ["4", "0", "stalled", "?", *"––", "0.00", *"––––––"],
    ]  # fmt: skip


def test_the_letters_that_occur_are_explained_and_no_others() -> None:
    below = "\n".join(shown(of_two_cells(), 1))
    assert "c  its cache was not as it was meant to be: in no figure" in below
    assert "o  it opened a new connection" not in below
    assert "cold  " in below


def test_times_that_do_not_add_up_are_flagged() -> None:
    whole = sample()
    assert whole.counts is not None
    odd = replace(whole, counts=replace(whole.counts, eval_ns=70_000_000))
    negative = replace(whole, index=1, counts=replace(whole.counts, prompt_eval_ns=200_000_000))
    of = cell()
    table = shown(records.record([of], [observation(of, [odd, negative])]))
    assert [line.split()[-2:] for line in table[3:5]] == [["70.0", "u"], ["0.00", "n"]]


def test_a_long_visit_is_told_in_seconds() -> None:
    of = cell()
    table = shown(
        records.record([of], [observation(of, [sample(prefill_s=30.0), sample(index=1, prefill_s=31.0)])])
    )
    assert table[2].split() == ["s"] * 9
    assert table[3].split()[4:] == ["30.0", "30.0", "0.00", "0.01", "0.00", "30.0", "0.14", "0.01", "0.00"]


def test_it_ends_at_so_many_rows_and_says_how_many_there_are_more() -> None:
    record = of_two_cells()
    table = shown(record, most=3)
    assert [line[:3].strip() for line in table[3:7]] == ["0 L", "1 W", "2", ""]
    assert "4 further requests not shown: --all shows them." in table


def test_a_visit_that_could_not_be_taken_says_why() -> None:
    of = cell()
    lost = observation(of, [], problem="the server does not answer")
    assert shown(records.record([of], [lost]))[:3] == [
        "1. smollm2:135m, visit 1",
        "the server does not answer",
        "",
    ]


def test_it_is_a_hundred_columns_wide_whatever_the_names() -> None:
    table = shown(records.a_record())
    assert max(map(width_of, table)) <= 100
    assert any("通义千问" in line for line in table)


def test_visits_are_read_one_at_a_time() -> None:
    record = of_two_cells()
    held: list[int] = []

    class Once(tuple[Observation, ...]):
        __slots__ = ()

        def __iter__(self) -> Iterator[Observation]:
            for place, one in enumerate(super().__iter__()):
                held.append(place)
                yield one

    rows = lines(replace(record, observations=Once(record.observations)), record.plan.cells, most=None)
    assert next(rows) == "1. cold cache, visit 1"
    assert held == [0, 1, 0]  # once for the cache, and then as it is told


# --- the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    db, record = tmp_path / "runs.db", of_two_cells()
    store = Store(db)
    store.begin(record.run, record.plan, record.facts, record.cards)
    for one in record.observations:
        store.append(record.run.id, one)
    store.close()

    def call(*words: str) -> tuple[int, str, str]:
        code = cli.run(["show", *words, "--db", str(db)])
        return code, *capsys.readouterr()

    return call


def test_the_verb_shows_all_cells_or_one_by_number_or_label(
    show: Callable[..., tuple[int, str, str]],
) -> None:
    code, whole, _ = show("--requests")
    assert code == 0
    assert "1. cold cache, visit 1" in whole
    assert "2. warm cache, visit 1" in whole
    by_number, by_label = show("--requests", "--cell", "2"), show("--requests", "--cell", "warm cache")
    assert by_number == by_label
    assert "1. cold cache" not in by_number[1]


def test_a_cell_that_is_none_is_a_sentence_with_those_that_are(
    show: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = show("--requests", "--cell", "3")
    assert (code, out) == (2, "")
    assert err == (
        "olbench: --cell 3: there is no such cell; its number or label would do: 1. cold cache, 2. warm cache\n"
    )
    assert "belong to --requests" in show("--cell", "2")[2]
