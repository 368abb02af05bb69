"""What the memory store keeps: plain objects, changed between two awaits.

Everything here runs without suspending, so each method is one commit: it checks
first, changes afterwards, and tells the watchers last.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import takewhile

from ..errors import OverQuota
from ..mail.account import Account
from ..mail.flags import DELETED, NO_FLAGS, SEEN, FlagChange, Flags, Keywords
from ..mail.mailbox import Changes, Copied, Entries, MailboxStatus
from ..mail.mime import Part, load
from ..mail.summary import Summary, summarise
from .callbacks import Callbacks
from .content import BytesContent


class Body:
    """The octets of a message, kept once for all its copies."""

    def __init__(self, data: bytes) -> None:
        self.content = BytesContent(data)

    @cached_property
    def summary(self) -> Summary:
        """What FETCH shows of it, worked out when it is first asked for."""
        return summarise(b"", self.content.data)

    @cached_property
    def parts(self) -> Part:
        """The tree of its parts."""
        return load(self.summary.parts)


@dataclass(slots=True)
class Message:
    """A message in a mailbox."""

    uid: int
    modseq: int
    flags: Flags
    internal_date: int
    body: Body

    # What a search looks at (``mailhub.mail.matching.Candidate``).

    @property
    def size(self) -> int:
        """Octets."""
        return self.body.content.size

    @property
    def sent(self) -> int | None:
        """The day of the Date: field, in days since 1970-01-01."""
        return self.body.summary.sent

    @property
    def header(self) -> bytes:
        """The header with the empty line that ends it."""
        return self.body.summary.header

    @property
    def parts(self) -> Part:
        """The tree of its parts."""
        return self.body.parts

    @property
    def content(self) -> bytes:
        """Its octets."""
        return self.body.content.data


#: A message that is to be stored: body, flags, internal date.
NewMessage = tuple[Body, Flags, int]


@dataclass(slots=True, eq=False)
class MailboxState:
    """A mailbox with its messages and counters.

    :ivar messages: by UID, ascending, as UIDs only grow.
    :ivar order: the same UIDs by modseq: each change moves one to the end.
    :ivar expunged: ``(modseq, uid)`` of those that have gone, by modseq.
    :ivar recent_from: messages from this UID on are recent for nobody yet.
    """

    name: str
    uidvalidity: int
    modseq: int
    special_use: str | None = None
    uidnext: int = 1
    unseen: int = 0
    recent: int = 0
    recent_from: int = 1
    size: int = 0
    messages: dict[int, Message] = field(default_factory=dict)
    order: dict[int, None] = field(default_factory=dict)
    expunged: list[tuple[int, int]] = field(default_factory=list)
    keywords: Keywords = field(default_factory=Keywords)
    watchers: Callbacks = field(default_factory=Callbacks)
    gone: bool = False

    def status(self) -> MailboxStatus:
        """The counters as a value."""
        return MailboxStatus(
            name=self.name,
            uidvalidity=self.uidvalidity,
            uidnext=self.uidnext,
            modseq=self.modseq,
            messages=len(self.messages),
            unseen=self.unseen,
            recent=self.recent,
            size=self.size,
        )

    def present(self, uids: Iterable[int]) -> list[Message]:
        """Those of *uids* that are there, in the order given."""
        found = map(self.messages.get, uids)
        return [message for message in found if message is not None]

    def changes(self, since: int) -> Changes:
        """See :meth:`mailhub.interfaces.IMailbox.changes`."""
        if since <= 0:
            return Changes(self.modseq, entries_of(rows_of(self.messages.values())), [])
        messages = self.messages
        changed = takewhile(
            lambda uid: messages[uid].modseq > since, reversed(self.order)
        )
        entries = entries_of(rows_of(messages[uid] for uid in sorted(changed)))
        first = bisect_right(self.expunged, since, key=lambda pair: pair[0])
        vanished = sorted(uid for _, uid in self.expunged[first:])
        return Changes(self.modseq, entries, vanished)

    def add(self, new: Sequence[NewMessage], modseq: int) -> list[int]:
        """Store *new*; their flags are spelled already.  -> their UIDs."""
        first = self.uidnext
        for uid, (body, flags, internal_date) in enumerate(new, first):
            self.messages[uid] = Message(uid, modseq, flags, internal_date, body)
            self.order[uid] = None
            self.size += body.content.size
            self.unseen += SEEN not in flags
        if new:
            self.uidnext += len(new)
            self.recent += len(new)
            self.modseq = modseq
        return list(range(first, self.uidnext))

    def remove(self, messages: Iterable[Message], modseq: int) -> list[int]:
        """Expunge *messages*.  -> their UIDs, ascending."""
        uids = sorted(message.uid for message in messages)
        for uid in uids:
            message = self.messages.pop(uid)
            del self.order[uid]
            self.expunged.append((modseq, uid))
            self.size -= message.body.content.size
            self.unseen -= SEEN not in message.flags
            self.recent -= uid >= self.recent_from
        if uids:
            self.modseq = modseq
        return uids

    def change_flags(
        self, messages: list[Message], change: FlagChange, flags: Flags, modseq: int
    ) -> bool:
        """Whether that changed any of *messages*; *flags* are spelled already."""
        changed = False
        for message in messages:
            new = change.apply(message.flags, flags)
            if new == message.flags:
                continue
            changed = True
            self.unseen += (SEEN not in new) - (SEEN not in message.flags)
            message.flags = new
            message.modseq = modseq
            del self.order[message.uid]
            self.order[message.uid] = None
        if changed:
            self.modseq = modseq
        return changed

    def claim_recent(self) -> int:
        """See :meth:`mailhub.interfaces.IMailbox.claim_recent`."""
        first, self.recent_from = self.recent_from, self.uidnext
        self.recent = 0
        return first


@dataclass(slots=True, eq=False)
class AccountState:
    """An account with its mailboxes.

    :ivar modseq: the account's one counter; each commit takes the next.
    :ivar used: octets of all its messages, for the quota.
    :ivar uidvalidity: the highest that was ever given out in this account.
    :ivar validities: for each name that ever was, the highest it was seen with.
    """

    account: Account
    uidvalidity: int
    modseq: int = 0
    used: int = 0
    locked: bool = False
    gone: bool = False
    mailboxes: dict[str, MailboxState] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)
    validities: dict[str, int] = field(default_factory=dict)

    def next_modseq(self) -> int:
        """The modseq of a commit that begins now."""
        self.modseq += 1
        return self.modseq

    def next_uidvalidity(self, name: str) -> int:
        """A value that no mailbox of this account ever had."""
        self.uidvalidity += 1
        self.validities[name] = self.uidvalidity
        return self.uidvalidity

    def make_mailbox(self, name: str, special_use: str | None = None) -> MailboxState:
        """A new mailbox; the name is free."""
        mailbox = MailboxState(
            name, self.next_uidvalidity(name), self.next_modseq(), special_use
        )
        self.mailboxes[name] = mailbox
        return mailbox

    def drop_mailbox(self, mailbox: MailboxState) -> None:
        """Remove it with its messages; who has it open is told."""
        del self.mailboxes[mailbox.name]
        self.used -= mailbox.size
        mailbox.gone = True
        mailbox.watchers.call()

    def check_room(self, octets: int) -> None:
        """
        :raises OverQuota: *octets* more would be too many.
        """
        quota = self.account.quota
        if quota is not None and self.used + octets > quota:
            raise OverQuota(f"{self.account.address}: {self.used} + {octets} > {quota}")

    def append(self, mailbox: MailboxState, new: Sequence[NewMessage]) -> Copied:
        """Store *new* in *mailbox*, all or none.

        :raises OverQuota:
        :raises LimitReached: too many keywords.
        """
        octets = sum(body.content.size for body, _, _ in new)
        self.check_room(octets)
        flags = mailbox.keywords.learn([flags for _, flags, _ in new])
        spelled = [
            (body, mine, date) for (body, _, date), mine in zip(new, flags, strict=True)
        ]
        uids = mailbox.add(spelled, self.next_modseq())
        self.used += octets
        mailbox.watchers.call()
        return Copied(mailbox.uidvalidity, [], uids)

    def copy(self, messages: list[Message], target: MailboxState) -> Copied:
        """Copy *messages* with their flags and dates, all or none."""
        made = self.append(target, [as_new(message) for message in messages])
        return Copied(made.uidvalidity, [m.uid for m in messages], made.new_uids)

    def move(
        self, source: MailboxState, messages: list[Message], target: MailboxState
    ) -> Copied:
        """Move *messages*, which takes no room, in one commit."""
        flags = target.keywords.learn([message.flags for message in messages])
        new = [
            (message.body, mine, message.internal_date)
            for message, mine in zip(messages, flags, strict=True)
        ]
        modseq = self.next_modseq()
        uids = source.remove(messages, modseq)
        new_uids = target.add(new, modseq)
        source.watchers.call()
        if target is not source:
            target.watchers.call()
        return Copied(target.uidvalidity, uids, new_uids)

    def expunge(
        self, mailbox: MailboxState, uids: Iterable[int], deleted_only: bool
    ) -> list[int]:
        """See :meth:`mailhub.interfaces.IMailbox.expunge`."""
        messages = [
            message
            for message in mailbox.present(uids)
            if not deleted_only or DELETED in message.flags
        ]
        if not messages:
            return []
        self.used -= sum(message.body.content.size for message in messages)
        gone = mailbox.remove(messages, self.next_modseq())
        mailbox.watchers.call()
        return gone


def as_new(message: Message) -> NewMessage:
    """What a copy of *message* is made of."""
    return message.body, message.flags, message.internal_date


def entries_of(rows: Iterable[tuple[int, int, Flags]]) -> Entries:
    """UID, modseq and flags of messages, in UID order, as parallel arrays."""
    entries = Entries()
    interned: dict[Flags, Flags] = {NO_FLAGS: NO_FLAGS}
    for uid, modseq, flags in rows:
        entries.uids.append(uid)
        entries.modseqs.append(modseq)
        entries.flags.append(interned.setdefault(flags, flags))
    return entries


def rows_of(messages: Iterable[Message]) -> Iterator[tuple[int, int, Flags]]:
    """What :func:`entries_of` takes, of *messages* in UID order."""
    return ((message.uid, message.modseq, message.flags) for message in messages)
