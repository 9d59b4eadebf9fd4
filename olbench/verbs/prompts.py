"""The user's own prompts, from the scenario or from a file beside it."""

from pathlib import Path

from olbench import batch
from olbench.errors import UsageError
from olbench.ports import Prompts
from olbench.scenario import Scenario
from olbench.verbs import files
from olbench.workload import Batch


def own_prompts(scenario: Scenario, path: Path | None) -> Prompts | None:
    """The prompts that take turns, None for synthetic text. UsageError for a file that cannot be used."""
    work = scenario.workload
    if work.file is None:
        return Batch(work.prompts, work.system) if work.prompts else None
    if path is None:
        raise UsageError(
            f"the prompts of this run come from {work.file}, beside its scenario: name that too,"
            " `olbench run SCENARIO --resume RUN`"
        )
    file = path.parent / work.file
    return Batch(batch.read(file, files.read(file)), work.system)
