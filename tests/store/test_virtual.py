"""Tests for :mod:`mailhub.store.virtual`."""

from __future__ import annotations

from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from mailhub.errors import NoSuchMailbox, NotPermitted, ReadOnlyMailbox
from mailhub.interfaces import IMailAccount, IMailbox
from mailhub.mail.flags import FlagChange
from mailhub.mail.mailbox import Column
from mailhub.mail.query import And, HasFlag, Header, UidSet
from mailhub.store.content import octets_of
from mailhub.store.virtual import KEPT_BODIES, Item, VirtualAccount, VirtualMailbox

from ..contracts.fixture import fails, flags_of, message, names_of, uids_of

SEEN = frozenset(["\\Seen"])


class Notes(VirtualMailbox):
    """An application's notes by number; counts how often one is rendered."""

    def __init__(self, *subjects):
        super().__init__("Notes", uidvalidity=7)
        self.notes = dict(enumerate(subjects, 1))
        self.flags = {}
        self.rendered = 0

    async def items(self):
        return [
            Item(number, 1000 + number, self.flags.get(number, frozenset()))
            for number in reversed(self.notes)
        ]

    async def octets(self, uid):
        self.rendered += 1
        return message(self.notes[uid])


class VirtualMailboxTests(TestCase):
    """Two methods of an application make a whole ``IMailbox``."""

    async def test_it_is_a_mailbox_that_can_only_be_read(self):
        notes = Notes("one")
        verifyObject(IMailbox, notes)
        self.assertTrue(notes.read_only)
        for work in (
            notes.set_flags([1], FlagChange.ADD, SEEN),
            notes.expunge([1], deleted_only=False),
            notes.move([1], "INBOX"),
        ):
            await fails(ReadOnlyMailbox, work)
        await fails(NotPermitted, notes.copy([1], "INBOX"))

    async def test_it_shows_all_items_in_uid_order(self):
        notes = Notes("one", "two", "three")
        notes.flags[2] = SEEN
        changes = await notes.changes(0)
        self.assertEqual(flags_of(changes), {1: set(), 2: SEEN, 3: set()})
        self.assertEqual(uids_of(changes), [1, 2, 3])
        status = await notes.status()
        self.assertEqual((status.messages, status.unseen, status.uidnext), (3, 2, 4))
        self.assertEqual(status.uidvalidity, 7)
        sizes = sum(len(message(subject)) for subject in ("one", "two", "three"))
        self.assertEqual(status.size, sizes)

    async def test_it_gives_octets_sizes_and_dates(self):
        notes = Notes("one", "two")
        columns = (Column.INTERNAL_DATE, Column.SIZE, Column.CONTENT)
        [(uid, date, size, content)] = await notes.fetch([2, 9], columns)
        self.assertEqual((uid, date, size), (2, 1002, len(message("two"))))
        self.assertEqual(await octets_of(content), message("two"))

    async def test_what_the_application_does_are_changes(self):
        notes = Notes("one", "two", "three")
        known = (await notes.changes(0)).modseq
        del notes.notes[2]
        notes.notes[4] = "four"
        notes.flags[1] = SEEN
        changes = await notes.changes(known)
        self.assertEqual(flags_of(changes), {1: SEEN, 4: set()})
        self.assertEqual(changes.vanished, [2])
        again = await notes.changes(changes.modseq)
        self.assertEqual((uids_of(again), again.vanished), ([], []))
        self.assertEqual(again.modseq, changes.modseq)

    async def test_a_uid_counts_on_when_the_last_message_goes(self):
        notes = Notes("one", "two")
        await notes.changes(0)
        notes.notes.clear()
        self.assertEqual((await notes.status()).uidnext, 3)
        self.assertEqual(await notes.claim_recent(), 3)

    async def test_watchers_are_called_when_the_application_says_so(self):
        notes, calls = Notes(), []
        end = notes.watch(lambda: calls.append(1))
        notes.changed()
        end()
        notes.changed()
        self.assertEqual(calls, [1])

    async def test_a_search_reads_only_what_it_has_to(self):
        notes = Notes("red apple", "red pear", "green apple")
        notes.flags[3] = SEEN
        for query, uids, rendered in (
            (HasFlag("\\Seen"), [3], 0),
            (And((Header("Subject", "red"), UidSet(((2, 3),)))), [2], 2),
            (Header("Subject", "apple"), [1, 3], 3),
        ):
            self.assertEqual(await notes.search(query), uids)
            self.assertEqual(notes.rendered, rendered)

    async def test_a_message_that_goes_while_it_is_read_is_left_out(self):
        notes = Notes("one", "two")
        await notes.changes(0)
        del notes.notes[1]
        rows = await notes.fetch([1, 2], (Column.SIZE,))
        self.assertEqual([row[0] for row in rows], [2])

    async def test_a_message_is_rendered_once_while_it_is_in_use(self):
        notes = Notes("one")
        await notes.changes(0)
        for _ in range(3):
            await notes.fetch([1], (Column.HEADER, Column.SIZE))
        await notes.status()
        self.assertEqual(notes.rendered, 1)

    async def test_a_large_mailbox_does_not_stay_in_memory(self):
        notes = Notes(*[str(number) for number in range(KEPT_BODIES + 1)])
        await notes.status()
        rendered = notes.rendered
        await notes.status()
        self.assertEqual(notes.rendered, rendered)
        await notes.fetch([KEPT_BODIES + 1], (Column.SIZE,))
        self.assertEqual(notes.rendered, rendered)
        await notes.fetch([1], (Column.SIZE,))
        self.assertEqual(notes.rendered, rendered + 1)

    async def test_without_methods_it_is_empty(self):
        empty = VirtualMailbox()
        self.assertEqual((await empty.status()).messages, 0)
        self.assertEqual(await empty.fetch([1], (Column.SIZE,)), [])


class VirtualAccountTests(TestCase):
    """``IMailAccount`` of such mailboxes."""

    async def test_it_lists_and_opens_its_mailboxes_and_an_inbox(self):
        account = VirtualAccount("ann", [Notes("one")])
        verifyObject(IMailAccount, account)
        self.assertEqual(names_of(await account.mailboxes()), ["INBOX", "Notes"])
        self.assertEqual((await account.status("Notes")).messages, 1)
        self.assertEqual((await account.status("INBOX")).messages, 0)
        self.assertTrue((await account.open("Notes")).read_only)
        await fails(NoSuchMailbox, account.open("Drafts"))

    async def test_an_inbox_of_the_application_s_takes_the_place(self):
        notes = Notes("one")
        notes.name = "INBOX"
        account = VirtualAccount("ann", [notes])
        self.assertEqual((await account.status("INBOX")).messages, 1)

    async def test_nothing_can_be_changed(self):
        account = VirtualAccount("ann", [Notes("one")])
        for work in (
            account.create("new"),
            account.delete("Notes"),
            account.rename("Notes", "new"),
            account.unsubscribe("Notes"),
            account.append("Notes", []),
        ):
            await fails(NotPermitted, work)
        await account.subscribe("Notes")
        release = await account.lock_maildrop()
        release()
        account.logout()
