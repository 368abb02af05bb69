"""The queue: what waits there, and whether anybody would find it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from ....mail.queue_list import ALL
from ...queueing import origin_of
from .. import queue_listing
from ..change import QUEUE, Change
from ..queue_rows import pack_parameters, unpack_parameters
from ..queue_turns import note_ready
from . import rescue
from .findings import Finding, Kind
from .sizes import file_size
from .view import View

#: Parameters of a message that are not known any more.
_UNKNOWN = unpack_parameters("[null, {}]")

_MESSAGES = (
    "select m.message_id, m.queue_id, m.user, m.sender, m.parameters, m.size,"
    " length(m.prefix), b.blob_id, coalesce(length(b.data), b.size), b.digest,"
    " b.data is null from queue_message m left join blob b on b.blob_id = m.blob_id"
    " where m.message_id in (select value from json_each(?))"
)
_RECIPIENTS = (
    "select message_id, recipient_id, rank, origin, case state"
    " when 0 then wake is null and token is null and hold = ''"
    " when 1 then wake = due and token is null and hold = ''"
    " when 2 then wake is not null and token is not null and keeper is not null"
    " when 3 then wake is null and token is null and hold <> ''"
    " else 0 end from queue_recipient"
    " where message_id in (select value from json_each(?))"
)
_WITHOUT_MESSAGE = (
    "select recipient_id, recipient from queue_recipient r where not exists"
    " (select 1 from queue_message m where m.message_id = r.message_id"
    " and r.recipient_id between m.message_id and m.message_id + m.span - 1)"
)
_READY = (
    "select destination, min(due) from queue_recipient where state = 0"
    " group by destination"
)

#: Something to look at: some messages, or the whole queue in one way.
Scope = tuple[int, ...] | Callable[[View], Iterator[Finding]]


class Queue:
    """Some messages after the other, then what only the whole queue can show."""

    name = "queue"
    pieces = "select 2 + count(*) from queue_message"

    def scopes(self, view: View) -> Iterator[Scope]:
        if view.account_id is not None:
            return
        after = -1
        while messages := queue_listing.next_messages(view.connection, ALL, after):
            yield tuple(messages)
            after = messages[-1]
        yield _without_message
        yield _destinations

    def look(self, view: View, scope: Scope) -> list[Finding]:
        if isinstance(scope, tuple):
            return list(_look_at(view, scope))
        return list(scope(view))


def _look_at(view: View, message_ids: tuple[int, ...]) -> Iterator[Finding]:
    numbers = json.dumps(message_ids)
    recipients: defaultdict[int, list[Any]] = defaultdict(list)
    for message_id, *row in view.rows(_RECIPIENTS, numbers):
        recipients[message_id].append(row)
    for message_id, queue_id, user, sender, packed, *about in view.rows(
        _MESSAGES, numbers
    ):
        yield from _content(view, message_id, queue_id, *about)
        if message_id not in recipients:
            yield _nobody(view, message_id, queue_id)
        try:
            rank = -unpack_parameters(packed).priority
        except (ValueError, TypeError):
            yield Finding(
                Kind.QUEUE_STATE, f"{queue_id}: its parameters cannot be read",
                what=f"parameters {message_id}",
                repair=partial(_forget_parameters, message_id),
            )
            continue
        line = rank, origin_of(user, sender)
        for number, *stands, is_right in recipients[message_id]:
            if not is_right or tuple(stands) != line:
                yield Finding(
                    Kind.QUEUE_STATE, f"{queue_id}: recipient {number} is in no state",
                    what=f"recipient {number}",
                    repair=partial(_queue_again, number, line),
                )


def _content(
    view: View, message_id: int, queue_id: str, size: int, prefix: int,
    blob_id: int | None, octets: int, digest: bytes, in_file: int,
) -> Iterator[Finding]:
    what = f"queued {message_id}"
    if blob_id is None:
        view.lost_blobs = True
        yield Finding(Kind.NO_BLOB, f"{queue_id} in the queue has no octets", what=what)
        return
    if size == prefix + octets:
        return
    right = prefix + (file_size(view, digest, octets) if in_file else octets)
    if size != right:
        yield Finding(
            Kind.SIZE, f"{queue_id}: the size is {size}, there are {right} octets",
            blob=digest.hex(), what=what, repair=partial(_set_size, message_id, right),
        )


def _nobody(view: View, message_id: int, queue_id: str) -> Finding:
    rescued = partial(rescue.rescue_queued, view.rescue, message_id)
    return Finding(
        Kind.QUEUE_RECIPIENT, f"{queue_id} waits for nobody", what=str(message_id),
        repair=None if view.rescue is None else rescued,
    )


def _set_size(message_id: int, size: int, change: Change) -> None:
    change.connection.execute(
        "update queue_message set size = ? where message_id = ?", (size, message_id)
    )


def _forget_parameters(message_id: int, change: Change) -> None:
    change.connection.execute(
        "update queue_message set parameters = ? where message_id = ?",
        (pack_parameters(_UNKNOWN), message_id),
    )


def _queue_again(recipient_id: int, line: tuple[int, str], change: Change) -> None:
    """Let it wait for its time, or for a person, and be nobody's."""
    rows = change.connection.execute(
        "update queue_recipient set rank = ?, origin = ?, token = null, keeper = null,"
        " state = iif(hold = '', 1, 3), wake = iif(hold = '', due, null)"
        " where recipient_id = ? returning destination",
        (*line, recipient_id),
    ).fetchall()
    note_ready(change, [destination for (destination,) in rows])
    change.touched.add(QUEUE)


def _without_message(view: View) -> Iterator[Finding]:
    for number, recipient in view.rows(_WITHOUT_MESSAGE):
        detail = f"recipient {number}, {recipient}: its message is missing"
        yield Finding(Kind.QUEUE_MESSAGE, detail, what=str(number))


def _destinations(view: View) -> Iterator[Finding]:
    ready = dict(view.rows(_READY))
    noted = dict(view.rows("select destination, since from queue_destination"))
    for destination in sorted(ready.keys() | noted.keys()):
        if ready.get(destination) != noted.get(destination):
            yield Finding(
                Kind.QUEUE_DESTINATION,
                f"{destination}: who is ready would not be found in time",
                what=destination, repair=partial(_note, destination),
            )


def _note(destination: str, change: Change) -> None:
    note_ready(change, [destination])
    change.touched.add(QUEUE)
