from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.mailbox import Changes, Column, Entries
from mailhub.pop3 import maildrop as maildrop_module
from mailhub.pop3.maildrop import Maildrop
from mailhub.pop3.replies import DeletedMessage, MessageGone, NoSuchMessage

from .fixture import now


class FakeContent:
    def __init__(self, uid: int) -> None:
        self.uid = uid
        self.closed = False

    def close(self) -> None:
        self.closed = True


class FakeMailbox:
    """Messages with the UIDs 10, 20, ... of given sizes."""

    uidvalidity = 77
    read_only = False

    def __init__(self, *sizes: int) -> None:
        self.sizes = {10 * (at + 1): size for at, size in enumerate(sizes)}
        self.fetched: list[tuple[list[int], Column]] = []
        self.expunged: list[tuple[list[int], bool]] = []
        self.contents: list[FakeContent] = []

    async def changes(self, since: int) -> Changes:
        uids = array("I", self.sizes)
        flags = [frozenset[str]()] * len(uids)
        return Changes(1, Entries(uids, array("Q", uids), flags), [])

    async def fetch(
        self, uids: Sequence[int], columns: tuple[Column, ...]
    ) -> list[tuple[Any, ...]]:
        [column] = columns
        self.fetched.append((list(uids), column))
        return [(uid, self.value(uid, column)) for uid in uids if uid in self.sizes]

    def value(self, uid: int, column: Column) -> Any:
        if column is Column.SIZE:
            return self.sizes[uid]
        if column is Column.HEADER:
            return b"header %d" % uid
        self.contents.append(FakeContent(uid))
        return self.contents[-1]

    async def expunge(
        self, uids: Sequence[int], deleted_only: bool = True
    ) -> list[int]:
        self.expunged.append((list(uids), deleted_only))
        return list(uids)


def load(*sizes: int) -> tuple[Maildrop, FakeMailbox]:
    mailbox = FakeMailbox(*sizes)
    maildrop = now(Maildrop.load(mailbox))
    mailbox.fetched.clear()
    return maildrop, mailbox


class Snapshot(SynchronousTestCase):
    """RFC 1939, section 5."""

    def test_counts_leave_out_what_is_marked(self) -> None:
        maildrop, _ = load(100, 200, 300)
        self.assertEqual((maildrop.count, maildrop.octets), (3, 600))
        maildrop.deleted.add(1)
        self.assertEqual((maildrop.count, maildrop.octets), (2, 400))
        self.assertEqual(maildrop.scan_lines(0, 9), [b"1 100", b"3 300"])
        self.assertEqual(maildrop.id_lines(0, 9), [b"1 77.10", b"3 77.30"])

    def test_lines_come_in_slices(self) -> None:
        maildrop, _ = load(100, 200, 300)
        self.assertEqual(maildrop.scan_lines(1, 2), [b"2 200"])
        self.assertEqual(maildrop.id_lines(2, 4), [b"3 77.30"])

    def test_numbers_that_are_there_and_those_that_are_not(self) -> None:
        maildrop, _ = load(100, 200)
        self.assertEqual(maildrop.find(2), 1)
        for number in (0, 3, 9_999_999_999):
            self.assertRaises(NoSuchMessage, maildrop.find, number)
        maildrop.deleted.add(1)
        self.assertRaises(DeletedMessage, maildrop.find, 2)

    def test_what_has_gone_while_loading_is_not_there(self) -> None:
        mailbox = FakeMailbox(100, 200, 300)
        entries = now(mailbox.changes(0))

        async def changes(since: int) -> Changes:
            return entries

        mailbox.changes = changes  # type: ignore[method-assign]
        del mailbox.sizes[20]
        maildrop = now(Maildrop.load(mailbox))
        self.assertEqual(list(maildrop.uids), [10, 30])

    def test_sizes_are_asked_for_in_portions(self) -> None:
        self.patch(maildrop_module, "SIZES_AT_A_TIME", 2)
        mailbox = FakeMailbox(1, 2, 3, 4, 5)
        now(Maildrop.load(mailbox))
        asked = [uids for uids, _ in mailbox.fetched]
        self.assertEqual(asked, [[10, 20], [30, 40], [50]])

    def test_deleting_is_one_call_at_the_end(self) -> None:
        maildrop, mailbox = load(1, 2, 3)
        maildrop.deleted.update((2, 0))
        self.assertEqual(mailbox.expunged, [])
        now(maildrop.expunge())
        self.assertEqual(mailbox.expunged, [([10, 30], False)])

    def test_nothing_marked_is_no_call(self) -> None:
        maildrop, mailbox = load(1)
        now(maildrop.expunge())
        self.assertEqual(mailbox.expunged, [])


class ReadingAhead(SynchronousTestCase):
    """A client that takes one message after the other costs few look-ups."""

    def take(self, maildrop: Maildrop, *indexes: int, eager: bool = False) -> None:
        for index in indexes:
            content: Any = now(maildrop.content(index, eager))
            self.assertEqual(content.uid, maildrop.uids[index])

    def test_the_second_in_order_brings_those_that_follow(self) -> None:
        maildrop, mailbox = load(*[100] * 200)
        self.take(maildrop, *range(200))
        asked = [len(uids) for uids, _ in mailbox.fetched]
        self.assertEqual(asked, [1, 64, 64, 64, 7])

    def test_pipelined_commands_do_so_at_once(self) -> None:
        maildrop, mailbox = load(*[100] * 64)
        self.take(maildrop, *range(64), eager=True)
        self.assertEqual(len(mailbox.fetched), 1)

    def test_a_look_at_one_message_fetches_one(self) -> None:
        maildrop, mailbox = load(*[100] * 9)
        self.take(maildrop, 5, 2, 7)
        self.assertEqual([uids for uids, _ in mailbox.fetched], [[60], [30], [80]])

    def test_octets_ahead_are_bounded(self) -> None:
        half = maildrop_module.AHEAD_OCTETS // 2
        maildrop, mailbox = load(half, half, 1, half, half, 1)
        self.take(maildrop, *range(6), eager=True)
        asked = [uids for uids, _ in mailbox.fetched]
        self.assertEqual(asked, [[10, 20], [30, 40], [50, 60]])

    def test_those_read_bit_by_bit_count_nothing(self) -> None:
        most = maildrop_module.HELD_OCTETS
        for size, expected in ((most, [2, 1]), (most + 1, [3])):
            maildrop, mailbox = load(most, size, most)
            self.take(maildrop, 0, 1, 2, eager=True)
            asked = [len(uids) for uids, _ in mailbox.fetched]
            self.assertEqual(asked, expected)

    def test_messages_ahead_are_bounded(self) -> None:
        most = maildrop_module.AHEAD_MESSAGES
        for count, expected in ((most, [most]), (most + 1, [most, 1])):
            maildrop, mailbox = load(*[1] * count)
            self.take(maildrop, *range(count), eager=True)
            asked = [len(uids) for uids, _ in mailbox.fetched]
            self.assertEqual(asked, expected)

    def test_octets_ahead_may_be_exactly_the_limit(self) -> None:
        quarter = maildrop_module.AHEAD_OCTETS // 4
        for extra, expected in ((0, [4]), (1, [3, 1])):
            maildrop, mailbox = load(quarter, quarter, quarter, quarter + extra)
            self.take(maildrop, 0, 1, 2, 3, eager=True)
            asked = [len(uids) for uids, _ in mailbox.fetched]
            self.assertEqual(asked, expected)

    def test_what_is_marked_is_not_fetched_ahead(self) -> None:
        maildrop, mailbox = load(*[100] * 4)
        maildrop.deleted.add(1)
        self.take(maildrop, 0, eager=True)
        self.assertEqual(mailbox.fetched[0][0], [10, 30, 40])

    def test_what_nobody_took_is_closed(self) -> None:
        maildrop, mailbox = load(*[100] * 4)
        self.take(maildrop, 0, eager=True)
        maildrop.close()
        closed = [content.closed for content in mailbox.contents]
        self.assertEqual(closed, [False, True, True, True])

    def test_a_jump_closes_what_was_ahead(self) -> None:
        maildrop, mailbox = load(*[100] * 200)
        self.take(maildrop, 0, eager=True)
        self.take(maildrop, 150)
        self.assertEqual(sum(content.closed for content in mailbox.contents), 63)

    def test_headers_and_contents_do_not_disturb_each_other(self) -> None:
        maildrop, mailbox = load(*[100] * 60)
        for index in range(60):
            header = now(maildrop.header(index, False))
            self.assertEqual(header, b"header %d" % maildrop.uids[index])
            self.take(maildrop, index)
        self.assertEqual(len(mailbox.fetched), 4)

    def test_a_message_that_has_gone_is_told(self) -> None:
        maildrop, mailbox = load(100, 100)
        del mailbox.sizes[20]
        with self.assertRaises(MessageGone):
            now(maildrop.content(1, False))
