"""The ends of attempts as changes: one alone, or many at the cost of a few."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ...mail.queued import Disposal, Lease, Settlement
from .change import Change
from .delivering import Delivering
from .queue_leasing import tokens_of
from .references import release_blobs

#: A recipient that has got a lease's token only while nobody else may have it.
_LATER = (
    "update queue_recipient set state = iif(hold = '', 1, 3),"
    " wake = iif(hold = '', ?1, null), due = ?1, status = ?2, reply = ?3,"
    " attempts = attempts + ?4, warned = max(warned, ?5), faults = ?6, token = null,"
    " keeper = null where recipient_id = ?7"
)
_HELD = (
    "update queue_recipient set state = 3, wake = null, hold = ?1, status = ?2,"
    " reply = ?3, attempts = attempts + ?4, warned = max(warned, ?5), faults = ?6,"
    " token = null, keeper = null where recipient_id = ?7"
)


#: Octets that the removal of a message adds to the log, roughly.
_PER_MESSAGE = 2048


@dataclass(frozen=True, slots=True)
class Settling:
    """The change that the end of one attempt makes.

    :ivar deliveries: new messages, which go in with it.
    """

    lease: Lease
    settlements: Sequence[Settlement]
    deliveries: Sequence[Delivering] = ()

    def __call__(self, change: Change) -> bool:
        """-> whether the lease was still the caller's; if not, nothing is changed"""
        [is_own] = self.together(change, [self])
        return is_own

    @staticmethod
    def together(change: Change, settlings: Sequence[Any]) -> list[bool]:
        """Settle all of them."""
        return _settle_all(change, settlings)


def _settle_all(change: Change, settlings: Sequence[Settling]) -> list[bool]:
    rows = tokens_of(
        change.connection,
        [one.recipient_id for each in settlings for one in each.settlements],
    )
    token_of = {number: token for number, token, _ in rows}
    message_of = {number: message_id for number, _, message_id in rows}
    outcomes = []
    ended: list[Settlement] = []
    deliveries: list[Delivering] = []
    for each in settlings:
        there = [one for one in each.settlements if one.recipient_id in token_of]
        # Those that are not have been removed by a person.
        is_own = bool(there) and all(
            [token_of[one.recipient_id] == each.lease.token for one in there]
        )
        outcomes.append(is_own)
        if is_own:
            ended += there
            deliveries += each.deliveries
            for one in there:
                # Settled now; a second time it is nobody's.
                token_of[one.recipient_id] = None
    _end(change, ended, message_of)
    for delivering in deliveries:
        delivering(change)
    return outcomes


def _end(
    change: Change, ended: Sequence[Settlement], message_of: dict[int, int]
) -> None:
    gone = [one.recipient_id for one in ended if one.disposal is Disposal.GONE]
    if gone:
        remove(change, gone, {message_of[number] for number in gone})
    if len(gone) == len(ended):
        return
    change.connection.executemany(
        _LATER,
        [
            (one.due, *_found_out(one))
            for one in ended
            if one.disposal is Disposal.LATER
        ],
    )
    change.connection.executemany(
        _HELD,
        [
            (_text(one.hold), *_found_out(one))
            for one in ended
            if one.disposal is Disposal.HELD
        ],
    )


def _found_out(one: Settlement) -> tuple[object, ...]:
    return (
        one.status, _text(one.reply), one.attempted, one.warned, one.faults,
        one.recipient_id,
    )


def _text(text: str) -> str:
    """*text* as it can be stored: what another server said must not keep anybody from
    noting that it was said.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def remove(
    change: Change, recipient_ids: Sequence[int], message_ids: Iterable[int]
) -> None:
    """Remove recipients; messages of *message_ids* that have no more go as well."""
    connection = change.connection
    connection.execute(
        "delete from queue_recipient where recipient_id in"
        " (select value from json_each(?))",
        (json.dumps(recipient_ids),),
    )
    rows = connection.execute(
        "delete from queue_message as m where message_id in"
        " (select value from json_each(?)) and not exists (select 1 from"
        " queue_recipient r where r.recipient_id between m.message_id"
        " and m.message_id + m.span - 1) returning blob_id",
        (json.dumps(list(message_ids)),),
    ).fetchall()
    release_blobs(connection, [blob_id for (blob_id,) in rows])
    change.octets += len(rows) * _PER_MESSAGE
