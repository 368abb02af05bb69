"""An IMAP server for an application's own users and its own data.

Run it, and read the tickets with any mail client::

    python examples/tickets_by_imap.py
    curl --user ann:wonder imap://127.0.0.1:2143/INBOX -X 'FETCH 1:* ENVELOPE'

Nothing is copied into a mail store: the mailbox is the application's list of tickets,
seen through ``IMailbox``.  A POP3 server of the same is one more factory.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import react
from zope.interface import implementer

from mailhub.imap.server import IMAPFactory
from mailhub.interfaces import IMailAccount
from mailhub.mail.headers import header_line
from mailhub.mail.words import encode_text
from mailhub.store.virtual import Item, VirtualAccount, VirtualMailbox

# The application, as it is.


@dataclass(frozen=True)
class Ticket:
    number: int
    created: int
    title: str
    text: str


@dataclass
class HelpDesk:
    """Who works here, and what is to be done."""

    staff: dict[str, str] = field(default_factory=dict)
    tickets: list[Ticket] = field(default_factory=list)


# What makes it a mail server.


class TicketMailbox(VirtualMailbox):
    """One message for each ticket."""

    def __init__(self, desk: HelpDesk) -> None:
        super().__init__()
        self._desk = desk

    async def items(self):
        return [Item(ticket.number, ticket.created) for ticket in self._desk.tickets]

    async def octets(self, uid):
        ticket = next(ticket for ticket in self._desk.tickets if ticket.number == uid)
        return (
            header_line(b"Subject", encode_text(f"#{ticket.number} {ticket.title}"))
            + b"From: desk@example.com\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            + ticket.text.replace("\n", "\r\n").encode()
        )


@implementer(ICredentialsChecker)
class StaffChecker:
    """The application's own users and passwords."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, desk: HelpDesk) -> None:
        self._desk = desk

    def requestAvatarId(self, credentials):
        name = credentials.username.decode()
        password = self._desk.staff.get(name)
        if password is None or not credentials.checkPassword(password.encode()):
            raise UnauthorizedLogin(name)
        return name.encode()


@implementer(IRealm)
class HelpDeskRealm:
    """Gives each member of the staff a view of the tickets."""

    def __init__(self, desk: HelpDesk) -> None:
        self._desk = desk

    def requestAvatar(self, avatarId, mind, *interfaces):
        if IMailAccount not in interfaces:
            raise NotImplementedError
        account = VirtualAccount(avatarId.decode(), [TicketMailbox(self._desk)])
        return IMailAccount, account, account.logout


def make_factory(desk: HelpDesk) -> IMAPFactory:
    """What to listen with."""
    portal = Portal(HelpDeskRealm(desk), [StaffChecker(desk)])
    return IMAPFactory(portal, service="imap", host_name="desk.example.com")


async def main(reactor, port="2143"):
    desk = HelpDesk(
        staff={"ann": "wonder"},
        tickets=[
            Ticket(1, 1_795_225_600, "Printer on fire", "It burns.\nBlue flames.\n"),
            Ticket(7, 1_795_229_200, "안녕하세요", "한글이 보이나요?\n"),
        ],
    )
    endpoint = TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")
    listening = await endpoint.listen(make_factory(desk))
    sys.stdout.write(f"IMAP on 127.0.0.1:{listening.getHost().port}\n")
    sys.stdout.flush()
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
