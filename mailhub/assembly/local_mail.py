"""Mail of this machine's users, whose programs have gone home by now.

Nobody waits for an answer, so whatever is not to be had at once goes through the
queue: it is tried again, or comes back to its sender.
"""

from __future__ import annotations

import os
import time
from typing import Any

from twisted.logger import Logger

from ..config.naming import server_name
from ..config.settings import Config
from ..errors import LocalFault, MailError, OverQuota
from ..mail.address import Address, ascii_domain, format_mailbox
from ..mail.dsn import (
    MAX_RETURNED_HEADER,
    Action,
    RecipientReport,
    Report,
    letter_of,
)
from ..mail.envelope import Envelope, Notify, Peer
from ..mail.headers import header_line
from ..routing.decision import Decision, Departure, Outcome
from ..routing.dispatching import POSTMASTER, Dispatching, random_id
from ..routing.planning import LOCAL_WAY, Outlet, Route
from ..routing.router import Router
from ..routing.submission import ProgramSubmission
from ..routing.successes import Successes
from ..smtp.batch import Batch
from ..smtp.replies import reply_for
from ..smtp.trace import received_locally
from .left_mail import Left
from .programs import SERVICE


class LocalMail:
    """Brings what users have left on its way.

    :param outlet: who sends what leaves.
    """

    log = Logger()

    def __init__(
        self, config: Config, store: Any, router: Router, outlet: Outlet
    ) -> None:
        self._store = store
        self._router = router
        self._name = server_name(config)
        self._queue = config.queue
        self._trusted = frozenset(config.local.trusted)
        self._domains = {self._name, config.files.origin} - {""}
        self._dispatching = Dispatching(router, self._name, limits=config.queue)
        self._submission = ProgramSubmission(
            store, router, outlet=outlet, limits=config.queue,
            tell_success=Successes(self._name, self._dispatching.dispatch),
        )  # fmt: skip

    async def take(self, left: Left) -> None:
        """Deliver a message, have it sent, or have it returned.

        :raises LocalFault: nothing has happened to it; try again later.
        """
        batch = left.batch
        envelope = Envelope(
            random_id(), Peer("", 0, SERVICE, self._name), left.user, batch.sender,
            batch.parameters, wishes=dict(batch.wishes),
        )  # fmt: skip
        envelope.trace = received_locally(
            envelope, left.user, int(time.time()), left.user_id
        ) + await self._warning(left)
        try:
            await self._submission.sender(envelope)
            await self._add_all(envelope, batch)
            await self._deliver(envelope, left.content)
        except LocalFault:
            raise
        except MailError as error:
            await self._return(envelope, batch, left.content, error)
        else:
            self.log.info(
                "{id}: {size} octets from {sender} for {count} taken,"
                " left by user {user}, message-id={name}",
                id=envelope.id, size=left.content.size, sender=envelope.sender,
                count=len(envelope.recipients), user=left.user,
                name=envelope.message_id,
            )  # fmt: skip

    async def _warning(self, left: Left) -> bytes:
        """What is said of users who send in somebody else's name."""
        sender = left.batch.sender
        if (
            sender is None or left.user in self._trusted
            or left.user_id in (0, os.geteuid()) or await self._owns(left.user, sender)
        ):
            return b""
        text = f"{self._name}: {left.user} set sender to <{sender}> using -f"
        if not (text.isascii() and text.isprintable()):
            text = f"{self._name}: {left.user} set sender using -f"
        return header_line(b"X-Authentication-Warning", text.encode())

    async def _owns(self, user: str, sender: Address) -> bool:
        names = {f"{user}@{domain}".lower() for domain in self._domains}
        if str(sender).lower() in names:
            return True
        decision = await self._router.resolve(sender)
        return not names.isdisjoint(decision.owners)

    async def _add_all(self, envelope: Envelope, batch: Batch) -> None:
        for address in batch.recipients:
            try:
                await self._submission.recipient(envelope, address)
            except LocalFault:
                raise
            except MailError:
                envelope.routes[address] = await self._in_turn(address)
            envelope.recipients.append(address)

    async def _deliver(self, envelope: Envelope, content: Any) -> None:
        try:
            await self._submission.message(envelope, content)
        except OverQuota:
            # Somebody's mailbox has become full meanwhile, whosever it is.
            for address in envelope.recipients:
                envelope.routes[address] = await self._in_turn(address)
            await self._submission.message(envelope, content)

    async def _in_turn(self, address: Address) -> Route:
        """A place in the queue, for what is meant for mailboxes here.

        What comes back from there is told to the sender as of all that was sent.
        """
        decision = await self._router.resolve(address)
        others = () if decision.objection() is not None else decision.departures
        here = Departure(
            format_mailbox(address).decode(), LOCAL_WAY + ascii_domain(address.domain)
        )
        queued = Decision(str(address), Outcome.LOCAL, departures=(here, *others))
        return Route(address, queued, {})

    async def _return(
        self, envelope: Envelope, batch: Batch, content: Any, error: MailError
    ) -> None:
        """Send a message back that nobody gets."""
        self.log.info(
            "{id}: from {sender}, left by user {user}, goes back: {error}",
            id=envelope.id, sender=batch.sender, user=envelope.user, error=error,
        )  # fmt: skip
        reply = reply_for(error)
        now = time.time()
        status, text = f"5.{error.status.value}", " ".join(reply.lines)
        reports = [
            RecipientReport(format_mailbox(address).decode(), None, status, text)
            for address in batch.recipients
            if Notify.FAILURE in _wish(batch, address)
        ]
        whole = self._queue.returns_whole(batch.parameters, content.size)
        size = self._queue.returned_size if whole else MAX_RETURNED_HEADER
        to = batch.sender or POSTMASTER
        report = Report(
            Action.FAILED, self._name, format_mailbox(to).decode(), envelope.id,
            None, now, now, tuple(reports),
            returned=await content.read(0, size), whole=whole,
        )  # fmt: skip
        if not reports:
            return
        letter = letter_of(report.of(batch.parameters))
        delivery = await self._dispatching.dispatch(letter)
        if delivery.targets or delivery.sendings:
            await self._store.deliver(delivery)


def _wish(batch: Batch, address: Address) -> Notify:
    wishes = batch.wishes.get(address)
    notify = None if wishes is None else wishes.notify
    return Notify.FAILURE if notify is None else notify
