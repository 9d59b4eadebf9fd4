"""How often verdicts are right and wrong, as tables of docs/statistics.md."""

from collections.abc import Callable, Iterator

import numpy as np
from calibration import compared
from calibration.compared import Codes, counted
from calibration.tables import Say, table

from olbench.stats import power

BEGIN, END = "<!-- calibrate verdicts: begin -->", "<!-- calibrate verdicts: end -->"

SPREAD = 0.04
CHANGES = (0.0, -0.05, -0.10, -0.15, -0.20)
NUMBERS = ((3, 3), (5, 5), (10, 10), (20, 20), (3, 10), (5, 20))
BLOCKS = (10, 20)
WAYS: tuple[compared.Way, ...] = ("welch", "pooled", "wider")


def every(trials: int, say: Say) -> Iterator[str]:
    """All tables, in the order of the page."""
    yield beside(trials * 4, say)
    yield numbers(trials * 4, say)
    yield ways(trials * 4, say)
    yield blocks(trials * 4, say)
    yield many(max(trials // 10, 20), say)
    yield planned(trials, say)
    yield histories(max(trials // 10, 20), say)


def beside(trials: int, say: Say) -> str:
    """Five runs or visits a side, beside inference-doctor at the same machine time, which has no more to go by."""
    say("verdicts: two runs")
    ways: dict[str, Callable[[compared.Numbers, compared.Numbers], Codes]] = {
        "olbench": lambda base, new: compared.unpaired(base, new, 0.10),
        "90 % interval beyond 10 %": lambda base, new: compared.beyond_a_threshold(base, new, 0.10),
    }
    published = {0.0: "98 % passed", -0.15: "65 % failed"}
    rows = []
    for change in CHANGES:
        found = []
        for way in ways.values():
            dice = np.random.default_rng(17)
            sides = (compared.visits(dice, trials, 5, SPREAD, shift) for shift in (0.0, change))
            found.append(counted(way(*sides)).told)
        dice = np.random.default_rng(17)
        base, new = compared.session(dice, trials, 5, SPREAD, change, drift=0.0)
        found.append(counted(compared.paired(new - base, 0.10)).told)
        rows.append((percent(change), *found, published.get(change, "")))
    heads = (
        "True change",
        *ways,
        "olbench, 5 blocks A B B A (10 visits a side)",
        "inference-doctor says of itself",
    )
    return table(
        f"Down / up / equivalent in %, 5 visits a side that vary by 4 %, margin 10 %, {trials:,} trials",
        heads,
        rows,
    )


def numbers(trials: int, say: Say) -> str:
    """Other numbers of visits; what is at the margin may be called equivalent in 5 of 100."""
    say("verdicts: other numbers of visits")
    rows = []
    for base, new in NUMBERS:
        cells = []
        for change, margin in ((0.0, 0.05), (-0.10, 0.05), (0.05, 0.05), (0.10, 0.10)):
            dice = np.random.default_rng((19, base, new))
            sides = (
                compared.visits(dice, trials, base, SPREAD),
                compared.visits(dice, trials, new, SPREAD, change),
            )
            cells.append(counted(compared.unpaired(*sides, margin)).told)
        rows.append((f"{base} and {new}", *cells))
    heads = ("Visits", "no change", "10 % less", "5 % more, the margin", "10 % more, margin 10 %")
    return table(
        f"Down / up / equivalent in %, visits vary by 4 %, margin 5 %, {trials:,} trials", heads, rows
    )


def ways(trials: int, say: Say) -> str:
    """False alarms of Welch's t, of the pooled one, and of the wider of both, where nothing changed."""
    say("verdicts: Welch, pooled, wider")
    rows = []
    for base, new in (*NUMBERS, (10, 3), (20, 5)):
        cells = []
        for world, times in ((compared.visits, 1), (compared.disturbed, 1), (compared.visits, 3)):
            dice = np.random.default_rng((21, base, new))
            sides = world(dice, trials, base, SPREAD), world(dice, trials, new, times * SPREAD)
            found = [counted(compared.unpaired(*sides, way=one)) for one in WAYS]
            cells.append(" / ".join(f"{100 * (one.up + one.down):.1f}" for one in found))
        rows.append((f"{base} and {new}", *cells))
    heads = ("Visits", "They vary alike", "One in ten is disturbed", "The new ones vary three times as much")
    return table(
        f"Alarms in % where nothing changed, by Welch's t / pooled / the wider, {trials:,} trials",
        heads,
        rows,
    )


def blocks(trials: int, say: Say) -> str:
    """Blocks under a drift, all at once and one by one."""
    rows = []
    for most in BLOCKS:
        for change in (0.0, -0.05, -0.10, 0.05):
            say(f"verdicts: {most} blocks, {percent(change)}")
            base, new = compared.session(
                np.random.default_rng((23, most)), trials, most, SPREAD, change, drift=0.10
            )
            logs = new - base
            told = [way(logs) for way in compared.SEQUENTIAL.values()]
            rows.append(
                (
                    f"{most}",
                    percent(change),
                    counted(compared.unpaired(base, new)).told,
                    counted(compared.paired(logs)).told,
                    *(f"{one.told}, {one.blocks:.1f} blocks" for one in told),
                )
            )
    heads = ("Blocks", "True change", "Sides unpaired", "Paired, one look at the end", *compared.SEQUENTIAL)
    return table(
        f"Down / up / equivalent in %, visits vary by 4 % and drift by 10 %, margin 5 %, {trials:,} trials",
        heads,
        rows,
    )


def many(runs: int, say: Say) -> str:
    """Checks of nothing."""
    rows = []
    for figures in (1, 10, 60):
        for related in (0.0, 0.7):
            say(f"verdicts: {figures} figures")
            found = [
                compared.alarms(
                    np.random.default_rng(29), runs, figures=figures, related=related, corrected=one
                )
                for one in (True, False)
            ]
            rows.append((f"{figures}", f"{related:g}", *(f"{100 * one:.1f}" for one in found)))
    heads = ("Figures", "Their correlation", "olbench", "Each on its own")
    return table(f"Checks in 100 with any alarm where nothing changed, {runs:,} checks", heads, rows)


def planned(trials: int, say: Say) -> str:
    """Whether as many blocks as were planned see the change."""
    rows = []
    for spread in (0.01, 0.02, 0.04, 0.08):
        for change in (-0.02, -0.05):
            say(f"verdicts: planned for {percent(change)} at {spread:g}")
            needed = power.blocks(spread, change) or 0
            base, new = compared.session(
                np.random.default_rng(31), trials, needed, spread, change, drift=0.10
            )
            seen = compared.ours(new - base, 0.0)
            rows.append(
                (
                    percent(spread),
                    percent(change),
                    f"{needed}",
                    f"{100 * seen.down:.0f}",
                    f"{seen.blocks:.1f}",
                    f"{power.visits(spread, change)}",
                )
            )
    heads = (
        "Visits vary by",
        "True change",
        "Blocks planned for 90 %",
        "Seen, in %",
        "Blocks it took",
        "Unpaired: visits a side",
    )
    return table(f"Planned blocks, one by one under a drift of 10 %, {trials:,} trials", heads, rows)


def histories(trials: int, say: Say) -> str:
    """Steps that are not there, and steps that are."""
    say("verdicts: histories")
    rows = []
    for runs in (6, 8, 12, 20, 50):
        dice = np.random.default_rng((37, runs))
        none = compared.searched(dice, trials, runs, 0.0, 0)
        found = [
            compared.searched(dice, trials, runs, size, at)
            for size in (3.0, 5.0)
            for at in (runs // 2, runs - 2)
        ]
        rows.append(
            (
                f"{runs}",
                f"{100 * none.some:.1f}",
                *(f"{100 * one.some:.0f}, {100 * one.right:.0f}" for one in found),
            )
        )
    heads = (
        "Runs",
        "No step: any found",
        "3 noises in the middle",
        "3 noises, two runs ago",
        "5 noises in the middle",
        "5 noises, two runs ago",
    )
    return table(
        f"Histories in 100 with a step found, and with it in its place, {trials:,} trials", heads, rows
    )


def percent(part: float) -> str:
    """A change or a spread."""
    return f"{100 * part:g} %" if part else "none"
