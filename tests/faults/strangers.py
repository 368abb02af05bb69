"""Come five hundred times without a login, say something, and stay::

    python -m tests.faults.strangers
    python -m tests.faults.strangers --short
    python -m tests.faults.strangers --without line-limits

Each input is sent by 500 clients to a server of its own, and none of them reads what
its last words are answered.  What the server's process has more in memory at its peak,
divided by their number, is what one of them costs: 64 KiB is the most that a stranger
may make it hold, and twice that who sends a hundred recipients and more in TLS.  As
many connections as the input is meant to leave open must be open at the end, so that
none that was refused is taken for a cheap one.

Nothing here is a question of time: a server is done with what it was sent when no
octet moves any more and its process sleeps.
"""

from __future__ import annotations

import argparse
import resource
import select
import socket
import ssl
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .memory import Peak
from .program import Results, perform
from .server import Server
from .subject import HOST, USERS

CLIENTS, SHORT = 500, 160
#: Of these, so many come before: they fill what the process has free anyway.
FIRST = 0.25
#: Octets that a connection may cost.
MOST = 64 * 1024
#: The same in TLS, of one with a hundred recipients that says more than it hears: what
#: is read ahead of its turn counts twice there.
MOST_AHEAD = 128 * 1024
#: Seconds for everything that must come at last.
PATIENCE = 60.0
#: A process sleeps that was found asleep so often, at intervals of so many seconds.
ASLEEP, INTERVAL = 20, 0.02

#: Stands for what no other client says.
_CLIENT = b"CLIENT"
_HELLO = b"EHLO x.example.net\r\n"
_MAIL = b"MAIL FROM:<a@far.example>\r\n"
_TO = b"RCPT TO:<%b>\r\n" % USERS[0].encode()
_LINE = b"x" * 70 + b"\r\n"
_DATA = _MAIL + _TO + b"DATA\r\n"


def _tagged(number: int) -> bytes:
    """Recipients that differ for each client, all of one user."""
    name, _, domain = USERS[0].partition("@")
    lines = [f"RCPT TO:<{name}+CLIENT{n:06}@{domain}>\r\n" for n in range(number)]
    return "".join(lines).encode()


def _long(number: int) -> bytes:
    """The same, as long as they may be (RFC 5321, section 4.5.3.1.1)."""
    name, _, domain = USERS[0].partition("@")
    fill = "x" * (64 - len(name) - 13)
    lines = [f"RCPT TO:<{name}+{fill}CLIENT{n:06}@{domain}>\r\n" for n in range(number)]
    return "".join(lines).encode()


def _records(octets: int) -> bytes:
    """The beginning of a TLS handshake with a first message of that length."""
    hello = b"\x01" + octets.to_bytes(3, "big") + b"\x03\x03" + b"x" * octets
    parts = [hello[at : at + 16_384] for at in range(0, octets, 16_384)]
    return b"".join(
        b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts
    )


@dataclass(frozen=True)
class Input:
    """What a stranger does.

    :ivar port: of the server.
    :ivar steps: what is sent; each but the first one after an answer.
    :ivar stays: whether the server has to leave the connection open.
    :ivar tls: whether the client agrees on TLS first, by STARTTLS where SMTP is spoken.
    :ivar most: octets that it may cost.
    """

    name: str
    port: Callable[[Server], int]
    steps: tuple[bytes, ...] = ()
    stays: bool = True
    tls: bool = False
    most: int = MOST


def _smtp(server: Server) -> int:
    return server.ports.smtp


def _imap(server: Server) -> int:
    return server.ports.imap


def _pop3(server: Server) -> int:
    return server.pop3


def _imaps(server: Server) -> int:
    return server.imaps


def _submission(server: Server) -> int:
    return server.ports.submission


INPUTS = (
    Input("SMTP: nothing", _smtp),
    Input("SMTP: half a command", _smtp, (b"EHLO " + b"x" * 2_000,)),
    Input("SMTP: a line without end", _smtp, (b"x" * 300_000,), False),
    Input("SMTP: 30 KB of a message", _smtp, (_HELLO, _DATA, _LINE * 415)),
    Input("SMTP: the same for 100 recipients", _smtp,
          (_HELLO, _MAIL + _tagged(100) + b"DATA\r\n", _LINE * 415)),
    Input("SMTP: 60 KB of a message", _smtp, (_HELLO, _DATA, _LINE * 830)),
    Input("SMTP: 60 KB in a line", _smtp, (_HELLO, _DATA, b"x" * 60_000)),
    Input("SMTP: 300 KB of a message", _smtp, (_HELLO, _DATA, _LINE * 4_000)),
    Input("SMTP: 1,000 recipients", _smtp, (_HELLO, _MAIL + _TO * 1_000)),
    Input("SMTP: 1,000 recipients that differ", _smtp,
          (_HELLO, _MAIL + _tagged(1_000))),
    Input("SMTP: 30 KB of a message in TLS", _smtp, (_HELLO, _DATA, _LINE * 415),
          tls=True),
    Input("SMTP: the same for 100 recipients in TLS", _smtp,
          (_HELLO, _MAIL + _long(100) + b"DATA\r\n", _LINE * 415), tls=True,
          most=MOST_AHEAD),
    Input("SMTP: 1,000 long recipients in TLS", _smtp,
          (_HELLO, _MAIL + _long(1_000)), tls=True, most=MOST_AHEAD),
    Input("SMTP: commands, no reading", _smtp, (_HELLO, _HELLO * 20_000), False),
    Input("SMTP: half of AUTH", _submission, (_HELLO, b"AUTH PLAIN " + b"A" * 12_000)),
    Input("SMTP: half of an answer to AUTH", _submission,
          (_HELLO, b"AUTH PLAIN\r\n", b"A" * 12_000)),
    Input("SMTP: STARTTLS and silence", _submission, (_HELLO, b"STARTTLS\r\n")),
    Input("SMTP: STARTTLS and half a hello", _submission,
          (_HELLO, b"STARTTLS\r\n", _records(16_000)[:15_900]), False),
    Input("IMAP: nothing", _imap),
    Input("IMAP: half a line", _imap, (b"a LOGIN " + b"x" * 8_000,)),
    Input("IMAP: half a literal", _imap, (b"a LOGIN {4096+}\r\n" + b"x" * 4_000,)),
    Input("IMAP: literals", _imap, (b"a LOGIN" + b" {4000+}\r\n" + b"x" * 4_000
                                    + b" {4000+}\r\n" + b"x" * 3_000,), False),
    Input("IMAP: commands, no reading", _imap, (b"a CAPABILITY\r\n" * 10_000,), False),
    Input("IMAP: half of AUTHENTICATE", _imap,
          (b"a AUTHENTICATE PLAIN\r\n", b"A" * 8_000)),
    Input("POP3: half a line", _pop3, (b"USER " + b"x" * 200,)),
    Input("POP3: commands, no reading", _pop3, (b"CAPA\r\n" * 10_000,), False),
    Input("IMAPS: silence", _imaps),
    Input("IMAPS: half a record", _imaps, (_records(16_000)[:15_900],), False),
    Input("IMAPS: half a record of 8 KB", _imaps, (_records(8_000)[:7_900],)),
    Input("IMAPS: a hello of 120 KB", _imaps, (_records(120_000)[:110_000],), False),
    Input("IMAPS: half a line in TLS", _imaps, (b"a LOGIN " + b"x" * 8_000,), tls=True),
    Input("IMAPS: commands in TLS, no reading", _imaps,
          (b"a CAPABILITY\r\n" * 10_000,), False, tls=True),
)  # fmt: skip
_SHORT_NAMES = (
    "SMTP: a line without end", "SMTP: 30 KB of a message",
    "SMTP: 60 KB of a message", "IMAP: literals",
    "IMAP: commands, no reading", "IMAPS: half a record of 8 KB",
)  # fmt: skip


def _connect(each: Input, server: Server) -> socket.socket:
    client = socket.create_connection((HOST, each.port(server)), PATIENCE)
    if each.port is not _imaps:
        client.recv(1_000)
    if each.tls:
        if each.port is _smtp:
            for line in (_HELLO, b"STARTTLS\r\n"):
                client.sendall(line)
                client.recv(1_000)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client = context.wrap_socket(client)
    return client


def measure(
    each: Input, folder: Path, clients: int, without: str | None
) -> tuple[float, int]:
    """-> octets that each of so many connections costs, and how many are left open"""
    server = Server(folder, without, limits={"connections": 2 * clients})
    server.set_up()
    server.start()
    sockets: list[socket.socket] = []
    try:
        first = int(clients * FIRST)
        sockets += _come(each, server, first)
        before, descriptors = server.memory("RssAnon"), server.descriptors()
        peak = Peak(server)
        sockets += _come(each, server, clients - first)
        most = max(peak.stop(), server.memory("RssAnon"))
        return (most - before) / (clients - first), server.descriptors() - descriptors
    finally:
        for client in sockets:
            client.close()
        server.kill()


def _come(each: Input, server: Server, clients: int) -> list[socket.socket]:
    """So many connect and say what they have to; return when the server is done."""
    sockets = [_connect(each, server) for _ in range(clients)]
    for number, step in enumerate(each.steps):
        if number:
            _hear(sockets)
        _say(step, sockets, server)
    _wait_until_asleep(server)
    return sockets


def _hear(sockets: list[socket.socket]) -> None:
    """Read what each is answered, at least an octet."""
    for client in sockets:
        while not _receive(client):
            if not select.select([client], [], [], PATIENCE)[0]:
                raise TimeoutError("no answer")


def _receive(client: socket.socket) -> bool:
    """-> whether something was said: in TLS not all that comes is"""
    try:
        client.recv(1 << 16)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    return True


def _say(step: bytes, sockets: list[socket.socket], server: Server) -> None:
    """Send all of *step*, or as much as is taken."""
    left = {}
    for client in sockets:
        name = b"%06d" % client.fileno()
        left[client] = memoryview(step.replace(_CLIENT, name))
        client.setblocking(False)
    was_asleep = False
    while left:
        moved = 0
        for client, octets in list(left.items()):
            sent = _send(client, octets)
            moved += sent
            left[client] = octets[sent:]
            if sent == len(octets):
                del left[client]
        if moved:
            was_asleep = False
        elif was_asleep:
            # What it does not take now it will not take.
            return
        else:
            _wait_until_asleep(server)
            was_asleep = True


def _send(client: socket.socket, octets: memoryview) -> int:
    """-> octets that were taken: all of them by a connection that is closed"""
    try:
        return client.send(octets[:65_536])
    except (BlockingIOError, ssl.SSLWantWriteError):
        return 0
    except (ConnectionError, ssl.SSLError):
        return len(octets)


def _wait_until_asleep(server: Server) -> None:
    """Return once the server waits for somebody, and works no more."""
    end, times = time.monotonic() + PATIENCE, 0
    worked = server.processor_seconds()
    while times < ASLEEP:
        if time.monotonic() > end:
            raise TimeoutError("the server does not come to an end")
        time.sleep(INTERVAL)
        before, worked = worked, server.processor_seconds()
        # One that wants to work and may not, on a busy machine, does not sleep.
        is_asleep = server.state == "S" and worked - before < INTERVAL
        times = times + 1 if is_asleep else 0


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """All inputs."""
    results = Results()
    clients = SHORT if options.short else CLIENTS
    wanted = 2 * clients + 200
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    for number, each in enumerate(INPUTS):
        if options.short and each.name not in _SHORT_NAMES:
            continue
        cost, left = measure(each, folder / str(number), clients, options.without)
        text = (
            f"{each.name}: {cost / 1024:.1f} KiB a connection, at most"
            f" {each.most >> 10}; {left} left open"
        )
        tell(text)
        due = clients - int(clients * FIRST) if each.stays else 0
        results.expect(text, cost <= each.most and left >= due)
    return results


def main() -> int:
    """The command line."""
    return perform("strangers", __doc__, run, without=("line-limits",))


if __name__ == "__main__":
    sys.exit(main())
