"""The tables of the queue, and the steps that bring them to an older store.

A message has one row and a number of recipients, who have one each.  Messages and
recipients are numbered together: those of message *m* are ``m`` .. ``m + span - 1``,
and no number is given twice, so that a recipient is found by its message and the
message by its first number without an index.

A recipient is in one of four states.  Ready ones are in the order in which they
leave (see ``queue_turns``); of later and lent ones *wake* is when they become ready
by themselves.
"""

from __future__ import annotations

import sqlite3

#: States of a recipient.  The conditions of indexes below have the same numbers.
READY, LATER, LENT, HELD = range(4)

#: As a store got them first.
TABLES = """
create table queue_message (
    message_id integer primary key,
    span integer not null,
    queue_id text not null,
    sender text not null,
    user text,
    parameters text not null,
    arrived real not null,
    expires real not null,
    size integer not null,
    blob_id integer not null,
    prefix blob not null
);
create index queue_name on queue_message (queue_id);
create table queue_recipient (
    recipient_id integer primary key,
    message_id integer not null,
    recipient text not null,
    destination text not null,
    notify integer,
    original text,
    state integer not null,
    due real not null,
    wake real,
    attempts integer not null,
    warned integer not null,
    status text not null,
    reply text not null,
    hold text not null,
    token integer,
    keeper text,
    rank integer not null,
    origin text not null,
    turn integer not null
);
create index queue_turn on queue_recipient (destination, rank, turn) where state = 0;
create index queue_origin on queue_recipient (destination, rank, origin, turn)
    where state = 0;
create index queue_since on queue_recipient (destination, due) where state = 0;
create index queue_wake on queue_recipient (wake) where wake is not null;
-- Destinations that somebody ready is for; since when: the least "due" of them.
create table queue_destination (
    destination text primary key,
    since real not null
) without rowid;
create index queue_longest on queue_destination (since);
insert into setting values ('queue', 0);
"""


#: What came later: a table that is made anew gets it as an old one does.
FAULTS = (
    "alter table queue_recipient add column faults integer not null default 0"
)


def statements() -> list[str]:
    """What makes the tables."""
    return [*_first_statements(), FAULTS]


def make(connection: sqlite3.Connection) -> bool:
    """Make them as they were at first: a
    :class:`~mailhub.store.sqlite.migrations.Step`.
    """
    for statement in _first_statements():
        connection.execute(statement)
    return True


def count_faults(connection: sqlite3.Connection) -> bool:
    """Let a recipient tell how often the server failed over it, likewise."""
    connection.execute(FAULTS)
    return True


def _first_statements() -> list[str]:
    return TABLES.split(";\n")[:-1]
