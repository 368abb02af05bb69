"""An IMAP server in memory: a store with Ann's account, and clients of it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from mailhub.auth.realm import Realm
from mailhub.imap.server import IMAPFactory
from mailhub.mail.account import Account, Delivery, Target
from mailhub.mail.flags import NO_FLAGS
from mailhub.mail.mailbox import INBOX
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryStore

from ..dialogues.runner import MemoryTransport, Player

ANN = "ann@example.org"
LOGIN = b"LOGIN ann@example.org secret"
LOCAL = "127.0.0.1"
REMOTE = "192.0.2.7"
#: Saturday, 21 November 2026, 02:01:34 UTC.
NOW = 1_795_226_494

MESSAGE = (
    b"From: Bob <bob@example.org>\r\n"
    b"To: Ann <ann@example.org>\r\n"
    b"Subject: hello\r\n"
    b"Date: Sat, 21 Nov 2026 01:46:40 +0000\r\n"
    b"Message-ID: <1@example.org>\r\n"
    b"\r\n"
    b"Hi Ann.\r\n"
)


def run(coroutine: Any) -> Any:
    """The result of a coroutine that never suspends: the memory store's do not."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("it suspended")


@dataclass
class Server:
    """A factory with its store, and clients that connect to it."""

    options: dict[str, Any] = field(default_factory=dict)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        # UIDVALIDITYs of the memory store follow from the time it was made.
        self.store = MemoryStore(now=lambda: 1_000_000)
        self.ann: Account = run(self.store.directory.add_account(ANN, ""))
        self.account = run(self.store.open_account(ANN))
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(ANN.encode(), b"secret")
        realm = Realm(self.store, inbound=None, for_user=None)
        self.factory = IMAPFactory(
            Portal(realm, [users]),
            host_name="mx.example.org",
            clock=self.clock,
            wall_clock=lambda: NOW,
            **{"certificates": object(), "spool": self.store.spool, **self.options},
        )

    def deliver(self, octets=MESSAGE, mailbox=INBOX, flags=NO_FLAGS):
        """A message arrives."""
        target = Target(self.ann.account_id, mailbox, frozenset(flags))
        delivery = Delivery(BytesContent(octets), b"", (target,), NOW)
        run(self.store.deliver(delivery))

    def open(self, name=INBOX):
        """A mailbox of the store itself, past IMAP."""
        return run(self.account.open(name))

    def uids(self, name=INBOX):
        """The UIDs in a mailbox."""
        return list(run(self.open(name).changes(0)).entries.uids)

    def connect(self, host=LOCAL):
        """A client that has read the greeting."""
        peer = IPv4Address("TCP", host, 54321)
        protocol = self.factory.buildProtocol(peer)
        client = Client(protocol, self.clock, MemoryTransport(peer=peer))
        client.greeting = client.received()
        return client

    def logged_in(self):
        """A client that has logged in."""
        client = self.connect()
        client.ok(LOGIN)
        return client

    def selected(self, name=b"INBOX", messages=0, flags=NO_FLAGS):
        """A client that has selected a mailbox, in which are so many messages."""
        for _ in range(messages):
            self.deliver(mailbox=name.decode(), flags=flags)
        client = self.logged_in()
        client.ok(b"SELECT " + name)
        return client


class Client(Player):
    """A player that numbers its commands."""

    greeting = b""

    def __post_init__(self):
        super().__post_init__()
        self.tags = itertools.count(1)

    def command(self, text):
        """Send *text* as a command.  -> untagged lines, and the status."""
        tag = b"t%d" % next(self.tags)
        self.send(tag + b" " + text + b"\r\n")
        received = self.received()
        untagged, found, status = received.rpartition(tag + b" ")
        assert found and status.endswith(b"\r\n"), received
        return untagged, status[:-2]

    def ok(self, text):
        """Send a command that works.  -> its untagged lines."""
        untagged, status = self.command(text)
        assert status.startswith(b"OK"), (text, untagged, status)
        return untagged

    def status(self, text):
        """Send a command.  -> its status."""
        return self.command(text)[1]

    def append(self, octets=MESSAGE, mailbox=b"INBOX", details=b""):
        """APPEND a message.  -> untagged lines, and the status."""
        command = b"APPEND %b %b{%d+}\r\n%b" % (mailbox, details, len(octets), octets)
        return self.command(command)

    def uids(self):
        """The UIDs that FETCH shows."""
        lines = self.ok(b"FETCH 1:* UID")
        return [int(uid) for uid in re.findall(rb"UID (\d+)", lines)]
