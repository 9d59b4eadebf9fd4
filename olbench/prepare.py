"""Before a visit: other models out, this one in with exactly the cell's options, and the proof that it is so."""

import asyncio
from collections.abc import Collection, Mapping

from olbench.clock import now, sleep_until
from olbench.errors import ServerError
from olbench.model import Cell, How, ModelCard, Placement, Resident
from olbench.ports import Api
from olbench.probes.runner import Runner

POLL_NS = 50_000_000
NOT_FOUND = 404
UNLOAD_PATIENCE_NS = 60_000_000_000
# The server may read a stale figure of free GPU memory right after an unload, and then place fewer layers there.
GPU_SETTLE_NS = 1_500_000_000


async def reachable(api: Api, patience_ns: int) -> str:
    """The server's version; waits `patience_ns` for one that is just restarting. Raises ServerError."""
    give_up = now() + patience_ns
    while True:
        try:
            return await api.version()
        except ServerError:
            if now() >= give_up:
                raise
        await sleep_until(min(give_up, now() + 5 * POLL_NS))


async def cleared(api: Api) -> tuple[str, ...]:
    """Unload every model and wait until none is resident; the names that were. Raises ServerError when one stays.

    A model that was deleted while it was in memory has no name any more by which it could be asked to leave. It is not
    waited for: the placement tells that it was there.
    """
    before = await api.resident()
    nameless = {one.name for one in before if not await _asked_to_leave(api, one.name)}
    give_up = now() + UNLOAD_PATIENCE_NS
    left = before
    while left:
        left = tuple(one for one in await api.resident() if one.name not in nameless)
        if left and now() >= give_up:
            names = ", ".join(one.name for one in left)
            raise ServerError(
                f"{names} did not leave memory within {UNLOAD_PATIENCE_NS // 10**9} s of the unload"
            )
        if left:
            await asyncio.sleep(POLL_NS / 1e9)
    if any(one.size_vram for one in before):
        await asyncio.sleep(GPU_SETTLE_NS / 1e9)
    return tuple(one.name for one in before)


async def _asked_to_leave(api: Api, model: str) -> bool:
    """Whether the server knows the model."""
    try:
        await api.unload(model)
    except ServerError as fault:
        if fault.status == NOT_FOUND:
            return False
        raise
    return True


def holds(
    resident: tuple[Resident, ...], cell: Cell, card: ModelCard | None, mates: Collection[str] = ()
) -> bool:
    """Whether the cell's model, and no other but its `mates` in a mix, is in memory with the cell's context.

    As far as the server tells.
    """
    found = _own(resident, cell, card)
    if found is None or found.context_length not in (None, _context(cell, card)):
        return False
    return not _strangers(resident, found, mates)


async def verified(
    api: Api,
    cell: Cell,
    card: ModelCard | None,
    *,
    how: How,
    preload_ns: int | None,
    runner: Runner,
    mates: Collection[str] = (),
) -> Placement:
    """What the server did with the model, held against what was asked of it; its `mates` in a mix may be there too."""
    resident = await api.resident()
    found = _own(resident, cell, card)
    parallel, batch = (runner.settings.get(name) for name in ("runner.parallel", "runner.batch"))
    return Placement(
        how=how,
        preload_ns=preload_ns,
        digest=found.digest if found else None,
        size=found.size if found else None,
        size_vram=found.size_vram if found else None,
        context_length=found.context_length if found else None,
        runner_pid=runner.pid,
        parallel=parallel if isinstance(parallel, int) else None,
        doubts=tuple(_doubts(resident, found, cell, card, mates)),
        others=_strangers(resident, found, mates),
        batch=batch if isinstance(batch, int) else None,
    )


async def missing_mates(api: Api, mates: Collection[str], when: str) -> tuple[str, ...]:
    """In a sentence, that not all models of a mix are in memory; () if they are: a server may have room for one."""
    if len(mates) < 2:
        return ()
    there = {full(one.name) for one in await api.resident()}
    gone = sorted(name for name in mates if full(name) not in there)
    if not gone:
        return ()
    return (f"of {len(mates)} models in the mix, {', '.join(gone)} had left memory {when}",)


def _doubts(
    resident: tuple[Resident, ...],
    found: Resident | None,
    cell: Cell,
    card: ModelCard | None,
    mates: Collection[str],
) -> list[str]:
    if found is None:
        return [f"the server does not list {cell.model} as loaded after loading it"]
    doubts: list[str] = []
    if found.context_length is not None and found.context_length != cell.num_ctx:
        doubts.append(f"asked for num_ctx {cell.num_ctx}, the server gave {found.context_length}")
    if card and card.digest and found.digest and found.digest != card.digest:
        doubts.append(f"{cell.model} changed during the run: its digest is now {found.digest[:12]}")
    others = _strangers(resident, found, mates)
    if others:
        doubts.append(f"also in memory: {', '.join(others)}")
    return doubts


def _strangers(
    resident: tuple[Resident, ...], found: Resident | None, mates: Collection[str]
) -> tuple[str, ...]:
    known = {full(name) for name in mates}
    return tuple(one.name for one in resident if one is not found and full(one.name) not in known)


def full(name: str) -> str:
    """A model's name as the server compares it."""
    return (name if ":" in name.rpartition("/")[2] else f"{name}:latest").lower()


def _own(resident: tuple[Resident, ...], cell: Cell, card: ModelCard | None) -> Resident | None:
    # A runner that two names share is listed under the name that loaded it first, so the digest counts too.
    names = {cell.model.lower(), f"{cell.model}:latest".lower()}
    by_name = [one for one in resident if one.name.lower() in names]
    by_digest = [one for one in resident if card and card.digest and one.digest == card.digest]
    return next(iter(by_name or by_digest), None)


def _context(cell: Cell, card: ModelCard | None) -> int:
    trained = card.context_length if card else None
    return cell.num_ctx if trained is None else min(cell.num_ctx, trained)


def cards_by_name(cards: tuple[ModelCard, ...]) -> Mapping[str, ModelCard]:
    """Cards by the names that cells carry, with and without ":latest"."""
    named = {card.name: card for card in cards}
    return named | {card.name.removesuffix(":latest"): card for card in cards}
