"""Messages matched against queries: exactly, whatever their encodings."""

from __future__ import annotations

import datetime

from mailhub.mail import mime
from mailhub.mail.matching import Need, compile_query
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

from .candidates import PICTURE, MatchingCase, Message, WatchedBytes, encoded_word


class MetadataTests(MatchingCase):
    """RFC 3501, section 6.4.4: keys about flags, numbers and dates."""

    def test_flags(self) -> None:
        message = Message(b"", flags=frozenset({"\\Seen", "Todo"}))
        self.check(
            message,
            [HasFlag("\\Seen"), HasFlag("Todo"), HasFlag("TODO"), HasFlag("todo")],
            [HasFlag("\\Draft"), HasFlag("\\seen "), HasFlag("Tod"), HasFlag("x")],
        )

    def test_uids(self) -> None:
        message = Message(b"", uid=7)
        self.check(
            message,
            [UidSet(((7, 7),)), UidSet(((1, 9),)), UidSet(((1, 2), (5, 7), (9, 9)))],
            [UidSet(()), UidSet(((8, 9),)), UidSet(((1, 6), (8, 9), (11, 12)))],
        )

    def test_sizes(self) -> None:
        self.check(
            b"x" * 10,
            [Larger(9), Smaller(11)],
            [Larger(10), Smaller(10)],
        )

    def test_internal_dates_compare_by_utc_days(self) -> None:
        day = datetime.date(2026, 2, 1)
        start = 1769904000
        for moment, holding in [
            (start - 1, When.BEFORE),
            (start, When.ON),
            (start + 86399, When.ON),
            (start + 86400, When.SINCE),
        ]:
            message = Message(b"", internal_date=moment)
            for when in When:
                self.assertEqual(
                    self.found(InternalDate(when, day), message),
                    when is holding or (when is When.SINCE and moment >= start),
                )

    def test_dates_sent_compare_as_written(self) -> None:
        day = datetime.date(2026, 2, 1)
        for written, holding in [
            (b"31 Jan 2026 23:59:59 -1200", {When.BEFORE}),
            (b"Sun, 1 Feb 2026 00:00:00 +1200", {When.ON, When.SINCE}),
            (b"1 Feb 2026 23:59:59 -1200", {When.ON, When.SINCE}),
            (b"2 Feb 26 00:00 GMT", {When.SINCE}),
            (b"garbage", set()),
        ]:
            for when in When:
                self.assertEqual(
                    self.found(SentDate(when, day), b"Date: " + written + b"\r\n\r\n"),
                    when in holding,
                    (written, when),
                )

    def test_a_message_without_date_was_never_sent(self) -> None:
        for when in When:
            day = datetime.date(2026, 2, 1)
            self.assertFalse(self.found(SentDate(when, day), b"A: b\r\n\r\n"))

    def test_combinations(self) -> None:
        yes, no = All(), Not(All())
        self.check(
            b"",
            [
                yes, And(()), And((yes, yes)), Or((no, yes)), Not(no), Not(Or(())),
                And((yes, Or((no, And((yes,)))))), Not(And((yes, no))),
            ],
            [no, Or(()), And((yes, no)), Or((no, no)), Not(yes), Not(And(()))],
        )  # fmt: skip


class StageTests(MatchingCase):
    """Cheap terms come first, and what is not needed is not asked for."""

    def test_terms_are_grouped_by_what_they_need(self) -> None:
        query = And(
            (Body("x"), HasFlag("\\Seen"), And((Header("a", ""), Larger(1), All())))
        )
        stages = compile_query(query).stages
        self.assertEqual([stage.need for stage in stages], list(Need))
        self.assertEqual(compile_query(query).need, Need.CONTENT)

    def test_a_query_for_all_has_no_stages(self) -> None:
        for query in [All(), And(()), And((All(), And((All(),))))]:
            self.assertEqual(compile_query(query).stages, ())
            self.assertEqual(compile_query(query).need, Need.ENTRY)

    def test_an_alternative_needs_what_its_dearest_term_needs(self) -> None:
        for query, need in [
            (Or((HasFlag("a"), Header("b", "c"))), Need.HEADER),
            (Not(Text("x")), Need.CONTENT),
            (SentDate(When.ON, datetime.date(2026, 1, 1)), Need.ROW),
            (UidSet(()), Need.ENTRY),
            (Body(""), Need.ENTRY),
        ]:
            self.assertEqual(compile_query(query).need, need)

    def test_content_is_not_touched_where_flags_decide(self) -> None:
        class FlagsOnly:
            uid = 7
            flags = frozenset({"\\Seen"})

        message = FlagsOnly()
        for query, result in [
            (And((Text("x"), Not(HasFlag("\\Seen")))), False),
            (Or((Body("x"), HasFlag("\\Seen"))), True),
            (Not(Or((Header("x", "y"), UidSet(((7, 7),))))), False),
        ]:
            matcher = compile_query(query)
            self.assertEqual(matcher.match(message), result)  # type: ignore[arg-type]

    def test_what_is_no_text_is_not_read(self) -> None:
        octets = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n"
            b"--b\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n"
            b"\r\n" + PICTURE + b"--b--\r\n"
        )
        tree = mime.parse(octets)
        message = Message(WatchedBytes(octets), tree=tree)
        picture = tree.find((2,))
        self.assertFalse(self.found(Body("absent"), message))
        self.assertTrue(message.content.places)
        for place in message.content.places:
            self.assertLessEqual(place.stop, picture.body_start)


class HeaderTests(MatchingCase):
    """Keys about header fields, after RFC 2047 and RFC 2231."""

    def test_fields(self) -> None:
        message = (
            b"Received: one\r\nReceived: two\r\nX-Subject: other\r\n"
            b"SUBJECT :\r\n A Long\r\n\tsubject line\r\nEmpty:\r\n\r\n"
            b"Body-Field: inside\r\n"
        )
        self.check(
            message,
            [
                Header("received", "two"), Header("Subject", "a long subject LINE"),
                Header("subject", ""), Header("empty", ""),
                Header("X-Subject", "OTHER"),
            ],
            [
                Header("subject", "other"), Header("received", "onetwo"),
                Header("sub", ""), Header("body-field", ""), Header("x", "a"),
                Header("empty", "x"), Header("", "a"), Header("a b", ""),
                Header("a:b", ""), Header("Sübject", ""), Header("\ud800", ""),
                Header("subject", "한글"), Header(".*", ""),
            ],
        )  # fmt: skip

    def test_the_first_line_is_a_field_too(self) -> None:
        self.check(b"Subject: x", [Header("subject", "x")], [])

    def test_encoded_words_of_many_charsets(self) -> None:
        for text, charset in [
            ("안녕하세요 여러분", "EUC-KR"),
            ("안녕하세요 여러분", "ks_c_5601-1987"),
            ("日本語のテスト", "ISO-2022-JP"),
            ("日本語のテスト", "Shift_JIS"),
            ("Привет мир", "KOI8-R"),
            ("Привет мир", "windows-1251"),
            ("中文邮件", "GB2312"),
            ("中文郵件", "Big5"),
            ("Übergrößenträger", "ISO-8859-1"),
            ("아버지 😀", "UTF-8"),
        ]:
            for kind in "BQ":
                word = encoded_word(text.encode(charset), charset, kind)
                message = b"Subject: Re: " + word + b" (fwd)\r\n\r\n"
                part = text[2:5]
                self.check(
                    message,
                    [
                        Header("subject", text), Header("SUBJECT", part), Text(part),
                        Header("subject", text.swapcase()), Header("subject", "RE:"),
                        Header("subject", text + " (FWD"),
                    ],
                    [
                        Header("subject", "나비"), Header("to", text), Body(part),
                        Header("subject", charset), Text("?B?"), Text("?Q?"),
                    ],
                )  # fmt: skip

    def test_words_split_inside_a_character(self) -> None:
        for text, charset in [("한글 메일", "utf-8"), ("한글 메일", "euc-kr")]:
            octets = text.encode(charset)
            for at in range(1, len(octets)):
                for gap in [b" ", b"\r\n ", b"\r\n\t"]:
                    subject = gap.join(
                        encoded_word(piece, charset, kind)
                        for piece, kind in [(octets[:at], "B"), (octets[at:], "Q")]
                    )
                    message = b"Subject: " + subject + b"\r\n\r\n"
                    self.check(message, [Header("subject", text), Text(text)], [])

    def test_octets_that_are_not_encoded(self) -> None:
        self.check(
            "Subject: Grüße aus 서울\r\n\r\n".encode(),
            [Header("subject", "GRÜSSE"), Text("서울"), Text("subject: grü")],
            [Header("subject", "서울시")],
        )

    def test_parameters_in_pieces(self) -> None:
        message = (
            b"Content-Type: application/pdf;\r\n"
            b" name*0*=utf-8''%EC%97%B0%EA%B0%84%20%EB%B3;\r\n"
            b" name*1*=%B4%EA%B3%A0;\r\n name*2=.pdf\r\n"
            b"Content-Disposition: attachment; filename*=euc-kr''%C7%D1%B1%DB\r\n\r\n"
        )
        self.check(
            message,
            [
                Header("content-type", "연간 보고.pdf"), Text("연간 보고"),
                Header("content-disposition", "한글"), Text("한글"),
                Header("Content-Type", "application/pdf"),
            ],
            [Header("content-type", "한글"), Text("보고서"), Body("보고")],
        )  # fmt: skip

    def test_every_field_counts_for_text(self) -> None:
        message = b"X-Foo: bar\r\nFrom: A\r\n <a@b>\r\n\r\nbody"
        self.check(
            message,
            [Text("x-foo: BAR"), Text("a <A@b>"), Text("BODY"), Text("")],
            [Text("baz"), Body("bar")],
        )
