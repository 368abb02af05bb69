"""w4: thousands of IMAP connections that only wait for mail.

Every tenth is of a user who has no other; the rest are of a few users with ninety
each.  What is told: the memory that all processes of the server, and the kernel, need
for one more connection, the CPU that they cost while nothing happens, and how soon
every tenth hears of mail when its user gets a message.

One more connection is one of the second half: memory that a server takes once and
keeps, such as for hashing passwords, is there when the first half has been opened.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Thread

from ..messages import messages
from ..metering import kernel_memory, memory
from ..peers.base import Peer
from ..plan import Plan
from ..records import Record
from ..smtp_client import Sender
from ..wire import TIMEOUT, client_tls
from .latency import percentile
from .turn import Turn

#: One of so many connections is its user's only one.
ALONE = 10
#: Connections of each user with more than one.
CROWDED = 90
#: Messages in each mailbox, and recipients of one of them.
MESSAGES, RECIPIENTS = 10, 100
#: Connections that are opened side by side; fewer than logins may wait at once.
LOT = 50
#: Sources of the connections, so that there are ports enough.
SOURCES = tuple(f"127.0.0.{number}" for number in range(2, 10))
#: Files that this process may have open.
FILES = 20_000
#: Seconds between two messages, and for the last notice.
PACE, PATIENCE = 0.005, 20.0


def users_for(connections: int) -> int:
    """How many users that many connections are of."""
    return connections // ALONE + _crowded_users(connections)


def _crowded_users(connections: int) -> int:
    return -(-(connections - connections // ALONE) // CROWDED)


def owners(users: Sequence[str], connections: int) -> list[str]:
    """The user of each connection; every tenth has only that one."""
    alone = connections // ALONE
    crowded = users[alone : alone + _crowded_users(connections)]
    return [
        users[number // ALONE]
        if number % ALONE == 0
        else crowded[(number - number // ALONE - 1) % len(crowded)]
        for number in range(connections)
    ]


@dataclass(slots=True)
class _Waiter:
    """One connection that waits for nothing but mail."""

    socket: socket.socket
    user: str
    buffer: bytes = b""

    def await_line(self, begin: bytes) -> None:
        """Read up to the end of the line that begins so."""
        while not (
            self.buffer.endswith(b"\r\n") and b"\n" + begin in b"\n" + self.buffer
        ):
            data = self.socket.recv(65_536)
            if not data:
                raise EOFError(f"{self.user}: closed after {self.buffer[-200:]!r}")
            self.buffer += data
        self.buffer = b""


@dataclass(slots=True)
class _Waiters:
    """All connections."""

    peer: Peer
    service: str
    all: list[_Waiter] = field(default_factory=list)

    def open(self, users: Sequence[str]) -> None:
        """One connection for each of *users*, some at a time."""
        tls = client_tls() if self.service == "imaps" else None
        for first in range(0, len(users), LOT):
            lot = [
                self._connect(user, number, tls)
                for number, user in enumerate(users[first : first + LOT], first)
            ]
            for waiter in lot:
                waiter.await_line(b"* OK")
            self._ask(lot, b"a", None, b"a OK")
            self._ask(lot, b"b", b"SELECT INBOX", b"b OK")
            self._ask(lot, b"c", b"IDLE", b"+ ")

    def _connect(self, user: str, number: int, tls: ssl.SSLContext | None) -> _Waiter:
        source = SOURCES[number % len(SOURCES)], 0
        plain = socket.create_connection(
            self.peer.address(self.service), TIMEOUT, source
        )
        waiter = _Waiter(tls.wrap_socket(plain) if tls else plain, user)
        self.all.append(waiter)
        return waiter

    def _ask(
        self, lot: list[_Waiter], tag: bytes, command: bytes | None, end: bytes
    ) -> None:
        for waiter in lot:
            login = b'LOGIN "%b" "%b"' % self.peer.login(waiter.user)
            waiter.socket.sendall(b"%b %b\r\n" % (tag, command or login))
        for waiter in lot:
            waiter.await_line(end)

    def close(self) -> None:
        """Hang up, all of them."""
        for waiter in self.all:
            waiter.socket.close()


def w4idle(peer: Peer, turn: Turn) -> Iterator[Record]:
    """In clear, then over TLS; each beginning with a fresh start of the server."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, most), most))
    count = turn.plan.idle if peer.holds_many else turn.plan.idle_peers
    _fill(peer, peer.users[: users_for(count)])
    for service, name in (("imap", "in clear"), ("imaps", "over TLS")):
        peer.stop()
        peer.start()
        note = "" if count == turn.plan.idle else f"{count:,} connections"
        waiters = _Waiters(peer, service)
        try:
            yield from _measure(waiters, count, turn.plan, name, note)
        finally:
            waiters.close()


def _fill(peer: Peer, users: Sequence[str]) -> None:
    """A few messages for everybody."""
    if "smtp" not in peer.ports:
        return
    sender = Sender(peer.address("smtp"))
    for number in range(MESSAGES):
        for first in range(0, len(users), RECIPIENTS):
            lot = users[first : first + RECIPIENTS]
            sender.announce([user.encode() for user in lot])
            sender.send(messages("plain")[number])
    sender.quit()
    while peer.count(users[-1]) < MESSAGES:
        time.sleep(0.2)


def _measure(
    waiters: _Waiters, count: int, plan: Plan, name: str, note: str
) -> Iterator[Record]:
    peer, users = waiters.peer, owners(waiters.peer.users, count)
    meter, begin = peer.meter(), time.perf_counter()
    waiters.open(users[: count // 2])
    opened = (count // 2) / (time.perf_counter() - begin)
    opening = meter.read().each_ms(count // 2)
    yield Record("w4", f"connections opened {name}", opened, "1/s", opening, note=note)
    time.sleep(plan.settling)
    half, kernel = memory(peer.pids()), kernel_memory()
    waiters.open(users[count // 2 :])
    time.sleep(plan.settling)
    full = memory(peer.pids())
    each = (full.pss - half.pss) / (count - count // 2)
    yield _record(f"memory of an idle connection {name}", each, "KiB", note)
    each = (kernel_memory() - kernel) / (count - count // 2)
    yield _record(f"the kernel's for it {name}, both ends", each, "KiB", note)
    yield _record(
        f"all processes with all of them {name}", full.pss / 1024, "MiB", note
    )
    meter = peer.meter()
    time.sleep(plan.rest)
    share = 100 * meter.read().server / plan.rest
    yield _record(f"CPU of idle connections {name}", share, "% of a core", note)
    waits, missed = _wake(waiters.peer, waiters.all[::ALONE])
    missing = f"{missed} missed" if missed else ""
    note = ", ".join(filter(None, (note, missing)))
    for label, part in (("median", 0.5), ("p99", 0.99)):
        value = percentile(waits, part) * 1000 if waits else float("nan")
        yield _record(f"wake-up {name}, {label}", value, "ms", note)


def _record(case: str, value: float, unit: str, note: str) -> Record:
    return Record("w4", case, value, unit, note=note)


def _wake(peer: Peer, waiters: Sequence[_Waiter]) -> tuple[list[float], int]:
    """Send each waiter's user a message: their waits, and how many heard nothing.

    A wait is from the last octet of the message to the notice, so the delivery
    itself is part of it.
    """
    poll = select.epoll()
    count = len(waiters)
    by_number = {waiter.socket.fileno(): waiter for waiter in waiters}
    for number, waiter in by_number.items():
        waiter.socket.setblocking(False)
        poll.register(number, select.EPOLLIN)
    sent: dict[str, float] = {}
    users = [waiter.user for waiter in by_number.values()]
    sending = Thread(target=_send, args=(peer, users, sent))
    sending.start()
    waits: list[float] = []
    end = time.monotonic() + PATIENCE + count * PACE
    while len(waits) < count and time.monotonic() < end:
        for number, _ in poll.poll(0.1):
            if _is_told(by_number[number]):
                waits.append(time.perf_counter() - sent[by_number[number].user])
                poll.unregister(number)
    sending.join()
    return waits, count - len(waits)


def _is_told(waiter: _Waiter) -> bool:
    """Whether what arrived tells of mail; TLS may have had words of its own."""
    try:
        waiter.buffer += waiter.socket.recv(65_536)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    return b" EXISTS" in waiter.buffer


def _send(peer: Peer, users: Sequence[str], sent: dict[str, float]) -> None:
    """One message to each, at a steady pace unless the server is slower."""
    sender = Sender(peer.address("smtp"))
    body = messages("plain")[5]
    begin = time.perf_counter()
    for number, user in enumerate(users):
        time.sleep(max(0.0, begin + number * PACE - time.perf_counter()))
        sender.announce([user.encode()])
        sent[user] = time.perf_counter()
        sender.send(body)
    sender.quit()
