"""The loads under which clients are measured, and one run of one client under one of them."""

import json
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import truths
from figures import Figure, figures
from job import Client, Job, said_of
from servers import BenchError, Rhythm, Server, end, start_hog

PATIENCE_S = 180.0
SPEECH = Rhythm(ttft_us=50_000, itl_us=20_000)
BLAST = Rhythm(ttft_us=0, itl_us=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked of a client; `rate` as in Job."""

    name: str
    streams: int
    requests: int
    tokens: int
    rhythm: Rhythm = SPEECH
    rate: float | None = None
    kernel: bool = True
    hog: bool = False

    def seconds(self) -> float:
        """How long it takes at least, the process's start included."""
        each = (self.rhythm.ttft_us + self.rhythm.itl_us * self.tokens) / 1e6
        turns = self.requests / self.streams if self.rate is None else 1
        return 1.0 + each * turns + (0 if self.rate is None else self.requests / self.rate)


def closed(streams: int, requests: int) -> Load:
    """All streams begin at once, each goes on when it was answered."""
    return Load(name=f"c{streams}", streams=streams, requests=requests, tokens=64)


LOADS = {
    load.name: load
    for load in (
        closed(1, 5),
        closed(16, 32),
        closed(64, 128),
        closed(256, 512),
        Load(name="paced", streams=1, requests=1000, tokens=8, rate=200.0),
        Load(name="hog", streams=16, requests=32, tokens=64, hog=True),
        Load(name="user-space", streams=64, requests=128, tokens=64, kernel=False),
        Load(name="blast", streams=16, requests=16, tokens=1000, rhythm=BLAST),
    )
}


def shortened(load: Load) -> Load:
    """The same, small: to see that everything works, not how well. A blast is short as it is."""
    if load.rhythm == BLAST:
        return load
    return replace(load, tokens=min(load.tokens, 16), requests=min(load.requests, max(100, 2 * load.streams)))


def run(client: Client, load: Load, server: Server, core: int | None) -> dict[str, Figure]:
    """The figures of one client under one load. Raises BenchError."""
    url = server.begin(load.rhythm)
    job = Job(client, url, load.streams, load.requests, load.tokens, load.rate, load.kernel, core)
    hog = start_hog(core) if load.hog else None
    try:
        text = _said(job)
    finally:
        if hog is not None:
            end(hog)
    try:
        known = truths.by_prompt(server.truths())
        return figures(said_of(text), known, load.tokens, paced=load.rate is not None)
    except (ValueError, KeyError, TypeError) as fault:
        raise BenchError(f"what was said of the load cannot be used: {fault!r}") from fault


def _said(job: Job) -> str:
    command = [sys.executable, str(Path(__file__).with_name("client.py")), json.dumps(asdict(job))]
    try:
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired as fault:
        raise BenchError(f"it was not done within {PATIENCE_S:.0f} s") from fault
    if done.returncode:
        last = next(iter(done.stderr.strip().splitlines()[-1:]), f"exit {done.returncode}, and no word more")
        raise BenchError(last)
    return done.stdout
