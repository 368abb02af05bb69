"""What a client believes about its selected mailbox.

Message sequence numbers exist only here: they are places in the list of UIDs that
this client was told of, and change only when it is told so (RFC 3501, section
2.3.1.2).  Stores know UIDs alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from ..mail.flags import NO_FLAGS, SEEN, Flags
from ..mail.mailbox import Changes, Entries, Outline
from . import responses
from .flagmap import FlagMap
from .numset import NumberSet, ranges_of
from .syntax import FLAG_TEXTS, RECENT
from .uids import Uids

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
_NONE = Uids()

#: 0-based places in a view, ascending: a ``range`` wherever they are one.
Places = Sequence[int]


class View:
    """A mailbox as one client was told of it.

    Flags are learned when they are needed: before flags of messages are asked for,
    what :meth:`missing` says has to be given to :meth:`learn`.

    :param outline: all messages there are.
    :ivar uids: of the messages; the index is the sequence number less one.
    :ivar flags: of the messages, as far as they are known.
    :ivar recent: UIDs that carry ``\\Recent`` for this session.
    :ivar first_unseen: the UID of a message without ``\\Seen`` before which there is
        none, when the mailbox was opened; ``None`` if that is not known.
    :ivar modseq: changes up to this one are in the view, or wait in *vanished*.
    :ivar vanished: UIDs that have gone without the client knowing yet.
    :ivar keywords: that the client was told of in FLAGS.
    :ivar read_only: opened by EXAMINE, or not to be written.
    """

    __slots__ = (
        "first_unseen", "flags", "keywords", "modseq", "read_only", "recent", "uids",
        "vanished",
    )  # fmt: skip

    def __init__(self, outline: Outline, *, read_only: bool) -> None:
        self.uids = Uids(outline.ranges)
        self.flags = FlagMap()
        self.recent = _NONE
        self.first_unseen = outline.first_unseen
        self.modseq = outline.modseq
        self.vanished: list[int] = []
        self.keywords = outline.keywords
        self.read_only = read_only

    @classmethod
    def of_all(cls, changes: Changes, *, read_only: bool) -> View:
        """*changes* are all messages there are: the answer to modseq 0."""
        uids, flags = changes.entries.uids, changes.entries.flags
        pairs = zip(uids, flags, strict=True)
        unseen = next((uid for uid, now in pairs if SEEN not in now), None)
        outline = Outline(changes.modseq, ranges_of(uids), unseen, _keywords(flags))
        view = cls(outline, read_only=read_only)
        view.flags = FlagMap(whole=True)
        view.flags.take(uids, flags)
        return view

    def __len__(self) -> int:
        return len(self.uids)

    # Asking.

    @property
    def last_uid(self) -> int:
        """The highest UID told of; 0 in an empty mailbox."""
        return self.uids[-1] if self.uids else 0

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
        return uids.at(places)

    def missing(self, places: Places) -> list[tuple[int, int]]:
        """Which flags have to be learned for the messages at *places*.

        -> inclusive ranges of UIDs; mostly one, or none
        """
        return self.flags.missing(self.uids_at(places)) if places else []

    def learn(
        self, first: int, last: int, usual: Flags, others: Iterable[tuple[int, Flags]]
    ) -> None:
        """What is missing in one such range: see :class:`FlagMap`."""
        self.flags.learn(first, last, usual, others)

    def flags_at(self, places: Places) -> list[Flags]:
        """The flags of the messages at *places*, with ``\\Recent``."""
        if not places:
            return []
        uids = self.uids_at(places)
        return self._marked(uids, self.flags.of(uids))

    def unseen_at(self, places: Places) -> list[int]:
        """Those of *places* whose messages are not ``\\Seen``."""
        if not places:
            return []
        flags = self.flags.of(self.uids_at(places))
        return [
            place
            for place, now in zip(places, flags, strict=True)
            if SEEN not in now
        ]

    def _marked(self, uids: Sequence[int], flags: list[Flags]) -> list[Flags]:
        """*flags* of the messages *uids*, with ``\\Recent`` where it belongs."""
        start = self.recent.below(uids[0])
        stop = self.recent.below(uids[-1] + 1)
        if start == stop:
            return flags
        recent = set(self.recent[start:stop])
        return [
            _with_recent[now] if uid in recent else now
            for uid, now in zip(uids, flags, strict=True)
        ]

    def numbers_of(self, uids: Iterable[int]) -> list[int]:
        """The sequence numbers of *uids*; those not in the view are left out."""
        return [place + 1 for place in self.places_of(uids)]

    def places_of(self, uids: Iterable[int]) -> list[int]:
        """The places of *uids*; those not in the view are left out."""
        return self.uids.places_of(uids)

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
        start = self.uids.below(first)
        if start < len(self.uids):
            self.recent = self.recent.joined(self.uids.ranges(start))

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
        changed = self.flags.take(entries.uids[:new], entries.flags)
        if new < len(entries.uids):
            arrived = entries.uids[new:]
            self.uids = self.uids.joined(ranges_of(arrived))
            self.flags.take(arrived, entries.flags[new:])
            if recent_from is not None:
                self.claim_recent(recent_from)
        told = [self.tell_vanished()] if expunges else []
        if new < len(entries.uids):
            told.append(responses.exists(len(self.uids), len(self.recent)))
        told.append(self.tell_keywords(entries))
        told.append(self._tell_flags(changed))
        return b"".join(told)

    def _tell_flags(self, changed: Sequence[tuple[int, Flags]]) -> bytes:
        """FETCH responses with new flags of messages, if the client knows these."""
        places = self.places_of([uid for uid, _ in changed])
        if not places:
            return b""
        now = dict(changed)
        uids = self.uids_at(places)
        flags = self._marked(uids, [now[uid] for uid in uids])
        return self._fetched(places, uids, flags)

    def take_flags(self, entries: Entries) -> None:
        """Take in flags that the client is told of otherwise, or knows."""
        self.flags.take(entries.uids, entries.flags)

    def tell_keywords(self, entries: Entries) -> bytes:
        """FLAGS, if the client will see keywords that it does not know."""
        new = _keywords(entries.flags) - self.keywords
        if not new:
            return b""
        self.keywords |= new
        return responses.flags(self.keywords)

    def fetched_flags(self, places: Places, *, with_uid: bool) -> bytes:
        """FETCH responses with the flags of the messages at *places*."""
        flags = self.flags_at(places)
        if with_uid:
            return self._fetched(places, self.uids_at(places), flags)
        lines = zip(
            self.numbers_at(places), map(FLAG_TEXTS.__getitem__, flags), strict=True
        )
        return b"".join(map(_FLAGS.__mod__, lines))

    def _fetched(
        self, places: Places, uids: Sequence[int], flags: Iterable[Flags]
    ) -> bytes:
        texts = map(FLAG_TEXTS.__getitem__, flags)
        lines = zip(self.numbers_at(places), uids, texts, strict=True)
        return b"".join(map(_UID_AND_FLAGS.__mod__, lines))

    def tell_vanished(self) -> bytes:
        """EXPUNGE for each message that has gone, highest number first."""
        if not self.vanished:
            return b""
        gone = sorted(set(self.vanished))
        self.vanished = []
        places = self.places_of(gone)
        self.uids = self.uids.without(places)
        if self.recent:
            self.recent = self.recent.without(self.recent.places_of(gone))
        return b"".join(
            [b"* %d EXPUNGE\r\n" % (place + 1) for place in reversed(places)]
        )


def _keywords(flags: Iterable[Flags]) -> Flags:
    """All keywords in *flags*; mostly none, and then the one empty set."""
    used = NO_FLAGS.union(*set(flags))
    return frozenset(flag for flag in used if flag[0] != "\\") or NO_FLAGS
