"""What the rows on the machine, the server and time show where nothing was found; why a row may know nothing."""

import numpy as np

from olbench import steady
from olbench.accuracy import verdict
from olbench.column import joined
from olbench.gist import Told
from olbench.prose import counted, distinct, listed
from olbench.units import words
from olbench.validity.beside import versions
from olbench.validity.check import sound, spread
from olbench.validity.evidence import Frame, largest, together


def other_work(frame: Frame) -> str:
    """What other programs and the machine's host took."""
    return together(
        [
            largest(frame, "cpu_other", "cores", "other programs took at most {} on average of a visit"),
            largest(frame, "cpu_steal", "cores", "the machine's host withheld at most {}"),
        ]
    )


def power(frame: Frame) -> str:
    """What held clocks back, and where power came from."""
    facts = frame.record.facts
    source, governor = facts.get("power.source"), facts.get("cpu.governor")
    return together(
        [
            largest(frame, "gpu_slowed", "share", "the GPU was held back for at most {} of a visit"),
            f"power from {source}" if source else "",
            f"governor {governor}" if governor else "",
        ]
    )


def memory(frame: Frame) -> str:
    """Growth of swap."""
    return largest(frame, "swap_growth", "B", "swap grew by at most {} in a visit")


def server(frame: Frame) -> str:
    """The server's version."""
    seen = distinct(said for one in frame.gists for said in versions(one))
    facts, end = frame.record.facts, frame.record.facts_end or {}
    if seen:
        return f"version {listed(seen)} before and after each of {counted(len(frame.gists), 'visit')}"
    start, after = facts.get("server.version"), end.get("server.version")
    return f"version {start} at the run's start and end" if start is not None and start == after else ""


def steadiness(frame: Frame) -> str:
    """The largest slow change of a decode rate."""
    found = [
        drift
        for told in (sound(seen.told) for seen in frame.cells)
        if (
            drift := steady.drift(
                _middles(told), [one.started_ns / 1e9 for one in told.gists], told.limits["drift"]
            )
        )
    ]
    if not found:
        return ""
    most = max(abs(one.change) for one in found)
    cells = f" in {counted(len(found), 'cell')}" if len(found) > 1 else ""
    return (
        f"decode rates changed by at most {words(most, 'share', 2)} from the first visit to the last{cells}"
    )


def _middles(told: Told) -> list[float]:
    numbers = (one.columns["decode"].numbers for one in told.gists)
    return [float(np.median(one)) if len(one) else float("nan") for one in numbers]


def far_out(frame: Frame) -> str:
    """How far single requests are from the middle of their cell."""
    parts = []
    cells = [one for one in frame.cells if one.told.cell.load is None]
    for key, name in (("decode", "decode rate"), ("ttft", "time to first token")):
        seen = [sound(one.told).numbers(key) for one in cells]
        far = joined([np.abs(one / np.median(one) - 1) for one in seen if len(one) and np.median(one) > 0])
        parts += [f"{words(float(far.max()), 'share', 2)} ({name})"] if len(far) else []
    count = counted(sum(len(gist.prompts) for one in cells for gist in one.told.gists), "request")
    return f"none of {count} is further from the middle of its cell than {listed(parts)}" if parts else ""


def durations(frame: Frame) -> str:
    """How exactly the parts of a request's time fit into one another."""
    rest = np.abs(frame.numbers("unexplained"))
    if len(rest):
        middle, far = (words(float(np.quantile(rest, p)), "s", 2) for p in (0.5, 0.99))
        return f"the parts of {counted(len(rest), 'request')} add up to the whole within {far} (99 of 100; half: {middle})"
    least = [float(found.min()) for key in ("queue", "network") if len(found := frame.numbers(key))]
    spare = words(abs(min(least)), "s", 2) if least else ""
    within = "to spare at least" if least and min(least) >= 0 else "too much at most"
    return f"the server's durations fit into ours with {spare} {within}" if least else ""


def clock(frame: Frame) -> str:
    """What the self-test says, and how many stamps are blurred."""
    test = frame.record.selftest
    return together(
        [
            " ".join(verdict(test).sentences[:1]).removesuffix(".") if test else "",
            largest(frame, "coalesced", "share", "at most {} of an answer's lines have blurred stamps"),
        ]
    )


def roofline(frame: Frame) -> str:
    """Shares of what memory allows."""
    known = [one.roof for one in frame.cells if one.roof is not None and one.roof.share.value is not None]
    shares = [100 * one.share.value for one in known if one.share.value is not None]
    if not shares:
        return ""
    by = listed(distinct(one.by for one in known)[:2])
    return (
        f"decoding uses {spread(shares)} % of what memory allows ({words(known[0].bandwidth, 'B/s')}, {by})"
    )


# --- what a row may lack as a whole ---------------------------------------------------------------------------

NO_TEST = "no self-test was made before the run: `olbench selftest` tells how exact the clock is"


def no_clock(frame: Frame) -> str:
    """Why the clock's error is not known."""
    return "" if frame.record.selftest else NO_TEST


LOADED = "under a load a request takes as long as others make it wait: single ones are not judged"


def no_single(frame: Frame) -> str:
    """Why no request can be said to be far out."""
    return LOADED if all(one.told.cell.load is not None for one in frame.cells) else ""


def lateness(frame: Frame) -> str:
    """How late the requests of loads left."""
    late = joined(
        [visit.served.late for one in frame.cells if one.told.cell.load for visit in one.told.gists]
    )
    known = late[np.isfinite(late)]
    if not len(known):
        return ""
    far = words(float(np.quantile(known, 0.99)), "s", 2)
    return f"99 of 100 of {counted(len(known), 'request')} left within {far} of their due time"


def has_loads(frame: Frame) -> bool:
    """Whether requests had due times of their own: closed streams send when they are answered."""
    return any(one.told.cell.load is not None for one in frame.cells)


def no_roof(frame: Frame) -> str:
    """Why no cell's share of the roof is known."""
    found = [one.roof for one in frame.cells if one.roof is not None]
    if any(one.share.value is not None for one in found):
        return ""
    reasons = distinct(one.share.reason for one in found if one.share.reason)
    return reasons[0] if reasons else "the bandwidth of this machine's memory is not known"


def no_version(frame: Frame) -> str:
    """Why it is not known whether the server stayed the same."""
    return "" if server(frame) else "the server's version was not read again at the run's end"
