"""What is said before two set-ups are measured in turn: in what they differ, and what that will take."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from urllib.parse import urlsplit

from olbench import estimate, paired, scenario, units
from olbench.blocks import Letter, Turn, Twin
from olbench.model import Fact, ModelCard, Plan
from olbench.plan import load_key
from olbench.prose import counted, listed
from olbench.report.wording import plain
from olbench.scenario import Scenario, Server

NAMES: Mapping[Letter, str] = {"a": "A", "b": "B"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LONGEST = 60  # characters of a value
_NAMED = 6  # differences that the sentence names


def one_place(a: Server, b: Server) -> bool:
    """Whether both sides are the same server: the same address, or an engine that is started alike."""
    if a.engine is not None or b.engine is not None:
        return (a.engine, a.parallel, a.threads) == (b.engine, b.parallel, b.threads)
    return _address(a.url or "") == _address(b.url or "")


def _address(url: str) -> tuple[str, int | None, str]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return ("loopback" if host in _LOOPBACK else host), parts.port, parts.path


def apart(wanted: Mapping[Letter, Scenario], twins: Sequence[Twin]) -> str:
    """In what A and B differ, in a sentence."""
    a, b = (scenario.settings(wanted[side]) for side in NAMES)
    axes = paired.apart([(twin.a, twin.b) for twin in twins])
    found = [_differing(axis, pairs) for axis, pairs in axes.items()] + list(_settings(a, b))
    if not found:
        return "A and B do not differ: whatever is found between them is noise"
    more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return f"A and B differ in {listed([*found[:_NAMED], *more])}"


def _settings(a: Mapping[str, Fact], b: Mapping[str, Fact]) -> Iterator[str]:
    for name in dict.fromkeys((*a, *b)):
        if a.get(name) != b.get(name):
            yield _differing(name, [(a.get(name), b.get(name))])


def _differing(what: str, pairs: Sequence[tuple[Fact, Fact]]) -> str:
    return f"{what} ({', '.join(f'{_shown(a)} against {_shown(b)}' for a, b in pairs)})"


def _shown(value: Fact) -> str:
    if value is None:
        return "not set"
    text = plain(str(value).lower() if isinstance(value, bool) else str(value))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def opening(
    turns: Sequence[Turn],
    plans: Mapping[Letter, Plan],
    wanted: Mapping[Letter, Scenario],
    cards: Sequence[ModelCard],
    *,
    count: int,
    pilot: bool,
    one_server: bool,
) -> str:
    """What will be done, how long that takes, and what the servers must load for it; `turns` are one block's."""
    pairs = len(plans["a"].cells)
    of = f"{counted(count, 'block')} of {len(turns) // pairs} visits to each of {counted(pairs, 'pair')} of cells"
    took = units.span(count * _block_ns(turns, plans, wanted["a"], cards, one_server=one_server))
    said = (
        f"first {of}, about {took} (rough), to plan how many it takes"
        if pilot
        else f"at most {of}, about {took} (rough), and an end as soon as the verdict is earned"
    )
    return f"{said}; {_loads(turns, plans, one_server=one_server)}"


def _loads(turns: Sequence[Turn], plans: Mapping[Letter, Plan], *, one_server: bool) -> str:
    if not one_server:
        return "two servers, so no change of side loads anything"
    keys = {cell.id: load_key(cell) for made in plans.values() for cell in made.cells}
    if len(set(keys.values())) == 1:
        return "one server and one load: no change of side loads anything"
    order = [keys[turn.visit.cell] for turn in turns]
    loads = 1 + sum(before != after for before, after in pairwise(order))
    return f"one server, so a change of side loads the model anew, {loads} times a block"


def _block_ns(
    turns: Sequence[Turn],
    plans: Mapping[Letter, Plan],
    of: Scenario,
    cards: Sequence[ModelCard],
    *,
    one_server: bool,
) -> int:
    """How long a block may take, roughly."""
    cells = {cell.id: cell for made in plans.values() for cell in made.cells}
    parts = (
        [[turn.visit for turn in turns]]
        if one_server
        else [[turn.visit for turn in turns if turn.side == side] for side in NAMES]
    )
    return sum(
        estimate.time(Plan(tuple(cells.values()), tuple(one), 0, ()), of, cards).total for one in parts
    )
