"""The machine that a run is on: its probes, watched, and its facts."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from olbench.model import Facts, ModelCard
from olbench.probes import facts, for_server
from olbench.probes.host import Host
from olbench.probes.loop import LoopLag
from olbench.probes.nvml import Nvml
from olbench.probes.processes import Tree, identity
from olbench.probes.runner import Runner
from olbench.verbs.server import Reached
from olbench.watch import Watch


class Machine:
    """Probes that are read while it is entered."""

    def __init__(self, server: Reached, *, hz: float) -> None:
        """Find what can be seen of `server`, and of the running event loop."""
        self._server = server
        self._probes = (*for_server(server.url), LoopLag(asyncio.get_running_loop()))
        self.watch = Watch(self._probes, hz)
        self._root: int | None = None  # the server's process, as the last look for a runner found it

    def __enter__(self) -> Self:
        """Read from now on."""
        self.watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give everything back."""
        self.watch.stop()
        for probe in self._probes:
            probe.close()

    def facts(self) -> Facts:
        """All that is known of the machine and the server, as of now."""
        found: Facts = {"server.version": self._server.version}
        for probe in self._probes:
            found |= probe.facts()
        if self._server.engine is not None:
            found |= self._server.engine.facts()
        return found

    def changing(self) -> Facts:
        """Those facts that may change while a run goes on; the server's process as it was looked for last."""
        found: Facts = {**facts.changing(), **identity(self._root)}
        for probe in self._probes:
            if isinstance(probe, Nvml):
                found |= probe.changing()
        return found

    def last(self) -> Mapping[str, float]:
        """The probes' last values by name; the first ones come with the second beat."""
        return {name: value for name, (value, _) in self.watch.latest().items()}

    def runner(self, card: ModelCard | None) -> Runner:
        """The process that holds the model now; from now on it is among those whose memory is read."""
        for probe in self._probes:
            if isinstance(probe, Host):
                probe.outdate()
        tree = Tree(self._server.url)
        self._root = tree.root
        return tree.runner(card.blob if card else None)
