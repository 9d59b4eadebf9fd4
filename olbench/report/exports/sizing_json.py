"""A sizing as JSON, schema olbench-sizing/1: the answer, and every figure behind it with its interval or its reason.

Numbers are in base units (s, B, requests a second, shares of 1). History of the schema: 1, the first.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from olbench.findings import Findings
from olbench.report.exports.as_json import clean
from olbench.sized import Elsewhere, Sizing

SCHEMA = "olbench-sizing/1"
_SETTINGS = ("persona.", "slo.", "size.", "load.")


def dump(sizing: Sizing, findings: Findings) -> str:
    """The sizing as indented JSON text."""
    return json.dumps(document(sizing, findings), ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def embedded(sizing: Sizing, findings: Findings) -> str:
    """The sizing as JSON text without needless space, for a page."""
    return json.dumps(document(sizing, findings), ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def document(sizing: Sizing, findings: Findings) -> dict[str, Any]:
    """The sizing as JSON values. What is unknown is null, and the `reason` beside it says why."""
    run = findings.record.run
    settings = {name: value for name, value in run.settings.items() if name.startswith(_SETTINGS)}
    whole = {
        "schema": SCHEMA,
        "run": {"id": run.id, "name": run.name, "question": run.question, "started_at": run.started_at,
                "ended_at": run.ended_at, "status": run.status, "olbench": run.olbench},
        "settings": settings,
        **{one.name: _bare(getattr(sizing, one.name)) for one in fields(sizing)},
        "elsewhere": [_estimate(one) for one in sizing.elsewhere],
    }  # fmt: skip
    cleaned: dict[str, Any] = clean(whole)
    return cleaned


def _estimate(one: Elsewhere) -> dict[str, Any]:
    """What holds for another machine says of itself that nobody measured it."""
    return {"measured": False, **_bare(one)}


def _bare(value: Any) -> Any:
    """Frozen data as JSON has it; the keys of objects are text there."""
    if is_dataclass(value) and not isinstance(value, type):
        return {one.name: _bare(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _bare(one) for key, one in value.items()}
    return [_bare(one) for one in value] if isinstance(value, tuple | list) else value
