"""Who is told what: which notifications are owed (RFC 3461, section 5.2; RFC 3464)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger

from ..mail.account import Delivery
from ..mail.dsn import (
    MAX_RETURNED_HEADER,
    Action,
    RecipientReport,
    Report,
    letter_of,
)
from ..mail.envelope import Notify
from ..mail.queue_limits import QueueLimits
from ..mail.queued import (
    WAY_SEPARATOR,
    Letter,
    Outcome,
    QueuedMessage,
    Result,
    Waiting,
)
from .schedule import ends

POSTMASTER = "postmaster"
#: Ways out that end here: nobody behind them confirms a delivery.
FINAL_WAYS = frozenset({"function", "http", "local", "program"})
#: Behind it is a mailbox, whether or not that server confirms deliveries (RFC 2033).
TO_MAILBOXES = "lmtp"
#: What the sender has said nothing about (RFC 3461, section 4.1).
USUAL = Notify.FAILURE | Notify.DELAY

#: What :func:`success` has not decided about.
_WISH_FOR = {Action.FAILED: Notify.FAILURE, Action.DELAYED: Notify.DELAY}


@dataclass(frozen=True, slots=True)
class Fate:
    """What has become of a recipient, as far as somebody may want to hear of it."""

    action: Action
    waiting: Waiting
    result: Result
    attempted: float | None


def success(
    message: QueuedMessage, waiting: Waiting, result: Result, now: float
) -> Action | None:
    """What a success is to the sender who wants to hear of it, if we have to tell.

    Besides what RFC 3461, section 5.2, asks for, that is each step of mail that is to
    be traced, and the last step by whose time it is still known (RFC 2852, sections
    4.1.4 and 4.1.4.2).
    """
    notify, wish = waiting.notify, message.parameters.deliver_by
    if notify is Notify.NEVER:
        return None
    wants = notify is not None and Notify.SUCCESS in notify
    is_ours = result.outcome is Outcome.RELAYED
    way, separator, _ = waiting.destination.partition(WAY_SEPARATOR)
    if separator and (way in FINAL_WAYS or way == TO_MAILBOXES):
        return Action.DELIVERED if wants and (is_ours or way in FINAL_WAYS) else None
    if is_ours and wish is not None and not wish.returns:
        wants = wants or now < wish.until
    if (is_ours and wants) or (wish is not None and wish.trace):
        return Action.RELAYED
    return None


class Notices:
    """Writes notifications, and has them brought on their way.

    :param host_name: what this server calls itself.
    :param dispatch: coroutine function: a ``Delivery`` for a ``Letter``.
    :param wall: seconds since the epoch.
    :ivar written: how many, by action.
    """

    log = Logger()

    def __init__(
        self,
        host_name: str,
        limits: QueueLimits,
        dispatch: Callable[[Letter], Awaitable[Delivery]],
        wall: Callable[[], float],
    ) -> None:
        self.limits = limits
        self.written: Counter[Action] = Counter()
        self._host_name = host_name
        self._dispatch = dispatch
        self._wall = wall

    async def deliveries(
        self,
        message: QueuedMessage,
        fates: Sequence[Fate],
        content: Any,
    ) -> list[Delivery]:
        """The notifications of *fates*: one for all recipients of an action.

        :param content: the message's ``IContent``.
        :raises MailError: where they go cannot be told now.
        """
        found = []
        for action in Action:
            own = [fate for fate in fates if fate.action is action]
            if not own:
                continue
            delivery = await self._delivery(message, action, own, content)
            if delivery.targets or delivery.sendings:
                found.append(delivery)
                self.written[action] += 1
        return found

    def is_owed(self, message: QueuedMessage, fate: Fate) -> bool:
        """Whether somebody is told of it.

        Nobody answers the null sender (RFC 5321, section 4.5.5); the postmaster
        hears of what failed and had none, unless he is whom that was for.
        """
        wishes = USUAL if fate.waiting.notify is None else fate.waiting.notify
        if _WISH_FOR.get(fate.action, Notify.NEVER) not in wishes:
            return False
        if message.sender:
            return True
        if fate.action is not Action.FAILED:
            return False
        if _is_same(fate.waiting.recipient, self._double_bounces):
            self.log.error(
                "{queue_id}: a notification for the postmaster did not reach"
                " {recipient!r}, and is dropped: {reply!r}",
                queue_id=message.queue_id,
                recipient=fate.waiting.recipient,
                reply=fate.result.reply,
            )
            return False
        return True

    @property
    def _double_bounces(self) -> str:
        return self.limits.double_bounces or POSTMASTER

    async def _delivery(
        self,
        message: QueuedMessage,
        action: Action,
        fates: Sequence[Fate],
        content: Any,
    ) -> Delivery:
        size = MAX_RETURNED_HEADER
        parameters = message.parameters
        whole = action is Action.FAILED and self.limits.returns_whole(
            parameters, message.size
        )
        if whole:
            size = message.size
        octets = await content.read(0, size)
        report = Report(
            action,
            self._host_name,
            message.sender or self._double_bounces,
            message.queue_id,
            None,
            message.arrived,
            self._wall(),
            tuple(self._recipient(message, fate) for fate in fates),
            returned=octets,
            whole=whole,
        )
        return await self._dispatch(letter_of(report.of(parameters)))

    def _recipient(self, message: QueuedMessage, fate: Fate) -> RecipientReport:
        waiting, result = fate.waiting, fate.result
        until = None
        if fate.action is Action.DELAYED:
            until = ends(message, self.limits)
        return RecipientReport(
            waiting.recipient,
            original=waiting.original,
            status=result.status,
            reply=result.reply,
            host=result.host,
            attempted=fate.attempted,
            retry_until=until,
        )


def _is_same(address: str, other: str) -> bool:
    """Whether mail for *address* is what goes to *other*, a postmaster perhaps."""
    address, other = address.lower(), other.lower()
    return address == other or address.partition("@")[0] == POSTMASTER
