"""How a load was served: its requests held against a service level. Every measured one counts, answered or not.

But for those that we stopped when the load was given up: of them it is known at most that they were too late already.

Goodput is what was offered times the share of requests that met every line. Each request is charged to the moment when it
fell due: one that is late spoils its own moment, and the run-out after the last due time stretches nothing. Offered are the
requests due before the last due time / (last due - first due), which is exact for even arrivals and for bursts alike;
closed streams offer as they are answered: requests / (last end - first send). Goodput's interval is that of the share.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite

import numpy as np

from olbench.column import Mask, Numbers, Rows, joined
from olbench.findings import Attained, Estimate, Kept, Service
from olbench.gist import Gist, Told
from olbench.sample_columns import Stamps
from olbench.served import Served
from olbench.slo import Aspect, Term
from olbench.stats import quantile
from olbench.stats.attained import attained, independent
from olbench.units import words

INTERRUPTED = "interrupted"
NOTHING = "no measured request was sent"
_MOMENTS = 200  # at which requests under way are counted

_READ: Mapping[Aspect, Callable[[Served], Numbers]] = {
    "ttft": lambda one: one.ttft,
    "tpot": lambda one: one.tpot,
    "e2e": lambda one: one.e2e,
    "answer_rate": lambda one: one.tpot,  # tokens after the first / their time: 1 / TPOT
}


def of(told: Told, terms: Sequence[Term]) -> Service:
    """How a cell was served over its visits; marked ones are left out while a sound one is left."""
    visits = [one.served for one in _sound(told)]
    requests = sum(int(np.count_nonzero(_judged(one, terms))) for one in visits)
    lines = tuple(_line(visits, term) for term in terms)
    cut_short, late = any(one.cut_short for one in visits), _late(visits)
    invalid = _invalid(told, terms, requests, late)
    rate = _offered(visits) if told.cell.load else _answered(visits)
    return Service(
        requests=requests,
        offered=_offered(visits) if told.cell.load else None,
        goodput=_goodput(visits, terms, rate),
        terms=lines,
        verdict="unclear" if invalid else _verdict(lines, cut_short=cut_short),
        tightest=_tightest(lines, visits),
        late_p99=late,
        backlog=_backlog(visits) if told.cell.load else None,
        cut_short=cut_short,
        invalid=invalid,
    )


def _sound(told: Told) -> list[Gist]:
    whole = [one for one in told.gists if one.problem != INTERRUPTED and len(one.served.due_ns)]
    return [one for one in whole if not one.trips] or whole


# --- what was met ---------------------------------------------------------------------------------------------


def _kept(one: Served, term: Term) -> Mask:
    """Which requests of a visit met the line."""
    if term.bound is None:
        return one.good
    figures = _READ[term.aspect](one)
    # NaN is no figure, and keeps nothing.
    kept = figures * term.bound <= 1 if term.aspect == "answer_rate" else figures <= term.bound
    found: Mask = kept & one.good
    return found


def _known(one: Served, term: Term) -> Mask:
    """Of which requests it is known whether they met the line."""
    known = ~one.stopped
    if term.bound is not None and term.aspect == "ttft":
        known |= one.waited > term.bound
    elif term.bound is not None and term.aspect == "e2e":
        known |= (one.end_ns - one.due_ns) / 1e9 > term.bound
    return known


def _judged(one: Served, terms: Sequence[Term]) -> Mask:
    """Of which requests it is known whether they met every line."""
    found: Mask = np.logical_or.reduce([~one.stopped, *(_known(one, term) for term in terms)])
    return found


def _rows(one: Served, known: Mask) -> Rows:
    """Those, in the order in which they fell due."""
    order = one.by_due()
    found: Rows = order[known[order]]
    return found


def _line(visits: Sequence[Served], term: Term) -> Attained:
    rows = [_rows(one, _known(one, term)) for one in visits]
    kept = [_kept(one, term)[own] for one, own in zip(visits, rows, strict=True)]
    # Of what cannot be read off a figure (a failure), requests do not queue for it.
    read = None if term.bound is None else _READ[term.aspect]
    figures = [] if read is None else [read(one)[own] for one, own in zip(visits, rows, strict=True)]
    marks, seen = [one.tolist() for one in kept], [one.tolist() for one in figures]
    share, verdict = attained(marks, term.share, seen)
    if term.bound is None and verdict == "unclear" and share.value is not None and share.value >= term.share:
        # Nobody sends hundreds of requests more at each load only to show that none of them fails either.
        verdict = "kept"
    return Attained(
        term=term,
        met=sum(int(np.count_nonzero(one)) for one in kept),
        of=sum(len(one) for one in kept),
        share=share,
        verdict=verdict,
        worth=None if share.low is None else independent(marks, seen),
    )


def _verdict(lines: Sequence[Attained], *, cut_short: bool) -> Kept:
    # Who gave it up had seen more requests miss a line than the whole visit could make up for.
    if cut_short or any(one.verdict == "broken" for one in lines):
        return "broken"
    return "kept" if lines and all(one.verdict == "kept" for one in lines) else "unclear"


def _tightest(lines: Sequence[Attained], visits: Sequence[Served]) -> str:
    """The line whose share has the least room above what it must be; of equal ones that whose figure is nearest its bound."""
    known = [one for one in lines if one.share.value is not None]
    return min(known, key=lambda one: (_room(one), -_used(one.term, visits))).term.key if known else ""


def _room(line: Attained) -> float:
    allowed = 1 - line.term.share
    left = (line.share.value or 0.0) - line.term.share
    return left / allowed if allowed > 0 else left


def _used(term: Term, visits: Sequence[Served]) -> float:
    """Share of its bound that the figure comes to."""
    if term.bound is None:
        return 0.0
    figures = [_READ[term.aspect](one)[_known(one, term)] for one in visits]
    found = np.nan_to_num(joined(figures), nan=inf)
    if not len(found):
        return 0.0
    figure = float(np.sort(found)[min(len(found) - 1, int(term.share * len(found)))])
    return figure * term.bound if term.aspect == "answer_rate" else figure / term.bound if term.bound else inf


# --- rates ----------------------------------------------------------------------------------------------------


def _offered(visits: Sequence[Served]) -> float | None:
    spans = [(one.due_ns.min(), one.due_ns.max()) for one in visits]
    time = sum(int(last - first) for first, last in spans)
    came = sum(int((one.due_ns < last).sum()) for one, (_, last) in zip(visits, spans, strict=True))
    return came / (time / 1e9) if time else None


def _answered(visits: Sequence[Served]) -> float | None:
    time = sum(int(one.end_ns.max() - one.due_ns.min()) for one in visits)
    return sum(len(one.due_ns) for one in visits) / (time / 1e9) if time else None


def _goodput(visits: Sequence[Served], terms: Sequence[Term], rate: float | None) -> Estimate:
    if rate is None:
        return Estimate(None, None, None, "all requests came at once" if visits else NOTHING)
    rows = [_rows(one, _judged(one, terms)) for one in visits]
    marks = [_every(one, terms)[own].tolist() for one, own in zip(visits, rows, strict=True)]
    # Requests that queued together meet or miss together, whichever line it is.
    read = next((_READ[term.aspect] for term in terms if term.bound is not None), None)
    pairs = zip(visits, rows, strict=True)
    figures = [] if read is None else [read(one)[own].tolist() for one, own in pairs]
    share, _ = attained(marks, 0.0, figures)
    value, low, high = (None if one is None else one * rate for one in (share.value, share.low, share.high))
    return Estimate(value, low, high, share.reason)


def _every(one: Served, terms: Sequence[Term]) -> Mask:
    found: Mask = np.logical_and.reduce([~one.stopped, *(_kept(one, term) for term in terms)])
    return found


def _backlog(visits: Sequence[Served]) -> float | None:
    """The slope of requests under way against time by least squares, the mean of all visits; None without a span."""
    found = [slope for one in visits if (slope := _slope(one)) is not None]
    return float(np.mean(found)) if found else None


def _slope(one: Served) -> float | None:
    first, last = int(one.due_ns.min()), int(one.due_ns.max())
    if first == last:
        return None
    moments: Stamps = first + (np.arange(_MOMENTS) * (last - first)) // (_MOMENTS - 1)
    since = (moments - first) / 1e9
    since = since - since.mean()
    return float(since @ one.left(moments)) / float(since @ since)


# --- our own lateness -----------------------------------------------------------------------------------------


def _late(visits: Sequence[Served]) -> float | None:
    late = joined([one.late for one in visits])
    known = np.sort(late[np.isfinite(late)])
    return quantile(known, 0.99) if len(known) else None


def late_bar(limits: Mapping[str, float], terms: Sequence[Term]) -> float:
    """Seconds by which requests may leave late: a share of the tightest bound on a latency, and never less than a wake-up."""
    bounds = [one.bound for one in terms if one.aspect in ("ttft", "e2e") and one.bound is not None]
    return max(limits["late"], limits["late_share"] * min(bounds, default=0.0))


def _invalid(told: Told, terms: Sequence[Term], requests: int, late: float | None) -> str:
    if not requests or late is None:
        problems = [one.problem for one in told.gists if one.problem and one.problem != INTERRUPTED]
        return problems[-1] if problems else NOTHING
    bar = late_bar(told.limits, terms)
    if told.cell.load is not None and isfinite(late) and late > bar:
        return (
            f"olbench itself sent requests late: p99 is {words(late, 's')}, where {words(bar, 's')} would do"
        )
    return ""
