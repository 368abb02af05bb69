"""Which tables are read from end to end, by all statements that the store makes.

Cost has to grow with the work and not with the store: a statement looks rows up, or
is listed in :data:`WHOLE` with the reason why it may not.
"""

from __future__ import annotations

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.errors import LimitReached
from mailhub.mail.account import Delivery, Target
from mailhub.mail.flags import SEEN, FlagChange
from mailhub.mail.mailbox import INBOX, Column
from mailhub.mail.query import And, Header, SentDate, Text, UidSet, When
from mailhub.mail.queue_list import Alteration, Selection
from mailhub.mail.queued import Disposal, Settlement
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.sqlite import (
    fetching,
    flagbits,
    outline,
    purge,
    queue_turns,
    schema,
    store,
)
from mailhub.store.sqlite.change import QUEUE
from mailhub.store.sqlite.files import BlobFiles
from mailhub.store.sqlite.store import SQLiteStore

from ..contracts.fixture import ALICE, BOB, SENT_AT, fails
from ..contracts.queueing import ME, NET, NOW, sending
from .sqlite_fixture import database_of, make_store
from .verify.folders import fill

SOURCES = Path(schema.__file__).parent

#: Statements that read a whole table: how they begin, the table, and why they may.
WHOLE = (
    ("select name from domain order by", "domain", "a person asked for all of them"),
    ("select account_id, address, password, quota, enabled from account order by",
     "account", "a person asked for all of them"),
    ("select address, targets from alias order by", "alias",
     "a person asked for all of them"),
    ("select address, targets, keeps from forward join account using (account_id)"
     " order by", "account", "a person asked for all of them"),
    ("select 1 from account where substr(", "account", "domains go rarely"),
    ("select exists(select 1 from doomed_file)", "doomed_file",
     "it stops at the first"),
    ("select exists(select 1 from doomed_file)", "doomed_mailbox",
     "it stops at the first"),
    ("select exists(select 1 from doomed_file)", "garbage", "it stops at the first"),
    ("select digest from doomed_file limit", "doomed_file", "it takes the first ones"),
    ("select account_id, mailbox_id from doomed_mailbox limit 1", "doomed_mailbox",
     "it stops at the first"),
    ("select garbage_id, item_id from garbage where", "garbage",
     "what is due stands in front, and only a piece is taken"),
    ("select destination, since from queue_destination order by since limit",
     "queue_destination", "an index has the order, and it takes the first ones"),
)
_VERB = re.compile(r"\s*(select|insert|update|delete)\b", re.IGNORECASE)
#: An index that SQLite makes for one statement costs a look at all rows, too.
_SCAN = re.compile(r"(?:SCAN (\w+)|SEARCH (\w+) USING AUTOMATIC)")
_SPACES = re.compile(r"\s+")
_MOST_PARAMETERS = 16


class Recording(sqlite3.Connection):
    """A connection that keeps the texts of statements."""

    statements: set[str] = set()

    def execute(self, statement, *values):
        self.statements.add(statement)
        return super().execute(statement, *values)

    def executemany(self, statement, *values):
        self.statements.add(statement)
        return super().executemany(statement, *values)


def written(source: str) -> Iterator[re.Pattern[str]]:
    """Patterns of the statements that stand in Python *source*."""
    tree = ast.parse(source)
    inner = {
        id(part)
        for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node) if part is not node
    }
    for node in ast.walk(tree):
        if id(node) in inner:
            continue
        match node:
            case ast.Constant(value=str(text)):
                parts = [re.escape(text)]
            case ast.JoinedStr(values=values):
                text = getattr(values[0], "value", "")
                parts = [
                    re.escape(part.value) if isinstance(part, ast.Constant) else ".*"
                    for part in values
                ]
            case _:
                continue
        if isinstance(text, str) and _VERB.match(text):
            yield re.compile("".join(parts), re.DOTALL)


def scans(connection: sqlite3.Connection, statement: str) -> set[str]:
    """Tables, or their short names, that *statement* reads from end to end."""
    for number in range(_MOST_PARAMETERS):
        try:
            plan = connection.execute(
                f"explain query plan {statement}", [None] * number
            ).fetchall()
        except sqlite3.ProgrammingError:
            continue
        return {one or two for row in plan for one, two in _SCAN.findall(row[3])}
    raise AssertionError(f"more parameters: {statement}")


def tables_of(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("select name from sqlite_schema where type = 'table'")
    return {name for (name,) in rows}


async def use(store: SQLiteStore) -> None:
    """Do everything that makes a statement."""
    await fill(store)
    await _read(store)
    directory = store.directory
    await directory.set_password(ALICE, "{PLAIN}other", "{PLAIN}secret")
    await directory.set_alias("info@example.org", [ALICE])
    await directory.find_alias("info@example.org")
    await directory.remove_alias("info@example.org")
    await directory.set_forward(ALICE, ["x@example.com"])
    await directory.find_forward(ALICE)
    await directory.forwards()
    await directory.remove_forward(ALICE)
    await directory.add_domain("example.net")
    await directory.is_local_domain("example.net")
    await directory.remove_domain("example.net")
    await directory.domains(), await directory.accounts(), await directory.aliases()
    await store.probe()
    store.room_of(1)
    account = await store.open_account(BOB)
    await account.unsubscribe("Trash")
    await account.append(INBOX, [])
    await account.create("Elsewhere/Below")
    await account.delete("Elsewhere/Below")
    await account.create("Elsewhere/Below")
    await account.rename(INBOX, "Old")
    flags = frozenset({"$one"})
    keep = [(BytesContent(b"%d" % number), flags, 1) for number in range(40)]
    await account.append("Old", keep)
    old = await account.open("Old")
    uids = list((await old.changes(0)).entries.uids)
    await old.set_flags(uids, FlagChange.ADD, frozenset({SEEN}))
    await old.set_flags([uids[0], uids[-1]], FlagChange.ADD, frozenset({"$two"}))
    await old.set_flags([uids[0], *uids[20:25]], FlagChange.REMOVE, frozenset({"$two"}))
    await old.copy([uids[0], 10**9], "Old")
    await old.claim_recent()
    await _queue(store)


async def _queue(store: SQLiteStore) -> None:
    queue, seen = store.queue, Selection()
    for name in ("A", "B"):
        put = sending(name, f"a@{NET}", f"b@{NET}", "c@example.com", f"d@{NET}")
        for each in (put, replace(put, keeper=ME, kept_until=NOW + 60)):
            delivery = Delivery(BytesContent(b"m"), b"", (), SENT_AT, (each,))
            await store.deliver(delivery)
    await gatherResults([
        Deferred.fromCoroutine(
            store.deliver(
                Delivery(BytesContent(data), b"", (), SENT_AT, (each, each))
            )
        )
        for data in (b"one", b"two", b"one")
    ])
    await queue.ready(NOW, 10)
    await queue.next_due(NOW)
    await queue.alter(Selection(held=True), Alteration(delete=True), NOW)
    lent = (await queue.lease(NET, 10, ME, NOW, NOW + 60))[-1]
    content = await queue.open(lent.message.message_id)
    content.close()
    await queue.renew(lent, NOW + 120)
    one, two, three = [each.recipient_id for each in lent.recipients]
    await queue.settle(lent, [
        Settlement(one, Disposal.GONE), Settlement(two, Disposal.LATER, due=NOW + 1),
        Settlement(three, Disposal.HELD, hold="x"),
    ])
    for selection in (seen, Selection(queue_ids=("A", "B"))):
        await queue.entries(selection, 10)
    await queue.alter(seen, Alteration(hold="x"), NOW)
    await queue.alter(seen, Alteration(hold="", retry=True, priority=3), NOW)
    await queue.ages(NOW, (60.0,))
    await queue.settle(
        (await queue.lease(NET, 10, ME, NOW, NOW + 60))[-1],
        [Settlement(two, Disposal.LATER, due=NOW + 900)],
    )
    await queue.hasten(NOW + 800, NOW)
    await queue.ready(NOW + 600, 10)
    await queue.free(ME)
    await queue.alter(seen, Alteration(delete=True), NOW)


async def _read(store: SQLiteStore) -> None:
    account = await store.open_account(ALICE)
    await account.mailboxes()
    inbox = await account.open(INBOX)
    await inbox.status()
    entries = (await inbox.changes(0)).entries
    for since in (1, entries.modseqs[-1] - 1):
        await inbox.changes(since)
    for uids in ([1, 2, 3], [1, 1000]):
        for column in Column:
            await inbox.fetch(uids, (column,))
        rows = await inbox.fetch(uids, (Column.CONTENT, Column.PARTS, Column.SIZE))
        for _, content, _, _ in rows:
            await octets_of(content)
    day = date(2026, 11, 21)
    for query in (
        Header("subject", "a"), Text("nothing of the kind"), SentDate(When.BEFORE, day),
        And((UidSet(((1, 4),)), Header("subject", "a"), SentDate(When.SINCE, day))),
    ):
        await inbox.search(query)
    await inbox.claim_recent()
    for part in INBOX, "Sent":
        opened = await account.open(part)
        await opened.outline()
        await opened.flags_between(1, 1000)
    target = (Target((await store.directory.find_account(ALICE)).account_id),)
    await gatherResults([
        Deferred.fromCoroutine(
            store.deliver(Delivery(BytesContent(b"%d" % number), b"", target, SENT_AT))
        )
        for number in range(4)
    ])
    await inbox.status()
    await inbox.expunge([29], deleted_only=False)  # Of a large one, the last.
    store._access._modseqs([inbox._key, QUEUE])


class PlanTests(TestCase):
    """SQLite says how it would go about each statement."""

    async def setUp(self):
        connect = sqlite3.connect
        Recording.statements = set()
        self.patch(
            sqlite3, "connect",
            lambda *values, **named: connect(*values, **named, factory=Recording),
        )
        self.patch(fetching, "EAGER", 0)
        self.patch(store, "PROOF_SECONDS", -1.0)
        self.patch(queue_turns, "SLICE", 1)
        self.patch(outline, "_FEW", -1000)
        self.patch(outline, "_UNSEEN_WITHIN", 0)
        self.path = self.mktemp()
        opened = make_store(self.path)
        await opened.start()
        await use(opened)
        self.patch(flagbits, "MAX_KEYWORD_SETS", 1)
        inbox = await (await opened.open_account(ALICE)).open(INBOX)
        await fails(
            LimitReached, inbox.set_flags([1], FlagChange.ADD, frozenset({"$new"}))
        )
        await opened.stop()
        database = database_of(self.path)
        with closing(schema.connect(database)) as connection:
            files = BlobFiles(f"{self.path}/blobs", self.path)
            purge.purge(connection, files, SENT_AT * 2)

    def test_no_statement_reads_a_whole_table_without_a_reason(self):
        used, unreasonable = set(), []
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            tables = tables_of(connection)
            for statement in sorted(Recording.statements):
                text = _SPACES.sub(" ", statement).strip()
                if not _VERB.match(text) or "sqlite_schema" in text:
                    continue
                whole = scans(connection, statement)
                for name in whole & (tables | {"m", "i", "h", "b", "r"}):
                    reasons = [
                        row
                        for row in WHOLE
                        if text.startswith(row[0]) and name == row[1]
                    ]
                    used.update(reasons)
                    if not reasons:
                        unreasonable.append(f"{name}: {text}")
        self.assertEqual(unreasonable, [])
        self.assertEqual(set(WHOLE) - used, set())

    def test_all_statements_of_the_store_have_been_looked_at(self):
        texts = Recording.statements
        missing = [
            f"{path.name}: {pattern.pattern}"
            for path in sorted(SOURCES.glob("*.py"))
            for pattern in written(path.read_text("utf-8"))
            if not any(pattern.search(text) for text in texts)
        ]
        self.assertEqual(missing, [], "\n".join(missing))


class RuleTests(SynchronousTestCase):
    """The test would notice."""

    def test_a_table_that_is_read_whole_is_seen(self):
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            schema.make_tables(connection)
            for statement, tables in (
                ("select uid from message where item_id = ?", {"message"}),
                ("select 1 from item i join blob b on b.size = i.sent", {"i", "b"}),
                ("select uid from message where account_id = ?", set()),
                ("delete from blob where digest = ?", set()),
                ("delete from blob where size = ?", {"blob"}),
            ):
                self.assertEqual(scans(connection, statement), tables, statement)

    def test_statements_are_found_in_a_source(self):
        source = (
            'a = "select 1"\nb = f"update {a} set b"\nc = "selects"\n'
            'd = f"{a} select"\ne = "delete from x" " where y"\n'
        )
        found = [pattern.pattern for pattern in written(source)]
        self.assertEqual(
            found, ["select\\ 1", "update\\ .*\\ set\\ b", r"delete\ from\ x\ where\ y"]
        )
