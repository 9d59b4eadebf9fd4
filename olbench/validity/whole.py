"""What may be believed of the run as a whole."""

from collections.abc import Iterator

from olbench.findings import Flag
from olbench.model import Record
from olbench.prose import counted

# What must not change while a run goes on; updaters restart servers on their own.
STEADY = ("server.version", "engine.name", "engine.version")


ENDS = {"running": "goes on", "complete": "ended", "interrupted": "was interrupted", "failed": "failed"}


def of_run(record: Record, visits: int) -> tuple[Flag, ...]:
    """All doubts about the run as a whole, of whose plan so many `visits` were taken."""
    found = {
        "server": _changed(record),
        "battery": _battery(record),
        "unfinished": _unfinished(record, visits),
    }
    return tuple(Flag(key, sentence, "") for key, sentences in found.items() for sentence in sentences)


def _changed(record: Record) -> Iterator[str]:
    for fact in STEADY:
        before, after = record.facts.get(fact), (record.facts_end or {}).get(fact)
        if before is not None and after is not None and before != after:
            yield f"{fact} was {before} at the start and {after} at the end: not all cells met the same server"


def _battery(record: Record) -> Iterator[str]:
    if "battery" in (record.facts.get("power.source"), (record.facts_end or {}).get("power.source")):
        yield "the machine ran on battery: it may have held its clocks down"


def _unfinished(record: Record, visits: int) -> Iterator[str]:
    planned = len(record.plan.visits)
    if record.run.status != "complete" or visits < planned:
        yield f"the run {ENDS[record.run.status]}: {visits} of {counted(planned, 'planned visit')} were taken"
