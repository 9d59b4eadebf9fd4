"""What probes saw, as columns of numbers over our monotonic clock."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Ints = array[int]
    Floats = array[float]
else:  # the class takes no parameter before Python 3.12, and the store reads these annotations
    Ints = Floats = array


@dataclass(frozen=True, slots=True)
class Series:
    """One quantity over time, e.g. "server.rss" in "B"; a beat that gave nothing has no row."""

    name: str
    unit: str  # B, s, W, °C, Hz, share, cores, count
    t_ns: Ints  # 'q'
    values: Floats  # 'd'


@dataclass(frozen=True, slots=True)
class Readings:
    """What the probes saw while something ran; `absent` names what could not be had, with the reason."""

    series: Sequence[Series]
    absent: tuple[tuple[str, str], ...]

    def get(self, name: str) -> Series | None:
        """The series of that name, None when there is none."""
        return next((one for one in self.series if one.name == name), None)


NO_READINGS = Readings((), ())
