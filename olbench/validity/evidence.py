"""What the rows on requests and models show where nothing was found: figures of the run, never a fixed phrase."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from olbench import labels
from olbench.cachestate import UNKNOWN
from olbench.column import Mask, Numbers, joined
from olbench.findings import Flag, Roof
from olbench.gates import RETAKEN
from olbench.gist import Gist, Told
from olbench.model import GOOD, Record
from olbench.prose import counted, distinct, listed
from olbench.units import words
from olbench.validity import lengths
from olbench.validity.asked import state_codes
from olbench.validity.check import placed, spread
from olbench.validity.placed import seen_slots, vram_shares


@dataclass(frozen=True, slots=True)
class Seen:
    """One cell as the table of trust sees it."""

    label: str
    told: Told
    flags: tuple[Flag, ...]
    roof: Roof | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """The run as that table sees it."""

    record: Record
    cells: Sequence[Seen]  # those of which a visit was taken

    @property
    def gists(self) -> list[Gist]:
        """The visits of all cells."""
        return [one for seen in self.cells for one in seen.told.gists]

    def numbers(self, key: str) -> Numbers:
        """One metric over all cells."""
        return joined([seen.told.numbers(key) for seen in self.cells])


Evidence = Callable[[Frame], str]


def largest(frame: Frame, key: str, unit: str, sentence: str) -> str:
    """A sentence with the largest figure of a metric in the place of {}; "" where there is none."""
    found = frame.numbers(key)
    return sentence.format(words(float(found.max()), unit, 2)) if len(found) else ""


def together(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


# --- the rows -------------------------------------------------------------------------------------------------


def completeness(frame: Frame) -> str:
    """Visits and requests that went through, and visits that are left out."""
    gists = frame.gists
    filled = sum(1 for one in gists if one.prompts)
    every = [(kind, count) for one in gists for kind, count in one.outcomes.items()]
    good, whole = sum(n for kind, n in every if kind in GOOD), sum(n for _, n in every)
    marked = sum(1 for one in gists if one.trips and one.prompts)
    are = "is" if marked == 1 else "are"
    left = f"{counted(marked, 'visit')} did not pass a gate and {are} drawn hollow" if marked else ""
    planned = counted(len(frame.record.plan.visits), "visit")
    again = sum(1 for one in gists if any(note.startswith(RETAKEN) for note in one.notes))
    twice = f"{counted(again, 'visit')} had to be taken again" if again else ""
    through = f"{filled} of {planned} and {good} of {counted(whole, 'request')} went through"
    return together([through, twice, left])


def asked(frame: Frame) -> str:
    """How far prompts missed their length, and how many answers are whole."""
    off = [np.abs(seen.told.aligned("prompt_tokens") - lengths.prompts(seen.told)) for seen in frame.cells]
    every = joined(off)
    missed = every[np.isfinite(every)]
    made = len(frame.numbers("output_tokens"))
    return together(
        [
            f"{counted(len(missed), 'prompt')} within {counted(int(missed.max()), 'token')} of what was asked"
            if len(missed)
            else "",
            f"{counted(made, 'answer')} of the length that was asked" if made else "",
        ]
    )


def cache(frame: Frame) -> str:
    """How much of the prompts came from the cache, cold cells and warm ones apart."""
    return together(
        part
        for meant in ("cold", "warm")
        for part in _cache([seen.told for seen in frame.cells if seen.told.cell.cache == meant], meant)
    )


def _cache(own: Sequence[Told], meant: str) -> Iterator[str]:
    cached = joined([told.aligned("cached_tokens") for told in own])
    shares = cached / joined([told.aligned("prompt_tokens") for told in own])
    later = np.concatenate([np.zeros(0, dtype=np.bool_), *(lengths.later(told) for told in own)])
    goes_on = later & np.isfinite(shares)
    known = np.isfinite(shares) & ~later
    codes = np.concatenate([state_codes(told) for told in own]) if own else np.empty(0, dtype=np.int64)
    if known.any() and meant == "warm":
        yield f"{_warm(known)} at least {words(float(shares[known].min()), 'share', 2)} from the cache"
    elif known.any():
        most, share = int(cached[known].max()), words(float(shares[known].max()), "share", 2)
        whole = "computed whole: 0 tokens from the cache"
        part = f"computed but for their beginning: at most {counted(most, 'token')} ({share}) from the cache"
        yield f"all {counted(int(known.sum()), 'cold prompt')} {part if most else whole}"
    if goes_on.any():
        middle = words(float(np.median(shares[goes_on])), "share", 2)
        yield f"{counted(int(goes_on.sum()), 'later turn')} with {middle} from the cache, as conversations go on (half: less)"
    timed = int(np.count_nonzero(~known & ~later & (codes != UNKNOWN)))
    if timed:
        yield f"{counted(timed, 'prompt')} {meant} by the time spent on them"
    rest = int(np.count_nonzero(codes == UNKNOWN))
    if 0 < rest < len(codes):
        yield f"of {counted(rest, 'prompt')} it is not known"


def _warm(known: Mask) -> str:
    return f"all {counted(int(known.sum()), 'warm prompt')}"


def placement(frame: Frame) -> str:
    """Where the models lay."""
    every = [one for seen in frame.cells for _, one in placed(seen.told)]
    if not every:
        return ""
    shares = [share for seen in frame.cells for share in vram_shares(seen.told).values()]
    contexts = [one.context_length for one in every if one.context_length is not None]
    visits = f"the same in all {counted(len(every), 'visit')}"
    if len(frame.cells) > 1:
        visits = f"each of {len(frame.cells)} cells the same in all its visits ({len(every)} in all)"
    where = (
        ""
        if not shares
        else f"{spread([100 * one for one in shares])} % on the GPU"
        if any(shares)
        else "on the CPU"
    )
    context = f"context {spread(contexts)}" if contexts else ""
    return f"{visits}: {', '.join(filter(None, (where, context)))}".removesuffix(": ")


def slots(frame: Frame) -> str:
    """Slots and streams."""
    streams = max(seen.told.streams for seen in frame.cells)
    loads = any(seen.told.cell.load is not None for seen in frame.cells)
    most = f"{counted(streams, 'request')} at once" if loads else counted(streams, "stream")
    known = [found for seen in frame.cells if (found := seen_slots(seen.told)).count is not None]
    if not known:
        return f"at most {most}; the number of slots is not known" if streams > 1 else "one stream"
    counts = [one.count for one in known if one.count is not None]
    more = "at least " if all(one.at_least for one in known) else ""
    how = listed(distinct(one.how for one in known)[:2])
    slot = "slot" if max(counts) == 1 else "slots"
    return f"{more}{spread(counts)} {slot} for at most {most} (by {how})"


def enough(frame: Frame) -> str:
    """Visits and requests of the cell that has the fewest."""
    visits = min(sum(1 for one in seen.told.gists if one.prompts) for seen in frame.cells)
    samples = min(sum(len(one.prompts) for one in seen.told.gists) for seen in frame.cells)
    return f"{counted(visits, 'visit')} and {counted(samples, 'request')} or more in each cell"


def alike(frame: Frame) -> str:
    """What varies as it was asked for, and what does not."""
    axes = labels.axes([seen.told.cell for seen in frame.cells])
    same = listed(_read_everywhere(frame))
    return f"{counted(len(frame.cells), 'cell')} differ in {listed(axes) or 'nothing'}, as asked; the same in {same}"


def _read_everywhere(frame: Frame) -> list[str]:
    """What was read in every cell and makes cells unlike where it differs."""
    cells = [seen.told for seen in frame.cells if any(placed(seen.told))]
    reads = {
        "the model's share on the GPU": lambda told: bool(vram_shares(told)),
        "slots": lambda told: seen_slots(told).count is not None,
        "batch size": lambda told: any(one.batch for _, one in placed(told)),
    }
    return [name for name, read in reads.items() if cells and all(map(read, cells))]


def no_others(frame: Frame) -> str:
    """Why cells cannot be unlike."""
    if len(frame.cells) < 2:
        return f"{counted(len(frame.cells), 'cell')}: there is nothing to compare"
    return "" if _read_everywhere(frame) else "the server does not say where and how it computes"
