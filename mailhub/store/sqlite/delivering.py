"""Deliveries as changes: one alone, or many at the cost of a few.

What arrives while a commit is made waits for the next, and mostly is mail.  Such
deliveries share their statements: a counter is updated once for all messages that
it counts, and the rows of all go in with one statement for each table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...mail.account import Target
from . import bodies, incoming
from .bodies import NewBody
from .change import MAX_UID, Change, Key


class NotTogether(Exception):
    """Some of these deliveries need a look of their own; none was made."""


@dataclass(frozen=True, slots=True)
class Delivering:
    """The change that one delivery makes.

    :ivar internal_date: seconds since the epoch.
    """

    body: NewBody
    targets: Sequence[Target]
    internal_date: int

    def __call__(self, change: Change) -> None:
        """Make it; raises what :func:`incoming.deliver` does."""
        incoming.deliver(change, self.body, self.targets, self.internal_date)

    @staticmethod
    def together(change: Change, deliveries: Sequence[Any]) -> None:
        """Make all of them, in their order.

        :raises Exception: one of them cannot be made, or not in this way; the
            caller undoes what was done and makes each alone.
        """
        _deliver_all(change, deliveries)


#: A place in a mailbox that was not given yet: internal_date, size, item_id.
_Place = tuple[int, int, int]


def _deliver_all(change: Change, deliveries: Sequence[Delivering]) -> None:
    mailboxes: defaultdict[tuple[int, str], list[_Place]] = defaultdict(list)
    first = bodies.store_new(change, [each.body for each in deliveries])
    if first is None:
        raise NotTogether
    for item_id, each in enumerate(deliveries, first):
        if len(each.targets) != 1 or each.targets[0].flags:
            raise NotTogether
        [target] = each.targets
        place = each.internal_date, each.body.size, item_id
        mailboxes[target.account_id, target.mailbox].append(place)
    rows: list[tuple[int, ...]] = []
    for (account_id, name), places in mailboxes.items():
        rows += _give_places(change, account_id, name, places)
    change.connection.executemany(
        "insert into message values (?, ?, ?, ?, ?, ?, ?, ?)", rows
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
