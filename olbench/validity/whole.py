"""What may be believed of the run as a whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from olbench.findings import Flag
from olbench.model import Record
from olbench.prose import counted, distinct
from olbench.validity.alike import Cells, unlike
from olbench.validity.beside import versions
from olbench.validity.check import Said, either

# What must not change while a run goes on; updaters restart servers on their own.
STEADY = ("server.version", "engine.name", "engine.version")
ENDS = {"running": "goes on", "complete": "ended", "interrupted": "was interrupted", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Row:
    """One check of the run: the row of "Can I trust this?" to which it belongs, and what the reader can do."""

    name: str
    action: str


# `roof` and `clock` are told where their figures are made.
RUN_CHECKS: Mapping[str, Row] = {
    "unlike cells": Row("Cells alike", ""),
    "server": Row(
        "Server unchanged", "stop the server's updater, and run again: not all figures are of one server"
    ),
    "battery": Row("Power and heat", "plug the machine in and run again"),
    "unfinished": Row(
        "Completeness",
        "`olbench run --resume RUN`, of a search `olbench size --resume RUN`, takes what was not taken",
    ),
    "clock": Row("Our own clock", ""),
    "roof": Row("Memory roofline", ""),
}


def of_run(record: Record, visits: int, cells: Cells = ()) -> tuple[Flag, ...]:
    """All flags of the run as a whole, of whose plan so many `visits` were taken; `cells` with their labels."""
    found = {
        "unlike cells": unlike([(label, told) for label, told in cells if told.gists]),
        "server": _changed(record, cells),
        "battery": _battery(record),
        "unfinished": _unfinished(record, visits),
    }
    return tuple(
        Flag(key, said.sentence, said.action or RUN_CHECKS[key].action)
        for key, every in found.items()
        for said in every
    )


def _changed(record: Record, cells: Cells) -> Iterator[Said]:
    told = False
    for fact in STEADY:
        before, after = record.facts.get(fact), (record.facts_end or {}).get(fact)
        if before is not None and after is not None and before != after:
            told = told or fact == "server.version"
            yield Said(
                f"{fact} was {before} at the start and {after} at the end: not all cells met the same server"
            )
    gists = sorted((one for _, cell in cells for one in cell.gists), key=lambda one: one.started_ns)
    seen = distinct(said for one in gists for said in versions(one))
    if len(seen) > 1 and not told:
        yield Said(f"the server's version was {either(seen)} in turn: not all visits met the same server")


def _battery(record: Record) -> Iterator[Said]:
    if "battery" in (record.facts.get("power.source"), (record.facts_end or {}).get("power.source")):
        yield Said("the machine ran on battery: it may have held its clocks down")


def _unfinished(record: Record, visits: int) -> Iterator[Said]:
    planned = len(record.plan.visits)
    if record.run.status != "complete" or visits < planned:
        yield Said(
            f"the run {ENDS[record.run.status]}: {visits} of {counted(planned, 'planned visit')} were taken"
        )
