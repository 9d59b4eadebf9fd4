"""The embedded engine where nothing is loaded: what it needs, what it says of itself, what it says when it cannot."""

import asyncio
import importlib.metadata
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from olbench.engines import lifeline
from olbench.engines.embedded import Embedded, usual_threads
from olbench.errors import EngineError
from olbench.ports import Engine

WITHOUT = """
from olbench.engines.embedded import need_extra
from olbench.errors import EngineError
try:
    need_extra()
except EngineError as fault:
    print(fault)
"""


def test_without_the_extra_it_says_what_to_install() -> None:
    said = subprocess.run(
        [sys.executable, "-S", "-c", WITHOUT],  # -S: no installed package is there
        env=lifeline.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.startswith("engine = \"embedded\" needs the extra: pip install 'olbench[embedded]'")


def test_it_fits_the_port() -> None:
    engine: Engine = Embedded()
    assert callable(engine.start)


def test_one_core_is_left_free_but_one_thread_there_is() -> None:
    assert 1 <= usual_threads() <= max(1, (os.cpu_count() or 1) - 1)


@pytest.mark.embedded
def test_facts_name_the_engine_and_its_settings(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")
    version = importlib.metadata.version("xllamacpp")
    assert Embedded(parallel=4, threads=3, log_dir=tmp_path).facts() == {
        "engine.name": "embedded",
        "engine.version": f"xllamacpp {version}",
        "engine.xllamacpp": version,
        "engine.device": "cpu",
        "engine.threads": 3,
        "engine.parallel": 4,
        "engine.log_dir": str(tmp_path),
    }


@pytest.mark.embedded
def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="needs the extra 'embedded'")

    async def story(port: int) -> None:
        engine = Embedded(port=port, cache=tmp_path)
        with pytest.raises(EngineError, match=f"did not start: cannot listen on 127.0.0.1:{port}: "):
            await engine.start()
        await engine.stop()

    with socket.create_server(("127.0.0.1", 0)) as taken:
        asyncio.run(story(taken.getsockname()[1]))


def test_stop_before_start_is_nothing() -> None:
    asyncio.run(Embedded().stop())
