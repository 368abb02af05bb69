"""Clients that send next to nothing, and stay."""

from __future__ import annotations

import selectors
import socket
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event, Thread

from .server import Server
from .subject import HOST, PASSWORD, USERS


@dataclass(frozen=True)
class Habit:
    """What such a client does.

    :ivar opening: what it answers the server with, one after the other.
    :ivar octets: what it then sends, one at a time, again and again.
    """

    name: str
    port: int
    opening: tuple[bytes, ...] = ()
    octets: bytes = b"NOOP "


def habits_of(server: Server) -> list[Habit]:
    """Half a command, half a message: by SMTP, IMAP and POP3."""
    hello = b"EHLO slow.example.net\r\n"
    transaction = f"MAIL FROM:<s@example.net>\r\nRCPT TO:<{USERS[0]}>\r\nDATA\r\n"
    smtp = hello, transaction.encode()
    append = f'a LOGIN "{USERS[0]}" "{PASSWORD}"\r\nb APPEND INBOX {{90000}}\r\n'
    imap = (append.encode(),)
    return [
        Habit("half a command of SMTP", server.ports.smtp),
        Habit("half a message by SMTP", server.ports.smtp, smtp, b"slow "),
        Habit("half a command of IMAP", server.ports.imap),
        Habit("half a message by IMAP", server.ports.imap, imap, b"slow "),
        Habit("half a command of POP3", server.pop3),
    ]


@dataclass
class _Client:
    habit: Habit
    connection: socket.socket
    began: float
    heard: int = 0
    sent: int = 0


@dataclass
class Crawlers:
    """The clients.  Whoever is sent away comes back at once.

    :ivar lives: the longest time that one was let stay, by habit.
    :ivar ended: how many were sent away, by habit.
    """

    habits: Sequence[Habit]
    number: int
    pace: float
    lives: dict[str, float] = field(default_factory=dict)
    ended: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stopping = Event()
        self._selector = selectors.DefaultSelector()
        self._clients: dict[int, _Client] = {}
        self._thread = Thread(target=self._crawl, daemon=True)

    def start(self) -> None:
        """All come."""
        for number in range(self.number):
            self._come(self.habits[number % len(self.habits)])
        self._thread.start()

    def stop(self) -> None:
        """All go, whether they were sent away or not."""
        self._stopping.set()
        self._thread.join()
        for client in self._clients.values():
            self._note(client)
            client.connection.close()
        self._selector.close()

    @property
    def present(self) -> int:
        """How many are there."""
        return len(self._clients)

    def _come(self, habit: Habit) -> None:
        connection = socket.create_connection((HOST, habit.port), 10)
        connection.setblocking(False)
        client = _Client(habit, connection, time.monotonic())
        self._clients[connection.fileno()] = client
        self._selector.register(connection, selectors.EVENT_READ)

    def _crawl(self) -> None:
        while not self._stopping.is_set():
            for key, _ in self._selector.select(0.1):
                self._hear(self._clients[key.fd])
            now = time.monotonic()
            for client in list(self._clients.values()):
                is_open = client.heard >= len(client.habit.opening)
                if is_open and now >= client.began + (client.sent + 0.1) * self.pace:
                    self._send(client)

    def _hear(self, client: _Client) -> None:
        try:
            data = client.connection.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._end(client)
        elif client.heard < len(client.habit.opening):
            client.connection.send(client.habit.opening[client.heard])
            client.heard += 1

    def _send(self, client: _Client) -> None:
        octets = client.habit.octets
        which = client.sent % len(octets)
        client.sent += 1
        try:
            client.connection.send(octets[which : which + 1])
        except OSError:
            self._end(client)

    def _end(self, client: _Client) -> None:
        del self._clients[client.connection.fileno()]
        self._selector.unregister(client.connection)
        client.connection.close()
        self._note(client)
        self.ended[client.habit.name] += 1
        if not self._stopping.is_set():
            self._come(client.habit)

    def _note(self, client: _Client) -> None:
        name, life = client.habit.name, time.monotonic() - client.began
        self.lives[name] = max(life, self.lives.get(name, 0.0))
