"""Plain httpx: one shared client without limits, aiter_lines, a stamp when a line comes."""

import asyncio

import httpx
from job import Heard, Job, Said, now
from peers import load

HEADERS = {"Content-Type": "application/json"}


def run(job: Job) -> Said:
    """Run it."""
    return asyncio.run(_run(job))


async def _run(job: Job) -> Said:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=None) as client:

        async def send(body: bytes, heard: Heard) -> None:
            heard.sent_ns = now()
            async with client.stream(
                "POST", f"{job.url}/api/generate", content=body, headers=HEADERS
            ) as response:
                async for line in response.aiter_lines():
                    heard.hear(line, now())

        return await load(job, send)
