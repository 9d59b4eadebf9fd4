"""How often an honest server is doubted: whole runs against the scripted server, each with noise of its own."""

from collections import Counter
from dataclasses import replace

from lying import HONEST, asked, findings, flagged

# Streams, visits, noise of each request's pace. With three visits a check has least to go by, with ten most chances.
CASES = ((1, 5, 0.02), (1, 10, 0.02), (4, 5, 0.02), (1, 5, 0.05), (1, 3, 0.02))


def doubts(runs: int, *, streams: int, visits: int, noise: float) -> tuple[int, Counter[str]]:
    """Runs with a flag, and how often each check raised one."""
    said = {"server.parallel": streams} if streams > 1 else None
    found = [
        {
            flag.check
            for flag in flagged(
                findings(
                    replace(HONEST, noise=noise, seed=seed), asked(concurrency=streams), said, repeats=visits
                )
            )
        }
        for seed in range(runs)
    ]
    return sum(map(bool, found)), Counter(check for one in found for check in one)
