"""A mail server that takes everything and keeps it in memory."""

from __future__ import annotations

import socketserver
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread

from .subject import HOST


class Sink:
    """Listens on a free port.

    :param heard: called with each message, in a thread of its session.
    :param answer: what is said to a message, likewise.
    :ivar messages: all that came, without what transparency adds.
    """

    def __init__(
        self,
        heard: Callable[[bytes], object] = lambda message: None,
        answer: Callable[[bytes], bytes] = lambda message: b"250 2.0.0 taken",
    ) -> None:
        self.messages: list[bytes] = []
        self._lock = Lock()
        sink = self

        class Session(_Session):
            def keep(self, message: bytes) -> bytes:
                with sink._lock:
                    sink.messages.append(message)
                heard(message)
                return answer(message)

        self._server = _Server((HOST, 0), Session)
        self.port: int = self._server.server_address[1]
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 100


class _Session(socketserver.StreamRequestHandler):
    # Else each answer would wait until the one before is acknowledged.
    disable_nagle_algorithm = True

    def keep(self, message: bytes) -> bytes:
        """A message has come.  -> what is said to it"""
        raise NotImplementedError

    def handle(self) -> None:
        # Whoever sends may die at any time.
        with suppress(OSError):
            self._converse()

    def _converse(self) -> None:
        self._say(b"220 sink ESMTP")
        while line := self.rfile.readline(4096):
            verb = line[:4].upper()
            if verb == b"DATA":
                self._say(b"354 go on")
                message = self._data()
                if message is None:
                    return
                self._say(self.keep(message))
            elif verb == b"QUIT":
                self._say(b"221 2.0.0 bye")
                return
            elif verb == b"EHLO":
                self._say(b"250-sink\r\n250-8BITMIME\r\n250 PIPELINING")
            else:
                self._say(b"250 2.0.0 ok")

    def _data(self) -> bytes | None:
        """A message, or ``None`` where the connection ends before it does."""
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return None
            lines.append(line.removeprefix(b"."))
        return b"".join(lines)

    def _say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")
