"""TLS over a socket that we read ourselves: the stamp is that of the encrypted bytes, as the kernel gave it."""

import asyncio
import socket
import ssl


class Tls:
    """The two ends of one TLS connection, in memory. Records in, plain bytes out, and the other way."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        """A client's side that will speak to `host`."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)

    async def shake(self, sock: socket.socket) -> None:
        """The handshake on a connected, non-blocking socket. Raises OSError (ssl.SSLError is one)."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(sock, self._outgoing.read())
                data = await loop.sock_recv(sock, 65536)
                if not data:
                    raise ConnectionResetError(
                        "the server closed the connection in the TLS handshake"
                    ) from None
                self._incoming.write(data)
            else:
                await loop.sock_sendall(sock, self._outgoing.read())
                return

    def sealed(self, data: bytes) -> bytes:
        """What to send so that `data` arrives."""
        self._object.write(data)
        return self._outgoing.read()

    def opened(self, data: bytes) -> tuple[bytes, bool]:
        """What the records that are whole by now say, and whether they were the last. Raises OSError at garbage."""
        self._incoming.write(data)
        parts: list[bytes] = []
        try:
            while part := self._object.read(65536):
                parts.append(part)
        except ssl.SSLWantReadError:
            return b"".join(parts), False
        except ssl.SSLZeroReturnError:
            pass
        return b"".join(parts), True

    def owed(self) -> bytes:
        """What the protocol itself wants sent after a read (a key update's answer); mostly nothing."""
        return self._outgoing.read() if self._outgoing.pending else b""
