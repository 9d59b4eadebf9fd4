"""A cell under a load: who asks for what, when, and in which words."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from olbench import arrival, drive, workload
from olbench.ahead import Ahead
from olbench.arrival import Arrival, Load, Talk
from olbench.bench import Terms
from olbench.clock import now
from olbench.drive import Question
from olbench.hopeless import Outlook
from olbench.model import Cell, Message, Phase, Prompt, Request, Sample
from olbench.ports import Api, Wire
from olbench.voices import Voices


@dataclass(frozen=True, slots=True)
class Call:
    """One request of an open loop."""

    due_ns: int  # from the beginning
    phase: Phase
    part: int
    entry: Arrival | None  # of the trace, that it replays


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """All that one visit sends by, and with."""

    api: Api
    cell: Cell
    load: Load
    terms: Terms
    repeat: int
    first: int  # index of the first request
    voices: Voices
    stop: asyncio.Event
    outlook: Outlook

    @property
    def seed(self) -> str:
        """The same for all loads: what comes at one rate comes at another, only faster."""
        return f"{self.terms.seed}/{self.repeat}"

    @property
    def weights(self) -> tuple[float, ...]:
        """Of the parts."""
        return tuple(one.weight for one in self.cell.mix) or (1.0,)

    def nonce(self, what: str) -> str:
        """Words that open a prompt which the server has never seen."""
        return workload.nonce(self.cell, self.terms.seed, self.repeat, what, self.terms.nonce)


async def sent(sending: Sending, trace: Sequence[Arrival]) -> tuple[Sample, ...]:
    """Everything that comes by the load, warm-up and measured; ends early when the outlook is lost."""
    timeout_ns, stop, outlook = sending.terms.timeout_ns, sending.stop, sending.outlook
    api = sending.api
    if sending.load.pattern == "sessions":
        people = Sessions(sending)
        return await drive.sessions(
            api,
            people.talks,
            people.ask,
            span_ns=people.span.end_ns,
            timeout_ns=timeout_ns,
            stop=stop,
            outlook=outlook,
        )
    asked = calls(sending, trace)
    ahead = Ahead(wires(sending, asked))
    await api.connect(min(drive.READY, len(asked)))  # handshakes far away take longer than the lead
    begin = now() + drive.LEAD_NS
    dues = [begin + call.due_ns for call in asked]
    taken = await drive.open_loop(api, ahead, dues, timeout_ns=timeout_ns, stop=stop, outlook=outlook)

    def cell_of(request: Request) -> Cell:
        call = asked[request.index - sending.first]
        return sending.voices.cell(call.part, call.entry)

    return drive.decoded_each(api, cell_of, taken)


def misfits(cell: Cell, trace: Sequence[Arrival]) -> tuple[str, ...]:
    """What a reader must know of a trace on this cell."""
    large = sum(entry.prompt_tokens + entry.output_tokens > cell.num_ctx for entry in trace)
    if not large:
        return ()
    note = f"{large} of {len(trace)} requests of the trace need more than num_ctx {cell.num_ctx}"
    return (f"{note}: the server may refuse them or cut their answers",)


# --- by due times -------------------------------------------------------------------------------------------------


def calls(sending: Sending, trace: Sequence[Arrival]) -> tuple[Call, ...]:
    """All requests of an open loop or a replay: warm-ups, then those that are measured."""
    terms, load = sending.terms, sending.load
    count = terms.warmup + terms.requests
    dues = arrival.dues(load, count, sending.seed, trace)
    parts = arrival.parts(sending.weights, len(dues), sending.seed)
    replayed = trace[: len(dues)] if load.pattern == "replay" else (None,) * len(dues)
    warmup = round(len(dues) * terms.warmup / count)  # a short trace keeps the proportion
    return tuple(
        Call(due, "warmup" if number < warmup else "measured", part, entry)
        for number, (due, part, entry) in enumerate(zip(dues, parts, replayed, strict=True))
    )


def wires(sending: Sending, asked: Sequence[Call]) -> Iterator[Wire]:
    """The bytes of each, made as they are asked for."""
    for number, call in enumerate(asked):
        voices = sending.voices
        cell, source = voices.cell(call.part, call.entry), voices.source(call.part, call.entry)
        prompt = source.prompt(number, sending.nonce(str(number)))
        yield _wire(sending.api, cell, Request(sending.first + number, call.phase, prompt, call.part))


def _wire(api: Api, cell: Cell, request: Request) -> Wire:
    # The words are in the bytes; ten thousand of them are not kept twice.
    wire = api.encode(cell, request)
    return replace(wire, request=replace(request, prompt=Prompt(request.prompt.name, ())))


# --- by sessions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Span:
    """How long users ask, and from when on it counts."""

    measured_ns: int
    end_ns: int

    def phase(self, due_ns: int) -> Phase:
        """Of a question that falls due then."""
        return "warmup" if due_ns < self.measured_ns else "measured"


def span(sending: Sending) -> Span:
    """The warm-up takes as large a part of it as of the questions that are expected."""
    terms = sending.terms
    count = terms.warmup + terms.requests
    end = arrival.sessions_span_ns(sending.load, count)
    return Span(end * terms.warmup // count, end)


class Sessions:
    """Users' questions. Each conversation opens with words of its own, and each turn carries all that was said."""

    def __init__(self, sending: Sending) -> None:
        """Draw all conversations."""
        self.span = span(sending)
        self.talks = arrival.talks(sending.load, self.span.end_ns, sending.weights, sending.seed)
        self._sending = sending
        self._voices = sending.voices
        self._numbers = {talk: number for number, talk in enumerate(self.talks)}
        self._history: dict[
            int, tuple[Message, ...]
        ] = {}  # of each user's conversation, with the last question

    def ask(self, talk: Talk, turn: int, said: Sequence[str], due_ns: int) -> Question:
        """The next question, with the history in which the answers are the server's own."""
        cell, source = self._voices.cell(talk.part), self._voices.source(talk.part)
        number = self._numbers[talk] * (self._sending.load.turns or 1) + turn
        # Later questions open with new words too: nobody asks the same twice.
        prompt = source.prompt(number, self._sending.nonce(f"{talk.user} {talk.start_ns} {turn}"))
        messages = prompt.messages
        if turn:
            messages = (*self._history[talk.user], Message("assistant", said[-1]), prompt.messages[-1])
        self._history[talk.user] = messages
        whole = replace(prompt, messages=messages)
        phase = self.span.phase(due_ns)
        request = Request(self._sending.first + number, phase, whole, talk.part, turn)
        return Question(cell, _wire(self._sending.api, cell, request))
