"""One HTTP/1.1 response (RFC 9112) into a Trace, however its bytes are cut."""

from typing import Any

import httptools

from olbench.apis.stamps import Trace

MOST_HEAD = 64 * 1024
MOST_BODY = 256 * 1024 * 1024
MOST_HELD = 64 * 1024
CHUNKED = b"\r\ntransfer-encoding: chunked"
END = b"\r\n\r\n"  # what a chunked response ends with, and no line of JSON


class NotHttpError(Exception):
    """The bytes that came are not an HTTP response, or one beyond all bounds."""


class _TooLargeError(Exception):
    pass


class Response:
    """A response that is coming. `headed` and `done` say how far it is, `keep` whether the connection outlives it.

    Where the body comes in chunks and nobody waits for its pieces, receives are held, from the first one on, and parsed
    in one go when the last one looks like the end: a parser that runs between two tokens of another stream delays
    that stream's stamp.
    """

    __slots__ = (
        "_bare",
        "_bytes",
        "_head_bytes",
        "_held",
        "_held_bytes",
        "_interim",
        "_lazy",
        "_parser",
        "_sized",
        "_stamp",
        "_trace",
        "_watched",
        "done",
        "headed",
        "keep",
    )

    def __init__(self, trace: Trace, *, watched: bool = False) -> None:
        """A response of which nothing has come; `watched`: somebody waits for every piece of its body."""
        self._trace = trace
        self._watched = watched
        self._lazy = False
        self._held: list[tuple[bytes, int, bool]] = []
        self._held_bytes = 0
        self._bytes = 0
        self._bare = 0
        self._head_bytes = 0
        self._stamp = 0
        self._interim = False
        self._sized = False
        self.headed = False
        self.done = False
        self.keep = False
        self._parser: Any = None  # made when it is needed: not while requests leave

    def take(self, data: bytes, stamp: int, *, stamped: bool) -> None:
        """One receive and when it came; `stamped`: by the source that the trace names. Raises NotHttpError."""
        if self._lazy or (not self._bytes and not self._watched and _comes_in_chunks(data)):
            self._lazy = True
            self._held.append((data, stamp, stamped))
            self._held_bytes += len(data)
            if len(data) >= len(END) and data[-4:] != END and self._held_bytes < MOST_HELD:
                return
            self.flush()
        else:
            self._feed(data, stamp, stamped=stamped)

    def flush(self) -> None:
        """Parse what is held. Raises NotHttpError."""
        held, self._held, self._held_bytes = self._held, [], 0
        for data, stamp, stamped in held:
            if self.done:
                self.keep = False
                return
            self._feed(data, stamp, stamped=stamped)

    def ended(self) -> bool:
        """The connection has ended: whether the response is whole by that. Raises NotHttpError."""
        self.flush()
        # A response without length or chunks ends with the connection (RFC 9112, 6.3, rule 8).
        if self.headed and not self._sized:
            self.done = True
            self.keep = False
        return self.done

    def _feed(self, data: bytes, stamp: int, *, stamped: bool) -> None:
        trace = self._trace
        before = trace.size
        self._stamp = stamp
        self._bytes += len(data)
        if self.done:
            raise NotHttpError("bytes came after the end of the response")
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)
        try:
            self._parser.feed_data(data)
            self._bound(0 if trace.size != before else len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, _TooLargeError) as fault:
            if not self.done:
                raise NotHttpError(_sentence(fault)) from fault
            self.keep = False  # the response is whole; what follows it is not ours
        finally:
            if self.done:
                # Each knows the other: the body would stay until the next garbage collection.
                self._parser = None
            if trace.size != before:
                if not stamped:
                    trace.unstamped.append(len(trace.marks) // 2)
                trace.marks.append(stamp)
                trace.marks.append(trace.size)

    def _bound(self, bare: int) -> None:
        # The parser keeps a field, of the head or behind the last chunk, until it is whole: it copies what it has of it
        # at each receive.
        self._bare = self._bare + bare if bare else 0
        if self._bare > MOST_HEAD:
            raise _TooLargeError(
                "the response goes on for more than 64 KiB without a byte of body"
                if self.headed
                else "the response's head is larger than 64 KiB"
            )
        if self._bytes - self._trace.size > MOST_BODY:
            raise _TooLargeError("the response has more than 256 MiB around its body")

    # --- httptools' callbacks --------------------------------------------------------------------------------

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, or a trailer."""
        if self.done:
            return
        self._trace.headers.append((name, value))
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MOST_HEAD:
            raise _TooLargeError("the response's head is larger than 64 KiB")
        if not self.headed:
            self._frame(name.lower(), value.lower())

    def _frame(self, name: bytes, value: bytes) -> None:
        # A coding other than chunked at the end of the list ends with the connection (RFC 9112, 6.3, rule 4).
        if name == b"content-length":
            self._sized = True
        elif name == b"transfer-encoding":
            self._sized = value.rstrip().endswith(b"chunked")
            self._lazy = self._sized and not self._watched

    def on_headers_complete(self) -> None:
        """The head is whole; 1xx heads only announce another one (RFC 9110, 15.2)."""
        if self.done:
            return
        trace = self._trace
        status = self._parser.get_status_code()
        self._interim = 100 <= status < 200
        if self._interim:
            trace.headers.clear()
            self._sized = self._lazy = False
            return
        self._sized |= status in (204, 304)
        self.keep = self._parser.should_keep_alive()
        self.headed = True
        trace.status = status
        trace.head_ns = self._stamp

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        if self.done:
            return
        trace = self._trace
        trace.parts.append(data)
        trace.size += len(data)
        if trace.size > MOST_BODY:
            raise _TooLargeError("the response's body is larger than 256 MiB")

    def on_message_begin(self) -> None:
        """A second response behind the first is nothing that was asked for."""
        if self.done:
            self.keep = False

    def on_message_complete(self) -> None:
        """The response is whole."""
        if not self._interim:
            self.done = True


def _comes_in_chunks(data: bytes) -> bool:
    """Whether a whole head says so at first glance; the parser has the last word."""
    head, end, _ = data.partition(END)
    return bool(end) and CHUNKED in head.lower()


def _sentence(fault: BaseException) -> str:
    # httptools wraps what a callback raised.
    cause: Any = fault.__context__ if isinstance(fault.__context__, _TooLargeError) else fault
    return str(cause) if isinstance(cause, _TooLargeError) else f"the answer is not HTTP: {cause}"
