"""Probes: what can be seen of the server and its machine while cells run."""

from collections.abc import Mapping

from olbench.model import Fact
from olbench.ports import Probe
from olbench.probes.amdgpu import AmdGpu
from olbench.probes.host import Host
from olbench.probes.nvml import SERIES as OF_GPU
from olbench.probes.nvml import Nvml
from olbench.probes.place import ELSEWHERE
from olbench.probes.processes import Tree
from olbench.probes.processor import SERIES as OF_PROCESSOR
from olbench.probes.processor import Processor


class Unseen:
    """A probe of what cannot be seen: reasons alone."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        """Say `reasons`, series -> sentence."""
        self._reasons = reasons

    def absent(self) -> Mapping[str, str]:
        """The reasons."""
        return self._reasons

    def read(self) -> Mapping[str, tuple[float, str]]:
        """Nothing."""
        return {}

    def facts(self) -> Mapping[str, Fact]:
        """Nothing."""
        return {}

    def close(self) -> None:
        """Nothing is held."""


def for_server(url: str) -> tuple[Probe, ...]:
    """All probes of the server at `url` and of this machine. Whoever asks for them closes them.

    Raises nothing: what cannot be had is a reason. A later probe's reason for a series goes before an earlier one's.
    """
    tree = Tree(url)
    if tree.elsewhere:
        # The GPUs and the processor of this machine are not those that compute.
        reasons = {f"gpu0.{name}": ELSEWHERE.format(what="GPU") for name in OF_GPU}
        reasons |= dict.fromkeys(OF_PROCESSOR, ELSEWHERE.format(what="processor"))
        return Host(tree), Unseen(reasons)
    nvidia = Nvml(tree)
    return Host(tree), Processor(), nvidia, AmdGpu(first=nvidia.count)
