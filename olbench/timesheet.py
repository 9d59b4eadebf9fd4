"""Where the time of each single request of a run went, what it found in the cache, and what is odd about it."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench.arrival import Load
from olbench.cachestate import COLD, CONTAMINATED, UNKNOWN, WARM, States, judged
from olbench.column import Mask, Numbers
from olbench.model import COALESCED, GOOD, TEXT, THINKING, UNSTAMPED, Cell, Observation, Record, Sample
from olbench.parts import Parts, parts
from olbench.prefills import Prefills, of_samples
from olbench.sample_columns import Samples, columns
from olbench.sample_metrics import server_ttft, ttft
from olbench.thresholds import limits

FLAGS: Mapping[str, str] = {
    "c": "its cache was not as it was meant to be: in no figure",
    "u": "its parts leave more of its time unexplained than two clocks may err",
    "n": "a part came out below zero: the server's durations contradict each other",
    "r": "it carried a load, although the model was meant to be in memory",
    "o": "it opened a new connection",
    "b": "its first line's stamp is blurred: an upper bound, or not from the kernel",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One visit: a row a sample, of all phases; NaN where unknown."""

    parts: Parts  # seconds
    ttft: Numbers
    server_ttft: Numbers
    states: States
    flags: tuple[str, ...]  # letters of FLAGS


def sheets(record: Record, cells: Container[str] | None = None) -> Iterator[tuple[Observation, Sheet]]:
    """Each visit to one of `cells` (None: to any), as it is read: never two at a time."""
    asked = {one.id: one for one in record.plan.cells if cells is None or one.id in cells}
    bars = limits(record.run.settings)
    known, loads = _states(record, asked, bars), {one.id: one.load for one in record.plan.cells}
    for place, seen in enumerate(record.observations):
        if cells is None or seen.visit.cell in asked:
            yield seen, _sheet(seen, known.get(place), bars, loads.get(seen.visit.cell))


def _states(record: Record, asked: Mapping[str, Cell], bars: Mapping[str, float]) -> dict[int, States]:
    """The states of measured requests that went through, by their visit's place in the record."""
    models = {one.model for one in asked.values()}
    told: dict[str, dict[int, Prefills]] = {one.id: {} for one in record.plan.cells if one.model in models}
    for place, seen in enumerate(record.observations):
        if seen.visit.cell in told:
            of = {phase: columns(_good(seen, phase)) for phase in ("measured", "cold")}
            told[seen.visit.cell][place] = of_samples(of["measured"], of["cold"])
    everything = [(one, list(told[one.id].values())) for one in record.plan.cells if one.id in told]
    found: dict[int, States] = {}
    for cell in asked.values():
        others = [(one, visits) for one, visits in everything if one.id != cell.id]
        own = told[cell.id]
        found |= zip(own, judged(cell, list(own.values()), bars, others), strict=True)
    return found


def _good(seen: Observation, phase: str) -> list[Sample]:
    return [one for one in seen.samples if one.phase == phase and one.outcome in GOOD]


def _sheet(seen: Observation, known: States | None, bars: Mapping[str, float], load: Load | None) -> Sheet:
    samples = tuple(seen.samples)
    told = columns(samples, load)
    found, states = parts(told), _widened(samples, told, known, bars)
    return Sheet(
        parts=found,
        ttft=ttft(told).aligned(),
        server_ttft=server_ttft(told).aligned(),
        states=states,
        flags=_letters(
            {
                "c": states.codes == CONTAMINATED,
                **_odd_parts(found, bars),
                "r": ~told.cold & (found.load > bars["reload"]),
                "o": told.connect_ns > 0,
                "b": _blurred(told),
            }
        ),
    )


def _widened(
    samples: Sequence[Sample], told: Samples, known: States | None, bars: Mapping[str, float]
) -> States:
    """The states of all samples: nobody meant the others to be cold or warm, so that there only a count tells."""
    with np.errstate(divide="ignore", invalid="ignore"):
        reused = told.cached_count / told.prompt_eval_count
    warm = reused > bars["cached_share"]
    codes = np.select([warm, told.cold | (reused >= 0)], [WARM, COLD], UNKNOWN)
    codes[[one.outcome not in GOOD for one in samples]] = UNKNOWN
    if known is not None:
        codes[[one.phase == "measured" and one.outcome in GOOD for one in samples]] = known.codes
    return States(codes.astype(np.int64), reused)


def _odd_parts(found: Parts, bars: Mapping[str, float]) -> Mapping[str, Mask]:
    bar = np.fmax(bars["sum_least"], bars["sum_share"] * found.whole)
    least = np.fmin.reduce([found.queue, found.network])
    return {"u": np.abs(found.unexplained) > bar, "n": least < -bar}


def _blurred(told: Samples) -> Mask:
    """Whose first line with text has no stamp of its own."""
    says = told.having(TEXT | THINKING)
    kinds = np.zeros(len(told.lines), dtype=np.uint8)
    kinds[~says.none] = told.kind[says.places[says.begin[~says.none]]]
    blurred: Mask = (kinds & (COALESCED | UNSTAMPED)) > 0
    return blurred & told.streamed


def _letters(odd: Mapping[str, Mask]) -> tuple[str, ...]:
    return tuple(
        "".join(letter for letter, holds in zip(odd, row, strict=True) if holds)
        for row in zip(*(one.tolist() for one in odd.values()), strict=True)
    )
