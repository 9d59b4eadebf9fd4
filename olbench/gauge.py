"""The cells from which the cost model of a persona is learned: a few streams, and prompts as its conversations have them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from olbench import plan
from olbench.arrival import Persona
from olbench.model import Cell, Plan, Visit
from olbench.scenario import Measure

_PARTS = 3  # from the first question to the deepest one, so that a bend would show
_LEAST = 2.0  # times the question: how far lengths reach where a conversation hardly grows
_ROOM = 2  # times a request: while the length of its prompt is looked for, longer ones are tried
REQUESTS = 4  # of a visit, and two a stream


def cells(base: Cell, persona: Persona, slots: int) -> tuple[Cell, ...]:
    """One stream at each length of prompt; at the first and the deepest also as many streams as there are slots."""
    if base.mix:
        return ()
    lengths = sorted(set(_prompts(persona, base.num_ctx - persona.output_tokens)))
    alone = [_at(base, length, persona, 1) for length in lengths]
    streams = sorted({2, slots} - {1}) if slots > 1 else []
    ends = (lengths[0], lengths[-1])
    together = [_at(base, length, persona, many) for many in streams for length in dict.fromkeys(ends)]
    return (*alone, *together)


def _prompts(persona: Persona, most: int) -> Iterator[int]:
    """From one question to a conversation's last one, with all that was said before."""
    question = persona.prompt_tokens
    last = persona.turns * question + (persona.turns - 1) * persona.output_tokens
    deepest = min(max(last, round(_LEAST * question)), most)
    for part in range(_PARTS + 1):
        yield question + round(part * (deepest - question) / _PARTS)


def _at(base: Cell, prompt: int, persona: Persona, streams: int) -> Cell:
    return plan.at_streams(plan.at_prompt(base, prompt, persona.output_tokens), streams)


def smaller(base: Cell, persona: Persona) -> tuple[Cell, ...]:
    """One cell with half the context, which tells what memory a token of context takes; () where that is too small."""
    half, prompt = base.num_ctx // 2, _between(persona)
    if base.mix or _ROOM * (prompt + persona.output_tokens) > half:
        return ()
    return (plan.at_context(_at(base, prompt, persona, 1), half),)


def _between(persona: Persona) -> int:
    """A prompt that is no question of theirs: with it, a cell is not one that is searched."""
    return persona.prompt_tokens + max(1, persona.prompt_tokens // _PARTS)


def planned(bases: Sequence[Cell], persona: Persona, slots: int, measure: Measure) -> Plan:
    """All of them, in rounds; first of all, once, those with a smaller context, so that loads do not alternate."""
    found = tuple(dict.fromkeys(cell for base in bases for cell in cells(base, persona, slots)))
    small = tuple(dict.fromkeys(cell for base in bases for cell in smaller(base, persona)))
    loaded = None
    visits = [Visit(place, cell.id, 0) for place, cell in enumerate(small)]
    for repeat in range(measure.repeats if found else 0):
        ordered = plan.in_turn(measure, found, repeat, loaded)
        loaded = plan.load_key(ordered[-1])
        visits += [Visit(len(visits) + place, cell.id, repeat) for place, cell in enumerate(ordered)]
    return Plan(cells=(*small, *found), visits=tuple(visits), excluded=0, notes=())


def requests(cell: Cell) -> int:
    """How many a visit sends."""
    return max(REQUESTS, 2 * cell.concurrency)


def probe(made: Plan, cell: Cell, again: int) -> tuple[Plan, Visit]:
    """The plan with one more visit, to a load that the search asks for; `again`: its number for this cell, from 0."""
    seq = 1 + max((visit.seq for visit in made.visits), default=-1)
    visit = Visit(seq, cell.id, again)
    known = any(one.id == cell.id for one in made.cells)
    return replace(
        made, cells=made.cells if known else (*made.cells, cell), visits=(*made.visits, visit)
    ), visit
