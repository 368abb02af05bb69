"""A POP3 server in memory, with a user and his mail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from mailhub.auth.realm import Realm
from mailhub.net.limits import Limits
from mailhub.pop3.server import POP3Factory
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryStore

from ..dialogues.runner import HOST, MemoryTransport, Player

ALICE = "alice@example.org"
ELSEWHERE = IPv4Address("TCP", "192.0.2.7", 54321)
SENT_AT = 1_795_225_600

#: Three messages: plain; with dots at line starts; with bare LFs and no last one.
MESSAGES = (
    b"Subject: one\r\n\r\nfirst line\r\nsecond line\r\nthird line\r\n",
    b"Subject: two\r\n\r\n.\r\n..\r\n.dot\r\n",
    b"Subject: three\n\nunix\n.\nlines",
)


def now(coroutine: Any) -> Any:
    """The result of *coroutine*, which does not wait for anything."""
    results: list[Any] = []
    done = Deferred.fromCoroutine(coroutine)
    done.addBoth(results.append)
    [result] = results
    if hasattr(result, "raiseException"):
        result.raiseException()
    return result


@dataclass
class Server:
    """A factory and its store; :meth:`connect` makes clients."""

    messages: Iterable[bytes] = MESSAGES
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(lambda: 1_700_000_000)
        for address in (ALICE, "bob@example.org"):
            now(self.store.directory.add_account(address, ""))
        self.deliver(*self.messages)
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(ALICE.encode(), b"secret phrase")
        users.addUser(b"bob@example.org", b"bob")
        realm = Realm(self.store, inbound=lambda: None, for_user=lambda user: None)
        self.factory = POP3Factory(
            Portal(realm, [users]),
            clock=self.clock,
            host_name="pop.example.org",
            certificates=object(),
            **self.options,
        )

    def deliver(self, *messages: bytes) -> None:
        """Put *messages* into Alice's INBOX."""
        account = now(self.store.open_account(ALICE))
        new = [(BytesContent(data), frozenset(), SENT_AT) for data in messages]
        now(account.append("INBOX", new))

    def inbox(self) -> Any:
        """Alice's INBOX, opened by somebody else."""
        return now(now(self.store.open_account(ALICE)).open("INBOX"))

    def uids(self) -> list[int]:
        """What is in it."""
        return list(now(self.inbox().changes(0)).entries.uids)

    def connect(self, peer: Any = None) -> Player:
        """A client that has read nothing yet."""
        transport = MemoryTransport(peer) if peer else MemoryTransport()
        return Player(self.factory.buildProtocol(HOST), self.clock, transport)

    def log_in(self) -> Player:
        """A client after its login."""
        player = self.connect()
        player.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        if not player.received().endswith(b"+OK Logged in.\r\n"):
            raise AssertionError("no login")
        return player


def limits(**changed: Any) -> dict[str, Any]:
    """Options of a server with other connection limits."""
    return {"limits": Limits(**changed)}
