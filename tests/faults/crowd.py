"""Clients of all kinds at once, that write down what they were promised.

Some send to one user and some to all; those of IMAP append, and move, copy, flag and
expunge what they and the others have brought.  Each goes on as fast as it is
answered, until the server is gone or the crowd is told to stop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import cycle
from threading import Event, Thread

from .ledger import MARK
from .promises import NOWHERE, Book, Operation, Place
from .subject import PASSWORD, USERS, Ports
from .wire import Gone, IMAPWire, Refused, SMTPWire

#: Every mailbox of an account.
MAILBOXES = ("Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash")
#: One message in so many goes to all users.
TO_ALL_EVERY = 5
#: Messages that are moved at once, at most.
MOVED = 8

_NUMBER = re.compile(MARK + rb"(\d+)")
_COPYUID = re.compile(rb"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]")
_UID = re.compile(rb"UID (\d+)")
_UIDNEXT = re.compile(rb"\[UIDNEXT (\d+)\]")


@dataclass(frozen=True)
class Members:
    """How many clients of each kind.

    :ivar tls: whether every second submission is inside TLS.
    :ivar churn: whether IMAP clients also copy, flag and expunge.
    """

    smtp: int = 8
    submission: int = 4
    imap: int = 4
    tls: bool = True
    churn: bool = True


class Crowd:
    """The clients, each in its thread.

    :ivar refusals: answers that were no yes; there should be none.
    """

    def __init__(self, ports: Ports, book: Book, members: Members) -> None:
        self._ports = ports
        self._book = book
        self._members = members
        self._stopping = Event()
        self.refusals: list[str] = []
        kinds = (
            (self._send, members.smtp),
            (self._submit, members.submission),
            (self._arrange, members.imap),
        )
        self._threads = [
            Thread(target=self._guard, args=(work, number), daemon=True)
            for work, clients in kinds
            for number in range(clients)
        ]

    def start(self) -> None:
        """All clients begin at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return after each client has its last answer, or knows it will not come."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _guard(self, work: Callable[[int], None], number: int) -> None:
        try:
            with suppress(OSError, Gone):
                work(number)
        except Refused as refusal:
            self.refusals.append(str(refusal))

    def _send(self, number: int) -> None:
        with closing(SMTPWire(self._ports.smtp)) as client:
            self._mail(client, "sender@example.net", number)

    def _submit(self, number: int) -> None:
        user = USERS[number % len(USERS)]
        with closing(SMTPWire(self._ports.submission)) as client:
            client.log_in(user, PASSWORD, self._members.tls and number % 2 == 1)
            self._mail(client, user, number)

    def _mail(self, client: SMTPWire, sender: str, number: int) -> None:
        while not self._stopping.is_set():
            number += 1
            everybody = number % TO_ALL_EVERY == 0
            recipients = USERS if everybody else [USERS[number % len(USERS)]]
            message, data = self._book.ledger.new_message()
            operation = self._book.begin(
                "MAIL",
                {(message, user): (("INBOX", ()),) for user in recipients},
                (client.port, client.accepted + 1),
            )
            client.mail(sender, recipients, data)
            self._book.answer(operation)

    def _arrange(self, number: int) -> None:
        # Nobody else moves what is in the mailbox that this one moves from.
        user = USERS[number % len(USERS)]
        first = number < len(USERS)
        source, target = ("INBOX", "Archive") if first else ("Drafts", "Trash")
        with closing(IMAPWire(self._ports.imap, user, PASSWORD)) as client:
            arranger = Arranger(client, self._book, user, source, target)
            steps = arranger.all_steps() if self._members.churn else arranger.steps()
            for step in cycle(steps):
                if self._stopping.is_set():
                    return
                step()


class Arranger:
    """One client of IMAP, and what it knows of its messages.

    :ivar moved: UIDs in the target by message.
    """

    def __init__(
        self, client: IMAPWire, book: Book, user: str, source: str, target: str
    ) -> None:
        self._client = client
        self._book = book
        self._user = user
        self._source = source
        self._target = target
        self._next = 0
        self.moved: dict[int, int] = {}

    def steps(self) -> list[Callable[[], object]]:
        """APPEND and MOVE."""
        return [self._select_source, self._append, self._append, self._move]

    def all_steps(self) -> list[Callable[[], object]]:
        """And the others."""
        return [
            *self.steps(), self._append, self._move, self._select_target,
            self._flag, self._copy, self._expunge,
        ]

    def _promised(self, name: str, places: dict[int, tuple[Place, ...]]) -> Operation:
        """Begin what puts messages in *places*."""
        return self._book.begin(
            name,
            {(number, self._user): tuple(sorted(p)) for number, p in places.items()},
            (self._client.port, self._client.next_tag()),
        )

    def _perform(
        self,
        places: dict[int, tuple[Place, ...]],
        command: str,
        literal: bytes | None = None,
    ) -> list[list[bytes]]:
        operation = self._promised(command.split("(", 1)[0], places)
        responses = self._client.command(command, literal)
        self._book.answer(operation)
        return responses

    def _select_source(self) -> None:
        responses = self._client.command(f"SELECT {self._source}")
        if not self._next:
            # What other sessions have left there stays there.
            [found] = filter(None, (_UIDNEXT.search(each[0]) for each in responses))
            self._next = int(found[1])

    def _select_target(self) -> None:
        self._client.command(f"SELECT {self._target}")

    def _append(self) -> None:
        number, data = self._book.ledger.new_message()
        self._perform({number: ((self._source, ()),)}, f"APPEND {self._source}", data)

    def _move(self) -> None:
        """Move what is new in the source."""
        new = dict(list(self._new())[:MOVED])
        if not new:
            return
        self._next = max(new.values()) + 1
        responses = self._perform(
            {number: ((self._target, ()),) for number in new},
            f"UID MOVE {','.join(map(str, new.values()))} {self._target}",
        )
        number_of = {uid: number for number, uid in new.items()}
        [copied] = filter(None, (_COPYUID.search(each[0]) for each in responses))
        for uid, moved in zip(numbers(copied[1]), numbers(copied[2]), strict=True):
            self.moved[number_of[uid]] = moved

    def _new(self) -> Iterator[tuple[int, int]]:
        """Message and UID of each that came to the source, oldest first."""
        field = MARK.rstrip(b": ").decode()
        for response in self._client.command(
            f"UID FETCH {self._next}:* (UID BODY.PEEK[HEADER.FIELDS ({field})])"
        ):
            found = _NUMBER.search(response[1]) if len(response) > 1 else None
            uid = _UID.search(response[0] + response[-1])
            # "*" is the last message, also where that is an old one.
            if found and uid and int(uid[1]) >= self._next:
                yield int(found[1]), int(uid[1])

    def _flag(self) -> None:
        """Flag some of the latest."""
        chosen = dict(list(self.moved.items())[-3:])
        if chosen:
            self._store(chosen, "\\Flagged")

    def _store(self, chosen: dict[int, int], flag: str) -> None:
        places = {
            number: tuple(
                (mailbox, tuple(sorted({*flags, flag})))
                for mailbox, flags in self._book.placement((number, self._user))
            )
            for number in chosen
        }
        uids = ",".join(map(str, sorted(chosen.values())))
        self._perform(places, f"UID STORE {uids} +FLAGS.SILENT ({flag})")

    def _copy(self) -> None:
        """Copy the latest, and leave it alone from then on."""
        if self.moved:
            number, uid = self.moved.popitem()
            [(mailbox, flags)] = self._book.placement((number, self._user))
            places = ((mailbox, flags), ("Sent", flags))
            self._perform({number: places}, f"UID COPY {uid} Sent")

    def _expunge(self) -> None:
        """Delete the two oldest that are known."""
        chosen = dict(list(self.moved.items())[:2])
        if not chosen:
            return
        for number in chosen:
            del self.moved[number]
        self._store(chosen, "\\Deleted")
        uids = ",".join(map(str, sorted(chosen.values())))
        self._perform(dict.fromkeys(chosen, NOWHERE), f"UID EXPUNGE {uids}")


def numbers(text: bytes) -> list[int]:
    """The numbers of a sequence set such as ``1:3,7``."""
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found
