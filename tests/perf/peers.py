"""The load that asyncio clients other than olbench run: the same loops, written as anybody would write them."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from job import Heard, Job, Said, now

Send = Callable[[bytes, Heard], Awaitable[None]]

LEAD_NS = 50_000_000


async def load(job: Job, send: Send) -> Said:
    """Send all requests; `send` fills in what it hears."""
    bodies = job.bodies()
    before = time.process_time_ns()
    heard = await (_closed(job, bodies, send) if job.rate is None else _paced(job, bodies, send))
    return Said(heard, time.process_time_ns() - before, now(), None)


async def _closed(job: Job, bodies: list[bytes], send: Send) -> list[Heard]:
    waiting = iter(bodies)
    heard: list[Heard] = []
    began = now()

    async def stream() -> None:
        wanted, fresh = began, True
        for body in waiting:
            one = Heard(wanted, fresh)
            heard.append(one)
            await send(body, one)
            wanted, fresh = now(), False

    await asyncio.gather(*(stream() for _ in range(job.streams)))
    return heard


async def _paced(job: Job, bodies: list[bytes], send: Send) -> list[Heard]:
    heard: list[Heard] = []
    tasks: list[asyncio.Future[None]] = []
    for body, due in zip(bodies, job.dues(now() + LEAD_NS), strict=True):
        await asyncio.sleep(max(0, due - now()) / 1e9)
        one = Heard(due, fresh=False)
        heard.append(one)
        tasks.append(asyncio.ensure_future(send(body, one)))
    await asyncio.gather(*tasks)
    return heard
