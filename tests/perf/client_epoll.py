"""What Python can do at best without the kernel's stamps: bare sockets, select.epoll, httptools, no event loop."""

import select
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httptools
from job import COALESCED, Heard, Job, Said, now


def run(job: Job) -> Said:
    """Run it; there are no paced loads here, for epoll waits in whole milliseconds."""
    if job.rate is not None:
        raise ValueError("this client has no paced load")
    parts = urlsplit(job.url)
    head = f"POST /api/generate HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
    waiting = iter([f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in job.bodies()])
    heard: list[Heard] = []
    before = time.process_time_ns()
    _loop((str(parts.hostname), parts.port or 80), job.streams, waiting, heard)
    return Said(heard, time.process_time_ns() - before, now(), None)


def _loop(address: tuple[str, int], streams: int, waiting: Iterator[bytes], heard: list[Heard]) -> None:
    began = now()
    with select.epoll() as poll:
        running: dict[int, _Stream] = {}
        for _ in range(streams):
            stream = _Stream(address, waiting, heard)
            if stream.send(began):
                running[stream.sock.fileno()] = stream
                poll.register(stream.sock, select.EPOLLIN)
        while running:
            for number, _ in poll.poll():
                if not running[number].receive():
                    poll.unregister(number)
                    running.pop(number).sock.close()


class _Stream:
    """One connection: sends its next request when its last is answered."""

    def __init__(self, address: tuple[str, int], waiting: Iterator[bytes], heard: list[Heard]) -> None:
        self.sock = socket.create_connection(address)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.setblocking(False)
        self._waiting = waiting
        self._heard = heard
        self._fresh = True

    def send(self, wanted_ns: int) -> bool:
        """Send the next request; False when there is none left."""
        request = next(self._waiting, None)
        if request is None:
            return False
        self._now = Heard(wanted_ns, self._fresh)
        self._fresh = False
        self._heard.append(self._now)
        self._parser = httptools.HttpResponseParser(self)
        self._rest = b""
        self._done = False
        self._now.sent_ns = now()
        if self.sock.send(request) < len(request):
            raise OSError("the socket did not take a request of a few KiB at once")
        return True

    def receive(self) -> bool:
        """Take in what has come; False when the stream is at its end."""
        data = self.sock.recv(65536)
        self._stamp = now()
        if not data:
            return False
        self._body: list[bytes] = []
        self._parser.feed_data(data)
        *lines, self._rest = (self._rest + b"".join(self._body)).split(b"\n")
        for place, line in enumerate(lines, 1):
            self._now.hear(line, self._stamp, COALESCED if place < len(lines) or self._rest else 0)
        return not self._done or self.send(now())

    def on_body(self, body: bytes) -> None:
        """httptools: a piece of the body."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """httptools: the response is whole."""
        self._done = True
