"""The server's processes: the one that listens and all below it, looked up anew as runners come and go."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from olbench import clock
from olbench.model import Facts
from olbench.probes.commands import PROC, command
from olbench.probes.listener import find
from olbench.probes.place import place
from olbench.probes.runner import Runner, pick, recognised

LOOK_EVERY = 1_000_000_000  # ns between looks for new children
SEARCH_EVERY = 5_000_000_000  # ns between searches for a listener that was not found
# A search reads all open files of the machine: it takes no more than one part in so many of the time.
SEARCH_COST = 200


@dataclass(frozen=True, slots=True)
class Processes:
    """What one look found. `root` None: nothing is seen, and `reason` says why."""

    root: int | None
    pids: tuple[int, ...]  # root first, then its descendants; never olbench itself
    runners: tuple[Runner, ...]  # in the order of their start
    reason: str


class Tree:
    """The processes of the server at `url`. `pids` and `runners` are for one thread, `runner` for any."""

    def __init__(self, url: str, *, now: Callable[[], int] = clock.now) -> None:
        """Look for the first time; this may take as long as the resolver needs for the server's name."""
        self._now = now
        self._spot = place(url)
        self._seen = _nothing(self._spot.reason)
        self._root_started: float | None = None
        self._search()

    @property
    def reason(self) -> str:
        """Why the server's processes cannot be seen; "" when they are."""
        return self._seen.reason

    @property
    def root(self) -> int | None:
        """The process that listens; None when it cannot be seen."""
        return self._seen.root

    def pids(self) -> tuple[int, ...]:
        """The processes of the server; looks again when the last look is old."""
        if self._now() >= self._due and not self.elsewhere:
            self.look()
        return self._seen.pids

    def runners(self) -> tuple[Runner, ...]:
        """The runners among them, as the last look found them."""
        return self._seen.runners

    def outdate(self) -> None:
        """What the last look found holds no longer: the next `pids` looks again. For any thread."""
        if self._seen.root is not None:
            self._due = 0

    def look(self) -> None:
        """Look now: children are read anew, the listener is searched only when it is gone."""
        root = self._seen.root
        if root is None or started(root) != self._root_started:
            self._search()
        else:
            self._seen = below(root)
            self._due = self._now() + LOOK_EVERY

    def runner(self, blob: str | None) -> Runner:
        """The runner of the weights `blob` at this moment (None: of the only model), or none and the reason."""
        if self._seen.root is None:
            return Runner(None, None, {}, self._seen.reason)
        return pick(below(self._seen.root).runners, blob)

    def _search(self) -> None:
        began = self._now()
        listener = find(self._spot)
        self.elsewhere = listener.elsewhere
        self._seen = _nothing(listener.reason) if listener.pid is None else below(listener.pid)
        self._root_started = None if self._seen.root is None else started(self._seen.root)
        wait = max(SEARCH_EVERY, SEARCH_COST * (self._now() - began))
        self._due = self._now() + (wait if self._seen.root is None else LOOK_EVERY)


def runner(url: str, blob: str | None) -> Runner:
    """The runner of the weights `blob` below the server at `url`, or none and the reason."""
    return Tree(url).runner(blob)


def identity(pid: int | None) -> Facts:
    """Which process the server is, as facts that another one does not share; {} when it is not seen."""
    began = None if pid is None else started(pid)
    return {} if began is None else {"server.pid": pid, "server.started": began}


def _nothing(reason: str) -> Processes:
    return Processes(None, (), (), reason)


def below(root: int) -> Processes:
    """The process `root` and its descendants, as they are now."""
    commands = {pid: command(pid) for pid in (root, *descendants(root))}
    if not commands[root]:
        return _nothing("the server's process is gone")
    # A process without a command line has ended and waits for its parent to notice.
    alive = [pid for pid, words in commands.items() if words]
    runners = [one for pid in alive if (one := recognised(pid, commands[pid])) is not None]
    runners.sort(key=lambda one: started(one.pid or 0) or 0.0)
    return Processes(root, tuple(pid for pid in alive if pid != os.getpid()), tuple(runners), "")


def descendants(root: int) -> tuple[int, ...]:
    """All processes below `root`, parents before children; () when it is gone."""
    if sys.platform != "linux" or not _TELLS_CHILDREN:
        return descendants_psutil(root)
    found = [root]
    for pid in found:  # grows as it is read
        found.extend(_children(pid))
    return tuple(found[1:])


def descendants_psutil(root: int) -> tuple[int, ...]:
    """The same where only psutil can tell."""
    try:
        return tuple(one.pid for one in psutil.Process(root).children(recursive=True))
    except psutil.Error:
        return ()


def started(pid: int) -> float | None:
    """When a process was started, on a scale of the system's own; None when it is gone."""
    if sys.platform != "linux":
        return started_psutil(pid)
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The name stands in brackets and may hold anything; the nineteenth field after the state is the start.
    return float(stat.rpartition(b")")[2].split()[19])


def started_psutil(pid: int) -> float | None:
    """The same where only psutil can tell."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


# A kernel may be built without this file; it costs a tenth of reading every process of the machine.
_TELLS_CHILDREN = (PROC / "self" / "task" / str(os.getpid()) / "children").exists()


def _children(pid: int) -> Iterator[int]:
    """The children of all threads of `pid`: the kernel lists a child with the thread that started it."""
    tasks = f"{PROC}/{pid}/task"
    try:
        threads = os.listdir(tasks)  # noqa: PTH208 - a server has a hundred threads; pathlib takes three times as long
    except OSError:
        return
    for thread in threads:
        try:
            with open(f"{tasks}/{thread}/children", "rb", buffering=0) as file:  # noqa: PTH123 - the same
                yield from map(int, file.read().split())
        except OSError:  # the thread has ended
            continue
