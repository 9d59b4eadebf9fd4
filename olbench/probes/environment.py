"""The settings that a server was given by its environment: a closed list, so that no secret gets in."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from olbench.model import Facts
from olbench.probes.commands import PROC

_NAMES = """
OLLAMA_CONTEXT_LENGTH OLLAMA_DEBUG OLLAMA_DEBUG_LOG_REQUESTS OLLAMA_FLASH_ATTENTION OLLAMA_GO_TEMPLATE
OLLAMA_GPU_OVERHEAD OLLAMA_IGPU_ENABLE OLLAMA_KEEP_ALIVE OLLAMA_KV_CACHE_TYPE OLLAMA_LLM_LIBRARY
OLLAMA_LOAD_TIMEOUT OLLAMA_MAX_LOADED_MODELS OLLAMA_MAX_QUEUE OLLAMA_MULTIUSER_CACHE OLLAMA_NEW_ENGINE
OLLAMA_NO_CLOUD OLLAMA_NUM_PARALLEL OLLAMA_SCHED_SPREAD OLLAMA_VULKAN LLAMA_ARG_BATCH
LLAMA_ARG_CACHE_PROMPT LLAMA_ARG_CACHE_RAM LLAMA_ARG_CACHE_REUSE LLAMA_ARG_CACHE_TYPE_K
LLAMA_ARG_CACHE_TYPE_V LLAMA_ARG_CONTEXT_SHIFT LLAMA_ARG_CONT_BATCHING LLAMA_ARG_CPU_MOE
LLAMA_ARG_CTX_SIZE LLAMA_ARG_DEVICE LLAMA_ARG_DRAFT_MAX LLAMA_ARG_FIT LLAMA_ARG_FIT_CTX
LLAMA_ARG_FIT_TARGET LLAMA_ARG_FLASH_ATTN LLAMA_ARG_KV_OFFLOAD LLAMA_ARG_KV_UNIFIED LLAMA_ARG_LOAD_MODE
LLAMA_ARG_MAIN_GPU LLAMA_ARG_MLOCK LLAMA_ARG_MMAP LLAMA_ARG_NO_CONTEXT_SHIFT LLAMA_ARG_NO_KV_OFFLOAD
LLAMA_ARG_NO_MMAP LLAMA_ARG_NO_OP_OFFLOAD LLAMA_ARG_N_CPU_MOE LLAMA_ARG_N_GPU_LAYERS LLAMA_ARG_N_PARALLEL
LLAMA_ARG_NUMA LLAMA_ARG_SPLIT_MODE LLAMA_ARG_SWA_FULL LLAMA_ARG_TENSOR_SPLIT LLAMA_ARG_THREADS
LLAMA_ARG_THREADS_BATCH LLAMA_ARG_UBATCH CUDA_VISIBLE_DEVICES GGML_CUDA_ENABLE_UNIFIED_MEMORY
GGML_VK_VISIBLE_DEVICES HIP_VISIBLE_DEVICES HSA_OVERRIDE_GFX_VERSION OMP_NUM_THREADS OMP_WAIT_POLICY
ROCR_VISIBLE_DEVICES
"""
NAMES = frozenset(_NAMES.split())
# A setting is a word, a number or a list of them. Anything else (a path, a device's serial number) is not shown.
_SHOWN = re.compile(r"[A-Za-z0-9_.,:+-]{0,40}")
_SERIAL = re.compile(r"(GPU|MIG)-", re.IGNORECASE)


def environment(pid: int, proc: Path = PROC) -> Facts:
    """Facts "server.env.NAME" of the settings that are set, and their number as "server.env".

    That number is None when the environment of `pid` may not be read.
    """
    found = _linux(pid, proc) if sys.platform == "linux" else environment_psutil(pid)
    if found is None:
        return {"server.env": None}
    shown = {f"server.env.{name}": _safe(found[name]) for name in sorted(NAMES & found.keys())}
    return {"server.env": len(shown), **shown}


def environment_psutil(pid: int) -> Mapping[str, str] | None:
    """All variables of a process where only psutil can tell."""
    try:
        return psutil.Process(pid).environ()
    except (psutil.Error, OSError):
        return None


def _linux(pid: int, proc: Path) -> Mapping[str, str] | None:
    try:
        raw = (proc / str(pid) / "environ").read_bytes()
    except OSError:
        return None
    pairs = (one.partition("=") for one in raw.decode(errors="replace").split("\0"))
    return {name: value for name, _, value in pairs}


def _safe(value: str) -> str:
    return value if _SHOWN.fullmatch(value) and not _SERIAL.search(value) else "(set)"
