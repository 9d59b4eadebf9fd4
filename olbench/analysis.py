"""A run, told: every cell with its figures and its doubts, and the answer to the question. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from olbench import accuracy, labels, phases, portions, roof, service, slo, slots, stats, validity
from olbench.answer import answer
from olbench.column import Column
from olbench.findings import CellFinding, Failure, Findings, Flag, Slots, Summary
from olbench.gist import Gist, Told, all_stamps, chosen, gist, is_cold, rows_by_prompt
from olbench.kept import sift
from olbench.metrics import METRICS, Many, Metric, Whole
from olbench.model import Cell, Outcome, Placement, Plan, Record, SelfTest
from olbench.prose import tallied
from olbench.thresholds import limits

RELATED = "gaps of one answer are not independent of each other: no interval"
NO_COLD = "no cold request was taken"
RETEST = "run `olbench selftest` on this machine, at the run's own number of streams"


def analyse(record: Record) -> Findings:
    """The findings of a run. Reads its observations once, in their order, and keeps none of them."""
    names = labels.labels(record.plan.cells)
    cells = told(record)
    terms = slo.terms(record.run.settings)
    found = tuple(
        _with_errors(_finding(one, name, terms), record.selftest, one.streams)
        for one, name in zip(cells, names, strict=True)
    )
    stamps = all_stamps(visit for one in cells for visit in one.gists)
    failed = tuple(failure for one in cells for failure in _failures(one))
    axes = labels.axes(record.plan.cells)
    flags = (
        *validity.of_run(record, _taken(record.plan, cells), list(zip(names, cells, strict=True))),
        *(Flag("clock", sentence, RETEST) for sentence in accuracy.doubts(record.selftest, stamps)),
    )
    return Findings(
        record=record,
        cells=found,
        axes=axes,
        answer=answer(found, axes, failed),
        failures=failed,
        stamps=stamps,
        flags=flags,
        trust=validity.trust(
            record,
            [
                validity.Seen(one.label, own, one.flags, one.roof)
                for one, own in zip(found, cells, strict=True)
            ],
            flags,
        ),
    )


def told(record: Record, keys: Iterable[str] = tuple(METRICS)) -> list[Told]:
    """The cells in the plan's order with what is told of their visits: all metrics, or those of the `keys`."""
    loads = {cell.id: cell.load for cell in record.plan.cells}
    bars = limits(record.run.settings)
    gists = chosen(
        gist(one, bars, record.facts, keys, loads[one.visit.cell])
        for one in record.observations
        if one.visit.cell in loads
    )
    return _related([_told(record, cell, bars, gists.get(cell.id, ())) for cell in record.plan.cells])


def _related(cells: Sequence[Told]) -> list[Told]:
    """Each cell with those of its model, and with the probes of all on the same load: one probe serves them all."""
    loads = [(one.cell.model, one.cell.num_ctx, one.cell.options) for one in cells]
    found: dict[object, list[Slots]] = {}
    for load, one in zip(loads, cells, strict=True):
        found.setdefault(load, []).extend(gist.probe for gist in one.gists if gist.probe is not None)
    return [
        replace(one, probes=tuple(found[load]), beside=_beside(one, cells))
        for load, one in zip(loads, cells, strict=True)
    ]


def _beside(one: Told, cells: Sequence[Told]) -> tuple[Told, ...]:
    return tuple(other for other in cells if other.cell.model == one.cell.model and other is not one)


def _told(record: Record, cell: Cell, bars: Mapping[str, float], gists: Sequence[Gist]) -> Told:
    threads = record.facts.get("cpu.threads")
    return Told(
        cell=cell,
        planned=_planned(record.plan, cell),
        gists=tuple(gists),
        threads=threads if isinstance(threads, int) else None,
        limits=bars,
        facts=record.facts,
        settings=record.run.settings,
        card=next((card for card in record.cards if card.name == cell.model), None),
    )


def _taken(plan: Plan, cells: Sequence[Told]) -> int:
    """Planned visits that were taken; `until` may have asked for more."""
    planned = {(visit.cell, visit.repeat) for visit in plan.visits}
    return sum((one.cell.id, gist.visit.repeat) in planned for one in cells for gist in one.gists)


def _planned(plan: Plan, cell: Cell) -> int:
    return sum(1 for visit in plan.visits if visit.cell == cell.id)


def _finding(told: Told, name: str, terms: Sequence[slo.Term]) -> CellFinding:
    nothing = nothing_of(told)
    sifted = sift(told)
    kept = sifted.told
    over = roof.of(kept)
    return CellFinding(
        cell=told.cell,
        label=name,
        visits_planned=told.planned,
        visits_taken=sum(1 for one in told.gists if one.prompts),
        outcomes=told.outcomes(),
        summaries={
            key: replace(
                summary(metric, kept.column(key), NO_COLD if is_cold(metric) else nothing),
                marked=sifted.hollow(told, key),
            )
            for key, metric in METRICS.items()
        },
        by_prompt=_by_prompt(kept),
        split=phases.split(kept, nothing),
        placements=_placements(told.gists),
        flags=(
            *validity.of_cell(told),
            *(Flag("roof", sentence, action) for sentence, action in roof.doubts(kept, over)),
        ),
        marked=sifted.marked,
        contaminated=sifted.contaminated,
        cut=sifted.cut,
        slots=slots.of([one.placement for one in told.gists if one.placement is not None], told.probes),
        roof=over,
        service=service.of(told, terms) if terms else None,
        by_part=portions.by_part(kept),
        by_turn=portions.by_turn(kept),
    )


def _with_errors(found: CellFinding, test: SelfTest | None, streams: int) -> CellFinding:
    """The finding with our clock's own error beside each figure that it made."""
    held = None if test is None else accuracy.of(test, streams)
    if held is None:
        return found
    errors = accuracy.errors(held)
    sentence = f"{held.doubt}: the clock's error may be larger here"
    flags = (Flag("clock", sentence, RETEST),) if held.doubt else ()
    return replace(
        found,
        summaries=_marked(found.summaries, errors),
        by_prompt={name: _marked(own, errors) for name, own in found.by_prompt.items()},
        flags=(*found.flags, *flags),
    )


def _marked(summaries: Mapping[str, Summary], errors: Mapping[str, float]) -> Mapping[str, Summary]:
    return {key: replace(one, error=errors.get(key)) for key, one in summaries.items()}


def summary(metric: Metric, columns: Sequence[Column], nothing: str) -> Summary:
    """One metric over the visits whose columns these are; `nothing` says why there is no figure at all."""
    return stats.summary(
        metric.key,
        [column.numbers for column in columns],
        sum((column.missing() for column in columns), Counter()),
        noun="visit" if isinstance(metric.of, Whole) else "gap" if isinstance(metric.of, Many) else "sample",
        nothing=nothing,
        related=RELATED if isinstance(metric.of, Many) else "",
    )


def nothing_of(told: Told) -> str:
    """Why a cell without any good sample has none."""
    problems = [one.problem for one in told.gists if one.problem is not None]
    if told.outcomes():
        return f"no measured sample went through ({tallied(told.outcomes())})"
    if problems:
        return problems[-1]
    return "no request was sent" if told.gists else "no visit was taken"


def _by_prompt(told: Told) -> Mapping[str, Mapping[str, Summary]]:
    """The sample metrics of each own prompt; {} where the text is synthetic."""
    if told.cell.prompt_tokens is not None:
        return {}
    rows = [rows_by_prompt(one) for one in told.gists]
    singles = {key: row for key, row in METRICS.items() if not isinstance(row.of, Whole) and not is_cold(row)}
    return {
        name: {
            key: summary(
                metric,
                [
                    one.columns[key].at(found[name])
                    for one, found in zip(told.gists, rows, strict=True)
                    if name in found
                ],
                "nothing was measured",
            )
            for key, metric in singles.items()
        }
        for name in dict.fromkeys(name for found in rows for name in found)
    }


def _placements(gists: Sequence[Gist]) -> tuple[Placement, ...]:
    """Distinct placements; how long a preload took and which process it was differs every time and does not count."""
    seen: dict[tuple[object, ...], Placement] = {}
    for one in (visit.placement for visit in gists):
        if one is not None:
            same = (
                one.how,
                one.digest,
                one.size,
                one.size_vram,
                one.context_length,
                one.parallel,
                one.doubts,
            )
            seen.setdefault(same, one)
    return tuple(seen.values())


def _failures(told: Told) -> list[Failure]:
    """Failed samples of all phases, alike ones together, the most frequent first."""
    counts: Counter[tuple[Outcome, str]] = Counter()
    visits: dict[tuple[Outcome, str], list[int]] = {}
    for one in told.gists:
        for alike, count in one.failures.items():
            counts[alike] += count
            visits.setdefault(alike, []).append(one.visit.repeat)
    return [
        Failure(cell=told.cell.id, outcome=alike[0], words=alike[1], count=count, visits=tuple(visits[alike]))
        for alike, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
