"""An SMTP server in memory, with an avatar that keeps what it takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import (
    ANONYMOUS,
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.portal import IRealm, Portal
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from zope.interface import implementer

from mailhub.interfaces import ISubmission
from mailhub.smtp.server import LMTPFactory, SMTPFactory

from ..dialogues.runner import MemoryTransport, Player

#: 2026-11-21 02:01:34 UTC.
NOW = 1_795_226_494
LOCAL = "127.0.0.1"
REMOTE = "192.0.2.7"


@dataclass
class Taken:
    """A message that an avatar was given."""

    user: Any
    sender: str
    recipients: list[str]
    octets: bytes
    trace: bytes
    envelope: Any


@implementer(ISubmission)
@dataclass(eq=False)
class Avatar:
    """Takes everything, unless told to raise; remembers it."""

    user: Any = None
    taken: list[Taken] = field(default_factory=list)
    asked: list[tuple] = field(default_factory=list)
    #: What to raise, or await first, by moment or recipient.
    wants: dict[Any, Any] = field(default_factory=dict)
    outcomes: Any = None

    async def _ask(self, key):
        want = self.wants.get(key)
        if isinstance(want, Exception):
            raise want
        if want is not None:
            await want

    async def sender(self, envelope):
        self.asked.append(("sender", str(envelope.sender)))
        await self._ask("sender")

    async def recipient(self, envelope, address):
        self.asked.append(("recipient", str(address)))
        await self._ask("recipient")
        await self._ask(str(address))

    async def message(self, envelope, content):
        self.asked.append(("message", envelope.id))
        octets = await content.read(0, content.size)
        await self._ask("message")
        self.taken.append(
            Taken(
                envelope.user,
                str(envelope.sender),
                [str(address) for address in envelope.recipients],
                octets,
                envelope.trace,
                envelope,
            )
        )
        return self.outcomes or [None] * len(envelope.recipients)


@implementer(IRealm)
class Avatars:
    """One avatar for everybody; counts how often it was asked for."""

    def __init__(self, avatar):
        self.avatar = avatar
        self.logins = []

    def requestAvatar(self, avatarId, mind, *interfaces):
        self.logins.append((avatarId, mind))
        if avatarId is not ANONYMOUS:
            self.avatar.user = avatarId
        return ISubmission, self.avatar, lambda: None


@dataclass
class Server:
    """A factory, its avatar, and connections to it."""

    service: str = "smtp"
    options: dict[str, Any] = field(default_factory=dict)
    anonymous: bool = True
    avatar: Avatar = field(default_factory=Avatar)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self):
        self.realm = Avatars(self.avatar)
        users = InMemoryUsernamePasswordDatabaseDontUse()
        users.addUser(b"ann@example.org", b"secret")
        checkers = [users, *([AllowAnonymousAccess()] if self.anonymous else [])]
        factory = LMTPFactory if self.service == "lmtp" else SMTPFactory
        self.factory = factory(
            Portal(self.realm, checkers),
            service=self.service,
            host_name="mx.example.org",
            clock=self.clock,
            wall_clock=lambda: NOW,
            **{"certificates": object(), **self.options},
        )
        if self.options.get("implicit_tls"):
            self.factory.implicit_tls = True
        self.factory.new_id = self._new_id
        self.ids = 0

    def _new_id(self):
        self.ids += 1
        return f"ID{self.ids}"

    @property
    def taken(self):
        return self.avatar.taken

    def connect(self, host=LOCAL):
        """A player that is connected; the greeting was not read yet."""
        peer = IPv4Address("TCP", host, 54321)
        protocol = self.factory.buildProtocol(peer)
        return Player(protocol, self.clock, MemoryTransport(peer=peer))

    def greeted(self, host=LOCAL):
        """A player that has said hello."""
        player = self.connect(host)
        verb = b"LHLO" if self.service == "lmtp" else b"EHLO"
        player.send(verb + b" client.example\r\n")
        player.received()
        return player

    def in_data(self, recipients=(b"bob@example.org",), host=LOCAL):
        """A player that has got its 354."""
        player = self.greeted(host)
        begin(player, recipients)
        return player


def begin(player, recipients=(b"bob@example.org",)):
    """Bring *player* to 354 in one segment."""
    player.send(
        b"MAIL FROM:<ann@example.com>\r\n"
        + b"".join(b"RCPT TO:<" + address + b">\r\n" for address in recipients)
        + b"DATA\r\n"
    )
    reply = player.received()
    assert reply.endswith(b"354 End data with <CR><LF>.<CR><LF>\r\n"), reply
