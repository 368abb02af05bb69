"""Every kind of damage is found, under its own name, and repaired where it can be."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from twisted.trial.unittest import SynchronousTestCase

from mailhub.store.sqlite.verify.findings import MEANINGS, Kind

from ...contracts.fixture import ALICE
from ..sqlite_fixture import read_file, write_file
from .folders import FolderTests

_ALICE = f"(select account_id from account where address = '{ALICE}')"
_INBOX = (
    f"(select mailbox_id from mailbox where account_id = {_ALICE} and name = 'INBOX')"
)
_OF_INBOX = f"where mailbox_id = {_INBOX}"
_LARGE = "(select min(blob_id) from blob where data is null)"
_SMALL = "(select min(blob_id) from blob where size > 10)"
_HELD = "(select blob_id from queue_message where queue_id = 'Held')"
#: A digest that nothing has.
_NAME = "ff" * 32


Do = Callable[[FolderTests], object]


@dataclass(frozen=True)
class Damage:
    """Something that goes wrong.

    :ivar do: does it to a store.
    :ivar kinds: of what is found then.
    :ivar left: of what is found after a repair.
    """

    do: Do
    kinds: set[str]
    left: set[str]


def sql(*statements: str) -> Do:
    """Change rows."""
    return lambda test: test.execute(*statements)


def mailbox(change: str) -> Do:
    """Change the row of INBOX."""
    return sql(f"update mailbox set {change} {_OF_INBOX}")


def message(change: str, uid: int = 2) -> Do:
    """Change a row of INBOX's messages."""
    return sql(f"update message set {change} {_OF_INBOX} and uid = {uid}")


def item(change: str) -> Do:
    """Change a content."""
    return sql(f"update item set {change} where item_id = 3")


def blob(change: str, which: str = _SMALL) -> Do:
    """Change octets."""
    return sql(f"update blob set {change} where blob_id = {which}")


def vanish(first: int, last: int) -> Do:
    """Say that UIDs of INBOX have vanished."""
    return sql(
        f"insert into vanished select account_id, mailbox_id, modseq, {first}, {last}"
        f" from mailbox {_OF_INBOX}"
    )


def insert(table: str, values: str) -> Do:
    """Add a row."""
    return sql(f"insert into {table} values ({values})")


def both(*changes: Do) -> Do:
    """Several of these."""

    def do(test: FolderTests) -> None:
        for change in changes:
            change(test)

    return do


def repaired(do: Do, *kinds: str) -> Damage:
    """Damage that a repair undoes wholly."""
    return Damage(do, set(kinds), set())


def lost(do: Do, *kinds: str) -> Damage:
    """Damage that stays."""
    return Damage(do, set(kinds), set(kinds))


def flip(path: str, offset: int) -> None:
    """Change one octet of a file."""
    data = bytearray(read_file(path))
    data[offset] ^= 1
    write_file(path, bytes(data))


def flip_in_database(test: FolderTests) -> None:
    """Turn a bit in the first page of the table of messages' contents."""
    [[root]] = test.query("select rootpage from sqlite_schema where name = 'item'")
    flip(f"{test.path}/mailhub.sqlite", (root - 1) * 4096)


def add_file(name: str) -> Do:
    """A file below ``blobs``."""

    def do(test: FolderTests) -> None:
        write_file(f"{test.path}/blobs/{name}", b"x")
        os.chmod(f"{test.path}/blobs/{name}", 0o600)

    return do


def _queued(name: str) -> str:
    return (
        "message_id ="
        f" (select message_id from queue_message where queue_id = '{name}')"
    )


def queued(name: str, change: str) -> Do:
    """Change the rows of a queued message's recipients."""
    return sql(f"update queue_recipient set {change} where {_queued(name)}")


def queued_file(test: FolderTests) -> str:
    """The path of the file that only the queue has."""
    [[digest]] = test.query(
        "select digest from blob where blob_id ="
        " (select blob_id from queue_message where queue_id = 'File')"
    )
    return f"{test.path}/blobs/{digest.hex()[:2]}/{digest.hex()}"


def chmod(mode: int, name: str) -> Do:
    """Let others read something."""
    return lambda test: os.chmod(f"{test.path}/{name}", mode)


def hollow_file(test: FolderTests) -> None:
    """A directory where a file was."""
    os.remove(test.large_file())
    os.mkdir(test.large_file(), 0o700)


STORED = {
    "an octet changed in a row": lost(
        blob("data = cast(replace(data, 'o', 'p') as blob)"), "content"
    ),
    "a bit turned in a file": lost(
        lambda test: flip(test.large_file(), 70_000), "content"
    ),
    "a file cut short": lost(
        lambda test: os.truncate(test.large_file(), 70_000), "content"
    ),
    "an empty file": lost(lambda test: os.truncate(test.large_file(), 0), "content"),
    "a file removed": lost(lambda test: os.remove(test.large_file()), "no-file"),
    "a directory instead of a file": lost(hollow_file, "unreadable"),
    "octets removed": lost(
        sql(f"delete from blob where blob_id = {_SMALL}"), "no-blob"
    ),
    "a content removed": lost(
        sql(
            "delete from item where item_id ="
            f" (select item_id from message {_OF_INBOX} limit 1)"
        ),
        "no-item", "unreferenced-blob",
    ),
    "another digest": lost(blob("digest = randomblob(32)"), "content"),
    "another number of octets": repaired(blob("size = size + 1"), "blob-size"),
    "another number of octets in a file": repaired(
        blob("size = size + 1", _LARGE), "blob-size"
    ),
    "another envelope": repaired(item("envelope = x'4e494c'"), "summary"),
    "another structure": repaired(item("bodystructure = x'00', body = x''"), "summary"),
    "another day": repaired(item("sent = 1"), "summary"),
    "no header": repaired(sql("delete from header where item_id = 3"), "summary"),
    "another header": repaired(sql("update header set header = x'0d0a'"), "summary"),
    "other parts": repaired(sql("update header set parts = x'00'"), "summary"),
}

COUNTED = {
    "messages counted wrong": repaired(mailbox("messages = messages + 1"), "counter"),
    "unseen counted wrong": repaired(mailbox("unseen = 0"), "counter"),
    "octets counted wrong": repaired(mailbox("size = -1"), "counter"),
    "quota counted wrong": repaired(sql("update account set used = used + 1"), "quota"),
    "a size that is none": repaired(
        message("size = size + 1"), "size", "counter", "quota"
    ),
    "a copy too many": repaired(
        sql("update shared_item set extra = extra + 1"), "item-references"
    ),
    "a copy too few": repaired(sql("delete from shared_item"), "item-references"),
    "a copy that is none": repaired(
        sql(
            "insert into shared_item select min(item_id), 0 from item where item_id"
            " not in (select item_id from shared_item)"
        ),
        "item-references",
    ),
    "a use of octets too many": repaired(
        insert("shared_blob", "1, 3"), "blob-references"
    ),
    "a use of octets too few": repaired(
        sql("delete from shared_blob"), "blob-references"
    ),
    "a content that nobody has": lost(
        sql(
            "insert into item select 9999, blob_id, sent, prefix, envelope,"
            " bodystructure, body from item where item_id = 3",
            "insert into header select 9999, header, parts from header"
            " where item_id = 3",
            "insert into shared_blob select blob_id, 1 from item where item_id = 3",
        ),
        "unreferenced-item",
    ),
    "octets that nobody has": lost(
        insert("blob", "9999, randomblob(32), 1, x'00'"), "unreferenced-blob"
    ),
}

MAILBOXES = {
    "a message removed": Damage(
        sql(f"delete from message {_OF_INBOX} and uid = 15"),
        {"counter", "quota", "uid-gap", "unreferenced-item"},
        {"unreferenced-item"},
    ),
    "a UID above the next": repaired(
        message("uid = 1000", uid=29), "uidnext", "uid-gap"
    ),
    "a next UID in use": repaired(mailbox("uidnext = 5"), "uidnext", "vanished"),
    "no next UID": repaired(mailbox("uidnext = 0"), "uidnext", "vanished"),
    "a UID that is none": lost(both(message("uid = 0", uid=3), vanish(3, 3)), "uid"),
    "no UIDVALIDITY": repaired(mailbox("uidvalidity = 0"), "uidvalidity"),
    "a UIDVALIDITY of 33 bits": repaired(
        mailbox("uidvalidity = 4294967296"), "uidvalidity"
    ),
    "a UIDVALIDITY that has gone down": repaired(
        sql("update mailbox set uidvalidity = uidvalidity - 1000 where name = 'Gone'"),
        "uidvalidity",
    ),
    "a message that has vanished": repaired(vanish(13, 14), "vanished-living"),
    "a UID that has vanished twice": repaired(vanish(10, 10), "vanished"),
    "a range that ends before it starts": repaired(vanish(11, 10), "vanished"),
    "UIDs that vanished before they came": repaired(vanish(500, 501), "vanished"),
    "UIDs whose vanishing was forgotten": repaired(
        sql(f"delete from vanished {_OF_INBOX}"), "uid-gap"
    ),
    "a mailbox behind its messages": repaired(
        sql("update mailbox set modseq = 1 where name = 'Work/Old'"), "modseq"
    ),
    "an account behind its mailboxes": repaired(
        sql(f"update account set modseq = 2 where account_id = {_ALICE}"), "modseq"
    ),
    "a message that never changed": repaired(message("modseq = 0", uid=9), "modseq"),
    "a modseq of 63 bits": lost(
        both(
            message("modseq = 9223372036854775807"),
            sql(f"update flag_change set modseq = 9223372036854775807 {_OF_INBOX}"),
        ),
        "modseq",
    ),
    "recent before it came": repaired(mailbox("recent_from = 900"), "recent"),
    "a change of flags forgotten": repaired(
        sql(f"delete from flag_change {_OF_INBOX}"), "flag-history"
    ),
    "a name that is none": lost(
        sql("update mailbox set name = 'Work//Old' where name = 'Work/Old'"), "name"
    ),
    "keywords that are none": repaired(message("flags = (9999 << 5) + 1"), "flags"),
    "flags below zero": repaired(message("flags = -31"), "flags"),
    "somebody else's keywords": repaired(
        both(
            insert("keyword_set", "500, 2, 'x'"), message("flags = (500 << 5) + 1")
        ),
        "flags",
    ),
    "no keywords in a set": repaired(
        sql("update keyword_set set keywords = '' where keyword_set_id = 1"), "flags"
    ),
    "a keyword unknown": repaired(sql(f"delete from keyword {_OF_INBOX}"), "keyword"),
    "a keyword spelled twice": lost(
        sql(
            "insert into keyword select account_id, mailbox_id, '$label' from mailbox"
            f" {_OF_INBOX}"
        ),
        "keyword",
    ),
}

OWNED = {
    "no INBOX": repaired(mailbox("name = 'Inbox2'"), "no-inbox"),
    "a domain that is not ours": repaired(sql("delete from domain"), "no-domain"),
    "an account removed": lost(
        sql(f"delete from account where account_id = {_ALICE}"), "no-account"
    ),
    "a mailbox removed": repaired(
        sql("delete from mailbox where name = 'Work/Old'"), "no-mailbox"
    ),
    "INBOX removed": repaired(
        sql(f"delete from mailbox {_OF_INBOX}"), "no-mailbox", "no-inbox"
    ),
    "a mailbox and its account removed": Damage(
        sql(
            "delete from mailbox where account_id = 2",
            "delete from account where account_id = 2",
        ),
        {"no-mailbox", "stray"},
        {"no-mailbox"},
    ),
    "a mailbox about to be emptied": repaired(
        sql(
            "insert into doomed_mailbox select account_id, mailbox_id from mailbox"
            f" {_OF_INBOX}"
        ),
        "doomed", "quota",
    ),
    "subscriptions of nobody": repaired(insert("subscription", "77, 'x'"), "stray"),
    "former names of nobody": repaired(insert("former_name", "77, 'x', 1"), "stray"),
    "keyword sets of nobody": repaired(insert("keyword_set", "500, 77, 'x'"), "stray"),
    "keywords of no mailbox": repaired(insert("keyword", "1, 999, 'x'"), "stray"),
    "vanished from no mailbox": repaired(
        insert("vanished", "1, 999, 1, 1, 1"), "stray"
    ),
    "changes in no mailbox": repaired(
        insert("flag_change", "1, 999, 1, 1, 1, 1"), "stray"
    ),
    "garbage that is none": repaired(insert("garbage", "999, 9999, 1"), "stray"),
    "a header of nothing": repaired(insert("header", "9999, x'', x''"), "stray"),
    "copies of nothing": repaired(insert("shared_item", "9999, 1"), "stray"),
    "uses of nothing": repaired(insert("shared_blob", "9999, 1"), "stray"),
}

QUEUED = {
    "a message removed from the queue": lost(
        sql("delete from queue_message where queue_id = 'Held'"),
        "queue-message", "unreferenced-blob",
    ),
    "a recipient out of a message's numbers": lost(
        sql("update queue_message set span = 1 where queue_id = 'Ready'"),
        "queue-message",
    ),
    "recipients removed from the queue": lost(
        sql(f"delete from queue_recipient where {_queued('Held')}"), "queue-recipient"
    ),
    "ready and with a time": repaired(queued("Ready", "wake = 5.0"), "queue-state"),
    "later and at another time": repaired(queued("Later", "wake = 5.0"), "queue-state"),
    "lent to nobody": repaired(queued("Lent", "keeper = null"), "queue-state"),
    "lent without a token": repaired(queued("Lent", "token = null"), "queue-state"),
    "lent without an end": repaired(queued("Lent", "wake = null"), "queue-state"),
    "held without a reason": repaired(queued("Held", "hold = ''"), "queue-state"),
    "in no state": repaired(queued("Held", "state = 4"), "queue-state"),
    "in another line": repaired(queued("Ready", "rank = 3"), "queue-state"),
    "of another origin": repaired(queued("Ready", "origin = 'x'"), "queue-state"),
    "parameters that are none": repaired(
        sql("update queue_message set parameters = '[nul' where queue_id = 'Held'"),
        "queue-state",
    ),
    "parameters of another program": repaired(
        sql(
            "update queue_message set parameters = '[null, {\"new\": 1}]'"
            " where queue_id = 'Held'"
        ),
        "queue-state",
    ),
    "destinations forgotten": repaired(
        sql("delete from queue_destination"), "queue-destination"
    ),
    "a destination of nobody": repaired(
        insert("queue_destination", "'x.example', 1.0"), "queue-destination"
    ),
    "a destination from another time": repaired(
        sql("update queue_destination set since = 1.0"), "queue-destination"
    ),
    "a queued message's size": repaired(
        sql("update queue_message set size = 1"), "size"
    ),
    "a queued message's octets removed": lost(
        sql(f"delete from blob where blob_id = {_HELD}"), "no-blob"
    ),
    "a queued message's octets changed": lost(
        blob("data = zeroblob(size)", _HELD), "content"
    ),
    "a queued message's octets counted wrong": repaired(
        blob("size = size + 1", _HELD), "blob-size"
    ),
    "a queued message's file removed": lost(
        lambda test: os.remove(queued_file(test)), "no-file"
    ),
    "a queued message's file damaged": lost(
        lambda test: flip(queued_file(test), 70_000), "content"
    ),
    "the queue's numbers behind": repaired(
        sql("update setting set value = 1 where name = 'queue'"), "setting"
    ),
}

AROUND = {
    "a damaged page": lost(flip_in_database, "database"),
    "a value of another type": lost(mailbox("uidnext = 'many'"), "value"),
    "a trigger removed": repaired(sql("drop trigger directory_0"), "schema"),
    "another trigger": repaired(
        sql(
            "drop trigger directory_0",
            "create trigger directory_0 after insert on alias begin select 1; end",
        ),
        "schema",
    ),
    "a table removed": lost(sql("drop table alias"), "schema"),
    "a counter of the store removed": repaired(
        sql("delete from setting where name = 'directory'"), "setting"
    ),
    "a counter of the store behind": repaired(
        sql("update setting set value = 0"), "setting"
    ),
    "an orphaned file": repaired(add_file(f"ff/{_NAME}"), "orphan-file"),
    "a file of somebody's": lost(add_file("ff/notes"), "strange-file"),
    "a file in another directory": lost(add_file(f"aa/{_NAME}"), "strange-file"),
    "a file beside the directories": lost(add_file("notes"), "strange-file"),
    "a directory named like a file": lost(
        lambda test: os.mkdir(f"{test.path}/blobs/ff/{_NAME}"), "strange-file"
    ),
    "a database for everybody": repaired(chmod(0o644, "mailhub.sqlite"), "mode"),
    "a file for everybody": repaired(
        lambda test: os.chmod(test.large_file(), 0o640), "mode"
    ),
    "a directory for everybody": repaired(chmod(0o755, "blobs/00"), "mode"),
    "all directories for everybody": repaired(chmod(0o755, "blobs"), "mode"),
}

DAMAGES = {**STORED, **COUNTED, **MAILBOXES, **OWNED, **QUEUED, **AROUND}


class DamageTests(FolderTests):
    """The rows of :data:`DAMAGES`; a method is added for each below."""

    def check(self, damage: Damage) -> None:
        damage.do(self)
        self.assertEqual(self.kinds(), damage.kinds)
        report = self.verify(repair=True)
        self.assertEqual(
            {each.finding.kind.value for each in report.listed if not each.repaired},
            damage.left, [str(each) for each in report.listed],
        )
        self.assertEqual(self.kinds(), damage.left)


def _add(name: str, damage: Damage) -> None:
    def test(self: DamageTests) -> None:
        self.check(damage)

    test.__doc__ = name
    setattr(DamageTests, f"test_{name.replace(' ', '_')}", test)


for _name, _damage in DAMAGES.items():
    _add(_name, _damage)


class KindsTests(SynchronousTestCase):
    """The table of kinds."""

    def test_each_kind_is_explained_and_tried(self):
        tried = {kind for damage in DAMAGES.values() for kind in damage.kinds}
        self.assertEqual(tried, {kind.value for kind in Kind})
        self.assertEqual(set(MEANINGS), set(Kind))

    def test_what_is_repaired_is_explained(self):
        for kind, (_, repair) in MEANINGS.items():
            can_be = any(
                kind.value in damage.kinds - damage.left for damage in DAMAGES.values()
            )
            if can_be:
                self.assertNotEqual(repair, "", kind)
