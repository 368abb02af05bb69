"""What a key of an access table is about."""

from __future__ import annotations

from enum import Enum


class Tag(Enum):
    """Peers, senders, recipients; a key without a tag is about all of them."""

    CONNECT = "connect"
    FROM = "from"
    TO = "to"
