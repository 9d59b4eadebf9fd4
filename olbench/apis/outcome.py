"""What became of a request: replies and the server's words into outcomes. Pure."""

import re

from olbench.apis.wire import error_words, excerpt
from olbench.model import Outcome
from olbench.ports import Reply

_FAULTS: dict[str, Outcome] = {
    "refused": "refused",
    "cut_off": "cut_off",
    "stalled": "stalled",
    "cancelled": "cancelled",
    "http_error": "http_error",
}
_STATUSES: dict[int, Outcome] = {404: "not_found", 503: "queue_full"}
# Words of llama.cpp, CUDA, ROCm, Metal, Vulkan and Ollama when memory runs out.
_MEMORY = re.compile(
    r"out of (device |host )?memory|outof(device|host)?memory|cudamalloc failed|failed to allocate"
    r"|unable to allocate|not enough memory"
    r"|requires more system memory|insufficient memory|cannot allocate memory|alloc(ation)? failed",
    re.IGNORECASE,
)


def of_fault(reply: Reply) -> tuple[Outcome, str] | None:
    """The outcome of a reply that failed below the protocol's lines, None when it did not."""
    if reply.status is not None and reply.status >= 400:
        said = error_words(reply.body) if reply.body else f"status {reply.status} and no word more"
        return of_words(said, _STATUSES.get(reply.status, "http_error")), said
    if reply.fault is not None:
        return _FAULTS.get(reply.fault, "http_error"), reply.words
    if reply.status != 200:
        return "http_error", f"status {reply.status}: {excerpt(reply.body)}"
    return None


def of_words(said: str, otherwise: Outcome) -> Outcome:
    """`out_of_memory` when the server's words say so, else what they would be otherwise."""
    return "out_of_memory" if _MEMORY.search(said) else otherwise
