"""Mail servers that stop in the middle of a session, and say nothing more."""

from __future__ import annotations

import os
import select
import socket
import time
from collections import Counter
from collections.abc import Callable
from enum import Enum
from threading import Thread

#: Octets that a server which stalls has room for, and of a segment.
ROOM, SEGMENT = 4096, 536
_HUNG_UP = select.POLLHUP | select.POLLERR


class Stall(Enum):
    """Where it stops."""

    CONNECT = "connect"
    BANNER = "banner"
    HELLO = "hello"
    CONTENT = "content"
    END = "end"


class _Session:
    """One connection.

    :ivar since: when it stopped.
    """

    def __init__(self, connection: socket.socket, stall: Stall) -> None:
        self.connection = connection
        self.stall = stall
        self.since = 0.0
        self.rest = b""
        self.message: list[bytes] | None = None


class StallingServers:
    """Some of each kind, each at an address of its own.

    :param address: where the server of that kind and number is.
    :param keep: called with each message that came to its end.
    :ivar stalls: whether they do; else they take what they are given.
    :ivar stalled: how many sessions have stopped, by kind; *holding*: that are still
        open.
    :ivar held: seconds that each session was open after it had stopped, by kind.
    """

    def __init__(
        self,
        number: int,
        port: int,
        address: Callable[[Stall, int], str],
        keep: Callable[[bytes], object],
    ) -> None:
        self._keep = keep
        self.stalls = True
        self.stalled: Counter[Stall] = Counter()
        self.held: dict[Stall, list[float]] = {stall: [] for stall in Stall}
        self._poll = select.poll()
        self._sessions: dict[int, _Session] = {}
        self._listeners: dict[int, tuple[socket.socket, Stall]] = {}
        self._fillers: list[socket.socket] = []
        for stall in Stall:
            for which in range(number):
                self._listen(stall, (address(stall, which), port))
        self._wake, self._woken = os.pipe()
        self._poll.register(self._wake, select.POLLIN)
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _listen(self, stall: Stall, where: tuple[str, int]) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # What a session does not read must not fit between the two; who sends makes
        # room for some segments, which are large on the loopback.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT)
        listener.bind(where)
        listener.setblocking(False)
        listener.listen(0 if stall is Stall.CONNECT else 100)
        self._listeners[listener.fileno()] = listener, stall
        if stall is not Stall.CONNECT:
            self._poll.register(listener.fileno(), select.POLLIN)
            return
        for _ in range(2):
            # Whoever comes behind these hears nothing at all.
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(where)
            self._fillers.append(filler)

    @property
    def holding(self) -> int:
        return sum(1 for each in list(self._sessions.values()) if each.since)

    def recover(self) -> None:
        """Be well from now on."""
        self.stalls = False
        for filler in self._fillers:
            filler.close()
        for listener, _ in self._listeners.values():
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 0)
        os.write(self._woken, b"x")

    def close(self) -> None:
        """End them."""
        os.close(self._woken)
        self._thread.join()
        os.close(self._wake)
        for listener, _ in self._listeners.values():
            listener.close()
        for session in self._sessions.values():
            session.connection.close()
        for filler in self._fillers:
            filler.close()

    def _serve(self) -> None:
        while True:
            for number, event in self._poll.poll():
                if number == self._wake:
                    if not os.read(number, 1):
                        return
                    for each in self._listeners:
                        self._poll.register(each, select.POLLIN)
                elif number in self._listeners:
                    self._accept(*self._listeners[number])
                elif number in self._sessions:
                    self._hear(self._sessions[number], event)

    def _accept(self, listener: socket.socket, stall: Stall) -> None:
        try:
            connection = listener.accept()[0]
        except OSError:
            return
        connection.setblocking(False)
        session = _Session(connection, stall)
        self._sessions[connection.fileno()] = session
        self._poll.register(connection.fileno(), select.POLLIN)
        if not self._stop_at(session, Stall.BANNER):
            self._say(session, b"220 stalling ESMTP")

    def _stop_at(self, session: _Session, stall: Stall) -> bool:
        """-> whether it stops here"""
        if not self.stalls or session.stall is not stall:
            return False
        session.since = time.monotonic()
        self.stalled[stall] += 1
        if stall is Stall.CONTENT:
            self._poll.modify(session.connection.fileno(), 0)
        return True

    def _hear(self, session: _Session, event: int) -> None:
        data = b""
        if event & select.POLLIN or not event & _HUNG_UP:
            try:
                data = session.connection.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError:
                data = b""
        if not data:
            self._forget(session)
            return
        if session.since:
            return
        *lines, session.rest = (session.rest + data).split(b"\r\n")
        for line in lines:
            self._take(session, line)

    def _forget(self, session: _Session) -> None:
        number = session.connection.fileno()
        self._poll.unregister(number)
        del self._sessions[number]
        session.connection.close()
        if session.since:
            self.held[session.stall].append(time.monotonic() - session.since)

    def _take(self, session: _Session, line: bytes) -> None:
        if session.message is not None:
            self._take_content(session, session.message, line)
            return
        verb = line[:4].upper()
        if verb == b"EHLO" and self._stop_at(session, Stall.HELLO):
            return
        if verb == b"DATA":
            session.message = []
            self._say(session, b"354 go on")
            self._stop_at(session, Stall.CONTENT)
        elif verb == b"QUIT":
            self._say(session, b"221 2.0.0 bye")
        else:
            self._say(session, b"250 2.0.0 ok")

    def _take_content(
        self, session: _Session, message: list[bytes], line: bytes
    ) -> None:
        if line != b".":
            message.append(line.removeprefix(b"."))
            return
        session.message = None
        self._keep(b"\r\n".join([*message, b""]))
        if not self._stop_at(session, Stall.END):
            self._say(session, b"250 2.0.0 taken")

    def _say(self, session: _Session, line: bytes) -> None:
        try:
            session.connection.send(line + b"\r\n")
        except OSError:
            return  # who is gone will be noticed
