"""What figures are taken of: which visits and which requests of a cell, and how many are left out of them for what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from olbench import cachestate, stats, steady
from olbench.gist import Gist, Told
from olbench.prose import counted


@dataclass(frozen=True, slots=True)
class Kept:
    """One cell, sifted."""

    told: Told  # what figures are taken of
    marked: Mapping[int, tuple[str, ...]]  # repeat -> why the visit is not to be judged by
    contaminated: int  # requests left out because the cache was not as it was meant to be
    cut: int  # requests at the beginning of each visit that are left out as its start-up

    def hollow(self, whole: Told, key: str) -> tuple[tuple[int, float], ...]:
        """The medians of the marked visits, by repeat."""
        of = [(one.visit.repeat, one.columns[key].numbers) for one in whole.gists]
        return tuple(
            (repeat, stats.quantile(np.sort(numbers), 0.5))
            for repeat, numbers in of
            if repeat in self.marked and len(numbers)
        )


def sift(told: Told) -> Kept:
    """Marked visits go while others are left; then requests with the wrong cache; then the start-up of each visit."""
    marked = {
        one.visit.repeat: tuple(trip.sentence for trip in one.trips)
        for one in told.gists
        if one.trips and one.prompts
    }
    gone = cachestate.contaminated(told)
    clean = replace(told, gists=_without(told.gists, gone))
    fit = [one for one in clean.gists if one.visit.repeat not in marked]
    sound = replace(clean, gists=tuple(fit)) if any(one.prompts for one in fit) else clean
    cut = steady.startup_cut(sound)
    begun = replace(sound, gists=_without(sound.gists, [_start(one, cut) for one in sound.gists]))
    return Kept(begun, marked, sum(bool(why) for visit in gone for why in visit), cut)


def _without(gists: Sequence[Gist], reasons: Sequence[Sequence[str]]) -> tuple[Gist, ...]:
    return tuple(one.without(why) for one, why in zip(gists, reasons, strict=True))


def _start(one: Gist, cut: int) -> tuple[str, ...]:
    why = f"start-up: the first {counted(cut, 'request')} of each visit"
    return tuple(why if row < cut else "" for row in range(len(one.prompts)))
