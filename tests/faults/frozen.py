"""Let clients vanish without a word, and look what is left of them::

    python -m tests.faults.frozen
    python -m tests.faults.frozen --short
    python -m tests.faults.frozen --short --without deadlines

1,000 connections are open: not greeted yet, in the middle of a message, logged in,
waiting for news (IDLE), or reading a large message.  Then the process of one half of
them is stopped (SIGSTOP), so that it reads nothing any more, and what is between the
server and the others swallows all that either says.  No connection is closed by anybody
but the server.

The server has to have closed all of them a minute after the longest time that it lets
clients be silent, and then it may not have more memory and descriptors than after as
many clients that said good-bye.  A client that is alive stays, and hears of new mail.
"""

from __future__ import annotations

import argparse
import base64
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from .ledger import make_message
from .nursery import Child, Send
from .program import Results, perform
from .server import Server
from .subject import HOST, PASSWORD, USERS
from .swallowing import Swallower
from .wire import IMAPWire
from .witness import Notes, Sender

MIB = 1024 * 1024
#: How many, the longest silence of theirs that is borne, and seconds behind that.
LONG, SHORT = (1_000, 60.0, 60.0), (240, 10.0, 6.0)
#: Octets that the server may have more.
GROWTH = 16 * MIB
#: Octets of the message that some have asked for.
LARGE = 4 * MIB
#: Seconds between the commands of a client that is alive.
LIVELY = 8.0
_SETTINGS = """
login_idle = 10
record = 5
write_stall = 5
linger = 1
idle = 60

[dns]
servers = ["127.0.0.1:9"]
"""


@dataclass(frozen=True)
class Stage:
    """How far a client gets.

    :ivar opening: what it answers the server with, one after the other.
    :ivar greets: whether it waits for the server to speak first.
    :ivar is_short: whether it is not borne for long.
    :ivar is_read_for: whether the server waits for it to read.
    """

    name: str
    port: int
    opening: tuple[bytes, ...] = ()
    greets: bool = True
    is_short: bool = True
    is_read_for: bool = False


def stages_of(server: Server) -> list[Stage]:
    """All that a client may be in the middle of."""
    smtp, imap, user = server.ports.smtp, server.ports.imap, USERS[0]
    transaction = f"MAIL FROM:<s@example.net>\r\nRCPT TO:<{user}>\r\nDATA\r\n"
    message = b"EHLO frozen.example.net\r\n", transaction.encode(), b"Subject: half"
    login = f'a LOGIN "{user}" "{PASSWORD}"\r\n'.encode()
    select, fetch = b"b SELECT INBOX\r\n", b"c UID FETCH 1 BODY.PEEK[]\r\n"
    secret = base64.b64encode(f"\0{user}\0{PASSWORD}".encode())
    submission = b"EHLO frozen.example.net\r\n", b"AUTH PLAIN %b\r\n" % secret
    # POP3 after a login has ten minutes, which nobody can change (RFC 1939, section 3).
    return [
        Stage("SMTP, greeted", smtp),
        Stage("SMTP, half a message", smtp, message),
        Stage("SMTP, logged in", server.ports.submission, submission),
        Stage("POP3, greeted", server.pop3),
        Stage("IMAP, greeted", imap),
        Stage("IMAP, TLS to be agreed on", server.imaps, greets=False),
        Stage("IMAP, half a command", imap, (b"a LOG",)),
        Stage("IMAP, reading", imap, (login, select, fetch), is_read_for=True),
        Stage("IMAP, logged in", imap, (login,), is_short=False),
        Stage("IMAP, selected", imap, (login, select), is_short=False),
        Stage("IMAP, waiting", imap, (login, select, b"c IDLE\r\n"), is_short=False),
    ]


def _connect(stage: Stage) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect((HOST, stage.port))
    if stage.greets:
        client.recv(4096)
    for number, piece in enumerate(stage.opening):
        if number:
            client.recv(4096)
        client.sendall(piece)
    return client


@contextmanager
def clients(stages: Sequence[Stage], number: int, log: Path) -> Iterator[Child]:
    """A process with *number* connections, which does nothing more."""

    def live(send: Send) -> None:
        open_ones = [_connect(stages[which % len(stages)]) for which in range(number)]
        send(len(open_ones))
        signal.pause()

    child = Child(live, log)
    try:
        child.receive()
        yield child
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.join()


class Living:
    """A client that waits for news, and says something now and then."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wire = IMAPWire(server.ports.imap, USERS[1], PASSWORD)
        self._wire.command("SELECT INBOX")
        self._spoke = 0.0
        self._idle()

    def _idle(self) -> None:
        self._wire.send(b"i IDLE\r\n")
        self._wire.line()
        self._spoke = time.monotonic()

    def stay(self) -> None:
        """Say something, if it is time."""
        if time.monotonic() > self._spoke + LIVELY:
            self._wire.send(b"DONE\r\n")
            self._wire.line()
            self._idle()

    def hears(self) -> bool:
        """Whether it is told of new mail."""
        sender = Sender(self._server.ports.smtp, Notes())
        was_taken = sender.send("s@example.net", USERS[1], make_message(1))
        sender.close()
        return was_taken and self._wire.line().endswith(b" EXISTS")


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Clients that end, and clients that do not."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    results = Results()
    number, silence, grace = SHORT if options.short else LONG
    server = Server(folder / "server", options.without)
    server.configure(_SETTINGS)
    try:
        server.set_up()
        server.start()
        sender = Sender(server.ports.smtp, Notes())
        text = (b"x" * 70 + b"\r\n") * (LARGE // 72)
        sender.send("s@example.net", USERS[0], b"Subject: large\r\n\r\n" + text)
        sender.close()
        stages = [e for e in stages_of(server) if e.is_short or not options.short]
        # Its login takes 19 MiB, which the process keeps.
        living = Living(server)
        alone = server.descriptors()
        log = folder / "clients"
        with clients(stages, number, log):
            pass
        _until(lambda: server.descriptors() <= alone, 30.0)
        base = server.memory(), alone
        tell(f"before: {base[0] / MIB:.0f} MiB, {base[1]} descriptors")
        _freeze(results, server, living, stages, number, (silence, grace), base, log)
        results.expect("the server is alive", server.is_alive)
    finally:
        server.kill()
    return results


def _freeze(
    results: Results,
    server: Server,
    living: Living,
    stages: Sequence[Stage],
    number: int,
    patience: tuple[float, float],
    base: tuple[int, int],
    log: Path,
) -> None:
    half = number // 2
    files = server.open_files().items()
    proxies = {stage.port: Swallower(stage.port) for stage in stages}
    swallowed = [
        replace(each, port=proxies[each.port].port)
        for each in stages
        if not each.is_read_for
    ]
    try:
        with clients(stages, half, log) as stopped, clients(swallowed, half, log):
            there = server.descriptors() - base[1]
            for each in proxies.values():
                each.swallow()
            stopped.pause()
            began = time.monotonic()

            def is_over() -> bool:
                living.stay()
                return server.descriptors() <= base[1]

            _until(is_over, sum(patience))
            seconds = time.monotonic() - began
            left = server.descriptors() - base[1]
            more = server.open_files().items() - files
            grown = server.memory() - base[0]
            news = living.hears()
    finally:
        for each in proxies.values():
            each.close()
    results.expect(f"connections before they froze: {there}", there >= number)
    results.expect(
        f"left of them after {seconds:.1f} s: {left}; allowed were {patience[0]:.0f} s"
        f" of silence and {patience[1]:.0f} s",
        left <= 0,
    )
    if left > 0:
        results.faults += [f"{number}: {name}" for number, name in sorted(more)[:20]]
    results.expect(
        f"memory grew by {grown / MIB:.1f} MiB, allowed {GROWTH // MIB}",
        grown <= GROWTH,
    )
    results.expect("who was alive has stayed, and hears of new mail", news)


def _until(is_met: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not is_met() and time.monotonic() < end:
        time.sleep(0.1)


def main() -> int:
    """The command line."""
    return perform("frozen", __doc__, run, without=("deadlines",))


if __name__ == "__main__":
    sys.exit(main())
