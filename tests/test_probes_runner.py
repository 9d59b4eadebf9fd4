"""What a command line and an environment tell of a runner's settings."""

import os
import sys
from pathlib import Path

import pytest

from olbench.probes.commands import program
from olbench.probes.environment import environment, environment_psutil
from olbench.probes.runner import Runner, pick, recognised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BLOB = "sha256-" + "ab" * 32

# --- command lines --------------------------------------------------------------------------------------------

NEW = (
    f"/usr/lib/ollama/llama-server --model /var/lib/ollama/blobs/{BLOB} --port 34367 --host 127.0.0.1 -c 16384 -np 4 "
    "-ngl 33 -t 8 -b 512 -ub 256 --cache-type-k q8_0 --cache-type-v q8_0 --flash-attn on --load-mode none "
    "--api-key hunter2 --context-shift"
)
OLD = f"/usr/bin/ollama runner --ollama-engine --model /x/{BLOB} --ctx-size 8192 --n-gpu-layers -1 --flash-attn --port 1"
OWN = f"python -m olbench.engines.child --model=C:\\models\\{BLOB} -c 4096 -np 1 --no-mmap"


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        (
            NEW,
            {
                "runner.program": "llama-server",
                "runner.model": BLOB,
                "runner.ctx": 16384,
                "runner.parallel": 4,
                "runner.gpu_layers": 33,
                "runner.threads": 8,
                "runner.batch": 512,
                "runner.ubatch": 256,
                "runner.cache_type_k": "q8_0",
                "runner.cache_type_v": "q8_0",
                "runner.flash_attention": "on",
                "runner.load_mode": "none",
                "runner.context_shift": True,
            },
        ),
        (
            OLD,
            {
                "runner.program": "ollama runner",
                "runner.ollama_engine": True,
                "runner.model": BLOB,
                "runner.ctx": 8192,
                "runner.gpu_layers": -1,
                "runner.flash_attention": True,
            },
        ),
        (
            OWN,
            {
                "runner.program": "olbench.engines.child",
                "runner.model": BLOB,
                "runner.ctx": 4096,
                "runner.parallel": 1,
                "runner.mmap": False,
            },
        ),
    ],
)
def test_a_runner_of_each_kind_tells_its_settings_and_nothing_secret(
    line: str, settings: dict[str, object]
) -> None:
    found = recognised(7, line.split())
    assert found is not None
    assert (found.pid, found.model, found.settings) == (7, BLOB, settings)


@pytest.mark.parametrize(
    "line",
    [
        "/usr/lib/ollama/llama-server --list-devices",
        "/usr/bin/ollama serve",
        "/usr/bin/ollama run llama3.2 --model x",
        "python -m http.server --model x",
        "",
    ],
)
def test_what_computes_no_model_is_no_runner(line: str) -> None:
    assert recognised(7, line.split()) is None


def _runner(pid: int, model: str) -> Runner:
    return Runner(pid, model, {}, "")


OTHER = "sha256-" + "cd" * 32


@pytest.mark.parametrize(
    ("runners", "blob", "pid", "reason"),
    [
        ([], BLOB, None, "no runner process is seen below the server"),
        ([(1, BLOB), (2, OTHER)], BLOB, 1, ""),
        ([(1, BLOB), (2, BLOB)], BLOB, 2, ""),  # the one that began later
        (
            [(1, OTHER)],
            BLOB,
            None,
            "none of the runner processes below the server names this model's weights",
        ),
        ([(1, "qwen3.5:2b-nvfp4")], BLOB, 1, ""),  # an MLX runner names the model
        ([(1, OTHER)], None, 1, ""),
        (
            [(1, BLOB), (2, OTHER)],
            None,
            None,
            "2 runner processes are there, and which one is meant is not known",
        ),
    ],
)
def test_the_runner_of_some_weights_is_picked_or_the_reason_told(
    runners: list[tuple[int, str]], blob: str | None, pid: int | None, reason: str
) -> None:
    found = pick([_runner(*one) for one in runners], blob)
    assert (found.pid, found.reason) == (pid, reason)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("C:\\Programs\\Ollama\\ollama.exe", "serve"), "ollama"),
        (("nginx: master process nginx",), "nginx"),
        ((), ""),
    ],
)
def test_a_program_is_its_name_without_folder_and_ending(words: tuple[str, ...], name: str) -> None:
    assert program(words) == name


# --- the environment ------------------------------------------------------------------------------------------


def test_settings_in_the_environment_are_told_and_secrets_are_not(tmp_path: Path) -> None:
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "environ").write_bytes(
        b"OLLAMA_NUM_PARALLEL=4\0OLLAMA_API_KEY=hunter2\0OLLAMA_MODELS=/home/me/models\0LLAMA_ARG_API_KEY=hunter2\0"
        b"LLAMA_ARG_CACHE_RAM=0\0OLLAMA_LLM_LIBRARY=/home/me/lib\0CUDA_VISIBLE_DEVICES=GPU-1234-5678\0HOME=/home/me\0"
    )
    assert environment(8, tmp_path) == {
        "server.env": 4,
        "server.env.CUDA_VISIBLE_DEVICES": "(set)",
        "server.env.LLAMA_ARG_CACHE_RAM": "0",
        "server.env.OLLAMA_LLM_LIBRARY": "(set)",
        "server.env.OLLAMA_NUM_PARALLEL": "4",
    }


def test_an_environment_that_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    assert environment(8, tmp_path) == {"server.env": None}


def test_psutil_reads_an_environment_too() -> None:
    assert (environment_psutil(os.getpid()) or {}).get("PATH") == os.environ["PATH"]
    assert environment_psutil(2**22 + 1) is None
