"""The table "Can I trust this?": one row for each thing that may be wrong, over the whole run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from olbench.accuracy import verdict
from olbench.findings import Flag, Trust
from olbench.model import Record, SelfTest
from olbench.prose import counted, distinct, ranked
from olbench.validity import around, evidence
from olbench.validity.check import Check
from olbench.validity.evidence import Evidence, Frame, Seen
from olbench.validity.table import CHECKS
from olbench.validity.whole import RUN_CHECKS

RETEST = "close other programs and run `olbench selftest` again"
NOTHING_TAKEN = "no visit was taken"
NOTHING_SEEN = "no measured sample went through"
SHOWN = 2  # findings that a row names; its cells have the others


def _nothing(_: Frame) -> str:
    return ""


def _everywhere(_: Frame) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it is called, what it shows where all is well, and why it may not be known."""

    key: str
    name: str
    shows: Evidence
    lacks: Evidence = _nothing
    applies: Callable[[Frame], bool] = _everywhere  # else there is no such row


# A row should look like a row.
# fmt: off
ROWS = (
    Row("complete", "Completeness", evidence.completeness),
    Row("asked", "Requests as asked", evidence.asked),
    Row("alike", "Cells alike", evidence.alike, evidence.no_others),
    Row("cache", "Prompt cache", evidence.cache),
    Row("placement", "Model placement", evidence.placement),
    Row("slots", "Slots", evidence.slots),
    Row("server", "Server unchanged", around.server, around.no_version),
    Row("others", "Other work on the machine", around.other_work),
    Row("power", "Power and heat", around.power),
    Row("memory", "Memory pressure", around.memory),
    Row("steady", "Steady over time", around.steadiness),
    Row("outliers", "Outliers", around.far_out, around.no_single),
    Row("durations", "Time adds up", around.durations),
    Row("clock", "Our own clock", around.clock, around.no_clock),
    Row("late", "Client on time", around.lateness, applies=around.has_loads),
    Row("enough", "Enough samples", evidence.enough),
    Row("roof", "Memory roofline", around.roofline, around.no_roof),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class _Raised:
    """A flag, and the cell that raised it; "": the run."""

    label: str
    flag: Flag


@dataclass(frozen=True, slots=True)
class _Lacking:
    """A check that could not look in some cells."""

    reason: str  # the most frequent one
    cells: int
    of: int

    @property
    def everywhere(self) -> bool:
        return self.cells == self.of

    def sentence(self) -> str:
        where = "" if self.everywhere else f" ({self.cells} of {counted(self.of, 'cell')})"
        return f"not looked at{where}: {self.reason}"


def trust(record: Record, cells: Sequence[Seen], flags: Sequence[Flag]) -> tuple[Trust, ...]:
    """All rows; `flags` are those of the run as a whole."""
    frame = Frame(record, [seen for seen in cells if seen.told.gists])
    raised = [
        *(_Raised("", flag) for flag in (*flags, *_clock(record.selftest))),
        *(_Raised(seen.label, flag) for seen in cells for flag in seen.flags),
    ]
    rows = [row for row in ROWS if row.applies(frame)]
    return tuple(_row(row, frame, [one for one in raised if _name(one.flag) == row.name]) for row in rows)


def _clock(test: SelfTest | None) -> Iterator[Flag]:
    """A self-test that ended badly; its errors stand beside every figure, so it is no flag of the run."""
    held = None if test is None else verdict(test)
    if held is not None and not held.good:
        yield Flag("clock", " ".join(held.sentences).removesuffix("."), RETEST)


_NAMES: Mapping[str, str] = {
    **{key: row.name for key, row in RUN_CHECKS.items()},
    **{key: check.name for key, check in CHECKS.items()},
    **{key: name for check in CHECKS.values() for key, name in check.tells},
}


def _name(flag: Flag) -> str:
    """The row to which a flag belongs. What no table knows is a matter of completeness, rather than of nobody."""
    return _NAMES.get(flag.check, ROWS[0].name)


def _row(row: Row, frame: Frame, raised: Sequence[_Raised]) -> Trust:
    if raised:
        return _amber(row, raised)
    lacking = _lacking([check for check in CHECKS.values() if check.name == row.name], frame)
    unknown = row.lacks(frame) if frame.cells else NOTHING_TAKEN
    shown = "" if unknown else row.shows(frame)
    if not shown:
        return Trust(row.key, row.name, "grey", unknown or _why(lacking), "")
    return Trust(row.key, row.name, "green", "; ".join([shown, *(one.sentence() for one in lacking[:1])]), "")


def _why(lacking: Sequence[_Lacking]) -> str:
    return lacking[0].reason if lacking else NOTHING_SEEN


# --- found something ------------------------------------------------------------------------------------------


def _amber(row: Row, raised: Sequence[_Raised]) -> Trust:
    kinds: dict[str, list[_Raised]] = {}
    for one in raised:
        kinds.setdefault(one.flag.check, []).append(one)
    chosen = list(kinds.values())[:SHOWN]
    rest = len(kinds) - len(chosen)
    told = [_first(own) for own in chosen] + ([f"and {rest} more"] if rest else [])
    actions = distinct(own[0].flag.action for own in chosen if own[0].flag.action)
    labels = distinct(one.label for one in raised)
    return Trust(
        check=row.key,
        name=row.name,
        state="amber",
        evidence="; ".join(told),
        action="; ".join(actions),
        cells=() if "" in labels else labels,
    )


def _first(own: Sequence[_Raised]) -> str:
    """The first flag of a check for all of them."""
    more = len({one.label for one in own}) - 1
    others = f" (and the like in {counted(more, 'more cell')})" if more else ""
    return f"{own[0].flag.sentence}{others}"


# --- could not look -------------------------------------------------------------------------------------------


def _lacking(checks: Sequence[Check], frame: Frame) -> list[_Lacking]:
    return list(_each(checks, frame)) if frame.cells else []


def _each(checks: Sequence[Check], frame: Frame) -> Iterator[_Lacking]:
    # Where nothing went through, there is nothing to look at; another row says so.
    cells = [seen.told for seen in frame.cells if any(one.prompts for one in seen.told.gists)]
    for check in checks:
        reasons: Mapping[str, int] = _counts(
            [check.can(told) for told in cells or [one.told for one in frame.cells]]
        )
        if reasons:
            yield _Lacking(ranked(reasons)[0][0], sum(reasons.values()), len(cells or frame.cells))


def _counts(reasons: Sequence[str]) -> dict[str, int]:
    return {one: reasons.count(one) for one in reasons if one}
