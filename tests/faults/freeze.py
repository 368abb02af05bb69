"""Throw everything hostile at a server, and look how long it ever stands still::

    python -m tests.faults.freeze
    python -m tests.faults.freeze --short
    python -m tests.faults.freeze --without threads

A timer of 10 milliseconds in the server's own process writes down how late it was,
while the messages of :mod:`tests.faults.hostile` are delivered one after the other, all
that IMAP can show of each is asked for and searched, and hostile commands and floods
follow on every port.  At most one look in a hundred may be later than 20 ms, and none
later than 250 ms.  What was worst is listed, with the time that the thread of the
reactor worked meanwhile, and the whole process.

With ``--shared`` (and in the short form) the machine may have other work: of a delay
only as much counts as the process has worked meanwhile.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .hostile import COMMANDS, FETCHES, MESSAGES, SEARCHES
from .program import Results, perform
from .server import Server
from .subject import HOST, USERS
from .wire import Gone, Refused
from .witness import Keeper, Notes, Sender

#: Seconds that a look may be late: nearly all, and all.
P99, MOST = 0.020, 0.250
#: Messages of an ordinary mailbox that hostile commands work on.
ORDINARY = 20_000
#: Inputs that are listed.
WORST = 25


@dataclass(frozen=True)
class Phase:
    """One input, and when it was worked on."""

    name: str
    began: float
    ended: float


@dataclass(frozen=True)
class Look:
    """One look of the timer.

    :ivar late: seconds; *thread* and *process* are what those worked since the last.
    """

    when: float
    late: float
    thread: float
    process: float


class Probe:
    """What the timer in the server has written down."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.phases: list[Phase] = []

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What happens inside is *name*."""
        began = time.monotonic()
        yield
        # Whatever is still going on in there belongs to it.
        time.sleep(0.03)
        self.phases.append(Phase(name, began, time.monotonic()))

    def looks(self, is_shared: bool) -> list[Look]:
        """What happened at each."""
        time.sleep(0.5)
        lines = (self._server.folder / "lag").read_text().splitlines()[:-1]
        looks = []
        for line in lines:
            when, late, thread, process = map(float, line.split())
            if is_shared:
                late = min(late, process)
            looks.append(Look(when, late, thread, process))
        return looks


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """All inputs."""
    patches = "probe" if options.without is None else f"probe+{options.without}"
    server = Server(folder / "server", patches)
    probe = Probe(server)
    names = list(MESSAGES)
    if options.short:
        names = [name for name in names if "45 MiB" not in name][::3]
    try:
        server.set_up()
        server.start()
        for name in names:
            _try_message(server, probe, name, options.short)
        _fill(server, 1_000 if options.short else ORDINARY)
        _try_commands(server, probe)
        _try_floods(server, probe)
        looks = probe.looks(options.shared or options.short)
        results = _judge(probe, server, looks, tell)
    finally:
        server.kill()
    return results


def _try_message(server: Server, probe: Probe, name: str, is_short: bool) -> None:
    """Deliver a message to a mailbox of its own, and look at it in every way."""
    message, notes = MESSAGES[name](), Notes()
    sender = Sender(server.ports.smtp, notes)
    with probe.phase(f"{name}: delivery"):
        sender.send("s@example.net", USERS[0], message)
    sender.close()
    keeper = Keeper(server.ports.imap, USERS[0], notes)
    with probe.phase(f"{name}: APPEND"):
        keeper.append("INBOX", message)
    keeper.ask("SELECT INBOX")
    for items in FETCHES[::3] if is_short else FETCHES:
        with probe.phase(f"{name}: FETCH {items[:40]}"):
            keeper.ask(f"FETCH 1:* {items}")
    for keys in SEARCHES[::3] if is_short else SEARCHES:
        with probe.phase(f"{name}: SEARCH {keys[:40]}"):
            keeper.ask(f"SEARCH CHARSET UTF-8 {keys}")
    keeper.ask("STORE 1:* +FLAGS (\\Deleted)")
    with probe.phase(f"{name}: EXPUNGE"):
        keeper.ask("EXPUNGE")
    keeper.close()


def _fill(server: Server, number: int) -> None:
    """Many ordinary messages, by COPY of copies."""
    keeper = Keeper(server.ports.imap, USERS[1], Notes())
    for each in range(20):
        keeper.append("INBOX", b"Subject: %d\r\nFrom: a@b\r\n\r\n" % each + b"x" * 900)
    keeper.ask("SELECT INBOX")
    there = 20
    while there < number:
        keeper.ask(f"COPY 1:{min(there, number - there)} INBOX")
        keeper.ask("NOOP")
        there *= 2
    keeper.close()


def _try_commands(server: Server, probe: Probe) -> None:
    for name, command in COMMANDS.items():
        keeper = Keeper(server.ports.imap, USERS[1], Notes())
        with probe.phase(f"SELECT before {name}"):
            keeper.ask("SELECT INBOX")
        with probe.phase(f"IMAP: {name}"), suppress(Gone, Refused, OSError):
            keeper.wire.send(b"x " + command + b"\r\n")
            while not keeper.wire._response()[0].startswith((b"x ", b"* BYE")):
                pass
        keeper.close()


def _try_floods(server: Server, probe: Probe) -> None:
    """Octets without sense on every port, and sensible ones without end."""
    hello = b"EHLO x\r\n"
    mail = b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<%b>\r\n" % USERS[2].encode() * 2_000
    login = f'a LOGIN "{USERS[1]}" "correct horse battery"\r\n'.encode()
    selected = login + b"b SELECT INBOX\r\n"
    flags = b"c FETCH 1:* (UID FLAGS)\r\n"
    pop3 = b"USER %b\r\nPASS correct horse battery\r\n" % USERS[1].encode()
    smtp, imap = server.ports.smtp, server.ports.imap
    for name, port, data in (
        ("SMTP: 2,000 recipients", smtp, hello + mail),
        ("SMTP: NOOP for ever", smtp, hello + b"NOOP\r\n" * 100_000),
        ("SMTP: a line without end", smtp, b"a" * 1_000_000),
        ("SMTP: junk", smtp, bytes(range(256)) * 4_000),
        ("IMAP: NOOP for ever", imap, login + b"x NOOP\r\n" * 100_000),
        ("IMAP: literals for ever", imap, login + b"x SEARCH" + b" {1+}\r\na" * 9_000),
        ("IMAP: junk", imap, bytes(range(256)) * 4_000),
        ("IMAP: all flags, 200 times", imap, selected + flags * 200),
        ("IMAP: lists, 10,000 times", imap, login + b'x LIST "" *\r\n' * 10_000),
        ("IMAP: status, 10,000 times", imap,
         login + b"x STATUS INBOX (UNSEEN)\r\n" * 10_000),
        ("POP3: LIST, 200 times", server.pop3, pop3 + b"LIST\r\n" * 200),
        ("POP3: UIDL, 200 times", server.pop3, pop3 + b"UIDL\r\n" * 200),
        ("POP3: TOP, 10,000 times", server.pop3, pop3 + b"TOP 1 9\r\n" * 10_000),
    ):  # fmt: skip
        with probe.phase(name):
            _flood(port, data)


def _flood(port: int, data: bytes) -> None:
    """Send *data* as fast as it is taken; read all that comes back."""
    with socket.create_connection((HOST, port), 10) as client:
        client.setblocking(False)
        view, end = memoryview(data), time.monotonic() + 5.0
        quiet = time.monotonic() + 0.5
        while time.monotonic() < min(end, quiet):
            moved = 0
            with suppress(BlockingIOError):
                moved = client.send(view[:65_536]) if view else 0
                view = view[moved:]
            try:
                got = client.recv(1 << 18)
                if not got:
                    return
                moved += len(got)
            except BlockingIOError:
                pass
            except OSError:
                return
            if moved:
                quiet = time.monotonic() + 0.5
            else:
                time.sleep(0.001)


def _judge(
    probe: Probe, server: Server, looks: list[Look], tell: Callable[[str], object]
) -> Results:
    results = Results()
    first, last = probe.phases[0].began, probe.phases[-1].ended
    during = [look for look in looks if first <= look.when <= last]
    late = sorted(look.late for look in during)
    p99 = late[int(len(late) * 0.99)]
    worst = []
    for phase in probe.phases:
        inside = [each for each in during if phase.began <= each.when <= phase.ended]
        if inside:
            worst.append((max(inside, key=lambda look: look.late), phase.name))
    worst.sort(key=lambda pair: pair[0].late, reverse=True)
    for look, name in worst[:WORST]:
        tell(
            f"{look.late * 1000:7.1f} ms late; the thread worked"
            f" {look.thread * 1000:6.1f}, the process {look.process * 1000:6.1f}:"
            f" {name}"
        )
    results.expect(
        f"{len(during)} looks during {len(probe.phases)} inputs: p99"
        f" {p99 * 1000:.1f} ms, at most {P99 * 1000:.0f} ms",
        p99 <= P99,
    )
    results.expect(
        f"the longest {late[-1] * 1000:.0f} ms, at most {MOST * 1000:.0f} ms",
        late[-1] <= MOST,
    )
    results.expect("the server lives", server.is_alive)
    return results


def main() -> int:
    """The command line."""
    return perform(
        "freeze", __doc__, run, without=("threads",),
        options=lambda parser: parser.add_argument(
            "--shared", action="store_true", help="others work on this machine"
        ),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
