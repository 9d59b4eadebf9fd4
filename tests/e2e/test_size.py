"""`olbench size` and `olbench capacity`: searches over real sockets, and over real inference."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from outside import Said, kept, olbench, scenario, scripted

__all__ = ["olbench"]  # a fixture
# One slot, 50 ms a request: 20 requests a second at most. 5 a second keep 200 ms to the first token, 40 never do.
ONE_AT_A_TIME = {"slots": 1, "itl_ns": 10_000_000, "prefill_ns_per_token": 100_000, "load_ns": 0}
LEVEL = {"ttft_p50": "200ms", "success": "99%"}


def test_the_highest_rate_that_is_kept_is_found_and_told_again(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    db, page = tmp_path / "runs.db", tmp_path / "page.html"
    size = {"by": "rate", "least": 5, "most": 40, "step": "100%", "requests": 40, "probes": 4}
    with scripted(**ONE_AT_A_TIME) as server:
        story = scenario(tmp_path, {"url": server.url}, slo=LEVEL, size=size, sweep={"output_tokens": 5})
        said = olbench("size", story, "--db", db, "--html", page, "--no-selftest")
        resumed = olbench("size", "--resume", "latest", "--db", db)  # there is nothing left to do
    assert said.code == 0, said.err
    assert resumed.code == 0
    assert "requests a second" in said.out
    assert page.read_text("utf-8").startswith("<!doctype html>")
    record = kept(db)
    assert record.run.status == "complete"
    rates = {cell.load.rate for cell in record.plan.cells if cell.load is not None}
    assert rates >= {5.0, 10.0}

    told = olbench("capacity", "latest", "--db", db, "--format", "json")
    (found,) = json.loads(told.out)["capacities"]
    assert found["answer"] in (5.0, 10.0)
    assert found["over"] in (20.0, 40.0)
    assert {one["service"]["verdict"] for one in found["steps"]} >= {"kept", "broken"}
    again = olbench("capacity", "latest", "--db", db)
    assert again.code == 0
    assert again.out.strip() in said.out

    refused = olbench("run", "--resume", "latest", "--db", db)
    assert refused.code == 2
    assert "is a search; `olbench size --resume" in refused.err
    gone_on = olbench("show", "latest", "--db", db)  # an ordinary run as well
    assert gone_on.code == 0


def test_a_search_needs_a_service_level_and_says_so_before_it_asks_the_server(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    story = scenario(tmp_path, {"url": "http://127.0.0.1:9"})
    said = olbench("size", story, "--db", tmp_path / "runs.db")
    assert said.code == 2
    assert "a search needs a service level" in said.err


def test_a_run_that_is_no_search_has_no_capacity(olbench: Callable[..., Said], tmp_path: Path) -> None:
    db = tmp_path / "runs.db"
    with scripted() as server:
        assert olbench("run", scenario(tmp_path, {"url": server.url}), "--db", db).code == 0
    said = olbench("capacity", "latest", "--db", db)
    assert said.code == 2
    assert "is no search for capacity" in said.err
    resumed = olbench("size", "--resume", "latest", "--db", db)
    assert resumed.code == 2
    assert "is no search" in resumed.err


def test_a_budget_ends_a_search_and_it_goes_on_from_there(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    db = tmp_path / "runs.db"
    size = {"by": "rate", "least": 5, "most": 40, "step": "100%", "requests": 25, "probes": 4}
    with scripted(**ONE_AT_A_TIME) as server:
        story = scenario(
            tmp_path,
            {"url": server.url},
            slo=LEVEL,
            size=size,
            measure={"budget": "1s"},
            sweep={"output_tokens": 5},
        )
        said = olbench("size", story, "--db", db, "--no-selftest")
        assert "longer than the budget leaves" in said.err
        assert said.code in (3, 4)
        assert kept(db).run.status == "interrupted"
        more = olbench("size", "--resume", "latest", "--db", db, "--no-selftest")
    assert (
        "longer than the budget leaves" in more.err
    )  # its budget is that of the scenario: the sentence again


@pytest.mark.embedded
def test_people_are_predicted_and_confirmed_over_real_inference(
    olbench: Callable[..., Said], tmp_path: Path
) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
    db = tmp_path / "runs.db"
    story = scenario(
        tmp_path,
        {"engine": "embedded", "parallel": 2},
        sweep={"model": "olbench-tiny", "num_ctx": 512},
        workload={"language": "en"},
        persona={
            "users": 2,
            "questions_per_hour": 20_000,
            "prompt_tokens": 120,
            "output_tokens": 8,
            "turns": 2,
            "think": "20ms",
        },
        slo={"ttft_p50": "2s", "success": "90%"},
        size={"most": 3, "requests": 40, "probes": 3},
    )
    text = story.read_text("utf-8").replace('prompts = ["tell me"]\n', "").replace("output_tokens = 4\n", "")
    story.write_text(text, "utf-8")
    said = olbench("size", story, "--db", db, "--no-selftest")
    assert said.code in (0, 1, 3), said.err
    assert "predicted to carry" in said.err
    record = kept(db)
    asked = [seen for seen in record.observations if any(one.turn for one in seen.samples)]
    assert asked  # people came, and asked a second question
    later = [one for seen in asked for one in seen.samples if one.turn == 1 and one.counts is not None]
    assert any((one.counts.cached_count or 0) > 0 for one in later if one.counts is not None)
    priced = olbench("capacity", "latest", "--db", db, "--depth", 150, "--streams", 2)
    assert priced.code == 0
    assert "decode" in priced.out
    assert olbench("capacity", "latest", "--db", db, "--depth", 100_000).out.count("not known") == 2
