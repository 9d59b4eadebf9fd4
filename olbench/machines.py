"""A table of machines: ours, or the user's own, from TOML; every figure with where it comes from."""

import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from olbench.errors import UsageError

_FIGURE = re.compile(r"(\d+(?:\.\d+)?) ?([A-Za-z%/]+)")
_SIZES = {"MB": 1e6, "GB": 1e9, "TB": 1e12, "MiB": 2.0**20, "GiB": 2.0**30, "TiB": 2.0**40}
_UNITS: Mapping[str, Mapping[str, float]] = {
    "memory": _SIZES,
    "usable": {"%": 0.01},
    "bandwidth": {"MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12},
    "compute": {"GFLOPS": 1e9, "TFLOPS": 1e12, "PFLOPS": 1e15},
}
_LIKE = {"memory": "24 GB", "usable": "75 %", "bandwidth": "1008 GB/s", "compute": "330 TFLOPS"}
_NEEDED = ("memory", "bandwidth")
_KEYS = ("name", *_UNITS, "sources", "unread")
_MOST_FAULTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine as its vendor states it."""

    name: str
    memory: float  # bytes
    usable: float  # share of it that a model may take
    bandwidth: float  # B/s, the most that the memory gives
    compute: float | None  # dense FP16 operations a second; None: no figure is known
    sources: Mapping[str, str]  # figure -> where it comes from
    unread: tuple[str, ...]  # figures whose source could not be read when the table was written


class _FaultError(Exception):
    """What is wrong with one machine: what was found; what would do."""


def shipped() -> tuple[Machine, ...]:
    """The table that comes with olbench."""
    return read(resources.files("olbench").joinpath("machines.toml").read_text("utf-8"), "machines.toml")


def read(text: str, name: str) -> tuple[Machine, ...]:
    """The machines of a TOML text; UsageError, one sentence a fault, where there are none or some cannot be used."""
    try:
        tables = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{name}: {error}; a table of machines is TOML, see the one that ships") from error
    rows = tables.pop("machine", None)
    if tables:
        raise UsageError(f"{name}: {min(tables)!r} is unknown; machines stand under [[machine]]")
    if not isinstance(rows, list) or not rows:
        raise UsageError(
            f"{name}: no machine in it; write [[machine]], its name, its memory and its bandwidth"
        )
    found: list[Machine] = []
    faults: list[str] = []
    for number, row in enumerate(rows, 1):
        try:
            found.append(_machine(row))
        except _FaultError as fault:
            faults.append(f"{name}: machine {number}{_called(row)}: {fault}")
    faults.extend(
        f"{name}: {twice!r} stands there twice; names tell machines apart" for twice in _twice(found)
    )
    if len(faults) > _MOST_FAULTS:
        faults = [*faults[:_MOST_FAULTS], f"{name}: ... and {len(faults) - _MOST_FAULTS} faults more"]
    if faults:
        raise UsageError(faults)
    return tuple(found)


def _machine(row: Any) -> Machine:
    if not isinstance(row, dict):
        raise _FaultError("it is no table; write [[machine]] and a line for each figure")
    unknown = [key for key in row if key not in _KEYS]
    if unknown:
        raise _FaultError(f"{unknown[0]!r} is unknown; its keys are {', '.join(_KEYS)}")
    figures = {key: _figure(row, key) for key in _UNITS}
    share = figures["usable"]
    if share is not None and share > 1:
        raise _FaultError(f"usable is {row['usable']!r}; it is at most 100 %")
    sources, unread = _sources(row), _unread(row)
    return Machine(
        name=_name(row),
        memory=figures["memory"] or 0.0,
        usable=1.0 if share is None else share,
        bandwidth=figures["bandwidth"] or 0.0,
        compute=figures["compute"],
        sources=sources,
        unread=unread,
    )


def _name(row: Mapping[str, Any]) -> str:
    name = row.get("name")
    if not isinstance(name, str) or not name.strip():
        raise _FaultError('it has no name; write name = "..."')
    if not _called(row):
        raise _FaultError("its name holds what cannot be printed; write it in plain characters")
    return " ".join(name.split())


def _called(row: Any) -> str:
    """The name in brackets; "" where there is none that can be shown."""
    name = row.get("name") if isinstance(row, dict) else None
    plain = " ".join(name.split()) if isinstance(name, str) else ""
    return f" ({plain})" if plain and plain.isprintable() else ""


def _figure(row: Mapping[str, Any], key: str) -> float | None:
    """A figure in its base unit; None where it is not there and need not be."""
    given = row.get(key)
    if given is None:
        if key in _NEEDED:
            raise _FaultError(f'it has no {key}; write {key} = "{_LIKE[key]}"')
        return None
    parts = _FIGURE.fullmatch(given.strip()) if isinstance(given, str) else None
    factor = _UNITS[key].get(parts[2]) if parts else None
    if parts is None or factor is None:
        raise _FaultError(f'{key} is {given!r}; write it with its unit, as in "{_LIKE[key]}"')
    value = float(parts[1]) * factor
    if value <= 0 or not math.isfinite(value):
        raise _FaultError(f"{key} is {given!r}; it is above 0")
    return value


def _sources(row: Mapping[str, Any]) -> Mapping[str, str]:
    given = row.get("sources", {})
    if not isinstance(given, dict) or not all(
        key in _UNITS and isinstance(value, str) for key, value in given.items()
    ):
        raise _FaultError(f'sources is {given!r}; write sources.{_NEEDED[0]} = "where it comes from"')
    return given


def _unread(row: Mapping[str, Any]) -> tuple[str, ...]:
    given = row.get("unread", [])
    if not isinstance(given, list) or not all(key in _UNITS for key in given):
        raise _FaultError(f'unread is {given!r}; it is a list of figures, such as ["compute"]')
    return tuple(given)


def _twice(found: Sequence[Machine]) -> Iterator[str]:
    names = [one.name for one in found]
    return (name for name in dict.fromkeys(names) if names.count(name) > 1)
