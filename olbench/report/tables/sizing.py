"""The tables of a sizing below its first screen: prediction and finding, the search, memory, the cost model."""

from collections.abc import Mapping, Sequence

from olbench import footprint
from olbench.findings import Estimate
from olbench.prose import counted, distinct
from olbench.report.tables import Entry, Heading, Table, row
from olbench.report.tables.capacity import searched, sides
from olbench.report.wording import NOTHING, plain, scale, spread
from olbench.sized import CostModel, Footprint, Held, Line, Sizing
from olbench.units import words

_LINES: Mapping[str, str] = {"decode": "Writing", "prefill": "Reading", "load": "Loading"}
# Unit of a term -> words for what its coefficient is per.
_TERMS = {
    "1": "fixed", "streams": "a stream", "depth": "a token of context", "streams*depth": "a stream and token of context",
    "tokens": "a token", "tokens^2": "a token squared", "bytes": "a GiB",
}  # fmt: skip


def meeting(sizing: Sizing) -> Table:
    """Predicted against measured, a row a load and line."""
    several = len(sizing.capacities) > 1
    rows = [
        row(*([plain(one.label)] if several else []), *fields)
        for one in sizing.capacities
        for fields in sides(one)
    ]
    heads = (*([Heading("Model")] if several else []), Heading("Load"), Heading("Line"),
             Heading("Predicted", numeric=True), Heading("Measured", numeric=True), Heading("Do they agree?"))  # fmt: skip
    return Table(
        heads,
        tuple(rows),
        "They agree where the two 95 % intervals share a value; else the measured share less the predicted one, in percentage points."
        if rows
        else "",
    )


def search(sizing: Sizing) -> Table:
    """The search step by step."""
    several = len(sizing.capacities) > 1
    rows = [
        row(*([plain(one.label)] if several else []), *fields)
        for one in sizing.capacities
        for fields in searched(one)
    ]
    heads = (*([Heading("Model")] if several else []), Heading("Step", numeric=True), Heading("Load"),
             Heading("Requests", numeric=True), Heading("Good requests/s", numeric=True), Heading("Least room"),
             Heading("Service level"), Heading("Remark"))  # fmt: skip
    return Table(heads, tuple(rows))


# --- memory ---------------------------------------------------------------------------------------------------


def memory(sizing: Sizing) -> Table:
    """How each model's memory grows, and the largest context that fits."""
    heads = (Heading("Model"), Heading("Weights", numeric=True), Heading("A token of context", numeric=True),
             Heading("By the formula", numeric=True), Heading("Overhead", numeric=True),
             Heading("Largest num_ctx that fits"), Heading("Limit", numeric=True))  # fmt: skip
    return Table(heads, tuple(_footprint(one) for one in sizing.footprints))


def _footprint(one: Footprint) -> tuple[Entry, ...]:
    return (
        Entry(plain(one.label)),
        Entry(words(one.weights, "B")),
        _entry(one.per_token, "B"),
        Entry(words(one.formula, "B"), _off(one)),
        _entry(one.overhead, "B"),
        Entry("; ".join(most(one)) or NOTHING, "" if one.trained is None else f"made for {one.trained:,}"),
        Entry(words(one.budget, "B")),
    )


def base(one: Footprint) -> float | None:
    """What a load takes before any context."""
    return None if one.weights is None or one.overhead.value is None else one.weights + one.overhead.value


def _off(one: Footprint) -> str:
    """How far the formula is off what was measured."""
    if one.formula is None or not one.per_token.value:
        return ""
    return f"{(one.formula / one.per_token.value - 1) * 100:+.1f} % off what was measured"


def most(one: Footprint) -> list[str]:
    """The largest contexts, each with the slots that it holds for: "8,192 with 1 or 2 slots"."""
    made: dict[int | None, list[int]] = {}
    for slots, ctx in one.most.items():
        made.setdefault(ctx, []).append(slots)
    return [f"{'none' if ctx is None else f'{ctx:,}'} with {_either(slots)}" for ctx, slots in made.items()]


def _either(slots: Sequence[int]) -> str:
    before = ", ".join(map(str, slots[:-1]))
    return f"{before}{' or ' if before else ''}{counted(slots[-1], 'slot')}"


def loads(sizing: Sizing) -> Table:
    """Every load that memory was learned from, and those that are predicted."""
    heads = (Heading("Model"), Heading("num_ctx", numeric=True), Heading("Slots", numeric=True),
             Heading("RAM", numeric=True), Heading("GPU memory", numeric=True), Heading("Together", numeric=True),
             Heading("How it is known"))  # fmt: skip
    rows = [(one, load) for one in sizing.footprints for load in one.loads]
    return Table(heads, tuple(_held(one, load) for one, load in rows))


def _held(one: Footprint, load: Held) -> tuple[Entry, ...]:
    return (
        Entry(plain(one.label)),
        Entry(f"{load.num_ctx:,}"),
        Entry(str(load.slots)),
        _entry(load.ram, "B"),
        _entry(load.vram, "B"),
        _entry(footprint.whole(load), "B"),
        Entry("predicted", _confirmed(one, load)) if load.predicted else Entry("measured"),
    )


def _confirmed(one: Footprint, load: Held) -> str:
    """How far a prediction is off what was then measured; "" where nothing was."""
    seen = next((seen for told, seen in footprint.confirmed(one) if told == load), None)
    told, found = footprint.whole(load).value, None if seen is None else footprint.whole(seen).value
    return (
        "" if told is None or not found else f"{(told / found - 1) * 100:+.1f} % off what was then measured"
    )


def remarks(sizing: Sizing) -> tuple[str, ...]:
    """What the footprints have to say, each with its model where there are several, and what cannot be drawn."""
    said = [(one, plain(remark)) for one in sizing.footprints for remark in one.remarks]
    lost = [one for one in sizing.footprints if base(one) is None or one.per_token.value is None]
    said += [
        (one, f"no line of memory: {plain(_unknown(one))}")
        for one in lost
        if _unknown(one) not in one.remarks
    ]
    several = len(sizing.footprints) > 1
    return distinct(f"{plain(one.label)}: {text}" if several else text for one, text in said)


def _unknown(one: Footprint) -> str:
    if one.weights is None:
        return "the size of its weights is unknown"
    return one.per_token.reason or one.overhead.reason or "its bytes a token of context are unknown"


# --- the cost model -------------------------------------------------------------------------------------------


def costs(sizing: Sizing) -> Table:
    """Every line of every model: its terms, how well it fits, and where it holds."""
    heads = (
        Heading("Model"),
        Heading("What"),
        Heading("Takes"),
        Heading("Holds for"),
        Heading("How well it fits"),
    )
    rows = [found for cost in sizing.costs for found in _lines(cost)]
    return Table(heads, tuple(rows))


def _lines(cost: CostModel) -> list[tuple[Entry, ...]]:
    made: list[tuple[Entry, ...]] = []
    lines: Sequence[tuple[str, Line | None]] = (
        ("decode", cost.decode),
        ("prefill", cost.prefill),
        ("load", cost.load),
    )
    for what, line in lines:
        name = Entry(plain(cost.label)), Entry(_LINES[what])
        if line is None:
            why = plain(cost.missing.get(what, "")) or "it was not measured"
            made.append((*name, Entry(NOTHING), Entry(NOTHING), Entry(f"No line: {why}.")))
        else:
            made.append((*name, Entry(_takes(line)), Entry(_span(line)), Entry(trust(line))))
    return made


def trust(line: Line) -> str:
    """How far the line can be trusted, in words."""
    scatter = (
        f"Single visits lie {words(line.scatter, 'share', 2)} beside it (standard deviation). "
        if line.freedom
        else ""
    )
    why = plain(line.reason).rstrip(".")
    if line.lack is None:
        return f"{scatter}Whether the line has the right shape could not be tested: {why or 'no place was visited twice'}."
    if why:
        return f"{scatter}It does not fit well: {why}."
    return f"{scatter}Nothing speaks against its shape (lack-of-fit test, p = {line.lack:.2g})."


def _takes(line: Line) -> str:
    """The line as a sum of amounts: "12 ms fixed + 3 ms a stream"."""
    parts = [
        f"{_coefficient(one, name)} {_TERMS.get(name, name)}"
        for name, one in zip(line.terms, line.coefficients, strict=True)
    ]
    return " + ".join(parts)


def _coefficient(one: Estimate, name: str) -> str:
    if one.value is None:
        return NOTHING
    factor = 2.0**30 if name == "bytes" else 1.0
    low, high = (None if end is None else end * factor for end in (one.low, one.high))
    value = Estimate(one.value * factor, low, high)
    shown = scale([one.value * factor], "s")
    if abs(shown(one.value * factor)) < 0.01:  # below what nanoseconds can show
        return f"{one.value * factor:.2g} s"
    text, interval = spread(value, shown)
    return f"{text}{f' ({interval})' if interval else ''} {shown.unit}"


def _span(line: Line) -> str:
    ends = [_ends(name, low, high) for name, (low, high) in line.span.items()]
    return ", ".join(ends) or NOTHING


def _ends(name: str, low: float, high: float) -> str:
    if name == "bytes":
        return words(low, "B") if low == high else f"{words(low, 'B')} to {words(high, 'B')}"
    noun = "tokens of context" if name == "depth" else name
    return f"{low:,.0f} {noun}" if low == high else f"{low:,.0f} to {high:,.0f} {noun}"


def _entry(one: Estimate, unit: str) -> Entry:
    """A figure with its interval below, or why there is none."""
    if one.value is None:
        return Entry(NOTHING, plain(one.reason))
    shown = scale([one.value], unit)
    text, interval = spread(one, shown)
    return Entry(f"{text} {shown.unit}", interval or plain(one.reason))
