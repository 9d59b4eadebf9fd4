"""Where a URL leads, and who listens there."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from olbench.probes import listener
from olbench.probes.place import place

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


# --- where a URL leads ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://127.0.0.1:11434", 11434),
        ("http://127.0.0.53:11434", 11434),
        ("http://localhost:9", 9),
        ("http://[::1]:8000/prefix", 8000),
        ("http://[::ffff:127.0.0.1]:8000", 8000),
        ("http://0.0.0.0:11434", 11434),
        ("http://127.0.0.1", 80),
        ("https://127.0.0.1", 443),
        ("127.0.0.1", 11434),
    ],
)
def test_loopback_in_all_its_spellings_is_this_machine(url: str, port: int) -> None:
    found = place(url)
    assert (found.here, found.port, found.reason) == (True, port, "")


def test_an_address_of_somebody_else_is_another_machine() -> None:
    found = place("http://192.0.2.7:11434")
    assert not found.here
    assert found.reason == "the server is on another machine: its RAM cannot be seen from here"


# --- who listens: made files as Linux has them ----------------------------------------------------------------

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
V4 = "   0: {address}:{port:04X} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1\n"
LOOPBACK, ANY, SIX_ANY = "0100007F", "00000000", "0" * 32
PORT = 11434
SPOT = place(f"http://127.0.0.1:{PORT}")


class Proc:
    """A /proc that is made up. A process without files of its own to show is one that we may not look into."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "net").mkdir()

    def sockets(self, table: str, *rows: tuple[str, int, str], uid: int = 0) -> None:
        text = "".join(
            V4.format(address=address, port=port, state=state, uid=uid, inode=100 + place)
            for place, (address, port, state) in enumerate(rows)
        )
        (self.root / "net" / table).write_text(HEAD + text)

    def process(
        self,
        pid: int,
        words: Sequence[str],
        *,
        parent: int = 1,
        uid: int = 0,
        holds: Sequence[int] | None = (),
    ) -> None:
        folder = self.root / str(pid)
        folder.mkdir()
        (folder / "cmdline").write_bytes("\0".join(words).encode() + b"\0")
        (folder / "status").write_text(f"Name:\tx\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        if holds is not None:
            (folder / "fd").mkdir()
            for number, inode in enumerate(holds):
                (folder / "fd" / str(number)).symlink_to(f"socket:[{inode}]")


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def test_the_holder_of_the_listening_socket_is_the_server(proc: Proc) -> None:
    proc.sockets("tcp", (LOOPBACK, 80, "0A"), (LOOPBACK, PORT, "01"), (LOOPBACK, PORT, "0A"))
    proc.process(7, ["client"], holds=[101])
    proc.process(8, ["/usr/bin/ollama", "serve"], holds=[5, 102])
    assert listener.find(SPOT, proc.root).pid == 8


def test_a_server_bound_to_all_addresses_of_either_kind_is_found(proc: Proc) -> None:
    proc.sockets("tcp6", (SIX_ANY, PORT, "0A"))
    proc.process(8, ["ollama", "serve"], holds=[100])
    assert listener.find(SPOT, proc.root).pid == 8


def test_the_very_address_goes_before_all_addresses(proc: Proc) -> None:
    proc.sockets("tcp", (ANY, PORT, "0A"), (LOOPBACK, PORT, "0A"))
    proc.process(7, ["a"], holds=[100])
    proc.process(8, ["b"], holds=[101])
    assert listener.find(SPOT, proc.root).pid == 8


def test_a_server_on_another_address_of_this_machine_is_not_meant(proc: Proc) -> None:
    proc.sockets("tcp", ("0200000A", PORT, "0A"))  # 10.0.0.2
    proc.process(7, ["a"], holds=[100])
    found = listener.find(SPOT, proc.root)
    assert found.pid is None
    assert found.reason.startswith(f"nobody is seen to listen on port {PORT}")


def test_of_processes_that_share_the_socket_the_eldest_is_the_server(proc: Proc) -> None:
    proc.sockets("tcp", (LOOPBACK, PORT, "0A"))
    proc.process(5, ["worker"], parent=9, holds=[100])
    proc.process(9, ["master"], parent=2, holds=[100])
    proc.process(2, ["shell"], parent=1)
    assert listener.find(SPOT, proc.root).pid == 9


def test_a_service_of_another_user_is_known_by_its_name_and_user(proc: Proc) -> None:
    proc.sockets("tcp", (LOOPBACK, PORT, "0A"), uid=998)
    proc.process(5, ["ollama", "serve"], uid=1000, holds=None)
    proc.process(6, ["/usr/local/bin/ollama", "serve"], uid=998, holds=None)
    proc.process(7, ["/usr/lib/ollama/llama-server", "--model", "m"], parent=6, uid=998, holds=None)
    assert listener.find(SPOT, proc.root).pid == 6


def test_two_services_of_one_user_are_not_guessed_between(proc: Proc) -> None:
    proc.sockets("tcp", (LOOPBACK, PORT, "0A"), uid=998)
    proc.process(5, ["ollama", "serve"], uid=998, holds=None)
    proc.process(6, ["ollama", "serve"], uid=998, holds=None)
    found = listener.find(SPOT, proc.root)
    assert found.pid is None
    assert "held by a process of another user" in found.reason


@pytest.mark.parametrize(
    ("name", "words", "elsewhere"),
    [
        ("docker-proxy", "a container", False),
        ("ssh", "another machine", True),
        ("nginx: master", "the server", False),
    ],
)
def test_what_holds_the_port_for_another_is_not_the_server(
    proc: Proc, name: str, words: str, *, elsewhere: bool
) -> None:
    proc.sockets("tcp", (ANY, PORT, "0A"))
    proc.process(7, [f"/usr/bin/{name}"], holds=[100])
    found = listener.find(SPOT, proc.root)
    assert (found.pid, found.elsewhere) == (None, elsewhere)
    assert f"which passes on to {words}" in found.reason
