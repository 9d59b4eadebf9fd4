"""A pretend server in virtual time: an Api that computes nothing, tells what it did when, and fails when asked to."""

import asyncio
import json
from array import array
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from records import card
from virtual import START_NS

from olbench.apis import decode
from olbench.clock import now, sleep_until
from olbench.errors import ServerError
from olbench.model import (
    Cell,
    ModelCard,
    Options,
    Request,
    Resident,
    Sample,
)
from olbench.plan import load_key
from olbench.ports import Progress, Reply, Wire
from olbench.readings import Ints

MS = 1_000_000
SECOND = 1_000_000_000
TEMPLATE_TOKENS = 5  # a prompt has as many tokens as words, and these
OUT_OF_MEMORY = "cudaMalloc failed: out of memory"
DOWN = "GET /api/version: no connection to port 11434: Connection refused"
CARD = card("smollm2:135m")

Fault = Literal["refused", "memory", "busy", "cut", "stall", "bug"]


def at() -> float:
    """Seconds since the story began."""
    return (now() - START_NS) / 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What the server does. Times in nanoseconds; times of day in seconds since the story began."""

    cards: tuple[ModelCard, ...] = (CARD,)
    slots: int = 4
    load_ns: int = 2 * SECOND
    unload_ns: int = 200 * MS  # the model is listed for so long after it was asked to leave
    token_ns: int = 1 * MS  # to compute one token of a prompt that is not cached
    gap_ns: int = 20 * MS  # from one token of an answer to the next
    stops_after: int | None = None  # tokens of an answer, however many were asked for
    vram: int | None = 0  # bytes of each model on the GPU
    clamp: int | None = None  # the largest context that it gives
    room: int | None = None  # the largest context that fits into memory
    counts: bool = True  # whether it counts prompt tokens
    digest: str | None = CARD.digest  # of what it loads
    stays: frozenset[str] = frozenset()  # models that do not leave
    deleted: frozenset[str] = frozenset()  # models that were deleted while they were in memory
    intruder: str | None = None  # a model that somebody else loads beside each of ours
    faults: Mapping[int, Fault] = field(default_factory=dict)  # request (from 0, in the order of sending)
    outages: tuple[tuple[float, float], ...] = ()  # from, to; what was in memory is gone then


@dataclass(slots=True)
class Loaded:
    """A model in memory."""

    resident: Resident
    num_ctx: int  # that was asked for
    options: Options  # that only a load can change
    since_ns: int
    gone_ns: int | None = None
    seen: set[str] = field(default_factory=set)  # prompts


class _DiedError(Exception):
    pass


class _NoRoomError(Exception):
    pass


@dataclass(slots=True)
class _Trace:
    sent_ns: int | None = None
    head_ns: int | None = None
    status: int | None = None
    body: bytearray = field(default_factory=bytearray)
    marks: Ints = field(default_factory=lambda: array("q"))

    def line(self, **fields: object) -> None:
        self.head_ns = now() if self.head_ns is None else self.head_ns
        self.status = 200 if self.status is None else self.status
        self.body += json.dumps(fields).encode() + b"\n"
        self.marks.extend((now(), len(self.body)))


class Pretend:
    """An Api. `log` holds what was asked of it, with the second; `flying` the requests that are under way."""

    def __init__(self, habits: Habits | None = None) -> None:
        self.habits = Habits() if habits is None else habits
        self.log: list[tuple[float, str]] = []
        self.loaded: list[Loaded] = []
        self.flying = 0
        self.most_flying = 0
        self.revived = False
        self._sends = 0
        self._slots = asyncio.Semaphore(self.habits.slots)
        self._loading = asyncio.Lock()
        self._asked: dict[bytes, tuple[Cell, Request]] = {}

    def put(self, name: str, *, vram: int | None = 0) -> None:
        """Let somebody else load a model."""
        row = Resident(name=name, digest=f"of {name}", size=10**9, size_vram=vram, context_length=4096)
        self.loaded.append(Loaded(row, 4096, (), now()))

    def asked(self, verb: str) -> list[str]:
        """What was asked with this verb, in order."""
        return [what for _, what in self.log if what.split()[0] == verb]

    # --- control ---------------------------------------------------------------------------------------------

    async def version(self) -> str:
        self._up()
        return "0.34.0-pretend"

    async def catalog(self) -> tuple[ModelCard, ...]:
        return self.habits.cards

    async def card(self, model: str) -> ModelCard:
        return next(one for one in self.habits.cards if one.name == model)

    async def resident(self) -> tuple[Resident, ...]:
        self._up()
        return tuple(one.resident for one in self._there())

    async def preload(self, cell: Cell) -> int:
        began = now()
        self._up()
        extra = "".join(f" {name}={value}" for name, value in load_key(cell)[2])
        self._note(f"preload {cell.model} {cell.num_ctx}{extra}")
        try:
            await self._load(cell)
        except _NoRoomError as fault:
            raise ServerError(f"POST /api/chat: status 500: {OUT_OF_MEMORY}", status=500) from fault
        except _DiedError as fault:
            raise ServerError("POST /api/chat: the connection broke") from fault
        return now() - began

    async def unload(self, model: str) -> None:
        self._up()
        self._note(f"unload {model}")
        if model in self.habits.deleted:
            raise ServerError(f"POST /api/generate: status 404: model '{model}' not found", status=404)
        for one in self._there():
            if one.resident.name == model and model not in self.habits.stays:
                one.gone_ns = now() + self.habits.unload_ns

    async def pull(self, model: str) -> AsyncIterator[Progress]:
        yield Progress("success", None, None)

    async def close(self) -> None:
        pass

    async def revive(self) -> None:
        """What a run calls when the server is ours and has died."""
        self._note("revive")
        self.revived = True

    # --- measuring -------------------------------------------------------------------------------------------

    def encode(self, cell: Cell, request: Request) -> Wire:
        body = f"{cell.id} {cell.output_tokens} {request!r}".encode()
        self._asked[body] = (cell, request)
        return Wire(request, f"/api/{cell.api}", body, streamed=True)

    def sample(self, cell: Cell, wire: Wire, reply: Reply, stream: int) -> Sample:
        return decode.sample(cell, wire, reply, stream)

    async def connect(self, count: int) -> None:
        """Nothing to connect."""

    async def send(self, wire: Wire, wanted_ns: int, timeout_ns: int) -> Reply:
        cell, request = self._asked[wire.body]
        trace = _Trace()
        fault, words = None, ""
        self._note(f"send {request.phase} {request.index}")
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        try:
            async with asyncio.timeout(timeout_ns / 1e9):
                await self._exchange(cell, request, trace)
        except TimeoutError:
            fault, words = "stalled", f"not done within {timeout_ns / 1e9:g} s"
        except asyncio.CancelledError:
            fault, words = "cancelled", "stopped before it was done"
        except ServerError:
            fault, words = "refused", "no connection to port 11434"
        except _DiedError:
            fault, words = "cut_off", "the connection broke"
        finally:
            self.flying -= 1
        return Reply(
            wanted_ns=wanted_ns,
            sent_ns=trace.sent_ns,
            head_ns=trace.head_ns,
            end_ns=now(),
            status=trace.status,
            content_type="application/x-ndjson",
            body=bytes(trace.body),
            marks=trace.marks,
            stamps="none",
            fault=fault,
            words=words,
        )

    async def _exchange(self, cell: Cell, request: Request, trace: _Trace) -> None:
        fault = self.habits.faults.get(self._sends)
        self._sends += 1
        self._up()
        match fault:
            case "bug":
                raise ValueError("a bug")
            case "refused":
                raise ServerError("")
            case _:
                trace.sent_ns = now()
        if fault in ("memory", "busy"):
            await self._pass(50 * MS)
            trace.status = 500 if fault == "memory" else 503
            trace.line(error=OUT_OF_MEMORY if fault == "memory" else "server busy, please try again")
            return
        try:
            load_ns = await self._load(cell)
        except _NoRoomError:
            trace.status = 500
            trace.line(error=OUT_OF_MEMORY)
            return
        async with self._slots:
            await self._answer(cell, request, trace, load_ns, fault)

    async def _answer(
        self, cell: Cell, request: Request, trace: _Trace, load_ns: int, fault: Fault | None
    ) -> None:
        text = " ".join(one.content for one in request.prompt.messages)
        tokens = len(text.split()) + TEMPLATE_TOKENS
        seen = next(one.seen for one in self._there() if one.resident.name == cell.model)
        cached = tokens - 1 if text in seen else 0
        seen.add(text)
        prefill_ns = (tokens - cached) * self.habits.token_ns
        await self._pass(prefill_ns)
        made = min(cell.output_tokens, self.habits.stops_after or cell.output_tokens)
        for number in range(made):
            if number:
                await self._pass(self.habits.gap_ns)
            if fault is not None and number == made // 2:
                await (self._die() if fault == "cut" else asyncio.Event().wait())
            trace.line(message={"role": "assistant", "content": "word "}, done=False)
        eval_ns = (made - 1) * self.habits.gap_ns
        counted = {"prompt_eval_count": tokens, "prompt_eval_cached_count": cached}
        trace.line(
            message={"role": "assistant", "content": ""},
            done=True,
            done_reason="length" if made == cell.output_tokens else "stop",
            total_duration=load_ns + prefill_ns + eval_ns,
            load_duration=load_ns,
            prompt_eval_duration=prefill_ns,
            eval_count=made,
            eval_duration=eval_ns,
            **(counted if self.habits.counts else {}),
        )

    # --- inside ----------------------------------------------------------------------------------------------

    def _note(self, what: str) -> None:
        self.log.append((at(), what))

    def _up(self) -> None:
        if not self.revived and any(begin <= at() < end for begin, end in self.habits.outages):
            raise ServerError(DOWN)

    def _there(self) -> list[Loaded]:
        downs = [START_NS + round(begin * 1e9) for begin, _ in self.habits.outages]
        self.loaded = [
            one
            for one in self.loaded
            if (one.gone_ns is None or now() < one.gone_ns)
            and not any(one.since_ns < down <= now() for down in downs)
        ]
        return self.loaded

    async def _load(self, cell: Cell) -> int:
        began = now()
        async with self._loading:
            if any(_serves(one, cell) for one in self._there()):
                return 0
            self.loaded = [one for one in self._there() if one.resident.name != cell.model]
            await self._pass(self.habits.load_ns)
            if self.habits.room is not None and cell.num_ctx > self.habits.room:
                raise _NoRoomError
            given = min(cell.num_ctx, self.habits.clamp or cell.num_ctx)
            if self.habits.intruder is not None:
                self.put(self.habits.intruder)
            self.put(cell.model, vram=self.habits.vram)
            mine = self.loaded[-1]
            mine.resident = replace(mine.resident, digest=self.habits.digest, context_length=given)
            mine.num_ctx, mine.options = cell.num_ctx, load_key(cell)[2]
            return now() - began

    async def _pass(self, span_ns: int) -> None:
        until = now() + span_ns
        downs = [START_NS + round(begin * 1e9) for begin, _ in self.habits.outages]
        death = min((down for down in downs if now() <= down < until), default=None)
        await sleep_until(until if death is None else death)
        if death is not None:
            await self._die()

    async def _die(self) -> None:
        raise _DiedError


def _serves(loaded: Loaded, cell: Cell) -> bool:
    """Whether a server takes what is loaded for the cell: like Ollama's, it does not miss a num_gpu that is dropped."""
    asked, has = dict(load_key(cell)[2]), dict(loaded.options)
    if "num_gpu" not in asked:
        has.pop("num_gpu", None)
    same = loaded.resident.name == cell.model and loaded.num_ctx == cell.num_ctx and has == asked
    return same and loaded.gone_ns is None
