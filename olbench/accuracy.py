"""How exact the client's clock was: the figures of a self-test and their verdict. Pure.

The error of a TTFT has a sign: its middle says by how much all figures are too large. Its p99, and everything about
gaps, is of the size alone. A p99 of fewer than 100 values would be the largest by another name, and is called so.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from olbench.findings import Stamps
from olbench.model import Level, SelfTest
from olbench.prose import counted, listed
from olbench.readings import Ints
from olbench.units import figures as rounded
from olbench.units import words

ENOUGH = 100  # values from which a p99 is one, as everywhere in olbench
ENOUGH_CHUNKS = 1000  # from which on a share of some thousandths is one
KERNEL, USER = "kernel", "user-space"
NAMED = 2  # bounds that a verdict names at most


@dataclass(frozen=True, slots=True)
class Spread:
    """Errors or delays of one level in seconds. None where nothing was measured."""

    middle: float | None  # p50
    far: float | None  # p99 of the size; the largest of fewer than 100
    count: int

    @property
    def name(self) -> str:
        """What `far` is."""
        return "p99" if self.count >= ENOUGH else f"largest of {self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One level, told."""

    streams: int
    rate: float | None  # paced sends a second; None: a closed loop
    stamps: str
    requests: int  # that gave an error
    failed: int
    ttft: Spread
    gap: Spread
    dispatch: Spread
    chunks: int
    coalesced: float | None  # share of the chunks
    unstamped: int
    cpu: float | None  # CPU seconds of this process for 1,000 chunks
    doubt: str = ""  # why these figures may not hold for what they were asked for


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the clock may be trusted here, in a sentence or two."""

    good: bool
    sentences: tuple[str, ...]


def figures(level: Level) -> Figures:
    """The figures of one level."""
    chunks = level.chunks
    return Figures(
        streams=level.streams,
        rate=level.rate,
        stamps=level.stamps,
        requests=len(level.ttft_ns),
        failed=level.failed,
        ttft=_spread(level.ttft_ns),
        gap=_spread([abs(one) for one in level.gap_ns]),
        dispatch=_spread(level.dispatch_ns),
        chunks=chunks,
        coalesced=level.coalesced / chunks if chunks else None,
        unstamped=level.unstamped,
        cpu=level.cpu_ns / 1e9 / chunks * 1000 if chunks else None,
    )


def of(test: SelfTest, concurrency: int) -> Figures | None:
    """The figures of the nearest level at or above so many streams; else of the largest, with that doubt.

    None when no level ran a closed loop.
    """
    levels = sorted((one for one in test.levels if one.rate is None), key=lambda one: one.streams)
    if not levels:
        return None
    held = next((one for one in levels if one.streams >= concurrency), levels[-1])
    doubt = (
        "" if held.streams >= concurrency else f"the self-test went up to {counted(held.streams, 'stream')}"
    )
    return replace(figures(held), doubt=doubt)


# Metrics that our stamps make -> what their error is. That of a whole answer is that of its first token: one send, one
# receive; TPOT is a mean of gaps, and at most as wrong as one. The dispatch delay has none: both of its ends are
# readings of our own clock. A preload goes another way than measured requests, which the self-test does not try.
OURS: Mapping[str, Callable[[Figures], Spread]] = {
    **dict.fromkeys(("ttft", "ttft_answer", "ttft_cold", "e2e", "network"), lambda one: one.ttft),
    **dict.fromkeys(("gap", "tpot"), lambda one: one.gap),
}


def errors(held: Figures) -> Mapping[str, float]:
    """Metric -> its error in seconds (p99); only metrics of our clock, and only what is known."""
    known = {key: spread(held).far for key, spread in OURS.items()}
    return {key: far for key, far in known.items() if far is not None}


def doubts(test: SelfTest | None, seen: Stamps) -> tuple[str, ...]:
    """Where the stamps of a run are not those that the self-test judged."""
    others = sum(count for source, count in seen.sources.items() if source not in (KERNEL, "none"))
    if test is None or not others or not all(one.stamps == KERNEL for one in test.levels):
        return ()
    whole = counted(sum(seen.sources.values()), "response")
    return (
        f"{others:,} of {whole} carry no stamps of the kernel, which the self-test had: the clock may err more in them",
    )


def _spread(values: Ints | Sequence[int]) -> Spread:
    if not len(values):
        return Spread(None, None, 0)
    sizes = sorted(abs(one) for one in values)
    far = _quantile(sizes, 0.99) if len(sizes) >= ENOUGH else float(sizes[-1])
    return Spread(_quantile(sorted(values), 0.5) / 1e9, far / 1e9, len(sizes))


def _quantile(ordered: Sequence[int], p: float) -> float:
    """Type 7, as olbench.stats has it."""
    below, share = divmod((len(ordered) - 1) * p, 1.0)
    low, high = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + (high - low) * share


# --- the verdict ----------------------------------------------------------------------------------------------
ALWAYS = float("inf")
Figure = tuple[float | None, str]  # in the base unit, and which of many it is


@dataclass(frozen=True, slots=True)
class Bound:
    """What a figure may come to, by the number of streams up to which that holds."""

    what: str
    figure: Callable[[Figures], Figure]
    unit: str  # ms, us, %
    limits: tuple[tuple[float, float], ...]  # (up to so many streams, at most so much in the base unit)
    why: str
    stamps: tuple[str, ...] = (KERNEL, USER)
    paced: bool = False  # whether it concerns paced levels; else closed loops

    def limit(self, seen: Figures) -> float | None:
        """What `seen` may come to; None where the bound does not concern it."""
        # Of a paced level only the sends are judged: its stamps are made as those of the closed loops are.
        if (seen.rate is not None) != self.paced or seen.stamps not in self.stamps:
            return None
        return next((most for streams, most in self.limits if seen.streams <= streams), None)


def _middle(of_: Callable[[Figures], Spread]) -> Callable[[Figures], Figure]:
    return lambda seen: (of_(seen).middle, "p50")


def _far(of_: Callable[[Figures], Spread]) -> Callable[[Figures], Figure]:
    return lambda seen: (of_(seen).far, of_(seen).name)


def _share(seen: Figures) -> float | None:
    # Of few chunks a single one would pass the bound.
    return seen.coalesced if seen.chunks >= ENOUGH_CHUNKS else None


_WOKEN = "as late as a free core wakes the client up"
# A row should look like a row.
# fmt: off
BOUNDS = (
    Bound("TTFT is off by", _middle(lambda one: one.ttft), "ms", ((ALWAYS, 1e-4),),
          "what one send and one receive cost", (KERNEL,)),
    Bound("TTFT is off by", _far(lambda one: one.ttft), "ms", ((64, 3e-4), (ALWAYS, 1e-3)),
          "a tenth of the few milliseconds that tell servers apart", (KERNEL,)),
    Bound("TTFT is off by", _far(lambda one: one.ttft), "ms", ((64, 5e-4), (ALWAYS, 2e-3)), _WOKEN, (USER,)),
    Bound("a gap between chunks is off by", _far(lambda one: one.gap), "us", ((ALWAYS, 1e-4),),
          "a hundredth of the gap at 100 tokens a second", (KERNEL,)),
    Bound("a gap between chunks is off by", _far(lambda one: one.gap), "us", ((ALWAYS, 1e-3),), _WOKEN, (USER,)),
    Bound("the share of blurred stamps is", lambda one: (_share(one), ""), "%", ((ALWAYS, 5e-3),),
          "with more of them p99 would be theirs"),
    Bound("requests leave late by", _far(lambda one: one.dispatch), "ms", ((64, 3e-3), (256, 1.2e-2), (ALWAYS, 5e-2)),
          "later, a burst is no burst any more"),
    Bound("paced requests leave late by", _far(lambda one: one.dispatch), "ms", ((ALWAYS, 5e-4),),
          "a tenth of the time between two sends", paced=True),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class _Broken:
    bound: Bound
    seen: Figures
    value: float
    name: str
    limit: float


def verdict(test: SelfTest, around: Sequence[str] = ()) -> Verdict:
    """Good or bad by BOUNDS. `around`: what is known of the machine that would explain a bad one."""
    rows = [figures(one) for one in test.levels]
    broken = sorted(_broken(rows), key=lambda one: -one.value / one.limit)
    lost = sum(one.failed for one in rows)
    if broken or lost or not any(one.requests for one in rows):
        why = [*_stamped(rows), *around]
        return Verdict(False, (_bad(broken, rows, lost), *_as_sentence(why)))
    return Verdict(True, (_good(rows), *_as_sentence(_stamped(rows))))


def _broken(rows: Sequence[Figures]) -> Iterator[_Broken]:
    for seen in rows:
        for bound in BOUNDS:
            (value, name), limit = bound.figure(seen), bound.limit(seen)
            if value is not None and limit is not None and abs(value) > limit:
                yield _Broken(bound, seen, abs(value), name, limit)


def _good(rows: Sequence[Figures]) -> str:
    closed = [one for one in rows if one.rate is None] or list(rows)
    most = max(one.streams for one in closed)
    ttft = max(closed, key=lambda one: one.ttft.far or 0.0)
    gap = max(closed, key=lambda one: one.gap.far or 0.0)
    stamps = listed(sorted({one.stamps for one in rows}))
    return (
        f"This client's TTFT is exact to {shown(ttft.ttft.far, 'ms')} ({_which(ttft, ttft.ttft.name, most)}) up to "
        f"{counted(most, 'stream')}, a gap between chunks to {shown(gap.gap.far, 'us')} "
        f"({_which(gap, gap.gap.name, most)}); {stamps} stamps."
    )


def _which(seen: Figures, name: str, most: int) -> str:
    return name if seen.streams == most else f"{name} {_where(seen)}"


def _where(seen: Figures) -> str:
    return (
        f"at {counted(seen.streams, 'stream')}" if seen.rate is None else f"at {seen.rate:g} sends a second"
    )


def _bad(broken: Sequence[_Broken], rows: Sequence[Figures], lost: int) -> str:
    asked = sum(one.requests + one.failed for one in rows)
    faults = [f"{lost} of {counted(asked, 'request')} gave no figure"] if lost or not asked else []
    furthest: dict[str, _Broken] = {}
    for one in broken:  # the worst first: it stands for the other levels
        furthest.setdefault(one.bound.what, one)
    faults += [_fault(one) for one in list(furthest.values())[:NAMED]]
    rest = len(furthest) - NAMED
    return f"This client is not exact here: {'; '.join(faults)}{f'; and {rest} more' if rest > 0 else ''}."


def _fault(one: _Broken) -> str:
    name = f" ({one.name})" if one.name else ""
    value, limit = shown(one.value, one.bound.unit), shown(one.limit, one.bound.unit)
    return f"{one.bound.what} {value}{name} {_where(one.seen)}, where {limit} would do ({one.bound.why})"


def _stamped(rows: Sequence[Figures]) -> list[str]:
    if not any(one.stamps == USER for one in rows):
        return []
    return ["stamps are taken in user space, where other work on the machine delays them"]


def _as_sentence(parts: Sequence[str]) -> tuple[str, ...]:
    text = "; ".join(parts)
    return (f"{text[0].upper()}{text[1:]}.",) if text else ()


def shown(value: float | None, unit: str) -> str:
    """A figure in the unit of its column: ms, us or %."""
    if value is None:
        return words(None, "")
    return f"{rounded(value * {'ms': 1e3, 'us': 1e6, '%': 100.0}[unit], 2)} {unit}"
