"""Tests for :mod:`mailhub.store.sqlite.verify`: how it goes about its work."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailhub.errors import NotPermitted, OverQuota, UnknownRecipient
from mailhub.mail.account import Delivery, Target
from mailhub.mail.flags import SEEN, FlagChange
from mailhub.mail.mailbox import INBOX, Column
from mailhub.mail.queue_list import ALL, Alteration
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.sqlite import purge, schema
from mailhub.store.sqlite.files import BlobFiles
from mailhub.store.sqlite.verify import checking, contents, references
from mailhub.store.sqlite.verify.checking import Wish, verify
from mailhub.store.sqlite.verify.mailboxes import Mailboxes

from ...contracts.fixture import ALICE, BOB, SENT_AT, message
from ..sqlite_fixture import (
    SQLiteFixture,
    database_of,
    make_store,
    read_file,
    write_file,
)
from .folders import LARGE, FolderTests

#: Everything below a directory: its kind, size, times, and octets.
Picture = dict[str, tuple[int, int, int, bytes]]


def picture(path: str) -> Picture:
    """What is in a directory; another one after anything is written there."""
    found = {}
    for place in sorted(Path(path).rglob("*")):
        facts = place.stat()
        data = b"" if place.is_dir() else place.read_bytes()
        name = place.relative_to(path).as_posix()
        found[name] = (facts.st_mode, facts.st_size, facts.st_mtime_ns, data)
    return found


class FindingTests(FolderTests):
    """What is said of a finding, and of how many."""

    def test_each_message_that_has_lost_its_octets_is_told_of(self):
        os.remove(self.large_file())
        places = {
            (each.finding.account, each.finding.mailbox, each.finding.uid)
            for each in self.verify().listed
        }
        self.assertEqual(
            places,
            {
                (ALICE, INBOX, 25), (ALICE, INBOX, 27),
                (ALICE, "Work/Projects/One", 4), (BOB, INBOX, 5), (BOB, INBOX, 6),
            },
        )

    def test_a_finding_in_json_has_its_place_and_what_can_be_done(self):
        self.execute("update mailbox set unseen = 50 where name = 'Work/Old'")
        [found] = self.verify().listed
        self.assertEqual(
            found.as_json(),
            {
                "kind": "counter", "account": ALICE, "mailbox": "Work/Old",
                "uid": None, "blob": None, "detail": "unseen is 50, counted 4",
                "repairable": True, "repaired": False,
            },
        )
        self.assertEqual(
            str(found),
            f"counter: {ALICE} Work/Old: unseen is 50, counted 4 (can be repaired)",
        )

    def test_findings_beyond_a_number_are_only_counted(self):
        self.patch(checking, "MAX_LISTED", 3)
        self.execute("update item set envelope = x'00'", "update message set size = 1")
        report = self.verify()
        self.assertEqual(len(report.listed), 3)
        self.assertGreater(report.left, 40)
        self.assertEqual(report.left, report.counts.total())

    def test_one_account_is_looked_at_alone(self):
        self.execute("update mailbox set unseen = 50")
        found = self.verify(account=BOB).listed
        self.assertEqual({each.finding.account for each in found}, {BOB})
        os.remove(self.large_file())
        self.assertEqual(self.kinds(account=BOB), {"counter", "no-file"})
        with self.assertRaises(UnknownRecipient):
            self.verify(account="nobody@example.org")

    def test_without_octets_it_is_still_seen_whether_there_are_any(self):
        self.execute("update blob set data = zeroblob(size) where data not null")
        self.assertEqual(self.kinds(quick=True), set())
        self.assertEqual(self.kinds(), {"content"})
        os.truncate(self.large_file(), 5)
        self.assertEqual(self.kinds(quick=True, repair=True), {"blob-size"})
        self.assertEqual(self.kinds(), {"content"})


class RepairTests(FolderTests):
    """What a repair must not do, and what it can be asked for."""

    def test_what_was_counted_twice_is_repaired_at_once(self):
        self.execute(
            "delete from message where uid in (3, 4)",
            "update mailbox set uidnext = 9, modseq = 1",
            "update message set size = 7, flags = 999 << 5",
        )
        self.verify(repair=True)
        self.assertEqual(self.kinds(), {"unreferenced-item"})

    def test_a_file_stays_that_may_have_the_octets_of_a_lost_row(self):
        self.execute("delete from blob where data is null")
        self.assertEqual(self.kinds(repair=True), {"no-blob", "orphan-file"})
        self.assertTrue(os.path.exists(self.large_file()))

    def test_a_new_file_waits_for_its_row(self):
        path = f"{self.path}/blobs/ff/{'ff' * 32}"
        write_file(path, b"")
        os.chmod(path, 0o600)
        self.assertEqual(verify(self.path, Wish()).counts, {})
        self.assertEqual(self.kinds(), {"orphan-file"})

    def test_clients_hear_of_what_a_repair_has_changed(self):
        [[before]] = self.query("select max(modseq) from account")
        self.execute(
            "insert into vanished select account_id, mailbox_id, modseq, 13, 14"
            " from mailbox where name = 'INBOX'"
        )
        self.verify(repair=True)
        told = self.query(
            f"select uid from message where modseq > {before} and uid in (13, 14)"
        )
        self.assertEqual(len(told), 2)

    def test_what_is_in_no_mailbox_is_rescued_for_whom_it_is_asked(self):
        self.execute(
            "create temp table gone as select item_id from message where uid in (1, 4)",
            "delete from message where item_id in gone",
            "delete from item where item_id in (select item_id from gone limit 2)",
        )
        lost = {"unreferenced-item", "unreferenced-blob"}
        self.assertLessEqual(lost, self.kinds())
        self.verify(repair=True, rescue=BOB)
        self.assertEqual(self.kinds(), set())
        [[messages]] = self.query("select messages from mailbox where name = 'Rescued'")
        self.assertGreaterEqual(messages, 4)

    async def test_what_is_in_the_queue_for_nobody_is_rescued_as_well(self):
        self.execute(
            "delete from queue_recipient where message_id in (select message_id"
            " from queue_message where queue_id in ('Held', 'Both', 'File'))"
        )
        self.assertEqual(self.kinds(), {"queue-recipient"})
        self.verify(repair=True, rescue=BOB)
        self.assertEqual(self.kinds(), set())
        store = make_store(self.path)
        await store.start()
        rescued = await (await store.open_account(BOB)).open("Rescued")
        rows = await rescued.fetch([1, 2, 3], (Column.CONTENT,))
        found = [await octets_of(content) for _, content in rows]
        for _, content in rows:
            content.close()
        await store.stop()
        self.assertEqual(
            found,
            [
                b"Received: by us\r\n" + data
                for data in (message("both"), message("held"), LARGE + b"queued\r\n")
            ],
        )

    def test_a_repair_leaves_a_store_that_works(self):
        self.execute("delete from message where uid = 4", "delete from flag_change")
        self.verify(repair=True, rescue=ALICE)

        async def work() -> None:
            store = make_store(self.path)
            await store.start()
            account = await store.open_account(ALICE)
            await account.append("Rescued", [(BytesContent(b"x"), frozenset(), 1)])
            await store.stop()

        done = Deferred.fromCoroutine(work())
        return done.addCallback(lambda _: self.assertEqual(self.found(), []))


class OwnerTests(FolderTests):
    """Who owns a message whose octets are lost decides what becomes of it."""

    async def test_it_is_listed_and_can_be_deleted(self):
        self.execute(
            "delete from blob where data not null",
            "delete from item where item_id in (select item_id from message"
            " where account_id = 1 and uid = 2)",
        )
        os.remove(self.large_file())
        self.assertEqual(self.kinds(), {"no-blob", "no-item", "no-file"})
        store = make_store(self.path)
        await store.start()
        for address in (ALICE, BOB):
            account = await store.open_account(address)
            for info in await account.mailboxes():
                if info.exists:
                    mailbox = await account.open(info.name)
                    uids = (await mailbox.changes(0)).entries.uids
                    await mailbox.fetch(uids, (Column.ENVELOPE,))
                    await mailbox.expunge(uids, deleted_only=False)
        await store.queue.alter(ALL, Alteration(delete=True), SENT_AT)
        await store.stop()
        with closing(schema.connect(database_of(self.path))) as connection:
            files = BlobFiles(f"{self.path}/blobs", self.path)
            purge.purge(connection, files, now=2**33)
        self.assertEqual(self.found(), [])


class ReadingTests(FolderTests):
    """Without a repair nothing is written, wherever the store lies."""

    def assert_untouched(self) -> None:
        before = picture(self.path)
        self.assertEqual(self.verify().counts, {})
        self.assertEqual(picture(self.path), before)

    def test_a_copy_stays_as_it_is(self):
        self.assert_untouched()

    def test_a_copy_with_damage_stays_as_it_is(self):
        self.execute("update mailbox set unseen = 50", )
        before = picture(self.path)
        self.assertEqual(self.kinds(), {"counter"})
        self.assertEqual(picture(self.path), before)

    def test_a_log_is_read_and_stays(self):
        """A crash leaves the log, and what it says counts."""
        other = f"{self.path}-copy"
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            connection.execute("update mailbox set unseen = 50")
            connection.commit()
            shutil.copytree(self.path, other)
        self.path = other
        self.addCleanup(shutil.rmtree, other)
        os.remove(f"{database_of(other)}-shm")
        log = read_file(f"{database_of(other)}-wal")
        database = read_file(database_of(other))
        self.assertEqual(self.kinds(), {"counter"})
        self.assertEqual(read_file(f"{database_of(other)}-wal"), log)
        self.assertEqual(read_file(database_of(other)), database)

    def test_a_store_that_is_opened_meanwhile_is_read_on(self):
        others = []

        def tell(name: str, done: int, pieces: int) -> None:
            if not others:
                other = sqlite3.connect(database_of(self.path))
                self.addCleanup(other.close)
                other.execute("update mailbox set unseen = 50")
                other.commit()
                others.append(other)

        report = verify(self.path, Wish(), tell=tell)
        self.assertEqual({kind.value for kind in report.counts}, {"counter"})

    def test_what_seems_damaged_while_somebody_begins_to_write_is_read_again(self):
        look, others = Mailboxes.look, []

        def look_once(topic, view, scope):
            if not others:
                other = sqlite3.connect(database_of(self.path))
                self.addCleanup(other.close)
                other.execute("update mailbox set unseen = unseen")
                other.commit()
                others.append(other)
                raise sqlite3.DatabaseError("database disk image is malformed")
            return look(topic, view, scope)

        self.patch(Mailboxes, "look", look_once)
        self.assertEqual(self.found(), [])
        self.assertEqual(len(others), 1)

    def test_a_store_that_is_none_is_refused(self):
        with self.assertRaises(NotPermitted):
            verify(f"{self.path}/run", Wish())
        write_file(database_of(self.path), b"no database" * 100)
        error = self.assertRaises(NotPermitted, verify, self.path, Wish())
        self.assertIn("is not a mail store", str(error))

    def test_a_newer_or_older_store_is_refused(self):
        self.execute(f"pragma user_version={schema.VERSION + 1}")
        error = self.assertRaises(NotPermitted, verify, self.path, Wish())
        self.assertIn("use the newer program", str(error))
        self.execute(f"pragma user_version={schema.VERSION}")
        self.patch(schema, "VERSION", schema.VERSION + 1)
        error = self.assertRaises(NotPermitted, verify, self.path, Wish())
        self.assertIn("start the server once", str(error))


class RunningTests(SQLiteFixture, TestCase):
    """Beside a server at work nothing is said that is not so."""

    async def test_no_finding_comes_from_what_happens_meanwhile(self):
        working, refused = True, []
        bob = await self.store.directory.add_account(BOB, "", 400_000)
        both = Target(self.alice.account_id), Target(bob.account_id)

        async def deliver_or_not(new: Delivery) -> None:
            try:
                await self.store.deliver(new)
            except OverQuota:
                refused.append(new)

        async def deliver() -> None:
            number = 0
            while working:
                number += 1
                data = message(f"{number}") if number % 5 else LARGE + b"%d" % number
                new = Delivery(BytesContent(data), b"", both[: number % 2 + 1], SENT_AT)
                await deliver_or_not(new)

        async def change() -> None:
            account = await self.account()
            await account.create("Other")
            flags = frozenset({SEEN, "$a"})
            inbox = await account.open(INBOX)
            while working:
                uids = list((await inbox.changes(0)).entries.uids)[-40:]
                await inbox.set_flags(uids[::2], FlagChange.ADD, flags)
                await inbox.copy(uids[::3], "Other")
                await inbox.move(uids[1::7], "Other")
                await inbox.expunge(uids[2::5], deleted_only=False)
                await account.rename("Other", "Another")
                await account.delete("Another")
                await account.create("Other")

        work = [Deferred.fromCoroutine(each()) for each in (deliver, change)]
        found = []
        for _ in range(4):
            report = await deferToThread(verify, self.path, Wish())
            found += [str(each) for each in report.listed]
        working = False
        await gatherResults(work)
        self.assertEqual(found, [])
        report = await deferToThread(verify, self.path, Wish(repair=True))
        self.assertEqual(report.counts, {})

    async def test_a_repair_beside_a_server_is_seen_by_it(self):
        await self.deliver()
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            connection.execute("update mailbox set messages = 7 where name = 'INBOX'")
            connection.commit()
        await deferToThread(verify, self.path, Wish(repair=True))
        status = await (await self.account()).status(INBOX)
        self.assertEqual(status.messages, 1)


class WindowTests(FolderTests):
    """References are counted for some numbers at a time."""

    def test_it_does_not_matter_how_many_that_are(self):
        self.execute(
            "update shared_item set extra = extra + 1", "delete from shared_blob"
        )
        expected = sorted(self.found())
        self.assertGreater(len(expected), 5)
        for window in (1, 2, 7, 1000):
            self.patch(references, "WINDOW", window)
            self.assertEqual(sorted(self.found()), expected)

    def test_it_does_not_matter_how_many_messages_are_looked_at_together(self):
        self.execute("update item set envelope = x'00' where item_id % 3")
        expected = sorted(self.found())
        for octets in (1, 1000):
            self.patch(contents, "SLICE", octets)
            self.assertEqual(sorted(self.found()), expected)
        self.patch(contents, "_STEP", 1)
        self.assertEqual(sorted(self.found(account=ALICE)), sorted(
            line for line in expected if ALICE in line
        ))
