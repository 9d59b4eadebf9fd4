"""The keys of the metrics, for who asks before anything is told."""

MARGIN = "margin."  # of the keys in a run's settings: how far a metric may be off and count as equal

# What a measured request or a visit has; below, what only the first request after an unload has.
METRIC_KEYS = (
    *("ttft", "ttft_answer", "server_ttft", "tpot", "gap", "e2e"),
    *("decode", "steps", "prefill", "throughput", "requests_per_s"),
    *("preload", "warm_load", "prefill_time", "decode_time", "queue", "held"),
    *("network", "unexplained", "connect", "dispatch"),
    *("prompt_tokens", "cached_tokens", "output_tokens", "coalesced"),
    *("ram_peak", "ram_mean", "pss_peak", "runner_ram_peak"),
    *("gpu_peak", "gpu_mean", "gpu_util", "gpu_slowed"),
    *("model_size", "model_vram", "cpu_server", "cpu_other", "cpu_client", "loop_lag", "loop_lag_peak"),
    *("cpu_steal", "swap_growth", "power_mean", "energy_per_token", "energy_per_token_gross"),
)
_COLD = ("ttft_cold", "prefill_cold", "load")
# Of these, more is neither better nor worse.
_NEITHER = ("prompt_tokens", "cached_tokens", "output_tokens", "gpu_util", "model_vram")
MARGIN_KEYS = tuple(key for key in (*METRIC_KEYS, *_COLD) if key not in _NEITHER)
