"""Ways that lead to nobody: for tests, laboratories and those who write programs."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from ..errors import MailError
from ..interfaces import IWayOut
from ..mail.address import parse_mailbox
from ..mail.queued import Lease, Outcome, Result
from ..mail.routes import parse_route
from ..routing.local_way import LocalWay
from ..smtp.client_commands import path_of
from ..smtp.trace import return_path
from .results import result_of_error


@implementer(IWayOut)
class Discarding:
    """``discard:`` takes everything, and keeps nothing."""

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``."""
        result = Result(Outcome.DELIVERED, "2.0.0", "thrown away")
        return [result] * len(lease.recipients)

    async def stop(self) -> None:
        """Nothing is open."""


@implementer(IWayOut)
class IntoMailbox:
    """``mailbox:jo@example.org``: whoever it is for, an address of this server gets it.

    A field ``X-Original-To`` tells for whom it was.
    """

    def __init__(self, local: LocalWay) -> None:
        self._local = local

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``; each recipient's is a message of its own."""
        address = parse_route(lease.destination).name
        sender = None
        if lease.message.sender:
            sender = parse_mailbox(lease.message.sender.encode(), smtputf8=True)
        results = []
        for each in lease.recipients:
            try:
                told = b"X-Original-To: " + path_of(each.recipient)[1:-1] + b"\r\n"
            except MailError as error:
                results.append(result_of_error(error))
                continue
            prefix = return_path(sender) + told
            results.append(await self._local.deliver(address, content, prefix))
        return results

    async def stop(self) -> None:
        """Nothing is open."""
