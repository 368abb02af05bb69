"""What stands behind SMTP: the avatars that take mail and have it delivered."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import LocalFault, MailError, NoRouteYet, Refused, UnknownRecipient
from ..interfaces import ISubmission
from ..mail.account import Account, Delivery, Target
from ..mail.address import Address
from ..mail.dates import format_date
from ..mail.envelope import Envelope
from ..mail.headers import header_line
from ..policy.check import Pipeline
from ..policy.header import count_fields
from ..policy.hops import HopLimit
from ..smtp.trace import return_path
from .router import Decision, Outcome, Router

#: The checks that no server should be without.
DEFAULT_CHECKS = (HopLimit(),)


class _Submission:
    """Local delivery after checks: what both avatars have in common.

    :param store: :class:`mailhub.interfaces.IMailStore`.
    :param checks: objects that provide :class:`mailhub.interfaces.ICheck`.
    :param now: seconds since the epoch.
    """

    log = Logger()

    def __init__(
        self,
        store: Any,
        router: Router,
        checks: Sequence[Any] = DEFAULT_CHECKS,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._router = router
        self._checks = Pipeline(checks)
        self._now = now

    async def sender(self, envelope: Envelope) -> None:
        """Ask the checks."""
        await self._checks.sender(envelope)

    async def recipient(self, envelope: Envelope, address: Address) -> None:
        """Decide where mail for *address* goes, and ask the checks.

        :raises MailError: it goes nowhere, or a check is against it.
        """
        decision = await self._router.resolve(address)
        objection = self._objection(decision)
        if objection is not None:
            raise objection
        await self._checks.recipient(envelope, address)
        envelope.routes[address] = decision

    async def message(
        self, envelope: Envelope, content: Any
    ) -> list[MailError | None]:
        """Deliver to all recipients with one commit; with LMTP, to each in turn.

        :raises MailError: nobody got it.
        """
        await self._checks.message(envelope, content)
        prefix = return_path(envelope.sender)
        prefix += envelope.trace + await self._additions(envelope, content)
        if envelope.one_by_one:
            return await self._deliver_each(envelope, content, prefix)
        accounts = [
            account
            for address in envelope.recipients
            for account in self._accounts(envelope, address)
        ]
        await self._commit(self._delivery(content, prefix, accounts))
        return [None] * len(envelope.recipients)

    def _objection(self, decision: Decision) -> MailError | None:
        return decision.objection()

    async def _additions(self, envelope: Envelope, content: Any) -> bytes:
        """Header lines that the message lacks."""
        return b""

    def _accounts(self, envelope: Envelope, address: Address) -> Sequence[Account]:
        decision = envelope.routes[address]
        assert isinstance(decision, Decision)
        return decision.accounts

    def _delivery(
        self, content: Any, prefix: bytes, accounts: Sequence[Account]
    ) -> Delivery:
        """One copy for each account, however many recipients lead to it."""
        targets = {account.account_id: None for account in accounts}
        return Delivery(
            content, prefix, tuple(map(Target, targets)), int(self._now())
        )

    async def _deliver_each(
        self, envelope: Envelope, content: Any, prefix: bytes
    ) -> list[MailError | None]:
        """A delivery per recipient, all begun at once: the store joins commits."""
        outcomes = [
            Deferred.fromCoroutine(
                self._deliver_one(
                    self._delivery(content, prefix, self._accounts(envelope, address))
                )
            )
            for address in envelope.recipients
        ]
        return list(await gatherResults(outcomes))

    async def _deliver_one(self, delivery: Delivery) -> MailError | None:
        try:
            await self._commit(delivery)
        except MailError as error:
            return error
        except Exception:
            self.log.failure("delivery failed")
            return LocalFault("delivery failed")
        return None

    async def _commit(self, delivery: Delivery) -> None:
        try:
            await self._store.deliver(delivery)
        except UnknownRecipient as error:
            # An account has gone since RCPT.  For good would be wrong for the other
            # recipients; the next try learns at RCPT which of them it is.
            raise LocalFault(f"while delivering: {error}") from error


@implementer(ISubmission)
class InboundSubmission(_Submission):
    """Takes mail from other servers, and from an MTA of ours by LMTP.

    Local recipients only: everything else would be an open relay (RFC 5321,
    section 7.1; attack: relaying in all its spellings).
    """


@implementer(ISubmission)
class UserSubmission(_Submission):
    """Takes mail from a user who has logged in.

    :param login: the canonical login name, which is the user's address.
    """

    def __init__(
        self,
        store: Any,
        router: Router,
        checks: Sequence[Any] = DEFAULT_CHECKS,
        *,
        login: str,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(store, router, checks, now=now)
        self.login = login

    async def sender(self, envelope: Envelope) -> None:
        """The sender must be the user, or an alias that leads to the user.

        The null sender is everybody's: read receipts need it (RFC 8098, 2.1).

        :raises Refused: it is somebody else's (attack: sender forgery).
        """
        envelope.user = self.login
        if envelope.sender is not None and not await self._owns(envelope.sender):
            raise Refused("Sender address is not yours")
        await self._checks.sender(envelope)

    async def _owns(self, sender: Address) -> bool:
        if str(sender).lower() == self.login:
            return True
        decision = await self._router.resolve(sender)
        return any(account.address == self.login for account in decision.accounts)

    def _objection(self, decision: Decision) -> MailError | None:
        if decision.outcome is Outcome.ELSEWHERE:
            return NoRouteYet(f"{decision.address} is not local")
        return decision.objection()

    async def _additions(self, envelope: Envelope, content: Any) -> bytes:
        """``Date:`` and ``Message-ID:`` where missing (RFC 6409, section 8)."""
        dates, idents = await count_fields(content, b"date", b"message-id")
        now = int(self._now())
        lines = b""
        if not dates:
            lines += header_line(b"Date", format_date(now))
        if not idents:
            unique = f"<{now}.{envelope.id}@{envelope.peer.local_name}>"
            lines += header_line(b"Message-ID", unique.encode())
        return lines
