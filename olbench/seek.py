"""Which load to try next: the highest one that is kept, among ascending loads, in a bounded number of probes.

Far from the answer few requests tell on which side of it a load lies; near it, it takes many. So the search goes through
the loads with few requests first, and is content where that leaves something unclear; what lies between the highest load
that was kept and the lowest that was broken is then gone through with more, and again with more.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.sized import Kept

MOST = 15  # probes
# Times the base number of requests, from one round to the next. The doubt of a share shrinks with the root of the
# requests: little more tells little more, and takes a probe.
AGAIN = (1, 4, 16)
# What it takes to find a capacity to one step of 10 % in 95 of 100 searches (docs/statistics.md): for whoever has the time.
SHARP = (1, 16, 128)
QUICK = (1, 4)
EFFORTS: Mapping[str, Sequence[int]] = {
    "quick": QUICK,
    "usual": AGAIN,
    "sharp": SHARP,
}  # by what a scenario calls them
NEAR = 2  # places between which a round is content: the next one sees more sharply
WHOLE = 0.5  # of the requests asked for, that make a probe one of its round: people ask at random


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one load; of two that are of the same place the later counts."""

    place: int  # on the grid
    verdict: Kept  # of all its requests together
    requests: int  # of all its probes
    probes: int = 1  # that gave them
    leans: bool = False  # of an unclear one: whether it rather seems kept


@dataclass(frozen=True, slots=True)
class Ask:
    """Probe this place."""

    place: int
    again: int  # times the base number of requests


@dataclass(frozen=True, slots=True)
class Found:
    """The search is over."""

    place: int | None  # the highest that was shown to be kept below what was broken; None: there is none
    over: int | None  # the lowest above it that was shown to be broken; None: there is none
    resolved: bool  # the next place above was shown to be broken
    reason: str  # why it is not resolved; ""


# --- loads ----------------------------------------------------------------------------------------------------


def grid(least: float, most: float, step: float, *, whole: bool) -> tuple[float, ...]:
    """Ascending loads from `least` to `most`, each higher than the one before by the share `step`.

    Whole ones (people, streams) by 1 at least. The last step may be up to half a step longer or shorter, to end at `most`.
    """
    loads = [float(math.ceil(least)) if whole else float(least)]
    last = float(math.floor(most)) if whole else float(most)
    while (following := _above(loads[-1], step, whole=whole)) <= last:
        loads.append(following)
    if loads[-1] < last:
        near = len(loads) > 1 and last - loads[-1] < (following - loads[-1]) / 2
        loads[-1:] = [last] if near else [loads[-1], last]
    return tuple(loads)


def place_of(load: float, loads: Sequence[float]) -> int:
    """The highest place that is not above a load; the lowest if all are."""
    return max((place for place, one in enumerate(loads) if one <= load), default=0)


def _above(load: float, step: float, *, whole: bool) -> float:
    above = load * (1 + step)
    return max(load + 1, float(math.floor(above + 1e-9))) if whole else above


# --- the search -----------------------------------------------------------------------------------------------


def following(
    seen: Sequence[Seen],
    loads: Sequence[float],
    *,
    start: int | None = None,
    most: int = MOST,
    requests: int | None = None,
    again: Sequence[int] = AGAIN,
) -> Ask | Found:
    """What to probe next, or what was found; `start` is the place to begin at, else the lowest.

    `requests` is the base number; None: the fewest that a probe had. `again`: times that number, round by round; fewer
    rounds cost less and end lower.
    """
    known = {one.place: one for one in seen}
    if not known:
        return _begun(len(loads), start, most, again[0])
    base = requests or min((one.requests / one.probes for one in known.values() if one.requests), default=1.0)
    rounds = {place: _rounds(one, base, again) for place, one in known.items()}
    sight = _Sight(known, rounds, loads, start, again)
    asked = sight.contradiction() or sight.asked()
    if asked is None or sum(one.probes for one in seen) >= most:
        return sight.found(spent=asked is not None)
    return asked


def _begun(count: int, start: int | None, most: int, again: int) -> Ask | Found:
    if most < 1:
        return Found(None, None, resolved=False, reason="no load was tried")
    return Ask(min(max(start or 0, 0), count - 1), again)


def _rounds(one: Seen, base: float, again: Sequence[int]) -> int:
    """In how many rounds a place counts as probed. Each probe is one, whatever it gave: the search must end."""
    return max(one.probes, sum(one.requests >= WHOLE * times * base for times in again))


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is known of all places."""

    known: Mapping[int, Seen]
    rounds: Mapping[int, int]
    loads: Sequence[float]
    start: int | None
    again: Sequence[int]

    def contradiction(self) -> Ask | None:
        """Of a broken place and one above it that was kept, the one of which less is known, once more."""
        high, top = self._broken(), max(self._of("kept"), default=-1)
        if high is None or top < high:
            return None
        open_ = [place for place in (high, top) if self.rounds[place] < len(self.again)]
        place = min(open_, key=lambda one: self.known[one].requests, default=None)
        return None if place is None else Ask(place, self.again[self.rounds[place]])

    def asked(self) -> Ask | None:
        """Round by round: where kept loads seem to end, first anywhere, then around where they seemed to before."""
        guess, reached = 0, max(self.rounds.values()) - 1
        for number in range(min(reached, len(self.again) - 1), len(self.again)):
            low, top = self._edge(number)
            if self._shown(low, top):
                # Of many loads that are tried with few requests, one seems kept by chance: that is no answer yet.
                doubtful = low >= 0 and self.rounds[low] == 1 < len(self.again)
                return Ask(low, self.again[1]) if doubtful else None
            if top - low > self._content(number):
                place = self._near(guess, low, top, number) if number else self._anywhere(low, top)
                return Ask(place, self.again[number])
            guess = (low + top) // 2
        return None

    def found(self, *, spent: bool) -> Found:
        """What is shown."""
        over = self._broken()
        low = max((place for place in self._of("kept") if over is None or place < over), default=-1)
        place = low if low >= 0 else None
        if max(self._of("kept"), default=-1) > low:
            why = "a higher load was kept than one that was broken: the server did not stay the same"
            return Found(place, over, resolved=False, reason=why)
        if over == low + 1:
            return Found(place, over, resolved=True, reason="")
        if low == len(self.loads) - 1:
            return Found(place, None, resolved=False, reason="even the highest load was kept")
        why = (
            "the probes are spent"
            if spent
            else "the next load is too near the limit for so many requests to tell"
        )
        return Found(place, over, resolved=False, reason=why)

    def _of(self, verdict: Kept) -> list[int]:
        return [place for place, one in self.known.items() if one.verdict == verdict]

    def _content(self, number: int) -> int:
        """Places between its two ends at which a round leaves the rest to the next one: none, before it has asked at all."""
        asked = any(rounds > number for rounds in self.rounds.values())
        return NEAR if asked and number < len(self.again) - 1 else 1

    def _shown(self, low: int, top: int) -> bool:
        """Whether two neighbours are kept and broken; below the lowest load all is kept, above the highest nothing."""
        kept = low < 0 or self.known[low].verdict == "kept"
        broken = top == len(self.loads) or self.known[top].verdict == "broken"
        return kept and broken and top == low + 1

    def _broken(self) -> int | None:
        return min(self._of("broken"), default=None)

    def _edge(self, number: int) -> tuple[int, int]:
        """The highest place that seems kept after that round, and the lowest above it that does not."""
        told = [
            place
            for place, one in self.known.items()
            if one.verdict != "unclear" or self.rounds[place] > number
        ]
        top = min((place for place in told if not self._good(place, number)), default=len(self.loads))
        return max((place for place in told if place < top), default=-1), top

    def _good(self, place: int, number: int) -> bool:
        """In the last round only what is shown counts."""
        one = self.known[place]
        return one.verdict == "kept" or (
            one.verdict == "unclear" and one.leans and number < len(self.again) - 1
        )

    def _anywhere(self, low: int, top: int) -> int:
        """Upwards to twice the load, or away from the start in steps that double, until it is between two; then the middle."""
        if top < len(self.loads) and (low >= 0 or self.start is None):
            return (low + top) // 2 if low >= 0 else 0
        stride = 1 + max(self.known) - min(self.known)
        if low < 0:
            return max(0, top - stride)
        if self.start is None:
            stride = max(1, place_of(2 * self.loads[low], self.loads) - low)
        return min(top - 1, low + stride)

    def _near(self, guess: int, low: int, top: int, number: int) -> int:
        """The guess, then away from it in steps that double, until it is between two; then the middle."""
        mine = [place for place, rounds in self.rounds.items() if rounds > number]
        if not mine:
            return min(max(guess, low + 1), top - 1)
        stride = 1 + max(mine) - min(mine)
        if low in mine and top not in mine:
            return min(top - 1, low + stride)
        return max(low + 1, top - stride) if low not in mine else (low + top) // 2
