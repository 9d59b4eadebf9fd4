"""A history for other programs: as JSON, schema olbench-history/1, and as CSV. Numbers stay in base units."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from olbench.history import RULE, History, Line, Point
from olbench.report.exports.as_csv import Field, defused, written
from olbench.report.exports.as_json import clean

SCHEMA = "olbench-history/1"


def as_json(history: History) -> str:
    """The history as indented JSON text."""
    return json.dumps(document(history), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def document(history: History) -> dict[str, Any]:
    """The history as JSON values; levels and steps name points by their place, from 0."""
    metric = history.metric
    whole = {
        "schema": SCHEMA,
        "scenario": history.scenario,
        "metric": {"key": metric.key, "name": metric.name, "unit": metric.unit, "better": metric.better},
        "runs": history.runs,
        "search": RULE,
        "cells": [_line(one) for one in history.lines],
    }
    cleaned: dict[str, Any] = clean(whole)
    return cleaned


def _line(line: Line) -> dict[str, Any]:
    return {
        "cell": {**asdict(line.cell), "options": dict(line.cell.options)},
        "number": line.number,
        "label": line.label,
        "points": [_point(one) for one in line.points],
        "levels": [asdict(one) for one in line.levels],
        "steps": [asdict(one) for one in line.steps],
    }


def _point(one: Point) -> dict[str, Any]:
    return {
        "run": one.run,
        "at": one.at,
        "server_version": one.version,
        **asdict(one.typical),
        "visits": one.summary.visits,
        "clock_error": one.summary.error,
        "change": one.change,
        "marks": one.marks,
        "judged": one.judged,
    }


def as_csv(history: History) -> str:
    """One row a cell and run; `level` is the middle of the level on which the run lies, empty where it is on none."""
    head = (
        "cell", "label", "run", "began", "server_version", "metric", "unit", "value", "low", "high", "visits",
        "clock_error", "change", "level", "step", "marks", "reason",
    )  # fmt: skip
    return written(head, (row for line in history.lines for row in _rows(history, line)))


def _rows(history: History, line: Line) -> Iterator[tuple[Field, ...]]:
    new = {step.at for step in line.steps}
    levels = {place: level.value for level in line.levels for place in range(level.first, level.last + 1)}
    for place, one in enumerate(line.points):
        typical = one.typical
        yield (
            *map(defused, (line.cell.id, line.label, one.run, one.at, one.version or "")),
            history.metric.key,
            history.metric.unit,
            *(typical.value, typical.low, typical.high, one.summary.visits, one.summary.error, one.change),
            levels.get(place) if one.judged else None,
            "true" if place in new else "false",
            "; ".join(one.marks),
            defused(typical.reason),
        )


WRITERS: Mapping[str, Callable[[History], str]] = {"json": as_json, "csv": as_csv}
