"""The tree of mailboxes in the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from .schema import next_uidvalidity


def next_modseq(connection: sqlite3.Connection, account_id: int) -> int:
    """The modseq of a change that begins now: the account's one counter."""
    [modseq] = connection.execute(
        "update account set modseq = modseq + 1 where account_id = ?"
        " returning modseq",
        (account_id,),
    ).fetchone()
    return int(modseq)


def make_mailbox(
    connection: sqlite3.Connection,
    account_id: int,
    name: str,
    special_use: str | None,
    now: Callable[[], float],
) -> None:
    """A new, empty mailbox; the name is free."""
    connection.execute(
        "insert into mailbox (account_id, name, special_use, uidvalidity, modseq)"
        " values (?, ?, ?, ?, ?)",
        (
            account_id, name, special_use, next_uidvalidity(connection, now),
            next_modseq(connection, account_id),
        ),
    )
