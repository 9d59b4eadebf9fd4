"""Checks of what stood beside the measurement: other programs, heat, memory, the server itself, our own clock."""

from collections.abc import Callable, Iterator

import numpy as np

from olbench import service, slo
from olbench.column import Numbers
from olbench.gist import Gist, Told
from olbench.units import words
from olbench.validity.check import Said, above, either, named, shares_of, spread


def gated(gate: str) -> Callable[[Told], Iterator[Said]]:
    """The check that tells which visits did not pass a gate, and why."""

    def of(told: Told) -> Iterator[Said]:
        found = [
            (one.visit.repeat, trip.sentence) for one in told.gists for trip in one.trips if trip.gate == gate
        ]
        if not found:
            return
        sentence = found[0][1]
        alike = [repeat for repeat, other in found if other == sentence]
        rest = {repeat for repeat, other in found if other != sentence} - set(alike)
        everywhere = len(alike) == len(told.gists) > 1
        more = f", and the like in {named(sorted(rest))}" if rest else ""
        yield Said(
            f"{'' if everywhere else f'{named(alike)}: '}{sentence}{more}",
            tuple(repeat for repeat, _ in found),
        )

    return of


def other_load(told: Told) -> Iterator[Said]:
    """Cores that other programs kept busy."""
    bad = above(told, "cpu_other", told.limits["other_cores"])
    if bad:
        cores = spread(list(bad.values()), ".2f")
        yield Said(
            f"other programs kept {cores} cores busy on average in {shares_of(bad, told)}",
            tuple(bad),
        )


def steal(told: Told) -> Iterator[Said]:
    """Cores that the host of a virtual machine withheld."""
    bar = max(told.limits["stolen_cores"], told.limits["stolen_share"] * (told.threads or 0))
    bad = above(told, "cpu_steal", bar)
    if bad:
        whole = f" of {told.threads}" if told.threads else ""
        yield Said(
            f"the host of this virtual machine withheld {spread(list(bad.values()), '.2f')}{whole} cores on average in "
            f"{shares_of(bad, told)}: the figures may be worse for it",
            tuple(bad),
        )


def slowed(told: Told) -> Iterator[Said]:
    """A GPU that heat or its power supply held back."""
    bad = above(told, "gpu_slowed", told.limits["slowed_share"])
    if bad:
        share = words(max(bad.values()), "share", 2)
        yield Said(
            f"heat or the power supply held the GPU back for up to {share} of the time in {shares_of(bad, told)}",
            tuple(bad),
        )


def swap(told: Told) -> Iterator[Said]:
    """Swap that grew during a visit."""
    bad = above(told, "swap_growth", told.limits["swap"])
    if bad:
        most = words(max(bad.values()), "B")
        yield Said(f"swap grew by up to {most} in {shares_of(bad, told)}: memory was short", tuple(bad))


def blurred(told: Told) -> Iterator[Said]:
    """Lines whose stamps are only upper bounds."""
    shares: Numbers = told.numbers("coalesced")
    if len(shares) and shares.mean() > told.limits["blurred"]:
        share = words(float(shares.mean()), "share", 2)
        yield Said(
            f"{share} of the lines came in one receive with a later one: their stamps are upper bounds"
        )


def gpu_memory(told: Told) -> Iterator[Said]:
    """GPU memory that is the cards' and not the server's."""
    for gist in told.gists:
        own = any(name.startswith("gpu") and name.endswith(".server") for name in gist.series)
        if len(gist.columns["gpu_peak"].numbers) and not own:
            reasons = [
                why for name, why in gist.absent if name.startswith("gpu") and name.endswith(".server")
            ]
            why = f" ({reasons[0]})" if reasons else ""
            yield Said(
                f"GPU memory is what the cards have in use less the idle baseline, not the server's own{why}"
            )
            return


def late(told: Told) -> Iterator[Said]:
    """Requests of a load that olbench itself sent late."""
    seen = service.of(told, slo.terms(told.settings))
    bar = service.late_bar(told.limits, slo.terms(told.settings))
    if told.cell.load is not None and seen.late_p99 is not None and seen.late_p99 > bar:
        yield Said(
            f"olbench itself sent requests late: 1 of 100 left {words(seen.late_p99, 's', 2)} after it was due or more, "
            f"where {words(bar, 's', 2)} would do; whether the load was kept is not judged",
            tuple(
                one.visit.repeat for one in told.gists if bool((np.nan_to_num(one.served.late) > bar).any())
            ),
        )


# --- the server -----------------------------------------------------------------------------------------------


def versions(one: Gist) -> tuple[str, ...]:
    """What the server said of its version at a visit, without what it did not say."""
    return tuple(said for said in (one.version, one.version_after) if said is not None)


def version(told: Told) -> Iterator[Said]:
    """Visits to servers of different versions; what changed during a visit, its gate tells."""
    starts = {one.visit.repeat: one.version for one in told.gists if one.version is not None}
    if len(set(starts.values())) > 1:
        yield Said(
            f"visits met different servers ({either(starts.values())}) and are pooled all the same",
            tuple(starts),
        )


def can_version(told: Told) -> str:
    """Why no visit knows the server's version."""
    return "" if any(map(versions, told.gists)) else "the server's version was not read at each visit"


def can_battery(told: Told) -> str:
    """Why it is not known where power came from."""
    known = told.facts.get("power.source") is not None
    return "" if known else "the machine does not say where its power comes from"


def can_settings(told: Told) -> str:
    """Why it is not known how the processor saves power."""
    known = any(told.facts.get(name) is not None for name in ("cpu.governor", "power.profile"))
    return "" if known else "the machine does not say how its processor saves power"
