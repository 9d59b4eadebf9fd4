"""A replay's trace lies beside its scenario, and is the same as long as a run goes on."""

from pathlib import Path

import pytest
from cards import PLAIN

from olbench import plan, scenario, trace
from olbench.errors import UsageError
from olbench.scenario import Scenario
from olbench.verbs import traces

REPLAY = (
    'question = "How?"\n[sweep]\nmodel = "llama3.2:3b"\n[load]\npattern = "replay"\nfile = "sub/calls.csv"\n'
)
CALLS = "time,prompt_tokens,output_tokens\n0,100,20\n"


def asked(text: str, folder: Path) -> Scenario:
    return scenario.parse(text, path=str(folder / "a.toml"), environ={})


def test_a_trace_is_read_from_the_scenarios_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "calls.csv").write_text(CALLS, "utf-8")
    found = traces.replayed(asked(REPLAY, tmp_path), tmp_path / "a.toml")
    assert found is not None
    assert [one.prompt_tokens for one in found.arrivals] == [100]


def test_a_scenario_without_a_replay_has_no_trace(tmp_path: Path) -> None:
    assert traces.replayed(asked(REPLAY.split("[load]", maxsplit=1)[0], tmp_path), None) is None


def test_a_run_that_goes_on_needs_its_scenario_for_the_trace(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="olbench run SCENARIO --resume RUN"):
        traces.replayed(asked(REPLAY, tmp_path), None)


def test_a_trace_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        traces.replayed(asked(REPLAY, tmp_path), tmp_path / "a.toml")
    assert caught.value.faults == (
        f"{tmp_path / 'sub' / 'calls.csv'}: it cannot be read (No such file or directory)",
    )


def test_a_run_that_goes_on_does_not_replay_another_trace(tmp_path: Path) -> None:
    first = trace.of(CALLS, "t")
    made = plan.expand(asked(REPLAY, tmp_path), [PLAIN], 0, first)
    traces.refuse_another(made, first)
    traces.refuse_another(made, None)
    with pytest.raises(UsageError, match="not the one that this run began with"):
        traces.refuse_another(made, trace.of(CALLS + "1,2,3\n", "t"))
