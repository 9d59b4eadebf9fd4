"""A run, told: every cell with its figures and its doubts, and the answer to the question. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from olbench import accuracy, labels, phases, stats, validity
from olbench.answer import answer
from olbench.column import Column
from olbench.findings import CellFinding, Failure, Findings, Summary
from olbench.gist import Gist, Told, all_stamps, chosen, gist, rows_by_prompt
from olbench.metrics import METRICS, Each, Many, Metric, Whole
from olbench.model import Cell, Facts, Outcome, Placement, Plan, Record, SelfTest
from olbench.prose import tallied

RELATED = "gaps of one answer are not independent of each other: no interval"
NO_COLD = "no cold request was taken"


def analyse(record: Record) -> Findings:
    """The findings of a run. Reads its observations once, in their order, and keeps none of them."""
    known = {cell.id for cell in record.plan.cells}
    told = chosen(gist(one) for one in record.observations if one.visit.cell in known)
    names = labels.labels(record.plan.cells)
    threads = _threads(record.facts)
    cells = [
        Told(cell, _planned(record.plan, cell), tuple(told.get(cell.id, ())), threads)
        for cell in record.plan.cells
    ]
    found = tuple(
        _with_errors(_finding(one, name), record.selftest) for one, name in zip(cells, names, strict=True)
    )
    stamps = all_stamps(visit for one in cells for visit in one.gists)
    failed = tuple(failure for one in cells for failure in _failures(one))
    axes = labels.axes(record.plan.cells)
    return Findings(
        record=record,
        cells=found,
        axes=axes,
        answer=answer(found, axes, failed),
        failures=failed,
        stamps=stamps,
        doubts=(
            *validity.of_run(record, sum(len(one.gists) for one in cells)),
            *accuracy.doubts(record.selftest, stamps),
        ),
    )


def _threads(facts: Facts) -> int | None:
    found = facts.get("cpu.threads")
    return found if isinstance(found, int) else None


def _planned(plan: Plan, cell: Cell) -> int:
    return sum(1 for visit in plan.visits if visit.cell == cell.id)


def _finding(told: Told, name: str) -> CellFinding:
    nothing = _nothing(told)
    return CellFinding(
        cell=told.cell,
        label=name,
        visits_planned=told.planned,
        visits_taken=sum(1 for one in told.gists if one.prompts),
        outcomes=told.outcomes(),
        summaries={
            key: _summary(metric, told.column(key), NO_COLD if _is_cold(metric) else nothing)
            for key, metric in METRICS.items()
        },
        by_prompt=_by_prompt(told),
        split=phases.split(told, nothing),
        placements=_placements(told.gists),
        doubts=validity.of_cell(told),
    )


def _with_errors(found: CellFinding, test: SelfTest | None) -> CellFinding:
    """The finding with our clock's own error beside each figure that it made."""
    held = None if test is None else accuracy.of(test, found.cell.concurrency)
    if held is None:
        return found
    errors = accuracy.errors(held)
    doubt = (f"{held.doubt}: the clock's error may be larger here",) if held.doubt else ()
    return replace(
        found,
        summaries=_marked(found.summaries, errors),
        by_prompt={name: _marked(own, errors) for name, own in found.by_prompt.items()},
        doubts=(*found.doubts, *doubt),
    )


def _marked(summaries: Mapping[str, Summary], errors: Mapping[str, float]) -> Mapping[str, Summary]:
    return {key: replace(one, error=errors.get(key)) for key, one in summaries.items()}


def _is_cold(metric: Metric) -> bool:
    return isinstance(metric.of, Each) and metric.of.phase == "cold"


def _summary(metric: Metric, columns: Sequence[Column], nothing: str) -> Summary:
    return stats.summary(
        metric.key,
        [column.numbers for column in columns],
        sum((column.missing() for column in columns), Counter()),
        noun="visit" if isinstance(metric.of, Whole) else "gap" if isinstance(metric.of, Many) else "sample",
        nothing=nothing,
        related=RELATED if isinstance(metric.of, Many) else "",
    )


def _nothing(told: Told) -> str:
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
    singles = {
        key: row for key, row in METRICS.items() if not isinstance(row.of, Whole) and not _is_cold(row)
    }
    return {
        name: {
            key: _summary(
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
