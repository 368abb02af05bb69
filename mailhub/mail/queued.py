"""Mail that waits to go out, as values: what a queue takes, lends and gets back.

A message in the queue has one sender and any number of recipients; each recipient
waits, is tried and ends by itself.  Times are seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from .envelope import MailParameters, Notify

#: Characters between the kind and the name of a way out that is not a domain's MX.
WAY_SEPARATOR = ":"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One recipient to put into the queue.

    :ivar recipient: the address for RCPT, as text.
    :ivar destination: what is tried together: the domain in lower case, as A-labels
        where it has any, or its address literal; else ``kind:name`` of another way out
        (``lmtp:``, ``function:``, ``http:``, ``smtp:``).
    :ivar original: ORCPT, decoded: ``rfc822;user@example.com`` (RFC 3461, 4.2).
    """

    recipient: str
    destination: str
    notify: Notify | None = None
    original: str | None = None


@dataclass(frozen=True, slots=True)
class Sending:
    """A message for the queue: a part of a :class:`~mailhub.mail.account.Delivery`.

    :ivar queue_id: its name for people; unique, of ``[A-Za-z0-9]``.
    :ivar sender: the address for MAIL, ``""`` for the null reverse-path.
    :ivar user: the login name of who sent it, or ``None``.
    :ivar due: not before this time.
    :ivar expires: from here on it goes back.
    :ivar hold: why it waits for a person; ``""`` if it does not.
    :ivar keeper: who begins to send at once, and so has the lease from the start, up
        to *kept_until*; ``None`` leaves it to whoever asks first.
    :ivar prefix: the trace lines on top of it, where they are others than those of the
        delivery: ``Return-Path:`` is for mailboxes only (RFC 5321, section 4.4).
    """

    queue_id: str
    sender: str
    user: str | None
    parameters: MailParameters
    recipients: tuple[Outgoing, ...]
    arrived: float
    due: float
    expires: float
    hold: str = ""
    keeper: str | None = None
    kept_until: float = 0.0
    prefix: bytes | None = None


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message in the queue.

    :ivar message_id: the store's own number for it.
    :ivar size: octets of all of it, the lines that this server put on top included.
    """

    message_id: int
    queue_id: str
    sender: str
    user: str | None
    parameters: MailParameters
    size: int
    arrived: float
    expires: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recipient of a queued message, and what became of it so far.

    :ivar attempts: to reach it, up to now.
    :ivar warned: whether the sender was told that it takes long.
    :ivar status: of the last attempt, such as ``4.4.1``; ``""`` before the first.
    :ivar reply: what was said then, by the other server or about it.
    :ivar hold: why it waits for a person; ``""`` if it does not.
    :ivar faults: how often in a row an attempt has made the server fail, or was under
        way when its process died.
    """

    recipient_id: int
    recipient: str
    destination: str
    notify: Notify | None
    original: str | None
    due: float
    attempts: int = 0
    warned: bool = False
    status: str = ""
    reply: str = ""
    hold: str = ""
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """Some recipients of one message and one destination, lent to one sender.

    :ivar token: shows that it is still the holder's: who comes after *until* may be
        given the same recipients with another token (a fence against processes that
        were frozen meanwhile).
    """

    message: QueuedMessage
    destination: str
    recipients: tuple[Waiting, ...]
    token: int
    until: float


class Disposal(Enum):
    """What becomes of a recipient's row."""

    GONE = "gone"
    LATER = "later"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of an attempt for one recipient.

    :ivar due: when to try again, if ``LATER``.
    :ivar status: as in :class:`Waiting`, likewise *reply*.
    :ivar hold: why, if ``HELD``.
    :ivar attempted: whether it counts as an attempt.
    :ivar warned: whether the sender is told now that it takes long.
    :ivar faults: as in :class:`Waiting`.
    """

    recipient_id: int
    disposal: Disposal
    due: float = 0.0
    status: str = ""
    reply: str = ""
    hold: str = ""
    attempted: bool = True
    warned: bool = False
    faults: int = 0


@dataclass(frozen=True, slots=True)
class Backlog:
    """A destination for which something could be sent now.

    :ivar since: when the first of it became due.
    """

    destination: str
    since: float


class Outcome(Enum):
    """How an attempt went, for one recipient."""

    DELIVERED = "delivered"
    RELAYED = "relayed"
    DEFERRED = "delayed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt went for one recipient, and who said so.

    :ivar outcome: ``RELAYED`` if a notification of success that was asked for is
        ours to send, as the other server does not know how (RFC 3461, section 5.2.2).
    :ivar status: RFC 3463, such as ``5.1.1``.
    :ivar reply: one line: what the other server said, with its code; or, where there
        was none, what happened.
    :ivar host: the other server's name, ``""`` if none was reached.
    :ivar address: its IP address, or ``""``.
    :ivar reached: ``False`` if no server of the destination could be talked to, or
        none to the end, so that nobody else's mail for it would have fared better.
    """

    outcome: Outcome
    status: str
    reply: str
    host: str = ""
    address: str = ""
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that the server itself writes: a notification.

    :ivar sender: ``""`` is the null reverse-path.
    :ivar octets: all of the message, CRLF-ended, with its header.
    """

    sender: str
    recipient: str
    octets: bytes
    parameters: MailParameters = MailParameters()
