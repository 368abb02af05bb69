"""The contract of a backend: octets come back as they were."""

from __future__ import annotations

from hashlib import sha256

from mailhub.mail.mailbox import Column
from mailhub.mail.mime import load
from mailhub.mail.summary import summarise
from mailhub.store.content import octets_of

from .fixture import SENT_AT, StoreFixture, message

#: Messages that a store could be tempted to touch.
ODD_MESSAGES = {
    "nothing": b"",
    "a line break": b"\r\n",
    "no header": b"\r\njust a body\r\n",
    "no body": b"Subject: x\r\n",
    "no end of line": b"Subject: x\r\n\r\nhello",
    "bare LF": b"Subject: x\n\nhello\nworld\n",
    "bare CR": b"Subject: x\r\n\r\nhello\rworld\r\n",
    "8 bit": b"Subject: \xff\xfe\r\n\r\n" + bytes(range(1, 256)) + b"\r\n",
    "NUL": b"Subject: x\r\n\r\na\0b\r\n",
    "dots": b"Subject: x\r\n\r\n.\r\n..\r\n.x\r\n",
    "From line": b"Subject: x\r\n\r\nFrom here\r\n>From there\r\n",
    "Korean": message("한글", "안녕하세요\r\n"),
    "UTF-7": b"Subject: +AGE-\r\n\r\n+AGE-\r\n",
    "long line": b"X: " + b"a" * 100_000 + b"\r\n\r\n" + b"b" * 100_000,
    "broken MIME": b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x",
}
#: Around the size up to which a store may keep octets in its rows, and beyond.
SIZES = (65_535, 65_536, 65_537, 300_000, 5 * 1024 * 1024)
PREFIX = b"Return-Path: <bob@example.org>\r\nReceived: by test; today\r\n"


class ContentContract(StoreFixture):
    """``IMailbox.fetch``: content and what is prepared from it."""

    async def check(self, uid: int, data: bytes, name: str = "INBOX") -> None:
        """Message *uid* is exactly *data*, by all its columns that say so."""
        columns = (Column.CONTENT, Column.SIZE)
        [(_, content, size)] = await (await self.open(name)).fetch([uid], columns)
        self.assertTrue(await octets_of(content) == data, "other octets")
        self.assertEqual((size, content.size), (len(data), len(data)))
        self.assertEqual(content.digest, sha256(data).digest())
        content.close()

    async def test_appended_octets_come_back_as_they_were(self):
        for data in ODD_MESSAGES.values():
            [uid] = (await self.append(data)).new_uids
            await self.check(uid, data)

    async def test_delivered_octets_come_back_as_they_were(self):
        for uid, data in enumerate(ODD_MESSAGES.values(), 1):
            await self.deliver(data, prefix=PREFIX)
            await self.check(uid, PREFIX + data)

    async def test_sizes_around_every_threshold_come_back_as_they_were(self):
        for number, size in enumerate(SIZES):
            data = pattern(size)
            await self.append(data)
            await self.check(2 * number + 1, data)
            await self.deliver(data, prefix=PREFIX)
            await self.check(2 * number + 2, PREFIX + data)

    async def test_one_content_many_times_is_many_messages(self):
        data = pattern(200_000)
        for number in range(3):
            await self.deliver(data, prefix=b"X-Number: %d\r\n" % number)
        await self.append(data, data)
        inbox = await self.open()
        await inbox.expunge([1, 4], deleted_only=False)
        for uid, prefix in ((2, b"X-Number: 1\r\n"), (3, b"X-Number: 2\r\n"), (5, b"")):
            await self.check(uid, prefix + data)

    async def test_fetch_gives_the_columns_asked_for_in_their_order(self):
        await self.append(message("1"), message("2"), message("3"))
        inbox = await self.open()
        rows = await inbox.fetch([1, 3], (Column.SIZE, Column.INTERNAL_DATE))
        size = len(message("1"))
        self.assertEqual(rows, [(1, size, SENT_AT), (3, size, SENT_AT)])
        rows = await inbox.fetch([3], (Column.INTERNAL_DATE, Column.SIZE))
        self.assertEqual(rows, [(3, SENT_AT, size)])
        self.assertEqual(await inbox.fetch([2], ()), [(2,)])
        self.assertEqual(await inbox.fetch([], (Column.SIZE,)), [])

    async def test_messages_that_have_gone_are_left_out(self):
        await self.append(message("1"), message("2"), message("3"))
        inbox = await self.open()
        await inbox.expunge([2], deleted_only=False)
        rows = await inbox.fetch([1, 2, 3, 4, 4_000_000_000], (Column.CONTENT,))
        self.assertEqual([row[0] for row in rows], [1, 3])

    async def test_a_thousand_are_fetched_at_once(self):
        await self.append(*[message(str(number)) for number in range(1, 1001)])
        inbox = await self.open()
        rows = await inbox.fetch(range(1, 1001), (Column.SIZE, Column.HEADER))
        self.assertEqual([row[0] for row in rows], list(range(1, 1001)))
        self.assertIn(b"Subject: 777\r\n", rows[776][2])

    async def test_prepared_columns_are_those_of_the_summary(self):
        columns = (
            Column.ENVELOPE,
            Column.BODYSTRUCTURE,
            Column.BODY,
            Column.HEADER,
            Column.PARTS,
        )
        for data in ODD_MESSAGES.values():
            await self.append(data)
            await self.deliver(data, prefix=PREFIX)
            uid = (await (await self.open()).status()).uidnext
            for place, prefix in ((uid - 2, b""), (uid - 1, PREFIX)):
                summary = summarise(prefix, data)
                [row] = await (await self.open()).fetch([place], columns)
                self.assertEqual(
                    row,
                    (
                        place,
                        summary.envelope,
                        summary.bodystructure,
                        summary.body,
                        summary.header,
                        load(summary.parts),
                    ),
                )

    async def test_the_header_ends_with_its_empty_line(self):
        big = message() + b"x" * 100_000
        cases = {
            message(): message().partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
            big: message().partition(b"\r\n\r\n")[0] + b"\r\n\r\n",
            b"Subject: x\n\nbody\n": b"Subject: x\n\n",
            b"\r\nbody\r\n": b"\r\n",
            b"Subject: x\r\n": b"Subject: x\r\n",
            b"": b"",
        }
        for data, header in cases.items():
            [uid] = (await self.append(data)).new_uids
            rows = await (await self.open()).fetch([uid], (Column.HEADER,))
            self.assertEqual(rows, [(uid, header)])

    async def test_the_internal_date_may_be_any_second(self):
        for date in (0, 1, 2**31 - 1, 2**31, 2**33):
            [uid] = (await self.append(message(), date=date)).new_uids
            rows = await (await self.open()).fetch([uid], (Column.INTERNAL_DATE,))
            self.assertEqual(rows, [(uid, date)])


def pattern(size: int) -> bytes:
    """A message of *size* octets that no two offsets of can be confused."""
    head = b"Subject: pattern\r\n\r\n"
    lines = b"".join(b"%014d\r\n" % number for number in range(size // 16 + 1))
    return (head + lines)[:size]
