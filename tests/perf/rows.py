"""The rows of the table: what is bounded, by how much, and whether the figures hold it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from figures import Figure, Figures
from job import Client

Taken = Mapping[tuple[str, str], Figures]  # (client, load) -> medians over the repeats
PEERS: tuple[Client, ...] = ("aiohttp", "httpx", "epoll")
BLAST = 120_000.0  # chunks a second
MARGIN = 1.2
FEW = 100  # a p99 of fewer values is nearly their largest: the table says of how many


@dataclass(frozen=True, slots=True)
class Of:
    """Where a figure is found."""

    load: str
    figure: str
    client: Client = "olbench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bound. `over`: the figure is divided by this one first; `less`: it is its distance from this one.

    `beside`: what the peers' columns show.
    """

    line: int  # of "Done when"
    what: str
    of: Of
    sense: Literal["<=", ">="]
    limit: float | None  # None: no bound, there to be compared
    over: Of | None = None
    less: Of | None = None
    beside: Of | None = None
    peers: tuple[Client, ...] = PEERS


@dataclass(frozen=True, slots=True)
class Verdict:
    """A row with its figures. `met` None: there is no bound, nothing was measured, or the server was the limit."""

    row: Row
    figure: Figure | None
    met: bool | None
    why: str  # what a reader must know of it, "" when nothing
    beside: Mapping[str, Figure]


def at_most(
    line: int, what: str, of: Of, limit: float, *, beside: Of | None = None, over: Of | None = None
) -> Row:
    """A row whose peers show the same figure unless `beside` names another; a ratio's peers show none."""
    shown = beside or (of if over is None else None)
    return Row(line=line, what=what, of=of, sense="<=", limit=limit, over=over, beside=shown)


def _ttft(load: str, name: str, p99: float, errors: str = "ttft") -> tuple[Row, Row]:
    return (
        at_most(1, f"TTFT error, {name}, p50 ms", Of(load, f"{errors}_p50"), 0.1),
        at_most(1, f"TTFT error, {name}, p99 ms", Of(load, f"{errors}_p99"), p99),
    )


def _dispatch(load: str, name: str, p99: float) -> tuple[Row, Row]:
    sent, reached = Of(load, "dispatch_p99"), Of(load, "reached_p99")
    return (
        Row(line=2, what=f"dispatch delay, {name}, p99 ms", of=sent, sense="<=", limit=p99),
        # What a client calls sent is its own word; when the bytes reached the server is nobody's.
        Row(line=2, what="  until at the server", of=reached, sense="<=", limit=None, beside=reached),
    )


CPU, RATE = Of("c64", "cpu"), Of("blast", "rate")
ROWS: tuple[Row, ...] = (
    *_ttft("c1", "1 stream", 0.3),
    *_ttft("c16", "16 streams", 0.3),
    *_ttft("c64", "64 streams", 0.3),
    *_ttft("c256", "256 streams *", 1.0, errors="unflagged"),
    at_most(1, "receives flagged, 256 streams, %", Of("c256", "flagged"), 0.5),
    at_most(1, "single gap error, 64 str., p99 ms", Of("c64", "gap_p99"), 0.05),
    *_dispatch("c64", "64 at once", 3.0),
    *_dispatch("c256", "256 at once", 12.0),
    *_dispatch("paced", "200/s", 0.5),
    at_most(3, "TTFT error, busy core, p99 ms", Of("hog", "ttft_p99"), 0.3),
    at_most(3, "single gap error, busy core, p99", Of("hog", "gap_p99"), 0.1),
    Row(
        line=3,
        what="  aiohttp's TTFT error there, p99",
        of=Of("hog", "ttft_p99", "aiohttp"),
        sense=">=",
        limit=1.0,
    ),
    at_most(4, "CPU over aiohttp's, 64 streams", CPU, 0.7, over=Of("c64", "cpu", "aiohttp")),
    at_most(4, "CPU over httpx's, 64 streams", CPU, 0.2, over=Of("c64", "cpu", "httpx"), beside=CPU),
    Row(line=4, what="blast, chunks/s", of=RATE, sense=">=", limit=BLAST, beside=RATE),
    Row(
        line=4,
        what="blast over httpx's",
        of=RATE,
        sense=">=",
        limit=2.5,
        over=Of("blast", "rate", "httpx"),
    ),
    at_most(4, "peak memory, 256 streams, MB", Of("c256", "rss"), 70.0),
    at_most(5, "TTFT error, no kernel stamps, p99", Of("user-space", "ttft_p99"), 0.5),
    Row(line=5, what="  said to be user-space, %", of=Of("user-space", "user_space"), sense=">=", limit=100),
    *(
        Row(
            line=6,
            what=f"self-test less mock, {streams}, p99 ms",
            of=Of("selftest", f"ttft_p99_{streams}"),
            sense="<=",
            limit=0.1,
            less=Of(f"c{streams}", "ttft_p99"),
        )
        for streams in (1, 16, 64)
    ),
    at_most(8, "olbench --help, s", Of("shell", "help_s"), 0.2),
    at_most(8, "report of the large run, s", Of("shell", "report_s"), 10.0),
    at_most(8, "report of the large run, MB", Of("shell", "report_mb"), 400.0),
)


def needs(rows: Collection[Row]) -> list[tuple[Client, str]]:
    """What must be run for these rows, each once: load by load, for what is compared shall lie close in time."""
    wanted: dict[tuple[Client, str], None] = {}
    for row in rows:
        for of in (row.of, row.over, row.less):
            if of is not None:
                wanted[of.client, of.load] = None
    for row in rows:
        if row.beside is not None:
            wanted |= {(peer, row.beside.load): None for peer in row.peers if may(peer, row.beside.load)}
    loads = list(dict.fromkeys(load for _, load in wanted))
    clients: list[Client] = ["olbench", *PEERS]
    return sorted(wanted, key=lambda one: (loads.index(one[1]), clients.index(one[0])))


def may(client: Client, load: str) -> bool:
    """Whether this client is run under this load."""
    if load in ("shell", "selftest", "user-space"):  # olbench alone has this
        return client == "olbench"
    if load == "hog":
        return client in ("olbench", "aiohttp")
    return client != "epoll" or load != "paced"  # epoll waits in whole milliseconds


def judged(row: Row, taken: Taken) -> Verdict:
    """The row with what was measured."""
    figure = found(row.of, taken)
    below = None if row.over is None else found(row.over, taken)
    other = None if row.less is None else found(row.less, taken)
    beside = {} if row.beside is None else _beside(row.beside, row.peers, taken)
    unknown = (row.over is not None and (below is None or not below.value)) or (row.less and other is None)
    if figure is None or unknown:
        return Verdict(row, None, None, "", beside)
    if other is not None:
        figure = Figure(abs(figure.value - other.value), min(figure.n, other.n))
    if below is not None:
        figure = Figure(figure.value / below.value, min(figure.n, below.n))
    failed = found(Of(row.of.load, "failed", row.of.client), taken)
    if failed is not None and failed.value:
        return Verdict(row, figure, met=False, why=f"{failed.value:g} requests failed", beside=beside)
    if row.limit is None:
        return Verdict(row, figure, None, "", beside)
    met = figure.value <= row.limit if row.sense == "<=" else figure.value >= row.limit
    why = "" if met else _server_bound(row, taken)
    return Verdict(row, figure, None if why else met, why, beside)


def found(of: Of, taken: Taken) -> Figure | None:
    """A figure, None when it was not measured."""
    return taken.get((of.client, of.load), {}).get(of.figure)


def unmet(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The bounds that do not hold, and those of which nothing is known."""
    return [one for one in verdicts if one.row.limit is not None and (one.met is False or one.figure is None)]


def _server_bound(row: Row, taken: Taken) -> str:
    # A server that sends hardly faster than we shall read cannot show whether we would: olbench parses after the
    # last byte, so the time that it waited for the server counts in full.
    rate = found(Of(row.of.load, "server_rate", row.of.client), taken)
    if row.of.figure != "rate" or rate is None or rate.value >= MARGIN * BLAST:
        return ""
    return f"the server itself sent no more than {rate.value:,.0f}/s"


def _beside(of: Of, peers: Sequence[Client], taken: Taken) -> dict[str, Figure]:
    named = {peer: found(Of(of.load, of.figure, peer), taken) for peer in peers}
    return {peer: figure for peer, figure in named.items() if figure is not None}
