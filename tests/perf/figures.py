"""From what the client heard and what the server knows to figures: errors, delays, costs. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from job import COALESCED, Heard, Said
from truths import Truth


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and how many it comes from."""

    value: float
    n: int


Figures = Mapping[str, Figure]


@dataclass(frozen=True, slots=True)
class Pair:
    """A request and its truth."""

    heard: Heard
    truth: Truth
    sent_ns: int

    def ttft_ns(self) -> int:
        """What the client says of the time to the first token, less what is true."""
        return self.heard.arrived_ns[0] - self.sent_ns - (self.truth.sends_ns[0] - self.truth.read_ns)

    def gaps_ns(self) -> list[int]:
        """The same for each gap between two tokens whose stamps are exact."""
        seen, sends, flags = self.heard.arrived_ns, self.truth.sends_ns, self.heard.flags
        return [
            (seen[at + 1] - seen[at]) - (sends[at + 1] - sends[at])
            for at in range(len(seen) - 1)
            if not flags[at] and not flags[at + 1]
        ]

    def receives(self) -> tuple[int, int]:
        """Receives that brought tokens, and those among them that brought several.

        A last token that came together with the closing line counts as alone: no token came with it.
        """
        joined = [bool(flag & COALESCED) for flag in self.heard.flags[:-1]]
        several = sum(one and not before for one, before in zip(joined, [False, *joined], strict=False))
        return len(self.heard.flags) - sum(joined), several


def pairs(heard: Iterable[Heard], truths: Mapping[int, Truth], tokens: int) -> list[Pair]:
    """The requests that went through on both sides."""
    found: list[Pair] = []
    for one in heard:
        truth = None if one.prompt_eval_count is None else truths.get(one.prompt_eval_count)
        if truth is None or one.sent_ns is None:
            continue
        if len(one.arrived_ns) == len(truth.sends_ns) == tokens:
            found.append(Pair(one, truth, one.sent_ns))
    return found


def figures(said: Said, truths: Mapping[int, Truth], tokens: int, *, paced: bool) -> dict[str, Figure]:
    """All figures of one run; what a load does not give is left out. Times in ms, sizes in MB, shares in percent."""
    joined = pairs(said.heard, truths, tokens)
    found = {"failed": Figure(len(said.heard) - len(joined), len(said.heard))}
    if said.peak_rss is not None:
        found["rss"] = Figure(said.peak_rss / 1e6, 1)
    if not joined:
        return found
    ttft = [one.ttft_ns() for one in joined]
    warm = [one.ttft_ns() for one in joined if not one.heard.fresh]
    unflagged = [one.ttft_ns() for one in joined if not one.heard.flags[0]]
    found |= errors("ttft", ttft) | errors("warm", warm) | errors("unflagged", unflagged)
    found |= errors("gap", [gap for one in joined for gap in one.gaps_ns()])
    found |= _delays(joined, paced=paced) | _flags(joined)
    return found | _costs(said, joined)


def errors(name: str, numbers: Sequence[int]) -> dict[str, Figure]:
    """p50 and p99 of absolute errors; ms. An error to either side is an error."""
    sizes = sorted(abs(one) / 1e6 for one in numbers)
    return _percentiles(name, sizes)


def _delays(joined: Sequence[Pair], *, paced: bool) -> dict[str, Figure]:
    # At a start of all streams at once every first request is wanted when the load begins.
    began = min(one.heard.wanted_ns for one in joined)
    due = [(one, one.heard.wanted_ns if paced else began) for one in joined if paced or one.heard.fresh]
    return _percentiles("dispatch", sorted((one.sent_ns - at) / 1e6 for one, at in due)) | _percentiles(
        "reached", sorted((one.truth.read_ns - at) / 1e6 for one, at in due)
    )


def _flags(joined: Sequence[Pair]) -> dict[str, Figure]:
    counts = [one.receives() for one in joined]
    receives = sum(all_ for all_, _ in counts)
    return {
        "flagged": Figure(100 * sum(several for _, several in counts) / receives, receives),
        "kernel": Figure(100 * _share(one.heard.stamps == "kernel" for one in joined), len(joined)),
        "user_space": Figure(100 * _share(one.heard.stamps == "user-space" for one in joined), len(joined)),
    }


def _costs(said: Said, joined: Sequence[Pair]) -> dict[str, Figure]:
    chunks = sum(len(one.heard.arrived_ns) for one in joined)
    wall_s = (said.ended_ns - min(one.sent_ns for one in joined)) / 1e9
    server_s = (
        max(one.truth.sends_ns[-1] for one in joined) - min(one.truth.read_ns for one in joined)
    ) / 1e9
    found = {
        "cpu": Figure(said.cpu_ns / 1e6 / (chunks / 1000), chunks),
        "rate": Figure(chunks / wall_s, chunks),
    }
    return found | ({"server_rate": Figure(chunks / server_s, chunks)} if server_s > 0 else {})


def quantile(ordered: Sequence[float], p: float) -> float:
    """Linear between the order statistics around 1 + (n - 1) p."""
    place = (len(ordered) - 1) * p
    below = math.floor(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    return low + (high - low) * (place - below)


def medians(repeats: Sequence[Figures]) -> dict[str, Figure]:
    """The median of each figure over the repeats that gave it, with the least n."""
    names = dict.fromkeys(name for one in repeats for name in one)
    return {name: _median([one[name] for one in repeats if name in one]) for name in names}


def _median(found: Sequence[Figure]) -> Figure:
    return Figure(median(one.value for one in found), min(one.n for one in found))


def _percentiles(name: str, ordered: Sequence[float]) -> dict[str, Figure]:
    if not ordered:
        return {}
    return {f"{name}_p{p}": Figure(quantile(ordered, p / 100), len(ordered)) for p in (50, 99)}


def _share(found: Iterable[bool]) -> float:
    seen = list(found)
    return sum(seen) / len(seen)
