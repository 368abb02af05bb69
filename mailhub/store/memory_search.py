"""Search in the memory store: every message is looked at."""

from __future__ import annotations

from collections.abc import Iterable

from ..mail.query import Query
from .memory_state import Message


def search(messages: Iterable[Message], query: Query) -> list[int]:
    """UIDs of the *messages*, which are in UID order, that *query* matches."""
    from ..mail.matching import matches

    return [message.uid for message in messages if matches(query, message)]
