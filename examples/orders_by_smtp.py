r"""Mail that a coroutine of the application takes, or refuses while SMTP still waits.

Run it, and order something::

    python examples/orders_by_smtp.py
    printf 'Subject: 3 kettles\n\nPlease.\n' |
        curl --crlf smtp://127.0.0.1:2525 --mail-from ann@example.org \
             --mail-rcpt orders@shop.example --upload-file -

The sender's server hears the verdict as the answer to its message: nobody has to send
a mail about a mail.  What the coroutine accepts must be safe before it returns; from
then on it is the application that answers for the message.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from email import message_from_bytes, policy

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import deferLater, react
from zope.interface import implementer

from mailhub.errors import Busy, Refused, RelayDenied, UnknownRecipient
from mailhub.interfaces import ISubmission
from mailhub.smtp.server import SMTPFactory
from mailhub.store.content import octets_of

DOMAIN = "shop.example"


@dataclass
class Shop:
    """The application: what is on the shelves, and what was ordered."""

    shelves: dict[str, int]
    orders: list[tuple[str, int, str]] = field(default_factory=list)
    is_open: bool = True

    async def order(self, reactor, what, number, buyer):
        """Ask the warehouse, which takes a moment."""
        await deferLater(reactor, 0.01)
        if not self.is_open:
            raise Busy("stocktaking")
        if self.shelves.get(what, 0) < number:
            raise Refused(f"there are not {number} {what} left")
        self.shelves[what] -= number
        self.orders.append((what, number, buyer))


@implementer(ISubmission)
class OrderDesk:
    """What SMTP asks at each step of a transaction."""

    def __init__(self, reactor, shop: Shop) -> None:
        self._reactor = reactor
        self._shop = shop

    async def sender(self, envelope):
        if envelope.sender is None:
            raise Refused("orders are not returned")

    async def recipient(self, envelope, address):
        if address.domain != DOMAIN:
            raise RelayDenied(f"no mail for {address.domain} here")
        if address.local.lower() != "orders":
            raise UnknownRecipient(str(address))

    async def message(self, envelope, content):
        mail = message_from_bytes(await octets_of(content), policy=policy.default)
        wanted = re.match(r"([0-9]{1,6}) (\w+)", mail["Subject"] or "")
        if wanted is None:
            raise Refused("the subject of an order is a number and a thing")
        number, what = int(wanted[1]), wanted[2]
        await self._shop.order(self._reactor, what, number, str(envelope.sender))
        return [None for _ in envelope.recipients]


@implementer(IRealm)
class ShopRealm:
    """Everybody may order, so there is no login."""

    def __init__(self, desk: OrderDesk) -> None:
        self._desk = desk

    def requestAvatar(self, avatarId, mind, *interfaces):
        if ISubmission not in interfaces:
            raise NotImplementedError
        return ISubmission, self._desk, lambda: None


def make_factory(reactor, shop: Shop) -> SMTPFactory:
    """What to listen with."""
    portal = Portal(ShopRealm(OrderDesk(reactor, shop)), [AllowAnonymousAccess()])
    return SMTPFactory(portal, service="smtp", host_name="mx.shop.example")


async def main(reactor, port="2525"):
    factory = make_factory(reactor, Shop({"kettles": 5}))
    endpoint = TCP4ServerEndpoint(reactor, int(port), interface="127.0.0.1")
    listening = await endpoint.listen(factory)
    sys.stdout.write(f"SMTP on 127.0.0.1:{listening.getHost().port}\n")
    sys.stdout.flush()
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
