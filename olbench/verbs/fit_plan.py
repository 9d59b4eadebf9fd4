"""What `olbench fit` loads: a scenario made for it, and a few contexts that cannot make the machine swap."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from olbench import kv
from olbench.model import Cell, ModelCard, Plan, Visit
from olbench.prepare import cards_by_name
from olbench.units import words

QUESTION = "What fits here, and at which context?"
_TOP, LEAST, _STEP = 8192, 256, 256
_PROMPT = 512  # tokens: a whole physical batch, so that all buffers for computing are touched
_ROOMY = 768  # tokens of a context that has room for it
# Ollama takes a larger batch with a larger context, and with it larger buffers: that would bend the line.
_BATCH = 512
_UNKNOWN_TOKEN = 2**19  # bytes of a token, where nobody says: a large model without shared heads
_BESIDE = 1.1  # times the weights: some engines keep a part of them twice
_BUFFERS = 2**29


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the command line asks for."""

    models: tuple[str, ...]
    quantizations: tuple[str, ...]
    contexts: tuple[int, ...]  # to tell about; (): the usual ones
    slots: int | None
    url: str | None
    engine: str | None
    token_env: str | None


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes that are free for a model. None: not known."""

    ram: float | None
    vram: float | None

    @property
    def all(self) -> float | None:
        """Both together: what does not find room in the one goes to the other."""
        return None if self.ram is None else self.ram + (self.vram or 0.0)


def text(wish: Wish, contexts: Sequence[int], prompt: int) -> str:
    """The scenario, as TOML."""
    slots = 1 if wish.slots is None and wish.engine is not None else wish.slots
    server = {"url": wish.url, "engine": wish.engine, "token_env": wish.token_env, "parallel": slots}
    sweep = {
        "model": list(wish.models),
        "quantization": list(dict.fromkeys(wish.quantizations)) or None,
        "num_ctx": list(contexts),
        "num_batch": _BATCH,
        "prompt_tokens": prompt,
        "output_tokens": 4,
    }
    measure = {
        "repeats": 1,
        "requests": 1,
        "warmup": 0,
        "cold_load": True,
        "order": "listed",
        "retake": False,
    }
    lines = ['name = "fit"', f"question = {json.dumps(QUESTION)}"]
    tables: Mapping[str, Mapping[str, object]] = {"server": server, "sweep": sweep, "measure": measure}
    for name, table in tables.items():
        lines += [
            "",
            f"[{name}]",
            *(f"{key} = {json.dumps(one)}" for key, one in table.items() if one is not None),
        ]
    return "\n".join(lines) + "\n"


def ladder(card: ModelCard | None, contexts: Sequence[int]) -> tuple[int, ...]:
    """Contexts to load, ascending: a quarter, a half and all of one that leaves larger ones to be predicted."""
    trained = None if card is None else card.context_length
    ends = [2 * _TOP, *([] if trained is None else [trained]), *([max(contexts)] if contexts else [])]
    top = max(LEAST, min(ends) // 2)
    floor = _ROOMY if top >= 2 * _ROOMY else LEAST
    steps = {max(floor, top // part // _STEP * _STEP) for part in (4, 2, 1)}
    return tuple(sorted(one for one in steps if trained is None or one <= trained))


def prompt(ladders: Sequence[Sequence[int]]) -> int:
    """Tokens of a prompt that finds room in the least of them."""
    least = min((one for each in ladders for one in each), default=LEAST)
    # A first guess of its length may be half as long again.
    return _PROMPT if least >= _ROOMY else least // 2


def need(card: ModelCard, num_ctx: int, slots: int) -> float | None:
    """Bytes that a load takes at most, by the model's metadata; None where not even its size is known."""
    if card.size is None:
        return None
    token = _UNKNOWN_TOKEN if card.kv_bytes_per_token is None else card.kv_bytes_per_token
    context = token * kv.cells(num_ctx, slots) + (card.kv_bytes_per_slot or 0) * slots
    return card.size * _BESIDE + context + _BUFFERS


def kept(made: Plan, cards: Sequence[ModelCard], wish: Wish, room: Room) -> tuple[Plan, tuple[str, ...]]:
    """The plan without the contexts of other models, and without what would not fit: a sentence each for those."""
    known, refused = cards_by_name(tuple(cards)), list[str]()
    cells = list(_chosen(made, known, wish, room, refused))
    visits = tuple(Visit(seq, cell.id, 0) for seq, cell in enumerate(cells))
    return Plan(tuple(cells), visits, made.excluded, made.notes), tuple(refused)


def _chosen(
    made: Plan, known: Mapping[str, ModelCard], wish: Wish, room: Room, refused: list[str]
) -> Iterator[Cell]:
    for cell in made.cells:
        card = known[cell.model]
        if cell.num_ctx not in ladder(card, wish.contexts):
            continue
        why = refusal(cell, need(card, cell.num_ctx, wish.slots or 1), room.all)
        if why:
            refused.append(why)
        else:
            yield cell


def refusal(cell: Cell, needed: float | None, there: float | None) -> str:
    """Why a cell is not loaded; "" where it may be."""
    if needed is None or there is None or needed <= there:
        return ""
    return (
        f"{cell.model} at num_ctx {cell.num_ctx:,} would take {words(needed, 'B')} or so and {words(max(0.0, there), 'B')} are"
        " free for it: it is not loaded, so that the machine does not swap"
    )


def target(learned: Sequence[int], most: int | None, contexts: Sequence[int]) -> int | None:
    """The context that is to confirm: the largest asked for, or that fits, as far as it was not measured; None: none."""
    if most is None:
        return None
    wanted = [one for one in (*sorted(contexts, reverse=True), most) if one <= most]
    # Where all that fits was measured, what lies between is a prediction as good as any.
    between = [(low + high) // 2 // _STEP * _STEP for low, high in pairwise(learned)]
    return next((one for one in (*wanted, *reversed(between)) if one not in learned), None)
