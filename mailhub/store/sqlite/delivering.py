"""Deliveries as changes: one alone, or many at the cost of a few.

What arrives while a commit is made waits for the next, and mostly is mail.  Such
deliveries share their statements: a counter is updated once for all messages that
it counts, and the rows of all go in with one statement for each table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from ...interfaces import IContent
from ...mail.account import Delivery, Target
from ...mail.queued import Lease, Sending
from . import bodies, incoming, queue_adding
from .bodies import NewBody
from .change import MAX_UID, Change, Key
from .incoming import Intake
from .queue_adding import Putting
from .references import share_blobs, share_items


class NotTogether(Exception):
    """Some of these deliveries need a look of their own; none was made."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """The change that one delivery makes.

    :ivar body: as the targets get it.
    :ivar internal_date: seconds since the epoch.
    :ivar sendings: what goes into the queue; each has a recipient.
    :ivar prefix: the header lines on top of what goes there.
    """

    body: NewBody
    targets: Sequence[Target]
    internal_date: int
    sendings: Sequence[Sending] = ()
    prefix: bytes = b""

    def __call__(self, change: Change) -> list[Lease]:
        """Make it; raises what :func:`incoming.deliver` does."""
        incoming.deliver(change, self.body, self.targets, self.internal_date)
        if not self.sendings:
            return []
        blob_ids = [bodies.store_content(change, self.body) for _ in self.sendings]
        return _lent(queue_adding.put(change, self.puttings(blob_ids)))

    @staticmethod
    def together(change: Change, deliveries: Sequence[Any]) -> list[list[Lease]]:
        """Make all of them, in their order.

        :raises Exception: one of them cannot be made, or not in this way; the
            caller undoes what was done and makes each alone.
        """
        return _deliver_all(change, deliveries)

    def puttings(self, blob_ids: Sequence[int]) -> list[Putting]:
        """What goes into the queue, with the content of each."""
        size = self.body.content_size
        return [
            Putting(sending, blob_id, prefix, len(prefix) + size)
            for sending, blob_id in zip(self.sendings, blob_ids, strict=True)
            for prefix in (_prefix_of(sending, self.prefix),)
        ]


def _prefix_of(sending: Sending, usual: bytes) -> bytes:
    return usual if sending.prefix is None else sending.prefix


async def prepare(intake: Intake, delivery: Delivery) -> Delivering:
    """The change that *delivery* makes; its content is kept if it is large.

    :raises LocalFault: it cannot be read, or made durable.
    """
    targets, prefix = delivery.targets, delivery.prefix
    body = await intake.body(
        cast(IContent, delivery.content), prefix, for_mailbox=bool(targets)
    )
    sendings = delivery.sendings
    if sendings:
        sendings = tuple([each for each in sendings if each.recipients])
    return Delivering(body, targets, delivery.internal_date, sendings, prefix)


def _lent(leases: Sequence[list[Lease]]) -> list[Lease]:
    return leases[0] if len(leases) == 1 else sum(leases, [])


def _deliver_all(
    change: Change, deliveries: Sequence[Delivering]
) -> list[list[Lease]]:
    stored = bodies.store_new(change, [each.body for each in deliveries])
    if stored is None:
        raise NotTogether
    blob_ids, item_id = stored
    numbered = list(zip(blob_ids, deliveries, strict=True))
    local = [pair for pair in numbered if pair[1].targets]
    if local:
        _deliver_local(change, item_id, local)
    leaving = [pair for pair in numbered if pair[1].sendings]
    if not leaving:
        return [[] for _ in deliveries]
    leases = iter(_queue(change, leaving))
    return [
        _lent([next(leases) for _ in each.sendings]) if each.sendings else []
        for each in deliveries
    ]


#: Deliveries, and the numbers of their contents.
_Numbered = Sequence[tuple[int, Delivering]]
#: A place in a mailbox that was not given yet: internal_date, size, item_id.
_Place = tuple[int, int, int]


def _deliver_local(change: Change, first: int, local: _Numbered) -> None:
    """Put messages into all their mailboxes.

    :param first: the first item_id that is free.
    """
    mailboxes: defaultdict[tuple[int, str], list[_Place]] = defaultdict(list)
    copies: list[tuple[int, int]] = []
    for item_id, (_, each) in enumerate(local, first):
        place = each.internal_date, each.body.size, item_id
        for target in each.targets:
            if target.flags:
                raise NotTogether
            mailboxes[target.account_id, target.mailbox].append(place)
        if len(each.targets) > 1:
            copies.append((item_id, len(each.targets) - 1))
    bodies.store_items(
        change, first, [each.body for _, each in local], [number for number, _ in local]
    )
    if copies:
        share_items(change.connection, copies)
    rows: list[tuple[int, ...]] = []
    for (account_id, name), places in mailboxes.items():
        rows += _give_places(change, account_id, name, places)
    change.connection.executemany(
        "insert into message values (?, ?, ?, ?, ?, ?, ?, ?)", rows
    )


def _queue(change: Change, leaving: _Numbered) -> list[list[Lease]]:
    """Put messages into the queue.  -> for each ``Sending`` its keeper's leases"""
    shares = [
        (blob_id, more)
        for blob_id, each in leaving
        if (more := len(each.sendings) - (not each.targets))
    ]
    if shares:
        share_blobs(change.connection, shares)
    return queue_adding.put(
        change,
        [
            putting
            for blob_id, each in leaving
            for putting in each.puttings([blob_id] * len(each.sendings))
        ],
    )


def _give_places(
    change: Change, account_id: int, name: str, places: list[_Place]
) -> list[tuple[int, ...]]:
    """Count messages into a mailbox.  -> their rows, which are not written yet"""
    octets = sum([size for _, size, _ in places])
    modseq = change.count_account(account_id, octets)
    found = change.connection.execute(
        "update mailbox set modseq = ?, uidnext = uidnext + ?,"
        " messages = messages + ?, unseen = unseen + ?, size = size + ?"
        " where account_id = ? and name = ? returning mailbox_id, uidnext",
        (modseq, *[len(places)] * 3, octets, account_id, name),
    ).fetchall()
    if not found or found[0][1] > MAX_UID:
        raise NotTogether
    [(mailbox_id, uidnext)] = found
    key: Key = account_id, mailbox_id
    change.touched.add(key)
    return [
        (*key, uid, modseq, 0, *place)
        for uid, place in enumerate(places, uidnext - len(places))
    ]
