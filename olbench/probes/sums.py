"""From what single processes and the machine's counters say to the series of a reading. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from olbench.probes.accounts import Memory, Private, Space, Ticks

Values = dict[str, tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Totals:
    """What rates are made of, as it stood at `t_ns`."""

    t_ns: int
    server: Mapping[int, float]  # process -> seconds of CPU
    client: float  # the same of olbench
    machine: Ticks


def resident(parts: Sequence[Memory], computing: Sequence[Memory]) -> Values:
    """Memory of the server's processes, and of the runners among them. Shared pages count once for each."""
    sums = {
        "server.rss": total([one.rss for one in parts]),
        "server.anon": total([one.anon for one in parts]),
        "server.file": total([one.file for one in parts]),
        "runner.rss": total([one.rss for one in computing]),
    }
    return _known(sums, "B")


def unshared(parts: Sequence[Private]) -> Values:
    """Memory of the server's processes without, and with their part of, what they share."""
    sums = {"server.uss": total([one.uss for one in parts]), "server.pss": total([one.pss for one in parts])}
    return _known(sums, "B")


def space(now: Space) -> Values:
    """The machine's memory."""
    return _known({"host.available": now.available, "host.swap_used": now.swap_used}, "B")


def rates(before: Totals, after: Totals, *, elsewhere: bool) -> Values:
    """Cores in use, and bytes swapped a second, between two moments.

    Where a process came or went in between, the server's part of that span is unknown, and with it what others
    used; the same holds where the server runs here and is not seen. With the server `elsewhere` it has no part.
    """
    span = (after.t_ns - before.t_ns) / 1e9
    known = bool(after.server) and before.server.keys() == after.server.keys()
    server = sum(after.server.values()) - sum(before.server.values()) if known else None
    client = after.client - before.client
    old, new = before.machine, after.machine
    busy = new.busy - old.busy
    part = 0.0 if elsewhere else server
    cores = {
        "server.cpu": server,
        "client.cpu": client,
        "host.cpu": busy,
        "host.other_cpu": None if part is None else max(0.0, busy - part - client),
        "host.steal": _less(new.stolen, old.stolen),
    }
    swapped = {
        "host.swap_in": _less(new.swapped_in, old.swapped_in),
        "host.swap_out": _less(new.swapped_out, old.swapped_out),
    }
    return _known(cores, "cores", span) | _known(swapped, "B/s", span)


def total(parts: Iterable[float | None]) -> float | None:
    """The sum; None where a part is unknown, or where there are no parts."""
    listed = list(parts)
    known = [one for one in listed if one is not None]
    return sum(known) if known and len(known) == len(listed) else None


def _less(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


def _known(sums: Mapping[str, float | None], unit: str, span: float = 1.0) -> Values:
    return {name: (one / span, unit) for name, one in sums.items() if one is not None}
