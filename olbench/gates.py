"""What makes one visit unfit to be judged by: read from the visit itself, by whoever takes it and by whoever tells it."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from operator import add, mul, sub
from statistics import median

from olbench.model import GOOD, Fact, Facts, Observation, Placement
from olbench.readings import Series
from olbench.units import words

# Among a visit's facts: what such a fact was before the measuring, where it is another one now.
BEFORE = ".before"
RETAKEN = "taken again, because"  # so begins the note of a visit that did not pass before
# Bits of "gpuN.throttle" which mean heat, hardware or the power supply. The plain power limit is left out: a busy card
# lives at it.
SLOWED = 0x008 | 0x020 | 0x040 | 0x080
BEATS = 2  # in a third of the measured time, for its clock to be compared
_GPU = re.compile(r"gpu(\d+)\.(\w+)")


@dataclass(frozen=True, slots=True)
class Trip:
    """One gate that a visit did not pass."""

    gate: str  # key into GATES
    sentence: str  # "other programs kept 1.2 cores busy"


def tripped(seen: Observation, limits: Mapping[str, float], facts: Facts) -> tuple[Trip, ...]:
    """The gates that the visit does not pass; `facts` are the machine's at the run's start. Pure.

    What cannot be looked at trips nothing.
    """
    lines = {one.name: one for one in seen.readings.series if len(one.t_ns)}
    look = Look(seen, limits, facts, window(seen), lines)
    return tuple(Trip(gate, sentence) for gate, check in GATES.items() for sentence in check(look))


def window(seen: Observation) -> tuple[int, int] | None:
    """First send and last byte of the measured samples that went through, as all figures see it; None without any."""
    good = [one for one in seen.samples if one.phase == "measured" and one.outcome in GOOD]
    sent = [one.sent_ns for one in good if one.sent_ns is not None]
    return (min(sent), max(one.end_ns for one in good)) if sent else None


@dataclass(frozen=True, slots=True)
class Look:
    """One visit as the gates see it."""

    seen: Observation
    limits: Mapping[str, float]
    facts: Facts
    span: tuple[int, int] | None
    lines: Mapping[str, Series]

    def mean(self, name: str) -> float | None:
        """The mean of a series over the measured time, as the figures take it: by trapezoids, held at its ends."""
        line = self.lines.get(name)
        if self.span is None or line is None:
            return None
        start, end = self.span
        if end <= start or line.t_ns[0] > end or line.t_ns[-1] < start:
            return None
        low, high = bisect_right(line.t_ns, start), bisect_left(line.t_ns, end)
        stamps = (start, *line.t_ns[low:high], end)
        values = (_at(line, start), *line.values[low:high], _at(line, end))
        spans, sums = map(sub, stamps[1:], stamps), map(add, values[1:], values)
        return fsum(map(mul, sums, spans)) / 2 / (end - start)

    def inside(self, name: str) -> Sequence[float]:
        """The values of the beats in the measured time, its ends included."""
        line = self.lines.get(name)
        if self.span is None or line is None:
            return ()
        return line.values[bisect_left(line.t_ns, self.span[0]) : bisect_right(line.t_ns, self.span[1])]

    def gpus(self, what: str) -> list[str]:
        """The GPUs that have such a series or such a fact: "gpu0", ..."""
        found = (_GPU.fullmatch(name) for name in (*self.lines, *self.seen.facts))
        return sorted({f"gpu{one[1]}" for one in found if one is not None and one[2] == what})

    def computes(self, gpu: str) -> bool:
        """Whether the server uses a GPU: by its own memory there, or else by the GPU's load."""
        held = self.mean(f"{gpu}.server")
        return self.busy(gpu) if held is None else held > 0

    def busy(self, gpu: str) -> bool:
        """Whether a GPU had much to do."""
        load = self.mean(f"{gpu}.util")
        return load is not None and load >= self.limits["at_work"]

    def placements(self) -> list[Placement]:
        """Where the model was seen, before and after."""
        return [one for one in (self.seen.placement, self.seen.after) if one is not None]

    def here(self) -> bool:
        """Whether this machine is the one that computes."""
        return self.facts.get("server.local") is not False


def _at(line: Series, moment: int) -> float:
    """The value on the straight line between the beats around a moment."""
    after = bisect_left(line.t_ns, moment)
    if after == 0:
        return line.values[0]
    if after == len(line.t_ns):
        return line.values[-1]
    t0, t1 = line.t_ns[after - 1], line.t_ns[after]
    v0, v1 = line.values[after - 1], line.values[after]
    return v0 + (v1 - v0) * ((moment - t0) / (t1 - t0))


# --- what others took from it ---------------------------------------------------------------------------------


def _other_load(look: Look) -> Iterator[str]:
    found = look.mean("host.other_cpu")
    if found is not None and found > look.limits["other_cores"]:
        yield f"other programs kept {found:.2f} cores busy"


def _withheld(look: Look) -> Iterator[str]:
    found, threads = look.mean("host.steal"), look.facts.get("cpu.threads")
    whole = threads if isinstance(threads, int) else 0
    if found is not None and found > max(look.limits["stolen_cores"], look.limits["stolen_share"] * whole):
        of = f" of {whole}" if whole else ""
        yield f"the host of this virtual machine withheld {found:.2f}{of} cores"


def _swap(look: Look) -> Iterator[str]:
    line = look.lines.get("host.swap_used")
    grown = 0.0 if line is None else line.values[-1] - line.values[0]
    if grown > look.limits["swap"]:
        yield f"swap grew by {words(grown, 'B')}"


def _pressure(look: Look) -> Iterator[str]:
    found = look.mean("host.memory_pressure")
    if look.here() and found is not None and found > look.limits["pressure"]:
        yield f"programs stood still for want of memory for {words(found, 'share', 2)} of the time"


def _foreign(look: Look) -> Iterator[str]:
    for gpu in look.gpus("foreign"):
        found = look.mean(f"{gpu}.foreign")
        if found is not None and found > look.limits["foreign_gpu"] and look.computes(gpu):
            yield f"other programs held {words(found, 'B')} of the memory of {_named(gpu)}"


def _other_models(look: Look) -> Iterator[str]:
    names = dict.fromkeys(name for one in look.placements() for name in one.others)
    if names:
        yield f"other models were in memory: {', '.join(names)}"


# --- what held it back ----------------------------------------------------------------------------------------


def _slowed(look: Look) -> Iterator[str]:
    for gpu in look.gpus("throttle"):
        beats = Counter(look.inside(f"{gpu}.throttle"))
        slowed = sum(count for bits, count in beats.items() if int(bits) & SLOWED)
        share = slowed / beats.total() if beats else 0.0
        if share > look.limits["slowed_share"]:
            yield f"heat or the power supply held {_named(gpu)} back for {words(share, 'share', 2)} of the time"


def _processor_clock(look: Look) -> Iterator[str]:
    busy, threads = look.mean("server.cpu"), look.facts.get("cpu.threads")
    if busy is not None and isinstance(threads, int) and busy >= look.limits["at_work"] * threads:
        yield from _fell(look, "cpu.clock", "the processor's clock")


def _gpu_clock(look: Look) -> Iterator[str]:
    for series, what in (("sm_clock", "clock"), ("mem_clock", "memory clock")):
        for gpu in look.gpus(series):
            fell = list(_fell(look, f"{gpu}.{series}", f"the {what} of {_named(gpu)}"))
            if fell and look.busy(gpu) and look.computes(gpu):
                yield from fell


def _fell(look: Look, name: str, what: str) -> Iterator[str]:
    """Middle values are compared: a clock that rests between two requests has not fallen."""
    beats = look.inside(name)
    third = len(beats) // 3
    if third < BEATS:
        return
    first, last = median(beats[:third]), median(beats[-third:])
    if last < first * (1 - look.limits["clock_fall"]):
        yield f"{what} fell from {words(first, 'Hz')} to {words(last, 'Hz')}"


def _power_limit(look: Look) -> Iterator[str]:
    for gpu in look.gpus("power_limit"):
        found = list(_limited(look, gpu, look.limits["power_limit"]))
        if found and look.computes(gpu):
            yield from found


def _limited(look: Look, gpu: str, bar: float) -> Iterator[str]:
    name = f"{gpu}.power_limit"
    line, last = look.lines.get(name), _number(look.seen.facts.get(name))
    held = {*(() if line is None else line.values), *(() if last is None else (last,))}
    usual, first = _number(look.facts.get(f"{gpu}.power_default")), _number(look.facts.get(name))
    if held and usual is not None and min(held) < usual * (1 - bar):
        yield f"{_named(gpu)} might take {words(min(held), 'W')}, its usual limit is {words(usual, 'W')}"
    first = line.values[0] if first is None and line is not None else first
    far = max(held, key=lambda one: abs(one - (first or 0.0)), default=None)
    if first is not None and far is not None and abs(far - first) > bar * first:
        yield f"the power limit of {_named(gpu)} went from {words(first, 'W')} to {words(far, 'W')}"


def _battery(look: Look) -> Iterator[str]:
    sources = [look.seen.facts.get(name) for name in ("power.source", f"power.source{BEFORE}")]
    if look.here() and "battery" in sources:
        yield "the machine ran on battery"


def _settings(look: Look) -> Iterator[str]:
    for name, what in (("cpu.governor", "the processor's governor"), ("power.profile", "the power profile")):
        now = look.seen.facts.get(name)
        before = look.seen.facts.get(f"{name}{BEFORE}", look.facts.get(name))
        if look.here() and now is not None and before is not None and now != before:
            yield f"{what} went from {before} to {now}"


# --- what was replaced while it went on -----------------------------------------------------------------------


def _server(look: Look) -> Iterator[str]:
    seen = look.seen
    if _another(seen.version, seen.version_after):
        yield f"the server went from version {seen.version} to {seen.version_after}"
    if any(f"server.{name}{BEFORE}" in seen.facts for name in ("pid", "started")):
        yield "the server was started again"


def _runner(look: Look) -> Iterator[str]:
    before, after = look.seen.placement, look.seen.after
    if any(one.part for one in look.seen.samples):
        return  # the models of a mix take turns in memory
    if before is not None and after is not None and _another(before.runner_pid, after.runner_pid):
        yield f"the model was loaded again (process {before.runner_pid}, then {after.runner_pid})"


def _model(look: Look) -> Iterator[str]:
    before, after = look.seen.placement, look.seen.after
    if before is None or after is None:
        return
    if _another(before.digest, after.digest):
        yield f"the model was replaced ({_short(before)} became {_short(after)})"
    if _another(before.context_length, after.context_length):
        yield f"the context went from {before.context_length} to {after.context_length} tokens"
    old, new = _on_gpu(before), _on_gpu(after)
    if old is not None and new is not None and abs(old - new) > look.limits["vram_share"]:
        what = f"from {words(old, 'share', 2)} to {words(new, 'share', 2)}"
        yield f"the share of the model in GPU memory went {what}"


def _another(before: object, after: object) -> bool:
    return before is not None and after is not None and before != after


def _short(placement: Placement) -> str:
    return (placement.digest or "")[:12]


def _on_gpu(placement: Placement) -> float | None:
    if not placement.size or placement.size_vram is None:
        return None
    return placement.size_vram / placement.size


def _number(fact: Fact) -> float | None:
    return float(fact) if isinstance(fact, int | float) else None


def _named(gpu: str) -> str:
    return gpu.replace("gpu", "GPU ")


GATES: Mapping[str, Callable[[Look], Iterator[str]]] = {
    # Those that a check of the whole cell looks at, too, have its name.
    "other load": _other_load,
    "withheld CPU": _withheld,
    "swap": _swap,
    "memory pressure": _pressure,
    "foreign GPU programs": _foreign,
    "other models": _other_models,
    "GPU held back": _slowed,
    "processor clock": _processor_clock,
    "GPU clock": _gpu_clock,
    "GPU power limit": _power_limit,
    "battery": _battery,
    "power settings": _settings,
    "server": _server,
    "runner": _runner,
    "model": _model,
}
