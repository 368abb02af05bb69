"""Clients that send as fast as they are answered, until the server is gone."""

from __future__ import annotations

import imaplib
import smtplib
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Thread

from .ledger import Ledger
from .subject import HOST, PASSWORD, USERS, Ports

#: Seconds that a client waits for an answer; the server is dead long before.
TIMEOUT = 20
#: Where SMTP delivers to, and where APPEND does.
MAILBOXES = ("INBOX", "Archive")
#: What a client sees of a server that was killed.
GONE = (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error)


class Load:
    """SMTP and IMAP clients, each in its thread.

    :param errors: refusals, which there should be none of.
    """

    def __init__(self, ports: Ports, ledger: Ledger, smtp: int, imap: int) -> None:
        self._ports = ports
        self._ledger = ledger
        self._stopping = Event()
        self._threads = [
            Thread(target=self._guard, args=(work, number), daemon=True)
            for work, clients in ((self._send, smtp), (self._append, imap))
            for number in range(clients)
        ]

    def start(self) -> None:
        """All clients begin at once."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Return after all clients have noticed that the server is gone."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _guard(self, work: Callable[[int], None], number: int) -> None:
        with suppress(*GONE):
            work(number)

    def _send(self, number: int) -> None:
        client = smtplib.SMTP(HOST, self._ports.smtp, timeout=TIMEOUT)
        recipient = USERS[number % len(USERS)]
        while not self._stopping.is_set():
            number, data = self._ledger.new_message()
            client.sendmail("sender@example.net", [recipient], data)
            self._ledger.acknowledge(number)

    def _append(self, number: int) -> None:
        client = imaplib.IMAP4(HOST, self._ports.imap, TIMEOUT)
        client.login(USERS[number % len(USERS)], PASSWORD)
        while not self._stopping.is_set():
            number, data = self._ledger.new_message()
            answer, _ = client.append(MAILBOXES[1], "", time.time(), data)
            if answer == "OK":
                self._ledger.acknowledge(number)


def read_everything(ports: Ports, users: Sequence[str] = USERS) -> list[bytes]:
    """All messages of all mailboxes of *users* that can be read, by IMAP."""
    return [
        message
        for user in users
        for mailbox in MAILBOXES
        for message in Reader(ports, user, mailbox).read()
    ]


class Reader:
    """Reads a mailbox, around messages that the server cannot give."""

    def __init__(self, ports: Ports, user: str, mailbox: str) -> None:
        self._ports = ports
        self._user = user
        self._mailbox = mailbox

    def read(self) -> list[bytes]:
        """Every message."""
        with self._session() as client:
            _, [found] = client.uid("SEARCH", "ALL")
        return self._fetch(found.split())

    def _fetch(self, uids: list[bytes]) -> list[bytes]:
        """The messages, halved again and again where one of them is not there."""
        if not uids:
            return []
        try:
            with self._session() as client:
                _, parts = client.uid(
                    "FETCH", f"{int(uids[0])}:{int(uids[-1])}", "(BODY.PEEK[])"
                )
                return [part[1] for part in parts if isinstance(part, tuple)]
        except imaplib.IMAP4.abort:
            if len(uids) == 1:
                return []
        middle = len(uids) // 2
        return self._fetch(uids[:middle]) + self._fetch(uids[middle:])

    def _session(self) -> imaplib.IMAP4:
        client = imaplib.IMAP4(HOST, self._ports.imap, TIMEOUT)
        client.login(self._user, PASSWORD)
        client.select(self._mailbox, readonly=True)
        return client
