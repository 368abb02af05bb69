"""Throw everything hostile at a server, and look how long it ever stands still::

    python -m tests.faults.freeze
    python -m tests.faults.freeze --short
    python -m tests.faults.freeze --without threads

A timer of 10 milliseconds in the server's own process writes down how late it was,
while the messages of :mod:`tests.faults.hostile` are delivered one after the other, all
that IMAP can show of each is asked for and searched, and hostile commands and floods
follow on every port.  At most one look in a hundred may be later than 20 ms, and none
later than 250 ms.  What was worst is listed, with the time that the thread of the
reactor worked meanwhile, and the whole process.  All has to be answered as expected: an
input that is refused proves nothing.

With ``--shared`` (and in the short form) the machine may have other work: of a delay
only as much counts as the process has worked meanwhile.  What its own thread has
worked would be too little, as other threads can keep it waiting, too.  An input that
is late is tried once more, and has to be late again.  The short form does not judge
the one look in a hundred.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from .hostile import COMMANDS, FETCHES, MESSAGES, REFUSED, SEARCHES
from .program import Results, perform
from .server import Server
from .subject import HOST, PASSWORD, USERS
from .wire import Gone
from .witness import Keeper, Notes, Sender

#: Seconds that a look may be late: nearly all, and all.
P99, MOST = 0.020, 0.250
#: Messages of an ordinary mailbox that hostile commands work on.
ORDINARY = 20_000
#: Inputs that are listed.
WORST = 25
#: Octets that are kept of the first answers to a flood, and of the last.
KEPT = 10_000
#: Messages of the short form.
SHORT_MESSAGES = (
    "10,000 nested multiparts", "45 MiB of base64", "300,000 addresses",
    "200,000 encoded words", "quotes without end",
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """What can be tried again, as one.

    :ivar perform: does it, in phases.
    """

    perform: Callable[[], object]


@dataclass(frozen=True)
class Phase:
    """One input, and when it was worked on."""

    name: str
    trial: Trial
    began: float
    ended: float


@dataclass(frozen=True)
class Look:
    """One look of the timer.

    :ivar due: when it had to be; *late*: seconds that count.
    :ivar thread: seconds that the thread of the reactor has worked since the last.
    :ivar process: that all threads have.
    """

    due: float
    late: float
    thread: float
    process: float


class Probe:
    """What the timer in the server has written down.

    :param is_shared: only what the process has worked counts.
    :ivar phases: in the order they were.
    :ivar surprises: inputs that were not answered as expected.
    """

    def __init__(self, server: Server, is_shared: bool) -> None:
        self._server = server
        self._is_shared = is_shared
        self._trial = Trial(lambda: None)
        self.phases: list[Phase] = []
        self.surprises: list[str] = []

    def attempt(self, trial: Trial) -> None:
        """Perform *trial*."""
        self._trial = trial
        trial.perform()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """What happens since the last phase and inside is *name*."""
        began = time.monotonic()
        yield
        # Whatever is still going on in there belongs to it.
        time.sleep(0.03)
        self.phases.append(Phase(name, self._trial, began, time.monotonic()))

    def expect(self, is_met: object, answer: object = "refused") -> None:
        """Note that the last phase was not answered as it has to be."""
        if not is_met:
            self.surprises.append(f"{self.phases[-1].name}: {answer!r}")

    def looks(self) -> list[Look]:
        """All looks from the first phase to the last."""
        time.sleep(0.5)
        lines = (self._server.folder / "lag").read_text().splitlines()[:-1]
        looks = []
        for line in lines:
            when, late, thread, process = map(float, line.split())
            counts = min(late, process) if self._is_shared else late
            looks.append(Look(when - late, counts, thread, process))
        first, last = self.phases[0].began, self.phases[-1].ended
        return [look for look in looks if first <= look.due <= last]

    def worst(self) -> list[tuple[Look, Phase]]:
        """The latest look of each input, the latest first.

        Of an input that was tried twice it is the better one.
        """
        ends = [phase.ended for phase in self.phases]
        each: dict[int, Look] = {}
        for look in self.looks():
            number = bisect_left(ends, look.due)
            if number not in each or each[number].late < look.late:
                each[number] = look
        best: dict[str, tuple[Look, Phase]] = {}
        for number, look in each.items():
            phase = self.phases[number]
            if phase.name not in best or look.late < best[phase.name][0].late:
                best[phase.name] = look, phase
        return sorted(best.values(), key=lambda pair: pair[0].late, reverse=True)


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """All inputs."""
    patches = "probe" if options.without is None else f"probe+{options.without}"
    server = Server(folder / "server", patches)
    probe = Probe(server, options.shared or options.short)
    try:
        server.set_up()
        server.start()
        _fill(server, 1_000 if options.short else ORDINARY)
        for trial in _trials(server, probe, options.short):
            probe.attempt(trial)
        looks = probe.looks()
        again = [phase for look, phase in probe.worst() if look.late > MOST]
        # Each trial once, however many of its inputs were late.
        for trial in {id(phase.trial): phase.trial for phase in again}.values():
            probe.attempt(trial)
        results = _judge(probe, looks, tell, options.short)
        results.expect("the server lives", server.is_alive)
    finally:
        server.kill()
    return results


def _trials(server: Server, probe: Probe, is_short: bool) -> list[Trial]:
    fetches, searches = FETCHES, SEARCHES
    if is_short:
        fetches, searches = fetches[::3], searches[::2]
    return [
        *(
            Trial(partial(_try_message, server, probe, name, fetches, searches))
            for name in (SHORT_MESSAGES if is_short else MESSAGES)
        ),
        *(Trial(partial(_try_flood, probe, *each)) for each in _floods(server)),
        *(Trial(partial(_try_command, server, probe, each)) for each in COMMANDS),
    ]


def _try_message(
    server: Server,
    probe: Probe,
    name: str,
    fetches: Sequence[str],
    searches: Sequence[str],
) -> None:
    """Deliver a message to a mailbox of its own, and look at it in every way."""
    message, notes = MESSAGES[name](), Notes()
    sender = Sender(server.ports.smtp, notes)
    with probe.phase(f"{name}: delivery"):
        was_taken = sender.send("s@example.net", USERS[0], message)
    probe.expect(was_taken, notes)
    sender.close()
    keeper = Keeper(server.ports.imap, USERS[0], notes)
    with probe.phase(f"{name}: APPEND"):
        was_taken = keeper.append("INBOX", message)
    probe.expect(was_taken, notes)
    [exists] = [each[0] for each in keeper.ask("SELECT INBOX") if b"EXIS" in each[0]]
    probe.expect(exists == b"2 EXISTS", exists)
    for kind, asked in (
        ("FETCH 1:*", fetches),
        ("SEARCH CHARSET UTF-8", searches),
        ("STORE 1:*", ("+FLAGS.SILENT (\\Deleted)",)),
        ("EXPUNGE", ("",)),
    ):
        for what in asked:
            with probe.phase(f"{name}: {kind} {what[:40]}"):
                answers = keeper.ask(f"{kind} {what}".rstrip())
            probe.expect(answers)
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


def _try_command(server: Server, probe: Probe, name: str) -> None:
    keeper, answer = Keeper(server.ports.imap, USERS[1], Notes()), b""
    with probe.phase(f"SELECT before {name}"):
        answers = keeper.ask("SELECT INBOX")
    probe.expect(answers)
    with probe.phase(f"IMAP: {name}"), suppress(Gone, OSError):
        keeper.wire.send(b"x " + COMMANDS[name] + b"\r\n")
        while not answer.startswith((b"x ", b"* BYE")):
            answer = keeper.wire._response()[0]
    expected = b"x " + REFUSED.get(name, b"OK")
    probe.expect(answer.startswith(expected), answer)
    if name == "move all":
        # So that it can be tried again.
        keeper.ask("SELECT Trash")
        with probe.phase("IMAP: move all back"):
            answers = keeper.ask("MOVE 1:* INBOX")
        probe.expect(answers)
    keeper.close()


def _floods(server: Server) -> Sequence[tuple[str, int, bytes, bytes, bytes]]:
    """Octets without sense on every port, and sensible ones without end.

    -> names, ports, what is said first and answered, what follows, and what has to be
    among the answers to that
    """
    hello, user = b"EHLO x\r\n", USERS[1].encode()
    mail = b"MAIL FROM:<a@b>\r\n" + b"RCPT TO:<%b>\r\n" % user * 2_000
    login = b'a LOGIN "%b" "%b"\r\n' % (user, PASSWORD.encode())
    select, flags = b"b SELECT INBOX\r\n", b"c FETCH 1:* (UID FLAGS)\r\n"
    pop3_login = b"USER %b\r\nPASS %b\r\n" % (user, PASSWORD.encode())
    literals = b"x SEARCH" + b" {1+}\r\na" * 9_000
    status = b"x STATUS INBOX (UNSEEN)\r\n"
    junk = bytes(range(256)) * 4_000
    smtp, imap, pop3 = server.ports.smtp, server.ports.imap, server.pop3
    return (
        ("SMTP: 2,000 recipients", smtp, hello, mail, b"452 4.5.3"),
        ("SMTP: NOOP for ever", smtp, hello, b"NOOP\r\n" * 100_000, b"421 4.7.0"),
        ("SMTP: a line without end", smtp, hello, b"a" * 1_000_000, b"421 4.5.2"),
        ("SMTP: junk", smtp, hello, junk, b"421 4.7.0"),
        ("IMAP: NOOP for ever", imap, login, b"x NOOP\r\n" * 100_000, b"x OK NOOP"),
        ("IMAP: literals for ever", imap, login, literals, b"* BYE"),
        ("IMAP: junk", imap, b"", junk, b"* BYE"),
        ("IMAP: all flags, 200 times", imap, login, select + flags * 200, b"c OK"),
        ("IMAP: lists, 10,000 times", imap, login, b'x LIST "" *\r\n' * 10_000,
         b"x OK LIST"),
        ("IMAP: status, 10,000 times", imap, login, status * 10_000, b"x OK STATUS"),
        ("POP3: LIST, 200 times", pop3, b"", pop3_login + b"LIST\r\n" * 200,
         b"\r\n100 "),
        ("POP3: UIDL, 200 times", pop3, b"", pop3_login + b"UIDL\r\n" * 200,
         b"\r\n100 "),
        ("POP3: TOP, 10,000 times", pop3, b"", pop3_login + b"TOP 1 9\r\n" * 10_000,
         b"Subject: 0\r\n"),
    )  # fmt: skip


def _try_flood(
    probe: Probe, name: str, port: int, first: bytes, data: bytes, due: bytes
) -> None:
    with probe.phase(name), socket.create_connection((HOST, port), 10) as client:
        client.recv(KEPT)
        if first:
            client.sendall(first)
            client.recv(KEPT)
        answers = _flood(client, data)
    probe.expect(due in answers, answers[-200:])


def _flood(client: socket.socket, data: bytes) -> bytes:
    """Send *data* as fast as it is taken; read all that comes back.

    -> the first answers, and the last
    """
    client.setblocking(False)
    view, start, last = memoryview(data), b"", b""
    end, quiet = time.monotonic() + 3.0, time.monotonic() + 0.5
    while time.monotonic() < min(end, quiet):
        sent, got = 0, b""
        try:
            sent = client.send(view[:65_536])
        except BlockingIOError:
            pass
        except OSError:
            # What the server has said before it closed the connection is still there.
            view = view[:0]
        with suppress(BlockingIOError):
            try:
                if not (got := client.recv(1 << 18)):
                    break
            except ConnectionError:
                break
        view = view[sent:]
        start, last = (start + got)[:KEPT], got[-KEPT:] or last
        if sent or got:
            quiet = time.monotonic() + 0.5
        else:
            time.sleep(0.001)
    return start + last


def _judge(
    probe: Probe, looks: list[Look], tell: Callable[[str], object], is_short: bool
) -> Results:
    """
    :param looks: without those of what was tried again.
    """
    results = Results()
    worst = probe.worst()
    for look, phase in worst[:WORST]:
        tell(
            f"{look.late * 1000:7.1f} ms late; the thread worked"
            f" {look.thread * 1000:6.1f}, the process {look.process * 1000:6.1f}:"
            f" {phase.name}"
        )
    p99 = sorted(look.late for look in looks)[int(len(looks) * 0.99)]
    results.expect(
        f"{len(looks)} looks during {len(worst)} inputs: p99 {p99 * 1000:.1f} ms,"
        + (" not judged" if is_short else f" at most {P99 * 1000:.0f} ms"),
        is_short or p99 <= P99,
    )
    late, _ = worst[0]
    results.expect(
        f"the longest {late.late * 1000:.0f} ms, at most {MOST * 1000:.0f} ms",
        late.late <= MOST,
    )
    results.expect("all was answered as it has to be", not probe.surprises)
    results.faults += probe.surprises
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
