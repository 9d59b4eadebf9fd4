"""What the cost model is fitted to: of each visit the seconds of a step, of a prompt and of a load, with their places."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from olbench import cachestate
from olbench.column import Mask, Numbers
from olbench.gist import Gist, Told
from olbench.kept import sift

_WHOLE = 0.05  # so near to a whole number of streams, the rest is how requests begin and end


@dataclass(frozen=True, slots=True)
class Spot:
    """The middle of one visit's requests."""

    cell: str  # id: visits to one cell are repeats of one place
    at: Mapping[str, float]
    seen: float  # s


def fit_for(told: Sequence[Told]) -> tuple[Told, ...]:
    """The cells that tell what a request costs: closed loops of requests that are alike, sifted."""
    return tuple(sift(one).told for one in told if one.cell.load is None and not one.cell.mix)


def decode(cells: Iterable[Told]) -> tuple[list[Spot], str]:
    """Steps: eval_duration without the prompts of others, by n - 1; depth is the context in the middle of an answer."""
    return _spots(cells, _step), "no answer of two tokens or more has the server's counts"


def _step(told: Told, gist: Gist, _: cachestate.States) -> tuple[dict[str, Numbers], Numbers]:
    made, prompt = _column(gist, "output_tokens"), _column(gist, "prompt_tokens")
    spent = _column(gist, "decode_time") - gist.together.others
    steps = np.where(made >= 2, made - 1, np.nan)
    # Alone is alone; what the clocks of several requests make of it is no news.
    streams = gist.together.streams if told.cell.concurrency > 1 else np.ones(len(made))
    return {"streams": streams, "depth": prompt + made / 2}, spent / steps


def prefill(cells: Iterable[Told]) -> tuple[list[Spot], str]:
    """Prompts read with nothing beside them, of which it is known how much of them was computed."""
    alone = [one for one in cells if one.cell.concurrency == 1]
    if not alone:
        return (
            [],
            "prompts were only read beside other requests; a cell with concurrency 1 tells what one costs",
        )
    return _spots(alone, _read), (
        "it is not known how many tokens of the prompts came from the cache; a cell with cold prompts tells"
    )


def _read(_: Told, gist: Gist, states: cachestate.States) -> tuple[dict[str, Numbers], Numbers]:
    prompt, counted = _column(gist, "prompt_tokens"), _column(gist, "cached_tokens")
    cached = np.where(np.isnan(counted) & (states.codes == cachestate.COLD), 0.0, counted)
    return {"tokens": prompt - cached, "depth": cached}, _column(gist, "prefill_time")


def load(cells: Iterable[Told]) -> tuple[list[Spot], str]:
    """Loads against the model's bytes on disk: of cold requests where there are any, else of preloads."""
    known = [one for one in cells if one.card is not None and one.card.size]
    for key in ("load", "preload"):
        found = [
            Spot(one.cell.model, {"bytes": float(one.card.size)}, float(np.median(numbers)))
            for one in known
            for gist in one.gists
            if one.card is not None and one.card.size and len(numbers := gist.columns[key].numbers)
        ]
        if found:
            return found, ""
    return [], "no visit loaded a model whose size is known"


# --- a visit's middle -----------------------------------------------------------------------------------------

Figures = Callable[[Told, Gist, cachestate.States], tuple[dict[str, Numbers], Numbers]]


def _spots(cells: Iterable[Told], figures: Figures) -> list[Spot]:
    return [spot for told in cells for spot in _of_cell(told, figures)]


def _of_cell(told: Told, figures: Figures) -> Iterator[Spot]:
    for gist, states in zip(told.gists, cachestate.states(told), strict=True):
        at, seen = figures(told, gist, states)
        known: Mask = np.isfinite(seen) & (seen > 0)
        for one in at.values():
            known &= np.isfinite(one)
        if "tokens" in at:
            known &= at["tokens"] > 0
        if known.any():
            place = {name: _whole(name, float(np.median(one[known]))) for name, one in at.items()}
            yield Spot(told.cell.id, place, float(np.median(seen[known])))


def _column(gist: Gist, key: str) -> Numbers:
    return gist.columns[key].aligned()


def _whole(name: str, value: float) -> float:
    near = round(value)
    return float(near) if name == "streams" and near and abs(value - near) <= _WHOLE * near else value
