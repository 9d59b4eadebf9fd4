"""`olbench fit` over real inference: it loads, predicts, confirms, and the run is one as any other."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import Said, kept, olbench

from olbench import analysis, footprint
from olbench.footprint_loads import LEARNED

pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
pytestmark = pytest.mark.embedded
__all__ = ["olbench"]  # a fixture


def test_a_prediction_is_confirmed_by_a_load_that_was_not_measured(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    db = tmp_path / "runs.db"
    said = olbench("fit", "olbench-tiny", "--engine", "embedded", "--slots", 2, "--db", db)
    assert said.code == 0, said.err
    record = kept(db)
    assert [one.num_ctx for one in record.plan.cells] == [256, 512, 1024, 2048]
    assert str(record.run.settings[LEARNED]).split() == [one.id for one in record.plan.cells[:3]]
    assert record.run.status == "complete"
    (found,) = footprint.of(analysis.told(record))
    ((foretold, seen),) = footprint.confirmed(found)
    assert (seen.num_ctx, seen.slots) == (2048, 2)
    assert foretold.ram.value == pytest.approx(seen.ram.value, rel=0.05)
    assert found.formula == 2 * 1 * (32 + 32) * 2
    assert re.search(r"^olbench-tiny F16 +2,048 +2 +[\d.]+ .* yes$", said.out, re.MULTILINE)

    again = olbench("show", "latest", "--db", db)
    assert said.out in again.out
    told = olbench("report", "latest", "--db", db)
    assert (told.code, Path(told.out.strip()).exists()) == (0, True)


def test_without_a_confirming_load_what_was_not_measured_is_predicted(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    db = tmp_path / "runs.db"
    said = olbench(
        "fit", "olbench-tiny", "--engine", "embedded", "--no-confirm", "--num-ctx", "1024", "--db", db
    )
    assert said.code == 0, said.err
    assert [one.num_ctx for one in kept(db).plan.cells] == [256, 512]
    assert re.search(r"^olbench-tiny F16 +1,024 +1 +[\d.]+", said.out, re.MULTILINE)


def test_a_model_that_is_not_there_is_named_with_what_is(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    said = olbench("fit", "nothing:1b", "--engine", "embedded", "--db", tmp_path / "runs.db")
    assert said.code == 2
    assert "nothing:1b" in said.err
    assert "olbench-tiny:latest" in said.err
