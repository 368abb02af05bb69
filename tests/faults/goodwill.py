"""Ordinary clients that go on as fast as they are served, and how that went."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Event, Lock, Thread

from .ledger import Ledger, recognise
from .server import Server
from .subject import PASSWORD, USERS
from .wire import Gone, Refused, SMTPWire

#: Seconds that a message may need, before it counts as never.
PATIENCE = 60.0


@dataclass(frozen=True)
class Done:
    """A message that has arrived: when, and how long that took."""

    at: float
    seconds: float


@dataclass(frozen=True)
class Window:
    """A time.

    :ivar worked: seconds that the server's processors have worked in it.
    """

    begin: float
    end: float
    worked: float


@dataclass(frozen=True)
class Pace:
    """How it went for a while.

    :ivar rate: messages per second.
    :ivar p99: seconds that 99 of 100 took at most.
    :ivar work: seconds that the server's processors have worked for each.
    """

    rate: float
    p99: float
    work: float

    def __str__(self) -> str:
        p99, work = self.p99 * 1000, self.work * 1000
        return f"{self.rate:.0f} a second, p99 {p99:.0f} ms, work {work:.2f} ms"


class Goodwill:
    """Clients of two kinds.

    Some deliver to users here.  The others send what has to leave, and wait until it
    has arrived before they send again.  They take turns, as otherwise one kind would
    have more because the other has less.

    :param elsewhere: addresses of others.
    :ivar delivered: by the first kind, *sent*: by the second.
    :ivar unheard: messages that have not arrived within :data:`PATIENCE`.
    :ivar refusals: what was said that was no yes.
    """

    def __init__(
        self, server: Server, ledger: Ledger, clients: int, elsewhere: Sequence[str]
    ) -> None:
        self._server = server
        self._ledger = ledger
        self._elsewhere = elsewhere
        self._stopping = Event()
        self._delivering, self._sending = Event(), Event()
        self._lock = Lock()
        self._waiting: dict[int, Event] = {}
        self.delivered: list[Done] = []
        self.sent: list[Done] = []
        self.unheard: list[int] = []
        self.refusals: list[str] = []
        self._threads = [
            Thread(target=self._guard, args=(work, number), daemon=True)
            for number in range(clients)
            for work in (self._deliver, self._send)
        ]

    def start(self) -> None:
        """All begin."""
        for thread in self._threads:
            thread.start()

    def deliver(self) -> None:
        """Now it is the first kind's turn."""
        self._sending.clear()
        self._delivering.set()

    def send(self) -> None:
        """Now it is the second kind's turn."""
        self._delivering.clear()
        self._sending.set()

    def stop(self) -> None:
        """Return when each has its answer."""
        self._stopping.set()
        self._delivering.set()
        self._sending.set()
        for thread in self._threads:
            thread.join()

    def heard(self, message: bytes) -> None:
        """*message* has arrived elsewhere."""
        number, _ = recognise(self._ledger, message)
        with self._lock:
            event = self._waiting.pop(number, None)
        if event is not None:
            event.set()

    def _guard(self, work: Callable[[int], None], number: int) -> None:
        try:
            work(number)
        except (OSError, Gone, Refused) as error:
            self.refusals.append(f"{type(error).__name__}: {error}")

    def _may_go_on(self, turn: Event) -> bool:
        """Wait for the turn.  -> whether it is not over yet"""
        turn.wait()
        return not self._stopping.is_set()

    def _deliver(self, client: int) -> None:
        with closing(SMTPWire(self._server.ports.smtp)) as wire:
            while self._may_go_on(self._delivering):
                began = time.monotonic()
                number, data = self._ledger.new_message()
                user = USERS[number % len(USERS)]
                wire.mail("sender@example.net", [user], data)
                ended = time.monotonic()
                self.delivered.append(Done(ended, ended - began))

    def _send(self, client: int) -> None:
        with closing(SMTPWire(self._server.ports.submission)) as wire:
            wire.log_in(USERS[0], PASSWORD, False)
            while self._may_go_on(self._sending):
                began = time.monotonic()
                number, data = self._ledger.new_message()
                arrival = self._waiting[number] = Event()
                recipient = self._elsewhere[number % len(self._elsewhere)]
                wire.mail(USERS[0], [recipient], data)
                self._ledger.acknowledge(number)
                if not arrival.wait(PATIENCE):
                    self.unheard.append(number)
                elif not self._stopping.is_set():
                    ended = time.monotonic()
                    self.sent.append(Done(ended, ended - began))


def pace(done: Sequence[Done], windows: Sequence[Window]) -> Pace:
    """How it went within *windows*."""
    times = sorted(
        each.seconds
        for each in done
        if any(window.begin <= each.at < window.end for window in windows)
    )
    if not times:
        return Pace(0.0, float("inf"), float("inf"))
    length = sum(window.end - window.begin for window in windows)
    work = sum(window.worked for window in windows)
    number = len(times)
    return Pace(number / length, times[number * 99 // 100], work / number)
