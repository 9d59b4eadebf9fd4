"""How many requests a server computes at a time: from its runner's command line, or from the starts in a probe.

When requests wait, every slot is busy: the most that are computed together are then the slots, and each time that one
of them ends another must start. Both are read from the server's own clock and durations: a request ends with its last
line, it starts as long before its first text as the reading of its prompt took, and it waits for what its
total_duration leaves beside load, prompt and answer.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from olbench.column import Numbers
from olbench.findings import Slots
from olbench.model import FINAL, GOOD, TEXT, THINKING, Outcome, Placement, Sample
from olbench.prose import counted, listed, tallied

COMMAND_LINE = "the runner's command line"
NOT_PROBED = "the runner's command line cannot be read, and no probe was sent"
LOST = "the server's lines and counts do not say when its requests were computed"
ALONE = "fewer than two requests of the probe were computed"
TOO_SHORT = "the probe's requests were over before they met"
# Of the time that a usual request is computed: what is shorter is the time of handing a slot over, or of the door.
GRAIN = 0.25
# An engine may finish the prompts of others before it looks at that of a slot's new request; a slot is not left idle
# for as long as this part, again and again.
IDLE = 0.75
_NEVER_COMPUTED: tuple[Outcome, ...] = ("queue_full", "refused")  # such a request has taken no slot


@dataclass(frozen=True, slots=True)
class _Spells:
    """When the server had each request waiting, and when it computed it: nanoseconds of its own clock."""

    begin: Numbers
    start: Numbers
    end: Numbers

    @property
    def usual(self) -> float:
        """How long a request is computed."""
        return float(np.median(self.end - self.start))


def of(placements: Sequence[Placement], probes: Sequence[Slots]) -> Slots:
    """A cell's slots: `placements` are its own, `probes` those of all visits with the same load."""
    told = sorted({one.parallel for one in placements if one.parallel is not None})
    if told:
        fewest = f"; the fewest of {listed([str(one) for one in told])}" if len(told) > 1 else ""
        return Slots(told[0], at_least=False, how=COMMAND_LINE + fewest)
    known = [one for one in probes if one.count is not None]
    if not known:
        return next(iter(probes), Slots(None, at_least=False, how="", reason=NOT_PROBED))
    return _agreed(known)


def _agreed(known: Sequence[Slots]) -> Slots:
    """What several probes say together."""
    exact = {one.count for one in known if not one.at_least}
    most = max(known, key=lambda one: one.count or 0)
    if not exact:
        return most
    found = next(one for one in known if not one.at_least)
    if len(exact) == 1 and most.count == found.count:
        return found
    counts = listed([str(one.count) for one in known])
    return Slots(None, at_least=False, how=found.how, reason=f"{len(known)} probes disagree: {counts} slots")


def infer(samples: Sequence[Sample]) -> Slots | None:
    """The slots that a visit's probe shows, with the reason where it shows none; None: the visit had no probe."""
    sent = [one for one in samples if one.phase == "probe"]
    if not sent:
        return None
    at_once = max(one.wanted_ns for one in sent)  # what was wanted before is the scout
    burst = [one for one in sent if one.wanted_ns == at_once and one.outcome not in _NEVER_COMPUTED]
    how = f"a probe of {counted(len(burst), 'request')} at once"
    failed = [one.outcome for one in sent if one.outcome not in GOOD + _NEVER_COMPUTED]
    if failed:
        # A request that broke off may have held a slot all the time.
        reason = f"{len(failed)} of the probe's {counted(len(sent), 'request')} failed ({tallied(Counter(failed))})"
        return Slots(None, at_least=False, how=how, reason=reason)
    if len(burst) < 2:
        return Slots(None, at_least=False, how=how, reason=ALONE)
    spells = _spells(burst)
    if spells is None:
        return Slots(None, at_least=False, how=how, reason=LOST)
    return _counted(spells, how)


def _counted(spells: _Spells, how: str) -> Slots:
    most = _most(spells)
    waited = most < len(spells.start) and bool(((spells.start - spells.begin) > GRAIN * spells.usual).any())
    if most < (1 if waited else 2):
        return Slots(None, at_least=False, how=how, reason=TOO_SHORT)
    if waited and most > 1 and np.median(_idle(spells, most)) > IDLE * spells.usual:
        reason = f"{most} requests of the probe were computed at once, but later fewer while others waited"
        return Slots(None, at_least=False, how=how, reason=reason)
    return Slots(most, at_least=not waited, how=how)


def _idle(spells: _Spells, slots: int) -> Numbers:
    """How long slots were free before each request that was not among the first to have one."""
    return np.sort(spells.start)[slots:] - np.sort(spells.end)[:-slots]


def _most(spells: _Spells) -> int:
    """The most that were computed at once for longer than the grain without a break."""
    edges = np.unique(np.concatenate((spells.start, spells.end)))
    moments, spans = edges[:-1], np.diff(edges)
    depth = ((spells.start[:, None] <= moments) & (moments < spells.end[:, None])).sum(axis=0)
    for wanted in range(int(depth.max(initial=0)), 0, -1):
        enough = depth >= wanted
        held = np.bincount(np.cumsum(~enough)[enough], weights=spans[enough])
        if held.max() > GRAIN * spells.usual:
            return wanted
    return 0


def _spells(burst: Sequence[Sample]) -> _Spells | None:
    """None where one of them does not say all that it takes, for that one may have held a slot."""
    found = [_spell(one) for one in burst]
    told = [one for one in found if one is not None]
    if len(told) < len(found):
        return None
    # From there on floats are exact, and no server's word is too large for them.
    base = min(end for _, _, end in told)
    begin, start, end = np.array([[at - base for at in one] for one in told], dtype=np.float64).T
    # Every request passes the door, the template and the tokenizer; what the quickest took for that is no waiting.
    begin = np.minimum(begin + (start - begin).min(), start)
    return _Spells(begin, start, end)


def _spell(sample: Sample) -> tuple[int, int, int] | None:
    """When the request began to wait, when it was begun to be computed, and when it ended."""
    counts, chunks = sample.counts, sample.chunks
    spans = counts and (counts.total_ns, counts.load_ns, counts.prompt_eval_ns, counts.eval_ns)
    if not spans:
        return None
    total, load, prompt, answer = spans
    last = next((at for at, kind in zip(chunks.created_ns, chunks.kind, strict=True) if kind & FINAL), 0)
    if total is None or prompt is None or answer is None or last == 0:
        return None
    says = zip(chunks.created_ns, chunks.kind, strict=True)
    first = next((at for at, kind in says if kind & (TEXT | THINKING)), 0) if sample.streamed else 0
    start = (first or last - answer) - prompt
    waited = max(0, total - (load or 0) - prompt - answer)
    return start - waited, start, max(last, start)
