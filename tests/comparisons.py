"""Comparisons made by hand for tests: small ones with round numbers, and one that looks like a real one."""

from collections.abc import Mapping, Sequence
from typing import Any

from builders import cell

from olbench.differences import Comparison, Difference, Pair, Side, SideCell, Unlike, Verdict
from olbench.findings import Estimate
from olbench.model import Cell

Visits = Mapping[str, tuple[float, ...]]


def side_cell(visits: Visits, *, of: Cell | None = None, label: str = "×1", marked: int = 0) -> SideCell:
    """A cell of a side; every visit has ten samples."""
    return SideCell(
        cell=of or cell(),
        label=label,
        visits=visits,
        marked=marked,
        samples={metric: 10 * len(values) for metric, values in visits.items()},
    )


def side(name: str, cells: Sequence[SideCell] = (), **changes: Any) -> Side:
    """One of two sides."""
    fields: dict[str, Any] = {
        "name": name,
        "at": "2026-11-22T22:02:56Z",
        "olbench": "0.1.0",
        "scenario": "quickstart",
        "facts": {"server.version": "0.33.0", "os.name": "Linux"},
        "models": {"smollm2:135m": {"digest": "9077fe9d2ae1"}},
        "settings": {"repeats": 4},
        "cells": tuple(cells),
    }
    return Side(**(fields | changes))


def difference(
    metric: str, ratio: tuple[float, float, float], verdict: Verdict, **changes: Any
) -> Difference:
    """One metric; its typical values are `base` and `base` times the ratio."""
    base = changes.pop("base", 50.0)
    fields: dict[str, Any] = {
        "metric": metric,
        "base": Estimate(base, base * 0.98, base * 1.02),
        "new": Estimate(base * ratio[0], base * ratio[0] * 0.98, base * ratio[0] * 1.02),
        "ratio": Estimate(*ratio),
        "verdict": verdict,
        "margin": 0.02,
        "detectable": 0.021,
        "paired": False,
        "reason": "",
    }
    return Difference(**(fields | changes))


def untold(metric: str, reason: str, base: float | None = 50.0, margin: float = 0.02) -> Difference:
    """A metric of which nothing can be told."""
    unknown = Estimate(None, None, None, reason)
    known = unknown if base is None else Estimate(base, None, None, "1 visit; an interval needs 2")
    return Difference(
        metric=metric, base=known, new=known, ratio=unknown, verdict="cannot tell", margin=margin, detectable=None,
        paired=False, reason=reason,
    )  # fmt: skip


def pair(label: str, differences: Sequence[Difference], visits: tuple[Visits, Visits] | None = None) -> Pair:
    """Two cells; where no visits are given, four of each lie around their typical values."""
    made = visits or (_around(differences, "base"), _around(differences, "new"))
    return Pair(
        label=label,
        base=side_cell(made[0], label=label),
        new=side_cell(made[1], label=label),
        differences=tuple(differences),
    )


def _around(differences: Sequence[Difference], end: str) -> Visits:
    found = {one.metric: getattr(one, end).value for one in differences}
    return {
        metric: tuple(value * factor for factor in (0.985, 1.01, 1.0, 0.995))
        for metric, value in found.items()
        if value is not None
    }


def comparison(pairs: Sequence[Pair], **changes: Any) -> Comparison:
    """Two sides with these pairs; nothing else is said."""
    fields: dict[str, Any] = {
        "base": side("run 20261122-220256-quickstart-3f9a", [one.base for one in pairs]),
        "new": side(
            "run 20261123-040000-quickstart-77aa", [one.new for one in pairs], at="2026-11-23T04:00:00Z"
        ),
        "unlike": (),
        "pairs": tuple(pairs),
        "alone": (),
        "geomeans": {},
        "correction": "1 verdict: no correction is needed.",
    }
    return Comparison(**(fields | changes))


def small() -> Comparison:
    """Four verdicts of four kinds in two cells."""
    return comparison(
        [
            pair("×1", [slower(), difference("ttft", (0.88, 0.85, 0.91), "faster", base=0.12, margin=0.05)]),
            pair(
                "×4",
                [
                    difference("decode", (1.003, 0.991, 1.015), "equivalent", base=31.0),
                    untold("ttft", "1 visit of the new side; an interval needs 2", 0.4, margin=0.05),
                ],
            ),
        ]
    )


def slower() -> Difference:
    """A decode rate that fell by 5.2 %, with an interval of 6.1 to 4.3 %."""
    return difference("decode", (0.948, 0.939, 0.957), "slower")


NAMES = ("通义千问:7b q4_0", "<script>alert(1)</script> q8_0", "a|b`c`*d*_e_ $x$ @someone q8_0")


def whole() -> Comparison:
    """What a real comparison may look like: cells of several models, hostile and wide names, all verdicts."""
    pairs = [pair(f"{name} · ctx 8192 · ×{streams}", _metrics(place, streams)) for place, name in enumerate(NAMES)
             for streams in (1, 4)]  # fmt: skip
    return comparison(
        pairs,
        unlike=(
            Unlike("server.version", "0.33.0", "0.33.1", content=False),
            Unlike("kernel", "6.8.0-31-generic", "6.8.0-40-generic", content=False),
            Unlike("OLLAMA_FLASH_ATTENTION", "", "1", content=False),
            Unlike("digest of <b>通义千问</b>:7b", "9077fe9d2ae1", "1f5e8e0c0b2a", content=True),
        ),
        alone=("llama3.2:3b · ×8 (base only)", "<i>x</i> · ×16 (new only)"),
        geomeans={"decode": Estimate(0.98, 0.971, 0.989), "ttft": Estimate(1.02, 0.97, 1.07),
                  "ram_peak": Estimate(None, None, None, "1 pair has it; a mean needs 2")},
        correction=(
            "24 verdicts: their intervals are widened after Holm, so that with no change at all one or more verdicts "
            "of faster or slower come up in at most 5 of 100 comparisons."
        ),
        across="quantization",
        notes=("2 visits of the base are left out: swap grew while they ran.",),
    )  # fmt: skip


def _metrics(place: int, streams: int) -> list[Difference]:
    lean = (0.948, 1.003, 1.08)[place]
    kind: Verdict = ("slower", "equivalent", "faster")[place]
    other: Verdict = ("faster", "equivalent", "slower")[place]
    spread = 0.009 * streams
    return [
        difference("decode", (lean, lean - spread / 2, lean + spread / 2), kind, base=50.0 / streams),
        difference("ttft", (lean, lean - spread, lean + spread), other, base=0.0517 * streams, margin=0.05),
        difference("ram_peak", (1.0, 0.999, 1.001), "equivalent", base=7.7e9, detectable=0.001),
        difference("load", (1.02, 0.7, 1.9), "cannot tell", base=2.4, detectable=0.62,
                   reason="the interval holds both 1 and changes beyond the margin")
        if streams == 1
        else untold("load", "no cold request was taken", None),
    ]  # fmt: skip
