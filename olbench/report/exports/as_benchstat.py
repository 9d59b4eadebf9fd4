"""A run as Go benchmark text, which benchstat compares: one line a visit, medians of its requests as measurements.

Format: https://go.dev/design/14313-benchmark-format. benchstat puts side by side what has the same `key: value` lines
and the same name; so the machine stands in those lines, the cell in the name, and what one may want to compare across
(run, version of the server) in comments.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import zip_longest

from olbench.findings import CellFinding, Findings
from olbench.labels import value as on_axis
from olbench.metrics import METRICS
from olbench.model import Cell, Facts
from olbench.report.wording import plain

# Metric -> its unit there; benchstat makes a table of each unit. What Go calls sec and B it shows with prefixes.
UNITS: Mapping[str, str] = {
    "decode": "tok/s",
    "prefill": "prefill-tok/s",
    "throughput": "system-tok/s",
    "requests_per_s": "requests/s",
    "ttft": "ttft-sec",
    "tpot": "sec/tok",
    "e2e": "e2e-sec",
    "load": "load-sec",
    "ram_peak": "ram-peak-B",
    "gpu_peak": "gpu-peak-B",
    "energy_per_token": "J/tok",
}
# Parts of a name that are there in every run, so that the names of two runs meet; `-col /quant` then works too.
_ALWAYS: Mapping[str, Callable[[Cell], object]] = {
    "model": lambda cell: cell.base,
    "quant": lambda cell: cell.quantization,
    "ctx": lambda cell: cell.num_ctx,
    "prompt": lambda cell: cell.prompt_tokens,
    "output": lambda cell: cell.output_tokens,
    "cache": lambda cell: cell.cache,
}
# Axes that stand in a name already; the number of streams ends it, since "-4" at an end would be taken for GOMAXPROCS.
_NAMED = ("model", "quantization", "num_ctx", "prompt_tokens", "output_tokens", "cache", "concurrency")
_LOADS = ("pattern", "rate", "users")
_MACHINE = {"goos": "os.name", "goarch": "cpu.arch", "cpu": "cpu.model"}
_GPU = re.compile(r"gpu\d+\.name")
_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
_SEPARATORS = re.compile(r"[\s/%=]")


def dump(findings: Findings) -> str:
    """Comments, the machine, what is better, and the visits cell by cell."""
    names = _names(findings)
    lines = (
        *_comments(findings),
        *_machine(findings.record.facts),
        *(f"Unit {unit} better={METRICS[metric].better}" for metric, unit in UNITS.items()),
        "",
        *(
            line
            for found, name in zip(findings.cells, names, strict=True)
            for line in _visits(found, name)
        ),
    )  # fmt: skip
    return "\n".join(lines) + "\n"


def _comments(findings: Findings) -> Iterator[str]:
    record = findings.record
    yield f"# olbench {plain(record.run.olbench)}, run {plain(record.run.id)}, {plain(record.run.started_at)}"
    for name in ("server.program", "server.version"):
        if record.facts.get(name) is not None:
            yield f"# {name} {plain(str(record.facts[name]))}"
    for card in record.cards:
        yield f"# {plain(card.name)} digest {plain(card.digest or 'unknown')}"
    left = sum(len(found.marked) for found in findings.cells if found.judged)
    if left:
        yield f"# visits left out because something disturbed them: {left}"
    unfit = sum(bool(found.marked) and not found.judged for found in findings.cells)
    if unfit:
        yield f"# cells of which every visit was disturbed, given all the same: {unfit}"


def _machine(facts: Facts) -> Iterator[str]:
    known = {key: facts.get(name) for key, name in _MACHINE.items()}
    known |= {name.removesuffix(".name"): facts[name] for name in facts if _GPU.fullmatch(name)}
    for key, fact in known.items():
        if fact is not None and str(fact).strip():
            said = str(fact).lower() if key == "goos" else str(fact)
            yield f"{key}: {plain(_ARCHITECTURES.get(said, said)).strip()}"


def _names(findings: Findings) -> tuple[str, ...]:
    """One name a cell, all different: what is in every name, then what else varies in this run."""
    further = [axis for axis in findings.axes if axis not in _NAMED]
    parts = [_parts(found.cell, further) for found in findings.cells]
    count = Counter(parts)
    return tuple(
        _name(found.cell, own, alone=count[own] == 1)
        for found, own in zip(findings.cells, parts, strict=True)
    )


def _name(cell: Cell, parts: str, *, alone: bool) -> str:
    told_apart = "" if alone else f"/cell={cell.id}"
    return f"BenchmarkOlbench{told_apart}{parts}"


def _parts(cell: Cell, further: Iterable[str]) -> str:
    known = {name: of(cell) for name, of in _ALWAYS.items()} | {axis: on_axis(cell, axis) for axis in further}
    if cell.load is not None:
        # Two runs under different loads are two benchmarks, whether or not the load varies within either.
        known |= {axis: on_axis(cell, axis) for axis in _LOADS if on_axis(cell, axis) is not None}
    known["streams"] = on_axis(cell, "concurrency")
    return "".join(f"/{_escaped(name)}={_escaped(_word(value))}" for name, value in known.items())


def _word(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case tuple():
            return "+".join(map(str, value))
        case _:
            return str(value)


def _escaped(text: str) -> str:
    """`text` without what ends a name or one of its parts: such a character is written as in a URL."""
    return _SEPARATORS.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), plain(text))


def _visits(found: CellFinding, name: str) -> Iterator[str]:
    """One line a visit; each value counts for itself there, so that a visit without one shifts no other."""
    columns = [_values(found, metric, unit) for metric, unit in UNITS.items()]
    for values in zip_longest(*columns):
        said = " ".join(value for value in values if value is not None)
        yield f"{name} 1 {said}"


def _values(found: CellFinding, metric: str, unit: str) -> list[str]:
    numbers = found.summaries[metric].per_visit
    return [f"{number:.9g} {unit}" for number in numbers if math.isfinite(number)]
