"""Bring and fetch large messages by the dozen, with little memory::

    python -m tests.faults.memory
    python -m tests.faults.memory --short
    python -m tests.faults.memory --short --without streams

The server may use 256 MiB (a control group, or else RLIMIT_DATA).  Fifty clients of
SMTP send it 25 MiB each at the same time; then a hundred fetch such messages by IMAP
and two by POP3 (a maildrop has one reader at a time), all of them reading a little
now and then, while others send and read as usual.  It must not be killed, nobody may
be refused or cut off, and at its peak it must not have more than 64 MiB more than
before.

At last the server may get no more memory than it has, and some sessions ask for
headers of 9 MiB: they may be refused or cut off, and nobody else may notice.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, Thread

from .program import Results, perform
from .server import Server
from .subject import HOST, PASSWORD, USERS
from .witness import Keeper, Notes, Sender

MIB = 1 << 20
CAP, GROWTH = 256 * MIB, 64 * MIB
SENDERS, FETCHERS, SIZE = 50, 100, 25 * MIB
#: Sessions that want more than there is.
HUNGRY = 16
#: Seconds that slow readers hold on, octets that they read at a time, and pauses.
SECONDS, SIP, PAUSE = 20.0, 16_384, 0.5
#: Seconds that a client waits for the others.
_PATIENCE = 60.0
_GROUPS = (
    # Version 1 of control groups, and version 2: where, and what caps and tells.
    ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.max_usage_in_bytes"),
    ("/sys/fs/cgroup", "memory.max", "memory.peak"),
)


class Cap:
    """What holds a process back.

    :ivar name: what it is.
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.name = "RLIMIT_DATA" if folder is None else f"control group {folder}"

    def hold(self, pid: int) -> None:
        """Cap a process that runs."""
        if self.folder is None:
            resource.prlimit(pid, resource.RLIMIT_DATA, (CAP, CAP))
        else:
            (self.folder / "cgroup.procs").write_text(str(pid))


@contextmanager
def cap() -> Iterator[Cap]:
    """A control group with so much memory, if one can be made."""
    for place, limit, _ in _GROUPS:
        folder = Path(place, f"mailhub-test-{os.getpid()}")
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            (folder / limit).write_text(str(CAP))
        except OSError:
            folder.rmdir()
            continue
        try:
            yield Cap(folder)
        finally:
            _remove(folder)
        return
    yield Cap(None)


def _remove(folder: Path) -> None:
    """Once its last process has ended."""
    for _ in range(100):
        with suppress(OSError):
            folder.rmdir()
            return
        time.sleep(0.05)


class Peak:
    """Looks how much memory a server has, as long as it lives.

    Only its own is counted: pages of files that it has read belong to the system.
    """

    def __init__(self, server: Server) -> None:
        self._server = server
        self.most = 0
        self._ending = Event()
        self._thread = Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ending.wait(0.01):
            with suppress(OSError, LookupError):
                self.most = max(self.most, self._server.memory("RssAnon"))

    def stop(self) -> int:
        """-> the most it was"""
        self._ending.set()
        self._thread.join()
        return self.most


def big_message(number: int, size: int) -> bytes:
    """A message that is like no other."""
    line = b"%04d" % number + b"x" * 72 + b"\r\n"
    return b"Subject: big %d\r\n\r\n" % number + line * (size // len(line))


def _send_all(server: Server, notes: Notes, number: int, size: int) -> int:
    """So many clients at once.  -> messages that were taken

    Nobody ends a message before all others have sent theirs, so that the server has
    them all at the same time.
    """
    taken = []
    meeting = Barrier(number)

    def meet() -> None:
        with suppress(BrokenBarrierError):
            meeting.wait(_PATIENCE)

    def send(which: int) -> None:
        sender = Sender(server.ports.smtp, notes)
        message = big_message(which, size)
        told = which % 2 == 0
        was_taken = sender.send("s@example.net", USERS[0], message, told, meet)
        if not was_taken:
            # The others need not wait for one that was refused.
            meeting.abort()
        taken.append(was_taken)
        sender.close()

    threads = [Thread(target=send, args=(which,)) for which in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(taken)


class SlowReader:
    """Asks for messages, and reads little of them.

    :ivar octets: that it has read.
    """

    def __init__(self, port: int, commands: bytes) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(10)
        self._socket.connect((HOST, port))
        self._socket.sendall(commands)
        self.octets = 0
        self.is_cut = False

    def sip(self) -> None:
        """Read a little."""
        try:
            data = self._socket.recv(SIP)
        except TimeoutError:
            return
        except OSError:
            data = b""
        self.octets += len(data)
        self.is_cut = self.is_cut or not data

    def close(self) -> None:
        """Go away."""
        self._socket.close()


def _slow_readers(server: Server, fetchers: int) -> list[SlowReader]:
    user = USERS[0]
    fetch = (
        f'a LOGIN "{user}" "{PASSWORD}"\r\nb SELECT INBOX\r\n'
        "c UID FETCH {0} BODY.PEEK[]\r\n"
    )
    readers = [
        SlowReader(server.ports.imap, fetch.format(1 + number % 10).encode())
        for number in range(fetchers)
    ]
    for name in USERS[:2]:
        login = f"USER {name}\r\nPASS {PASSWORD}\r\n"
        readers.append(SlowReader(server.pop3, f"{login}RETR 1\r\n".encode()))
    return readers


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Senders, readers, and one session without memory."""
    results = Results()
    senders, fetchers, size, seconds = SENDERS, FETCHERS, SIZE, SECONDS
    if options.short:
        senders, fetchers, size, seconds = 25, 40, SIZE // 5, 3.0
    server = Server(folder / "server", options.without)
    with cap() as held:
        try:
            server.set_up()
            server.start()
            held.hold(server.pid)
            tell(f"held by {held.name}")
            base = _warm_up(server)
            _bring(results, server, base, senders, size)
            _give(results, server, base, fetchers, seconds)
            _starve(results, server)
            results.expect("the server was not killed", server.is_alive)
        finally:
            server.kill()
    return results


def _warm_up(server: Server) -> int:
    """-> octets that it has in memory after ordinary work

    That is to say also after as many logins at once as are worked on: each hash of a
    password takes 19 MiB for a moment, which the process keeps.
    """
    notes = Notes()
    threads = [Thread(target=Keeper, args=(server.ports.imap, u, notes)) for u in USERS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender = Sender(server.ports.smtp, notes)
    for number in range(200):
        sender.send("s@example.net", USERS[2], big_message(number, 5_000))
    sender.close()
    keeper = Keeper(server.ports.imap, USERS[2], notes)
    keeper.ask("SELECT INBOX")
    keeper.ask("UID FETCH 1:* BODY.PEEK[]")
    keeper.close()
    return server.memory("RssAnon")


def _bring(
    results: Results, server: Server, base: int, senders: int, size: int
) -> None:
    peak, notes = Peak(server), Notes()
    taken = _send_all(server, notes, senders, size)
    grown = peak.stop() - base
    wrong = notes.others((b"2", b"354"))
    results.expect(
        f"{taken} of {senders} messages of {size // MIB} MiB at once taken, refused"
        f" {wrong or 0}, cut off {len(notes.cuts)}",
        taken == senders and not wrong and not notes.cuts,
    )
    results.expect(
        f"memory grew from {base / MIB:.1f} by {grown / MIB:.1f} MiB at most, allowed"
        f" {GROWTH // MIB}",
        grown <= GROWTH,
    )
    results.faults += notes.cuts[:5]


def _give(
    results: Results, server: Server, base: int, fetchers: int, seconds: float
) -> None:
    sender = Sender(server.ports.smtp, Notes())
    sender.send("s@example.net", USERS[1], big_message(0, SIZE))
    sender.close()
    peak, notes = Peak(server), Notes()
    readers = _slow_readers(server, fetchers)
    good = Sender(server.ports.smtp, notes)
    keeper = Keeper(server.ports.imap, USERS[2], notes)
    keeper.ask("SELECT INBOX")
    end, slowest, sent = time.monotonic() + seconds, 0.0, 0
    while time.monotonic() < end:
        for number, reader in enumerate(readers):
            reader.sip()
            if number % 20 == 0:
                began = time.monotonic()
                sent += good.send("s@example.net", USERS[2], big_message(1, 5_000))
                keeper.ask("UID FETCH 1:20 BODY.PEEK[]")
                slowest = max(slowest, time.monotonic() - began)
        time.sleep(PAUSE)
    grown = peak.stop() - base
    cut = sum(reader.is_cut for reader in readers)
    least = min(reader.octets for reader in readers)
    for reader in readers:
        reader.close()
    good.close()
    keeper.close()
    results.expect(
        f"{len(readers)} slow readers of large messages: cut off {cut}, the least has"
        f" read {least} octets",
        not cut and least > SIP,
    )
    results.expect(
        f"meanwhile {sent} messages taken and {notes.replies[b'OK']} answers of IMAP,"
        f" slowest {slowest:.2f} s, refused {notes.others((b'2', b'354', b'OK')) or 0}",
        sent > 0 and not notes.others((b"2", b"354", b"OK")) and not notes.cuts,
    )
    results.expect(
        f"memory grew by {grown / MIB:.1f} MiB at most, allowed {GROWTH // MIB}",
        grown <= GROWTH,
    )


def _starve(results: Results, server: Server) -> None:
    """Too little memory for what some sessions want."""
    notes = Notes()
    header = b"".join(b"X-%06d: %b\r\n" % (n, b"x" * 900) for n in range(10_000))
    sender = Sender(server.ports.smtp, notes)
    sender.send("s@example.net", USERS[1], header + b"\r\nbody\r\n")
    others = Keeper(server.ports.imap, USERS[2], notes)
    others.ask("SELECT INBOX")
    unlimited = resource.RLIM_INFINITY
    limits = server.memory("VmData"), unlimited
    resource.prlimit(server.pid, resource.RLIMIT_DATA, limits)
    fetch = (
        f'a LOGIN "{USERS[1]}" "{PASSWORD}"\r\nb SELECT INBOX\r\n'
        "c UID FETCH 1:* BODY.PEEK[HEADER]\r\n"
    )
    # They do not read, so that the server has to keep it all.
    hungry = [SlowReader(server.ports.imap, fetch.encode()) for _ in range(HUNGRY)]
    for _ in range(20):
        others.ask("UID FETCH 1:5 BODY.PEEK[]")
        sender.send("s@example.net", USERS[2], big_message(1, 2_000))
        time.sleep(0.05)
    refused = server.log.count("MemoryError")
    for each in hungry:
        each.close()
    resource.prlimit(server.pid, resource.RLIMIT_DATA, (unlimited, unlimited))
    wrong = notes.others((b"2", b"354", b"OK"))
    results.expect(
        f"without more memory: of {HUNGRY} sessions some failed ({refused} complaints);"
        f" the others' failed {wrong or 0}, cut off {len(notes.cuts)}",
        refused > 0 and server.is_alive and not wrong and not notes.cuts,
    )
    results.faults += notes.cuts[:5]


def main() -> int:
    """The command line."""
    return perform("memory", __doc__, run, without=("streams",))


if __name__ == "__main__":
    sys.exit(main())
