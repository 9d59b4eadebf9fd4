"""What a scripted server says of its models."""

import json
from hashlib import sha256
from typing import Any

from olbench.engines import scripted_http as http
from olbench.engines.scripted_client import Client
from olbench.engines.scripted_script import VERSION, Script
from olbench.engines.scripted_talk import Ndjson


def version(script: Script, served: int) -> str:
    """What it calls itself after so many measuring requests."""
    begin = script.lies.version_from
    return VERSION if begin is None or served < begin else f"{VERSION}-upgraded"


def tag(script: Script, name: str, served: int = 0) -> dict[str, Any]:
    """An installed model, as a row of /api/tags, after so many measuring requests."""
    begin = script.lies.digest_from
    weights = name if begin is None or served < begin else f"{name}, changed"
    return {
        "name": name,
        "model": name,
        "size": script.size,
        "digest": sha256(weights.encode()).hexdigest(),
        "details": {"format": "gguf", "family": "scripted", "quantization_level": "Q8_0"},
        "capabilities": list(script.capabilities),
    }


def row(script: Script, name: str, context: int, served: int = 0) -> dict[str, Any]:
    """A model in memory, as a row of /api/ps."""
    vram = round(script.size * script.vram_share)
    return tag(script, name, served) | {"size_vram": vram, "context_length": context}


def card(script: Script, name: str) -> dict[str, Any]:
    """One model in full, as /api/show tells it."""
    return {
        "details": tag(script, name)["details"],
        "model_info": {
            "general.architecture": "scripted",
            "general.parameter_count": 1_000_000_000,
            "scripted.context_length": script.context_length,
        },
        "capabilities": list(script.capabilities),
        "parameters": script.parameters,
        "template": "{{ .Prompt }}",
    }


def openai(script: Script) -> dict[str, Any]:
    """All models, as /v1/models lists them."""
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": "library"} for name in script.models]
    return {"object": "list", "data": rows}


async def pull(client: Client) -> None:
    """Answer a pull: there is no such model."""
    # As Ollama says it of a name that its registry has not: inside a 200.
    lines = ({"status": "pulling manifest"}, {"error": "pull model manifest: file does not exist"})
    said = b"".join(http.chunk(json.dumps(one).encode() + b"\n") for one in lines)
    await client.send(Ndjson.head + said + http.END)
