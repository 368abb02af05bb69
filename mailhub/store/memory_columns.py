"""What FETCH can give of a message in memory."""

from __future__ import annotations

from collections.abc import Callable

from ..mail.mailbox import Column
from .memory_state import Message

#: How a message gives each column.
COLUMNS: dict[Column, Callable[[Message], object]] = {
    Column.INTERNAL_DATE: lambda message: message.internal_date,
    Column.SIZE: lambda message: message.size,
    Column.ENVELOPE: lambda message: message.body.summary.envelope,
    Column.BODYSTRUCTURE: lambda message: message.body.summary.bodystructure,
    Column.BODY: lambda message: message.body.summary.body,
    Column.HEADER: lambda message: message.header,
    Column.PARTS: lambda message: message.parts,
    Column.CONTENT: lambda message: message.body.content,
}
