"""What varies in a run, and short names for its cells made of nothing else."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from olbench.arrival import Share
from olbench.model import Cell, OptionValue

# What follows from the model alone is no axis of its own: a model that cannot think, another whose only tag is q8_0.
_FOLLOWS = ("quantization", "think")

# The axes that say who is measured; all others say under what.
WHO = ("model", "quantization")

AxisValue = OptionValue | None

# Fields of a cell that may be axes, in the order in which a label names them.
FIELDS: Mapping[str, Callable[[Cell], AxisValue]] = {
    "model": lambda cell: cell.base,
    "quantization": lambda cell: cell.quantization,
    "api": lambda cell: cell.api,
    "think": lambda cell: cell.think,
    "num_ctx": lambda cell: cell.num_ctx,
    "prompt_tokens": lambda cell: cell.prompt_tokens,
    "output_tokens": lambda cell: cell.output_tokens,
    "cache": lambda cell: cell.cache,
    "concurrency": lambda cell: None if cell.load else cell.concurrency,
    "pattern": lambda cell: cell.load.pattern if cell.load else None,
    "rate": lambda cell: cell.load.rate if cell.load else None,
    "users": lambda cell: cell.load.users if cell.load else None,
    "mix": lambda cell: _mixed(cell.mix) if cell.mix else None,
}
# Of how requests come: a cell that has none of such a thing says nothing of it in its label.
HOW = ("concurrency", "pattern", "rate", "users", "mix")


def value(cell: Cell, axis: str) -> AxisValue:
    """What a cell has on an axis; None where it has nothing there."""
    return FIELDS[axis](cell) if axis in FIELDS else dict(cell.options).get(axis)


def axes(cells: Sequence[Cell]) -> tuple[str, ...]:
    """The cell fields and options that vary, in the order of FIELDS, options by name behind them."""
    options = sorted({name for cell in cells for name, _ in cell.options})
    return tuple(axis for axis in (*FIELDS, *options) if _varies(cells, axis))


def _varies(cells: Sequence[Cell], axis: str) -> bool:
    seen = {value(cell, axis) for cell in cells}
    if axis == "pattern":  # that some cells have a load and others none, their rate or their users say
        seen -= {None}
    if len(seen) < 2 or axis not in _FOLLOWS:
        return len(seen) > 1
    return len({(cell.base, value(cell, axis)) for cell in cells}) > len({cell.base for cell in cells})


def labels(cells: Sequence[Cell]) -> tuple[str, ...]:
    """One label a cell, all different: "llama3.2:3b q8_0 · ctx 8192 · ×4"."""
    names = axes(cells)
    plain = [label(cell, names) for cell in cells]
    count = Counter(plain)
    return tuple(
        text if count[text] == 1 else f"{text} · {cell.id}" for cell, text in zip(cells, plain, strict=True)
    )


def label(cell: Cell, names: Sequence[str]) -> str:
    """The cell by these axes alone; by its name where there are none."""
    who = " ".join(said(axis, value(cell, axis)) for axis in names if axis in WHO)
    told = [(axis, value(cell, axis)) for axis in names if axis not in WHO]
    rest = [said(axis, seen) for axis, seen in told if seen is not None or axis not in HOW]
    return " · ".join([who, *rest] if who else rest) or cell_name(cell, names)


def cell_name(cell: Cell, names: Sequence[str]) -> str:
    """The model of a cell as a sentence names it, with its quantization where the run varies that; all models of a mix."""
    if cell.mix:
        return " and ".join(dict.fromkeys(share.model for share in cell.mix))
    return f"{cell.base} {said('quantization', cell.quantization)}" if "quantization" in names else cell.model


_BEFORE = {"num_ctx": "ctx ", "concurrency": "×", "prompt_tokens": "prompt ", "output_tokens": "output "}
_PLAIN = {"model", "quantization", "api", "pattern", "mix"}
_THINKING = {None: "cannot think", True: "thinking", False: "no thinking"}
_UNSAID = {
    "quantization": "quantization unknown",
    "prompt_tokens": "own prompts",
    "concurrency": "a load",
    "pattern": "closed streams",
    "rate": "no rate",
    "users": "no users",
    "mix": "no mix",
}


def said(axis: str, seen: AxisValue) -> str:
    """One value of an axis as a label has it: ("num_ctx", 8192) -> "ctx 8192"."""
    if axis == "think":
        return (
            f"thinking {seen}" if isinstance(seen, str) else _THINKING[None if seen is None else bool(seen)]
        )
    if seen is None:
        return _UNSAID.get(axis, f"{axis} default")
    if axis == "cache":
        return f"{seen} cache"
    if axis in ("rate", "users"):
        return come(axis, seen)
    return f"{'' if axis in _PLAIN else _BEFORE.get(axis, f'{axis} ')}{_bare(seen)}"


def come(axis: str, seen: OptionValue) -> str:
    """A rate or a number of users: "2 requests/s", "1 user"."""
    number = f"{seen:g}" if isinstance(seen, float) else _bare(seen)
    noun = "request/s" if axis == "rate" and seen == 1 else "requests/s" if axis == "rate" else "user"
    return f"{number} {noun}{'s' if axis == 'users' and seen != 1 else ''}"


def loaded(cell: Cell) -> str:
    """How requests come to a cell with a load: "20 users", "2 requests/s (poisson)"; "" where it has closed streams."""
    if cell.load is None:
        return ""
    if cell.load.users is not None:
        return come("users", cell.load.users)
    if cell.load.rate is None:
        return cell.load.pattern
    return f"{come('rate', cell.load.rate)} ({cell.load.pattern})"


def part(share: Share) -> str:
    """A part of a mix: "llama3.2:3b q8_0, 600 + 250 tokens"."""
    quantization = f" {share.quantization}" if share.quantization else ""
    return f"{share.base}{quantization}, {share.prompt_tokens} + {share.output_tokens} tokens"


def _mixed(mix: Sequence[Share]) -> str:
    whole = sum(share.weight for share in mix)
    return " and ".join(f"{100 * share.weight / whole:.0f} % {part(share)}" for share in mix)


def phrase(axis: str, seen: AxisValue) -> str:
    """One value of an axis as a sentence has it: ("prompt_tokens", 64) -> "prompts of 64 tokens"."""
    if seen is None or axis not in _PHRASES:
        return said(axis, seen)
    return f"{_PHRASES[axis][0]}{_bare(seen)}{_PHRASES[axis][1]}"


_PHRASES = {
    "prompt_tokens": ("prompts of ", " tokens"),
    "output_tokens": ("answers of ", " tokens"),
    "cache": ("a ", " cache"),
    "api": ("/api/", ""),
}


def _bare(seen: OptionValue) -> str:
    if isinstance(seen, bool):
        return "on" if seen else "off"
    return " ".join(seen) if isinstance(seen, tuple) else str(seen)
