"""Many scripted clients at once, in one process and one loop.

A script is a generator.  It yields what to send (``bytes``, a list of them, or
``None``) and a function that says whether the answer is complete; it is resumed
with the answer, a ``bytearray``.  What it first yields waits for the greeting.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator

Output = bytes | list[bytes] | None
IsComplete = Callable[[bytearray], bool]
Script = Generator[tuple[Output, IsComplete], bytearray, None]

#: Octets read at once.
CHUNK = 262_144
#: Clients that may fail before no more are begun.
MOST_FAILURES = 1000


class _Client:
    __slots__ = ("buffer", "is_complete", "output", "script", "socket")

    def __init__(self, address: tuple[str, int], script: Script) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.script = script
        self.buffer = bytearray()
        self.output: list[bytes | memoryview] = []
        _, self.is_complete = next(script)

    def send(self) -> bool:
        """Send what is waiting; whether all of it went."""
        while self.output:
            first = self.output[0]
            try:
                sent = self.socket.send(first)
            except BlockingIOError:
                return False
            if sent == len(first):
                del self.output[0]
            else:
                self.output[0] = memoryview(first)[sent:]
        return True

    def receive(self) -> bool:
        """Read, and go on with the script; whether all that it says went.

        :raises StopIteration: the script has come to its end.
        :raises EOFError: the server has closed the connection before.
        """
        data = self.socket.recv(CHUNK)
        if not data:
            raise EOFError
        self.buffer += data
        if not self.is_complete(self.buffer):
            return True
        answer, self.buffer = self.buffer, bytearray()
        output, self.is_complete = self.script.send(answer)
        if output:
            self.output = list(output) if isinstance(output, list) else [output]
        return self.send()


class Crowd:
    """Keeps a number of scripts going until there are no more.

    :ivar failures: clients that were cut off, refused, or never finished.
    """

    def __init__(self, address: tuple[str, int], scripts: Iterable[Script]) -> None:
        self._address = address
        self._scripts: Iterator[Script] = iter(scripts)
        self._poll = select.epoll()
        self._clients: dict[int, _Client] = {}
        self.failures = 0

    def run(self, at_once: int, seconds: float) -> int:
        """Run all scripts, *at_once* at a time; how many clients failed.

        Those not done after *seconds* are cut off.
        """
        end = time.monotonic() + seconds
        for _ in range(at_once):
            self._begin()
        while self._clients and time.monotonic() < end:
            for number, events in self._poll.poll(1.0):
                client = self._clients.get(number)
                if client is not None:
                    self._serve(number, client, events)
        self.failures += len(self._clients)
        for number in list(self._clients):
            self._close(number)
        self._poll.close()
        return self.failures

    def _begin(self) -> None:
        script = next(self._scripts, None)
        if script is None or self.failures >= MOST_FAILURES:
            return
        try:
            client = _Client(self._address, script)
        except OSError:
            self.failures += 1
            return
        number = client.socket.fileno()
        self._clients[number] = client
        self._poll.register(number, select.EPOLLIN)

    def _serve(self, number: int, client: _Client, events: int) -> None:
        try:
            if events & select.EPOLLOUT and client.send():
                self._poll.modify(number, select.EPOLLIN)
            if events & ~select.EPOLLOUT and not client.receive():
                self._poll.modify(number, select.EPOLLIN | select.EPOLLOUT)
        except (StopIteration, EOFError, OSError) as error:
            self.failures += not isinstance(error, StopIteration)
            self._close(number)
            self._begin()

    def _close(self, number: int) -> None:
        self._poll.unregister(number)
        client = self._clients.pop(number)
        client.script.close()
        client.socket.close()
