"""What other machines would do with a model that was measured here: ranges, and estimates all of them.

Writing is scaled by memory bandwidth, reading is a share of compute; how wide a range is comes from how much machines differ
that others measured (published.py). METHOD and KNOWN_ERROR say the rest, and stand beside every such table.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from olbench import footprint as memory
from olbench import published
from olbench.arrival import Persona
from olbench.cost_model import seconds
from olbench.crowd import ASSUMED, Crowd, engine_of
from olbench.findings import Value
from olbench.machines import Machine
from olbench.model import Fact
from olbench.queueing import Engine
from olbench.sized import CostModel, Elsewhere, Footprint
from olbench.slo import Term
from olbench.units import words

REQUESTS = 300  # played through at a number of users; the ranges are far wider than what more would tell
MOST_USERS = 5000
_ON_CARD = 0.9  # of the weights: what lies beside them is next to nothing

METHOD = (
    "Writing: the rate measured here, times the other machine's memory bandwidth by this machine's. Reading: operations of the "
    "model (two for each parameter and token) by the other machine's dense half-precision compute, times the share of it that "
    "machines in a published table use. Users: the queue played through with the slots of this server, at both ends of "
    "these ranges."
)


def known_error() -> str:
    """How wrong such an estimate is known to be, in words with its numbers."""
    low, high = published.from_another()
    least, most = published.of_compute()
    return (
        f"Scaled from one machine to another by bandwidth alone, the decode rates of {len(published.ROWS)} machines in a "
        f"published table are off by a factor of {low:.2g} to {high:.2g} (95 of 100); their prefill uses "
        f"{words(least, 'share', 2)} to {words(most, 'share', 2)} of their compute. Those are the ranges here. Not in them: "
        f"a model of less than {words(published.READ, 'B', 2)}, as on most machines with a fast memory other work than reading "
        "holds it back, so the range then begins at what this machine does, and may be so wide that only its lower end is "
        "shown; a mixture of experts; bandwidth that was measured here, while the other machine's is what its maker states, of "
        "which a part arrives; and streams that are answered together, which slow each other down as they do here. "
        f"Source: {published.SOURCE}."
    )


def elsewhere(
    costs: Sequence[CostModel],
    footprints: Sequence[Footprint],
    machines: Sequence[Machine],
    facts: Mapping[str, Fact],
    *,
    target: float | None,
    persona: Persona | None,
    terms: Sequence[Term],
    parameters: Mapping[str, int | None] | None = None,
) -> tuple[Elsewhere, ...]:
    """Each model on each machine; `parameters` of the models by name, without which reading has no figure."""
    known = {one.model: one for one in footprints}
    return tuple(
        _on(
            _Case(
                machine=machine,
                cost=cost,
                held=known.get(cost.model),
                parameters=(parameters or {}).get(cost.model),
                facts=facts,
                persona=persona,
                terms=tuple(terms),
            ),
            target,
        )
        for cost in costs
        for machine in machines
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One model on one machine."""

    machine: Machine
    cost: CostModel
    held: Footprint | None
    parameters: int | None
    facts: Mapping[str, Fact]
    persona: Persona | None
    terms: tuple[Term, ...]


Range = tuple[float, float] | None
Found = tuple[Range, str]  # and why there is none


def _on(case: _Case, target: float | None) -> Elsewhere:
    machine, need = case.machine, _need(case.held)
    room = machine.memory * machine.usable
    fits = None if need is None else need <= room
    if need is not None and need > room:
        why = f"it needs {words(need, 'B')} with the context and slots of this run, and there are {words(room, 'B')}"
        decode: Found = (None, why)
        prefill: Found = (None, "")
        users: Found = (None, "")
    else:
        decode, prefill = _decode(case), _prefill(case)
        users = _users(case, decode[0], prefill[0])
    return Elsewhere(
        machine=machine.name,
        label=case.cost.label,
        fits=fits,
        memory=need,
        decode=decode[0],
        prefill=prefill[0],
        users=users[0],
        meets=False if fits is False else _meets(target, users[0]),
        reason="; ".join(filter(None, (decode[1], prefill[1], users[1]))),
    )


def _need(held: Footprint | None) -> float | None:
    """The most that a load of this run took."""
    if held is None:
        return None
    taken = [memory.whole(one).value for one in memory.learned(held)]
    return max((one for one in taken if one is not None), default=None)


def _meets(target: float | None, users: Range) -> bool | None:
    if target is None or users is None:
        return None
    if users[0] >= target:
        return True
    return False if users[1] < target else None


# --- rates ----------------------------------------------------------------------------------------------------


def _decode(case: _Case) -> Found:
    here, bandwidth = decode_here(case.cost, case.persona), _bandwidth(case.facts, case.held)
    if here is None:
        return None, f"writing: {case.cost.missing.get('decode', 'no step was measured')}"
    if bandwidth.number is None:
        return None, f"writing: {bandwidth.reason}"
    ratio = case.machine.bandwidth / bandwidth.number
    low, high = published.from_another()
    least = here * min(1.0, ratio) if _small(case.held) else math.inf
    return (min(here * ratio * low, least), here * ratio * high), ""


def _prefill(case: _Case) -> Found:
    if case.machine.compute is None:
        return None, "reading: no figure of its maker's for its compute"
    if not case.parameters:
        return None, "reading: the server does not say how many parameters the model has"
    low, high = published.of_compute()
    most = case.machine.compute / (2 * case.parameters)
    here = prefill_here(case.cost, case.persona) if _small(case.held) else None
    return (min(low * most, math.inf if here is None else here), high * most), ""


def _small(held: Footprint | None) -> bool:
    """Whether the model is smaller than that of the published table, and may gain little from a faster machine."""
    return held is None or held.weights is None or held.weights < published.READ


def decode_here(cost: CostModel, persona: Persona | None) -> float | None:
    """Tokens a second of one stream, at the depth of the persona's first answer, else at the least that was measured."""
    if cost.decode is None:
        return None
    least, most = cost.decode.span["depth"]
    depth = least if persona is None else persona.prompt_tokens + persona.output_tokens / 2
    spent = seconds(cost.decode)(1.0, min(max(depth, least), most))
    return 1 / spent if spent > 0 else None


def prefill_here(cost: CostModel, persona: Persona | None) -> float | None:
    """Prompt tokens a second, of the persona's question, else of the longest prompt that was measured."""
    if cost.prefill is None:
        return None
    least, most = cost.prefill.span["tokens"]
    tokens = most if persona is None else min(max(float(persona.prompt_tokens), least), most)
    spent = seconds(cost.prefill)(tokens, 0.0)
    return tokens / spent if spent > 0 else None


def _bandwidth(facts: Mapping[str, Fact], held: Footprint | None) -> Value:
    """Of the memory that the model lies in here."""
    if held is not None:
        loads = memory.learned(held)
        vram = max((one.vram.value or 0.0 for one in loads), default=0.0)
        on_card = vram > 0
        if on_card and held.weights is not None and vram < _ON_CARD * held.weights:
            return Value(None, "here the model lies partly in GPU memory and partly in RAM")
    else:
        on_card = _fact(facts, "gpu0.bandwidth") is not None
    names = ("unified.bandwidth", "gpu0.bandwidth") if on_card else ("ram.bandwidth", "unified.bandwidth")
    found = next((rate for name in names if (rate := _fact(facts, name)) is not None), None)
    if found is None:
        return Value(
            None, "the bandwidth of this machine's memory is not known; `olbench bandwidth` measures it"
        )
    return Value(found)


def _fact(facts: Mapping[str, Fact], name: str) -> float | None:
    found = facts.get(name)
    return (
        float(found) if isinstance(found, int | float) and not isinstance(found, bool) and found > 0 else None
    )


# --- users ----------------------------------------------------------------------------------------------------


def _users(case: _Case, decode: Range, prefill: Range) -> Found:
    """How many are served as well as was asked for, at the slow and at the quick end."""
    if case.persona is None or not case.terms:
        return None, ""
    writes, reads = decode_here(case.cost, case.persona), prefill_here(case.cost, case.persona)
    if decode is None or prefill is None or writes is None or reads is None:
        return None, "users: they take a rate of writing and one of reading"
    crowd = Crowd(case.persona, case.terms, 1, ASSUMED)
    engine = engine_of(case.cost, ASSUMED)
    slow, quick = (
        _carried(crowd, _scaled(engine, writes / write, reads / read))
        for write, read in zip(decode, prefill, strict=True)
    )
    return (min(slow, quick), max(slow, quick)), ""


def _scaled(engine: Engine, writing: float, reading: float) -> Engine:
    return replace(
        engine,
        step=engine.step * writing,
        stream=engine.stream * writing,
        depth=engine.depth * writing,
        opening=engine.opening * reading,
        token=engine.token * reading,
        square=engine.square * reading,
    )


def _carried(crowd: Crowd, engine: Engine) -> float:
    """The most users of a grid of numbers 5 % apart that are served well; 0: not even one."""
    low, high = -1, len(_GRID)
    while high - low > 1:
        middle = (low + high) // 2
        if crowd.room(engine, _GRID[middle], REQUESTS) >= 0:
            low = middle
        else:
            high = middle
    return float(_GRID[low]) if low >= 0 else 0.0


def _grid() -> tuple[int, ...]:
    found = [1]
    while found[-1] < MOST_USERS:
        found.append(max(found[-1] + 1, round(found[-1] * 1.05)))
    return tuple(found)


_GRID = _grid()
