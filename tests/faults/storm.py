"""Connect far more often than the server has descriptors::

    python -m tests.faults.storm
    python -m tests.faults.storm --short
    python -m tests.faults.storm --without capacity

The server may have 1,024 descriptors (RLIMIT_NOFILE).  Ten IMAP sessions are open.
Then 5,000 clients connect within 5 seconds to all ports, from addresses all over
127.0.0.0/8, and stay.  The server must live; whoever has no place must be told so
(421, ``* BYE``, ``-ERR``; with TLS from the first octet, which nothing can be said
in, the connection is closed); the ten sessions, the administration, and the delivery
and reading of a large message on connections that were open before, must go on; five
seconds after the storm it must be as if there had been none.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from threading import Thread

from .ledger import make_message
from .program import Results, perform
from .server import Server
from .subject import HOST, USERS
from .witness import Keeper, Notes, Sender

DESCRIPTORS = 1024
CONNECTIONS, SECONDS = 5_000, 5.0
SESSIONS = 10
#: Seconds after which all is as it was.
SOON = 5.0
#: Octets that the server may have more in memory.
GROWTH = 200 * 1024 * 1024
#: What a client that came in is told first, and one that did not.
WELCOME = (b"220 ", b"* OK", b"+OK")
TURNED_AWAY = (b"421 4.7.0", b"* BYE", b"-ERR")
#: Seconds that an answer may take while the storm lasts.
PATIENCE = 5.0


class Storm:
    """Clients that only connect.

    :ivar heard: how often what was said, or ``closed`` or ``silent``.
    :ivar seconds: that connecting took.
    """

    def __init__(self, ports: list[int], number: int, seconds: float) -> None:
        self._ports = ports
        self._number = number
        self._pause = seconds / number
        self._selector = selectors.DefaultSelector()
        self._open: set[socket.socket] = set()
        self._random = Random(14)
        self.heard: Counter[str] = Counter()
        self.seconds = 0.0

    def blow(self) -> None:
        """Connect, and listen to what is said, for as long as it takes."""
        began = time.monotonic()
        for number in range(self._number):
            self._connect(self._ports[number % len(self._ports)])
            late = began + number * self._pause - time.monotonic()
            self._listen(max(0.0, late))
        self.seconds = time.monotonic() - began
        end = time.monotonic() + PATIENCE
        while self._selector.get_map() and time.monotonic() < end:
            self._listen(0.1)
        self.heard["silent"] += len(self._selector.get_map())

    def _connect(self, port: int) -> None:
        client = socket.socket()
        client.setblocking(False)
        where = f"127.{self._random.randrange(1, 255)}.{self._random.randrange(256)}.9"
        client.bind((where, 0))
        client.connect_ex((HOST, port))
        self._open.add(client)
        self._selector.register(client, selectors.EVENT_READ)

    def _listen(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            client = key.fileobj
            assert isinstance(client, socket.socket)
            self._selector.unregister(client)
            try:
                said = client.recv(200)
            except OSError:
                said = b""
            self.heard[_kind(said)] += 1

    def end(self) -> None:
        """All go away."""
        for client in self._open:
            client.close()
        self._selector.close()


def _kind(said: bytes) -> str:
    if not said:
        return "closed"
    if said.startswith(WELCOME):
        return "welcome"
    return "turned away" if said.startswith(TURNED_AWAY) else repr(said[:40])


class Guests:
    """What goes on during the storm.

    :ivar slowest: seconds of the slowest answer.
    """

    def __init__(self, server: Server) -> None:
        self.notes, self.mail = Notes(), Notes()
        self._server = server
        self._sessions = [
            Keeper(server.ports.imap, USERS[number % len(USERS)], self.notes)
            for number in range(SESSIONS)
        ]
        self._sender = Sender(server.ports.smtp, self.mail)
        self._sender.send("s@example.net", USERS[0], make_message(0))
        self.slowest = 0.0
        self.healths: Counter[int] = Counter()
        self.fetched = self.sent = 0
        self._stopping = False
        self._thread = Thread(target=self._live)

    def _live(self) -> None:
        number = 0
        for each in self._sessions:
            each.ask("SELECT INBOX")
        while not self._stopping:
            number += 1
            began = time.monotonic()
            session = self._sessions[number % SESSIONS]
            found = session.ask("UID FETCH 1 BODY.PEEK[]")
            self.fetched += len(found) > 1
            self.healths[self._server.ready()[0]] += 1
            # Every tenth message is a large one, which is a file.
            self.sent += self._sender.send(
                "s@example.net", USERS[0], make_message(number)
            )
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Return after the last answer."""
        self._stopping = True
        self._thread.join()
        self._sender.close()
        for each in self._sessions:
            each.close()


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """One storm."""
    wanted = CONNECTIONS + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    number, seconds = (2_000, 2.0) if options.short else (CONNECTIONS, SECONDS)
    results = Results()
    server = Server(
        folder / "server",
        options.without,
        resources={resource.RLIMIT_NOFILE: (DESCRIPTORS // 2, DESCRIPTORS)},
    )
    server.set_up()
    server.start()
    try:
        guests = Guests(server)
        before = server.memory()
        storm = Storm(
            [server.ports.smtp, server.ports.imap, server.pop3, server.imaps],
            number, seconds,
        )  # fmt: skip
        guests.start()
        storm.blow()
        tell(f"{number} connections in {storm.seconds:.1f} s: {dict(storm.heard)}")
        tell(f"descriptors of the server: {server.descriptors()} of {DESCRIPTORS}")
        grown = server.memory() - before
        storm.end()
        normal = _seconds_to_normal(server)
        guests.stop()
        _judge(results, server, guests, storm, grown, normal)
    finally:
        server.kill()
    return results


def _seconds_to_normal(server: Server) -> float:
    """Until new clients are served on all ports, and the server is ready."""
    began = time.monotonic()
    while time.monotonic() - began < 2 * SOON:
        notes = Notes()
        sender = Sender(server.ports.smtp, notes)
        is_taken = sender.send("s@example.net", USERS[1], make_message(1))
        sender.close()
        if is_taken and server.ready()[0] == 200 and server.descriptors() < 100:
            break
        time.sleep(0.05)
    return time.monotonic() - began


def _judge(
    results: Results,
    server: Server,
    guests: Guests,
    storm: Storm,
    grown: int,
    normal: float,
) -> None:
    heard = storm.heard
    implicit = heard["closed"]
    others = {
        said: number for said, number in heard.items()
        if said not in ("welcome", "turned away", "closed", "silent")
    }  # fmt: skip
    results.expect("the server lives", server.is_alive)
    results.expect(
        f"{heard['welcome']} were welcomed, {heard['turned away']} turned away with"
        f" words, {implicit} closed without (a quarter came for TLS), others"
        f" {others or 0}",
        heard["turned away"] > 0 and not others
        and implicit + heard["silent"] <= storm.heard.total() // 4,
    )  # fmt: skip
    notes, mail = guests.notes, guests.mail
    refused = notes.others((b"OK",)) | mail.others((b"2", b"354"))
    results.expect(
        f"{guests.fetched} FETCHes and {guests.sent} deliveries on open connections,"
        f" refused {refused or 0}, cut {len(notes.cuts + mail.cuts)}",
        guests.fetched > 0 and guests.sent > 0 and not refused
        and not notes.cuts and not mail.cuts,
    )  # fmt: skip
    results.expect(
        f"/readyz answered {guests.healths.total()} times, all 200:"
        f" {dict(guests.healths)}",
        set(guests.healths) == {200},
    )
    results.expect(
        f"the slowest round of them took {guests.slowest:.2f} s, at most {PATIENCE} s",
        guests.slowest <= PATIENCE,
    )
    results.expect(
        f"as before {normal:.2f} s after the storm, at most {SOON} s", normal <= SOON
    )
    results.expect(
        f"memory grew by {grown / 2**20:.1f} MiB, at most {GROWTH / 2**20:.0f}",
        grown <= GROWTH,
    )
    lines = server.log.count("EMFILE") + server.log.count("Too many open files")
    results.expect(f"lines of the log about descriptors: {lines}", lines == 0)
    results.faults += (notes.cuts + mail.cuts)[:5]


def main() -> int:
    """The command line."""
    return perform("storm", __doc__, run, without=("capacity",))


if __name__ == "__main__":
    sys.exit(main())
