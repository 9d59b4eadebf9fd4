"""The bytes of an answer in the two ways of saying it: Ollama's lines of JSON, and OpenAI's server-sent events."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from olbench.engines.scripted_http import END, chunk, head
from olbench.engines.wall import created_at

_ENCODER = json.JSONEncoder(separators=(",", ":"))
TOKEN = "tok "  # noqa: S105 - a piece of text


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What the end of an answer tells."""

    prompt: int
    cached: int | None  # None: not told
    tokens: int
    reason: str
    total_ns: int
    load_ns: int
    prompt_ns: int
    eval_ns: int


class Talk(Protocol):
    """How one answer is said. Whatever is streamed comes as chunks, ready to be sent."""

    head: bytes

    def token(self, number: int) -> bytes:
        """The token of that number; the first comes with the head, as servers send it."""
        ...

    def last(self, counts: Counts) -> bytes:
        """All that follows the last token."""
        ...

    def whole(self, counts: Counts) -> dict[str, Any]:
        """The answer that is not streamed."""
        ...

    def line(self, raw: bytes) -> bytes:
        """Any bytes in the place of a token's."""
        ...

    def error(self, said: str) -> dict[str, Any]:
        """A fault in words."""
        ...


class Ndjson:
    """Ollama's own API: an object a line, each with its date."""

    head = head("application/x-ndjson")

    def __init__(self, model: str, *, chat: bool) -> None:
        """`chat` or generate."""
        self._model = model
        self._chat = chat
        # All but the date is the same in each line, and a date is always of the same length.
        key = b'"created_at":"'
        before, _, rest = self.line(_compact(self._piece(TOKEN))).partition(key)
        self._before = before + key
        self._after = rest[len(created_at()) :]

    def token(self, number: int) -> bytes:
        """One line."""
        line = self._before + created_at().encode() + self._after
        return line if number else self.head + line

    def last(self, counts: Counts) -> bytes:
        """The line with the counts."""
        said = self.line(_compact(self._piece("") | _ollama(counts))) + END
        return said if counts.tokens else self.head + said

    def whole(self, counts: Counts) -> dict[str, Any]:
        """One object with the text and the counts."""
        return self._piece(TOKEN * counts.tokens) | _ollama(counts)

    def line(self, raw: bytes) -> bytes:
        """A line."""
        return chunk(raw + b"\n")

    def error(self, said: str) -> dict[str, Any]:
        """As Ollama says it."""
        return {"error": said}

    def _piece(self, text: str) -> dict[str, Any]:
        said = {"message": {"role": "assistant", "content": text}} if self._chat else {"response": text}
        return {"model": self._model, "created_at": created_at(), **said, "done": False}


def _ollama(counts: Counts) -> dict[str, Any]:
    told = {
        "done": True,
        "done_reason": counts.reason,
        "total_duration": counts.total_ns,
        "load_duration": counts.load_ns,
        "prompt_eval_count": counts.prompt,
        "prompt_eval_duration": counts.prompt_ns,
        "eval_count": counts.tokens,
        "eval_duration": counts.eval_ns,
    }
    return told if counts.cached is None else told | {"prompt_eval_cached_count": counts.cached}


class Events:
    """OpenAI's API: server-sent events, all of one date."""

    head = head("text/event-stream")

    def __init__(self, model: str, number: int, *, chat: bool, usage: bool) -> None:
        """`number` tells answers apart; `usage` asks for a last event that counts."""
        self._chat = chat
        self._usage = usage
        self._frame = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{number}",
            "object": "chat.completion.chunk" if chat else "text_completion",
            "created": int(datetime.now(UTC).timestamp()),
            "model": model,
        }
        self._first = self.head + self._event([self._choice(TOKEN, role=True)])
        self._next = self._event([self._choice(TOKEN)])

    def token(self, number: int) -> bytes:
        """One event; the first of a chat names the role."""
        return self._next if number else self._first

    def last(self, counts: Counts) -> bytes:
        """The event with the reason, the counts where they were asked for, and the word that ends the stream."""
        said = self._event([self._choice("", reason=counts.reason)])
        if self._usage:
            said += self._event([], _usage(counts))
        said += self.line(b"[DONE]") + END
        return said if counts.tokens else self.head + said

    def whole(self, counts: Counts) -> dict[str, Any]:
        """One object with the text and the counts."""
        text = TOKEN * counts.tokens
        said = {"message": {"role": "assistant", "content": text}} if self._chat else {"text": text}
        choice = {"index": 0, **said, "finish_reason": counts.reason}
        kind = str(self._frame["object"]).removesuffix(".chunk")
        return self._frame | {"object": kind, "choices": [choice], "usage": _usage(counts)}

    def line(self, raw: bytes) -> bytes:
        """An event of that data."""
        return chunk(b"data: " + raw + b"\n\n")

    def error(self, said: str) -> dict[str, Any]:
        """As OpenAI says it."""
        return {"error": {"message": said, "type": "server_error", "param": None, "code": None}}

    def _choice(self, text: str, *, role: bool = False, reason: str | None = None) -> dict[str, Any]:
        said: dict[str, Any] = {"text": text}
        if self._chat:
            delta = ({"role": "assistant"} if role else {}) | ({"content": text} if text else {})
            said = {"delta": delta}
        return {"index": 0, **said, "finish_reason": reason}

    def _event(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        told = {"usage": usage} if self._usage else {}
        return self.line(_compact(self._frame | {"choices": choices} | told))


def _usage(counts: Counts) -> dict[str, Any]:
    told: dict[str, Any] = {
        "prompt_tokens": counts.prompt,
        "completion_tokens": counts.tokens,
        "total_tokens": counts.prompt + counts.tokens,
    }
    return (
        told if counts.cached is None else told | {"prompt_tokens_details": {"cached_tokens": counts.cached}}
    )


def _compact(body: dict[str, Any]) -> bytes:
    return _ENCODER.encode(body).encode()
