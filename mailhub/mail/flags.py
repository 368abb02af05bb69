"""Message flags as values.

A message's flags are a ``frozenset`` of ``str``: system flags with their
backslash in the spelling below, keywords as the client spelled them first.
Equal sets may be shared, so code may use them as dictionary keys cheaply.
"""

from __future__ import annotations

from enum import Enum

Flags = frozenset[str]

SEEN = "\\Seen"
ANSWERED = "\\Answered"
FLAGGED = "\\Flagged"
DELETED = "\\Deleted"
DRAFT = "\\Draft"

#: The system flags a client may change (RFC 3501, section 2.3.2), by lower case.
SYSTEM_FLAGS = {
    flag.lower(): flag for flag in (SEEN, ANSWERED, FLAGGED, DELETED, DRAFT)
}

NO_FLAGS: Flags = frozenset()


class FlagChange(Enum):
    """How :meth:`IMailbox.set_flags` combines old and new (RFC 3501, 6.4.6)."""

    REPLACE = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"

    def apply(self, old: Flags, given: Flags) -> Flags:
        """The flags a message has after this change."""
        if self is FlagChange.ADD:
            return old | given
        if self is FlagChange.REMOVE:
            return old - given
        return given
