"""What binds a machine's capacity: the thing of which a little more would carry most users."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from olbench.crowd import Crowd
from olbench.prose import counted
from olbench.queueing import Engine
from olbench.sized import Binds
from olbench.units import figures

CHEAPER = 0.8  # of its cost


@dataclass(frozen=True, slots=True)
class _Carried:
    """What a change comes to."""

    users: int
    room: (
        float  # by how much the tightest line is kept with one user more than are carried without the change
    )


def binding(crowd: Crowd, engine: Engine, near: int, most: int, requests: int) -> tuple[Binds | None, str]:
    """What binds, with its evidence in words; `near` is about how many users are carried, `most` were asked about.

    So many requests are played through at each load; all changes meet the same people.
    """
    # Between two loads of a search there may be room for what a change brings: here every user counts.
    carried = _carried(crowd, engine, near, 2 * most, requests)
    if carried >= most:
        return None, f"nothing binds up to {counted(most, 'user')}"
    room = crowd.room(engine, carried + 1, requests)
    found = {name: _with(crowd, change, carried, requests) for name, change in _changes(engine).items()}
    best = max(found, key=lambda name: (found[name].users, found[name].room))
    if found[best].users <= carried and found[best].room <= room:
        return (
            None,
            "neither one slot more nor a fifth less time for prompts or for answers brings the next user",
        )
    return (
        best,
        f"{_words(found, best, carried, engine.slots)}; {_waiting(crowd, engine, carried + 1, requests)}",
    )


def _carried(crowd: Crowd, engine: Engine, near: int, most: int, requests: int) -> int:
    return highest(lambda one: crowd.room(engine, one + 1, requests) >= 0, most, near - 1) + 1


def _with(crowd: Crowd, engine: Engine, carried: int, requests: int) -> _Carried:
    room = crowd.room(engine, carried + 1, requests)
    return _Carried(
        carried if room < 0 else _carried(crowd, engine, carried + 1, 4 * carried + 8, requests), room
    )


def highest(kept: Callable[[int], bool], count: int, start: int) -> int:
    """The highest place at which something holds that holds below some place and not above it; -1: at none.

    Looked for from `start` on, in steps that double.
    """
    low, high = -1, count
    place, stride = min(max(start, 0), count - 1), 1
    while high - low > 1:
        if kept(place):
            low = place
        else:
            high = place
        if low > -1 and high < count:
            place = (low + high) // 2
        else:
            place = min(low + stride, count - 1) if low > -1 else max(high - stride, 0)
            stride *= 2
    return low


def _changes(engine: Engine) -> Mapping[Binds, Engine]:
    return {
        "slots": replace(engine, slots=engine.slots + 1),
        "prefill": replace(
            engine,
            opening=engine.opening * CHEAPER,
            token=engine.token * CHEAPER,
            square=engine.square * CHEAPER,
        ),
        "decode": replace(
            engine,
            step=engine.step * CHEAPER,
            stream=engine.stream * CHEAPER,
            depth=engine.depth * CHEAPER,
        ),
    }


def _words(found: Mapping[Binds, _Carried], best: Binds, carried: int, slots: int) -> str:
    changes = {
        "slots": f"with {slots + 1} slots instead of {slots}",
        "prefill": "with a fifth less time for reading prompts",
        "decode": "with a fifth less time for each token of the answers",
    }
    others = [f"{changes[name]}: {_more(one.users, carried)}" for name, one in found.items() if name != best]
    if found[best].users == carried:
        return f"{changes[best]} the next user would come nearest to being served as well as was asked for"
    return "; ".join((f"{changes[best]} it would carry {_more(found[best].users, carried)}", *others))


def _more(users: int, carried: int) -> str:
    if users <= carried:
        return "no more"
    if not carried:
        return f"{users} instead of none"
    times = users / carried
    return (
        f"{figures(times, 2)} times as many users"
        if times >= 2
        else f"{round(100 * (times - 1))} % more users"
    )


def _waiting(crowd: Crowd, engine: Engine, users: int, requests: int) -> str:
    served = crowd.played(engine, users, requests).served
    waiting = sum(one.waited for one in served) / max(len(served), 1)
    return f"with {counted(users, 'user')} {figures(100 * waiting)} % of requests find no slot free"
