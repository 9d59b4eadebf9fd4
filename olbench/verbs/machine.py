"""The machine that a run is on: its probes, watched, and its facts."""

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from olbench.model import Facts, ModelCard
from olbench.probes import for_server
from olbench.probes.host import Host
from olbench.probes.loop import LoopLag
from olbench.probes.processes import runner
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

    def last(self) -> Mapping[str, float]:
        """The probes' last values by name; the first ones come with the second beat."""
        return {name: value for name, (value, _) in self.watch.latest().items()}

    def runner(self, card: ModelCard | None) -> Runner:
        """The process that holds the model now; from now on it is among those whose memory is read."""
        for probe in self._probes:
            if isinstance(probe, Host):
                probe.outdate()
        return runner(self._server.url, card.blob if card else None)
