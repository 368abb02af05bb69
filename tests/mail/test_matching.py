"""Messages matched against queries: exactly, whatever their encodings."""

from __future__ import annotations

import base64
import datetime
import os
import quopri
from collections.abc import Iterator
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from mailhub.mail import mime
from mailhub.mail.dates import parse_day
from mailhub.mail.flags import NO_FLAGS, Flags
from mailhub.mail.headers import Fields, header_end
from mailhub.mail.matching import Need, compile_query
from mailhub.mail.needle import WINDOW, Needle, fold
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
    Query,
    SentDate,
    Smaller,
    Text,
    UidSet,
    When,
)

PICTURE = base64.encodebytes(bytes(range(256)) * 40).replace(b"\n", b"\r\n")


class WatchedBytes(bytes):
    """Octets that remember which of them were looked at."""

    def __init__(self, *_octets: bytes) -> None:
        self.places: list[slice] = []

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        self.places.append(place)
        return super().__getitem__(place)


class Message:
    """A message as a simple store would offer it."""

    def __init__(
        self, octets: bytes, *, uid: int = 7, flags: Flags = NO_FLAGS,
        internal_date: int = 0, tree: mime.Part | None = None,
    ) -> None:  # fmt: skip
        self.uid = uid
        self.flags = flags
        self.internal_date = internal_date
        self.size = len(octets)
        self.content = octets
        self.header = bytes(octets[: header_end(octets)])
        self._tree = tree

    @property
    def sent(self) -> int | None:
        value = Fields(self.header).first(b"date")
        return None if value is None else parse_day(value)

    @property
    def parts(self) -> mime.Part:
        if self._tree is not None:
            return self._tree
        return mime.load(mime.dump(mime.parse(self.content)))


def text_message(
    text: str, charset: str, codec: str | None = None, encoding: str = "8bit"
) -> bytes:
    """A message whose body is *text*, as declared."""
    octets = text.encode(codec or charset)
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets)
    return (
        f"Subject: plain\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def encoded_word(octets: bytes, charset: str, kind: str = "B") -> bytes:
    if kind == "B":
        text = base64.b64encode(octets).decode()
    else:
        text = "".join(f"={octet:02X}" for octet in octets)
    return f"=?{charset}?{kind}?{text}?=".encode()


class MatchingCase(SynchronousTestCase):
    """Asks queries of messages."""

    def found(self, query: Query, message: bytes | Message) -> bool:
        if isinstance(message, bytes):
            message = Message(message)
        return compile_query(query).match(message)

    def check(
        self, message: bytes | Message, there: list[Query], absent: list[Query]
    ) -> None:
        for query in there:
            self.assertTrue(self.found(query, message), query)
        for query in absent:
            self.assertFalse(self.found(query, message), query)


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


class FoldingTests(MatchingCase):
    """Texts that differ in case or in compatible characters are the same."""

    def test_pairs(self) -> None:
        for hay, needle in [
            ("Straße", "STRASSE"),
            ("ΟΔΟΣ", "οδος"),
            ("ПРИВЕТ", "привет"),
            ("Ｆｕｌｌ１", "full1"),
            ("cafe\u0301", "CAFÉ"),
            ("CAFÉ", "cafe\u0301"),
            ("ﾃｽﾄ", "テスト"),
            ("ﬁle", "FI"),
            ("\u212a", "k"),
            ("하\u11abᄀ\u1173ᆯ", "한글"),
        ]:
            self.assertIn(fold(needle), fold(hay))
            self.check(text_message(hay, "utf-8"), [Body(needle)], [])

    def test_a_syllable_is_not_the_beginning_of_another(self) -> None:
        self.check(text_message("사관학교", "utf-8"), [Body("사관")], [Body("사과")])

    def test_an_accent_makes_another_letter(self) -> None:
        self.check(text_message("café", "utf-8"), [Body("CAFÉ")], [Body("cafe")])

    def test_long_texts_are_folded_piece_by_piece(self) -> None:
        for filler in ["가", "가 ", "\ufdfa", "e\u0301"]:
            text = filler * (3 * WINDOW // len(filler))
            for at in [0, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW + 1500, len(text)]:
                hay = text[:at] + "하\u11ab글 나비" + text[at:]
                self.assertTrue(Needle("한글 나비").in_text(hay), (filler, at))
            self.assertFalse(Needle("한글 나비").in_text(text), filler)

    def test_a_long_needle_is_found_in_a_longer_text(self) -> None:
        wanted = "나비" * WINDOW
        self.assertTrue(Needle(wanted).in_text("가" * 70_000 + wanted + "가" * 70_000))
        self.assertFalse(Needle(wanted).in_text("나비" * (WINDOW - 1) + "가" * 70_000))

    def test_pieces_are_not_cut_inside_a_letter(self) -> None:
        for at in range(WINDOW - 4, WINDOW + 4):
            text = "가" * at + "e\u0301 " + "가" * 2 * WINDOW
            self.assertFalse(Needle("e").in_text(text))
            self.assertTrue(Needle("é").in_text(text))

    @settings(deadline=None, max_examples=200)
    @given(st.text(max_size=8))
    def test_folding_twice_changes_nothing(self, text: str) -> None:
        self.assertEqual(fold(fold(text)), fold(text))


class BodyTests(MatchingCase):
    """Bodies are searched as they are read: decoded, texts only."""

    texts = [
        ("안녕하세요, 한글 메일입니다.", "euc-kr", None),
        ("안녕하세요, 한글 메일입니다.", "ks_c_5601-1987", "cp949"),
        ("日本語のメール本文です。", "iso-2022-jp", None),
        ("日本語のメール本文です。", "shift_jis", None),
        ("日本語のメール本文です。", "euc-jp", None),
        ("Привет, это письмо", "koi8-r", None),
        ("Привет, это письмо", "windows-1251", None),
        ("中文邮件的内容", "gb18030", None),
        ("中文郵件的內容", "big5", None),
        ("Ein größeres Übel", "iso-8859-1", None),
        ("한글 and 日本語 and Привет", "utf-8", None),
        ("한글과 utf-16 한글", "utf-16", None),
        ("한글 and utf-7", "utf-7", None),
        ("nothing but ASCII, all of it", "us-ascii", None),
    ]

    def test_texts_in_every_charset_and_encoding(self) -> None:
        for text, charset, codec in self.texts:
            for encoding in ["8bit", "base64", "quoted-printable", "BASE64"]:
                if encoding == "8bit" and charset == "utf-16":
                    continue
                message = text_message(text, charset, codec, encoding.lower())
                part = text[3:7]
                self.check(
                    message,
                    [Body(text), Body(part), Text(part), Body(text.upper()), Body("")],
                    [Body("나비"), Body("zebra"), Header("subject", part)],
                )

    def test_base64_is_never_what_is_searched(self) -> None:
        raw = PICTURE[100:120].decode()
        message = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n--b\r\n"
            b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            b"aGVsbG8gd29ybGQ=\r\n--b\r\n"
            b"Content-Type: image/png; name*=utf-8''%EC%82%AC%EC%A7%84.png\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" + PICTURE + b"--b--\r\n"
        )
        self.check(
            message,
            [Body("hello world"), Text("HELLO"), Body("사진.png"), Text("image/png")],
            [Body(raw), Body("aGVsbG8"), Text(raw), Body("image/"), Body("preamble")],
        )

    def test_files_are_found_by_their_names_wherever_they_are_told(self) -> None:
        for field in [
            "Content-Type: application/pdf; name=Report.pdf",
            'Content-Disposition: attachment; FILENAME="the report.pdf"',
            "Content-Disposition: attachment; filename*0=rep; filename*1=ort.pdf",
            "Content-Type: application/pdf; name*=us-ascii''re%70ort.pdf",
            "Content-Type: a/b;\r\n name==?utf-8?q?=72eport.pdf?=",
        ]:
            message = (
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
                + field.encode() + b"\r\n\r\n\r\n--b--\r\n"
            )  # fmt: skip
            self.check(message, [Body("REPORT.pdf")], [Body("content"), Body("name")])

    def test_soft_line_breaks_are_none(self) -> None:
        message = (
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
            b"xylo=\r\nphone =ED=95=\r\n=9C=EA=B8=80 1+1=3D2 caf=E9\r\n"
        )
        self.check(
            message, [Body("xylophone"), Body("한글 1+1=2")], [Body("=3D"), Body("=ED")]
        )

    def test_an_attached_message_is_searched_with_its_header(self) -> None:
        inner = (
            b"Subject: " + encoded_word("내부 제목".encode("euc-kr"), "euc-kr")
            + b"\r\nContent-Type: text/plain; charset=euc-kr\r\n\r\n"
            + "내부 본문".encode("euc-kr")
        )  # fmt: skip
        message = (
            b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + inner + b"\r\n--b--\r\n"
        )
        self.check(
            message,
            [Body("내부 제목"), Body("내부 본문"), Text("OUTER"), Text("내부 본문")],
            [Body("outer"), Header("subject", "내부 제목")],
        )

    def test_reports_are_texts(self) -> None:
        message = (
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: message/delivery-status\r\n\r\n"
            b"Action: failed\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            b"Subject: lost\r\n--b--\r\n"
        )
        self.check(message, [Body("action: failed"), Body("lost")], [Body("b--")])

    def test_prefixes_count_for_the_offsets(self) -> None:
        prefix, content = b"Received: here\r\n", b"Subject: x\r\n\r\nhello"
        message = Message(prefix + content, tree=mime.parse(content, prefix))
        self.check(message, [Body("hello")], [Body("x\r\n")])

    def test_declared_lies_do_not_hide_text(self) -> None:
        for header, body, text in [
            ("text/plain; charset=x-unknown", "한글".encode(), "한글"),
            ("text/plain; charset=us-ascii", "한글".encode(), "한글"),
            ("text/plain", "한글".encode(), "한글"),
            ("text/plain; charset=utf-8", "é".encode("latin-1") + b" plain", "plain"),
            ("text/plain; charset=idna", b"plain", "PLAIN"),
            ('text/plain; charset=""', b"plain", "PLAIN"),
            ("nonsense", b"plain", "PLAIN"),
            ("multipart/mixed", b"plain", "PLAIN"),
        ]:
            octets = f"Content-Type: {header}\r\n\r\n".encode() + body
            self.check(octets, [Body(text)], [Body("absent")])

    @settings(deadline=None, max_examples=150)
    @given(
        st.lists(
            st.sampled_from(
                [b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/plain",
                 b"; charset=", b"iso-2022-jp", b"utf-7", b"x", b"\r\n", b"\r\n\r\n",
                 b"--b", b"--", b"Content-Transfer-Encoding: base64", b"=?utf-8?B?",
                 b"?=", b"\x1b$B", b"\xff\xfe", b"=E", b"+2A", b"\0", b"*0*=%", b" "]
            )
        ).map(b"".join),
        st.text(max_size=3),
    )  # fmt: skip
    def test_whatever_stands_in_a_message_nothing_raises(
        self, octets: bytes, text: str
    ) -> None:
        message = Message(octets)
        for query in [Body(text), Text(text), Header("content-type", text)]:
            self.found(query, message)

    @settings(deadline=None, max_examples=100)
    @given(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1),
        st.sampled_from(["base64", "quoted-printable"]),
        st.data(),
    )
    def test_any_piece_of_a_text_is_found(
        self, text: str, encoding: str, data: st.DataObject
    ) -> None:
        at = data.draw(st.integers(0, len(text) - 1))
        if not fold(text).find(fold(text[at:])) >= 0:
            return  # normalisation reaches across the cut
        message = text_message(text.rstrip(" \t"), "utf-8", None, encoding)
        self.assertTrue(self.found(Body(text[at:].rstrip(" \t")), message))


def corpus() -> Iterator[tuple[Path, bytes]]:
    """The messages of the test data.

    :raises SkipTest: there are none here; in continuous integration there are.
    """
    default = Path(__file__).parents[3] / "shared" / "data"
    root = Path(os.environ.get("MAILHUB_TEST_DATA", default))
    if not root.is_dir():
        if os.environ.get("CI") == "true":
            raise AssertionError(f"no test data in {root}")
        raise SkipTest(f"no test data in {root}")
    for path in sorted(root.rglob("*")):
        if path.suffix in (".eml", ".msg") or path.name.startswith("msg_"):
            yield path, path.read_bytes()


class CorpusTests(MatchingCase):
    """Messages that other projects collected."""

    def test_every_line_that_a_reader_sees_is_found(self) -> None:
        messages = 0
        for path, octets in corpus():
            messages += 1
            message = Message(octets)
            for line in self._lines(message):
                self.assertTrue(self.found(Body(line), message), (path.name, line))
            for query in [Text("xyzzy나비xyzzy"), Header("subject", "xyzzy")]:
                self.assertFalse(self.found(query, message), path.name)
        self.assertGreater(messages, 200)

    def _lines(self, message: Message) -> list[str]:
        """The longest line of each text in plain UTF-8 or ASCII."""
        lines = []
        for part in message.parts.walk():
            if part.type != b"text" or part.encoding not in (b"7bit", b"8bit"):
                continue
            octets = message.content[part.body_start : part.stop]
            if octets.strip() and octets.isascii() and b"\x1b" not in octets:
                longest = max(octets.split(b"\n"), key=len).strip()
                lines.append(longest.decode("ascii"))
        return lines
