"""Which cells of a kept run are known well enough, and what is said of the others."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from records import a_run, card, cell, observation, record, visits

from olbench import analysis, scenario
from olbench.model import Observation
from olbench.store import Store
from olbench.verbs import narrow
from olbench.verbs.narrow import Narrow

ONE, TWO, THREE = cell(num_ctx=1024), cell(num_ctx=2048), cell(num_ctx=4096)
CELLS = tuple(cell(num_ctx=1024 + more) for more in range(7))
STEADY = [50.0, 50.1, 49.9, 50.0, 50.1, 49.9, 50.0, 50.1, 49.9]
LOOSE = [40.0, 60.0, 45.0, 55.0, 50.0, 42.0, 58.0, 47.0, 53.0]
SHORT = 'question = "?"\n[sweep]\nmodel = "m"\n'
UNTIL = '[measure]\nuntil = { metric = "decode", within = "3%" }\n'

Keeping = Callable[..., Narrow]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Keeping]:
    """What is asked of a run that planned three visits to each cell and has these observations."""
    store = Store(tmp_path / "runs.db")

    def keep(*seen: Sequence[Observation], at_most: int = 30, metric: str = "decode") -> Narrow:
        cells = CELLS if len(seen) == len(CELLS) else (ONE, TWO, THREE)
        made = record(cells, [one for some in seen for one in some], repeats=3)
        store.begin(a_run(), made.plan, made.facts, (card(ONE.model),))
        for one in made.observations:
            store.append(a_run().id, one)
        text = SHORT + UNTIL.replace("decode", metric) + f"at_most = {at_most}\n"
        asked = narrow.of(store, a_run().id, scenario.parse(text, path="a.toml", environ={}))
        assert asked is not None
        return asked

    yield keep
    store.close()


def failed(problem: str = "nobody answers") -> list[Observation]:
    return [observation(THREE, repeat=repeat, problem=problem) for repeat in range(3)]


def test_a_scenario_without_until_asks_for_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs.db")
    assert narrow.of(store, "x", scenario.parse(SHORT, path="a.toml", environ={})) is None
    store.close()


def test_a_cell_needs_visits_until_its_figure_is_known_that_well(kept: Keeping) -> None:
    asked = kept(visits(ONE, STEADY), visits(TWO, LOOSE))
    assert [asked.more(one.id) for one in (ONE, TWO)] == [False, True]
    assert asked.wanting() == (TWO.id,)


def test_a_cell_that_gave_no_figure_gets_no_more_visits(kept: Keeping) -> None:
    asked = kept(visits(ONE, STEADY), failed())
    assert [asked.more(one.id) for one in (TWO, THREE)] == [False, False]  # not visited, and failed


def test_a_metric_that_this_machine_has_not_asks_for_no_more_visits(kept: Keeping) -> None:
    asked = kept(visits(ONE, STEADY[:3]), metric="power_mean")
    assert asked.wanting() == ()


def test_a_cell_alone_has_the_figure_that_it_has_in_the_whole_run(kept: Keeping) -> None:
    asked = kept(visits(ONE, STEADY), visits(TWO, LOOSE), failed())
    whole = analysis.analyse(asked.store.record(asked.run_id))
    for found in whole.cells:
        alone, among = asked.summary(found.cell.id), found.summaries["decode"]
        assert (alone.typical, alone.per_visit) == (among.typical, among.per_visit)


def test_visits_are_counted_from_the_plan_and_what_came_on_top_of_it(kept: Keeping) -> None:
    asked = kept(visits(ONE, STEADY), visits(TWO, STEADY[:2]), failed())
    assert asked.taken() == {ONE.id: 9, TWO.id: 3, THREE.id: 3}


def test_a_cell_that_has_had_all_its_visits_wants_none(kept: Keeping) -> None:
    asked = kept(visits(ONE, LOOSE), visits(TWO, LOOSE[:8]), at_most=9)
    assert asked.wanting() == (TWO.id,)


def test_what_is_not_known_well_enough_is_said_with_its_reason(kept: Keeping) -> None:
    asked = kept(visits(ONE, LOOSE), visits(TWO, LOOSE[:2]), failed(), at_most=9)
    short, full, empty = asked.notes(None)
    assert full == (
        "Decode rate is not known within 3 % in 1 cell: ctx 1024 (within 11 % in 9 visits);"
        " measure.at_most allows 9 visits to a cell"
    )
    assert short == (
        "Decode rate is not known within 3 % in 1 cell: ctx 2048 (2 visits; an interval needs 3);"
        f" `olbench run --resume {asked.run_id}` goes on"
    )
    assert empty == (
        "Decode rate has no figure in 1 cell: ctx 4096 (nobody answers); more visits would give none"
    )


def test_a_budget_that_ended_it_is_named(kept: Keeping) -> None:
    asked = kept(*(visits(one, LOOSE) for one in (ONE, TWO, THREE)))
    (said,) = asked.notes(90 * 10**9)
    assert "in 3 cells: " in said
    assert said.endswith(
        f"; the budget of 1 min 30 s ended the run; `olbench run --resume {asked.run_id}` goes on"
    )


def test_nothing_is_said_of_what_is_known_well_enough(kept: Keeping) -> None:
    assert kept(*(visits(one, STEADY) for one in (ONE, TWO, THREE))).notes(None) == ()


def test_of_many_cells_only_some_are_named(kept: Keeping) -> None:
    (said,) = kept(*(visits(one, LOOSE) for one in CELLS)).notes(None)
    assert "in 7 cells: ctx 1024 (within 11 % in 9 visits), ctx 1025 (" in said
    assert said.count("within 11 %") == 5
    assert " and 2 more; " in said
