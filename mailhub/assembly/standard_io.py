"""SMTP with one program, on a pair of sockets."""

from __future__ import annotations

import socket
from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..interfaces import ISubmission
from ..smtp.server import SMTPConnection, SMTPFactory
from .programs import SERVICE


@implementer(IRealm)
class _OneAvatar:
    def __init__(self, avatar: Any) -> None:
        self._avatar = avatar

    def requestAvatar(self, avatarId: Any, mind: Any, *interfaces: Any) -> Any:
        return ISubmission, self._avatar, lambda: None


async def converse(
    office: Any, connection: socket.socket, limits: Any, reactor: Any
) -> None:
    """Serve who is at the other end of *connection*, until one of them has enough.

    :param office: a :class:`.programs.PostOffice`, or a
        :class:`.handing_in.DropBox`, where nothing waits but what MAIL can say.
    """
    over: Deferred[None] = Deferred()

    class Conversation(SMTPConnection):
        def connectionLost(self, reason: Any = None) -> None:
            super().connectionLost(reason)
            over.callback(None)

    factory = SMTPFactory(
        Portal(_OneAvatar(office.submission), [AllowAnonymousAccess()]),
        service=SERVICE,
        host_name=office.local_name,
        limits=limits,
        queues=office.queues,
        allows_haste=True,
        clock=reactor,
        spool=office.spool,
    )
    factory.protocol = Conversation
    reactor.adoptStreamConnection(connection.fileno(), socket.AF_UNIX, factory)
    connection.close()
    await over
