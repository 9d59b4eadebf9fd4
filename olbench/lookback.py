"""What is looked at when a visit has been measured: briefly, as nothing of it is worth losing samples for."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from olbench.gates import BEFORE
from olbench.model import Facts

CLOSING_S = 5.0  # what a visit may take to look around when all has been measured


async def briefly(look: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Let it look until it has seen all, for `CLOSING_S` at most, and not beyond a stop."""
    looking = asyncio.ensure_future(look)
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({looking, stopped}, timeout=CLOSING_S, return_when=asyncio.FIRST_COMPLETED)
        if looking.done():
            looking.result()
    finally:
        looking.cancel()
        stopped.cancel()
        await asyncio.wait({looking, stopped})


def changed(before: Facts, after: Facts) -> Facts:
    """What the facts were that another value has replaced since, as "NAME.before"."""
    both = before.keys() & after.keys()
    return {f"{name}{BEFORE}": before[name] for name in sorted(both) if before[name] != after[name]}
