"""`olbench bandwidth`, and the figure that goes with a run: what this machine's memory gives, measured once and kept."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from olbench.errors import OlbenchError
from olbench.model import Bandwidth, Facts
from olbench.probes import bandwidth
from olbench.store import Store
from olbench.units import words


def main(*, as_json: bool, db: Path) -> int:
    """Measure anew, keep it, say it."""
    store = Store(db)
    try:
        seen = _measured(store)
    except (OSError, MemoryError) as fault:
        raise OlbenchError(f"the memory's bandwidth cannot be measured: {fault}") from fault
    finally:
        store.close()
    click.echo(json.dumps(asdict(seen), indent=1) if as_json else _told(seen))
    return 0


def known(store: Store, model: object, *, anew: bool) -> Facts:
    """What a run with a server on this machine keeps of it. Where nothing is kept yet it is measured, if `anew`."""
    seen = store.bandwidth(bandwidth.machine_of())
    if seen is None and anew:
        try:
            seen = _measured(store)
        except (OSError, MemoryError) as fault:
            click.echo(f"note: the memory's bandwidth is unknown: {fault}", err=True)
    return {} if seen is None else bandwidth.facts(seen, model)


def _measured(store: Store) -> Bandwidth:
    click.echo("measuring what memory gives, about 3 s, once for this machine", err=True)
    seen = bandwidth.measure()
    store.keep_bandwidth(seen)
    return seen


def _told(seen: Bandwidth) -> str:
    threads = f"{seen.threads} thread{'s' if seen.threads > 1 else ''}"
    return (
        f"This machine's memory gives {words(max(seen.add, seen.read), 'B/s')}: reading "
        f"{words(seen.read, 'B/s')}, adding two arrays into a third {words(seen.add, 'B/s')} "
        f"({threads}, arrays of {words(seen.array, 'B')}, best of {bandwidth.PASSES} passes)."
    )
