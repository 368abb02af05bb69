"""Send messages that some code of the server cannot bear, again and again::

    python -m tests.faults.poison
    python -m tests.faults.poison --short --without isolation

A check and a parser of the server raise whenever they see certain messages.  Poison is
sent by SMTP and appended by IMAP while others send and read: each time it must be
refused for now (451, NO [SERVERBUG]), the others must be served within a second, the
process must not end, and the log must tell of it, but not more than once a second for
each protocol.  One message is in the store already, and what was prepared of it there
has been destroyed: all others of its mailbox must be given, and its own octets.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

from .careless import POISON_FOR_CHECK, POISON_FOR_PARSER
from .ledger import LARGE_SIZE, Ledger, judge, make_message
from .load import read_everything
from .program import Results, perform
from .server import Server
from .subject import USERS
from .witness import Keeper, Notes, Reader, Sender

#: Seconds of it.
SECONDS, SHORT = 30.0, 4.0
#: Seconds that nobody may have to wait for longer.
PATIENCE = 1.0
#: Messages of the mailbox with the one that was destroyed.
STORED, DESTROYED = 9, 4
POISONS = tuple(
    head + b"\r\nSubject: poison\r\n\r\n" + b"x" * 70 + b"\r\n" * lines
    for head in (POISON_FOR_CHECK, POISON_FOR_PARSER)
    for lines in (1, LARGE_SIZE // 2)
)


class Others:
    """Who has nothing to do with it.

    :ivar slowest: seconds of the slowest answer.
    """

    def __init__(self, server: Server, ledger: Ledger) -> None:
        self._server = server
        self._ledger = ledger
        self._ending = Event()
        self.smtp, self.imap = Notes(), Notes()
        self.slowest = 0.0
        self._threads = [Thread(target=work) for work in (self._send, self._read)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return after the last answer."""
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        sender = Sender(self._server.ports.smtp, self.smtp)
        while not self._ending.wait(0.01):
            number, data = self._ledger.new_message()
            began = time.monotonic()
            if sender.send("s@example.net", USERS[0], data):
                self._ledger.acknowledge(number)
            self.slowest = max(self.slowest, time.monotonic() - began)
        sender.close()

    def _read(self) -> None:
        keeper = Keeper(self._server.ports.imap, USERS[0], self.imap)
        while not self._ending.wait(0.01):
            began = time.monotonic()
            keeper.ask("SELECT INBOX")
            keeper.ask("UID FETCH 1:20 (ENVELOPE BODYSTRUCTURE BODY.PEEK[1])")
            self.slowest = max(self.slowest, time.monotonic() - began)
        keeper.close()


def run(
    options: argparse.Namespace, folder: Path, tell: Callable[[str], object]
) -> Results:
    """Poison for a while, then a mailbox with poison in it."""
    results, ledger = Results(), Ledger()
    patches = "poison" if options.without is None else f"poison+{options.without}"
    server = Server(folder / "server", patches)
    try:
        server.set_up()
        server.start()
        _send_poison(server, ledger, results, SHORT if options.short else SECONDS)
        if server.is_alive:
            verdict = judge(ledger, read_everything(server.ports))
            results.expect(str(verdict), verdict.is_clean and not verdict.unanswered)
            _read_poison(server, results)
    finally:
        server.kill()
    tell(f"poison of {len(POISONS)} kinds")
    return results


def _send_poison(
    server: Server, ledger: Ledger, results: Results, seconds: float
) -> None:
    smtp, imap = Notes(), Notes()
    others = Others(server, ledger)
    lines = len(server.log.splitlines())
    others.start()
    began = time.monotonic()
    sender = Sender(server.ports.smtp, smtp)
    keeper = Keeper(server.ports.imap, USERS[1], imap)
    number = 0
    while time.monotonic() - began < seconds and server.is_alive:
        number += 1
        sender.send("s@example.net", USERS[1], POISONS[number % len(POISONS)])
        keeper.append("INBOX", POISONS[2 + number % 2])
        time.sleep(0.005)
    sender.close()
    keeper.close()
    others.stop()
    results.expect("the process lives", server.is_alive)
    wrong = smtp.others((b"220", b"250 2.1", b"250", b"354", b"451 4.3.0"))
    taken = smtp.replies[b"250 2.0.0"]
    refused, not_stored = smtp.replies[b"451 4.3.0"], imap.replies[b"NO [SERVERBUG]"]
    results.expect(
        f"{number} poisons by SMTP: {refused} refused for now, {taken} taken, others"
        f" {wrong or 0}; by IMAP {not_stored} refused",
        refused == not_stored == number and not wrong and not taken,
    )
    good, fetches = others.smtp, others.imap
    wrong = good.others((b"2", b"354")) | fetches.others((b"OK",))
    cuts = smtp.cuts + imap.cuts + good.cuts + fetches.cuts
    results.expect(
        f"others: {good.replies[b'250 2.0.0']} delivered, {fetches.replies[b'OK']}"
        f" answers of IMAP, refused {wrong or 0}, anybody cut off {len(cuts)}",
        good.replies[b"250 2.0.0"] > 0 and not wrong and not cuts,
    )
    results.expect(
        f"the slowest answer to them took {others.slowest:.3f} s, at most"
        f" {PATIENCE:.0f} s",
        others.slowest <= PATIENCE,
    )
    said = server.log.splitlines()[lines:]
    bugs = sum("critical]" in line for line in said)
    results.expect(
        f"the log tells of it {bugs} times in {seconds:.0f} s, at most once a second"
        " and protocol",
        0 < bugs <= 2 * (seconds + 2),
    )


def _read_poison(server: Server, results: Results) -> None:
    """A mailbox in which what was prepared of one message has been destroyed."""
    user, notes = USERS[2], Notes()
    keeper = Keeper(server.ports.imap, user, notes)
    for number in range(STORED):
        keeper.append("Drafts", make_message(number))
    keeper.close()
    server.stop()
    _destroy(server.data / "mailhub.sqlite")
    server.start()
    keeper = Keeper(server.ports.imap, user, notes)
    keeper.ask("SELECT Drafts")
    for items, spares in (("BODY.PEEK[1]", 1), ("BODY.PEEK[]", 0), ("ENVELOPE", 0)):
        given = _given(keeper, items)
        results.expect(
            f"{items} of a mailbox with a message that cannot be looked into:"
            f" {given} of {STORED} given",
            given == STORED - spares,
        )
    keeper.ask("UID COPY 1:* INBOX")
    keeper.close()
    reader = Reader(server.pop3, user, notes)
    read = sum(reader.retrieve(n) is not None for n in range(1, STORED + 1))
    reader.close()
    results.expect(
        f"{read} of {STORED} retrieved by POP3, cut off {len(notes.cuts)}",
        read == STORED and not notes.cuts,
    )


def _given(keeper: Keeper, items: str) -> int:
    """How many messages come, whatever the command ends with."""
    keeper.wire.send(b"x UID FETCH 1:* %b\r\n" % items.encode())
    given = 0
    while True:
        response = keeper.wire._response()
        if response[0].startswith(b"x "):
            return given
        given += b" FETCH " in response[0]


def _destroy(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        [[item]] = connection.execute(
            "select m.item_id from message m join mailbox b using (mailbox_id)"
            " where b.name = 'Drafts' and m.uid = ?", (DESTROYED,)
        ).fetchall()  # fmt: skip
        connection.execute(
            "update header set parts = 'nonsense' where item_id = ?", (item,)
        )


def main() -> int:
    """The command line."""
    return perform("poison", __doc__, run, without=("isolation", "moderation"))


if __name__ == "__main__":
    sys.exit(main())
