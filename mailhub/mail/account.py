"""Accounts, aliases, forwards and deliveries as values."""

from __future__ import annotations

from dataclasses import dataclass

from .flags import NO_FLAGS, Flags
from .mailbox import INBOX
from .queued import Sending


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this server.

    :ivar address: the canonical full address, lower case: also the login name.
    :ivar password: a ``{SCHEME}`` hash, or ``""`` where no password works.
    :ivar quota: octets the account may store, or ``None``.
    """

    account_id: int
    address: str
    password: str = ""
    quota: int | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Alias:
    """Mail for *address* goes to *targets* instead.  ``@domain`` catches all.

    What targets may be: :mod:`mailhub.routing.targets`.
    """

    address: str
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Mail for the account *address* is sent on to *targets*.

    :ivar keeps: whether the account gets a copy, too.
    """

    address: str
    targets: tuple[str, ...]
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """One mailbox that a delivery goes to."""

    account_id: int
    mailbox: str = INBOX
    flags: Flags = NO_FLAGS


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one or more mailboxes, the queue, or both: all, or none.

    The message's octets are *prefix* followed by *content*; the content is
    stored once, however many targets and deliveries there are.

    :ivar content: an ``IContent``; its maker closes it after the delivery.
    :ivar prefix: trace header lines this server adds, CRLF-ended; may be empty.
    :ivar internal_date: seconds since the epoch.
    :ivar sendings: what of it goes into the queue.
    """

    content: object
    prefix: bytes
    targets: tuple[Target, ...]
    internal_date: int
    sendings: tuple[Sending, ...] = ()
