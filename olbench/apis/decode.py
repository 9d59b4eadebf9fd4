"""A reply of /api/generate or /api/chat into a Sample, after the cell. Pure."""

from array import array

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
    Ints,
    Outcome,
    Sample,
)
from olbench.ports import Reply, Wire


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
        head_ns=reply.head_ns,
        end_ns=reply.end_ns,
        stamps=reply.stamps,
        streamed=wire.streamed,
        chunks=read.chunks(),
        counts=read.counts,
        text="".join(read.text),
        thinking="".join(read.thinking),
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
        whole = reply.fault is None
        stamped = list(lines(reply.body, reply.marks, reply.unstamped))
        for number, one in enumerate(stamped, 1):
            try:
                decoded = line(one.text)
            except ValueError as fault:
                if not whole and number == len(stamped):
                    return None  # the stream broke in the middle of this line: cut off, not garbage
                if whole and number == len(stamped) and one.text.startswith(b"{") and number > 1:
                    return "cut_off", "the stream ended in the middle of a line"
                return "stream_error", f"line {number} is not what the API sends: {fault}"
            if decoded.error is not None:
                words = said(decoded.error)
                return of_words(words, "stream_error"), words
            self._add(decoded, one)
        return None

    def _add(self, decoded: Line, came: StampedLine) -> None:
        _, stamp_ns, coalesced, unstamped = came
        bits = (COALESCED if coalesced else 0) | (UNSTAMPED if unstamped else 0)
        if answer := decoded.answer():
            bits |= TEXT
            self.text.append(answer)
        if thought := decoded.thought():
            bits |= THINKING
            self.thinking.append(thought)
        self.arrived.append(stamp_ns)
        self.created.append(unix_ns(decoded.created_at))
        self.kind.append(bits | FINAL if decoded.done else bits)
        if decoded.done:
            self.counts = Counts(
                total_ns=decoded.total_duration,
                load_ns=decoded.load_duration,
                prompt_eval_count=decoded.prompt_eval_count,
                prompt_eval_ns=decoded.prompt_eval_duration,
                cached_count=decoded.prompt_eval_cached_count,
                eval_count=decoded.eval_count,
                eval_ns=decoded.eval_duration,
                done_reason=decoded.done_reason,
            )

    def chunks(self) -> Chunks:
        return Chunks(self.arrived, self.created, bytes(self.kind)) if self.kind else NO_CHUNKS


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
