"""What a client believes about its selected mailbox.

Message sequence numbers exist only here: they are places in the list of UIDs that
this client was told of, and change only when it is told so (RFC 3501, section
2.3.1.2).  Stores know UIDs alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from ..mail.flags import DELETED, NO_FLAGS, SEEN, Flags
from ..mail.mailbox import Changes, Entries
from . import responses
from .numset import NumberSet
from .syntax import FLAG_TEXTS, RECENT

#: Up to this many runs of expunged messages are cut out one by one; beyond it
#: the lists are made anew, so that the cost stays linear.
_FEW_RUNS = 16

_FLAGS = b"* %d FETCH (FLAGS %b)\r\n"
_UID_AND_FLAGS = b"* %d FETCH (UID %d FLAGS %b)\r\n"


class _WithRecent(dict[Flags, Flags]):
    """Flag sets with ``\\Recent`` added; made once for each combination."""

    MOST = 1024

    def __missing__(self, flags: Flags) -> Flags:
        if len(self) >= self.MOST:
            self.clear()
        self[flags] = added = flags | {RECENT}
        return added


_with_recent = _WithRecent()

#: 0-based places in a view, ascending: a ``range`` wherever they are one.
Places = Sequence[int]


class View:
    """A mailbox as one client was told of it.

    :ivar uids: of the messages, ascending; the place is the sequence number
        less one.
    :ivar flags: of the messages, in the same order; equal sets are shared.
    :ivar recent: UIDs that carry ``\\Recent`` for this session, ascending.
    :ivar modseq: changes up to this one are in the view, or wait in *vanished*.
    :ivar vanished: UIDs that have gone without the client knowing yet.
    :ivar keywords: that the client was told of in FLAGS.
    :ivar read_only: opened by EXAMINE, or not to be written.
    """

    __slots__ = (
        "flags", "keywords", "modseq", "read_only", "recent", "uids", "vanished",
    )  # fmt: skip

    def __init__(self, changes: Changes, *, read_only: bool) -> None:
        """*changes* are all messages there are: the answer to modseq 0."""
        self.uids: array[int] = array("I", changes.entries.uids)
        self.flags: list[Flags] = list(changes.entries.flags)
        self.recent: array[int] = array("I")
        self.modseq = changes.modseq
        self.vanished: list[int] = []
        self.keywords = _keywords(self.flags)
        self.read_only = read_only

    def __len__(self) -> int:
        return len(self.uids)

    # Asking.

    @property
    def last_uid(self) -> int:
        """The highest UID told of; 0 in an empty mailbox."""
        return self.uids[-1] if self.uids else 0

    @property
    def first_unseen(self) -> int | None:
        """The sequence number of the first message without ``\\Seen``."""
        for number, flags in enumerate(self.flags, 1):
            if SEEN not in flags:
                return number
        return None

    def places(self, numbers: NumberSet, *, by_uid: bool) -> Places:
        """Where the messages are that *numbers* name.

        Numbers of no message are left out, also sequence numbers beyond the
        last (RFC 3501 wants BAD there, and every server is lenient: a client
        may name a message that it was just told the end of).
        """
        ranges = (
            numbers.uid_positions(self.uids) if by_uid
            else numbers.positions(len(self.uids))
        )  # fmt: skip
        if not ranges:
            return ()
        if len(ranges) == 1:
            return ranges[0]
        return [place for run in ranges for place in run]

    def uids_at(self, places: Places) -> Sequence[int]:
        """The UIDs of the messages at *places*, ascending."""
        uids = self.uids
        if isinstance(places, range):
            return uids[places.start : places.stop]
        return [uids[place] for place in places]

    def flags_at(self, places: Places) -> list[Flags]:
        """The flags of the messages at *places*, with ``\\Recent``."""
        flags = self.flags
        if isinstance(places, range):
            found = flags[places.start : places.stop]
        else:
            found = [flags[place] for place in places]
        if self.recent and found:
            self._mark_recent(self.uids_at(places), found)
        return found

    def _mark_recent(self, uids: Sequence[int], found: list[Flags]) -> None:
        start = bisect_left(self.recent, uids[0])
        stop = bisect_right(self.recent, uids[-1])
        if start == stop:
            return
        recent = set(self.recent[start:stop])
        for index, uid in enumerate(uids):
            if uid in recent:
                found[index] = _with_recent[found[index]]

    def deleted(self) -> list[int]:
        """The UIDs of the messages flagged ``\\Deleted``, ascending."""
        return [
            uid
            for uid, flags in zip(self.uids, self.flags, strict=True)
            if DELETED in flags
        ]

    def numbers_of(self, uids: Iterable[int]) -> list[int]:
        """The sequence numbers of *uids*; those not in the view are left out."""
        return [place + 1 for place in self.places_of(uids)]

    def places_of(self, uids: Iterable[int]) -> list[int]:
        """The places of *uids*; those not in the view are left out."""
        known = self.uids
        count = len(known)
        return [
            place
            for uid in uids
            if (place := bisect_left(known, uid)) < count and known[place] == uid
        ]

    def numbers_at(self, places: Places) -> Sequence[int]:
        """The sequence numbers of the messages at *places*."""
        if isinstance(places, range):
            return range(places.start + 1, places.stop + 1)
        return [place + 1 for place in places]

    # Being told.

    def brings_messages(self, changes: Changes) -> bool:
        """Whether there are messages in *changes* that the client cannot know."""
        return bool(changes.entries.uids) and changes.entries.uids[-1] > self.last_uid

    def claim_recent(self, first: int) -> None:
        """Messages from UID *first* on are recent for this session."""
        if self.recent:
            first = max(first, self.recent[-1] + 1)
        self.recent.extend(self.uids[bisect_left(self.uids, first) :])

    def tell(
        self, changes: Changes, *, expunges: bool, recent_from: int | None = None
    ) -> bytes:
        """Take in *changes* since :attr:`modseq`: the responses that tell of them.

        :param expunges: EXPUNGE may be told now.  It may not during FETCH, STORE
            and SEARCH (RFC 3501, section 7.4.1): their numbers would shift under
            the client.  What has vanished waits for the next occasion.
        :param recent_from: new messages from this UID on are recent here.
        """
        self.modseq = changes.modseq
        self.vanished += changes.vanished
        entries = changes.entries
        new = bisect_right(entries.uids, self.last_uid)
        changed = self.take_flags(entries, new)
        uids = [self.uids[place] for place in changed]
        if new < len(entries.uids):
            self.uids.extend(entries.uids[new:])
            self.flags += entries.flags[new:]
            if recent_from is not None:
                self.claim_recent(recent_from)
        told = [self.tell_vanished()] if expunges else []
        if new < len(entries.uids):
            told.append(responses.exists(len(self.uids), len(self.recent)))
        told.append(self.tell_keywords(entries))
        told.append(self.fetched_flags(self.places_of(uids), with_uid=True))
        return b"".join(told)

    def take_flags(self, entries: Entries, stop: int | None = None) -> list[int]:
        """Take in the flags of messages the client knows, up to index *stop*.

        :returns: the places where that changed anything.
        """
        uids = entries.uids if stop is None else entries.uids[:stop]
        if not uids:
            return []
        flags = self.flags
        first = bisect_left(self.uids, uids[0])
        found: Iterable[tuple[int, Flags]]
        if self.uids[first : first + len(uids)] == uids:
            found = enumerate(entries.flags[: len(uids)], first)
        else:
            found = self._found(uids, entries.flags)
        changed = []
        for place, now in found:
            if flags[place] != now:
                flags[place] = now
                changed.append(place)
        return changed

    def _found(
        self, uids: Sequence[int], flags: Sequence[Flags]
    ) -> Iterator[tuple[int, Flags]]:
        """The places of those of *uids* that are known, and their *flags*."""
        known = self.uids
        count = len(known)
        place = 0
        for uid, now in zip(uids, flags, strict=False):
            place = bisect_left(known, uid, place)
            if place < count and known[place] == uid:
                yield place, now

    def tell_keywords(self, entries: Entries) -> bytes:
        """FLAGS, if the client will see keywords that it does not know."""
        new = _keywords(entries.flags) - self.keywords
        if not new:
            return b""
        self.keywords |= new
        return responses.flags(self.keywords)

    def fetched_flags(self, places: Places, *, with_uid: bool) -> bytes:
        """FETCH responses with the flags of the messages at *places*."""
        if not places:
            return b""
        numbers = self.numbers_at(places)
        texts = map(FLAG_TEXTS.__getitem__, self.flags_at(places))
        if with_uid:
            lines = zip(numbers, self.uids_at(places), texts, strict=True)
            return b"".join(map(_UID_AND_FLAGS.__mod__, lines))
        return b"".join(map(_FLAGS.__mod__, zip(numbers, texts, strict=True)))

    def tell_vanished(self) -> bytes:
        """EXPUNGE for each message that has gone, highest number first."""
        if not self.vanished:
            return b""
        places = sorted(set(self.places_of(self.vanished)))
        if self.recent:
            gone = set(self.vanished)
            self.recent = array("I", [u for u in self.recent if u not in gone])
        self.vanished = []
        self._remove(places)
        return b"".join(
            [b"* %d EXPUNGE\r\n" % (place + 1) for place in reversed(places)]
        )

    def _remove(self, places: list[int]) -> None:
        runs: list[tuple[int, int]] = []
        for place in places:
            if runs and runs[-1][1] == place:
                runs[-1] = (runs[-1][0], place + 1)
            else:
                runs.append((place, place + 1))
        if len(runs) <= _FEW_RUNS:
            for start, stop in reversed(runs):
                del self.uids[start:stop]
                del self.flags[start:stop]
            return
        kept = bytearray(b"\1") * len(self.uids)
        for place in places:
            kept[place] = 0
        self.uids = array("I", compress(self.uids, kept))
        self.flags = list(compress(self.flags, kept))


def _keywords(flags: Iterable[Flags]) -> Flags:
    """All keywords in *flags*; mostly none, and then the one empty set."""
    used = NO_FLAGS.union(*set(flags))
    return frozenset(flag for flag in used if flag[0] != "\\") or NO_FLAGS
