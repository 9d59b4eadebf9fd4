"""What may not stand together in a scenario, though each key by itself would do."""

from collections.abc import Iterator, Mapping, Sequence

from olbench import grid
from olbench.grid import Axis, Point, Rule
from olbench.scenario_check import Faults, Tables, has
from olbench.scenario_keys import LISTS
from olbench.scenario_lines import Path
from olbench.scenario_load import Asked
from olbench.scenario_text import dotted

# The first cannot stand beside the second, and why.
_EXCLUSIVE: tuple[tuple[Path, Path, str], ...] = (
    (("server", "url"), ("server", "engine"), "olbench starts the engine and knows its address"),
    (("server", "token_env"), ("server", "engine"), "the engine asks for no token"),
    (("workload", "file"), ("workload", "prompts"), "both hold the prompts"),
    (("workload", "language"), ("workload", "prompts"), "own prompts have their own language"),
    (("workload", "language"), ("workload", "file"), "own prompts have their own language"),
    (("sweep", "prompt_tokens"), ("workload", "prompts"), "own prompts have their own length"),
    (("sweep", "prompt_tokens"), ("workload", "file"), "own prompts have their own length"),
    (("sweep", "prompt_tokens"), ("persona",), "people have their own questions"),
    (("sweep", "output_tokens"), ("persona",), "people have their own answers"),
    (("sweep", "rate"), ("persona",), "its users come at their own pace"),
    (("load",), ("persona",), "its users come at their own pace"),
    (("workload", "prompts"), ("persona",), "its questions are text of ours"),
    (("workload", "file"), ("persona",), "its questions are text of ours"),
    (("mix", 0), ("workload", "prompts"), "own prompts are of one kind"),
    (("mix", 0), ("workload", "file"), "own prompts are of one kind"),
)


def pairs(tables: Tables, faults: Faults) -> None:
    """Keys that exclude each other."""
    for key, other, why in _EXCLUSIVE:
        if has(tables, key) and has(tables, other):
            faults.add(key, f"stands beside {_named(other)}, but {why}; one of the two would do")
    if has(tables, ("server", "threads")) and not has(tables, ("server", "engine")):
        faults.add(("server", "threads"), "is for an engine that olbench starts; sweep.num_thread would do")


def rounds(tables: Tables, repeats: int, at_most: int, faults: Faults) -> None:
    """Visits beyond the plan: what bounds them, and what they are for."""
    key: Path = ("measure", "at_most")
    if not has(tables, ("measure", "until")):
        if has(tables, key):
            faults.add(key, "is for measure.until, which is not there; measure.repeats would do without it")
    elif at_most < repeats and not any(faults.under(("measure", name)) for name in ("repeats", "at_most")):
        given = "" if has(tables, key) else " unless the file says otherwise"
        faults.add(
            key,
            f"is {at_most}{given}, fewer than the {repeats} visits of measure.repeats; "
            f"a whole number of at least {repeats} would do",
        )


def token(name: str | None, environ: Mapping[str, str], faults: Faults) -> None:
    """A token's variable that is not set. Its name is not repeated: it might be the token after all."""
    if name is not None and not environ.get(name):
        faults.add(("server", "token_env"), "names a variable that is not set here; set it to the token")


def points(axes: Sequence[Axis], rules: Sequence[Rule], requests: int, asked: Asked, faults: Faults) -> None:
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
    _too_long(left, asked, faults)
    if not faults.under(("measure", "requests")):
        _too_few(left, requests, faults)


def _too_long(left: Sequence[Point], asked: Asked, faults: Faults) -> None:
    """Prompt and answer of all turns must fit, or the server refuses the prompt, or cuts it."""
    turns = 1 if asked.persona is None else asked.persona.turns
    for context, prompt, output in dict.fromkeys(shape for one in left for shape in _shapes(one, asked)):
        need = turns * ((prompt or 0) + output)
        if need <= context:
            continue
        parts = f"prompt_tokens {prompt} + output_tokens {output}" if prompt else f"output_tokens {output}"
        each = (
            f"{turns} turns of {parts}, {need} in all"
            if turns > 1
            else f"{parts} = {need}"
            if prompt
            else parts
        )
        most = context * turns // need
        fewer = (
            f"persona.turns of at most {most}" if turns > 1 and most else "an exclude rule for these values"
        )
        faults.add(
            ("sweep", "num_ctx"),
            f"is {context}, too small for {each}; a whole number of at least {need}, or {fewer}, would do",
        )


def _shapes(point: Point, asked: Asked) -> Iterator[tuple[int, int | None, int]]:
    """Context, prompt and answer of each kind of request of a point."""
    context, output = _number(point["num_ctx"]), _number(point["output_tokens"])
    prompt = _number(point["prompt_tokens"]) if "prompt_tokens" in point else None
    for part in asked.mix:
        yield context, part.prompt_tokens or prompt, part.output_tokens or output
    if not asked.mix:
        yield context, prompt, output


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


def _named(key: Path) -> str:
    if len(key) > 1:
        return dotted(key)
    return f"[[{key[0]}]]" if key[0] in LISTS else f"[{key[0]}]"
