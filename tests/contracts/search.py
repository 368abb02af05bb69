"""The contract of a backend: search is always right."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, date, datetime
from quopri import encodestring

from mailhub.mail.flags import FlagChange
from mailhub.mail.query import (
    All,
    And,
    Body,
    HasFlag,
    Header,
    InternalDate,
    Larger,
    Not,
    Or,
    SentDate,
    Smaller,
    Text,
    UidSet,
    When,
)

from .fixture import StoreFixture, message

KOREAN = "대한민국 만세"


def mixed_korean() -> bytes:
    """A header in encoded words and three parts in three charsets."""
    subject = b64encode("회의 자료입니다".encode("euc-kr")).decode()
    quoted = encodestring(KOREAN.encode()).decode().replace("\n", "\r\n")
    coded = b64encode("오늘 저녁에 만나요".encode("euc-kr")).decode()
    return (
        f"From: =?utf-8?b?{b64encode('홍길동'.encode()).decode()}?= <h@example.kr>\r\n"
        f"To: alice@example.org\r\nSubject: =?euc-kr?B?{subject}?=\r\n"
        "Date: Mon, 2 Nov 2026 23:30:00 -0500\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n'
        "--b\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: quoted-printable\r\n\r\n{quoted}\r\n"
        "--b\r\nContent-Type: text/plain; charset=euc-kr\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{coded}\r\n"
        "--b\r\nContent-Type: message/rfc822\r\n\r\n"
        "Subject: inner subject\r\n\r\ninner body\r\n--b--\r\n"
    ).encode()


def day_at(year: int, month: int, day: int, hour: int = 12) -> int:
    """Seconds since the epoch."""
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


class SearchContract(StoreFixture):
    """``IMailbox.search``; RFC 3501, section 6.4.4."""

    async def find(self, query, name="INBOX"):
        """UIDs in a mailbox of Alice's."""
        return await (await self.open(name)).search(query)

    async def expect(self, *cases):
        """Each case is a query and the UIDs it finds."""
        for query, uids in cases:
            self.assertEqual((query, await self.find(query)), (query, uids))

    async def test_an_empty_mailbox_has_no_hits(self):
        await self.expect((All(), []), (Text("x"), []), (Not(Text("x")), []))

    async def test_all_and_or_and_not_combine(self):
        await self.append(message("red apple"), message("red pear"), message("green"))
        red, apple = Header("Subject", "red"), Header("Subject", "apple")
        await self.expect(
            (All(), [1, 2, 3]),
            (And(()), [1, 2, 3]),
            (Or(()), []),
            (Not(All()), []),
            (And((red, apple)), [1]),
            (And((red, Not(apple))), [2]),
            (Or((apple, Header("Subject", "green"))), [1, 3]),
            (Not(Or((red, apple))), [3]),
            (Not(Not(red)), [1, 2]),
            (And((Or((apple, red)), UidSet(((2, 9),)))), [2]),
        )

    async def test_flags_and_keywords_are_found(self):
        await self.append(message("1"), flags=frozenset(["\\Seen", "$Work"]))
        await self.append(message("2"), message("3"))
        inbox = await self.open()
        await inbox.set_flags([3], FlagChange.ADD, frozenset(["$WORK", "\\Deleted"]))
        await self.expect(
            (HasFlag("\\Seen"), [1]),
            (Not(HasFlag("\\Seen")), [2, 3]),
            (HasFlag("$work"), [1, 3]),
            (HasFlag("$Work"), [1, 3]),
            (HasFlag("\\Deleted"), [3]),
            (HasFlag("unknown"), []),
        )

    async def test_uids_are_chosen_by_ranges(self):
        await self.append(*[message(str(number)) for number in range(1, 7)])
        await (await self.open()).expunge([4], deleted_only=False)
        await self.expect(
            (UidSet(((1, 1), (3, 5))), [1, 3, 5]),
            (UidSet(((2, 2**32 - 1),)), [2, 3, 5, 6]),
            (UidSet(((4, 4), (9, 99))), []),
            (UidSet(()), []),
            (Not(UidSet(((2, 5),))), [1, 6]),
        )

    async def test_sizes_compare_strictly(self):
        data = message()
        await self.append(data, data + b"x", data + b"xy")
        size = len(data) + 1
        await self.expect(
            (Larger(size), [3]),
            (Smaller(size), [1]),
            (Not(Larger(size)), [1, 2]),
            (Larger(0), [1, 2, 3]),
            (Smaller(2**63), [1, 2, 3]),
        )

    async def test_internal_dates_compare_by_day(self):
        for at in (
            day_at(2026, 11, 1, 23),
            day_at(2026, 11, 2, 0),
            day_at(2026, 11, 2, 23),
            day_at(2026, 11, 3, 0),
        ):
            await self.append(message(), date=at)
        day = date(2026, 11, 2)
        await self.expect(
            (InternalDate(When.BEFORE, day), [1]),
            (InternalDate(When.ON, day), [2, 3]),
            (InternalDate(When.SINCE, day), [2, 3, 4]),
            (InternalDate(When.SINCE, date(1, 1, 1)), [1, 2, 3, 4]),
            (InternalDate(When.BEFORE, date(9999, 12, 31)), [1, 2, 3, 4]),
        )

    async def test_sent_dates_compare_by_day_without_their_timezone(self):
        """"disregarding time and timezone": the day the header names."""
        for text in (
            "Sun, 1 Nov 2026 23:59:59 -1200",
            "Mon, 2 Nov 2026 23:30:00 -0500",
            "2 Nov 2026 00:00 GMT",
            "Tue, 03 Nov 26 00:00:01 +1400",
            "yesterday",
        ):
            await self.append(f"Date: {text}\r\n\r\n".encode())
        await self.append(b"Subject: no date\r\n\r\n")
        day = date(2026, 11, 2)
        found = {
            when: await self.find(And((SentDate(when, day), UidSet(((1, 4),)))))
            for when in When
        }
        self.assertEqual(
            found, {When.BEFORE: [1], When.ON: [2, 3], When.SINCE: [2, 3, 4]}
        )

    async def test_header_fields_are_found_without_regard_to_case(self):
        await self.append(
            b"Subject: Hello World\r\nX-Tag: one\r\nX-Tag: two\r\n\r\nSubject: body",
            b"Subject: folded\r\n over lines\r\nTo: A <a@example.org>\r\n\r\n",
            b"Subject:\r\n\r\n",
        )
        await self.expect(
            (Header("Subject", "hello w"), [1]),
            (Header("SUBJECT", "WORLD"), [1]),
            (Header("x-tag", "two"), [1]),
            (Header("X-Tag", ""), [1]),
            (Header("subject", ""), [1, 2, 3]),
            (Header("Subject", "body"), []),
            (Header("Subject", "folded over"), [2]),
            (Header("To", "a@EXAMPLE"), [2]),
            (Header("Bcc", ""), []),
            (Header("Subj", ""), []),
        )

    async def test_encoded_headers_and_bodies_are_found_decoded(self):
        await self.append(message("hello"), mixed_korean(), message("한글", KOREAN))
        await self.expect(
            (Header("Subject", "회의 자료"), [2]),
            (Header("From", "홍길동"), [2]),
            (Header("Subject", "한글"), [3]),
            (Body("대한민국"), [2, 3]),
            (Body("오늘 저녁"), [2]),
            (Text("홍길동"), [2]),
            (Text("만나요"), [2]),
            (Body("홍길동"), []),
            (Body("없는 말"), []),
            (Not(Text("한")), [1]),
        )

    async def test_text_is_header_or_body_and_body_is_body_only(self):
        await self.append(
            message("apple", "pear\r\n"),
            message("pear", "apple\r\n"),
            message("plum", "Straße\r\n"),
        )
        await self.expect(
            (Text("APPLE"), [1, 2]),
            (Body("apple"), [2]),
            (Body("pear"), [1]),
            (Header("Subject", "apple"), [1]),
            (Body("straße"), [3]),
            (Text("subject: plum"), [3]),
        )

    async def test_text_within_an_attached_message_is_found(self):
        await self.append(mixed_korean())
        await self.expect((Body("inner body"), [1]), (Text("inner subject"), [1]))

    async def test_text_in_a_big_message_is_found_at_its_end(self):
        filler = "the quick brown fox\r\n" * 20_000
        await self.append(message("big", filler + "needle\r\n"), message("big", filler))
        await self.expect((Body("NEEDLE"), [1]), (Body("fox\r\nneedle"), [1]))

    async def test_hostile_text_is_text(self):
        await self.append(message("100% a_b [x] 'quoted' \"words\" back\\slash *"))
        for text in ("100%", "a_b", "[x]", "'quoted'", '"words"', "back\\slash", " *"):
            await self.expect((Header("Subject", text), [1]), (Text(text), [1]))
        for text in ("a%b", "a.b", "axb", "OR 1=1", "NEAR(a b)"):
            await self.expect((Header("Subject", text), []), (Text(text), []))

    async def test_odd_messages_do_not_stop_a_search(self):
        await self.append(
            b"",
            b"\r\n",
            b"Subject: =?utf-8?b?====?=\r\n\r\n\xff\xfe",
            b"Content-Type: text/plain; charset=klingon\r\n\r\nneedle\xff\r\n",
            b"Content-Transfer-Encoding: base64\r\n\r\n!!!!",
            b"Content-Type: multipart/mixed\r\n\r\n--\r\n",
            message("needle"),
        )
        await self.expect((Text("needle"), [4, 7]))

    async def test_a_search_sees_what_other_sessions_did(self):
        await self.append(message("1"), message("2"))
        inbox, other = await self.open(), await self.open()
        await other.set_flags([1], FlagChange.ADD, frozenset(["\\Flagged"]))
        self.assertEqual(await inbox.search(HasFlag("\\Flagged")), [1])
        await other.move([1], "Sent")
        await self.deliver(message("3"))
        self.assertEqual(await inbox.search(All()), [2, 3])
