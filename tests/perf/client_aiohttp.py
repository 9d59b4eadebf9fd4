"""Plain aiohttp: one session without a connection limit, line by line, a stamp when a line comes."""

import asyncio

import aiohttp
from job import Heard, Job, Said, now
from peers import load

HEADERS = {"Content-Type": "application/json"}


def run(job: Job) -> Said:
    """Run it."""
    return asyncio.run(_run(job))


async def _run(job: Job) -> Said:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=None)
    ) as session:

        async def send(body: bytes, heard: Heard) -> None:
            heard.sent_ns = now()
            async with session.post(f"{job.url}/api/generate", data=body, headers=HEADERS) as response:
                async for line in response.content:
                    heard.hear(line, now())

        return await load(job, send)
