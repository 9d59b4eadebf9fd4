"""The table of metrics: what each is called, how it is computed, what it needs. A new metric is a new row.

n is the server's eval_count; durations without "our" are the server's own; stamps are ours. Only samples that went
through (outcome ok or short) enter. The texts here are the ones that the README and every report print.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from olbench import parts as of_parts
from olbench import sample_metrics as of_sample
from olbench import visit_metrics as of_visit
from olbench.column import Column
from olbench.findings import Better, Value
from olbench.model import Phase
from olbench.sample_columns import Samples


@dataclass(frozen=True, slots=True)
class Each:
    """One number a sample of the phase, or the reason why there is none."""

    of: Callable[[Samples], Column]
    phase: Phase = "measured"


@dataclass(frozen=True, slots=True)
class Many:
    """Several numbers a measured sample; being neighbours in one answer, they are not independent of each other."""

    of: Callable[[Samples], Column]


@dataclass(frozen=True, slots=True)
class Whole:
    """One number a visit."""

    of: Callable[[of_visit.Visited], Value]


@dataclass(frozen=True, slots=True)
class Metric:
    """One row: `unit` is the base unit (s, tok/s, 1/s, B, share, cores, W, J/tok, tok)."""

    key: str
    name: str
    unit: str
    better: Better
    of: Each | Many | Whole
    formula: str
    needs: str = ""  # what must be there for it, beside a sample that went through


_STREAM = "a streamed response"
_COUNTS = "the server's counts in the final line"
_CACHE = (
    "prompt_eval_cached_count in the final line; else no figure, because reused tokens would inflate the rate"
)

# A row should look like a row.
# fmt: off
_ROWS = (
    # What a user feels.
    Metric("ttft", "Time to first token", "s", "lower", Each(of_sample.ttft),
           "first line with text or thinking - due, or sent in a closed loop", _STREAM),
    Metric("ttft_answer", "Time to first answer token", "s", "lower", Each(of_sample.ttft_answer),
           "first line with answer text - due, or sent in a closed loop; later than TTFT only where a model thinks", _STREAM),
    Metric("ttft_cold", "Time to first token, cold", "s", "lower", Each(of_sample.ttft, "cold"),
           "TTFT of the first request after a verified unload: the load is in it",
           f"{_STREAM}; a cold request"),
    Metric("server_ttft", "Time to first token by the server's clock", "s", "lower", Each(of_sample.server_ttft),
           "created_at of the first line with text or thinking - (created_at of the final line - total_duration)",
           f"{_STREAM}; created_at in its lines"),
    Metric("tpot", "Time per output token", "s", "lower", Each(of_sample.tpot),
           "(last line with text - first line with text) / (n - 1)",
           f"{_STREAM} in at least 2 lines; n of 2 or more"),
    Metric("gap", "Inter-chunk gap", "s", "lower", Many(of_sample.gaps),
           "stamp of a line with text - stamp of the one before it; a line may hold several tokens",
           f"{_STREAM} in at least 2 lines"),
    Metric("e2e", "End-to-end time", "s", "lower", Each(of_sample.e2e),
           "last byte - due, or sent in a closed loop"),
    # What the engine does.
    Metric("decode", "Decode rate", "tok/s", "higher", Each(of_sample.decode),
           "n / eval_duration, which `ollama run --verbose` calls eval rate", f"{_COUNTS}; n of 2 or more"),
    Metric("steps", "Steps rate", "tok/s", "higher", Each(of_sample.steps),
           "(n - 1) / eval_duration: on GGUF the first token lies outside eval_duration",
           f"{_COUNTS}; n of 2 or more"),
    Metric("prefill", "Prefill rate", "tok/s", "higher", Each(of_sample.prefill),
           "(prompt_eval_count - prompt_eval_cached_count) / prompt_eval_duration", _CACHE),
    Metric("prefill_cold", "Prefill rate, cold", "tok/s", "higher", Each(of_sample.prefill, "cold"),
           "prefill rate of the first request after a verified unload, when the cache is known to be empty",
           f"{_COUNTS}; a cold request"),
    Metric("throughput", "System throughput", "tok/s", "higher", Whole(of_visit.throughput),
           "sum of n / (last end - first send); with at least 3 samples a stream on 2 or more streams, only between the "
           "moment when every stream has begun and the moment when the first runs dry, n spread evenly over its lines; of a "
           "load, the tokens that came between the first and the last measured due time, the warm-up's among them",
           "n of every sample"),
    Metric("requests_per_s", "Requests per second", "1/s", "higher", Whole(of_visit.requests_per_s),
           "samples that went through / (last end - first send); of a load, those that ended between the first and the last "
           "measured due time, the warm-up's among them / that time"),
    # Where the time goes.
    Metric("load", "Load time, cold", "s", "lower", Each(of_sample.load, "cold"),
           "load_duration of the first request after a verified unload; servers poll for readiness, Ollama every 0.25 s",
           f"{_COUNTS}; a cold request"),
    Metric("preload", "Preload time", "s", "lower", Whole(of_visit.preload),
           "our time from the load-only request to its answer", "a visit that preloads"),
    Metric("warm_load", "Load overhead, warm", "s", "lower", Each(of_sample.load),
           "load_duration of a request to a model in memory", _COUNTS),
    Metric("prefill_time", "Prefill time", "s", "lower", Each(of_sample.prefill_time),
           "prompt_eval_duration", _COUNTS),
    Metric("decode_time", "Decode time", "s", "lower", Each(of_sample.decode_time),
           "eval_duration", _COUNTS),
    Metric("queue", "Queue", "s", "lower", Each(of_parts.queue),
           "server's TTFT - load_duration - prompt_eval_duration, at most total_duration less its three parts, which "
           "stands alone where a response is not streamed; without created_at in its lines the server's TTFT is "
           "total_duration - (last byte - first line with text)", _COUNTS),
    Metric("held", "Text held back", "s", "lower", Each(of_parts.held),
           "(first line with text - sent) - network - load_duration - queue - prompt_eval_duration: tokens were made, and no text of them had come yet",
           f"{_STREAM}; {_COUNTS}"),
    Metric("network", "Network and client", "s", "lower", Each(of_parts.network),
           "(first line with text - sent) - server's TTFT, at most (last byte - sent) - total_duration, which stands alone where a response is not "
           "streamed", _COUNTS),
    Metric("unexplained", "Unexplained time", "s", "lower", Each(of_parts.unexplained),
           "(last byte - sent) - network - load_duration - queue - prompt_eval_duration - eval_duration: what stamps and "
           "durations leave over", f"{_STREAM}; {_COUNTS}"),
    Metric("connect", "New connection", "s", "lower", Each(of_parts.connect),
           "of the time from wanted to sent, what went into a new connection; 0 where one was held ready",
           "a connection that olbench made itself"),
    Metric("dispatch", "Dispatch delay", "s", "lower", Each(of_parts.dispatch),
           "(sent - wanted) - new connection: lateness of olbench itself, in no other figure"),
    # What was asked for and what came.
    Metric("prompt_tokens", "Prompt tokens", "tok", "neither", Each(of_sample.prompt_tokens),
           "prompt_eval_count", _COUNTS),
    Metric("cached_tokens", "Prompt tokens from the cache", "tok", "neither", Each(of_sample.cached_tokens),
           "prompt_eval_cached_count", "a server that sends it"),
    Metric("output_tokens", "Output tokens", "tok", "neither", Each(of_sample.output_tokens),
           "n, thinking included", _COUNTS),
    Metric("coalesced", "Blurred stamps", "share", "lower", Each(of_sample.coalesced),
           "lines that came in one receive with a later line / lines; their stamps are upper bounds",
           _STREAM),
    # What it takes.
    Metric("ram_peak", "Peak RAM of the server", "B", "lower", Whole(of_visit.ram_peak),
           "highest sum of RSS over the server's processes, from the load to the end of the visit",
           "a server on this machine"),
    Metric("ram_mean", "Mean RAM of the server", "B", "lower", Whole(of_visit.ram_mean),
           "mean of that sum while measured requests ran", "a server on this machine"),
    Metric("pss_peak", "Peak RAM of the server, shared pages divided", "B", "lower", Whole(of_visit.pss_peak),
           "highest sum of PSS over the server's processes, from the load to the end of the visit",
           "Linux, and the right to read the server's smaps"),
    Metric("runner_ram_peak", "Peak RAM of the runner", "B", "lower", Whole(of_visit.runner_ram_peak),
           "highest RSS of the process that holds the model", "a server on this machine"),
    Metric("gpu_peak", "Peak GPU memory", "B", "lower", Whole(of_visit.gpu_peak),
           "highest sum over GPUs of the server's own memory, else of the cards' used memory less the idle baseline "
           "(then said so)",
           "a GPU that can be read"),
    Metric("gpu_mean", "Mean GPU memory", "B", "lower", Whole(of_visit.gpu_mean),
           "mean of that sum while measured requests ran", "a GPU that can be read"),
    Metric("gpu_util", "GPU utilisation", "share", "neither", Whole(of_visit.gpu_util),
           "mean over GPUs and over the time in which measured requests ran", "a GPU that can be read"),
    Metric("gpu_slowed", "GPU held back", "share", "lower", Whole(of_visit.gpu_slowed),
           "beats at which the driver names heat, hardware or the power supply as a brake / beats while measured "
           "requests ran", "a driver that tells why clocks are low"),
    Metric("model_size", "Model in memory", "B", "lower", Whole(of_visit.model_size),
           "size in /api/ps: weights, KV cache of all slots and buffers", "a server that reports it"),
    Metric("model_vram", "Model in GPU memory", "B", "neither", Whole(of_visit.model_vram),
           "size_vram in /api/ps", "a server that reports it"),
    Metric("cpu_server", "CPU of the server", "cores", "lower", Whole(of_visit.cpu_server),
           "mean cores that the server's processes kept busy while measured requests ran",
           "a server on this machine"),
    Metric("cpu_other", "CPU of other programs", "cores", "lower", Whole(of_visit.cpu_other),
           "mean cores that neither the server nor olbench kept busy while measured requests ran",
           "a server on this machine"),
    Metric("cpu_client", "CPU of olbench", "cores", "lower", Whole(of_visit.cpu_client),
           "mean cores that olbench itself kept busy while measured requests ran"),
    Metric("loop_lag", "Loop lag of olbench", "s", "lower", Whole(of_visit.loop_lag),
           "median over the beats in which measured requests ran of how late olbench's own event loop met a call"),
    Metric("loop_lag_peak", "Largest loop lag of olbench", "s", "lower", Whole(of_visit.loop_lag_peak),
           "the largest of those lags"),
    Metric("cpu_steal", "CPU withheld", "cores", "lower", Whole(of_visit.cpu_steal),
           "mean cores that the host of this virtual machine gave to others while measured requests ran",
           "a virtual machine that is told"),
    Metric("swap_growth", "Growth of swap", "B", "lower", Whole(of_visit.swap_growth),
           "swap in use at the end of the visit - at its start", "a server on this machine"),
    Metric("power_mean", "Power", "W", "lower", Whole(of_visit.power_mean),
           "mean of the sum of all power readings while measured requests ran", "a power reading"),
    Metric("energy_per_token", "Energy per token above idle", "J/tok", "lower", Whole(of_visit.energy_per_token),
           "(power integrated from the first send to the last end - idle power before the load x that time) / sum of n",
           "a power reading, and an idle baseline of it"),
    Metric("energy_per_token_gross", "Energy per token, gross", "J/tok", "lower", Whole(of_visit.energy_per_token_gross),
           "power integrated from the first send to the last end / sum of n", "a power reading"),
)
# fmt: on

METRICS: Mapping[str, Metric] = {row.key: row for row in _ROWS}
