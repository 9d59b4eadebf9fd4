"""The trace that a scenario replays, from the file beside it."""

from pathlib import Path

from olbench.errors import UsageError
from olbench.model import Plan
from olbench.scenario import Scenario
from olbench.trace import Trace, of
from olbench.verbs import files


def replayed(scenario: Scenario, path: Path | None) -> Trace | None:
    """The trace, None where there is none. UsageError for a file that cannot be used."""
    if scenario.trace is None:
        return None
    if path is None:
        raise UsageError(
            f"the trace of this run comes from {scenario.trace}, beside its scenario: name that too,"
            " `olbench run SCENARIO --resume RUN`"
        )
    file = path.parent / scenario.trace
    return of(files.read(file), str(file))


def refuse_another(plan: Plan, trace: Trace | None) -> None:
    """UsageError where a run that goes on would replay something else than it began with."""
    began = {cell.load.trace for cell in plan.cells if cell.load is not None and cell.load.trace is not None}
    if trace is not None and began - {trace.digest}:
        raise UsageError("the trace is not the one that this run began with; a new run would do")
