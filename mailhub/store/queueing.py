"""What queues of all stores have the same way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

#: Recipients of one message that one lease has at most: what other servers take in
#: one transaction for certain (RFC 5321, section 4.5.3.1.8).
MAX_IN_LEASE = 100

#: What of an address tells its owner's many names apart: ``user+tag``, ``list-owner``,
#: and the recipient's address in a VERP sender.
_SEPARATORS = str.maketrans("=-", "++")


def in_parts(recipients: Sequence[T]) -> list[tuple[T, ...]]:
    """Recipients of one message and destination, as many as leases may have."""
    return [
        tuple(recipients[start : start + MAX_IN_LEASE])
        for start in range(0, len(recipients), MAX_IN_LEASE)
    ]


def origin_of(user: str | None, sender: str) -> str:
    """Whom a message counts for where senders take turns.

    Who logs in is one however many addresses he uses; otherwise senders that differ
    in what stands behind a separator are one (attack: a mailing whose every message
    has a sender of its own, as VERP gives it, would go before everybody else's).
    """
    if user is not None:
        return user
    local, _, domain = sender.rpartition("@")
    return f"{local.translate(_SEPARATORS).partition('+')[0]}@{domain}"
