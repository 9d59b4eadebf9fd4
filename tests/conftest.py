"""What several tests share: a cell, a request, and the scripted server's loop."""

import signal
from collections.abc import Callable

import pytest

from olbench.model import Cell, Message, Prompt, Request

# What a script starts in the background begins with ^C ignored, and so would all that the tests start and stop by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def cell() -> Callable[..., Cell]:
    def make(**changes: object) -> Cell:
        fields: dict[str, object] = {
            "id": "c0ffee000001",
            "model": "scripted:1b",
            "base": "scripted:1b",
            "quantization": None,
            "api": "chat",
            "num_ctx": 4096,
            "concurrency": 1,
            "prompt_tokens": None,
            "output_tokens": 4,
            "think": None,
            "cache": "cold",
            "options": (("seed", 1), ("temperature", 0.0)),
        }
        return Cell(**(fields | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def request_of() -> Callable[..., Request]:
    def make(index: int = 0, text: str = "hello world", **changes: object) -> Request:
        return Request(index, "measured", Prompt("p", (Message("user", f"{index} {text}"),)))

    return make
