"""Sizings made by hand for tests: a small one with round numbers, and some that look like real ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from builders import a_run, record

from olbench.findings import Estimate, Findings, Stamps
from olbench.model import Facts
from olbench.sized import (
    Attained,
    Capacity,
    CostModel,
    Elsewhere,
    Footprint,
    Forecast,
    Held,
    Kept,
    Line,
    Point,
    Predicted,
    Service,
    Sizing,
    Step,
)
from olbench.slo import Term
from olbench.stats.attained import wilson

GIB = 2.0**30
TTFT = Term(key="ttft_p95", aspect="ttft", share=0.95, bound=1.0)
TPOT = Term(key="tpot_p95", aspect="tpot", share=0.95, bound=0.05)
SUCCESS = Term(key="success", aspect="success", share=0.99, bound=None)
TERMS = (TTFT, TPOT, SUCCESS)
PERSONA: Facts = {
    "persona.users": 20,
    "persona.questions_per_hour": 12.0,
    "persona.prompt_tokens": 600,
    "persona.output_tokens": 250,
    "persona.turns": 4,
    "persona.think_ns": 30_000_000_000,
    "size.by": "users",
    "size.step": 0.1,
    "slo.ttft_p95": 1.0,
    "slo.tpot_p95": 0.05,
    "slo.success": 0.99,
    "load.pattern": "sessions",
}
RATE: Facts = {"size.by": "rate", "load.pattern": "poisson", "slo.ttft_p95": 1.0}
NONE = Estimate(None, None, None, "no reading")


def findings(settings: Mapping[str, Any] | None = None, **changes: Any) -> Findings:
    """The findings of a run with these settings; nothing else is in it."""
    run = a_run(
        name=changes.pop("name", "size-for-team"),
        question=changes.pop("question", "How many users does this machine carry?"),
        settings={"requests": 200, "warmup": 20, **(PERSONA if settings is None else settings)},
        scenario_text=changes.pop("scenario_text", '[persona]\nusers = 20\n\n[slo]\nttft_p95 = "1s"\n'),
    )
    fields: dict[str, Any] = {
        "record": record([], [], run=run),
        "cells": (),
        "axes": (),
        "answer": (),
        "failures": (),
        "stamps": Stamps(sources={}, lines=0, coalesced=0, unstamped=0),
        "flags": (),
    }
    return Findings(**(fields | changes))


def attained(term: Term, share: float, *, of: int = 1000) -> Attained:
    """A line of a service level that this share of independent requests met."""
    low, high = wilson(share, of)
    verdict: Kept = "kept" if low >= term.share else "broken" if high < term.share else "unclear"
    return Attained(
        term=term, met=round(share * of), of=of, share=Estimate(share, low, high), verdict=verdict
    )


def service(shares: Sequence[float], terms: Sequence[Term] = TERMS, **changes: Any) -> Service:
    """A load of 1000 requests with these shares, in the order of `terms`."""
    lines = tuple(attained(term, share) for term, share in zip(terms, shares, strict=True))
    verdicts = {one.verdict for one in lines}
    worst = min(lines, key=lambda one: (one.share.value or 0) - one.term.share)
    overall: Kept = "broken" if "broken" in verdicts else "unclear" if "unclear" in verdicts else "kept"
    offered = changes.pop("offered", 0.03)
    good = offered * min(shares)
    fields: dict[str, Any] = {
        "requests": 1000,
        "offered": offered,
        "goodput": Estimate(good, good * 0.96, good * 1.02),
        "terms": lines,
        "verdict": overall,
        "tightest": worst.term.key,
        "late_p99": 0.0004,
        "backlog": 0.0,
        "cut_short": False,
    }
    return Service(**(fields | changes))


def step(load: float, ttft: float, **changes: Any) -> Step:
    """A load of which this share began in time, and nearly all else was well."""
    made = service((ttft, min(1.0, ttft + 0.02), 1.0), offered=load * 12 / 3600, **changes)
    return Step(place=int(load), load=load, cell=f"{int(load):012x}", service=made)


def forecast(load: float, ttft: float, half: float = 0.03) -> Forecast:
    """A simulated load."""
    return Forecast(
        load=load,
        shares={
            "ttft_p95": Estimate(ttft, max(0.0, ttft - half), min(1.0, ttft + half / 2)),
            "tpot_p95": Estimate(min(1.0, ttft + 0.02), ttft - 0.02, 1.0),
            "success": Estimate(1.0, 1.0, 1.0),
        },
        waiting=min(1.0, load / 30),
        busy={"prefill": min(0.6, load * 0.045), "decode": min(0.35, load * 0.025)},
    )


def predicted(**changes: Any) -> Predicted:
    """9 users, between 8 and 11; prefill binds."""
    shares = {6: 0.995, 7: 0.99, 8: 0.98, 9: 0.962, 10: 0.93, 11: 0.88, 12: 0.80}
    fields: dict[str, Any] = {
        "capacity": Estimate(9.0, 8.0, 11.0),
        "binds": "prefill",
        "why": "At 10 users the engine reads prompts 45 % of the time and writes answers 25 % of it.",
        "forecasts": tuple(forecast(float(load), share) for load, share in shares.items()),
    }
    return Predicted(**(fields | changes))


def capacity(label: str = "smollm2:135m q8_0", **changes: Any) -> Capacity:
    """9 users are carried, 10 are not; found in six steps."""
    fields: dict[str, Any] = {
        "label": label,
        "by": "users",
        "answer": 9.0,
        "over": 10.0,
        "resolved": True,
        "reason": "",
        "steps": (
            step(9.0, 0.955), step(12.0, 0.80, cut_short=True), step(10.0, 0.92), step(6.0, 0.995),
            step(9.0, 0.965), step(8.0, 0.985),
        ),
        "predicted": predicted(),
        "binds": "prefill",
    }  # fmt: skip
    return Capacity(**(fields | changes))


def line(what: str = "decode", **changes: Any) -> Line:
    """A line of a cost model through points that lie 1 % beside it."""
    made: dict[str, dict[str, Any]] = {"decode": _decode(), "prefill": _prefill(), "load": _load()}
    return Line(**(made[what] | changes))


def _decode() -> dict[str, Any]:
    places = [(s, d) for s in (1, 2, 4) for d in (256, 1024, 4096)]
    fit = [0.010 + 0.002 * s + 4e-7 * s * d for s, d in places]
    at = [{"streams": float(s), "depth": float(d)} for s, d in places]
    return _line("decode", {"1": 0.010, "streams": 0.002, "streams*depth": 4e-7}, at, fit)


def _prefill() -> dict[str, Any]:
    places = (64, 256, 1024, 2048, 4096)
    fit = [0.004 + 3e-4 * n + 2e-8 * n * n for n in places]
    at = [{"tokens": float(n), "depth": 0.0} for n in places]
    made = _line("prefill", {"1": 0.004, "tokens": 3e-4, "tokens^2": 2e-8}, at, fit)
    return made | {"span": {"tokens": (64.0, 4096.0), "depth": (0.0, 4096.0)}}


def _load() -> dict[str, Any]:
    places = (0.15e9, 0.4e9, 1.1e9)
    return _line(
        "load",
        {"1": 0.2, "bytes": 1 / 1.5e9},
        [{"bytes": n} for n in places],
        [0.2 + n / 1.5e9 for n in places],
    )


def _line(
    what: str,
    sums: Mapping[str, float],
    places: Sequence[Mapping[str, float]],
    fit: Sequence[float],
) -> dict[str, Any]:
    terms, values = tuple(sums), tuple(sums.values())
    span = {name: (min(at[name] for at in places), max(at[name] for at in places)) for name in places[0]}
    off = (1.01, 0.99, 1.005, 0.995, 1.012, 0.988, 1.003, 0.997, 1.0)
    points = tuple(
        Point(at=at, seen=fitted * off[(place + again) % len(off)], fitted=fitted)
        for place, (at, fitted) in enumerate(zip(places, fit, strict=True))
        for again in range(2)
    )
    return {
        "what": what,
        "terms": terms,
        "coefficients": tuple(Estimate(value, value * 0.95, value * 1.05) for value in values),
        "covariance": tuple(
            tuple((0.025 * a) ** 2 if a is b else 0.0 for b in values) for a in values
        ),
        "scatter": 0.01,
        "freedom": len(points) - len(terms),
        "lack": 0.41,
        "reason": "",
        "span": span,
        "points": points,
    }  # fmt: skip


def cost(label: str = "smollm2:135m q8_0", **changes: Any) -> CostModel:
    """All three lines, and two slots."""
    fields: dict[str, Any] = {
        "model": "smollm2:135m",
        "label": label,
        "decode": line("decode"),
        "prefill": line("prefill"),
        "load": line("load"),
        "slots": 2,
        "missing": {},
    }
    return CostModel(**(fields | changes))


def held(num_ctx: int, slots: int, total: float, *, told: bool = False, vram: float | None = None) -> Held:
    """A load that took so many bytes, known to 1 %."""

    def known(value: float) -> Estimate:
        return Estimate(value, value * 0.99, value * 1.01)

    return Held(
        num_ctx=num_ctx, slots=slots, ram=known(total - (vram or 0.0)), vram=NONE if vram is None else known(vram),
        predicted=told,
    )  # fmt: skip


def footprint(label: str = "smollm2:135m q8_0", **changes: Any) -> Footprint:
    """138 MiB of weights and 22.5 KiB a token; 4 GiB are there for it."""
    weights, token, over = 144.8e6, 23_040.0, 60e6
    loads = [(2048, 1), (8192, 1), (2048, 2), (4096, 2)]
    fields: dict[str, Any] = {
        "model": "smollm2:135m",
        "label": label,
        "weights": weights,
        "per_token": Estimate(token * 1.01, token * 0.98, token * 1.04),
        "formula": token,
        "overhead": Estimate(over, over * 0.8, over * 1.2),
        "loads": (
            *(held(ctx, slots, weights + over + token * 1.01 * ctx * slots) for ctx, slots in loads),
            held(8192, 2, weights + over + token * 1.01 * 8192 * 2, told=True),
            held(8192, 2, weights + over + token * 1.03 * 8192 * 2),
        ),
        "most": {1: 8192, 2: 8192, 4: 32768},
        "budget": int(4 * GIB),
        "trained": 8192,
        "remarks": (),
    }
    return Footprint(**(fields | changes))


def elsewhere(machine: str = "RTX 4090", label: str = "smollm2:135m q8_0", **changes: Any) -> Elsewhere:
    """A faster machine that would do."""
    fields: dict[str, Any] = {
        "machine": machine,
        "label": label,
        "fits": True,
        "memory": 1.2 * GIB,
        "decode": (310.0, 520.0),
        "prefill": (4800.0, 9100.0),
        "users": (60.0, 110.0),
        "meets": True,
        "reason": "",
    }
    return Elsewhere(**(fields | changes))


def sizing(**changes: Any) -> Sizing:
    """A resolved search for 20 users, which this machine does not carry."""
    fields: dict[str, Any] = {
        "answer": (
            "This machine carries 9 such users within the service level; 10 were too many.",
            "Reading prompts binds; for 20 users it takes 3 such machines.",
        ),
        "target": 20.0,
        "terms": TERMS,
        "costs": (cost(),),
        "footprints": (footprint(),),
        "capacities": (capacity(),),
        "elsewhere": (
            elsewhere(),
            elsewhere("Mac mini M4 Pro", decode=(95.0, 160.0), prefill=(700.0, 1500.0), users=(14.0, 27.0), meets=None),
            elsewhere("Raspberry Pi 5", fits=None, memory=None, decode=(6.0, 11.0), prefill=None, users=None,
                      meets=False, reason="its compute is not in the table"),
        ),
    }  # fmt: skip
    return Sizing(**(fields | changes))


def unresolved() -> Sizing:
    """Nothing could be told between 7 and 12."""
    one = capacity(
        answer=7.0, over=12.0, resolved=False, reason="not clear after 15 probes",
        steps=(step(7.0, 0.97), step(9.0, 0.948), step(10.0, 0.94), step(12.0, 0.8), step(9.0, 0.945)),
    )  # fmt: skip
    return sizing(
        answer=("This machine carries 7 users; whether it carries 8 to 11 cannot be told.",),
        capacities=(one,),
    )


def nothing_kept() -> Sizing:
    """Not even one user."""
    steps = (step(1.0, 0.4, cut_short=True), step(2.0, 0.1, cut_short=True))
    one = capacity(answer=None, over=1.0, resolved=True, steps=steps, binds="decode")
    return sizing(
        answer=("This machine does not keep the service level even with 1 user.",), capacities=(one,)
    )


def by_rate() -> Sizing:
    """No persona: the rate of requests was turned up."""
    rates = {0.5: 1.0, 1.0: 0.99, 2.0: 0.97, 2.2: 0.95, 2.42: 0.91, 4.0: 0.6}
    steps = tuple(
        Step(place=place, load=rate, cell=f"{place:012x}", service=service((share,), (TTFT,), offered=rate))
        for place, (rate, share) in enumerate(rates.items())
    )
    one = capacity(by="rate", answer=2.0, over=2.42, resolved=False, reason="not clear after 15 probes",
                   steps=steps, predicted=None, binds=None)  # fmt: skip
    return sizing(answer=("This machine answers 2 requests a second within the service level.",), target=None,
                  terms=(TTFT,), capacities=(one,), elsewhere=())  # fmt: skip


NAMES = ("通义千问:7b q4_0", "<script>alert(1)</script> q8_0", "a|b`c`*d*_e_ $x$ @someone q8_0")


def many() -> Sizing:
    """Several models with hostile and wide names, and what their servers did not tell."""
    capacities = (
        capacity(NAMES[0], answer=4.0, over=5.0, steps=(step(4.0, 0.97), step(5.0, 0.9), step(2.0, 1.0)), binds="slots"),
        capacity(NAMES[1], answer=22.0, over=None, resolved=False, reason="even the highest load was kept",
                 steps=(step(9.0, 1.0), step(22.0, 0.99), step(5.0, 1.0, invalid="olbench came late: 99 % of requests "
                        "left up to 310 ms after they were due")), binds=None, predicted=None),
        capacity(NAMES[2], answer=None, over=1.0, steps=(step(1.0, 0.5),), binds="reloads",
                 predicted=predicted(capacity=Estimate(None, None, None), binds=None, forecasts=(), why="",
                                     reason="prefill was measured at one length only")),
    )  # fmt: skip
    costs = (
        cost(NAMES[0], model="通义千问:7b"),
        cost(NAMES[1], model="<b>x</b>", prefill=None, missing={"prefill": "one length only; a line needs 3"}, slots=None),
        cost(NAMES[2], decode=line(lack=0.003, reason="points lie off the line by more than visits differ"), load=None,
             missing={"load": "no model was loaded more than once"}),
    )  # fmt: skip
    prints = (
        footprint(
            NAMES[0],
            budget=None,
            most={},
            formula=None,
            remarks=("metadata of <i>通义千问</i>:7b names no heads",),
        ),
        footprint(NAMES[1], overhead=NONE, per_token=NONE, weights=None, loads=(), most={1: None}),
    )
    rows = tuple(elsewhere("<b>Machine</b>", name) for name in NAMES)
    return sizing(answer=(f"Of 3 models {NAMES[1]} carries the most: 22 users.",), capacities=capacities, costs=costs,
                  footprints=prints, elsewhere=rows)  # fmt: skip


def bare() -> Sizing:
    """Nothing of anything."""
    return Sizing(answer=(), target=None, terms=(), costs=(), footprints=(), capacities=(), elsewhere=())


def unpredicted() -> Sizing:
    """A persona, of which nothing could be predicted."""
    told = predicted(capacity=Estimate(None, None, None), binds=None, forecasts=(), why="",
                     reason="decode was measured at one number of streams only")  # fmt: skip
    return sizing(capacities=(capacity(predicted=told, binds=None),))


KINDS = (
    "sizing",
    "unresolved",
    "nothing_kept",
    "by_rate",
    "many",
    "bare",
    "unpredicted",
)  # of sizings, by name
