"""How a model's memory grows with its context: learned from loads, held against its metadata, told for other contexts.

What counts as RAM is the resident memory (RSS) of the process that holds the model, at its peak. It counts mapped
weights as far as they were touched, which is right: what is touched is read for every token, and slow once the system
drops it. It does not count the file's pages in the page cache that nobody has mapped, and not the server's own
process, which is there without a model. PSS would divide shared libraries, but is read too seldom to meet a peak.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from olbench import footprint_lines as lines
from olbench import kv, labels
from olbench.findings import Estimate
from olbench.footprint_loads import Load, Rooms, probes_of, slots_of
from olbench.footprint_loads import formula as formula_of
from olbench.footprint_loads import loads as loads_of
from olbench.footprint_loads import rooms as rooms_of
from olbench.gist import Told
from olbench.sized import Footprint, Held
from olbench.thresholds import limits as bars
from olbench.units import words

SLOTS = (1, 2, 4, 8)
LEAST = 512  # tokens of a context that is still of use
_MOST = 2**22  # tokens, for a model that does not say what it was trained for
_STEP = 256  # of a context: that to which llama.cpp rounds it


def of(cells: Sequence[Told]) -> tuple[Footprint, ...]:
    """How the memory of each model and quantization grows, from all loads of a run that went through."""
    varying = [one for one in labels.axes([told.cell for told in cells]) if one not in labels.FIELDS]
    groups: dict[tuple[str, str], list[Told]] = {}
    for told in cells:
        who = ("model",) if told.cell.quantization is None else ("model", "quantization")
        groups.setdefault((told.cell.model, labels.label(told.cell, (*who, *varying))), []).append(told)
    made = (_of_group(*name, group) for name, group in groups.items())
    return tuple(one for one in made if one is not None)


def at(
    footprint: Footprint, num_ctx: int, slots: int, *, beyond: bool = False, reach: float | None = None
) -> Held:
    """The memory of a load that was not measured, with 95 % intervals of what one such load would take.

    None with the reason beyond `reach` times the largest that was measured, unless that is asked for.
    """
    seen, place = learned(footprint), kv.cells(num_ctx, slots)
    far = (bars({})["memory_reach"] if reach is None else reach) * max(
        (kv.cells(one.num_ctx, one.slots) for one in seen), default=0
    )
    if not seen or (place > far and not beyond):
        why = (
            f"more than {far:,.0f} tokens of context are too far from what was measured"
            if seen
            else "no load went through"
        )
        nothing = Estimate(None, None, None, why)
        return Held(num_ctx=num_ctx, slots=slots, ram=nothing, vram=nothing, predicted=True)
    # Keys and values lie where the model lies; what it takes of the other memory does not grow by them.
    own, on_gpu = lines.Growth(footprint.formula, footprint.per_slot), any(one.vram.value for one in seen)
    ram = lines.foretold(seen, lines.ram, num_ctx, slots, lines.STILL if on_gpu else own)
    vram = lines.foretold(seen, lines.vram, num_ctx, slots, own)
    return Held(num_ctx=num_ctx, slots=slots, ram=ram, vram=vram, predicted=True)


def learned(footprint: Footprint) -> tuple[Held, ...]:
    """The loads that the footprint was learned from: those that were measured and not predicted before."""
    foretold = {(one.num_ctx, one.slots) for one in footprint.loads if one.predicted}
    return tuple(
        one for one in footprint.loads if not one.predicted and (one.num_ctx, one.slots) not in foretold
    )


def confirmed(footprint: Footprint) -> tuple[tuple[Held, Held], ...]:
    """(predicted, measured) of each load that was predicted before it was measured."""
    measured = {(one.num_ctx, one.slots): one for one in footprint.loads if not one.predicted}
    return tuple(
        (one, measured[one.num_ctx, one.slots])
        for one in footprint.loads
        if one.predicted and (one.num_ctx, one.slots) in measured
    )


def whole(held: Held) -> Estimate:
    """RAM and GPU memory together."""
    if not held.vram.value:
        return held.ram
    if held.ram.value is None:
        return held.vram
    parts = (held.ram, held.vram)
    value = held.ram.value + held.vram.value
    ends = [(one.low, one.high) for one in parts if one.low is not None and one.high is not None]
    if len(ends) < len(parts):
        return Estimate(value, None, None, held.ram.reason or held.vram.reason)
    return Estimate(value, sum(low for low, _ in ends), sum(high for _, high in ends))


def fits(footprint: Footprint, held: Held) -> bool | None:
    """Whether a load fits, the upper end of its interval counted; None where that cannot be told."""
    most = footprint.most.get(held.slots)
    need = whole(held)
    if held.slots in footprint.most:
        return most is not None and held.num_ctx <= most
    upper = need.value if need.high is None else need.high
    return None if footprint.budget is None or upper is None else upper <= footprint.budget


# --- one model ----------------------------------------------------------------------------------------------------


def _of_group(model: str, label: str, group: Sequence[Told]) -> Footprint | None:
    first = group[0]
    loads, source = loads_of(group)
    if not loads:
        return None
    counted = [one for one in loads if one.learned] or loads
    formula, per_slot, type_ = formula_of(first)
    line = lines.line_of([one.held for one in counted], lines.both, per_slot)
    weights = None if first.card is None or first.card.size is None else float(first.card.size)
    rooms = rooms_of(first)
    made = Footprint(
        model=model,
        label=label,
        weights=weights,
        per_token=lines.slope(line),
        formula=formula,
        overhead=lines.overhead(line, weights),
        loads=tuple(one.held for one in loads),
        most={},
        budget=_budget(rooms, counted),
        trained=None if first.card is None else first.card.context_length,
        remarks=(),
        per_slot=per_slot,
    )
    foretold = _foretold_loads(made, loads)
    whole_ = replace(made, loads=(*made.loads, *foretold))
    remarks = (*_remarks(whole_, first, source, type_), *_spilled(counted), *_slots_assumed(group))
    return replace(whole_, most=_most(whole_, rooms, counted), remarks=remarks)


def _foretold_loads(made: Footprint, loads: Sequence[Load]) -> tuple[Held, ...]:
    """What would have been said of the loads that confirm, from the others alone."""
    others = replace(made, loads=tuple(one.held for one in loads if one.learned))
    if not others.loads:
        return ()
    places = dict.fromkeys((one.held.num_ctx, one.held.slots) for one in loads if not one.learned)
    return tuple(at(others, *place, beyond=True) for place in places)


# --- what fits ----------------------------------------------------------------------------------------------------


def _budget(rooms: Rooms, loads: Sequence[Load]) -> int | None:
    """Bytes that there are for it: RAM, and GPU memory where it lies there."""
    there = (True, any(one.on_gpu is not False for one in loads))
    parts = [room for room, counts in zip(rooms, there, strict=True) if counts]
    known = [room for room in parts if room is not None]
    return round(sum(known)) if len(known) == len(parts) else None


def _most(made: Footprint, rooms: Rooms, loads: Sequence[Load]) -> Mapping[int, int | None]:
    """Slots -> the largest context whose upper end fits; {} where nobody can tell."""
    top = made.trained or _MOST
    # Where a part lies in RAM already, the server moves more there as the context grows: what counts is both together.
    together = any(one.on_gpu is None for one in loads)
    over = partial(_over, rooms=rooms, together=together)
    if made.budget is None or over(at(made, min(top, LEAST), 1, beyond=True)) is None:
        return {}
    every = sorted({*SLOTS, *(one.held.slots for one in loads)})
    return {slots: _largest(made, slots, top, over) for slots in every}


def _largest(made: Footprint, slots: int, top: int, over: Callable[[Held], bool | None]) -> int | None:
    def room(num_ctx: int) -> bool:
        return over(at(made, num_ctx, slots, beyond=True)) is False

    if room(top):
        return top
    low, high = 0, -(-top // _STEP)
    while high - low > 1:
        half = (low + high) // 2
        low, high = (half, high) if room(half * _STEP) else (low, half)
    return low * _STEP if low * _STEP >= min(LEAST, top) else None


def _over(held: Held, *, rooms: Rooms, together: bool) -> bool | None:
    """Whether it would be too much; None where that cannot be told."""
    parts = list(zip((held.ram, held.vram), rooms, strict=True))
    if together:
        parts = [(whole(held), None if None in rooms else sum(room or 0.0 for room in rooms))]
    needs = [(one.value if one.high is None else one.high, room) for one, room in parts if one.value != 0]
    if any(need is None or room is None for need, room in needs):
        return None
    return any(need > room for need, room in needs if need is not None and room is not None)


# --- what must be said --------------------------------------------------------------------------------------------


def _remarks(made: Footprint, told: Told, source: str, type_: str) -> Iterator[str]:
    if made.per_token.value is None:
        yield made.per_token.reason
    elif made.formula is None:
        yield "the server does not say enough of the model to work its cache out: measured alone"
    else:
        yield from _disagreement(made.per_token, made.formula, type_, told.limits["memory_formula"])
    beside = made.overhead.value or 0.0
    if beside < 0:
        yield f"{words(-beside, 'B')} of the weights were never in memory: they are mapped, and no request has read them"
    for foretold, seen in confirmed(made):
        yield from _off(foretold, seen, told.limits["memory_off"])
    if source == "ram_peak":
        yield "no process of the model's own is seen: RAM is that of all the server's processes"
    elif not source and any(one.ram.value is not None for one in made.loads):
        yield "the server's processes are not seen: RAM is what the server says of the model, without buffers"


def _disagreement(per_token: Estimate, formula: float, type_: str, bar: float) -> Iterator[str]:
    value, low, high = per_token.value, per_token.low, per_token.high
    if value is None or low is None or high is None:
        return  # two loads make a line whatever they are
    if abs(value - formula) > bar * formula and not low <= formula <= high:
        share = words(abs(value / formula - 1), "share", 2)
        more = "more" if value > formula else "less"
        yield (
            f"a token of context takes {words(value, 'B')}, {share} {more} than the {words(formula, 'B')} that the model's"
            f" metadata give for a cache of {type_}"
        )


def _off(foretold: Held, seen: Held, bar: float) -> Iterator[str]:
    said, was = whole(foretold).value, whole(seen).value
    if said and was and abs(was / said - 1) > bar:
        more = "more" if was > said else "less"
        yield (
            f"num_ctx {seen.num_ctx:,} took {words(was, 'B')}, {words(abs(was / said - 1), 'share', 2)} {more} than"
            f" predicted: what is told of larger ones is as far off"
        )


def _spilled(loads: Sequence[Load]) -> Iterator[str]:
    parts = sorted(one.held.num_ctx for one in loads if one.on_gpu is None)
    if parts:
        yield f"from num_ctx {parts[0]:,} on a part of it lay in RAM: what fits counts RAM and GPU memory together"


def _slots_assumed(group: Sequence[Told]) -> Iterator[str]:
    probes = probes_of(group)
    placed = [(told, gist) for told in group for gist in told.gists if gist.placement is not None]
    if any(slots_of(*one, probes) is None for one in placed):
        yield "the server does not show its slots, one is assumed; --slots says how many it has"
