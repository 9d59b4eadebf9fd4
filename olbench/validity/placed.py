"""Checks of where the model was computed: context, share in GPU memory, digest, reloads, other models, slots."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from olbench.findings import Slots
from olbench.gist import Told
from olbench.model import Placement
from olbench.portions import reloaded
from olbench.prose import counted
from olbench.slots import of as slot_count
from olbench.units import words
from olbench.validity.beside import gated
from olbench.validity.check import Said, either, placed, where

NOT_SEEN = "it was not seen where the server put the model"
# What a placement says of itself goes to the check that looks at the same; what none knows goes to "placement".
_DOUBTS = {"model digest": "its digest is now", "other models": "also in memory", "context": "num_ctx"}


def can(told: Told) -> str:
    """Why no placement is known."""
    return "" if any(placed(told)) else NOT_SEEN


def can_after(told: Told) -> str:
    """Why it is not known where the model was when it had been measured."""
    known = any(one.placement is not None and one.after is not None for one in told.gists)
    return "" if known else "the model's placement was not read again after the measuring"


def _doubts(told: Told, check: str) -> Iterator[Said]:
    for repeat, one in placed(told):
        for doubt in one.doubts:
            known = next((key for key, part in _DOUBTS.items() if part in doubt), "placement")
            if known == check:
                yield Said(doubt, (repeat,))


# --- context --------------------------------------------------------------------------------------------------


def context(told: Told) -> Iterator[Said]:
    """A context smaller than was asked for."""
    asked, told_of = told.cell.num_ctx, set()
    for repeat, one in placed(told):
        given = one.context_length
        if given is not None and given < asked:
            sentence = f"asked for num_ctx {asked}, the server gave {given}"
            least = f"ask for a num_ctx of {given} or less; a smaller quantization leaves room for more"
            told_of.add(sentence)
            yield Said(sentence, (repeat,), least)
    yield from (one for one in _doubts(told, "context") if one.sentence not in told_of)


# --- placement ------------------------------------------------------------------------------------------------


def placement(told: Told) -> Iterator[Said]:
    """Visits that were placed differently and are pooled all the same."""
    for what, read in _PLACED.items():
        seen = {repeat: value for repeat, one in placed(told) if (value := read(one)) is not None}
        if len(set(seen.values())) > 1:
            yield Said(
                f"visits differ in {what} ({either(seen.values())}) and are pooled all the same", tuple(seen)
            )
    shares = vram_shares(told)
    if shares and max(shares.values()) - min(shares.values()) > told.limits["vram_share"]:
        low, high = (words(end(shares.values()), "share", 2) for end in (min, max))
        yield Said(
            f"visits differ in the share of the model in GPU memory ({low} to {high}) and are pooled all the same",
            tuple(shares),
        )
    yield from _doubts(told, "placement")


_PLACED: Mapping[str, Callable[[Placement], str | None]] = {
    "context length": lambda one: None if one.context_length is None else str(one.context_length),
    "parallel slots": lambda one: None if one.parallel is None else str(one.parallel),
    "batch size": lambda one: None if one.batch is None else str(one.batch),
}


def vram_shares(told: Told) -> dict[int, float]:
    """Repeat -> share of the model in GPU memory, where the server says it."""
    return {
        repeat: one.size_vram / one.size
        for repeat, one in placed(told)
        if one.size and one.size_vram is not None
    }


def split(told: Told) -> Iterator[Said]:
    """A model that lies partly, or without need wholly, in the RAM of a machine with a GPU."""
    if any(name == "num_gpu" for name, _ in told.cell.options):
        return  # it was asked for
    bar = told.limits["vram_share"]
    shares = vram_shares(told)
    partly = {repeat: one for repeat, one in shares.items() if bar < one < 1 - bar}
    if partly:
        low, high = (words(1 - end(partly.values()), "share", 2) for end in (max, min))
        yield Said(
            f"{low if low == high else f'{low} to {high}'} of the model ran on the CPU, the rest on the GPU",
            tuple(partly),
            "take a smaller num_ctx or quantization, or fewer slots, until all of it fits into GPU memory",
        )
    card = _room(told)
    wholly = [repeat for repeat, one in shares.items() if one <= bar]
    if wholly and card:
        yield Said(
            f"the model ran on the CPU, although it would fit into the memory of {card}",
            tuple(wholly),
            "see the server's log for why it leaves the GPU alone: a missing driver, a container without access to it",
        )


def _room(told: Told) -> str:
    """The name of a card that would hold the model; "" where there is none, or the server is meant for the CPU."""
    sizes = [one.size for _, one in placed(told) if one.size is not None]
    total, name = told.facts.get("gpu0.total"), told.facts.get("gpu0.name")
    if told.facts.get("engine.device") == "cpu" or not sizes or not isinstance(total, int | float):
        return ""
    return str(name or "the GPU") if total > max(sizes) else ""


def digest(told: Told) -> Iterator[Said]:
    """A model that is not the same at every visit."""
    seen = {repeat: one.digest[:12] for repeat, one in placed(told) if one.digest}
    if len(set(seen.values())) > 1:
        yield Said(
            f"visits differ in the model's digest ({either(seen.values())}) and are pooled all the same",
            tuple(seen),
        )
    yield from _doubts(told, "model digest")
    wanted = told.card.digest if told.card else None
    for repeat, one in placed(told):
        if wanted and one.digest and one.digest != wanted:
            yield Said(
                f"{told.cell.model} changed during the run: its digest is now {one.digest[:12]}", (repeat,)
            )


# --- what went on in memory -----------------------------------------------------------------------------------


def reloads(told: Told) -> Iterator[Said]:
    """A model that was meant to be in memory and was loaded again."""
    if len({share.model for share in told.cell.mix}) > 1:
        return  # models that push each other out are what a mix is to show: its parts tell how often
    load, whole = told.aligned("warm_load"), told.aligned("e2e")
    carried = reloaded(load, whole, told.limits)
    if carried.any():
        worst = words(float(np.nanmax(load)), "s")
        yield Said(
            f"{int(carried.sum())} of {counted(len(load), 'sample')} carried a load of up to {worst} although the model "
            "was meant to be in memory",
            where(told, carried),
        )


def others(told: Told) -> Iterator[Said]:
    """Models in memory that do not belong to the cell."""
    yield from gated("other models")(told)
    unnamed = {repeat for repeat, one in placed(told) if not one.others}  # as runs of old have it
    yield from (one for one in _doubts(told, "other models") if set(one.visits) <= unnamed)


# --- slots ----------------------------------------------------------------------------------------------------


def slots(told: Told) -> Iterator[Said]:
    """More streams than the server computes at once, or other slots than the user believes in."""
    # What a load asks for at once is no wish of the scenario's: that requests queue is what it measures.
    seen, streams = seen_slots(told), 1 if told.cell.load else told.cell.concurrency
    believed = told.settings.get("server.parallel")
    count = seen.count
    if count is None or (seen.at_least and streams > count):
        yield from _waiting(told)
    elif streams > count:
        yield Said(
            f"{streams} streams on {counted(count, 'slot')}: this measures the queue",
            action=f"start the server with OLLAMA_NUM_PARALLEL={streams} and set `[server] parallel = {streams}`, or sweep "
            f"concurrency only up to {count}",
        )
    if count is not None and isinstance(believed, int) and not _agrees(seen, count, believed):
        yield Said(
            f"the scenario says `[server] parallel = {believed}`, the server has {counted(count, 'slot')} (by {seen.how})",
            action=f"set OLLAMA_NUM_PARALLEL={believed} where the server is started (some model families get one slot "
            "whatever it says), or correct the scenario",
        )


def _agrees(seen: Slots, count: int, believed: int) -> bool:
    return believed >= count if seen.at_least else believed == count


def seen_slots(told: Told) -> Slots:
    """The cell's slots by all that is known of them."""
    own = [one.probe for one in told.gists if one.probe is not None]
    return slot_count([one for _, one in placed(told)], told.probes or own)


def _waiting(told: Told) -> Iterator[Said]:
    share = waiting(told)
    if (
        told.cell.load is None
        and told.cell.concurrency > 1
        and share is not None
        and share > told.limits["queue_share"]
    ):
        yield Said(
            f"requests waited inside the server for {words(share, 'share', 2)} of their time: it seems to have fewer slots "
            "than streams",
            action="start the server with a larger OLLAMA_NUM_PARALLEL, or sweep concurrency only up to its slots",
        )


def waiting(told: Told) -> float | None:
    """Share of the requests' time that no part of the server's explains."""
    queue, whole = told.numbers("queue"), told.numbers("e2e")
    return float(queue.sum() / whole.sum()) if len(queue) and whole.sum() > 0 else None


def can_slots(told: Told) -> str:
    """Why nothing is known of the slots; one stream needs one, and every server has that."""
    seen = seen_slots(told)
    several = told.cell.load is None and told.cell.concurrency > 1
    return seen.reason if seen.count is None and several and waiting(told) is None else ""
