"""The tables of a comparison in finished words, from which terminal, page, Markdown and JUnit are made."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from olbench import compare
from olbench.differences import Comparison, Difference, Pair, Side, Unlike, Verdict
from olbench.findings import Estimate
from olbench.metrics import METRICS
from olbench.prose import counted, listed
from olbench.report.wording import NOTHING, Scale, plain, scale, spread
from olbench.stats.ratios import ALIKE, LEVEL
from olbench.units import figures

Tone = Literal["bad", "good", "same", "open"]

TONES: Mapping[Verdict, Tone] = {
    "slower": "bad",
    "faster": "good",
    "equivalent": "same",
    "cannot tell": "open",
}
ARROWS = {"higher": "↑", "lower": "↓", "neither": ""}
_AMOUNTS = ("more", "less")
# From this half-width of an interval on (in percent), so many places of its change are shown.
_PLACES = ((10.0, 0), (0.5, 1), (0.05, 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of one pair; `unit` is the one in which `base` and `new` are shown."""

    metric: str  # key
    name: str
    unit: str
    arrow: str
    base: str
    base_interval: str
    new: str
    new_interval: str
    change: str  # "-5.2 %"
    interval: str  # "-6.1 to -4.3 %"; "" where there is none
    verdict: Verdict
    word: str
    margin: str  # "2 %"
    detectable: str
    paired: bool
    reason: str

    @property
    def tone(self) -> Tone:
        """Whether it is good or bad, for a colour that stands beside the word."""
        return TONES[self.verdict]


@dataclass(frozen=True, slots=True)
class Compared:
    """One pair of cells and its metrics."""

    number: int
    label: str
    visits: str  # "4 and 5 visits; left out as disturbed: 1 of the base"
    changes: tuple[Change, ...]

    @property
    def reason(self) -> str:
        """Why none of several metrics can be told, where it is the same for all; else ""."""
        reasons = {one.reason for one in self.changes}
        return reasons.pop() if len(self.changes) > 1 and len(reasons) == 1 else ""


@dataclass(frozen=True, slots=True)
class Mean:
    """The geometric mean of a metric's ratios over all pairs; `reason` where there is none."""

    name: str
    change: str
    interval: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A comparison, whole."""

    title: str
    verdict: str  # "3 slower, 1 faster, 8 equivalent, 4 cannot tell"
    tone: Tone
    sides: tuple[str, str]  # names
    origins: tuple[str, str]  # what each side is: when, by which olbench, of which scenario
    across: str  # a sentence; "" where like is compared with like
    unlike: tuple[Unlike, ...]
    pairs: tuple[Compared, ...]
    means: tuple[Mean, ...]
    alone: tuple[str, ...]
    remarks: tuple[str, ...]  # margins, correction, pairing
    notes: tuple[str, ...]

    @property
    def changed(self) -> tuple[tuple[Compared, Change], ...]:
        """What is slower, then what is faster, each with its pair."""
        told = [(one, change) for one in self.pairs for change in one.changes]
        return tuple(one for tone in ("bad", "good") for one in told if one[1].tone == tone)


def whole(made: Comparison) -> Whole:
    """All that is said of a comparison."""
    base, new = made.base, made.new
    return Whole(
        title=plain(_title(base, new)),
        verdict=verdict_line(made),
        tone=_tone(made),
        sides=(plain(base.name), plain(new.name)),
        origins=(_origin(base), _origin(new)),
        across=_across(made),
        unlike=tuple(_unlike(one) for one in made.unlike),
        pairs=_pairs(made.pairs),
        means=tuple(_mean(metric, one) for metric, one in made.geomeans.items()),
        alone=tuple(map(plain, made.alone)),
        remarks=tuple(
            filter(None, (*_margins(made), *_intervals(made), _pairing(made), plain(made.correction)))
        ),
        notes=tuple(map(plain, made.notes)),
    )


def word(metric: str, verdict: Verdict) -> str:
    """The verdict as it is said of this metric: there is more memory, not slower memory."""
    return compare.words(metric, verdict)


def verdict_line(made: Comparison) -> str:
    """How many verdicts of each kind there are, those that matter first; kinds without any are left out."""
    told = [one for pair in made.pairs for one in pair.differences]
    if not told:
        return "nothing to compare: no cell stands on both sides"
    counts = Counter((list(TONES).index(one.verdict), word(one.metric, one.verdict)) for one in told)
    return ", ".join(f"{count} {_tallied(said, count)}" for (_, said), count in sorted(counts.items()))


def _tallied(said: str, count: int) -> str:
    """The word of a verdict behind a count: "1 slower", but "1 takes more"."""
    return f"take{'s' if count == 1 else ''} {said}" if said in _AMOUNTS else said


def percent(ratio: float | None, places: int = 1) -> str:
    """A ratio as a change with its sign: 0.948 -> "-5.2 %"; "–" where it is unknown."""
    return NOTHING if ratio is None else f"{_signed(ratio, places)} %"


def changed(ratio: Estimate) -> tuple[str, str]:
    """A ratio and its interval as changes, with the places that the interval bears: ("-5.2 %", "-6.1 to -4.3 %")."""
    if ratio.value is None:
        return NOTHING, ""
    if ratio.low is None or ratio.high is None:
        return percent(ratio.value), ""
    half = (ratio.high - ratio.low) * 50
    places = next((places for least, places in _PLACES if half >= least), 3)
    ends = f"{_signed(ratio.low, places)} to {_signed(ratio.high, places)} %"
    return percent(ratio.value, places), ends


def share(relative: float | None) -> str:
    """A relative size without a sign: 0.021 -> "2.1 %"."""
    return NOTHING if relative is None else f"{figures(relative * 100, 2).removesuffix('.0')} %"


def _units(pairs: Iterable[Pair]) -> Mapping[str, Scale]:
    """One unit for each metric over all pairs and both sides."""
    values: dict[str, list[float]] = {}
    for one in (one for pair in pairs for one in pair.differences):
        known = [end.value for end in (one.base, one.new) if end.value is not None]
        values.setdefault(one.metric, []).extend(known)
    return {metric: scale(found, METRICS[metric].unit) for metric, found in values.items()}


def _signed(ratio: float, places: int) -> str:
    text = f"{(ratio - 1) * 100:+,.{places}f}"
    # "-0.0" claims a direction that it does not show.
    return text if text.strip("+-0.,") else text[1:]


def _title(base: Side, new: Side) -> str:
    return base.scenario if base.scenario == new.scenario else f"{base.scenario} and {new.scenario}"


def _origin(side: Side) -> str:
    at = side.at[:16].replace("T", " ")
    return plain(f"{side.name} · {side.scenario} · {at} UTC · olbench {side.olbench}")


def _across(made: Comparison) -> str:
    return plain(f"Unlike cells are compared on purpose, across {made.across}.") if made.across else ""


def _unlike(one: Unlike) -> Unlike:
    base, new = (plain(text) or "not set" for text in (one.base, one.new))
    return Unlike(plain(one.what), base, new, one.content)


def _tone(made: Comparison) -> Tone:
    """The gravest of all verdicts; what cannot be told weighs more than what is well."""
    tones = {TONES[one.verdict] for pair in made.pairs for one in pair.differences}
    order: tuple[Tone, ...] = ("bad", "open", "good", "same")
    return next((tone for tone in order if tone in tones), "open")


def _pairs(pairs: Sequence[Pair]) -> tuple[Compared, ...]:
    units = _units(pairs)
    return tuple(
        Compared(
            place, plain(pair.label), _visits(pair), tuple(_change(one, units) for one in pair.differences)
        )
        for place, pair in enumerate(pairs, 1)
    )


def _visits(pair: Pair) -> str:
    taken = [
        max((len(values) for values in side.visits.values()), default=0) for side in (pair.base, pair.new)
    ]
    said = (
        f"{counted(taken[0], 'visit')} a side"
        if taken[0] == taken[1]
        else f"{taken[0]} and {taken[1]} visits"
    )
    sides = (("base", pair.base.marked), ("new side", pair.new.marked))
    left = listed([f"{count} of the {name}" for name, count in sides if count])
    return f"{said}; left out as disturbed: {left}" if left else said


def _change(one: Difference, units: Mapping[str, Scale]) -> Change:
    row, unit = METRICS[one.metric], units[one.metric]
    base, new = (spread(end, unit) for end in (one.base, one.new))
    change, interval = changed(one.ratio)
    return Change(
        metric=one.metric,
        name=row.name,
        unit=unit.unit,
        arrow=ARROWS[row.better],
        base=base[0],
        base_interval=base[1],
        new=new[0],
        new_interval=new[1],
        change=change,
        interval=interval,
        verdict=one.verdict,
        word=word(one.metric, one.verdict),
        margin=share(one.margin),
        detectable=share(one.detectable),
        paired=one.paired,
        reason=plain(one.reason),
    )


def _mean(metric: str, ratio: Estimate) -> Mean:
    return Mean(METRICS[metric].name, *changed(ratio), reason=plain(ratio.reason))


def _margins(made: Comparison) -> Iterable[str]:
    """What "equivalent" means, metrics of one margin together."""
    alike: dict[float, dict[str, None]] = {}
    for one in (one for pair in made.pairs for one in pair.differences):
        alike.setdefault(one.margin, {})[METRICS[one.metric].name] = None
    if alike:
        said = [f"{share(margin)} ({', '.join(names)})" for margin, names in sorted(alike.items())]
        yield f"Equivalent: the whole interval of the change lies within {'; '.join(said)}."
        yield (
            "Seen from: the smallest change that a comparison like this one finds four times out of five; smaller "
            "ones may be there."
        )


def _intervals(made: Comparison) -> Iterable[str]:
    """How sure an interval is; where blocks were looked at one by one, the correction tells it."""
    if any(not one.paired and one.ratio.low is not None for pair in made.pairs for one in pair.differences):
        yield f"Intervals of changes are {share(LEVEL)} ones, and {share(ALIKE)} ones where the verdict is equivalent."


def _pairing(made: Comparison) -> str:
    found = {one.paired for pair in made.pairs for one in pair.differences}
    return "Blocks were measured in turn and are compared pair by pair." if found == {True} else ""
