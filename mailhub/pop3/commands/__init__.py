"""The commands of POP3: one row and one short function for each.

CAPA follows from the rows.  A new command is a function in one of the modules here
and a row below; nothing else knows of it.
"""

from __future__ import annotations

from ..dialogue import Command
from ..session import State
from . import login, transaction

_BEFORE = frozenset({State.AUTHORIZATION})
_AFTER = frozenset({State.TRANSACTION})
_BOTH = _BEFORE | _AFTER

_ROWS = (
    Command(b"CAPA", login.capa, _BOTH),
    Command(b"TOP", transaction.top, _AFTER, transaction.top_capability),
    Command(b"UIDL", transaction.uidl, _AFTER, transaction.uidl_capability),
    Command(b"STLS", login.stls, _BEFORE, login.stls_capability),
    Command(b"USER", login.user, _BEFORE, login.user_capability),
    Command(b"PASS", login.pass_, _BEFORE),
    Command(b"AUTH", login.auth, _BEFORE, login.auth_capability),
    Command(b"STAT", transaction.stat, _AFTER),
    Command(b"LIST", transaction.list_, _AFTER),
    Command(b"RETR", transaction.retr, _AFTER),
    Command(b"DELE", transaction.dele, _AFTER),
    Command(b"RSET", transaction.rset, _AFTER),
    Command(b"NOOP", transaction.noop, _AFTER),
    Command(b"QUIT", login.quit_, _BOTH),
)

COMMANDS = {row.verb: row for row in _ROWS}
