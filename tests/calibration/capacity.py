"""Whether a share's interval holds near a server's limit, and where searches for that limit end: tables of docs/statistics.md."""

import math
import os
import statistics
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from arriving import measured
from calibration.tables import Say, table
from queues import EVEN, QUEUES, SHARE, SHARED, UNEVEN, Dice, Numbers, Queue, Trial, search, told

from olbench import seek
from olbench.engines.scripted import Script
from olbench.stats.attained import attained

BEGIN, END = "<!-- calibrate capacity: begin -->", "<!-- calibrate capacity: end -->"

WAYS: dict[str, tuple[int, ...]] = {
    "one round": (1,),
    "two": (1, 4),
    "three, the default": seek.AGAIN,
    "sharp": seek.SHARP,
}
WINDOWS = (200, 800, 3200)
WARM = 10_000  # requests, after which a queue is what it will be
GAP = 0.125  # s of a step of the scripted server


def every(trials: int, say: Say) -> Iterator[str]:
    """All tables, in the order of the page."""
    yield coverage(max(trials // 10, 50), say)
    yield searches(max(trials // 100, 10), say)
    yield whole(max(trials // 2000, 1), say)


def coverage(trials: int, say: Say) -> str:
    """At the capacity: how often the interval of a window holds the true share, and how often it is wholly above."""
    rows = []
    for queue in (*EVEN, *UNEVEN):
        say(f"capacity: interval, {queue.name}")
        cells = []
        for count in WINDOWS:
            figures = queue.served(np.random.default_rng((43, count)), queue.capacity, WARM + trials * count)
            windows = figures[WARM:].reshape(trials, count)
            cells += [_held(queue, windows, figures=one) for one in (True, False)]
        rows.append((queue.name, *cells))
    heads = ("Queue", *(f"{count} requests{how}" for count in WINDOWS for how in ("", ", by breaches alone")))
    return table(f"Held / wholly above in %, at the capacity, {trials:,} windows", heads, rows)


def _held(queue: Queue, windows: Numbers, *, figures: bool) -> str:
    found = [attained([one <= queue.bound], SHARE, [one] if figures else [])[0] for one in windows]
    low, high = (np.array([getattr(one, end) for one in found]) for end in ("low", "high"))
    return f"{100 * np.mean((low <= SHARE) & (high >= SHARE)):.0f} / {100 * np.mean(low > SHARE):.0f}"


def searches(trials: int, say: Say) -> str:
    """Where they end, with how many probes and requests."""
    rows = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for queue in QUEUES:
            for way, again in WAYS.items():
                if queue in SHARED and again != seek.SHARP:
                    continue  # token by token they take minutes
                say(f"capacity: {queue.name}, {way}")
                made = partial(search, queue, again=again)
                rows.append((queue.name, way, *_ends(tuple(pool.map(made, range(trials), chunksize=4)))))
    heads = (
        "Queue",
        "Rounds",
        "Right",
        "Steps from the capacity: searches",
        "Probes",
        "Requests",
        "Resolved",
    )
    rounds = "; ".join(f"{way}: {', '.join(map(str, again))}" for way, again in WAYS.items())
    return table(
        f"Searches from the bottom, {trials} each; medians (most); times 200 requests: {rounds}", heads, rows
    )


def _ends(trials: Sequence[Trial]) -> tuple[str, ...]:
    probes, requests = ([getattr(one, what) for one in trials] for what in ("probes", "requests"))
    return (
        f"{sum(one.right for one in trials)}",
        told(trials),
        f"{statistics.median(probes):g} ({max(probes)})",
        f"{statistics.median(requests):,.0f} ({max(requests):,})",
        f"{sum(one.resolved for one in trials)}",
    )


def whole(trials: int, say: Say) -> str:
    """The real client and the scripted server in place of the recursion, for the even answers."""
    rows = []
    for queue in EVEN:
        for seed in range(trials):
            say(f"capacity: {queue.name} by the real client, {seed + 1} of {trials}")
            same = [
                search(one, seed, again=WAYS["two"])
                for one in (queue, Queue(queue.name, queue.slots, _phoned, queue.bound, queue.capacity))
            ]
            rows.append((queue.name, *(f"{told([one])}, {one.requests:,} requests" for one in same)))
    return table("One search by the recursion and by the real client", ("Queue", "Recursion", "Client"), rows)


def _phoned(_: Dice, dues: Numbers, slots: int) -> Numbers:
    """What the client measures of answers of a second: eight steps, of which the last is the wait for the slot's next."""
    script = Script(ttft_ns=0, itl_ns=round(GAP * 1e9), final_ns=round(GAP * 1e9), slots=slots, load_ns=0)
    first, _last = measured(script, dues, [math.ceil(1 / GAP)] * len(dues))
    return first - dues.round(9)
