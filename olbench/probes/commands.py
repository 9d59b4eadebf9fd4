"""What a process was started with: its command line, and the names in it."""

import re
import sys
from pathlib import Path

import psutil

PROC = Path("/proc")


def command(pid: int, proc: Path = PROC) -> tuple[str, ...]:
    """The command line; () when the process is gone, has ended, or may not be read."""
    if sys.platform != "linux":
        return command_psutil(pid)
    try:
        raw = (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(raw.rstrip(b"\0").decode(errors="replace").split("\0")) if raw else ()


def command_psutil(pid: int) -> tuple[str, ...]:
    """The same where only psutil can tell."""
    try:
        return tuple(psutil.Process(pid).cmdline())
    except psutil.Error:
        return ()


def program(words: tuple[str, ...]) -> str:
    """The program that a command line runs, without its folder: "ollama"; "" for ()."""
    # nginx and sshd write "name: role" over their command line.
    name = basename(words[0]).split(":")[0] if words else ""
    return name[:-4] if name.lower().endswith(".exe") else name


def basename(path: str) -> str:
    """What follows the last slash of either kind."""
    return re.split(r"[\\/]", path)[-1]
