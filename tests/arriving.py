"""Requests that fall due at given moments, from the real client to the scripted server in virtual time."""

import asyncio
from collections.abc import Sequence

import numpy as np
import virtual
from lying import asked
from numpy.typing import NDArray

from olbench.apis.ollama import Ollama
from olbench.clock import now
from olbench.drive import decoded_each, open_loop
from olbench.engines.scripted import Script, Scripted
from olbench.model import GOOD, Message, Prompt, Request, Sample

Numbers = NDArray[np.float64]
LONG_NS = 10**15


def measured(script: Script, dues: Numbers, tokens: Sequence[int]) -> tuple[Numbers, Numbers]:
    """Seconds from the first due moment's origin to each answer's first and last token, as the client stamped them."""
    dues_ns = [round(due * 1e9) for due in dues]
    seen = virtual.run(_sent(script, dues_ns, tokens))
    if not all(one.outcome in GOOD for one in seen):
        raise AssertionError([one.words for one in seen if one.outcome not in GOOD])
    begin = seen[0].wanted_ns - dues_ns[0]
    stamps = [one.chunks.arrived_ns for one in seen]
    first = [one[0] - begin for one in stamps]
    last = [one[count - 1] - begin for one, count in zip(stamps, tokens, strict=True)]
    return np.array(first) / 1e9, np.array(last) / 1e9


async def _sent(script: Script, dues_ns: Sequence[int], tokens: Sequence[int]) -> tuple[Sample, ...]:
    cells = [asked(output_tokens=int(count)) for count in tokens]
    prompts = [Prompt("p", (Message("user", f"number {index} please"),)) for index in range(len(cells))]
    async with Scripted(script, kernel=False) as server:
        api = Ollama(server.url, kernel_stamps=False)
        try:
            await api.preload(cells[0])
            wires = [
                api.encode(cell, Request(index, "measured", prompt))
                for index, (cell, prompt) in enumerate(zip(cells, prompts, strict=True))
            ]
            begin = now() + 1_000_000_000
            taken = await open_loop(
                api, wires, [begin + due for due in dues_ns], timeout_ns=LONG_NS, stop=asyncio.Event()
            )
            return decoded_each(api, lambda request: cells[request.index], taken)
        finally:
            await api.close()
