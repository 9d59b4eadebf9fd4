"""How exactly requests leave when they are due: at 200 a second, and in a replay of ten thousand whose memory stays flat.

`python tests/perf/pacing.py [rate|trace]`, with the scripted server in a process of its own.
"""

import argparse
import asyncio
import gc
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import quantiles

from olbench import underload
from olbench.apis.ollama import Ollama
from olbench.arrival import Arrival, Load
from olbench.bench import Terms
from olbench.engines.scripted_process import ScriptedProcess
from olbench.engines.scripted_script import Script
from olbench.hopeless import Outlook
from olbench.lengths import Fit
from olbench.model import Cell, Sample
from olbench.voices import Voices
from olbench.workload import Synthetic

MS = 1_000_000
RATE = 200.0
ENOUGH_SHARE, ENOUGH_NS = 0.99, MS  # of requests leave so soon after they are due
SERVER = Script(load_ns=0, ttft_ns=20 * MS, itl_ns=5 * MS, slots=512)
STEADY, POISSON = Load(pattern="steady", rate=RATE), Load(pattern="poisson", rate=RATE)
FEW, MANY = 2_000, 10_000
FIT = Fit(((128, 90), (4096, 4000)))  # words of a prompt; the scripted server counts words and some more


def main(argv: Sequence[str] | None = None) -> int:
    """Take what is asked for; 1 when requests left late."""
    parser = argparse.ArgumentParser(prog="pacing.py")
    parser.add_argument("what", nargs="?", choices=["rate", "trace", "both"], default="both")
    given = parser.parse_args(argv)
    _say(f"load average before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} cores")
    kept = []
    if given.what != "trace":
        kept += [asyncio.run(_rate(load)) for load in (STEADY, POISSON)]
    if given.what != "rate":
        kept.append(asyncio.run(_replay()))
    return 0 if all(kept) else 1


async def _rate(load: Load) -> bool:
    seen = await _taken(load, (), FEW)
    return _paced(f"{load.pattern}, {RATE:g} a second, {FEW} requests", seen)


async def _replay() -> bool:
    trace = _trace(MANY)
    load = Load(pattern="replay", trace="0" * 12, speed=1.0)
    before = _rss()
    seen = await _taken(load, trace, MANY)
    began = min(one.wanted_ns for one in seen)
    order = sorted(seen, key=lambda one: one.index)
    # What was asked for is the trace's own distance to the first request; what was done is when bytes left.
    errors = [
        abs(((one.sent_ns or 0) - began) - entry.due_ns) for one, entry in zip(order, trace, strict=True)
    ]
    gaps = [
        abs((two.sent_ns or 0) - (one.sent_ns or 0) - (after.due_ns - before_.due_ns))
        for one, two, before_, after in zip(order, order[1:], trace, trace[1:], strict=False)
    ]
    _tell("error of the moment of sending", errors)
    _tell("error of the times between two requests", gaps)
    words = sum(entry.prompt_tokens for entry in trace)
    _say(f"  prompts of {words} tokens in all, about {words * 6 / 2**20:.0f} MiB of text")
    _say(
        f"  RSS {before / 2**20:.0f} MiB before, {_rss() / 2**20:.0f} MiB with all {len(seen)} samples decoded"
    )
    return _paced(f"a trace of {len(trace)} requests", seen)


async def _taken(load: Load, trace: tuple[Arrival, ...], requests: int) -> tuple[Sample, ...]:
    server = ScriptedProcess(SERVER)
    try:
        api = Ollama(await server.start())
        watching = asyncio.create_task(_watch())
        try:
            sending = _sending(api, load, requests)
            await api.preload(sending.cell)
            gc.collect()
            return await underload.sent(sending, trace)
        finally:
            watching.cancel()
            await api.close()
    finally:
        await server.stop()


async def _watch() -> None:
    """Print the memory every few seconds while it goes on."""
    while True:
        _say(f"  RSS {_rss() / 2**20:.0f} MiB")
        await asyncio.sleep(10)


def _sending(api: Ollama, load: Load, requests: int) -> underload.Sending:
    cell = Cell(
        id="be9c00000000",
        model="scripted:1b",
        base="scripted:1b",
        quantization=None,
        api="chat",
        num_ctx=8192,
        concurrency=1,
        prompt_tokens=200,
        output_tokens=8,
        think=None,
        cache="cold",
        options=(("seed", 1), ("temperature", 0.0)),
        load=load,
    )

    def text(tokens: int) -> Synthetic:
        return Synthetic("en", FIT.size(tokens), 1, None)

    return underload.Sending(
        api=api,
        cell=cell,
        load=load,
        terms=Terms(
            seed=1,
            requests=requests,
            warmup=0,
            timeout_ns=60_000 * MS,
            cold_load=False,
            budget_ns=None,
            nonce="n",
            language="en",
            system=None,
            limits={},
            retake=False,
        ),
        repeat=0,
        first=0,
        voices=Voices((cell,), (text(200),), (text,)),
        stop=asyncio.Event(),
        outlook=Outlook(()),
    )


def _trace(count: int) -> tuple[Arrival, ...]:
    """Poisson at the rate, with bursts of four here and there, and lengths from a few tokens to thousands."""
    draws, due = random.Random(1), 0.0
    made: list[Arrival] = []
    while len(made) < count:
        for _ in range(4 if draws.random() < 0.1 else 1):
            tokens = min(4000, round(draws.lognormvariate(6.3, 0.9)))
            made.append(
                Arrival(due_ns=round(due * 1e9), prompt_tokens=tokens, output_tokens=draws.randint(4, 12))
            )
        due += draws.expovariate(RATE / 1.3)
    return tuple(made[:count])


def _paced(what: str, seen: Sequence[Sample]) -> bool:
    late = [one.sent_ns - one.wanted_ns for one in seen if one.sent_ns is not None]
    share = sum(one <= ENOUGH_NS for one in late) / len(seen)
    good = sum(one.outcome == "ok" for one in seen)
    _say(f"{what}: {share:.2%} left within 1 ms of their due time; {good} of {len(seen)} answered")
    _tell("lateness", late)
    return share >= ENOUGH_SHARE


def _tell(what: str, spans_ns: Sequence[int]) -> None:
    cuts = quantiles(spans_ns, n=100)
    _say(
        f"  {what}: p50 {cuts[49] / 1e3:.0f} us, p99 {cuts[98] / 1e3:.0f} us, max {max(spans_ns) / 1e6:.2f} ms"
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _rss() -> int:
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
