"""The tables of other machines: ranges that are estimates, and where the machines' own figures come from."""

from collections.abc import Sequence

from olbench.machines import Machine
from olbench.prose import distinct
from olbench.report.capacity_words import sentence
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import NOTHING, plain
from olbench.sized import Elsewhere, Sizing
from olbench.units import figures, words

_UNREAD = "Not checked"
WIDE = 30  # times its lower end


def machines(sizing: Sizing) -> Table:
    """Other machines as ranges; every figure is an estimate."""
    several = len({one.label for one in sizing.elsewhere}) > 1
    heads = (Heading("Machine"), *([Heading("Model")] if several else []), Heading("Does it fit?"),
             Heading("Writes, tok/s for one", numeric=True), Heading("Reads, tok/s", numeric=True),
             Heading("Users", numeric=True), Heading("Enough?" if sizing.target is not None else ""))  # fmt: skip
    return Table(heads, tuple(_machine(one, sizing, several=several) for one in sizing.elsewhere))


def _machine(one: Elsewhere, sizing: Sizing, *, several: bool) -> tuple[Entry, ...]:
    fits = {True: "yes", False: "no", None: "unknown"}[one.fits]
    open_ = "unknown" if one.users is None else "perhaps"
    enough = {True: "yes", False: "no", None: open_}[one.meets] if sizing.target is not None else ""
    return (
        Entry(plain(one.machine), "estimate"),
        *([Entry(plain(one.label))] if several else []),
        Entry(fits, "" if one.memory is None else f"needs {words(one.memory, 'B')}"),
        Entry(ranged(one.decode)),
        Entry(ranged(one.prefill)),
        Entry(ranged(one.users)),
        Entry(enough, plain(one.reason)),
    )


def unknown(sizing: Sizing) -> tuple[str, ...]:
    """Why figures of other machines are missing, each reason once."""
    return distinct(sentence(one.reason) for one in sizing.elsewhere if one.reason)


def sources(sizing: Sizing, kinds: Sequence[Machine]) -> Table:
    """The machines' own figures, each with its source."""
    shown = {one.machine for one in sizing.elsewhere}
    heads = (Heading("Machine"), Heading("Memory"), Heading("Bandwidth"), Heading("Compute, dense FP16"))
    rows = tuple(_kind(one) for one in kinds if one.name in shown)
    unread = any(one.unread for one in kinds if one.name in shown)
    return Table(
        heads, rows, f"{_UNREAD}: the source could not be read when the table was written." if unread else ""
    )


def _kind(one: Machine) -> tuple[Entry, ...]:
    compute = NOTHING if one.compute is None else f"{one.compute / 1e12:.3g} TFLOPS"
    room = "" if one.usable >= 1 else f", {words(one.usable, 'share', 2)} of it for a model"
    return (
        Entry(plain(one.name)),
        Entry(f"{words(one.memory, 'B')}{room}", _source(one, "memory")),
        Entry(words(one.bandwidth, "B/s"), _source(one, "bandwidth")),
        Entry(compute, _source(one, "compute")),
    )


def _source(one: Machine, figure: str) -> str:
    said = plain(one.sources.get(figure, ""))
    return f"{_UNREAD}: {said}" if said and figure in one.unread else said


def ranged(ends: tuple[float, float] | None) -> str:
    """A range as people read it: "310–520"; "300 or more" where it is so wide that its upper end tells nothing."""
    if ends is None:
        return NOTHING
    low, high = map(_rough, ends)
    if ends[1] > WIDE * ends[0] > 0:
        return f"{low} or more"
    return low if low == high else f"{low}–{high}"


def _rough(value: float) -> str:
    """To two significant figures: no estimate knows more."""
    if value == int(value) and value < 100:
        return f"{value:.0f}"
    return figures(float(f"{value:.1e}"), 2)
