"""What one client process is asked and what it says, as JSON: the words between bench.py and client.py."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from time import monotonic_ns
from typing import Literal

Client = Literal["olbench", "aiohttp", "httpx", "epoll"]

MODEL = "scripted:1b"
NUM_CTX = 4096
COALESCED = 4  # as in olbench.model: the receive went on beyond this line
now: Callable[[], int] = monotonic_ns  # CLOCK_MONOTONIC, which both servers read too


@dataclass(frozen=True, slots=True)
class Job:
    """One load. Request i (from 0) has a prompt of i + 1 words: by that number its truth is found again."""

    client: Client
    url: str
    streams: int
    requests: int
    tokens: int
    rate: float | None  # sends a second at set moments; None: each stream sends when its last is answered
    kernel: bool  # whether olbench may use the kernel's receive stamps
    core: int | None  # None: not pinned

    def prompt(self, index: int) -> str:
        """The words of one request."""
        return " ".join(["word"] * (index + 1))

    def bodies(self) -> list[bytes]:
        """All requests for clients that are not olbench, ready before the load begins."""
        return [
            json.dumps(
                {
                    "model": MODEL,
                    "prompt": self.prompt(index),
                    "stream": True,
                    "options": {"num_ctx": NUM_CTX, "num_predict": self.tokens},
                }
            ).encode()
            for index in range(self.requests)
        ]

    def dues(self, began_ns: int) -> list[int]:
        """The moments at which a paced load sends."""
        if self.rate is None:
            raise ValueError("only a paced load has moments at which it sends")
        return [began_ns + round(index * 1e9 / self.rate) for index in range(self.requests)]


@dataclass(slots=True)
class Heard:
    """One request as the client saw it; one arrival and one set of flags for each line with text."""

    wanted_ns: int
    fresh: bool  # the first of its stream: a peer connects for it
    sent_ns: int | None = None
    prompt_eval_count: int | None = None  # None: no closing line came
    stamps: str = "user-space"
    arrived_ns: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)  # bits COALESCED, UNSTAMPED of olbench.model

    def hear(self, line: str | bytes, stamp_ns: int, flags: int = 0) -> None:
        """Take one line in, parsed at once, as a plain client does."""
        found = json.loads(line)
        if found["done"]:
            self.prompt_eval_count = found["prompt_eval_count"]
        elif found["response"]:
            self.arrived_ns.append(stamp_ns)
            self.flags.append(flags)


@dataclass(frozen=True, slots=True)
class Said:
    """What one client process says of its load."""

    heard: Sequence[Heard]
    cpu_ns: int  # CPU time from the first send to the last line parsed, without imports
    ended_ns: int  # the last line was parsed
    peak_rss: int | None  # bytes, of the process; None: the system does not say

    def to_json(self) -> str:
        """As text."""
        return json.dumps(asdict(self))


def said_of(text: str) -> Said:
    """What a client process has printed."""
    found = json.loads(text)
    return Said(**{**found, "heard": [Heard(**one) for one in found["heard"]]})


def job_of(text: str) -> Job:
    """The job that a client process was given."""
    return Job(**json.loads(text))
