"""What fits here: the memory of models by context, measured and predicted apart, and the largest context for each slot."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from olbench import footprint
from olbench.findings import Estimate
from olbench.prose import counted
from olbench.report.tables import Entry, Heading, Table
from olbench.report.wording import NOTHING, Scale, plain, scale, spread
from olbench.sized import Footprint, Held
from olbench.units import words

_USUAL = tuple(2**power for power in range(9, 23))  # contexts that people ask for
_ALL = "all: as much as the model was made for"
_SHOWN = 6  # of them, the largest that are of interest


@dataclass(frozen=True, slots=True)
class Load:
    """One context of one model: what was said of it before, what it took."""

    label: str
    num_ctx: int
    slots: int
    predicted: Estimate | None
    measured: Estimate | None
    fits: bool | None
    far: bool  # the prediction lies far beyond what was measured


def loads(made: Footprint, contexts: Sequence[int] = ()) -> tuple[Load, ...]:
    """The loads of a footprint and the contexts that are asked about, ascending; usual ones where none is."""
    foretold = {(one.num_ctx, one.slots): one for one in made.loads if one.predicted}
    measured = {_place(one): list(rest) for one, rest in _grouped(made.loads)}
    for slots in dict.fromkeys(one.slots for one in made.loads):
        for num_ctx in _asked(made, slots, contexts):
            if (num_ctx, slots) not in measured and (num_ctx, slots) not in foretold:
                foretold[num_ctx, slots] = footprint.at(made, num_ctx, slots, beyond=True)
    places = sorted({*foretold, *measured}, key=lambda place: (place[1], place[0]))
    return tuple(_load(made, place, foretold.get(place), measured.get(place, [])) for place in places)


def what_fits(footprints: Sequence[Footprint], contexts: Sequence[int] = ()) -> Table:
    """A row a model, quantization and context."""
    rows = [row for made in footprints for row in loads(made, contexts)]
    shown = scale(
        [one.value for row in rows for one in (row.predicted, row.measured) if one and one.value], "B"
    )
    heads = (
        Heading("Model"),
        Heading("num_ctx", numeric=True),
        Heading("Slots", numeric=True),
        Heading(f"Predicted, {shown.unit}", numeric=True),
        Heading(f"Measured, {shown.unit}", numeric=True),
        Heading("Off", numeric=True),
        Heading("Fits"),
    )
    return Table(heads, tuple(_row(one, shown) for one in rows))


def largest(footprints: Sequence[Footprint]) -> Table:
    """The largest context that fits, a column a number of slots; without rows where nobody knows what there is."""
    known = [made for made in footprints if made.most]
    slots = sorted({count for made in known for count in made.most})
    heads = (
        Heading("Largest num_ctx"),
        *(Heading(counted(one, "slot"), numeric=True) for one in slots),
    )
    rows = tuple((Entry(plain(made.label)), *(_most(made, count) for count in slots)) for made in known)
    return Table(heads, rows, _ALL if any(one.small for row in rows for one in row) else "")


def sentences(made: Footprint, contexts: Sequence[int] = ()) -> Iterator[str]:
    """What a model's memory is made of, and what must be said of it."""
    label = plain(made.label)
    if made.per_token.value is not None:
        yield f"{label}: {_made_of(made)}"
    yield from (f"{label}: {plain(one)}" for one in made.remarks)
    if made.trained is not None and any(one > made.trained for one in contexts):
        yield f"{label}: made for {made.trained:,} tokens of context, no more are told of"
    if any(one.far for one in loads(made, contexts)):
        yield f"{label}: figures marked * lie far beyond what was measured"


def room(footprints: Sequence[Footprint]) -> str:
    """How much memory there is, in a sentence; "" where nobody knows."""
    known = sorted({made.budget for made in footprints if made.budget is not None})
    if not known:
        return ""
    said = " to ".join(words(one, "B") for one in dict.fromkeys((known[0], known[-1])))
    return f"{said} of memory are there for a model, without what is left to other programs."


def _made_of(made: Footprint) -> str:
    parts = [f"weights {words(made.weights, 'B')}"] if made.weights is not None else []
    formula = "" if made.formula is None else f" (by its metadata {words(made.formula, 'B')})"
    parts.append(f"{words(made.per_token.value, 'B')} a token of context and slot{formula}")
    if made.overhead.value is not None and made.overhead.value >= 0:
        parts.append(f"{words(made.overhead.value, 'B')} beside them")
    return ", ".join(parts)


def _place(held: Held) -> tuple[int, int]:
    return held.num_ctx, held.slots


def _grouped(held: Sequence[Held]) -> Iterator[tuple[Held, Iterator[Held]]]:
    seen = sorted((one for one in held if not one.predicted), key=_place)
    for _, group in groupby(seen, key=_place):
        every = list(group)
        yield every[0], iter(every)


def _asked(made: Footprint, slots: int, contexts: Sequence[int]) -> Sequence[int]:
    """Those that the model was trained for; of the usual ones the largest that fit, and the first that does not."""
    able = [one for one in contexts or _USUAL if made.trained is None or one <= made.trained]
    if contexts:
        return able
    most = made.most.get(slots)
    measured = max((one.num_ctx for one in made.loads), default=0)
    below = [one for one in able if measured < one <= (most or measured)]
    above = [one for one in able if most is not None and one > most]
    return [*below[-_SHOWN:], *above[:1], *([most] if most else [])]


def _load(made: Footprint, place: tuple[int, int], foretold: Held | None, seen: Sequence[Held]) -> Load:
    num_ctx, slots = place
    values = [value for one in seen if (value := footprint.whole(one).value) is not None]
    measured = Estimate(sum(values) / len(values), None, None) if values else None
    predicted = None if foretold is None else footprint.whole(foretold)
    held = foretold or seen[0]
    far = foretold is not None and footprint.at(made, num_ctx, slots).ram.value is None
    fits = True if values and footprint.fits(made, held) is not False else footprint.fits(made, held)
    return Load(made.label, num_ctx, slots, predicted, measured, fits, far and held.ram.value is not None)


def _row(one: Load, shown: Scale) -> tuple[Entry, ...]:
    return (
        Entry(plain(one.label)),
        Entry(f"{one.num_ctx:,}"),
        Entry(str(one.slots)),
        _figure(one.predicted, shown, "*" if one.far else ""),
        _figure(one.measured, shown),
        Entry(_off(one)),
        Entry({True: "yes", False: "no", None: NOTHING}[one.fits]),
    )


def _figure(of: Estimate | None, shown: Scale, mark: str = "") -> Entry:
    if of is None or of.value is None:
        return Entry("")
    value, interval = spread(of, shown)
    return Entry(f"{value}{mark}", interval)


def _off(one: Load) -> str:
    if one.predicted is None or one.measured is None or not one.predicted.value or not one.measured.value:
        return ""
    return f"{(one.measured.value / one.predicted.value - 1) * 100:+.1f} %"


def _most(made: Footprint, slots: int) -> Entry:
    found = made.most.get(slots)
    if found is None:
        return Entry("none" if slots in made.most else NOTHING)
    return Entry(f"{found:,}", "all" if found == made.trained else "")
