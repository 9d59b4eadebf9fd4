"""The options that an Ollama server knows, and why it does not know others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["int", "float", "bool", "texts"]
INT_MOST = 2**31 - 1  # options are C ints in the end


@dataclass(frozen=True, slots=True)
class Option:
    """One key of a request's `options`; a bound of None is no bound."""

    name: str
    kind: Kind
    low: float | None
    high: float | None
    load_time: bool  # a change makes the server load the model again
    note: str


# What a cell holds in fields of its own (num_ctx, num_predict) is not here: see ELSEWHERE.
_TABLE = (
    Option(
        "num_batch",
        "int",
        1,
        INT_MOST,
        True,
        "tokens of a prompt that are computed at once; unset: automatic",
    ),
    Option("num_gpu", "int", -1, INT_MOST, True, "layers on the GPU; 0: CPU only, -1: as many as fit"),
    Option("main_gpu", "int", 0, INT_MOST, True, "the one GPU to use"),
    Option("use_mmap", "bool", None, None, True, "map the weights' file instead of reading it"),
    Option("num_thread", "int", 0, INT_MOST, True, "CPU threads; 0: the engine decides"),
    Option("draft_num_predict", "int", 0, INT_MOST, True, "tokens drafted ahead; 0: no speculation"),
    Option("num_keep", "int", -1, INT_MOST, False, "tokens kept when the context overflows; -1: all"),
    Option("seed", "int", 0, INT_MOST, False, "of the sampling; the server's -1 (random) cannot be repeated"),
    Option("top_k", "int", 0, INT_MOST, False, "tokens to choose from; 0: all"),
    Option("top_p", "float", 0, 1, False, "share of probability to choose from"),
    Option("min_p", "float", 0, 1, False, "least probability, relative to the likeliest token"),
    Option("typical_p", "float", 0, 1, False, "share of locally typical tokens; 1: off"),
    Option("repeat_last_n", "int", -1, INT_MOST, False, "tokens looked back on; 0: none, -1: num_ctx"),
    Option("temperature", "float", 0, None, False, "0: greedy, which is what olbench sends unless told"),
    Option("repeat_penalty", "float", 0, None, False, "1: off"),
    Option("presence_penalty", "float", -2, 2, False, "0: off"),
    Option("frequency_penalty", "float", -2, 2, False, "0: off"),
    Option("stop", "texts", None, None, False, "texts that end the answer"),
)
OPTIONS: Mapping[str, Option] = {option.name: option for option in _TABLE}

# Names of the OpenAI API -> what to write instead. A server ignores them in `options` without a word.
OPENAI: Mapping[str, str] = {
    "max_tokens": "output_tokens (num_predict)",
    "max_completion_tokens": "output_tokens (num_predict)",
    "max_output_tokens": "output_tokens (num_predict)",
    "reasoning_effort": "think",
    "reasoning": "think",
    "response_format": "workload.format",
    "n": "measure.requests (a request has one answer)",
    "best_of": "measure.requests (a request has one answer)",
    "messages": "workload.prompts",
    "input": "workload.prompts",
}
# Names of llama.cpp and its kin -> the name that Ollama has.
LLAMA_CPP: Mapping[str, str] = {
    "n_ctx": "num_ctx",
    "ctx_size": "num_ctx",
    "context_length": "num_ctx",
    "n_predict": "output_tokens (num_predict)",
    "n_batch": "num_batch",
    "batch_size": "num_batch",
    "n_gpu_layers": "num_gpu",
    "gpu_layers": "num_gpu",
    "ngl": "num_gpu",
    "n_threads": "num_thread",
    "threads": "num_thread",
    "num_threads": "num_thread",
}
# What olbench sends itself, or has under another name -> why it is no axis.
ELSEWHERE: Mapping[str, str] = {
    "num_predict": "olbench sends it as output_tokens; sweep.output_tokens would do",
    "keep_alive": "olbench sends it with every request, so that the model stays loaded within a visit",
    "truncate": "olbench sends truncate = false, so that no prompt is cut in silence",
    "shift": "olbench sends one value throughout, because a change loads the model again",
    "raw": "olbench lets the server apply the model's template, as its users do",
    "template": "it belongs to the model; a model made from a Modelfile can have another",
    "context": "olbench sends whole prompts; sweep.prompt_tokens sets their length",
    "suffix": "olbench measures answers, not insertions",
    "images": "olbench measures text",
    "tools": "olbench measures text",
    "logprobs": "it slows every token down and is not measured",
    "top_logprobs": "it slows every token down and is not measured",
    "options": "every key of [sweep] is an axis; sweep.temperature, sweep.num_batch, ... would do",
    "system": "workload.system would do",
    "format": "workload.format would do",
    "stream": "workload.stream would do",
    "prompt": "workload.prompts would do",
    "num_parallel": "it is a setting of the server (OLLAMA_NUM_PARALLEL), not of a request",
    "flash_attention": "it is a setting of the server (OLLAMA_FLASH_ATTENTION), not of a request",
    "kv_cache_type": "it is a setting of the server (OLLAMA_KV_CACHE_TYPE), not of a request",
}
_GONE = "Ollama took it out by version 0.7 and ignores it in silence"
_NEVER = "no Ollama server has it; it would be ignored in silence"
# Options of old servers, or of none -> what became of them.
REMOVED: Mapping[str, str] = {
    **dict.fromkeys(("mirostat", "mirostat_tau", "mirostat_eta"), f"{_GONE}; top_k, top_p and min_p remain"),
    "tfs_z": f"{_GONE}; typical_p and min_p remain",
    "penalize_newline": f"{_GONE}; repeat_penalty remains",
    "f16_kv": f"{_GONE}; OLLAMA_KV_CACHE_TYPE of the server decides",
    "use_mlock": f"{_GONE}; use_mmap remains",
    "low_vram": f"{_GONE}; num_gpu remains",
    **dict.fromkeys(
        ("numa", "vocab_only", "logits_all", "embedding_only", "num_gqa", "rope_frequency_base"), _GONE
    ),
    "rope_frequency_scale": _GONE,
    "logit_bias": _NEVER,
    "tool_choice": _NEVER,
}


def refusal(name: str) -> str | None:
    """Why `name` is no axis although somebody may expect it to be one; None when there is nothing to say."""
    instead = OPENAI.get(name) or LLAMA_CPP.get(name)
    if instead is not None:
        whose = "an OpenAI name" if name in OPENAI else "a llama.cpp name"
        return f"{whose}, which an Ollama server ignores in silence; {instead} would do"
    if name.startswith("OLLAMA_"):
        return "a setting of the server's environment, not of a request"
    return ELSEWHERE.get(name) or REMOVED.get(name)


def wants(option: Option) -> str:
    """What would do for a value of this option: "a whole number from 0 to 5", "true or false"."""
    match option.kind:
        case "bool":
            return "true or false"
        case "texts":
            return "a list of texts"
        case "int":
            return "a whole number" + _bounds(option.low, None if option.high == INT_MOST else option.high)
        case "float":
            return "a number" + _bounds(option.low, option.high)


def _bounds(low: float | None, high: float | None) -> str:
    if low is None:
        return "" if high is None else f" of at most {high:g}"
    return f" of at least {low:g}" if high is None else f" from {low:g} to {high:g}"
