"""A server that takes all mail, keeps none of it, and counts.

It runs in a process of its own, so that what it costs is nobody else's.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from select import EPOLLIN, epoll
from typing import Any

_EHLO = (
    b"250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
    b"250 SIZE 100000000\r\n"
)
#: Octets that are read at a time.
_PIECE = 262_144


class _Session:
    """One client."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._input = bytearray()
        self._is_data = False
        self.taken = 0

    def serve(self) -> bool:
        """Answer what is there.  -> whether the client stays"""
        try:
            data = self.connection.recv(_PIECE)
        except OSError:
            return False
        self._input += data
        replies: list[bytes] = []
        while (reply := self._next()) is not None:
            replies.append(reply)
        try:
            self.connection.sendall(b"".join(replies))
        except OSError:
            return False
        return bool(data) and replies[-1:] != [b"221 bye\r\n"]

    def _next(self) -> bytes | None:
        """The reply to what comes next, if all of it is here."""
        held = self._input
        if self._is_data:
            end = 0 if held.startswith(b".\r\n") else held.find(b"\r\n.\r\n") + 2
            if end == 1:
                del held[: max(0, len(held) - 4)]
                return None
            del held[: end + 3]
            self._is_data = False
            self.taken += 1
            return b"250 2.0.0 ok\r\n"
        end = held.find(b"\r\n")
        if end < 0:
            return None
        verb = bytes(held[:4]).upper()
        del held[: end + 2]
        self._is_data = verb == b"DATA"
        return {
            b"DATA": b"354 go on\r\n", b"EHLO": _EHLO, b"QUIT": b"221 bye\r\n"
        }.get(verb, b"250 2.1.0 ok\r\n")  # fmt: skip


def _serve(listening: socket.socket, counter: Any, used: Any) -> None:
    waiting = epoll()
    waiting.register(listening.fileno(), EPOLLIN)
    sessions: dict[int, _Session] = {}
    while True:
        for number, _ in waiting.poll():
            if number == listening.fileno():
                connection, _ = listening.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(b"220 sink ESMTP\r\n")
                sessions[connection.fileno()] = _Session(connection)
                waiting.register(connection.fileno(), EPOLLIN)
                continue
            session = sessions[number]
            before = session.taken
            if not session.serve():
                waiting.unregister(number)
                del sessions[number]
                session.connection.close()
            counter.value += session.taken - before
        used.value = time.process_time()


class Sink:
    """The server, on loopback.

    :param port: where it listens; 0 is any free one.
    """

    def __init__(self, port: int = 0) -> None:
        listening = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.port: int = listening.getsockname()[1]
        self._counter = multiprocessing.Value("Q", 0)
        self._used = multiprocessing.Value("d", 0.0)
        self._process = multiprocessing.Process(
            target=_serve, args=(listening, self._counter, self._used), daemon=True
        )
        self._process.start()
        listening.close()

    @property
    def count(self) -> int:
        """Messages so far."""
        return int(self._counter.value)

    @property
    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return float(self._used.value)

    def stop(self) -> None:
        """End it."""
        self._process.kill()  # a reactor that was forked would keep SIGTERM to itself
        self._process.join()
