"""A comparison as Markdown for a pull request: the verdict, what changed, and all else folded away."""

from collections.abc import Iterable

from olbench.differences import Comparison
from olbench.prose import counted, listed
from olbench.report.exports.as_markdown import escaped, line
from olbench.report.tables.compared import Change, Compared, Tone, Whole, whole

# A sign beside each verdict: GitHub's Markdown has no colours.
_SIGNS: dict[Tone, str] = {"bad": "🔴", "good": "🟢", "same": "⚪", "open": "🟡"}
_HEADS = ("Cell", "Metric", "Base", "New", "Change", "Interval", "Verdict")
_RULES = (":--", ":--", "--:", "--:", "--:", "--:", ":--")
_MOST_NAMED = 6


def dump(made: Comparison) -> str:
    """A short text; tables of everything stand in it folded."""
    told = whole(made)
    parts = (
        f"### {_SIGNS[told.tone]} {escaped(told.title)}: {escaped(told.verdict)}",
        _sides(told),
        _differs(told),
        _table(told.changed) if told.changed else "Nothing is told to be slower or faster.",
        *_folded_parts(told),
        "  \n".join(escaped(one) for one in told.notes),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _sides(told: Whole) -> str:
    base, new = map(escaped, told.origins)
    lines = [f"**Base:** {base}", f"**New:** {new}", *filter(None, [escaped(told.across)])]
    return "  \n".join(lines)


def _differs(told: Whole) -> str:
    """The names of what differs; the table with both values is folded."""
    if not told.unlike:
        return "Nothing that was looked at differs between the two set-ups."
    names = [escaped(one.what) for one in told.unlike]
    more = len(names) - _MOST_NAMED
    named = [*names[:_MOST_NAMED], *([f"{more} more"] if more > 0 else [])]
    return f"The set-ups differ in {listed(named)}."


def _folded_parts(told: Whole) -> Iterable[str]:
    every = [(one, change) for one in told.pairs for change in one.changes]
    if told.unlike:
        yield _folded(f"What differs between the set-ups ({len(told.unlike)})", _unlike(told))
    if every:
        yield _folded(f"All {counted(len(every), 'verdict')}", _every(told))
    if told.means:
        yield _folded("Means over all cells", _means(told))
    if told.alone:
        yield _folded(
            f"Cells of one side only ({len(told.alone)})",
            "\n".join(f"- {escaped(one)}" for one in told.alone),
        )
    if told.remarks:
        yield _folded("How to read this", "\n".join(f"- {escaped(one)}" for one in told.remarks))


def _folded(title: str, inner: str) -> str:
    # The blank lines make GitHub read what is inside as Markdown.
    return f"<details><summary>{title}</summary>\n\n{inner}\n\n</details>"


def _unlike(told: Whole) -> str:
    rows = [line(escaped(one.what), escaped(one.base), escaped(one.new)) for one in told.unlike]
    return "\n".join([line("What", "Base", "New"), line(":--", ":--", ":--"), *rows])


def _table(changes: Iterable[tuple[Compared, Change]]) -> str:
    rows = [line(escaped(pair.label), *_fields(change)) for pair, change in changes]
    return "\n".join([line(*_HEADS), line(*_RULES), *rows])


def _fields(one: Change) -> tuple[str, ...]:
    unit = f", {one.unit} {one.arrow}".rstrip() if one.unit else ""
    return (
        escaped(one.name) + unit,
        one.base,
        one.new,
        f"**{one.change}**" if one.tone in ("bad", "good") else one.change,
        one.interval,
        f"{_SIGNS[one.tone]} {one.word}",
    )


def _every(told: Whole) -> str:
    heads, rules = (*_HEADS, "Seen from", "Why not"), (*_RULES, "--:", ":--")
    rows = [
        line(escaped(pair.label), *_fields(one), one.detectable, escaped(one.reason))
        for pair in told.pairs
        for one in pair.changes
    ]
    return "\n".join([line(*heads), line(*rules), *rows])


def _means(told: Whole) -> str:
    rows = [line(escaped(one.name), one.change, one.interval, escaped(one.reason)) for one in told.means]
    return "\n".join([line("Metric", "Change", "Interval", ""), line(":--", "--:", "--:", ":--"), *rows])
