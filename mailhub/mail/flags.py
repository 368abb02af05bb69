"""Message flags as values.

A message's flags are a ``frozenset`` of ``str``: system flags with their
backslash in the spelling below, keywords as the client spelled them first.
Equal sets may be shared, so code may use them as dictionary keys cheaply.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from ..errors import LimitReached

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

#: Keywords a mailbox may have.  Each costs every session that selects it a word
#: in FLAGS and PERMANENTFLAGS; people's labels come to some dozens.
MAX_KEYWORDS = 256


class Keywords:
    """The keywords of one mailbox, each in the spelling that came first.

    Keywords compare without case (RFC 3501, section 9: ``flag-keyword``), so
    flags pass through here before a store compares or keeps them.
    """

    __slots__ = ("_spellings",)

    def __init__(self, spellings: Iterable[str] = ()) -> None:
        self._spellings = {keyword.lower(): keyword for keyword in spellings}

    def __len__(self) -> int:
        return len(self._spellings)

    def spell(self, flags: Flags) -> Flags:
        """*flags* in this mailbox's spelling; new keywords stay as they are."""
        known = self._spellings
        if all(flag[0] == "\\" or known.get(flag.lower()) == flag for flag in flags):
            return flags
        return frozenset(known.get(flag.lower(), flag) for flag in flags)

    def learn(self, sets: list[Flags]) -> list[Flags]:
        """*sets* in this mailbox's spelling; new keywords are known after this.

        :raises LimitReached: they would be too many; none was learned.
        """
        new: dict[str, str] = {}
        for flags in sets:
            for flag in flags:
                if flag[0] != "\\" and flag.lower() not in self._spellings:
                    new.setdefault(flag.lower(), flag)
        if not new:
            return [self.spell(flags) for flags in sets]
        if len(self._spellings) + len(new) > MAX_KEYWORDS:
            raise LimitReached(f"more than {MAX_KEYWORDS} keywords in a mailbox")
        self._spellings.update(new)
        return [self.spell(flags) for flags in sets]


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
