"""RAM and CPU of the server's processes, of olbench itself, and of the machine they share."""

import sys
import time
from collections.abc import Callable, Iterable, Mapping

from olbench import clock
from olbench.model import Fact
from olbench.probes.accounts import Account, Machine, Memory, account, machine
from olbench.probes.commands import command, program
from olbench.probes.environment import environment
from olbench.probes.facts import machine as machine_facts
from olbench.probes.processes import Tree
from olbench.probes.sums import Totals, Values, rates, resident, space, unshared

# The kernel counts CPU in ticks of 10 ms: over one beat of 100 ms a rate would be wrong by a tenth of a core for
# every process, over this span by less than half of that.
RATE_EVERY = 250_000_000
# The system walks all pages of a process to tell what it does not share: 5 ms for 300 MB. That may take no more
# than one part in so many of the time.
UNSHARED_COST = 400
UNSHARED_EVERY = 500_000_000
# The kernel sums up the waits for memory every two seconds: over less, its count stands still and then jumps.
PRESSURE_EVERY = 2_000_000_000

OF_SERVER = (
    "server.rss",
    "server.anon",
    "server.file",
    "server.uss",
    "server.pss",
    "server.cpu",
    "runner.rss",
)
NO_RUNNER = "no runner process is seen below the server"
NOT_OURS = "the server belongs to another user, and its pages may not be looked at"
NOT_HERE = "this system does not tell it"
NOT_COUNTED = "this system does not count how long programs wait for memory"
NOT_APART = "the server's own part cannot be seen"


class Host:
    """The probe of RAM and CPU; it follows runners as they come and go."""

    def __init__(
        self,
        tree: Tree,
        *,
        now: Callable[[], int] = clock.now,
        client: Callable[[], float] = time.process_time,
        whole: Callable[[], Machine] = machine,
        single: Callable[[int], Account | None] = account,
    ) -> None:
        """Read the processes of `tree`; `client` tells olbench's own seconds of CPU."""
        self._tree = tree
        self._now = now
        self._client = client
        self._machine = whole()
        self._single = single
        self._accounts: dict[int, Account] = {}
        self._ended: set[int] = set()  # still listed below the server, but they have no memory any more
        self._before: Totals | None = None
        self._waited: tuple[int, float] | None = None  # when the waits for memory were read; the seconds
        self._counts_waits = self._machine.waited() is not None
        self._unshared_due = 0
        self._unshared_ns = 0  # what the last look at the pages took
        self._unshared_denied = False

    def absent(self) -> Mapping[str, str]:
        """Series that cannot be had at this moment -> the reason."""
        unseen = self._tree.reason
        reasons = {} if self._counts_waits else {"host.memory_pressure": NOT_COUNTED}
        if unseen:
            other = {} if self._tree.elsewhere else {"host.other_cpu": f"{NOT_APART}: {unseen}"}
            return {**dict.fromkeys(OF_SERVER, unseen), **other, **reasons}
        reasons |= {} if self._tree.runners() else {"runner.rss": NO_RUNNER}
        if sys.platform != "linux":
            reasons |= dict.fromkeys(("server.anon", "server.file", "server.pss"), NOT_HERE)
        if self._unshared_denied:
            reasons |= dict.fromkeys(("server.uss", "server.pss"), NOT_OURS)
        elif self._unshared_ns * UNSHARED_COST > UNSHARED_EVERY:
            reasons |= dict.fromkeys(("server.uss", "server.pss"), _seldom(self._unshared_ns))
        return reasons

    def read(self) -> Mapping[str, tuple[float, str]]:
        """All series at this moment; rates and what is not shared come at lower rates of their own."""
        memory = self._memory()
        computing = {one.pid for one in self._tree.runners()}
        runners = [one for pid, one in memory.items() if pid in computing]
        now = self._now()
        return {
            **resident(list(memory.values()), runners),
            **self._rates(now),
            **self._unshared(now),
            **space(self._machine.space()),
            **self._pressure(now),
        }

    def facts(self) -> Mapping[str, Fact]:
        """The machine, and what the server was started with as far as it may be read."""
        found: dict[str, Fact] = {**machine_facts(), "server.local": not self._tree.elsewhere}
        root = self._tree.root
        if root is not None:
            found |= {"server.program": program(command(root)) or None, **environment(root)}
        return found

    def outdate(self) -> None:
        """A runner has come: the next beat counts it in, however short the visit. For any thread."""
        self._tree.outdate()

    def close(self) -> None:
        """Close the files."""
        self._follow(())
        self._machine.close()

    def _memory(self) -> dict[int, Memory]:
        """The memory of each process. When one is gone, its successor is looked for at once."""
        self._follow(self._tree.pids())
        found = self._ask()
        if len(found) < len(self._accounts):
            self._ended |= self._accounts.keys() - found.keys()
            self._tree.look()
            self._follow(self._tree.pids())
            found = self._ask()
        return found

    def _ask(self) -> dict[int, Memory]:
        asked = {pid: one.memory() for pid, one in self._accounts.items()}
        return {pid: memory for pid, memory in asked.items() if memory is not None}

    def _follow(self, pids: Iterable[int]) -> None:
        """Open an account for each process that has none; close those of processes that are gone."""
        listed = set(pids)
        self._ended &= listed
        wanted = listed - self._ended
        for pid in self._accounts.keys() - wanted:
            self._accounts.pop(pid).close()
        for pid in wanted - self._accounts.keys():
            new = self._single(pid)
            if new is not None:
                self._accounts[pid] = new

    def _rates(self, now: int) -> Values:
        before = self._before
        if before is not None and now - before.t_ns < RATE_EVERY:
            return {}
        asked = {pid: one.cpu() for pid, one in self._accounts.items()}
        server = {pid: seconds for pid, seconds in asked.items() if seconds is not None}
        self._before = Totals(now, server, self._client(), self._machine.ticks())
        return {} if before is None else rates(before, self._before, elsewhere=self._tree.elsewhere)

    def _pressure(self, now: int) -> Values:
        before = self._waited
        if not self._counts_waits or (before is not None and now - before[0] < PRESSURE_EVERY):
            return {}
        waited = self._machine.waited()
        self._waited = None if waited is None else (now, waited)
        if before is None or waited is None:
            return {}
        # The kernel's two seconds and ours do not begin together, so that a span may hold more than itself.
        share = min(1.0, (waited - before[1]) * 1e9 / (now - before[0]))
        return {"host.memory_pressure": (share, "share")}

    def _unshared(self, now: int) -> Values:
        if now < self._unshared_due or not self._accounts:
            return {}
        began = self._now()
        asked = [one.private() for one in self._accounts.values()]
        ended = self._now()
        self._unshared_ns = ended - began
        self._unshared_due = ended + max(UNSHARED_EVERY, UNSHARED_COST * self._unshared_ns)
        found = [one for one in asked if one is not None]
        self._unshared_denied = len(found) < len(asked)
        return {} if self._unshared_denied else unshared(found)


def _seldom(cost_ns: int) -> str:
    """The reason where nothing was read in a span that was too short; readings that are there go before it."""
    every = UNSHARED_COST * cost_ns / 1e9
    return f"one look at the server's pages takes {cost_ns / 1e6:.0f} ms, so there is one every {every:.0f} s at most"
