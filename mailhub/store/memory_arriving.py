"""A delivery to the memory store: read first, then checked, then made at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..mail.account import Delivery
from ..mail.mailbox import INBOX
from ..mail.queued import Lease, Sending
from .memory_state import AccountState, Body, MailboxState

if TYPE_CHECKING:
    from .memory_directory import MemoryDirectory
    from .memory_queue import MemoryQueue


@dataclass(slots=True)
class Arriving:
    """A delivery whose octets are in memory.

    :ivar data: of the content.
    """

    delivery: Delivery
    data: bytes
    directory: MemoryDirectory
    queue: MemoryQueue
    _places: list[tuple[AccountState, MailboxState]] = field(default_factory=list)

    def check(self) -> None:
        """Find out whether it can be made; nothing may come between.

        :raises UnknownRecipient:
        :raises OverQuota:
        :raises LimitReached: too many keywords.
        """
        targets, size = self.delivery.targets, self._size()
        accounts = [self.directory.state_by_id(each.account_id) for each in targets]
        # Mail is not lost because somebody deleted the mailbox it was for.
        mailboxes = [
            account.mailboxes.get(target.mailbox, account.mailboxes[INBOX])
            for account, target in zip(accounts, targets, strict=True)
        ]
        for account in dict.fromkeys(accounts):
            account.check_room(accounts.count(account) * size)
        for mailbox, target in zip(mailboxes, targets, strict=True):
            mailbox.keywords.learn([target.flags])
        self._places = list(zip(accounts, mailboxes, strict=True))

    def _size(self) -> int:
        delivery = self.delivery
        return len(delivery.prefix) + len(self.data)

    def _prefix(self, sending: Sending) -> bytes:
        return self.delivery.prefix if sending.prefix is None else sending.prefix

    def make(self) -> list[Lease]:
        """Make it; it has been checked."""
        delivery = self.delivery
        if self._places:
            body = Body(delivery.prefix + self.data)
            for (account, mailbox), target in zip(
                self._places, delivery.targets, strict=True
            ):
                account.append(mailbox, [(body, target.flags, delivery.internal_date)])
        return [
            lease
            for sending in delivery.sendings
            if sending.recipients
            for lease in self.queue.put(sending, self._prefix(sending) + self.data)
        ]
