"""What single loads took, from a run's visits, and the memory that there is for them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from olbench import kv, slots
from olbench.findings import Estimate, Slots
from olbench.gist import Gist, Told
from olbench.model import Facts
from olbench.sized import Held

LEARNED = "fit.cells"  # of a run's settings: ids of the cells to learn from; loads of others confirm
FREE_RAM, FREE_VRAM = "fit.ram", "fit.vram"  # the same: bytes that were free before anything was loaded
RAM_KEYS = ("runner_ram_peak", "ram_peak")
Rooms = tuple[float | None, float | None]
Place = tuple[int, int]  # context and slots


@dataclass(frozen=True, slots=True)
class Load:
    """One visit's load."""

    held: Held
    learned: bool
    on_gpu: bool | None  # all of it; None: partly


def loads(group: Sequence[Told]) -> tuple[list[Load], str]:
    """Each load as the visit saw it that brought it, and the metric that its RAM is from; "" where the server alone tells it.

    A visit that found its model in memory counts only where no other saw that context come. It shows no load of its own, and
    with use a load grows by some percent: beside a context that was used once, that would pass for what a context takes.
    """
    alone = [(told, gist) for told in group if not told.cell.mix for gist in told.gists if _alone(gist)]
    probes = probes_of(group)
    fresh = {_place(*one, probes) for one in alone if _fresh(one[1])}
    seen = [one for one in alone if _fresh(one[1]) or _place(*one, probes) not in fresh]
    source = next(
        (key for key in RAM_KEYS if seen and all(_one(gist, key) is not None for _, gist in seen)), ""
    )
    own = bool(seen) and all(_one(gist, "gpu_peak") is not None for _, gist in seen)
    return [_load(*one, _place(*one, probes), source, own=own) for one in seen], source


def probes_of(group: Sequence[Told]) -> list[Slots]:
    """What all probes of these cells show of the server's slots: few loads have one of their own."""
    return [one for told in group for one in told.probes]


def slots_of(told: Told, gist: Gist, probes: Sequence[Slots]) -> int | None:
    """A visit's slots: as the server shows them, else as the scenario says; None: not known."""
    found = slots.of(() if gist.placement is None else (gist.placement,), probes)
    if found.count is not None and not found.at_least:
        return found.count
    said = told.settings.get("server.parallel")
    return said if isinstance(said, int) else None


def _alone(gist: Gist) -> bool:
    """Whether a visit went through, with no other model in memory."""
    return gist.problem is None and gist.placement is not None and not gist.placement.others


def _fresh(gist: Gist) -> bool:
    return gist.placement is not None and gist.placement.how != "resident"


def _place(told: Told, gist: Gist, probes: Sequence[Slots]) -> Place:
    context = None if gist.placement is None else gist.placement.context_length
    return told.cell.num_ctx if context is None else context, slots_of(told, gist, probes) or 1


def _load(told: Told, gist: Gist, place: Place, source: str, *, own: bool) -> Load:
    size, there = _one(gist, "model_size"), _one(gist, "model_vram")
    ram = _one(gist, source) if source else None if size is None or there is None else size - there
    # On a machine with a GPU what others do there is no memory of a model that is not there.
    vram = _one(gist, "gpu_peak") if own and there != 0 else there
    held = Held(
        num_ctx=place[0],
        slots=place[1],
        ram=_seen(ram, "nobody tells how much RAM it takes"),
        vram=_seen(vram, "nobody tells how much GPU memory it takes"),
        predicted=False,
    )
    cells = told.settings.get(LEARNED)
    learned_ = not isinstance(cells, str) or told.cell.id in cells.split()
    return Load(held, learned_, None if there and size and there < size else bool(there))


def _one(gist: Gist, key: str) -> float | None:
    column = gist.columns.get(key)
    return None if column is None or not len(column.numbers) else float(column.numbers[0])


def _seen(value: float | None, why: str) -> Estimate:
    return Estimate(value, None, None, why if value is None else "one load")


# --- the memory that there is ------------------------------------------------------------------------------------------


def rooms(told: Told) -> Rooms:
    """Bytes that there are for a model: RAM, GPU memory. None: not known."""
    if told.facts.get("server.local") is False:
        return None, None
    totals = [one for name, one in told.facts.items() if name.startswith("gpu") and name.endswith(".total")]
    cards = [one for one in totals if isinstance(one, int | float)]
    ends = [
        _number(told.settings, FREE_RAM),
        *(_number(told.facts, name) for name in ("ram.total", "ram.limit")),
    ]
    ram = min((one for one in ends if one is not None), default=None)
    vram = _number(told.settings, FREE_VRAM)
    vram = float(sum(cards)) if vram is None and cards else vram
    return (
        None if ram is None else ram - told.limits["ram_reserve"],
        None if vram is None else vram - told.limits["vram_reserve"] * max(1, len(cards)),
    )


def _number(facts: Facts, name: str) -> float | None:
    value = facts.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def formula(told: Told) -> tuple[float | None, float, str]:
    """Bytes of a token and of a slot by the metadata, for the type of cache that the server was given, and that type."""
    kinds = [_kind(told.facts, one) for one in ("K", "V")]
    shares = [kv.scaled(one) for one in kinds]
    known = [one for one in shares if one is not None]
    type_ = " and ".join(dict.fromkeys(kinds))
    if told.card is None or told.card.kv_bytes_per_token is None or len(known) < len(shares):
        return None, 0.0, type_
    share = math.fsum(known) / len(known)
    # Note: a recurrent state stays f32 whatever the type; it is small beside the windows that share this figure.
    return told.card.kv_bytes_per_token * share, (told.card.kv_bytes_per_slot or 0.0) * share, type_


def _kind(facts: Facts, part: str) -> str:
    said = facts.get("server.env.OLLAMA_KV_CACHE_TYPE") or facts.get(
        f"server.env.LLAMA_ARG_CACHE_TYPE_{part}"
    )
    return str(said).lower() if said else "f16"
