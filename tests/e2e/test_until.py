"""Runs that go on until a figure is known well enough, from outside."""

from collections.abc import Callable
from pathlib import Path

from outside import Said, kept, olbench, scenario, scripted

__all__ = ["olbench"]  # a fixture

UNTIL = {"metric": "decode", "within": "20%"}


def test_a_run_goes_on_beyond_its_plan_until_the_figure_is_known_that_well(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url}, measure={"until": UNTIL})
        said = olbench("run", asked, "--db", db)
        again = olbench("run", "--resume", "latest", "--db", db)
    record = kept(db)
    visits = [one.visit for one in record.observations]
    assert said.code == 0
    assert "round 3: 1 cell not known within 20 % yet" in said.err
    assert [(visit.seq, visit.repeat) for visit in visits] == [(place, place) for place in range(len(visits))]
    assert 2 < len(visits) < 30
    assert (len(record.plan.visits), record.run.status) == (2, "complete")
    assert again == Said(2, "", f"olbench: run {record.run.id} is complete: nothing is left to resume\n")


def test_a_run_that_may_not_go_on_so_long_says_how_well_it_knows(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        asked = scenario(tmp_path, {"url": server.url}, measure={"until": UNTIL, "at_most": 3})
        said = olbench("run", asked, "--db", db)
    assert said.code == 0
    assert len(kept(db).observations) == 3
    (note,) = [line for line in said.err.splitlines() if "is not known within" in line]
    assert note.startswith("note: Decode rate is not known within 20 % in 1 cell: ")
    assert note.endswith("; measure.at_most allows 3 visits to a cell")


def test_a_plan_says_how_long_it_may_go_on_and_which_thresholds_are_moved(
    tmp_path: Path, olbench: Callable[..., Said]
) -> None:
    with scripted() as server:
        asked = scenario(
            tmp_path,
            {"url": server.url},
            measure={"until": UNTIL, "at_most": 8, "budget": "2h"},
            thresholds={"other_cores": 1.5, "drift": "5%"},
        )
        said = olbench("plan", asked)
    assert said.code == 0
    told = " ".join(said.out.split())
    assert "until Decode rate is known within 20 % in every cell: at least 2 visits, about " in told
    assert "; at most 8, about " in told
    assert "no visit begins that the budget of 2 h 00 min would not hold" in told
    assert (
        "threshold other_cores: 1.5 cores instead of 0.5 cores (cores that other programs kept busy)" in told
    )
    assert "drift" not in told
