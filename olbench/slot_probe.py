"""A burst of short requests, sent all at once, whose starts show how many of them a server computes at a time."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from olbench import passages
from olbench.drive import closed_loop, decoded
from olbench.model import GOOD, Cell, Message, Placement, Prompt, Request, Sample
from olbench.passages import Language
from olbench.ports import Api
from olbench.workload import Batch

LEAST = 4  # slots that a probe looks for at least
MOST = 33  # requests that it sends at most, unless a cell has more streams
LOAD_STREAMS = 8  # what is under way of a load is not known before: as many as servers have slots
WAVE_NS = 120_000_000  # an answer should last so long: many times what it takes to hand a slot over
PATIENCE_NS = 60_000_000_000  # requests like the first one fit into this, even one after the other
LEAST_TOKENS, MOST_TOKENS = 16, 512
CONTEXT_PART = 4  # an answer takes no more than this part of the context
_NAME = "slot probe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """How a probe is sent."""

    count: int  # requests at once; a slow server is sent fewer
    first: int  # index of the first one
    language: Language
    nonce: str
    timeout_ns: int


def due(cell: Cell, placement: Placement | None, said: int | None) -> bool:
    """Whether the slots matter to this cell (or to a user who `said` how many there are) and nothing else tells them."""
    matter = cell.concurrency > 1 or cell.load is not None or said is not None
    return (placement is None or placement.parallel is None) and matter


def size(cells: Iterable[Cell], said: int | None) -> int:
    """How many requests tell the slots for all these cells: enough for two rounds and one more, if that is not a crowd."""
    streams = max(map(_streams, cells))
    return max(min(2 * max(streams, said or 0, LEAST) + 1, MOST), streams + 1)


def _streams(cell: Cell) -> int:
    """Requests that may be under way at once."""
    if cell.load is None:
        return cell.concurrency
    return LOAD_STREAMS if cell.load.users is None else min(cell.load.users, LOAD_STREAMS)


async def probe(api: Api, cell: Cell, burst: Burst, stop: asyncio.Event) -> tuple[Sample, ...]:
    """One request alone, which tells the server's rate, and then all others at once; all have ended when this returns."""
    asked = replace(cell, output_tokens=LEAST_TOKENS)
    scouts = await _sent(api, asked, burst, stop, range(1))
    scout = next((one for one in scouts if one.outcome in GOOD), None)
    if scout is None:
        return scouts
    asked = replace(cell, output_tokens=_tokens(cell, scout))
    most = max(LEAST + 1, PATIENCE_NS // max(1, scout.end_ns - scout.wanted_ns))
    return scouts + await _sent(api, asked, burst, stop, range(1, min(burst.count, most) + 1))


async def _sent(
    api: Api, cell: Cell, burst: Burst, stop: asyncio.Event, numbers: range
) -> tuple[Sample, ...]:
    # No prompt has been seen before, whatever the cell asks for: from the cache they would not be equally long.
    text = (Message("user", passages.closing(burst.language)),)
    prompts = Batch((Prompt(_NAME, text),), None)
    nonce = f"{_NAME} {cell.id} {burst.nonce}"
    requests = [
        Request(burst.first + number, "probe", prompts.prompt(number, f"{nonce} {number}"))
        for number in numbers
    ]
    wires = [api.encode(cell, one) for one in requests]
    taken = await closed_loop(api, wires, streams=len(wires), timeout_ns=burst.timeout_ns, stop=stop)
    return decoded(api, cell, taken)


def _tokens(cell: Cell, scout: Sample) -> int:
    """So many that an answer lasts long enough at the rate that the scout met."""
    most = max(LEAST_TOKENS, min(MOST_TOKENS, cell.num_ctx // CONTEXT_PART))
    counts = scout.counts
    if counts is None or not counts.eval_ns or counts.eval_count is None or counts.eval_count < 2:
        return LEAST_TOKENS
    each_ns = counts.eval_ns / (counts.eval_count - 1)
    return min(most, max(LEAST_TOKENS, round(WAVE_NS / each_ns)))
