"""Set the clock ahead and back while a server works::

    python -m tests.faults.clock
    python -m tests.faults.clock --short
    python -m tests.faults.clock --workers 2
    python -m tests.faults.clock --short --without steady-clock

The server gets its time from libfaketime(1), which reads it from a file; what only goes
forward (CLOCK_MONOTONIC) stays as it is, as in a system whose clock is set.  1,000
messages wait for a destination that refuses them for now.  Then the clock is set ahead
by an hour, back, back by an hour, ahead, ahead by a year, back, back by a year, ahead.

Each time the server has to go on: users log in, new mail is announced to who waits for
it (IDLE) and new mail for others arrives there, within seconds; a client that stays in
the middle of a command is sent away when its time is over, and nobody else; no message
is tried twice; none comes back; what IMAP numbers with only grows (UIDVALIDITY, UID,
MODSEQ); and the log tells that the clock has jumped.  In the end all waiting mail
arrives once.
"""

from __future__ import annotations

import argparse
import glob
import re
import socket
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from mailhub.store.sqlite.schema import FILE_NAME

from .ledger import Ledger, judge, recognise
from .load import read_everything
from .names import FaultyNames
from .program import Results, perform
from .server import Server
from .sink import Sink
from .subject import HOST, PASSWORD, USERS
from .wire import Gone, IMAPWire, Refused, SMTPWire

_LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
#: Seconds that the library believes in what it has read.
CACHED = 1
#: What the clock is set to, one after the other.
HOURS, YEARS = ("+1h", "+0", "-1h", "+0"), ("+1y", "+0", "-1y", "+0")
#: Messages that wait, where the clock is set to, and seconds until it is set again.
LONG, SHORT = (1_000, HOURS + YEARS, 10.0), (30, ("+1h", "-1h", "+0"), 1.0)
#: Seconds that anything may take, and of the time for a command.
SOON, RECORD, LATE = 5.0, 5.0, 4.0
_STATUS = re.compile(rb"UIDNEXT (\d+).*UIDVALIDITY (\d+)")
_VALIDITY = re.compile(rb"UIDVALIDITY (\d+)")
_SETTINGS = """
record = 5
login_idle = 300

[queue]
first_retry = 300

[outbound]
port = {sink}
allow_private = true
families = "ipv4"

[dns]
servers = ["127.0.0.1:{dns}"]
"""


class Timed(Server):
    """A server whose clock can be set.

    :ivar library: what sets it.
    """

    library = ""

    def __init__(self, folder: Path, without: str | None, workers: int) -> None:
        super().__init__(folder, without, workers=workers)
        self._offset = folder / "offset"
        self.set_clock("+0")

    def set_clock(self, offset: str) -> None:
        """How far it is from what it should be: ``+1h``, ``-1y``."""
        draft = self._offset.with_suffix(".draft")
        draft.write_text(offset + "\n")
        draft.rename(self._offset)

    def _environment(self) -> dict[str, str]:
        return {
            **super()._environment(),
            "LD_PRELOAD": self.library,
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_CACHE_DURATION": str(CACHED),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


@dataclass(frozen=True)
class Numbers:
    """What IMAP numbers with.

    :ivar validity: of the mailbox that is looked at; *newest*: of one just made.
    """

    validity: int
    newest: int
    uidnext: int
    modseq: int

    def follows(self, before: Numbers) -> bool:
        """Whether nothing was numbered as something before was."""
        return (
            self.validity == before.validity
            and self.newest > before.newest
            and self.uidnext > before.uidnext
            and self.modseq > before.modseq
        )


class Watcher:
    """Waits for new mail, and looks at numbers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wire = IMAPWire(server.ports.imap, USERS[1], PASSWORD)
        self._wire.command("SELECT INBOX")
        self._idle()

    def _idle(self) -> None:
        self._wire.send(b"i IDLE\r\n")
        while not self._wire.line().startswith(b"+"):
            pass

    def hear(self) -> float:
        """-> seconds until it is told of a message that comes now"""
        began = time.monotonic()
        with closing(SMTPWire(self._server.ports.smtp)) as sender:
            sender.mail("s@example.net", [USERS[1]], b"Subject: new\r\n\r\nnew\r\n")
        while not self._wire.line().endswith(b" EXISTS"):
            pass
        return time.monotonic() - began

    def numbers(self) -> Numbers:
        """Those of now, from a session of its own."""
        with closing(IMAPWire(self._server.ports.imap, USERS[1], PASSWORD)) as wire:
            wire.command("CREATE Again")
            [again, *_] = wire.command("STATUS Again (UIDVALIDITY)")
            wire.command("DELETE Again")
            [line, *_] = wire.command("STATUS INBOX (UIDNEXT UIDVALIDITY)")
        status, newest = _STATUS.search(line[0]), _VALIDITY.search(again[0])
        assert status and newest, (line, again)
        with closing(sqlite3.connect(self._server.data / FILE_NAME)) as database:
            [(modseq,)] = database.execute("select max(modseq) from mailbox")
        uidnext, validity = map(int, status.groups())
        return Numbers(validity, int(newest[1]), uidnext, modseq)


class Destination:
    """Refuses for now what waits for it.

    :ivar refuses: whether it does; *waiting*: numbers of these messages.
    :ivar heard: numbers of all that came; *taken*: messages that it has taken.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._attempts: Counter[int] = Counter()
        self.refuses = True
        self.waiting: frozenset[int] = frozenset()
        self.heard: set[int] = set()
        self.taken: list[bytes] = []

    def answer(self, message: bytes) -> bytes:
        """What it says to *message*."""
        number, _ = recognise(self._ledger, message)
        self.heard.add(number)
        if self.refuses and number in self.waiting:
            self._attempts[number] += 1
            return b"451 4.3.0 later"
        self.taken.append(message)
        return b"250 2.0.0 taken"

    def attempts(self) -> Counter[int]:
        """How often each was tried since the last time that somebody asked."""
        attempts, self._attempts = self._attempts, Counter()
        return attempts


class Trial:
    """A server with mail that waits, and who uses it."""

    def __init__(self, folder: Path, without: str | None, workers: int) -> None:
        self.ledger = Ledger()
        self.destination = Destination(self.ledger)
        self.sink = Sink(answer=self.destination.answer)
        self.names = FaultyNames()
        self.server = Timed(folder, without, workers)
        self.server.configure(
            _SETTINGS.format(sink=self.sink.port, dns=self.names.port)
        )

    def start(self, number: int) -> None:
        """The server, and *number* messages that wait."""
        self.server.set_up()
        self.server.start()
        self.destination.waiting = frozenset(range(number))
        self.send(number)
        self.until(lambda: len(self.destination.heard) >= number, 60.0)
        self.destination.attempts()

    def send(self, number: int) -> None:
        """Send *number* messages to somewhere else, from a user here."""
        with closing(SMTPWire(self.server.ports.submission)) as wire:
            wire.log_in(USERS[0], PASSWORD, False)
            for _ in range(number):
                index, data = self.ledger.new_message()
                wire.mail(USERS[0], [f"jo@far-{index % 50}.example"], data)
                self.ledger.acknowledge(index)

    def sends(self) -> float:
        """-> seconds until a message that is sent now has arrived"""
        began, number = time.monotonic(), len(self.ledger.sent)
        self.send(1)
        self.until(lambda: number in self.destination.heard, 4 * SOON)
        return time.monotonic() - began

    def until(self, is_met: Callable[[], bool], seconds: float) -> None:
        """Wait for it, but no longer."""
        end = time.monotonic() + seconds
        while not is_met() and time.monotonic() < end:
            time.sleep(0.02)

    def close(self) -> None:
        """End all of it."""
        self.server.kill()
        self.names.close()
        self.sink.close()


class Slowpoke:
    """A client in the middle of a command."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection((HOST, server.ports.imap))
        self._socket.settimeout(RECORD + LATE)
        self._socket.sendall(b"a NO")
        self._began = time.monotonic()
        self._stayed = float("inf")
        self._thread = Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        with closing(self._socket), suppress(OSError):
            while self._socket.recv(4096):
                pass
            self._stayed = time.monotonic() - self._began

    def stays(self) -> float:
        """-> seconds until it was sent away, or infinity"""
        self._thread.join()
        return self._stayed


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """One jump after the other."""
    found = glob.glob(_LIBRARY)
    if not found:
        raise SystemExit("needs the package faketime")
    Timed.library = found[0]
    results = Results()
    number, offsets, pause = SHORT if options.short else LONG
    trial = Trial(folder / "server", options.without, options.workers)
    try:
        trial.start(number)
        _jump(results, trial, offsets, pause, tell)
        _empty(results, trial, number)
        jumps = trial.server.log.count("the clock has jumped by")
        results.expect(f"jumps told in the log: {jumps}", jumps >= len(offsets))
        results.expect("the server is alive", trial.server.is_alive)
    finally:
        trial.close()
    return results


class Phases:
    """What happens between two jumps.

    :ivar slowest: seconds that each thing took at most.
    :ivar stays: seconds that clients in the middle of a command were borne.
    :ivar most: attempts at one message at most, in one phase.
    :ivar grown: how often all numbers of IMAP were larger than before.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._watcher = Watcher(trial.server)
        self._numbers = self._watcher.numbers()
        self._poke = Slowpoke(trial.server)
        self._watcher.hear()
        self.slowest = {"a login": 0.0, "news": 0.0, "a message for others": 0.0}
        self.stays: list[float] = []
        self.most = self.grown = 0

    def jump(self, offset: str) -> int:
        """Set the clock, and use the server.  -> how many attempts were made"""
        self._trial.server.set_clock(offset)
        # Whoever has read the file just now does not read it again so soon.
        time.sleep(CACHED + 0.5)
        poke = Slowpoke(self._trial.server)
        began = time.monotonic()
        numbers = self._watcher.numbers()
        login = time.monotonic() - began
        took = login, self._watcher.hear(), self._trial.sends()
        worst = map(max, self.slowest.values(), took)
        self.slowest = dict(zip(self.slowest, worst, strict=True))
        self.stays.append(self._poke.stays())
        attempts = self._trial.destination.attempts()
        self.most = max(self.most, *attempts.values(), 0)
        self.grown += numbers.follows(self._numbers)
        self._numbers, self._poke = numbers, poke
        return sum(attempts.values())

    def end(self) -> None:
        """Wait for the last that is in the middle of a command."""
        self.stays.append(self._poke.stays())


def _jump(
    results: Results,
    trial: Trial,
    offsets: Sequence[str],
    pause: float,
    tell: Callable[[str], object],
) -> None:
    phases, cut = Phases(trial), ""
    try:
        for offset in offsets:
            time.sleep(pause)
            tell(f"{offset}: {phases.jump(offset)} attempts")
        phases.end()
    except (Gone, Refused, OSError) as error:
        cut = f", but {type(error).__name__} {error} after {offset}"
    results.expect(f"nobody is cut off{cut}", not cut)
    slowest, stays = phases.slowest, phases.stays
    text = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in slowest.items())
    results.expect(f"slowest: {text}", max(slowest.values()) <= SOON)
    results.expect(
        f"half a command was borne for {max(stays, default=0.0):.1f} s, allowed"
        f" {RECORD:.0f}",
        min(stays, default=0.0) >= RECORD and max(stays) <= RECORD + LATE,
    )
    most = phases.most
    results.expect(f"attempts at a message in one jump: {most}", most <= 1)
    results.expect(
        f"numbers of IMAP have grown {phases.grown} times of {len(offsets)}",
        phases.grown == len(offsets),
    )


def _empty(results: Results, trial: Trial, number: int) -> None:
    """All that waits arrives, and has not been given up before."""
    log = trial.server.log
    returned = len(read_everything(trial.server.ports, USERS[:1]))
    results.expect(f"came back to their sender: {returned}", returned == 0)
    trial.destination.refuses = False
    trial.server.command("queue", "flush").check_returncode()
    destination, ledger = trial.destination, trial.ledger
    trial.until(lambda: not judge(ledger, destination.taken).lost, 30.0)
    verdict = judge(ledger, destination.taken)
    results.expect(f"{verdict}", verdict.is_clean)
    expired = log.count("(5.4.7)") + log.count("(4.4.7)")
    results.expect(f"given up: {expired}", not expired)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=0, help="processes that serve")


def main() -> int:
    """The command line."""
    return perform("clock", __doc__, run, without=("steady-clock",), options=_options)


if __name__ == "__main__":
    sys.exit(main())
