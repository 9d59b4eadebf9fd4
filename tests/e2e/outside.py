"""olbench from outside: its command line, its database, and servers in processes of their own."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from olbench import cli
from olbench.engines import lifeline
from olbench.model import Observation, Record
from olbench.readings import Readings
from olbench.store import Store

PATIENCE_S = 60.0
BUG = "this is a bug in olbench"
SELFTEST = "(with its self-test)"  # stands among the arguments of a run that is to have one


@dataclass(frozen=True)
class Said:
    """What a command line came to."""

    code: int
    out: str
    err: str

    def __post_init__(self) -> None:
        """Whatever happened, it was told in sentences."""
        assert "Traceback" not in self.err
        assert BUG not in self.err


def until(true: Callable[[], object], seconds: float = PATIENCE_S) -> None:
    """Wait for something that can be seen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)


# --- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def olbench(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """One command line in this process: it is all imported already."""

    def call(*arguments: object) -> Said:
        capfd.readouterr()
        code = cli.run(words(*arguments))
        return Said(code, *capfd.readouterr())

    return call


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "olbench", *words(*arguments)]


def words(verb: object, *arguments: object) -> list[str]:
    """The words of a command line; a run comes without its self-test, which takes four seconds, unless it is asked for."""
    rest = [str(one) for one in arguments]
    if verb != "run" or SELFTEST in rest:
        return [str(verb), *(one for one in rest if one != SELFTEST)]
    return [str(verb), *rest, "--no-selftest"]


@contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A command line in a process of its own, gone at the end."""
    process = subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Said:
    out, err = process.communicate(timeout=PATIENCE_S)
    return Said(process.returncode, out, err)


def below(pid: int, module: str = "olbench.engines") -> list[psutil.Process]:
    """The processes below `pid` that run a module of olbench's."""
    found = []
    for one in psutil.Process(pid).children(recursive=True):
        try:
            if any(word.startswith(module) for word in one.cmdline()):
                found.append(one)
        except psutil.Error:
            pass  # it has just ended
    return found


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


# --- the scripted server ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Server:
    """A scripted server in a process of its own."""

    url: str
    process: subprocess.Popen[bytes]

    def served(self) -> int:
        """How many measuring requests it has been asked."""
        with urllib.request.urlopen(f"{self.url}/served", timeout=PATIENCE_S) as answer:
            return int(json.load(answer)["served"])


@contextmanager
def scripted(**script: Any) -> Iterator[Server]:
    """A server that does what the script says; it dies with its standard input."""
    script = {"vram_share": 0.0, **script}  # no GPU memory: nobody waits for it to settle
    process = subprocess.Popen(
        lifeline.command("olbench.engines.scripted", json.dumps(script)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=lifeline.environment(),
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Server(json.loads(process.stdout.readline())["url"], process)
        process.stdin.close()
        process.wait(PATIENCE_S)


# --- scenarios ----------------------------------------------------------------------------------------------------


def scenario(folder: Path, server: dict[str, Any], **tables: dict[str, Any]) -> Path:
    """A scenario of one axis value each, unless told otherwise; a prompt of its own, so that nothing is calibrated."""
    whole: dict[str, dict[str, Any]] = {
        "server": server,
        "sweep": {"model": "scripted:1b", "output_tokens": 4},
        "workload": {"prompts": ["tell me"]},
        # The machine of a test is not left alone: a visit that is taken again, or left out, would be one too many or few.
        "measure": {"repeats": 2, "requests": 2, "warmup": 0, "timeout": 20, "retake": False},
        "thresholds": {"other_cores": 64.0, "stolen_cores": 64.0},
    }
    for name, table in tables.items():
        whole[name] = whole.get(name, {}) | table
    if "prompt_tokens" in whole["sweep"]:
        del whole["workload"]["prompts"]
    lines = ['question = "Does it go through?"']
    for name, table in whole.items():
        lines += [f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    path = folder / "story.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {json.dumps(one)}" for key, one in value.items()) + " }"
    return json.dumps(value)


# --- what was kept ------------------------------------------------------------------------------------------------


def kept(db: Path, run: str = "latest") -> Record:
    """A run, whole."""
    store = Store(db)
    try:
        record = store.record(store.find(run))
        return replace(record, observations=tuple([_whole(one) for one in record.observations]))
    finally:
        store.close()


def _whole(seen: Observation) -> Observation:
    # What a visit has many of is read when it is asked for, and the store will be closed by then.
    parts = {
        name: Readings(tuple(part.series), part.absent)
        for name, part in (("baseline", seen.baseline), ("readings", seen.readings))
    }
    return replace(seen, samples=tuple(seen.samples), **parts)


def through(db: Path) -> int:
    """How many visits of the newest run have gone through so far."""
    if not db.exists():
        return 0
    store = Store(db)
    try:
        return max((done for _, _, done in store.runs()[:1]), default=0)
    finally:
        store.close()


def outcomes(seen: Observation) -> list[str]:
    """How the measured requests of a visit ended, in their order."""
    measured = [one for one in seen.samples if one.phase == "measured"]
    return [one.outcome for one in sorted(measured, key=lambda sample: sample.index)]


def page(said: Said) -> str:
    """The report that a run says it has written."""
    (path,) = re.findall(r"^report (.*)$", said.out, re.MULTILINE)
    return Path(path).read_text(encoding="utf-8")


def once(record: Record) -> bool:
    """Whether each planned visit went through exactly once."""
    through = [(one.visit.cell, one.visit.repeat) for one in record.observations if one.problem is None]
    return sorted(through) == sorted((one.cell, one.repeat) for one in record.plan.visits)
