"""How often an honest server is doubted: whole runs against the scripted server, each with noise of its own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from lying import HONEST, asked, findings, flagged

RUNS = 200
# Streams, visits, noise of each request's pace. With three visits a check has least to go by, with ten most chances.
CASES = ((1, 5, 0.02), (1, 10, 0.02), (4, 5, 0.02), (1, 5, 0.05), (1, 3, 0.02))


def table(runs: int, say: Callable[[str], None]) -> str:
    """Runs with a flag, and which, as a Markdown table."""
    lines = [
        "| streams | visits | noise | runs | with a flag | which |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for streams, visits, noise in CASES:
        said = {"server.parallel": streams} if streams > 1 else None
        seen: Counter[str] = Counter()
        doubted = 0
        for seed in range(runs):
            script = replace(HONEST, noise=noise, seed=seed)
            flags = flagged(findings(script, asked(concurrency=streams), said, repeats=visits))
            doubted += bool(flags)
            seen.update({flag.check for flag in flags})
        which = ", ".join(f"{check} ({count})" for check, count in seen.most_common()) or "none"
        lines.append(f"| {streams} | {visits} | {noise:.0%} | {runs} | {doubted} | {which} |")
        say(
            f"honest runs: {streams} streams, {visits} visits, {noise:.0%} noise: {doubted} of {runs} with a flag"
        )
    return "\n".join(lines)
