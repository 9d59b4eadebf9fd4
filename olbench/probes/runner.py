"""The process that computes for a server: how it is recognised, and what its command line says of its settings."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from olbench.model import Fact, Facts
from olbench.probes.commands import basename, program

CHILD = "olbench.engines.child"
# Flag -> (fact, value); a value of None stands for what follows the flag, or True where nothing does.
FLAGS: dict[str, tuple[str, Fact]] = {
    "-c": ("ctx", None),
    "--ctx-size": ("ctx", None),
    "-np": ("parallel", None),
    "--parallel": ("parallel", None),
    "-b": ("batch", None),
    "--batch-size": ("batch", None),
    "-ub": ("ubatch", None),
    "--ubatch-size": ("ubatch", None),
    "-t": ("threads", None),
    "--threads": ("threads", None),
    "-tb": ("threads_batch", None),
    "--threads-batch": ("threads_batch", None),
    "-ngl": ("gpu_layers", None),
    "--gpu-layers": ("gpu_layers", None),
    "--n-gpu-layers": ("gpu_layers", None),
    "-mg": ("main_gpu", None),
    "--main-gpu": ("main_gpu", None),
    "-sm": ("split_mode", None),
    "--split-mode": ("split_mode", None),
    "-ts": ("tensor_split", None),
    "--tensor-split": ("tensor_split", None),
    "-dev": ("device", None),
    "--device": ("device", None),
    "-fit": ("fit", None),
    "--fit": ("fit", None),
    "-fitt": ("fit_target", None),
    "--fit-target": ("fit_target", None),
    "-ncmoe": ("cpu_moe_layers", None),
    "--n-cpu-moe": ("cpu_moe_layers", None),
    "-cmoe": ("cpu_moe", True),
    "--cpu-moe": ("cpu_moe", True),
    "-ctk": ("cache_type_k", None),
    "--cache-type-k": ("cache_type_k", None),
    "-ctv": ("cache_type_v", None),
    "--cache-type-v": ("cache_type_v", None),
    "--kv-cache-type": ("cache_type", None),
    "-fa": ("flash_attention", None),
    "--flash-attn": ("flash_attention", None),
    "-kvu": ("kv_unified", True),
    "--kv-unified": ("kv_unified", True),
    "-nkvo": ("kv_offload", False),
    "--no-kv-offload": ("kv_offload", False),
    "-cram": ("cache_ram", None),
    "--cache-ram": ("cache_ram", None),
    "--cache-reuse": ("cache_reuse", None),
    "--cache-prompt": ("cache_prompt", True),
    "--no-cache-prompt": ("cache_prompt", False),
    "--multiuser-cache": ("multiuser_cache", True),
    "--swa-full": ("swa_full", True),
    "--context-shift": ("context_shift", True),
    "--no-context-shift": ("context_shift", False),
    "--load-mode": ("load_mode", None),
    "--mmap": ("mmap", True),
    "--no-mmap": ("mmap", False),
    "--mlock": ("mlock", True),
    "--numa": ("numa", None),
    "--no-warmup": ("warmup", False),
    "-m": ("model", None),
    "--model": ("model", None),
    "--mmproj": ("mmproj", None),
    "-md": ("draft_model", None),
    "--model-draft": ("draft_model", None),
    "--spec-type": ("spec_type", None),
    "--draft-max": ("draft_max", None),
    "--spec-draft-n-max": ("draft_max", None),
    "--ollama-engine": ("ollama_engine", True),
    "--mlx-engine": ("mlx_engine", True),
}
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@dataclass(frozen=True, slots=True)
class Runner:
    """The process that computes; `pid` None: it was not found, and `reason` says why.

    `settings` are facts such as "runner.ctx" (over all slots), "runner.parallel", "runner.threads", and only
    those that the command line names.
    """

    pid: int | None
    model: str | None  # name of the weights' blob or file, never a path
    settings: Facts
    reason: str


def recognised(pid: int, command: Sequence[str]) -> Runner | None:
    """The runner that a command line shows; None when it is another kind of process."""
    kind, arguments = _arguments(tuple(command))
    # Ollama starts llama-server without a model to list devices; such a process computes nothing.
    if kind is None or not any(one.split("=")[0] in ("--model", "-m") for one in arguments):
        return None
    facts = settings(arguments)
    model = facts.get("runner.model")
    return Runner(pid, str(model), {"runner.program": kind, **facts}, "")


def settings(arguments: Sequence[str]) -> Facts:
    """The settings that matter among `arguments`, as facts; keys, hosts and other flags are passed over."""
    return {f"runner.{name}": value for name, value in _pairs(arguments)}


def pick(runners: Sequence[Runner], blob: str | None) -> Runner:
    """The runner of the weights `blob` (None: of the only model), or none with the reason.

    Runners are in the order of their start: of two that run the same weights the later one is meant, because
    the other one is on its way out.
    """
    same = [one for one in runners if one.model == blob]
    if same:
        return same[-1]
    # MLX runners name the model and not its blob, and so may servers of other kinds.
    open_to = [one for one in runners if blob is None or not str(one.model).startswith("sha256-")]
    if len({one.model for one in open_to}) == 1:
        return open_to[-1]
    return Runner(None, None, {}, _why_none(len(runners), blob))


def _why_none(count: int, blob: str | None) -> str:
    if count == 0:
        return "no runner process is seen below the server"
    if blob is None:
        return f"{count} runner processes are there, and which one is meant is not known"
    return "none of the runner processes below the server names this model's weights"


def _arguments(command: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    name = program(command)
    if name in ("llama-server", "ollama_llama_server"):
        return name, command[1:]
    if name.lower() == "ollama" and command[1:2] == ("runner",):
        return "ollama runner", command[2:]
    if CHILD in command:
        return CHILD, command[command.index(CHILD) + 1 :]
    return None, ()


def _pairs(arguments: Sequence[str]) -> Iterator[tuple[str, Fact]]:
    for place, word in enumerate(arguments):
        flag, equals, given = word.partition("=")
        if flag not in FLAGS:
            continue
        name, fixed = FLAGS[flag]
        after = given if equals else next(iter(arguments[place + 1 : place + 2]), "-")
        yield name, _value(after) if fixed is None else fixed


def _value(text: str) -> Fact:
    """What follows a flag: a number, a word, the last part of a path; True when the next flag follows."""
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return True if text.startswith("-") else basename(text)
