"""What visits tell of a server beside its costs: how full its batches are, what its cache keeps, what else takes time."""

import re
from collections.abc import Iterable, Sequence

import numpy as np

from olbench.column import Numbers, joined
from olbench.crowd import Beside
from olbench.gist import Gist, Told
from olbench.queueing import BATCH, Cache

# A server that keeps every conversation has most of what was said; one that keeps none has the template at most.
MOST, LEAST = 0.9, 0.1
ENOUGH = 20  # later turns that must have been seen
_RELEASE = re.compile(r"(\d+)\.(\d+)")
_KEEPING = (0, 30)


def beside(cells: Sequence[Told]) -> Beside:
    """What the cells of one model tell, and what is usual where they tell nothing."""
    return Beside(cache=cache(cells), batch=_batch(cells), head=_head(cells), overhead=_overhead(cells))


def cache(cells: Sequence[Told]) -> Cache:
    """Which conversations go on without being read anew, by the cached tokens of later turns.

    With no more users than slots every slot keeps its own: that looks like "all", and does not matter there.
    """
    shares = joined([_kept(gist) for told in cells if told.cell.load is not None for gist in told.gists])
    shares = shares[np.isfinite(shares)]
    if len(shares) < ENOUGH:
        return _usual(cells)
    middle = float(np.mean(shares > (MOST + LEAST) / 2))
    return "all" if middle >= MOST else "none" if middle <= LEAST else "slot"


def _usual(cells: Sequence[Told]) -> Cache:
    """As such servers do when nobody sets them otherwise, where that was not seen.

    Ollama runs llama-server from 0.30 on, which puts what leaves a slot into 8 GiB of main memory.
    """
    facts = cells[0].facts if cells else {}
    found = _RELEASE.match(str(facts.get("server.version") or ""))
    ours = facts.get("engine.name") is not None
    return "all" if found and not ours and tuple(map(int, found.groups())) >= _KEEPING else "slot"


def _kept(gist: Gist) -> Numbers:
    """Of each later turn the share of what was said before that came from the cache."""
    turn = gist.served.turn[gist.served.good]
    prompt, cached = (gist.columns[key].aligned() for key in ("prompt_tokens", "cached_tokens"))
    later = (turn > 0) & (prompt > 0)
    # Answers make the history longer than this: who has it all has more than enough.
    history = prompt[later] * turn[later] / (turn[later] + 1)
    return np.minimum(cached[later] / history, 1.0)


def _batch(cells: Iterable[Told]) -> int:
    """The batch that was asked for; an automatic one is not told."""
    asked = [value for told in cells for name, value in told.cell.options if name == "num_batch"]
    return max((one for one in asked if isinstance(one, int)), default=BATCH)


def _head(cells: Iterable[Told]) -> int:
    """The middle of what came from the cache of prompts that had never been sent: how they all begin."""
    cold = [one for one in cells if one.cell.load is None and one.cell.cache == "cold"]
    found = joined([gist.columns["cached_tokens"].aligned() for told in cold for gist in told.gists])
    found = found[np.isfinite(found)]
    return round(float(np.median(found))) if len(found) else 0


def _overhead(cells: Iterable[Told]) -> float:
    """The middle of what a request alone waits for its first token beyond its prompt's reading."""
    alone = [one for one in cells if one.cell.load is None and one.cell.concurrency == 1]
    found = [float(np.median(spent)) for told in alone for gist in told.gists if len(spent := _beyond(gist))]
    return max(float(np.median(found)), 0.0) if found else 0.0


def _beyond(gist: Gist) -> Numbers:
    spent = gist.columns["ttft"].aligned() - gist.columns["prefill_time"].aligned()
    return spent[np.isfinite(spent)]
