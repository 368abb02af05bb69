"""Clients that send and read while workers come and go."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

from .fleet import USER, Client, Fleet, until

MESSAGE = b"Subject: x\r\n\r\nbody\r\n.\r\n"
#: One transaction, up to the message itself.
COMMANDS = (
    b"MAIL FROM:<a@far.example>\r\n",
    b"RCPT TO:<%s>\r\n" % USER.encode(),
    b"DATA\r\n",
)


class Load:
    """Threads that do the same again and again until they are stopped.

    :ivar faults: what should not have happened.
    :ivar done: rounds.
    :ivar taken: messages that were acknowledged.
    """

    def __init__(self, fleet: Fleet, *work: Callable[[Load], None]) -> None:
        self.fleet = fleet
        self.faults: list[str] = []
        self.done = 0
        self.taken = 0
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=[each]) for each in work
        ]

    def _run(self, work: Callable[[Load], None]) -> None:
        while not self.stopping.is_set():
            try:
                work(self)
            except OSError as error:
                self.faults.append(f"{work.__name__}: {error}")
                return
            self.done += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End, after what was begun."""
        self.stopping.set()
        for thread in self._threads:
            thread.join()

    def more(self, rounds: int) -> None:
        """Wait until *rounds* more were done."""
        goal = self.done + rounds
        until(lambda: self.done >= goal or self.faults)


def visit(load: Load) -> None:
    """Come, be greeted, and go."""
    with load.fleet.connect("imap") as client:
        line = client.line()
        if not line.startswith(b"* OK "):
            load.faults.append(f"greeted with {line!r}")
        client.say(b"a LOGOUT\r\n")


def send(load: Load) -> None:
    """Send messages over one connection until the server wants no more.

    It may say so between messages, and never after MAIL.
    """
    with load.fleet.connect("smtp") as client:
        if not client.line().startswith(b"220 "):
            return
        if not client.say(b"HELO x\r\n").startswith(b"250 "):
            return
        while not load.stopping.is_set() and _transaction(load, client):
            load.done += 1


def _transaction(load: Load, client: Client) -> bool:
    try:
        if not client.say(COMMANDS[0]).startswith(b"250 "):
            return False
    except ConnectionError:
        return False  # it had gone before it heard of the message
    for text in (*COMMANDS[1:], MESSAGE):
        try:
            line = client.say(text)
        except ConnectionError as error:
            line = str(error).encode()
        if line[:1] not in (b"2", b"3"):
            load.faults.append(f"{text!r} was answered with {line!r}")
            return False
    load.taken += 1
    return True
