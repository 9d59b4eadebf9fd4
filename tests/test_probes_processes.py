"""The server's processes: a real one of our own, and what runs below it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from olbench.probes import for_server, processes
from olbench.probes.commands import command, command_psutil
from olbench.probes.listener import find_psutil
from olbench.probes.place import place
from olbench.probes.processes import Tree, below, descendants, descendants_psutil, started, started_psutil

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

BLOB = "sha256-" + "ab" * 32
# Listens, runs one child; the word "again" on standard input replaces the child by a new one.
SERVER = """
import socket, subprocess, sys
listening = socket.create_server(("127.0.0.1", 0))
def runner():
    asked = ["olbench.engines.child", "--model", "/models/blobs/BLOB", "-c", "8192", "-np", "2"]
    child = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()", *asked],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    return child
child = runner()
print(listening.getsockname()[1], child.pid, flush=True)
for line in sys.stdin:
    child.kill()
    child.communicate()
    child = runner()
    print(child.pid, flush=True)
child.kill()
child.communicate()
""".replace("BLOB", BLOB)


class Served:
    """A server of our own in a process of its own, with one runner."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        port, child = self._line().split()
        self.url, self.child = f"http://127.0.0.1:{port}", int(child)

    def again(self) -> int:
        """Replace the runner; the new one's number."""
        assert self.process.stdin is not None
        self.process.stdin.write("again\n")
        self.process.stdin.flush()
        return int(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()


@pytest.fixture
def served() -> Iterator[Served]:
    asked = [sys.executable, "-c", SERVER]
    with subprocess.Popen(asked, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Served(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def test_another_machine_has_no_processes_to_be_seen() -> None:
    tree = Tree("http://192.0.2.7:11434")
    assert (tree.root, tree.pids(), tree.runners(), tree.elsewhere) == (None, (), (), True)
    assert tree.runner(None).reason == "the server is on another machine: its RAM cannot be seen from here"


def test_the_tree_is_the_listener_and_all_below_it(served: Served) -> None:
    tree = Tree(served.url)
    assert tree.root == served.process.pid
    assert tree.pids() == (served.process.pid, served.child)
    assert tree.reason == ""


def test_the_runner_is_told_with_its_settings(served: Served) -> None:
    found = processes.runner(served.url, BLOB)
    assert (found.pid, found.model) == (served.child, BLOB)
    assert (found.settings["runner.ctx"], found.settings["runner.parallel"]) == (8192, 2)


def test_a_new_runner_is_seen_when_the_last_look_is_old(served: Served) -> None:
    clock = [0]
    tree = Tree(served.url, now=lambda: clock[0])
    successor = served.again()
    assert tree.pids() == (served.process.pid, served.child)
    clock[0] += processes.LOOK_EVERY
    assert tree.pids() == (served.process.pid, successor)
    assert tree.runner(BLOB).pid == successor


def test_a_new_runner_is_seen_at_once_when_the_last_look_is_outdated(served: Served) -> None:
    tree = Tree(served.url, now=lambda: 0)
    successor = served.again()
    tree.outdate()
    assert tree.pids() == (served.process.pid, successor)


def test_a_server_that_is_gone_leaves_nothing_but_a_reason(served: Served) -> None:
    tree = Tree(served.url)
    served.process.kill()
    served.process.wait(10)
    tree.look()
    assert tree.pids() == ()
    assert tree.reason.startswith("nobody is seen to listen")


def test_a_server_is_told_from_its_successor(served: Served) -> None:
    found = processes.identity(served.process.pid)
    assert found == {"server.pid": served.process.pid, "server.started": started(served.process.pid)}
    assert processes.identity(served.child) != found
    assert processes.identity(None) == processes.identity(2**22 + 1) == {}


def test_psutil_sees_the_same_as_the_files_do(served: Served) -> None:
    pid = served.process.pid
    assert find_psutil(place(served.url)).pid == pid
    assert descendants_psutil(pid) == descendants(pid) == (served.child,)
    assert command_psutil(served.child) == command(served.child)
    assert started(pid) is not None
    assert started_psutil(pid) is not None


def test_a_process_that_never_was_has_nothing_to_tell() -> None:
    nobody = 2**22 + 1
    assert (command(nobody), command_psutil(nobody), descendants(nobody)) == ((), (), ())
    assert (started(nobody), started_psutil(nobody), descendants_psutil(nobody)) == (None, None, ())
    assert below(nobody).reason == "the server's process is gone"


def test_olbench_itself_is_never_among_the_servers_processes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one:
        tree = Tree(f"http://127.0.0.1:{one.getsockname()[1]}")
        assert tree.root == os.getpid()
        assert os.getpid() not in tree.pids()


def test_all_probes_together_read_a_real_server(served: Served) -> None:
    probes = for_server(served.url)
    found = {name: value for probe in probes for name, (value, _) in probe.read().items()}
    assert found["server.rss"] > found["runner.rss"] > 2**20
    assert found["server.uss"] <= found["server.pss"] <= found["server.rss"]
    facts = {name: fact for probe in probes for name, fact in probe.facts().items()}
    assert (facts["server.local"], facts["server.program"]) == (
        True,
        command(served.process.pid)[0].split("/")[-1],
    )
    for probe in probes:
        probe.close()
