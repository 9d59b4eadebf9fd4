"""How near llama.cpp comes to what machines can do, as others measured it: the scatter of this is an estimate's error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from olbench.stats.visits import student

SOURCE = "https://github.com/XiongjieDai/GPU-Benchmarks-on-LLM-Inference (llama.cpp, May 2024: Llama 3 8B Q4_K_M, 512 tokens)"
# Bytes of that model that a token reads (4.58 GiB less the input embeddings), and operations that a prompt's token takes.
READ, OPERATIONS = 4.62e9, 2 * 8.03e9


@dataclass(frozen=True, slots=True)
class Row:
    """One machine of the table, one stream."""

    name: str
    bandwidth: float  # B/s, as its vendor states it
    compute: float | None  # dense FP16 operations a second; None: the vendor states none
    decode: float  # tok/s
    prefill: float  # tok/s

    @property
    def of_bandwidth(self) -> float:
        """Share of the memory's bandwidth that decoding used."""
        return self.decode * READ / self.bandwidth


# Rates are the table's. Bandwidths are the makers'. Compute is four times the makers' FP32 figure, which is the tensor cores'
# dense FP16 rate in these two generations of cards. Neither was read from the makers' own pages for all rows.
# fmt: off
ROWS = (
    Row("GeForce RTX 3070 8 GB",     448e9,  81e12,  72.79, 2402.51),
    Row("GeForce RTX 3080 10 GB",    760e9, 119e12, 109.57, 3728.86),
    Row("GeForce RTX 3080 Ti 12 GB", 912e9, 136e12, 110.60, 3690.30),
    Row("GeForce RTX 4070 Ti 12 GB", 504e9, 160e12,  83.50, 3936.29),
    Row("GeForce RTX 4080 16 GB",    717e9, 195e12, 108.15, 5389.74),
    Row("GeForce RTX 3090 24 GB",    936e9, 142e12, 115.42, 4030.40),
    Row("GeForce RTX 4090 24 GB",   1008e9, 330e12, 130.58, 7138.99),
    Row("M1 Max, 32 cores",          400e9,   None,  35.73,  408.23),
    Row("M2 Ultra, 76 cores",        800e9,   None,  78.81,  994.04),
    Row("M3 Max, 40 cores",          400e9,   None,  48.97,  693.32),
)
# fmt: on


def from_another() -> tuple[float, float]:
    """What a machine's decode rate is times, when it is another one's scaled by bandwidth: the least and the most.

    95 % by Student's t: two machines differ by their own scatter, each.
    """
    shares = [row.of_bandwidth for row in ROWS]
    _, spread = _logarithms(shares)
    half = student(len(shares) - 1) * spread * math.sqrt(2)
    return math.exp(-half), math.exp(half)


def of_compute() -> tuple[float, float]:
    """The share of its compute that a machine's prefill uses: the least and the most, 95 % by Student's t."""
    shares = [row.prefill * OPERATIONS / row.compute for row in ROWS if row.compute is not None]
    middle, spread = _logarithms(shares)
    half = student(len(shares) - 1) * spread * math.sqrt(1 + 1 / len(shares))
    return math.exp(middle - half), math.exp(middle + half)


def _logarithms(values: Sequence[float]) -> tuple[float, float]:
    logs = [math.log(one) for one in values]
    middle = math.fsum(logs) / len(logs)
    return middle, math.sqrt(math.fsum((one - middle) ** 2 for one in logs) / (len(logs) - 1))
