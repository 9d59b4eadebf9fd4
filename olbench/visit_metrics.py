"""Single figures of one visit, in base units: what the system as a whole did, and what it took."""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from olbench import series
from olbench.findings import Value
from olbench.model import GOOD, TEXT, THINKING, Observation, Readings, Sample
from olbench.series import Line

STEPPED = Value(
    None, "the wall clock was set during a response of the visit, which spoils the kernel's stamps"
)
NONE_GOOD = Value(None, "no measured sample went through")
NO_TOKENS = Value(None, "the server sent no eval_count")
NO_PLACEMENT = Value(None, "it was not seen where the server put the model")
NO_BEAT = Value(None, "no beat of the probe fell into the measured time")
NO_IDLE = Value(None, "no idle baseline was taken before the load")

# The names of the readings that figures are made of; GPU names are patterns over all cards.
RAM, RAM_SHARE, RUNNER_RAM = "server.rss", "server.pss", "runner.rss"
CPU, CLIENT_CPU, OTHER_CPU, STEAL = "server.cpu", "client.cpu", "host.other_cpu", "host.steal"
SWAP = "host.swap_used"
GPU_THROTTLE = r"gpu\d+\.throttle"
# Bits of that reading which mean heat, hardware or the power supply: slower than the same card when cool and fed. The
# plain power limit is left out: a busy card lives at it.
SLOWED = 0x008 | 0x020 | 0x040 | 0x080
GPU_OWN, GPU_USED, GPU_UTIL = r"gpu\d+\.server", r"gpu\d+\.used", r"gpu\d+\.util"
POWER = r"(gpu\d+|cpu\d*|soc)\.power"

_SAYS = TEXT | THINKING

# --- work done ------------------------------------------------------------------------------------------------


def measured(observation: Observation) -> list[Sample]:
    """The measured samples that went through; nothing else enters a figure."""
    return [one for one in observation.samples if one.phase == "measured" and one.outcome in GOOD]


def window(samples: Sequence[Sample]) -> tuple[int, int] | None:
    """First send and last byte of the samples; None when there are none."""
    sent = [one.sent_ns for one in samples if one.sent_ns is not None]
    return (min(sent), max(one.end_ns for one in samples)) if sent else None


def tokens(samples: Sequence[Sample]) -> int | None:
    """All tokens made, by the server's count; None when it did not say for every sample."""
    counts = [one.counts.eval_count for one in samples if one.counts is not None]
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(samples) else None


def throughput(observation: Observation) -> Value:
    """Tokens a second of all streams together, without ramp-up and run-out where there are samples enough."""
    good = measured(observation)
    span, made = window(good), tokens(good)
    if span is None:
        return NONE_GOOD
    if made is None:
        return NO_TOKENS
    if _stepped(good):
        return STEPPED
    steady = _steady(good)
    if steady is not None:
        start, end = steady
        made_steadily = sum(_made_between(one, start, end) for one in good)
        return Value(made_steadily / ((end - start) / 1e9))
    return _per_second(made, span)


def _stepped(good: Iterable[Sample]) -> bool:
    return any(one.stamps == "stepped" for one in good)


def requests_per_s(observation: Observation) -> Value:
    """Requests a second that went through, ramp and all."""
    good = measured(observation)
    span = window(good)
    if span is None:
        return NONE_GOOD
    return STEPPED if _stepped(good) else _per_second(len(good), span)


def _per_second(amount: int, span: tuple[int, int]) -> Value:
    start, end = span
    return Value(amount / ((end - start) / 1e9)) if end > start else Value(None, "it took no time at all")


def _steady(good: Sequence[Sample]) -> tuple[int, int] | None:
    """From the moment when all streams have begun to that when the first runs dry; None with too few samples."""
    spans = _stream_spans(good)
    streamed = all(one.streamed and len(one.chunks) for one in good)
    if len(spans) < 2 or len(good) < 3 * len(spans) or not streamed:
        return None
    start, end = max(first for first, _ in spans), min(last for _, last in spans)
    return (start, end) if end > start else None


def _stream_spans(good: Sequence[Sample]) -> list[tuple[int, int]]:
    """First send and last byte of each stream."""
    spans: dict[int, tuple[int, int]] = {}
    for one in good:
        if one.sent_ns is not None:
            first, last = spans.get(one.stream, (one.sent_ns, one.end_ns))
            spans[one.stream] = (min(first, one.sent_ns), max(last, one.end_ns))
    return list(spans.values())


def _made_between(sample: Sample, start_ns: int, end_ns: int) -> float:
    """Tokens of the sample that arrived after start and not after end, spread evenly over its lines with text."""
    made = 0 if sample.counts is None else sample.counts.eval_count or 0
    if sample.sent_ns is not None and sample.sent_ns >= start_ns and sample.end_ns <= end_ns:
        return float(made)
    says = np.frombuffer(sample.chunks.kind, dtype=np.uint8) & _SAYS != 0
    stamps = np.frombuffer(sample.chunks.arrived_ns, dtype=np.int64)[says]
    if len(stamps) == 0:
        return 0.0
    inside = np.count_nonzero((stamps > start_ns) & (stamps <= end_ns))
    return float(made * inside / len(stamps))


# --- memory and processors ------------------------------------------------------------------------------------


def _absent(observation: Observation, name: str) -> Value:
    """Why a series (a name, or a pattern over cards) has no beat."""
    reasons = (why for what, why in observation.readings.absent if what == name or re.fullmatch(name, what))
    plain = name.replace(r"\d+", "N").replace("\\", "")
    return Value(None, next(reasons, f"no probe gave {plain}"))


def _peak(name: str) -> Callable[[Observation], Value]:
    """The highest value of a series over the whole visit, the load included."""

    def of(observation: Observation) -> Value:
        seen = series.line(observation.readings, name)
        return _absent(observation, name) if seen is None else Value(series.peak(seen))

    return of


def _growth(name: str) -> Callable[[Observation], Value]:
    """The last value of a series less its first."""

    def of(observation: Observation) -> Value:
        seen = series.line(observation.readings, name)
        return _absent(observation, name) if seen is None else Value(series.growth(seen))

    return of


def _mean(name: str) -> Callable[[Observation], Value]:
    """The mean of a series while measured requests ran."""

    def of(observation: Observation) -> Value:
        seen = series.line(observation.readings, name)
        return _absent(observation, name) if seen is None else _meantime(observation, seen)

    return of


def _meantime(observation: Observation, seen: Line) -> Value:
    span = window(measured(observation))
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


def gpu_memory(observation: Observation) -> Line | Value:
    """GPU memory of the server over all cards: its own where that can be read, else the cards' less the idle baseline."""
    own = series.total(observation.readings, GPU_OWN)
    if own is not None:
        return own
    used = series.total(observation.readings, GPU_USED)
    if used is None:
        return _absent(observation, GPU_USED)
    idle = series.total(observation.baseline, GPU_USED)
    return NO_IDLE if idle is None else series.less(used, series.average(idle))


def gpu_peak(observation: Observation) -> Value:
    """The highest GPU memory of the visit."""
    seen = gpu_memory(observation)
    return seen if isinstance(seen, Value) else Value(series.peak(seen))


def gpu_mean(observation: Observation) -> Value:
    """The mean GPU memory while measured requests ran."""
    seen = gpu_memory(observation)
    return seen if isinstance(seen, Value) else _meantime(observation, seen)


def gpu_util(observation: Observation) -> Value:
    """The mean utilisation of the cards while measured requests ran."""
    seen = series.total(observation.readings, GPU_UTIL)
    if seen is None:
        return _absent(observation, GPU_UTIL)
    whole = _meantime(observation, seen)
    cards = len(series.lines(observation.readings, GPU_UTIL))
    return whole if whole.number is None else Value(whole.number / cards)


def gpu_slowed(observation: Observation) -> Value:
    """Share of the beats in the measured time at which some card was held back, see SLOWED."""
    lines = series.lines(observation.readings, GPU_THROTTLE)
    span = window(measured(observation))
    if not lines:
        return _absent(observation, GPU_THROTTLE)
    if span is None:
        return NONE_GOOD
    shares = [series.share_with_bits(one, SLOWED, *span) for one in lines]
    known = [share for share in shares if share is not None]
    return Value(max(known)) if known else NO_BEAT


# --- power ----------------------------------------------------------------------------------------------------


def power_mean(observation: Observation) -> Value:
    """Watts while measured requests ran, all power readings together."""
    seen = series.total(observation.readings, POWER)
    return _no_power(observation.readings) if seen is None else _meantime(observation, seen)


def energy_per_token_gross(observation: Observation) -> Value:
    """Joules a token, idle power included."""
    watts = power_mean(observation)
    return watts if watts.number is None else _per_token(observation, watts.number)


def energy_per_token(observation: Observation) -> Value:
    """Joules a token above what the machine takes when idle."""
    watts = power_mean(observation)
    if watts.number is None:
        return watts
    idle = series.total(observation.baseline, POWER)
    return NO_IDLE if idle is None else _per_token(observation, watts.number - series.average(idle))


def _per_token(observation: Observation, watts: float) -> Value:
    good = measured(observation)
    span, made = window(good), tokens(good)
    if span is None or not made:
        return NO_TOKENS
    return Value(watts * (span[1] - span[0]) / 1e9 / made)


def _no_power(readings: Readings) -> Value:
    reasons = (why for what, why in readings.absent if re.fullmatch(POWER, what))
    return Value(None, next(reasons, "no probe gave power"))


# --- the model in memory --------------------------------------------------------------------------------------


def preload(observation: Observation) -> Value:
    """Seconds of the load request that went before the measuring, by our clock."""
    if observation.placement is None:
        return NO_PLACEMENT
    took = observation.placement.preload_ns
    return Value(None, "this visit preloaded nothing") if took is None else Value(took / 1e9)


def model_size(observation: Observation) -> Value:
    """Bytes of the loaded model as the server reports them."""
    if observation.placement is None:
        return NO_PLACEMENT
    return _reported(observation.placement.size, "size")


def model_vram(observation: Observation) -> Value:
    """Bytes of the loaded model in GPU memory as the server reports them."""
    if observation.placement is None:
        return NO_PLACEMENT
    return _reported(observation.placement.size_vram, "size_vram")


def _reported(seen: int | None, name: str) -> Value:
    return Value(None, f"the server reported no {name}") if seen is None else Value(float(seen))
