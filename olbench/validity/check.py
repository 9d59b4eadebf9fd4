"""What a check is, and the words that all checks share."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from olbench.column import Mask, Numbers
from olbench.findings import Flag
from olbench.gist import Told
from olbench.model import Placement
from olbench.prose import counted, distinct, listed, ranked

NAMED = 4  # visits that a sentence names one by one


@dataclass(frozen=True, slots=True)
class Said:
    """What a check found: evidence with its numbers."""

    sentence: str
    visits: tuple[int, ...] = ()  # repeats that it concerns; (): the cell as a whole
    action: str = ""  # "": the check's own


Found = Said | Flag


def always(_: Told) -> str:
    """Nothing that could be missing keeps the check from looking."""
    return ""


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a cell."""

    key: str
    name: str  # the row of "Can I trust this?" to which it belongs; several checks may share one
    of: Callable[[Told], Iterable[Found]]
    action: str  # what the reader can do
    can: Callable[[Told], str] = always  # "": it could look; else why it could not
    tells: tuple[
        tuple[str, str], ...
    ] = ()  # checks and rows of flags that it takes from elsewhere as they are

    def flags(self, told: Told) -> tuple[Flag, ...]:
        """What it found; the same sentence of several visits is one flag."""
        merged: dict[tuple[str, str, str], list[int]] = {}
        for one in self.of(told):
            key = one.check if isinstance(one, Flag) else self.key
            merged.setdefault((key, one.sentence, one.action or self.action), []).extend(one.visits)
        return tuple(
            Flag(key, sentence, action, tuple(sorted(set(visits))))
            for (key, sentence, action), visits in merged.items()
        )


# --- what a check needs ---------------------------------------------------------------------------------------


def needs(*metrics: str, otherwise: str = "") -> Callable[[Told], str]:
    """Says why none of these metrics has a number; `otherwise` where no probe reads what it takes."""

    def can(told: Told) -> str:
        if any(len(told.numbers(key)) for key in metrics):
            return ""
        reason = why(told, metrics[0])
        return otherwise if otherwise and reason.startswith("no probe gave") else reason

    return can


def reads(pattern: str, otherwise: str) -> Callable[[Told], str]:
    """Says why no visit has a reading of such a name; `otherwise` where no probe gives a reason."""

    def can(told: Told) -> str:
        if any(re.fullmatch(pattern, name) for one in told.gists for name in one.series):
            return ""
        reasons = (
            said for one in told.gists for name, said in one.absent if re.fullmatch(pattern, name) and said
        )
        return next(reasons, otherwise)

    return can


def why(told: Told, metric: str) -> str:
    """The most frequent reason for which a metric has no number."""
    missing = told.missing(metric)
    return ranked(missing)[0][0] if missing else "no measured sample went through"


def above(told: Told, key: str, bar: float) -> dict[int, float]:
    """Repeat -> the figure of each visit in which it passes the bar."""
    figures = ((one.visit.repeat, one.columns[key].numbers) for one in told.gists)
    return {repeat: float(numbers[0]) for repeat, numbers in figures if len(numbers) and numbers[0] > bar}


def sound(told: Told) -> Told:
    """The cell without the visits that a gate has told of; as it is where no other visit gave samples."""
    kept = tuple(one for one in told.gists if not one.trips)
    return replace(told, gists=kept) if any(one.prompts for one in kept) else told


def placed(told: Told) -> Iterator[tuple[int, Placement]]:
    """Repeat and placement of each visit that has one."""
    return ((one.visit.repeat, one.placement) for one in told.gists if one.placement is not None)


# --- words ----------------------------------------------------------------------------------------------------


def where(told: Told, rows: Mask) -> tuple[int, ...]:
    """The repeats to which these measured samples belong."""
    owners = [one.visit.repeat for one in told.gists for _ in one.prompts]
    return tuple(distinct_numbers(np.array(owners, dtype=np.int64)[rows].tolist()))


def distinct_numbers(found: Iterable[int]) -> list[int]:
    """Ascending, each once."""
    return sorted(set(found))


def named(visits: Sequence[int]) -> str:
    """Repeats as people count them: "visit 2", "visits 1, 2, 3 and 9 more"."""
    numbers = [f"{one + 1}" for one in distinct_numbers(visits)]
    if len(numbers) > NAMED:
        numbers = [*numbers[: NAMED - 1], f"{len(numbers) - NAMED + 1} more"]
    return f"visit{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


def shares_of(bad: Sequence[float] | Iterable[float], told: Told) -> str:
    """How many of all visits: "1 of 3 visits"."""
    return f"{len(list(bad))} of {counted(len(told.gists), 'visit')}"


def spread(seen: Numbers | Sequence[float], digits: str = ",.0f") -> str:
    """The least and the most: "24 to 25", or one number where they read alike."""
    least, most = f"{min(seen):{digits}}", f"{max(seen):{digits}}"
    return least if least == most else f"{least} to {most}"


def either(parts: Iterable[str]) -> str:
    """Distinct parts as a list."""
    return listed(distinct(parts))
