"""A comparison as JSON, schema olbench-comparison/1: both sides, what differs, and every figure with its reason.

Numbers are in base units (s, B); ratios are new / base. History of the schema: 1, the first.
"""

import json
from dataclasses import asdict
from typing import Any

from olbench.differences import Comparison, Difference, Pair, Side, SideCell
from olbench.metrics import METRICS
from olbench.report.exports.as_json import clean
from olbench.report.tables.compared import verdict_line, word

SCHEMA = "olbench-comparison/1"


def dump(made: Comparison) -> str:
    """The comparison as indented JSON text."""
    return json.dumps(document(made), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def embedded(made: Comparison) -> str:
    """The comparison as JSON text without needless space, for a page."""
    return json.dumps(document(made), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def document(made: Comparison) -> dict[str, Any]:
    """The comparison as JSON values. Pairs name their cells by id; the cells stand with their sides."""
    used = dict.fromkeys(one.metric for pair in made.pairs for one in pair.differences)
    whole = {
        "schema": SCHEMA,
        "verdict": verdict_line(made),
        "across": made.across,
        "base": _side(made.base),
        "new": _side(made.new),
        "unlike": [asdict(one) for one in made.unlike],
        "metrics": {
            key: {"name": one.name, "unit": one.unit, "better": one.better, "formula": one.formula}
            for key, one in METRICS.items()
            if key in used or key in made.geomeans
        },
        "pairs": [_pair(one) for one in made.pairs],
        "alone": made.alone,
        "geomeans": {metric: asdict(one) for metric, one in made.geomeans.items()},
        "correction": made.correction,
        "notes": made.notes,
    }
    cleaned: dict[str, Any] = clean(whole)
    return cleaned


def _side(side: Side) -> dict[str, Any]:
    return {
        "name": side.name,
        "at": side.at,
        "olbench": side.olbench,
        "scenario": side.scenario,
        "facts": dict(side.facts),
        "models": {name: dict(facts) for name, facts in side.models.items()},
        "settings": dict(side.settings),
        "cells": [_cell(one) for one in side.cells],
    }


def _cell(one: SideCell) -> dict[str, Any]:
    return {
        "cell": {**asdict(one.cell), "options": dict(one.cell.options)},
        "label": one.label,
        "visits": dict(one.visits),
        "marked": one.marked,
        "samples": dict(one.samples),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "label": pair.label,
        "base_cell": pair.base.cell.id,
        "new_cell": pair.new.cell.id,
        "differences": [_difference(one) for one in pair.differences],
    }


def _difference(one: Difference) -> dict[str, Any]:
    return {**asdict(one), "word": word(one.metric, one.verdict)}
