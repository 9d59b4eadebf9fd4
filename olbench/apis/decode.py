"""A reply of /api/generate or /api/chat into a Sample, after the cell. Pure."""

from array import array
from collections.abc import Sequence

from olbench.apis.outcome import of_fault, of_words
from olbench.apis.wire import Line, StampedLine, line, lines, said, unix_ns
from olbench.model import (
    COALESCED,
    FINAL,
    NO_CHUNKS,
    TEXT,
    THINKING,
    UNSTAMPED,
    Cell,
    Chunks,
    Counts,
    Outcome,
    Sample,
)
from olbench.ports import Reply, Wire
from olbench.readings import Ints


def sample(cell: Cell, wire: Wire, reply: Reply, stream: int) -> Sample:
    """Decode what came; whatever is wrong with it becomes the sample's outcome, with the server's words."""
    read = _Reading()
    failed = of_fault(reply)
    if reply.status == 200:
        told = read.take(reply)
        # An error line is the cause; that the stream broke off behind it is only its consequence.
        failed = told or failed
    if failed is None:
        failed = _ending(cell, read)
    outcome, words = failed
    return Sample(
        index=wire.request.index,
        phase=wire.request.phase,
        stream=stream,
        prompt=wire.request.prompt.name,
        outcome=outcome,
        words=words,
        status=reply.status,
        wanted_ns=reply.wanted_ns,
        sent_ns=reply.sent_ns,
        connect_ns=reply.connect_ns,
        head_ns=reply.head_ns,
        end_ns=reply.end_ns,
        stamps=reply.stamps,
        streamed=wire.streamed,
        chunks=read.chunks(),
        counts=read.counts,
        text="".join(read.text),
        thinking="".join(read.thinking),
        part=wire.request.part,
        turn=wire.request.turn,
    )


class _Reading:
    """Columns that fill line by line."""

    def __init__(self) -> None:
        self.arrived: Ints = array("q")
        self.created: Ints = array("q")
        self.kind = bytearray()
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.counts: Counts | None = None

    def take(self, reply: Reply) -> tuple[Outcome, str] | None:
        """Read all lines; the failure that they tell of, or None."""
        stamped = list(lines(reply.body, reply.marks, reply.unstamped))
        read, failed = _read([one.text for one in stamped], whole=reply.fault is None)
        # Column by column: of lines there are many thousands, and what is done for each adds up.
        came = stamped[: len(read)]
        self.arrived.extend([one.stamp_ns for one in came])
        self.created.extend([unix_ns(one.created_at) for one in read])
        self.kind += bytes(map(self._said, read, came))
        return failed

    def _said(self, one: Line, came: StampedLine) -> int:
        """The bits of a line; its words are kept."""
        bits = (COALESCED if came.coalesced else 0) | (UNSTAMPED if came.unstamped else 0)
        if answer := one.answer():
            bits |= TEXT
            self.text.append(answer)
        if thought := one.thought():
            bits |= THINKING
            self.thinking.append(thought)
        if one.done:
            bits |= FINAL
            self.counts = _counts(one)
        return bits

    def chunks(self) -> Chunks:
        return Chunks(self.arrived, self.created, bytes(self.kind)) if self.kind else NO_CHUNKS


def _read(texts: Sequence[bytes], *, whole: bool) -> tuple[list[Line], tuple[Outcome, str] | None]:
    """The lines up to the first one that is none, or that tells of a failure; and that failure."""
    read: list[Line] = []
    for text in texts:
        try:
            one = line(text)
        except ValueError as fault:
            return read, _unreadable(len(read) + 1, len(texts), text, fault, whole=whole)
        if one.error is not None:
            words = said(one.error)
            return read, (of_words(words, "stream_error"), words)
        read.append(one)
    return read, None


def _unreadable(
    number: int, count: int, text: bytes, fault: ValueError, *, whole: bool
) -> tuple[Outcome, str] | None:
    if not whole and number == count:
        return None  # the stream broke in the middle of this line: cut off, not garbage
    if whole and number == count and text.startswith(b"{") and number > 1:
        return "cut_off", "the stream ended in the middle of a line"
    return "stream_error", f"line {number} is not what the API sends: {fault}"


def _counts(final: Line) -> Counts:
    return Counts(
        total_ns=final.total_duration,
        load_ns=final.load_duration,
        prompt_eval_count=final.prompt_eval_count,
        prompt_eval_ns=final.prompt_eval_duration,
        cached_count=final.prompt_eval_cached_count,
        eval_count=final.eval_count,
        eval_ns=final.eval_duration,
        done_reason=final.done_reason,
    )


def _ending(cell: Cell, read: _Reading) -> tuple[Outcome, str]:
    if not read.kind:
        return "cut_off", "the answer was empty"
    if read.counts is None:
        return "cut_off", "the stream ended without done:true"
    if read.counts.done_reason in ("load", "unload"):
        return "stream_error", f"the server took the request for a mere {read.counts.done_reason}"
    made = read.counts.eval_count
    if made is None and not any(read.text) and not any(read.thinking):
        made = 0  # which servers leave out
    if made is not None and made < cell.output_tokens:
        return "short", ""
    return "ok", ""
