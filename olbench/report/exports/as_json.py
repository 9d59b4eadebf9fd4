"""A run as JSON, schema olbench/1: what was asked, found and seen, without the stamps of single chunks.

Durations and sizes are in base units (s, B); stamps of samples are nanoseconds since their visit began.

History of the schema: 1, the first; what came later was added to it: `selftest`, `stamps`, the clock's errors; `flags`
with what to do, the parts of each sample's time in seconds, and the state of its prompt in the cache; a cell's `load` and
`mix`, how it was served (`service`, `by_part`, `by_turn`), a sample's part and turn.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from olbench import accuracy
from olbench.cachestate import NAMES
from olbench.column import Numbers
from olbench.findings import CellFinding, Findings, Portion, Split, Summary
from olbench.metrics import METRICS
from olbench.model import TEXT, THINKING, Cell, Counts, Observation, Sample, SelfTest
from olbench.parts import PARTS
from olbench.timesheet import FLAGS, Sheet, sheets

SCHEMA = "olbench/1"
# So many entries of each list may stand in a page: two or three megabytes of each.
MOST = {"samples": 5_000, "by_prompt": 200}
_PARTS = (*PARTS, "held")
_COUNTS = tuple(Counts.__dataclass_fields__)
# A translation of line kinds into 1 (text or thinking) or 0.
_SAYS = bytes(1 if kind & (TEXT | THINKING) else 0 for kind in range(256))


def dump(findings: Findings) -> str:
    """The run as indented JSON text."""
    return json.dumps(document(findings), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def embedded(findings: Findings) -> str:
    """The run as JSON text without needless space, for a page: null stands for lists that `too_long` names."""
    kept = document(findings, frozenset(too_long(findings)))
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def too_long(findings: Findings) -> Mapping[str, int]:
    """What a page has no room for, by its key, and how many there are of it: MOST would do."""
    sizes = {
        "samples": sum(len(seen.samples) for seen in findings.record.observations),
        "by_prompt": sum(len(found.by_prompt) for found in findings.cells),
    }
    return {key: size for key, size in sizes.items() if size > MOST[key]}


def document(findings: Findings, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The run as JSON values, null for what stands under the keys `without`."""
    record = findings.record
    whole = {
        "schema": SCHEMA,
        "run": asdict(record.run),
        "answer": findings.answer,
        "doubts": findings.doubts,
        "flags": [asdict(one) for one in findings.flags],
        "trust": [asdict(one) for one in findings.trust],
        "axes": findings.axes,
        "facts": record.facts,
        "facts_end": record.facts_end,
        "cards": [asdict(card) for card in record.cards],
        "plan": {**asdict(record.plan), "cells": [_asked(cell) for cell in record.plan.cells]},
        "metrics": {
            key: {"name": one.name, "unit": one.unit, "better": one.better, "formula": one.formula}
            for key, one in METRICS.items()
        },
        "cells": [_cell(found, without) for found in findings.cells],
        "failures": [asdict(one) for one in findings.failures],
        "selftest": None if record.selftest is None else selftest(record.selftest),
        "stamps": asdict(findings.stamps),
        "visits": _visits(findings, without),
    }
    cleaned: dict[str, Any] = clean(whole)
    return cleaned


def selftest(test: SelfTest, around: Sequence[str] = ()) -> dict[str, Any]:
    """A self-test as JSON values: its levels as figures in seconds, and the verdict."""
    said = accuracy.verdict(test, around)
    return {
        "at": test.at,
        "olbench": test.olbench,
        "machine": test.machine,
        "good": said.good,
        "verdict": said.sentences,
        "levels": [asdict(accuracy.figures(one)) for one in test.levels],
    }


def _asked(cell: Cell) -> dict[str, Any]:
    return {**asdict(cell), "options": dict(cell.options)}


def _cell(found: CellFinding, without: frozenset[str]) -> dict[str, Any]:
    return {
        "id": found.cell.id,
        "label": found.label,
        "visits_planned": found.visits_planned,
        "visits_taken": found.visits_taken,
        "outcomes": dict(found.outcomes),
        "doubts": found.doubts,
        "flags": [asdict(one) for one in found.flags],
        "marked": {str(repeat): why for repeat, why in found.marked.items()},
        "judged": found.judged,
        "contaminated": found.contaminated,
        "cut": found.cut,
        "slots": None if found.slots is None else asdict(found.slots),
        "roof": None if found.roof is None else asdict(found.roof),
        "service": None if found.service is None else asdict(found.service),
        "by_part": [_portion(one) for one in found.by_part],
        "by_turn": [_portion(one) for one in found.by_turn],
        "summaries": {key: _summary(one) for key, one in found.summaries.items()},
        "by_prompt": None if "by_prompt" in without else _by_prompt(found),
        "split": {name: asdict(getattr(found.split, name)) for name in Split.__dataclass_fields__},
        "placements": [asdict(one) for one in found.placements],
    }


def _by_prompt(found: CellFinding) -> dict[str, Any]:
    return {
        name: {key: _summary(one) for key, one in summaries.items()}
        for name, summaries in found.by_prompt.items()
    }


def _portion(one: Portion) -> dict[str, Any]:
    return {
        "place": one.place,
        "requests": one.requests,
        "failed": one.failed,
        "summaries": {key: _summary(summary) for key, summary in one.summaries.items()},
        "reloads": one.reloads,
        "cached": asdict(one.cached),
    }


def _summary(one: Summary) -> dict[str, Any]:
    return {
        "samples": one.samples,
        "visits": one.visits,
        **{name: asdict(getattr(one, name)) for name in ("typical", "p50", "p90", "p95", "p99")},
        "least": one.least,
        "most": one.most,
        "per_visit": one.per_visit,
        "clock_error": one.error,
        "below_clock_error": None if one.error is None else one.below(one.typical),
        "missing": dict(one.missing),
        "marked": one.marked,
    }


def _visits(findings: Findings, without: frozenset[str]) -> list[dict[str, Any]]:
    if "samples" in without:
        return [{**_visit(seen), "samples": None} for seen in findings.record.observations]
    own = {found.cell.id: _has_own_prompts(found.cell) for found in findings.cells}
    return [
        {**_visit(seen), "samples": _samples(seen, sheet, texts=own.get(seen.visit.cell, False))}
        for seen, sheet in sheets(findings.record)
    ]


def _has_own_prompts(cell: Cell) -> bool:
    return cell.prompt_tokens is None


def _visit(seen: Observation) -> dict[str, Any]:
    return {
        **asdict(seen.visit),
        "started_at": seen.started_at,
        "lasted_ns": seen.ended_ns - seen.started_ns,
        "measured_ns": _since(seen, seen.measured_ns),
        "placement": None if seen.placement is None else asdict(seen.placement),
        "problem": seen.problem,
        "notes": seen.notes,
        "absent": dict(seen.readings.absent),
    }


def _samples(seen: Observation, sheet: Sheet, *, texts: bool) -> list[dict[str, Any]]:
    told = zip(seen.samples, _sheet(sheet), strict=True)
    return [_sample(seen, one, texts=texts) | further for one, further in told]


def _whole(seconds: Numbers) -> list[float]:
    found: list[float] = seconds.round(9).tolist()  # nanoseconds: what is behind them is the grain of floats
    return found


def _sheet(sheet: Sheet) -> Iterator[dict[str, Any]]:
    """What each sample of a visit came to; unknown figures are NaN here, and null in the end."""
    columns = [_whole(getattr(sheet.parts, name)) for name in _PARTS]
    others = (_whole(sheet.ttft), _whole(sheet.server_ttft), sheet.states.codes.tolist())
    reused = sheet.states.reused.round(6).tolist()
    for parts, ttft, server_ttft, code, share, flags in zip(
        zip(*columns, strict=True), *others, reused, sheet.flags, strict=True
    ):
        yield {
            "parts": dict(zip(_PARTS, parts, strict=True)),
            "ttft": ttft,
            "server_ttft": server_ttft,
            "cache": {"state": NAMES[code], "reused": share},
            "flags": [FLAGS[letter] for letter in flags],
        }


def _sample(seen: Observation, one: Sample, *, texts: bool) -> dict[str, Any]:
    said, arrived = one.chunks.kind.translate(_SAYS), one.chunks.arrived_ns
    first, last = said.find(1), said.rfind(1)
    return {
        "index": one.index,
        "phase": one.phase,
        "stream": one.stream,
        "part": one.part,
        "turn": one.turn,
        "prompt": one.prompt,
        "outcome": one.outcome,
        "words": one.words,
        "status": one.status,
        "wanted_ns": _since(seen, one.wanted_ns),
        "connect_ns": one.connect_ns,
        "sent_ns": _since(seen, one.sent_ns),
        "head_ns": _since(seen, one.head_ns),
        "first_text_ns": None if first < 0 else _since(seen, arrived[first]),
        "last_text_ns": None if last < 0 else _since(seen, arrived[last]),
        "end_ns": _since(seen, one.end_ns),
        "lines": len(one.chunks),
        "stamps": one.stamps,
        "streamed": one.streamed,
        "counts": None if one.counts is None else {name: getattr(one.counts, name) for name in _COUNTS},
        # Answers to synthetic text say nothing; answers to somebody's own prompts are results.
        **({"text": one.text, "thinking": one.thinking} if texts else {}),
    }


def _since(seen: Observation, stamp: int | None) -> int | None:
    return None if stamp is None else stamp - seen.started_ns


def clean(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null. Lone surrogates cannot be written: they become U+FFFD."""
    match value:
        case dict():
            return {clean(key): clean(one) for key, one in value.items()}
        case list() | tuple():
            return [clean(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case str() if not value.isascii():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case _:
            return value
