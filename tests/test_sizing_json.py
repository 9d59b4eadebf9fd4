"""A sizing as JSON: every figure, in base units, and why it is unknown where it is."""

import json
import math
from typing import Any

import pytest
import sizings

from olbench.findings import Estimate
from olbench.report.exports import sizing_json


def document(made: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sizing_json.dump(getattr(sizings, made)(), sizings.findings()))
    return found


@pytest.mark.parametrize("made", sizings.KINDS)
def test_every_sizing_is_json_of_one_schema(made: str) -> None:
    found = document(made)
    assert found["schema"] == "olbench-sizing/1"
    assert found["run"]["name"] == "size-for-team"
    assert set(found) == {
        *("schema", "run", "settings", "answer", "target", "terms", "costs", "footprints", "capacities", "elsewhere"),
    }  # fmt: skip


def test_the_answer_its_steps_and_its_prediction_are_in_it() -> None:
    (found,) = document("sizing")["capacities"]
    assert (found["answer"], found["over"], found["by"], found["resolved"]) == (9.0, 10.0, "users", True)
    assert [step["load"] for step in found["steps"]] == [9.0, 12.0, 10.0, 6.0, 9.0, 8.0]
    assert found["steps"][1]["service"]["cut_short"] is True
    assert found["predicted"]["capacity"] == {"value": 9.0, "low": 8.0, "high": 11.0, "reason": ""}
    assert found["predicted"]["forecasts"][0]["busy"] == {"prefill": 0.27, "decode": pytest.approx(0.15)}


def test_what_is_unknown_is_null_beside_its_reason() -> None:
    found = document("many")
    assert found["footprints"][1]["per_token"] == {
        "value": None,
        "low": None,
        "high": None,
        "reason": "no reading",
    }
    assert found["costs"][1]["prefill"] is None
    assert found["costs"][1]["missing"] == {"prefill": "one length only; a line needs 3"}
    assert found["capacities"][2]["answer"] is None
    assert found["capacities"][2]["predicted"]["reason"] == "prefill was measured at one length only"


def test_slots_are_keys_of_text_and_no_number_is_infinite() -> None:
    made = sizings.sizing(
        target=math.inf, footprints=(sizings.footprint(overhead=Estimate(math.nan, None, None)),)
    )
    found = json.loads(sizing_json.embedded(made, sizings.findings()))
    assert found["footprints"][0]["most"] == {"1": 8192, "2": 8192, "4": 32768}
    assert found["target"] is None
    assert found["footprints"][0]["overhead"]["value"] is None


def test_other_machines_say_that_nobody_measured_them() -> None:
    assert [one["measured"] for one in document("sizing")["elsewhere"]] == [False, False, False]


def test_settings_that_are_about_the_load_are_in_it_and_others_are_not() -> None:
    found = document("sizing")["settings"]
    assert found["persona.users"] == 20
    assert found["slo.ttft_p95"] == 1.0
    assert "requests" not in found
