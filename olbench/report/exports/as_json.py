"""A run as JSON, schema olbench/1: what was asked, found and seen, without the stamps of single chunks.

Durations and sizes are in base units (s, B); stamps of samples are nanoseconds since their visit began.

History of the schema: 1, the first.
"""

import json
import math
from dataclasses import asdict
from typing import Any

from olbench.findings import CellFinding, Findings, Split, Summary
from olbench.metrics import METRICS
from olbench.model import TEXT, THINKING, Cell, Observation, Sample

SCHEMA = "olbench/1"
_SAYS = TEXT | THINKING


def dump(findings: Findings) -> str:
    """The run as indented JSON text."""
    return json.dumps(document(findings), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def compact(findings: Findings) -> str:
    """The run as JSON text without needless space."""
    return json.dumps(document(findings), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def document(findings: Findings) -> dict[str, Any]:
    """The run as JSON values."""
    record = findings.record
    whole = {
        "schema": SCHEMA,
        "run": asdict(record.run),
        "answer": findings.answer,
        "doubts": findings.doubts,
        "axes": findings.axes,
        "facts": record.facts,
        "facts_end": record.facts_end,
        "cards": [asdict(card) for card in record.cards],
        "plan": {**asdict(record.plan), "cells": [_asked(cell) for cell in record.plan.cells]},
        "metrics": {
            key: {"name": one.name, "unit": one.unit, "better": one.better, "formula": one.formula}
            for key, one in METRICS.items()
        },
        "cells": [_cell(found) for found in findings.cells],
        "failures": [asdict(one) for one in findings.failures],
        "visits": _visits(findings),
    }
    clean: dict[str, Any] = _clean(whole)
    return clean


def _asked(cell: Cell) -> dict[str, Any]:
    return {**asdict(cell), "options": dict(cell.options)}


def _cell(found: CellFinding) -> dict[str, Any]:
    return {
        "id": found.cell.id,
        "label": found.label,
        "visits_planned": found.visits_planned,
        "visits_taken": found.visits_taken,
        "outcomes": dict(found.outcomes),
        "doubts": found.doubts,
        "summaries": {key: _summary(one) for key, one in found.summaries.items()},
        "by_prompt": {
            name: {key: _summary(one) for key, one in summaries.items()}
            for name, summaries in found.by_prompt.items()
        },
        "split": {name: asdict(getattr(found.split, name)) for name in Split.__dataclass_fields__},
        "placements": [asdict(one) for one in found.placements],
    }


def _summary(one: Summary) -> dict[str, Any]:
    return {
        "samples": one.samples,
        "visits": one.visits,
        **{name: asdict(getattr(one, name)) for name in ("typical", "p50", "p90", "p95", "p99")},
        "least": one.least,
        "most": one.most,
        "per_visit": one.per_visit,
        "missing": dict(one.missing),
    }


def _visits(findings: Findings) -> list[dict[str, Any]]:
    own = {found.cell.id: _has_own_prompts(found.cell) for found in findings.cells}
    return [_visit(seen, texts=own.get(seen.visit.cell, False)) for seen in findings.record.observations]


def _has_own_prompts(cell: Cell) -> bool:
    return cell.prompt_tokens is None


def _visit(seen: Observation, *, texts: bool) -> dict[str, Any]:
    return {
        **asdict(seen.visit),
        "started_at": seen.started_at,
        "lasted_ns": seen.ended_ns - seen.started_ns,
        "measured_ns": _since(seen, seen.measured_ns),
        "placement": None if seen.placement is None else asdict(seen.placement),
        "problem": seen.problem,
        "notes": seen.notes,
        "absent": dict(seen.readings.absent),
        "samples": [_sample(seen, one, texts=texts) for one in seen.samples],
    }


def _sample(seen: Observation, one: Sample, *, texts: bool) -> dict[str, Any]:
    said = [place for place, kind in enumerate(one.chunks.kind) if kind & _SAYS]
    arrived = one.chunks.arrived_ns
    return {
        "index": one.index,
        "phase": one.phase,
        "stream": one.stream,
        "prompt": one.prompt,
        "outcome": one.outcome,
        "words": one.words,
        "status": one.status,
        "wanted_ns": _since(seen, one.wanted_ns),
        "sent_ns": _since(seen, one.sent_ns),
        "head_ns": _since(seen, one.head_ns),
        "first_text_ns": _since(seen, arrived[said[0]] if said else None),
        "last_text_ns": _since(seen, arrived[said[-1]] if said else None),
        "end_ns": _since(seen, one.end_ns),
        "lines": len(one.chunks),
        "stamps": one.stamps,
        "streamed": one.streamed,
        "counts": None if one.counts is None else asdict(one.counts),
        # Answers to synthetic text say nothing; answers to somebody's own prompts are results.
        **({"text": one.text, "thinking": one.thinking} if texts else {}),
    }


def _since(seen: Observation, stamp: int | None) -> int | None:
    return None if stamp is None else stamp - seen.started_ns


def _clean(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null. Lone surrogates cannot be written: they become U+FFFD."""
    match value:
        case dict():
            return {_clean(key): _clean(one) for key, one in value.items()}
        case list() | tuple():
            return [_clean(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case _:
            return value
