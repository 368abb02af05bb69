"""What commands do with the queue.

A piece of work is a coroutine function of an ``IQueue``, details that JSON can carry,
and the time in seconds since the epoch; its answer can be carried, too.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable
from dataclasses import fields
from typing import Any

from ..errors import NoSuchMessage
from ..mail.queue_list import Alteration, Entry, Selection
from ..mail.queued import Waiting
from .outcome import Exit, Failure

Details = dict[str, Any]

#: Messages of one answer.
MAX_PAGE = 1_000
#: Octets of a message in one answer.
PIECE = 256 * 1024

_ALTERABLE = frozenset(field.name for field in fields(Alteration))
_SELECTABLE = frozenset(field.name for field in fields(Selection))


async def list_messages(queue: Any, details: Details, now: float) -> Details:
    """Up to ``limit`` messages of ``selection`` behind the number ``after``.

    ``messages``, and ``next``: the *after* of the next page, or ``None``.
    """
    limit = min(details.get("limit", MAX_PAGE), MAX_PAGE)
    entries = await queue.entries(
        selection_of(details), limit, details.get("after", 0)
    )
    is_full = len(entries) == limit
    return {
        "messages": [described(entry) for entry in entries],
        "next": entries[-1].message.message_id if is_full else None,
    }


async def read_message(queue: Any, details: Details, now: float) -> Details:
    """Octets of the message ``queue_id`` from ``offset`` on, as Base64 in ``data``.

    ``size``: of all of it.
    """
    queue_id: str = details["queue_id"]
    entries = await queue.entries(Selection((queue_id,)), 1)
    if not entries:
        raise no_message(queue_id)
    offset: int = details["offset"]
    try:
        content = await queue.open(entries[0].message.message_id)
    except NoSuchMessage:
        raise no_message(queue_id) from None
    try:
        data = await content.read(offset, offset + PIECE)
        return {"size": content.size, "data": b64encode(data).decode("ascii")}
    finally:
        content.close()


async def change_messages(queue: Any, details: Details, now: float) -> Details:
    """Do what ``alteration`` says to the recipients of ``selection``.

    ``changed``: how many there were; ``messages``: the names of their messages, where
    the selection names some.
    """
    given: dict[str, Any] = details["alteration"]
    if not given or not given.keys() <= _ALTERABLE:
        raise Failure(Exit.USAGE, f"no such change: {given}")
    selection = selection_of(details)
    found = []
    if selection.queue_ids:
        entries = await queue.entries(selection, len(selection.queue_ids))
        found = [entry.message.queue_id for entry in entries]
    changed = await queue.alter(selection, Alteration(**given), now)
    return {"changed": changed, "messages": found}


async def count_ages(queue: Any, details: Details, now: float) -> Details:
    """How much waits for whom, by age: see :meth:`mailhub.interfaces.IQueue.ages`."""
    bounds: list[float] = details["bounds"]
    rows = await queue.ages(now, tuple(bounds))
    return {
        "bounds": bounds,
        "destinations": [
            {"destination": row.destination, "counts": [*row.counts]} for row in rows
        ],
    }


def selection_of(details: Details) -> Selection:
    """``selection``, of JSON; without one it is everything.

    :raises Failure: it is none.
    """
    given: dict[str, Any] = details.get("selection", {})
    if not given.keys() <= _SELECTABLE:
        raise Failure(Exit.USAGE, f"no such selection: {given}")
    return Selection(**{**given, "queue_ids": tuple(given.get("queue_ids", ()))})


def no_message(queue_id: str) -> Failure:
    """What to say where a message is missing."""
    return Failure(Exit.UNAVAILABLE, f"there is no message {queue_id} in the queue")


def described(entry: Entry) -> Details:
    """A message and its recipients for JSON; times are seconds since the epoch."""
    message = entry.message
    return {
        "id": message.queue_id,
        "size": message.size,
        "sender": message.sender,
        "user": message.user,
        "priority": message.parameters.priority,
        "arrived": message.arrived,
        "expires": message.expires,
        "recipients": [_waiting(each, entry.lent) for each in entry.recipients],
    }


def _waiting(waiting: Waiting, lent: frozenset[int]) -> Details:
    return {
        "address": waiting.recipient,
        "destination": waiting.destination,
        "state": _state_of(waiting, lent),
        "due": waiting.due,
        "attempts": waiting.attempts,
        "status": waiting.status,
        "reply": waiting.reply,
        "hold": waiting.hold,
    }


def _state_of(waiting: Waiting, lent: frozenset[int]) -> str:
    """``active``, ``hold``, ``deferred``, or ``incoming``: never tried so far."""
    if waiting.recipient_id in lent:
        return "active"
    if waiting.hold:
        return "hold"
    return "deferred" if waiting.attempts else "incoming"


#: All pieces, by the name that they have between command and server.
QUEUE_WORK: dict[str, Callable[[Any, Details, float], Awaitable[Details]]] = {
    "list": list_messages,
    "read": read_message,
    "change": change_messages,
    "ages": count_ages,
}
