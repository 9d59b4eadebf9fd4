"""Can I trust this? Every check over the run with what it found, worst first, and a verdict over all of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from olbench.findings import Findings, State, Trust
from olbench.prose import counted
from olbench.report.tables import which
from olbench.report.wording import plain

WORDS: Mapping[State, str] = {
    "amber": "look",
    "grey": "not known",
    "green": "fine",
}  # in the order of the table
NONE = (
    "No check over the whole run is on record; what is doubtful about single cells stands below their table."
)


@dataclass(frozen=True, slots=True)
class Check:
    """One row: a state with its word, the check's name, what it saw, what to do, which cells it concerns."""

    state: State
    word: str
    name: str
    evidence: str
    action: str  # "" where nothing has to be done
    cells: str  # "cells 1–4"; "" for the run as a whole


@dataclass(frozen=True, slots=True)
class Checks:
    """The whole table. `verdict` is one sentence; `rows` may be empty."""

    verdict: str
    rows: tuple[Check, ...]

    def of(self, state: State) -> tuple[Check, ...]:
        """The rows in one state."""
        return tuple(one for one in self.rows if one.state == state)


def checks(findings: Findings) -> Checks:
    """All checks of a run: what found something first, then what could not be looked at, then what is fine."""
    places = {found.label: place for place, found in enumerate(findings.cells, 1)}
    order = list(WORDS)
    rows = sorted(findings.trust, key=lambda one: order.index(one.state))
    return Checks(_verdict(findings.trust), tuple(_check(one, places) for one in rows))


def _verdict(trust: Sequence[Trust]) -> str:
    if not trust:
        return NONE
    states = Counter(one.state for one in trust)
    found, unknown, whole = states["amber"], states["grey"], counted(len(trust), "check")
    if found:
        said = f"{found} of {whole} found something"
    elif unknown < len(trust):
        said = f"{whole}, and none found anything" if not unknown else f"None of {whole} found anything"
    else:
        return f"None of {whole} could be made here."
    return f"{said}; {unknown} could not be made here." if unknown else f"{said}."


def _check(one: Trust, places: Mapping[str, int]) -> Check:
    return Check(
        state=one.state,
        word=WORDS[one.state],
        name=plain(one.name),
        evidence=plain(one.evidence),
        action=plain(one.action),
        cells=_cells(one.cells, places),
    )


def _cells(labels: Sequence[str], places: Mapping[str, int]) -> str:
    """Cells by their numbers; a label that is not in the table as it is."""
    known = sorted({places[label] for label in labels if label in places})
    strange = [plain(label) for label in labels if label not in places]
    return ", ".join(([which(known, len(places))] if known else []) + strange)
