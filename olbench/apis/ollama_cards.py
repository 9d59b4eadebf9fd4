"""What /api/tags, /api/show and /api/ps say, as model cards. Pure; parsed leniently, as servers of all ages differ."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from olbench.kv import cache
from olbench.model import ModelCard, Resident
from olbench.weights import experts, touched

_BLOB = re.compile(r"^FROM\s+.*?(sha256[-:][0-9a-f]{64})\s*$", re.MULTILINE)


def of_tags(answer: Mapping[str, Any]) -> tuple[ModelCard, ...]:
    """Cards without what only /api/show knows, in the server's order."""
    return tuple(_of_tag(row) for row in _rows(answer) if _text(row.get("name") or row.get("model")))


def of_show(model: str, answer: Mapping[str, Any], row: ModelCard | None) -> ModelCard:
    """The whole card; digest and size come from the row of /api/tags, None where there is none."""
    details = _table(answer.get("details"))
    info = _table(answer.get("model_info"))
    arch = _text(info.get("general.architecture"))
    template = _text(answer.get("template"))
    capabilities = answer.get("capabilities")
    context = cache(info, answer.get("tensors"))
    return ModelCard(
        name=row.name if row else model,
        digest=row.digest if row else None,
        size=row.size if row else None,
        format=_text(details.get("format")),
        family=_text(details.get("family")),
        parameter_size=_text(details.get("parameter_size")),
        parameter_count=_whole(info.get("general.parameter_count")),
        quantization=_text(details.get("quantization_level")),
        context_length=_whole(info.get(f"{arch}.context_length")) or (row.context_length if row else None),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else None,
        parameters=own_parameters(_text(answer.get("parameters")) or ""),
        system=_text(answer.get("system")),
        template_sha256=sha256(template.encode()).hexdigest() if template else None,
        blob=_blob(_text(answer.get("modelfile")) or ""),
        kv_bytes_per_token=None if context is None else context.per_token,
        kv_bytes_per_slot=None if context is None else context.per_slot,
        remote=_text(answer.get("remote_host")) or (row.remote if row else None),
        touched=touched(answer.get("tensors"), experts(info)),
        experts=experts(info),
    )


def of_ps(answer: Mapping[str, Any]) -> tuple[Resident, ...]:
    """The models in memory."""
    return tuple(
        Resident(
            name=str(row.get("name") or row.get("model")),
            digest=_text(row.get("digest")),
            size=_whole(row.get("size")),
            # Absent means 0 in Ollama's answers, but only where the server is new enough to send it at all.
            size_vram=_whole(row.get("size_vram", 0)),
            context_length=_whole(row.get("context_length")),
        )
        for row in _rows(answer)
        if row.get("name") or row.get("model")
    )


def own_parameters(text: str) -> tuple[tuple[str, str], ...]:
    """The model's PARAMETER lines, `name<spaces>value` each, in random order: sorted, quotes taken off."""
    pairs = [line.split(None, 1) for line in text.splitlines() if line.strip()]
    return tuple(sorted((pair[0], pair[1].strip().strip('"')) for pair in pairs if len(pair) == 2))


def _of_tag(row: Mapping[str, Any]) -> ModelCard:
    details = _table(row.get("details"))
    capabilities = row.get("capabilities")
    return ModelCard(
        name=str(row.get("name") or row.get("model")),
        digest=_text(row.get("digest")),
        size=_whole(row.get("size")),
        format=_text(details.get("format")),
        family=_text(details.get("family")),
        parameter_size=_text(details.get("parameter_size")),
        parameter_count=None,
        quantization=_text(details.get("quantization_level")),
        context_length=_whole(details.get("context_length")),
        capabilities=tuple(map(str, capabilities)) if isinstance(capabilities, list) else None,
        parameters=(),
        system=None,
        template_sha256=None,
        blob=None,
        kv_bytes_per_token=None,
        remote=_text(row.get("remote_host")) or _text(row.get("remote_model")),
    )


def _blob(modelfile: str) -> str | None:
    found = _BLOB.search(modelfile)
    return found.group(1).replace(":", "-") if found else None


def _rows(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    rows = answer.get("models")
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
