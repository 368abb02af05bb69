"""Rows of the queue as values, and the other way round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from ...mail.envelope import DeliverBy, MailParameters, Notify
from ...mail.queued import QueuedMessage, Waiting

#: Columns that :func:`message_of` and :func:`waiting_of` take, in their order.
MESSAGE = (
    "m.message_id, m.queue_id, m.sender, m.user, m.parameters, m.size, m.arrived,"
    " m.expires"
)
WAITING = (
    "r.recipient_id, r.recipient, r.destination, r.notify, r.original, r.due,"
    " r.attempts, r.warned, r.status, r.reply, r.hold, r.faults"
)
#: The number of them.
MESSAGE_COLUMNS = len(MESSAGE.split(","))

_DEFAULTS = {field.name: field.default for field in fields(MailParameters)}


def pack_parameters(parameters: MailParameters) -> str:
    """What differs from the defaults, as JSON.

    The size, which differs for each message, is kept apart from the others.
    """
    size = "null" if parameters.size is None else str(parameters.size)
    return f"[{size}, {_pack_others(*_others(parameters))}]"


def _others(parameters: MailParameters) -> tuple[Any, ...]:
    return (
        parameters.body, parameters.smtputf8, parameters.ret, parameters.envid,
        parameters.hold_until, parameters.deliver_by, parameters.priority,
        parameters.require_tls,
    )


_OTHERS = (
    "body", "smtputf8", "ret", "envid", "hold_until", "deliver_by", "priority",
    "require_tls",
)


@lru_cache(maxsize=256)
def _pack_others(*values: Any) -> str:
    named = dict(zip(_OTHERS, values, strict=True))
    if named["deliver_by"] is not None:
        named["deliver_by"] = asdict(named["deliver_by"])
    return json.dumps(
        {name: value for name, value in named.items() if value != _DEFAULTS[name]}
    )


@lru_cache(maxsize=256)
def unpack_parameters(text: str) -> MailParameters:
    """What :func:`pack_parameters` was given."""
    size, named = json.loads(text)
    if "deliver_by" in named:
        named["deliver_by"] = DeliverBy(**named["deliver_by"])
    return MailParameters(size, **named)


def message_of(row: Sequence[Any]) -> QueuedMessage:
    """The message that a row begins with; see :data:`MESSAGE`."""
    number, queue_id, sender, user, parameters, size, arrived, expires = row[
        :MESSAGE_COLUMNS
    ]
    return QueuedMessage(
        number, queue_id, sender, user, unpack_parameters(parameters), size, arrived,
        expires,
    )


def waiting_of(row: Sequence[Any]) -> Waiting:
    """The recipient of a row; see :data:`WAITING`."""
    (
        number, recipient, destination, notify, original, due, attempts, warned,
        status, reply, hold, faults,
    ) = row
    return Waiting(
        number, recipient, destination, None if notify is None else Notify(notify),
        original, due, attempts, bool(warned), status, reply, hold, faults,
    )
