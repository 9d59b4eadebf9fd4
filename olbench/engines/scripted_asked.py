"""What a measuring request wants, from the body of whichever API it came by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from olbench.engines.scripted_http import RefusedError
from olbench.engines.scripted_script import TEMPLATE_TOKENS

_CONTEXT, _TOKENS = 4096, 16  # where a request does not say
_MOST = 1 << 20  # an answer that is not streamed has to fit into memory

OLLAMA = ("/api/generate", "/api/chat")
OPENAI = ("/v1/completions", "/v1/chat/completions")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A measuring request, whole; an empty prompt loads the model, or lets it go."""

    model: str
    prompt: str
    tokens: int
    context: int
    stream: bool
    chat: bool
    usage: bool  # OpenAI's: a last event that counts
    leave: bool  # Ollama's: the model shall leave memory

    @property
    def prompt_tokens(self) -> int:
        """The words of the prompt, and the template's."""
        return len(self.prompt.split()) + TEMPLATE_TOKENS


def wanted(path: str, body: Mapping[str, Any]) -> Wanted:
    """The request of a path of OLLAMA or OPENAI. Raises RefusedError."""
    openai = path in OPENAI
    options = _object(body, "options")
    limit = "max_completion_tokens" if "max_completion_tokens" in body else "max_tokens"
    return Wanted(
        model=str(body.get("model")),
        prompt=_prompt(body),
        tokens=_number(body, limit, _TOKENS) if openai else _number(options, "num_predict", _TOKENS),
        context=_number(options, "num_ctx", _CONTEXT),
        stream=bool(body.get("stream", not openai)),
        chat=path.endswith(("/chat", "/chat/completions")),
        usage=bool(_object(body, "stream_options").get("include_usage", False)),
        leave=body.get("keep_alive") == 0,
    )


def _prompt(body: Mapping[str, Any]) -> str:
    messages = body.get("messages", ())
    if not isinstance(messages, list | tuple) or not all(isinstance(one, dict) for one in messages):
        raise RefusedError(400, "messages is not a list of objects")
    return "\n".join(_text(one.get("content")) for one in messages) or _text(body.get("prompt"))


def _text(said: Any) -> str:
    # OpenAI's prompts may be lists of texts, and its contents lists of parts.
    if isinstance(said, list):
        return "\n".join(str(one.get("text", "") if isinstance(one, dict) else one) for one in said)
    return "" if said is None else str(said)


def _object(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise RefusedError(400, f"{name} is not an object")
    return found


def _number(fields: Mapping[str, Any], name: str, otherwise: int) -> int:
    found = fields.get(name)
    if found is None:
        return otherwise
    if not isinstance(found, int) or isinstance(found, bool):
        raise RefusedError(400, f"{name} is not a whole number")
    return min(found, _MOST) if found >= 0 else otherwise  # Ollama's -1: as many as it likes
