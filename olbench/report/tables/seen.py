"""What the visits gave beside figures: their order, the failures, the results of single prompts."""

from collections.abc import Iterable, Mapping, Sequence

from olbench.findings import Findings, Summary
from olbench.metrics import METRICS
from olbench.model import GOOD, Observation
from olbench.prose import counted, listed
from olbench.report.tables import Entry, Heading, Table, numbered, row
from olbench.report.wording import NOTHING, Scale, figure, plain, scale
from olbench.units import span, words

MOST_PROMPT_ROWS = 200
_BEGINNING = 140  # characters of an answer that a table shows
_PROMPT_METRICS = ("ttft", "decode", "e2e", "output_tokens")


def failures(findings: Findings) -> Table:
    """Requests that failed, those that failed alike in one row."""
    names = numbered(findings.cells)
    rows = (
        row(
            names.get(one.cell, NOTHING),
            one.outcome.replace("_", " "),
            f"{one.count:,}",
            ", ".join(str(repeat + 1) for repeat in one.visits),
            plain(one.words) or "none came",
        )
        for one in findings.failures
    )
    heads = (Heading("Cell"), Heading("Outcome"), Heading("Requests", numeric=True), Heading("In repeat"))
    return Table((*heads, Heading("The server's words")), tuple(rows))


def visits(findings: Findings) -> Table:
    """The visits in the order of taking: what the load did, and what was remarkable."""
    names = numbered(findings.cells)
    marked = {found.cell.id: found.marked for found in findings.cells}
    rows, taken = [], set()
    for place, seen in enumerate(findings.record.observations, 1):
        why = marked.get(seen.visit.cell, {}).get(seen.visit.repeat, ())
        rows.append(_visit(place, seen, names, [f"marked: {reason}" for reason in why]))
        taken.add((seen.visit.cell, seen.visit.repeat))
    rest = len({(one.cell, one.repeat) for one in findings.record.plan.visits} - taken)
    return Table(
        (
            Heading("#", numeric=True),
            Heading("Cell"),
            Heading("Repeat", numeric=True),
            Heading("Began, UTC", numeric=True),
            Heading("Took", numeric=True),
            Heading("Load", numeric=True),
            Heading("In memory", numeric=True),
            Heading("Remarks"),
        ),
        tuple(rows),
        f"{counted(rest, 'visit')} of the plan not taken." if rest else "",
    )


def _visit(
    place: int, seen: Observation, names: Mapping[str, str], marked: Sequence[str]
) -> tuple[Entry, ...]:
    where = seen.placement
    remarks = [
        *marked,
        *([seen.problem] if seen.problem else []),
        *seen.notes,
        *(where.doubts if where else ()),
    ]
    load = "" if where is None or where.preload_ns is None else words(where.preload_ns / 1e9, "s")
    return (
        Entry(str(place)),
        Entry(names.get(seen.visit.cell, NOTHING)),
        Entry(str(seen.visit.repeat + 1)),
        Entry(seen.started_at.replace("T", " ").removesuffix("Z")),
        Entry(span(seen.ended_ns - seen.started_ns)),
        Entry(f"{where.how} {load}".rstrip() if where else NOTHING),
        Entry(words(where.size, "B") if where else NOTHING),
        Entry(plain("; ".join(remarks))),
    )


def absent(findings: Findings) -> tuple[str, ...]:
    """What the probes could not read, one sentence a reason."""
    pairs = (pair for seen in findings.record.observations for pair in seen.readings.absent)
    names: dict[str, dict[str, None]] = {}
    for name, reason in pairs:
        names.setdefault(plain(reason), {})[plain(name)] = None
    return tuple(f"{listed(list(own))}: {reason}" for reason, own in names.items())


def prompts(findings: Findings) -> Table:
    """Results by own prompt, one row a prompt and cell; no rows where the text was synthetic."""
    cells = list(enumerate(findings.cells, 1))
    asked = dict.fromkeys(name for found in findings.cells for name in found.by_prompt)
    names = dict.fromkeys((*_turns(findings), *asked)) if asked else asked
    rows = [(name, place, found) for name in names for place, found in cells if name in found.by_prompt]
    scales = {key: _scale(key, (found.by_prompt[name] for name, _, found in rows)) for key in _PROMPT_METRICS}
    answers = beginnings(findings)
    figures = [Heading(f"{METRICS[key].name}, {unit.unit}", numeric=True) for key, unit in scales.items()]
    rest = len(rows) - MOST_PROMPT_ROWS
    return Table(
        (Heading("Prompt"), Heading("Cell"), *figures, Heading("An answer begins")),
        tuple(
            (
                Entry(plain(name)),
                Entry(f"{place}.\u00a0{plain(found.label)}"),
                *(_result(found.by_prompt[name][key], unit) for key, unit in scales.items()),
                Entry(answers.get((found.cell.id, name), NOTHING)),
            )
            for name, place, found in rows[:MOST_PROMPT_ROWS]
        ),
        f"{counted(rest, 'more row')} in what `olbench export` writes." if rest > 0 else "",
    )


def _turns(findings: Findings) -> tuple[str, ...]:
    """The prompts in the order in which the first visit asked them, warm-ups included: that of their file."""
    first = next((seen.samples for seen in findings.record.observations if seen.samples), ())
    return tuple(one.prompt for one in sorted(first, key=lambda one: one.index))


def _result(summary: Summary, unit: Scale) -> Entry:
    """A figure with its interval; the bare number where a count was the same every time."""
    if METRICS[summary.metric].unit == "tok" and summary.least is not None and summary.least == summary.most:
        return Entry(f"{summary.least:,.0f}")
    return Entry(*figure(summary, summary.typical, unit))


def _scale(key: str, summaries: Iterable[Mapping[str, Summary]]) -> Scale:
    values = (one[key].typical.value for one in summaries)
    return scale((value for value in values if value is not None), METRICS[key].unit)


def beginnings(findings: Findings) -> dict[tuple[str, str], str]:
    """(Cell id, prompt) -> how the first good answer to it begins; its thinking where there is nothing else."""
    left = {one.cell.id: set(one.by_prompt) for one in findings.cells if one.by_prompt}
    found: dict[tuple[str, str], str] = {}
    for seen in findings.record.observations if left else ():
        # Nearly always the first visit answers all; to read the samples of the others would take long.
        unanswered = left.get(seen.visit.cell, set())
        for sample in seen.samples if unanswered else ():
            if sample.prompt in unanswered and sample.phase == "measured" and sample.outcome in GOOD:
                said = _beginning(sample.text) or _beginning(f"(thinking) {sample.thinking}")
                found[seen.visit.cell, sample.prompt] = said
                unanswered.remove(sample.prompt)
    return found


def _beginning(text: str) -> str:
    line = plain(" ".join(text[: 4 * _BEGINNING].split()))
    return line if len(line) <= _BEGINNING else line[:_BEGINNING].rstrip() + "…"
