"""Single figures of one visit, in base units: what the system as a whole did, and what it took."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from olbench import series
from olbench.findings import Value
from olbench.gates import SLOWED
from olbench.model import TEXT, THINKING, Observation
from olbench.readings import Readings
from olbench.sample_columns import Samples
from olbench.series import Line

STEPPED = Value(
    None, "the wall clock was set during a response of the visit, which spoils the kernel's stamps"
)
NONE_GOOD = Value(None, "no measured sample went through")
NO_SPAN = Value(None, "it took no time at all")
NO_TOKENS = Value(None, "the server sent no eval_count")
NO_PLACEMENT = Value(None, "it was not seen where the server put the model")
NO_BEAT = Value(None, "no beat of the probe fell into the measured time")
NO_IDLE = Value(None, "no idle baseline was taken before the load")

# The names of the readings that figures are made of; GPU names are patterns over all cards.
RAM, RAM_SHARE, RUNNER_RAM = "server.rss", "server.pss", "runner.rss"
CPU, CLIENT_CPU, OTHER_CPU, STEAL = "server.cpu", "client.cpu", "host.other_cpu", "host.steal"
SWAP = "host.swap_used"
LOOP_LAG = "client.loop_lag"
GPU_THROTTLE = r"gpu\d+\.throttle"
GPU_OWN, GPU_USED, GPU_UTIL = r"gpu\d+\.server", r"gpu\d+\.used", r"gpu\d+\.util"
POWER = r"(gpu\d+|cpu\d*|soc)\.power"

_SAYS = TEXT | THINKING

# --- work done ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Visited:
    """One visit; `good` are its measured samples that went through. No other sample enters a figure."""

    seen: Observation
    good: Samples
    flow: Samples | None = (
        None  # of a cell with a load: those of the warm-up too, which reach into the measured time
    )

    def coming(self) -> tuple[int, int] | None:
        """From when the first measured request was due to when the last one was; None where that is no span."""
        dues = [one.wanted_ns for one in self.seen.samples if one.phase == "measured"]
        return (min(dues), max(dues)) if dues and min(dues) < max(dues) else None

    def window(self) -> tuple[int, int] | None:
        """First send and last byte of the good samples; None when there are none."""
        sent = self.good.sent_ns[~self.good.unsent]
        return (int(sent.min()), int(self.good.end_ns.max())) if len(sent) else None

    def tokens(self) -> int | None:
        """All tokens made, by the server's count; None when it did not say for every sample."""
        made = float(self.good.eval_count.sum())
        return None if math.isnan(made) else int(made)


def throughput(visited: Visited) -> Value:
    """Tokens a second of all requests together, without ramp-up and run-out where that can be."""
    good, span, made = visited.good, visited.window(), visited.tokens()
    if visited.flow is not None and span is not None:
        return _flow(visited.flow, visited.coming() or span)
    if span is None:
        return NONE_GOOD
    if made is None:
        return NO_TOKENS
    if good.stepped.any():
        return STEPPED
    steady = _steady(good)
    return _per_second(made, span) if steady is None else _per_second(_made_between(good, *steady), steady)


def requests_per_s(visited: Visited) -> Value:
    """Requests a second that went through, ramp and all where they come from streams."""
    span = visited.window()
    if visited.flow is not None and span is not None:
        start, end = visited.coming() or span
        ended = visited.flow.end_ns
        done = int(np.count_nonzero((ended > start) & (ended <= end)))
        return STEPPED if visited.flow.stepped.any() else _per_second(done, (start, end))
    if span is None:
        return NONE_GOOD
    return STEPPED if visited.good.stepped.any() else _per_second(len(visited.good.lines), span)


def _flow(flow: Samples, span: tuple[int, int]) -> Value:
    """Tokens a second that arrived in the span, whichever request they belong to."""
    if flow.stepped.any():
        return STEPPED
    if np.isnan(flow.eval_count).any():
        return NO_TOKENS
    return _per_second(_made_between(flow, *span), span)


def _per_second(amount: float, span: tuple[int, int]) -> Value:
    start, end = span
    return Value(amount / ((end - start) / 1e9)) if end > start else NO_SPAN


def _steady(good: Samples) -> tuple[int, int] | None:
    """From the moment when all streams have begun to that when the first runs dry; None with too few samples."""
    streams = np.unique(good.stream[~good.unsent])
    streamed = bool(np.all(good.streamed & (good.lines > 0)))
    if len(streams) < 2 or len(good.lines) < 3 * len(streams) or not streamed:
        return None
    own = [(good.stream == stream) & ~good.unsent for stream in streams]
    start = max(int(good.sent_ns[rows].min()) for rows in own)
    end = min(int(good.end_ns[rows].max()) for rows in own)
    return (start, end) if end > start else None


def _made_between(good: Samples, start_ns: int, end_ns: int) -> float:
    """Tokens that arrived after start and not after end, those of a sample spread evenly over its lines with text."""
    says = good.having(_SAYS)
    stamps = good.arrived_ns[says.places]
    inside = np.concatenate(([0], np.cumsum((stamps > start_ns) & (stamps <= end_ns))))
    spread = good.eval_count * (inside[says.end] - inside[says.begin]) / np.maximum(says.count, 1)
    within = ~good.unsent & (good.sent_ns >= start_ns) & (good.end_ns <= end_ns)
    return float(sum(np.where(within, good.eval_count, spread).tolist()))


# --- memory and processors ------------------------------------------------------------------------------------


def _absent(seen: Observation, name: str) -> Value:
    """Why a series (a name, or a pattern over cards) has no beat."""
    reasons = (why for what, why in seen.readings.absent if what == name or re.fullmatch(name, what))
    plain = name.replace(r"\d+", "N").replace("\\", "")
    return Value(None, next(reasons, f"no probe gave {plain}"))


def _peak(name: str) -> Callable[[Visited], Value]:
    """The highest value of a series over the whole visit, the load included."""

    def of(visited: Visited) -> Value:
        seen = series.line(visited.seen.readings, name)
        return _absent(visited.seen, name) if seen is None else Value(series.peak(seen))

    return of


def _growth(name: str) -> Callable[[Visited], Value]:
    """The last value of a series less its first."""

    def of(visited: Visited) -> Value:
        seen = series.line(visited.seen.readings, name)
        return _absent(visited.seen, name) if seen is None else Value(series.growth(seen))

    return of


def _mean(name: str) -> Callable[[Visited], Value]:
    """The mean of a series while measured requests ran."""

    def of(visited: Visited) -> Value:
        seen = series.line(visited.seen.readings, name)
        return _absent(visited.seen, name) if seen is None else _meantime(visited, seen)

    return of


def _meantime(visited: Visited, seen: Line) -> Value:
    span = visited.window()
    if span is None:
        return NONE_GOOD
    start, end = span
    if not series.covers(seen, start, end) or end <= start:
        return NO_BEAT
    return Value(series.integral(seen, start, end) / ((end - start) / 1e9))


ram_peak, ram_mean = _peak(RAM), _mean(RAM)
pss_peak, runner_ram_peak = _peak(RAM_SHARE), _peak(RUNNER_RAM)
cpu_server, cpu_client = _mean(CPU), _mean(CLIENT_CPU)
cpu_other, cpu_steal = _mean(OTHER_CPU), _mean(STEAL)
swap_growth = _growth(SWAP)


def loop_lag(visited: Visited) -> Value:
    """The middle lag of olbench's own event loop while measured requests ran."""
    return _lag(visited, np.median)


def loop_lag_peak(visited: Visited) -> Value:
    """The largest lag of that loop."""
    return _lag(visited, np.max)


def _lag(visited: Visited, of: Callable[[NDArray[np.float64]], np.float64]) -> Value:
    seen = series.line(visited.seen.readings, LOOP_LAG)
    span = visited.window()
    if seen is None or span is None:
        return _absent(visited.seen, LOOP_LAG) if seen is None else NONE_GOOD
    inside = seen.values[(seen.t_ns >= span[0]) & (seen.t_ns <= span[1])]
    return Value(float(of(inside))) if len(inside) else NO_BEAT


def gpu_memory(visited: Visited) -> Line | Value:
    """GPU memory of the server over all cards: its own where that can be read, else the cards' less the idle baseline."""
    own = series.total(visited.seen.readings, GPU_OWN)
    if own is not None:
        return own
    used = series.total(visited.seen.readings, GPU_USED)
    if used is None:
        return _absent(visited.seen, GPU_USED)
    idle = series.total(visited.seen.baseline, GPU_USED)
    return NO_IDLE if idle is None else series.less(used, series.average(idle))


def gpu_peak(visited: Visited) -> Value:
    """The highest GPU memory of the visit."""
    seen = gpu_memory(visited)
    return seen if isinstance(seen, Value) else Value(series.peak(seen))


def gpu_mean(visited: Visited) -> Value:
    """The mean GPU memory while measured requests ran."""
    seen = gpu_memory(visited)
    return seen if isinstance(seen, Value) else _meantime(visited, seen)


def gpu_util(visited: Visited) -> Value:
    """The mean utilisation of the cards while measured requests ran."""
    seen = series.total(visited.seen.readings, GPU_UTIL)
    if seen is None:
        return _absent(visited.seen, GPU_UTIL)
    whole = _meantime(visited, seen)
    cards = len(series.lines(visited.seen.readings, GPU_UTIL))
    return whole if whole.number is None else Value(whole.number / cards)


def gpu_slowed(visited: Visited) -> Value:
    """Share of the beats in the measured time at which some card was held back, see SLOWED."""
    lines = series.lines(visited.seen.readings, GPU_THROTTLE)
    span = visited.window()
    if not lines:
        return _absent(visited.seen, GPU_THROTTLE)
    if span is None:
        return NONE_GOOD
    shares = [series.share_with_bits(one, SLOWED, *span) for one in lines]
    known = [share for share in shares if share is not None]
    return Value(max(known)) if known else NO_BEAT


# --- power ----------------------------------------------------------------------------------------------------


def power_mean(visited: Visited) -> Value:
    """Watts while measured requests ran, all power readings together."""
    seen = series.total(visited.seen.readings, POWER)
    return _no_power(visited.seen.readings) if seen is None else _meantime(visited, seen)


def energy_per_token_gross(visited: Visited) -> Value:
    """Joules a token, idle power included."""
    watts = power_mean(visited)
    return watts if watts.number is None else _per_token(visited, watts.number)


def energy_per_token(visited: Visited) -> Value:
    """Joules a token above what the machine takes when idle."""
    watts = power_mean(visited)
    if watts.number is None:
        return watts
    idle = series.total(visited.seen.baseline, POWER)
    return NO_IDLE if idle is None else _per_token(visited, watts.number - series.average(idle))


def _per_token(visited: Visited, watts: float) -> Value:
    span, made = visited.window(), visited.tokens()
    if span is None or not made:
        return NO_TOKENS
    return Value(watts * (span[1] - span[0]) / 1e9 / made)


def _no_power(readings: Readings) -> Value:
    reasons = (why for what, why in readings.absent if re.fullmatch(POWER, what))
    return Value(None, next(reasons, "no probe gave power"))


# --- the model in memory --------------------------------------------------------------------------------------


def preload(visited: Visited) -> Value:
    """Seconds of the load request that went before the measuring, by our clock."""
    if visited.seen.placement is None:
        return NO_PLACEMENT
    took = visited.seen.placement.preload_ns
    return Value(None, "this visit preloaded nothing") if took is None else Value(took / 1e9)


def model_size(visited: Visited) -> Value:
    """Bytes of the loaded model as the server reports them."""
    if visited.seen.placement is None:
        return NO_PLACEMENT
    return _reported(visited.seen.placement.size, "size")


def model_vram(visited: Visited) -> Value:
    """Bytes of the loaded model in GPU memory as the server reports them."""
    if visited.seen.placement is None:
        return NO_PLACEMENT
    return _reported(visited.seen.placement.size_vram, "size_vram")


def _reported(seen: int | None, name: str) -> Value:
    return Value(None, f"the server reported no {name}") if seen is None else Value(float(seen))
