"""The outside world as olbench needs it. Adapters fit these shapes; they do not inherit them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from olbench.model import (
    Cell,
    Fact,
    ModelCard,
    Prompt,
    Request,
    Resident,
    Sample,
)
from olbench.readings import Ints


@dataclass(frozen=True, slots=True)
class Wire:
    """A request as bytes, built before it is due."""

    request: Request
    path: str
    body: bytes
    streamed: bool
    head: bytes = field(default=b"", repr=False)  # of HTTP, whole; it may hold a token, so it is never shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, undecoded: bytes and stamps. Nothing here was parsed while the cell ran."""

    wanted_ns: int
    connect_ns: int | None = None  # of wanted to sent, what went into a new connection; 0: one was there
    sent_ns: int | None
    head_ns: int | None
    end_ns: int
    status: int | None
    content_type: str
    body: bytes
    marks: Ints  # 'q', pairs: stamp, bytes of body so far
    unstamped: Sequence[int] = ()  # marks (by number) that the kernel left without a stamp
    stamps: str  # "kernel", "user-space", "none"
    fault: str | None  # refused, cut_off, stalled, cancelled, http_error; None: the response ended properly
    words: str  # the fault in words


@dataclass(frozen=True, slots=True)
class Progress:
    """One line of a pull: what is being done, and how far, in bytes (None: no count)."""

    status: str
    completed: int | None
    total: int | None


class Api(Protocol):
    """A server that speaks, e.g. Ollama's native API. Methods raise ServerError; `send` never raises but on cancel."""

    async def version(self) -> str:
        """The server's version."""
        ...

    async def catalog(self) -> tuple[ModelCard, ...]:
        """All installed models, without what only `card` knows."""
        ...

    async def card(self, model: str) -> ModelCard:
        """One model in full."""
        ...

    async def resident(self) -> tuple[Resident, ...]:
        """The models in memory now."""
        ...

    async def preload(self, cell: Cell) -> int:
        """Load the cell's model with exactly the cell's options; nanoseconds it took by our clock."""
        ...

    async def unload(self, model: str) -> None:
        """Ask for the model to leave memory; it may still be there when this returns."""
        ...

    def pull(self, model: str) -> AsyncIterator[Progress]:
        """Fetch a model, one Progress a line."""
        ...

    def encode(self, cell: Cell, request: Request) -> Wire:
        """The request as bytes. Pure: same arguments, same bytes."""
        ...

    async def connect(self, count: int) -> None:
        """Hold `count` idle connections ready, as far as the server takes them; never raises for what it does."""
        ...

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        """Send, collect, stamp; a failure is a Reply with a fault."""
        ...

    def sample(self, cell: Cell, wire: Wire, reply: Reply, stream: int) -> Sample:
        """Decode a reply, after the cell. Pure."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


class Engine(Protocol):
    """A server that olbench starts and stops itself."""

    async def start(self) -> str:
        """Start it; the URL to talk to. Raises EngineError."""
        ...

    async def stop(self) -> None:
        """Stop it and everything that it started. May be called twice."""
        ...

    def facts(self) -> Mapping[str, Fact]:
        """What is known of it: "engine.name", "engine.version", "engine.threads", ..."""
        ...


class Probe(Protocol):
    """Something that can be read several times a second, from a thread that is not the event loop's."""

    def absent(self) -> Mapping[str, str]:
        """Series of this probe that cannot be had here -> the reason, one sentence for the page."""
        ...

    def read(self) -> Mapping[str, tuple[float, str]]:
        """Series name -> (value, unit) at this moment. Never raises; what failed just now is left out."""
        ...

    def facts(self) -> Mapping[str, Fact]:
        """What does not change during a run: "gpu0.name", "gpu0.driver", "cpu.model", ..."""
        ...

    def close(self) -> None:
        """Give handles back."""
        ...


class Prompts(Protocol):
    """A source of prompts, pure: the same arguments give the same prompt."""

    def prompt(self, index: int, nonce: str) -> Prompt:
        """The prompt of the request number `index`; `nonce` opens it unless it is "" (warm cells)."""
        ...

    def names(self) -> Sequence[str]:
        """All names that `prompt` can give."""
        ...
