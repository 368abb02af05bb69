"""What backends may provide besides what they have to, and others ask for.

As in :mod:`mailhub.interfaces`, *async* methods return an awaitable.
"""

from __future__ import annotations

from zope.interface import Interface


class IForwards(Interface):
    """What an ``IDirectory`` may provide besides: users' mail that is sent on.

    A change is one of the directory (``version()``).  With its account goes an
    account's forward.
    """

    def find_forward(address):
        """*async* -> :class:`mailhub.mail.account.Forward` of an account, or ``None``.
        """

    def forwards():
        """*async* -> ``list[Forward]``, sorted by address."""

    def set_forward(address, targets, keeps=False):
        """*async* -> ``bool``: whether there is such an account.

        Makes or replaces the account's forward.
        """

    def remove_forward(address):
        """*async* -> ``bool``: whether it was there."""


class IQuotaStore(Interface):
    """What an ``IMailStore`` may provide besides: it tells who is full in advance."""

    def room_of(account_id):
        """-> octets that the account may still store, less than 0 where it has too
        many; all that there are if it has no quota, or has gone.

        :raises mailhub.errors.LocalFault: it cannot be read now.
        """


class IOutlinedMailbox(Interface):
    """What an ``IMailbox`` may provide besides: it need not be read as a whole.

    Opening a mailbox that provides it costs the same however large it is.
    """

    def outline():
        """*async* -> :class:`mailhub.mail.mailbox.Outline`.

        :raises mailhub.errors.NoSuchMailbox: it has been deleted.
        """

    def flags_between(first, last):
        """*async* -> ``(Flags, list[tuple[int, Flags]])``: the flags that messages
        with UIDs from *first* to *last* have, but for those in the list.

        :raises mailhub.errors.NoSuchMailbox: it has been deleted.
        """
