"""The envelope of a message on its way: RFC 5321's, not the header's."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, Flag

from .address import Address


@dataclass(frozen=True, slots=True)
class Peer:
    """Facts about a connection; ``mind`` at login, and part of every envelope.

    :ivar host: the peer's IP address as text (``""`` for a UNIX socket).
    :ivar service: the listener: ``smtp``, ``submission``, ``submissions``,
        ``lmtp``, ``pop3``, ``pop3s``, ``imap``, ``imaps``.
    :ivar tls: the TLS version such as ``TLSv1.3``, or ``None`` in clear text.
    :ivar helo: what the client called itself (SMTP), else ``""``.
    :ivar known: what has been found out about it, by who has: kept for as long as the
        connection, and nobody else looks at it.
    """

    host: str
    port: int
    service: str
    local_name: str
    tls: str | None = None
    helo: str = ""
    known: dict[object, object] = field(
        default_factory=dict, compare=False, repr=False
    )

    @property
    def is_loopback(self) -> bool:
        """Whether the connection never left this machine."""
        return (
            self.host.startswith("127.") or self.host in ("", "::1")
            or self.host.startswith("::ffff:127.")
        )


class Notify(Flag):
    """What the sender wants to be told of a recipient (RFC 3461, section 4.1).

    ``NEVER`` is none of them.  Where the client said nothing it is ``None``, and the
    same as ``FAILURE | DELAY``.
    """

    NEVER = 0
    SUCCESS = 1
    FAILURE = 2
    DELAY = 4


@dataclass(frozen=True, slots=True)
class DeliverBy:
    """How long a message may take (RFC 2852).

    :ivar until: seconds since the epoch.
    :ivar returns: it comes back when that time has passed (``R``), else its sender is
        told (``N``).
    :ivar trace: whether the sender wants to hear of relaying (``T``).
    """

    until: float
    returns: bool
    trace: bool = False


@dataclass(frozen=True, slots=True)
class MailParameters:
    """The parameters of MAIL FROM that the receiver understood.

    :ivar body: ``7BIT`` or ``8BITMIME``; BINARYMIME (RFC 3030) is not offered.
    :ivar ret: how much of it a notification of failure returns: ``FULL`` or ``HDRS``
        (RFC 3461, section 4.3).
    :ivar envid: the sender's name for it, decoded (RFC 3461, section 4.4).
    :ivar hold_until: not to be sent before, in seconds since the epoch (RFC 4865).
    :ivar priority: -9 to 9 (RFC 6710).
    :ivar require_tls: only over verified TLS (RFC 8689).
    :ivar verp: the delimiters of a sender for each recipient (XVERP, see
        :mod:`mailhub.mail.verp`); never in the queue, which has these senders.
    """

    size: int | None = None
    body: str = "7BIT"
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    require_tls: bool = False
    verp: str | None = None


@dataclass(frozen=True, slots=True)
class RecipientParameters:
    """The parameters of RCPT TO that the receiver understood (RFC 3461, section 4).

    :ivar original: ORCPT, decoded: ``rfc822;user@example.com``.
    """

    notify: Notify | None = None
    original: str | None = None


class Order(Enum):
    """What a check wants done with mail that is taken.

    ``RELAY``: it may go wherever its recipient is, though its sender is a stranger.
    ``DISCARD``: it is thrown away, and nobody is told.  ``HOLD``: it waits in the
    queue for a person.  ``REDIRECT``: the address that is its reason gets it instead,
    if that is said before the message comes.  ``UNDECIDED``: whether it may be relayed
    cannot be told now.
    """

    RELAY = "relay"
    DISCARD = "discard"
    HOLD = "hold"
    REDIRECT = "redirect"
    UNDECIDED = "undecided"


@dataclass(slots=True)
class Envelope:
    """Who sends what to whom, as far as the transaction has come.

    :ivar id: the transaction's name in replies, Received and logs.
    :ivar sender: ``None`` is the null reverse-path ``<>``.
    :ivar user: the canonical login name, ``None`` without a login.
    :ivar one_by_one: recipients may fail singly after the data (LMTP, RFC 2033);
        else the message is accepted for all of them or for none.
    :ivar trace: header lines this server puts on top (``Received:``), CRLF-ended.
    :ivar wishes: the parameters of recipients that came with some.
    :ivar orders: of checks, for all of the message, with their reasons.
    :ivar routes: what the avatar decided for each recipient, to be used when the
        message is there; nobody else looks at it.
    :ivar message_id: what the message calls itself, for the log; ``""`` if it does not.
    """

    id: str
    peer: Peer
    user: str | None
    sender: Address | None
    parameters: MailParameters
    recipients: list[Address] = field(default_factory=list)
    one_by_one: bool = False
    trace: bytes = b""
    wishes: dict[Address, RecipientParameters] = field(default_factory=dict)
    orders: dict[Order, str] = field(default_factory=dict)
    routes: dict[Address, object] = field(default_factory=dict, repr=False)
    message_id: str = ""
