"""How a scenario says that requests come: its people, its load, its mix, its service level, and what is sought."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from olbench import scenario_check, slo
from olbench.arrival import Load, Persona
from olbench.grid import Axis
from olbench.model import Fact
from olbench.scenario_check import Faults, Tables, has

_MOST_STREAMS = 64  # that a search tries, unless the scenario says otherwise
_REQUESTS = 200  # of a probe, unless the scenario says otherwise or its service level takes more
_SPARE = 2  # times the requests that would do if all met their bound
_MOST_TIMES = 10  # the users that there are to be, or the rate that the scenario asks for: the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a mixed workload, as the file has it. None: what the sweep says."""

    model: str | None
    quantization: str | None
    weight: float
    prompt_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a search for capacity turns up, how far, and at what effort."""

    by: str  # users, rate or concurrency
    least: float
    most: float
    step: float  # from one load to the next, as a share
    probes: int  # at most
    requests: int  # measured ones of a probe
    effort: str  # quick, usual or sharp: how many more a load gets that is not clear


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """All of it. None and () where the file has no such section."""

    slo: Mapping[str, float]  # key -> bound in base units
    persona: Persona | None
    load: Load | None  # without rate and trace, which belong to cells
    trace: str | None  # path of a replay's trace, from the scenario's folder
    mix: tuple[Part, ...]
    size: Size | None


def read(tables: Tables, axes: Sequence[Axis], faults: Faults) -> Asked:
    """The sections of a file; what has a fault is as if it were not there."""
    found = {name: _section(tables, name, faults) for name in ("slo", "persona", "load", "size")}
    mix = tuple(Part(**one) for one in scenario_check.tables(tables, "mix", faults))
    persona = None if found["persona"] is None else _persona(found["persona"])
    rates = next((axis.values for axis in axes if axis.name == "rate"), ())
    load, trace = _load(found["load"], rated=bool(rates))
    level = {key: bound for key, bound in (found["slo"] or {}).items() if bound is not None}
    return Asked(
        slo=level,
        persona=persona,
        load=load,
        trace=trace,
        mix=mix,
        size=None
        if found["size"] is None
        else _size(found["size"], _by(tables, found["size"]), persona, rates, level),
    )


def settings(asked: Asked) -> dict[str, Fact]:
    """It as flat settings of a run; of a section that is not there, nothing."""
    found: dict[str, Fact] = {slo.PREFIX + key: bound for key, bound in asked.slo.items()}
    if asked.load is not None:
        load = {"file": asked.trace, **asdict(asked.load)}
        found |= {f"load.{key}": value for key, value in load.items() if value is not None}
    for name, section in (("persona", asked.persona), ("size", asked.size)):
        if section is not None:
            found |= {f"{name}.{key}": value for key, value in asdict(section).items()}
    return found


def _section(tables: Tables, name: str, faults: Faults) -> dict[str, Any] | None:
    if not isinstance(tables.get(name), dict):
        return None
    values = scenario_check.section(tables, name, faults)
    return None if faults.under((name,)) else values


def _persona(values: Mapping[str, Any]) -> Persona:
    return Persona(**{"think_ns" if key == "think" else key: value for key, value in values.items()})


def _load(values: Mapping[str, Any] | None, *, rated: bool) -> tuple[Load | None, str | None]:
    if values is None:
        return (Load(pattern="poisson") if rated else None), None
    shape = {key: value for key, value in values.items() if key != "file"}
    if shape["pattern"] == "replay" and shape["speed"] is None:
        shape["speed"] = 1.0
    return Load(**shape), values["file"]


def _by(tables: Tables, values: Mapping[str, Any]) -> str:
    """What is turned up; also where the sections that say so have faults."""
    if values["by"] is not None:
        return str(values["by"])
    if has(tables, ("persona",)):
        return "users"
    return "rate" if has(tables, ("load",)) or has(tables, ("sweep", "rate")) else "concurrency"


def _size(
    values: Mapping[str, Any], by: str, persona: Persona | None, rates: Sequence[Any], level: Iterable[str]
) -> Size:
    least, most = _ends(by, persona, rates)
    requests = max(_REQUESTS, _SPARE * slo.least_requests(level))
    return Size(
        **{
            **values,
            "by": by,
            "least": least if values["least"] is None else values["least"],
            "most": most if values["most"] is None else values["most"],
            "requests": requests if values["requests"] is None else values["requests"],
        }
    )


def _ends(by: str, persona: Persona | None, rates: Sequence[Any]) -> tuple[float, float]:
    """The least and the most load that is tried, where the file does not say."""
    if by == "users":
        return 1.0, float(_MOST_TIMES * (1 if persona is None else persona.users))
    if by == "rate" and rates:
        return min(rates) / _MOST_TIMES, _MOST_TIMES * max(rates)
    return 1.0, float(_MOST_STREAMS)
