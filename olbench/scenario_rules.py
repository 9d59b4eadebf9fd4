"""What may not stand together in a scenario, though each key by itself would do."""

from collections.abc import Mapping, Sequence
from typing import Any

from olbench import grid
from olbench.grid import Axis, Point, Rule
from olbench.scenario_check import Faults
from olbench.scenario_lines import Path
from olbench.scenario_text import dotted

Tables = Mapping[str, Any]

# The first cannot stand beside the second, and why.
_EXCLUSIVE: tuple[tuple[Path, Path, str], ...] = (
    (("server", "url"), ("server", "engine"), "olbench starts the engine and knows its address"),
    (("server", "token_env"), ("server", "engine"), "the engine asks for no token"),
    (("workload", "file"), ("workload", "prompts"), "both hold the prompts"),
    (("workload", "language"), ("workload", "prompts"), "own prompts have their own language"),
    (("workload", "language"), ("workload", "file"), "own prompts have their own language"),
    (("sweep", "prompt_tokens"), ("workload", "prompts"), "own prompts have their own length"),
    (("sweep", "prompt_tokens"), ("workload", "file"), "own prompts have their own length"),
)


def pairs(tables: Tables, faults: Faults) -> None:
    """Keys that exclude each other."""
    for key, other, why in _EXCLUSIVE:
        if _has(tables, key) and _has(tables, other):
            faults.add(key, f"stands beside {dotted(other)}, but {why}; one of the two would do")
    if _has(tables, ("server", "threads")) and not _has(tables, ("server", "engine")):
        faults.add(("server", "threads"), "is for an engine that olbench starts; sweep.num_thread would do")


def rounds(tables: Tables, repeats: int, at_most: int, faults: Faults) -> None:
    """Visits beyond the plan: what bounds them, and what they are for."""
    key: Path = ("measure", "at_most")
    if not _has(tables, ("measure", "until")):
        if _has(tables, key):
            faults.add(key, "is for measure.until, which is not there; measure.repeats would do without it")
    elif at_most < repeats and not any(faults.under(("measure", name)) for name in ("repeats", "at_most")):
        given = "" if _has(tables, key) else " unless the file says otherwise"
        faults.add(
            key,
            f"is {at_most}{given}, fewer than the {repeats} visits of measure.repeats; "
            f"a whole number of at least {repeats} would do",
        )


def token(name: str | None, environ: Mapping[str, str], faults: Faults) -> None:
    """A token's variable that is not set. Its name is not repeated: it might be the token after all."""
    if name is not None and not environ.get(name):
        faults.add(("server", "token_env"), "names a variable that is not set here; set it to the token")


def points(axes: Sequence[Axis], rules: Sequence[Rule], requests: int, faults: Faults) -> None:
    """A grid too large or empty, and points that no server could measure."""
    if faults.under(("sweep",)):
        return  # a part of the grid is not known
    size = grid.size(axes)
    if size > grid.MOST_POINTS:
        faults.add(("sweep",), f"asks for {size} cells; at most {grid.MOST_POINTS} would do")
        return
    left = grid.points(axes, rules)
    if not left:
        faults.add(("sweep", "exclude"), f"takes out all {size} cells; rules that leave one would do")
    _too_long(left, faults)
    if not faults.under(("measure", "requests")):
        _too_few(left, requests, faults)


def _too_long(left: Sequence[Point], faults: Faults) -> None:
    """Prompt and answer must fit, or the server refuses the prompt, or cuts it."""
    shapes = dict.fromkeys((one["num_ctx"], one.get("prompt_tokens"), one["output_tokens"]) for one in left)
    for context, prompt, output in shapes:
        need = _number(prompt or 0) + _number(output)
        if need <= _number(context):
            continue
        parts = f"prompt_tokens {prompt} + output_tokens {output} = {need}"
        faults.add(
            ("sweep", "num_ctx"),
            f"is {context}, too small for {parts if prompt else f'output_tokens {output}'}; "
            f"a whole number of at least {need}, or an exclude rule for these values, would do",
        )


def _too_few(left: Sequence[Point], requests: int, faults: Faults) -> None:
    for streams in dict.fromkeys(_number(one["concurrency"]) for one in left):
        if streams > requests:
            faults.add(
                ("sweep", "concurrency"),
                f"is {streams}, but measure.requests is {requests}, so {streams} streams would never be busy; "
                f"requests of at least {streams} would do",
            )


def _number(value: object) -> int:
    if isinstance(value, int):
        return value
    raise TypeError(value)


def _has(tables: Tables, key: Path) -> bool:
    section, name = key
    table = tables.get(str(section))
    return isinstance(table, dict) and name in table
