"""What the simulation found, as the tables of docs/statistics.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from calibration import honest
from calibration.cases import CASES, Case, Numbers
from calibration.measure import Held, held, noticed, stopped
from calibration.ours import FIGURES
from calibration.rivals import RIVALS

DOCS = Path(__file__).parent.parent.parent / "docs" / "statistics.md"
BEGIN, END = "<!-- calibrate: begin -->", "<!-- calibrate: end -->"

VISITS = (3, 4, 5, 10, 20)
REQUESTS = 8
FEW = ("typical", "p50", "p90", "p95")
LAYOUTS = ((10, 1), (40, 1), (80, 1), (10, 2), (23, 2), (8, 30), (10, 30), (8, 100), (72, 8))
WITHIN = (2.0, 1.5, 1.2, 1.0, 0.8, 0.6, 0.5, 0.4)
DRIFTS = ((0.0, 0.013), (0.1, 0.005), (0.1, 0.013), (0.2, 0.013), (0.2, 0.03))

Say = Callable[[str], None]


def every(trials: int, say: Say) -> Iterator[str]:
    """All tables, in the order of the page."""
    yield coverage(trials, say)
    yield layouts(trials // 3, say)
    yield rivals(max(trials // 10, 50), say)
    yield stopping(trials * 4, say)
    yield drifts(max(trials // 20, 20), say)
    yield doubted(max(trials // 50, 2), say)


def coverage(trials: int, say: Say) -> str:
    """Worlds x figures, for every number of visits."""
    rows = []
    for turn, case in enumerate(CASES):
        say(f"world {turn + 1} of {len(CASES)}: {case.name}")
        found = {count: _figures(case, trials, count, REQUESTS, FEW) for count in VISITS}
        name = f"{case.name} ({case.metric})"
        rows += [(name, figure, *(cell(found[count][figure]) for count in VISITS)) for figure in FEW]
    heads = ("World", "Figure", *(f"{count} visits" for count in VISITS))
    return table(f"Coverage in %, {REQUESTS} requests a visit, {trials:,} trials", heads, rows)


def layouts(trials: int, say: Say) -> str:
    """Other numbers of requests a visit."""
    rows = []
    for count, each in LAYOUTS:
        say(f"{count} visits of {each}")
        for case in (CASES[2], CASES[3]):
            found = _figures(case, trials, count, each, tuple(FIGURES))
            rows.append((f"{count} of {each}", case.name, *map(cell, found.values())))
    return table(f"Other visits, {trials:,} trials", ("Visits", "World (ttft)", *FIGURES), rows)


def rivals(trials: int, say: Say) -> str:
    """What lost: the lowest and the highest coverage over the worlds that are asked for."""
    asked = [case for case in CASES if case.asked]
    counts = (5, 10, 20)
    drawn = {
        count: [case.draw(np.random.default_rng((7, count)), trials, count, REQUESTS) for case in asked]
        for count in counts
    }
    rows = []
    for name, rival in RIVALS.items():
        say(f"tried: {name}")
        for p in (0.5, 0.9, 0.95):
            figure = (
                p,
                lambda values, p=p, rival=rival: (np.quantile(values, p, axis=(1, 2)), *rival(values, p)),
            )
            cells = [
                span([held(case, figure, values) for case, values in zip(asked, drawn[count], strict=True)])
                for count in counts
            ]
            rows.append((name, f"p{p * 100:g}", *cells))
    heads = ("Tried", "Figure", *(f"{count} visits" for count in counts))
    return table(
        f"Tried: lowest to highest coverage over the first six worlds, {trials:,} trials", heads, rows
    )


def stopping(trials: int, say: Say) -> str:
    """Coverage of the interval at which one stops."""
    say("stopping")
    rows = []
    for within in WITHIN:
        rule, first = (stopped(np.random.default_rng(11), trials, within, ours=own) for own in (True, False))
        rows.append(
            (
                f"{within:g}",
                *(f"{one:.1f}" for how in (rule, first) for one in (100 * how.coverage, how.visits)),
            )
        )
    heads = (
        "Asked, in standard deviations of visits",
        "Coverage",
        "Visits",
        "At the first look from 3",
        "Visits then",
    )
    return table(f"Adding visits until the interval is narrow, {trials:,} trials", heads, rows)


def drifts(trials: int, say: Say) -> str:
    """How often the gate fires."""
    say("drift")
    counts = (5, 10, 20)
    rows = []
    for change, noise in DRIFTS:
        fired = (noticed(np.random.default_rng(13), trials, count, change, noise) for count in counts)
        rows.append((f"{100 * change:g} %", f"{100 * noise:g} %", *(f"{100 * one:.0f}" for one in fired)))
    heads = (
        "Drift from first to last visit",
        "Noise of visits' medians",
        *(f"{one} visits" for one in (5, 10, 20)),
    )
    return table(f"Runs in 100 in which the drift gate fires, {trials:,} trials", heads, rows)


def doubted(runs: int, say: Say) -> str:
    """How often an honest server is doubted, in whole runs against one."""
    rows = []
    for streams, visits, noise in honest.CASES:
        say(f"honest server: {streams} streams, {visits} visits, {100 * noise:g} % of noise")
        doubts, which = honest.doubts(runs, streams=streams, visits=visits, noise=noise)
        names = ", ".join(f"{check} {count}" for check, count in which.most_common()) or "none"
        rows.append((str(streams), str(visits), f"{100 * noise:g} %", f"{doubts} of {runs}", names))
    heads = ("Streams", "Visits", "Noise of requests", "Runs with a flag", "Flags")
    return table(f"An honest server, all checks at their defaults, {runs:,} whole runs each", heads, rows)


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown under its title."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join([f"**{title}**", "", *(f"| {' | '.join(line)} |" for line in lines)])


def cell(one: Held) -> str:
    """Coverage, its width against the ideal one, and how often there is none."""
    if one.coverage is None or one.width is None:
        return "none"
    told = f"{100 * one.coverage:.1f}"
    told = told if 93 <= 100 * one.coverage <= 97 else f"**{told}**"
    width = f"×{one.width:.1f}" if one.width < 100 else "×100+"
    return f"{told} {width}" + (f", {share(one.none)} none" if one.none else "")


def span(many: Sequence[Held]) -> str:
    """The lowest and the highest coverage, and the largest share without an interval."""
    seen = [100 * one.coverage for one in many if one.coverage is not None]
    if not seen:
        return "none"
    none = max(one.none for one in many)
    return f"{min(seen):.1f} to {max(seen):.1f}" + (f", up to {share(none)} none" if none else "")


def share(part: float) -> str:
    """A share in whole percent; what is more than nothing is not 0, what is less than all is not 100."""
    return f"{min(max(round(100 * part), 1), 99) if part < 1 else 100} %"


def written(tables: str, begin: str = BEGIN, end: str = END) -> None:
    """Put the tables into the page, between its markers."""
    before, _, rest = DOCS.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    DOCS.write_text(f"{before}{begin}\n\n{tables}\n\n{end}{after}", encoding="utf-8")


def _figures(case: Case, trials: int, visits: int, each: int, wanted: Sequence[str]) -> Mapping[str, Held]:
    values: Numbers = case.draw(np.random.default_rng((3, visits, each)), trials, visits, each)
    return {figure: held(case, FIGURES[figure], values) for figure in wanted}
