"""What SEARCH asks, as a query."""

from __future__ import annotations

import contextlib
import datetime
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LimitReached, SyntaxFault
from mailhub.imap.search import MAX_KEYS, UnknownCharset, parse_search
from mailhub.imap.syntax import MAX_DEPTH, Scanner
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

DAY = datetime.date(1994, 2, 1)
SEEN = HasFlag("\\Seen")


@dataclass
class View:
    """Five messages, of which the last two are recent."""

    uids: Sequence[int] = field(default_factory=lambda: array("I", [2, 3, 5, 8, 9]))
    recent: Sequence[int] = field(default_factory=lambda: array("I", [8, 9]))


def parse(text: bytes, view: View | None = None) -> Query:
    return parse_search(Scanner(text), view or View())


class KeyTests(SynchronousTestCase):
    """RFC 3501, section 6.4.4: every key."""

    def test_keys(self) -> None:
        for text, query in [
            (b"ALL", All()),
            (b"answered", HasFlag("\\Answered")),
            (b"BCC x", Header("bcc", "x")),
            (b"BEFORE 1-Feb-1994", InternalDate(When.BEFORE, DAY)),
            (b"BODY x", Body("x")),
            (b"CC x", Header("cc", "x")),
            (b"DELETED", HasFlag("\\Deleted")),
            (b"DRAFT", HasFlag("\\Draft")),
            (b"FLAGGED", HasFlag("\\Flagged")),
            (b"FROM x", Header("from", "x")),
            (b"HEADER X-Spam yes", Header("X-Spam", "yes")),
            (b'HEADER "List-Id" ""', Header("List-Id", "")),
            (b"KEYWORD $Junk", HasFlag("$Junk")),
            (b"LARGER 4096", Larger(4096)),
            (b"NEW", And((UidSet(((8, 9),)), Not(SEEN)))),
            (b"NOT SEEN", Not(SEEN)),
            (b"OLD", Not(UidSet(((8, 9),)))),
            (b'ON "1-Feb-1994"', InternalDate(When.ON, DAY)),
            (b"OR SEEN ALL", Or((SEEN, All()))),
            (b"RECENT", UidSet(((8, 9),))),
            (b"SEEN", SEEN),
            (b"SENTBEFORE 1-Feb-1994", SentDate(When.BEFORE, DAY)),
            (b"SENTON 1-Feb-1994", SentDate(When.ON, DAY)),
            (b"SENTSINCE 1-Feb-1994", SentDate(When.SINCE, DAY)),
            (b"SINCE 1-Feb-1994", InternalDate(When.SINCE, DAY)),
            (b"SMALLER 0", Smaller(0)),
            (b'SUBJECT "a b"', Header("subject", "a b")),
            (b"TEXT {3}\r\na b", Text("a b")),
            (b"TO x", Header("to", "x")),
            (b"UID 3:5,9", UidSet(((3, 5), (9, 9)))),
            (b"UNANSWERED", Not(HasFlag("\\Answered"))),
            (b"UNDELETED", Not(HasFlag("\\Deleted"))),
            (b"UNDRAFT", Not(HasFlag("\\Draft"))),
            (b"UNFLAGGED", Not(HasFlag("\\Flagged"))),
            (b"UNKEYWORD todo", Not(HasFlag("todo"))),
            (b"UNSEEN", Not(SEEN)),
            (b"(SEEN)", SEEN),
            (b"(SEEN ALL)", And((SEEN, All()))),
            (b"SEEN (ALL DRAFT)", And((SEEN, And((All(), HasFlag("\\Draft")))))),
            (b"NOT OR SEEN (ALL ALL)", Not(Or((SEEN, And((All(), All())))))),
        ]:
            self.assertEqual(parse(text), query, text)

    def test_sequence_numbers_become_uids_of_the_view(self) -> None:
        for text, ranges in [
            (b"1", ((2, 2),)),
            (b"1,3:*", ((2, 2), (5, 9))),
            (b"*", ((9, 9),)),
            (b"7:9", ()),
            (b"4:4294967295", ((8, 9),)),
        ]:
            self.assertEqual(parse(text), UidSet(ranges), text)
        self.assertEqual(parse(b"1:*", View([], [])), UidSet(()))

    def test_uids_beyond_the_view_are_nobodys(self) -> None:
        for text, ranges in [
            (b"UID 1:*", ((1, 9),)),
            (b"UID 20:*", ((9, 9),)),
            (b"UID 20:30", ()),
        ]:
            self.assertEqual(parse(text), UidSet(ranges), text)
        self.assertEqual(parse(b"UID 1:*", View([], [])), UidSet(()))

    def test_nothing_is_recent(self) -> None:
        self.assertEqual(parse(b"RECENT", View([1], [])), UidSet(()))

    def test_what_is_no_search_is_refused(self) -> None:
        for text in [
            b"", b" ", b"SEEN ", b" SEEN", b"SEEN  ALL", b"FOO", b"()", b"(SEEN",
            b"SEEN)", b"( SEEN)", b"(SEEN )", b"NOT", b"OR SEEN", b"OR SEEN ",
            b"FROM", b"FROM ", b"HEADER X", b"KEYWORD \\Seen", b"LARGER",
            b"LARGER -1", b"LARGER 4294967296", b"LARGER 1_0", b"SINCE 1-Feb-94",
            b"SINCE 30-Feb-1994", b"UID", b"UID 0", b"0", b"1,", b"1:2:3",
            b"SEEN\r\n", b"HEADER \xc3\xa9 x", b'HEADER "\xc3\xa9" x',
            b"CHARSET UTF-8", b"CHARSET UTF-8 ", b"CHARSET", b"SEEN CHARSET UTF-8",
        ]:  # fmt: skip
            with self.assertRaises(SyntaxFault, msg=repr(text)):
                parse(text)

    def test_every_prefix_is_read_or_refused(self) -> None:
        whole = (
            b"CHARSET UTF-8 OR (FROM {2}\r\nab NOT 1:3)"
            b' HEADER X "\\"y" SINCE 1-Feb-1994'
        )
        parse(whole)
        for stop in range(len(whole)):
            with contextlib.suppress(SyntaxFault, UnknownCharset):
                parse(whole[:stop])

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.sampled_from(
                [b"(", b")", b" ", b"OR", b"NOT", b"SEEN", b"1:*", b"UID", b"TO",
                 b'"', b"{1}\r\n", b"CHARSET", b"KOI8-R", b"\xff", b"0"]
            )
        ).map(b"".join)
    )  # fmt: skip
    def test_anything_else_is_a_syntax_fault(self, text: bytes) -> None:
        with contextlib.suppress(SyntaxFault, UnknownCharset):
            parse(text)


class LimitTests(SynchronousTestCase):
    """A search may be long and deep up to named limits."""

    def test_fifty_levels_of_not_and_no_more(self) -> None:
        parse(b"NOT " * MAX_DEPTH + b"SEEN")
        self.assertRaises(SyntaxFault, parse, b"NOT " * (MAX_DEPTH + 1) + b"SEEN")

    def test_fifty_levels_of_or_and_no_more(self) -> None:
        parse(b"OR SEEN " * MAX_DEPTH + b"SEEN")
        self.assertRaises(SyntaxFault, parse, b"OR SEEN " * (MAX_DEPTH + 1) + b"SEEN")

    def test_fifty_levels_of_parentheses_and_no_more(self) -> None:
        def nested(depth: int) -> bytes:
            return b"(" * depth + b"SEEN" + b")" * depth

        parse(nested(MAX_DEPTH))
        self.assertRaises(SyntaxFault, parse, nested(MAX_DEPTH + 1))

    def test_eight_thousand_parentheses_are_refused_at_once(self) -> None:
        for text in [b"(" * 8000, b")" * 8000, b"OR (" * 8000, b"NOT (" * 8000]:
            self.assertRaises(SyntaxFault, parse, text)

    def test_the_limit_of_keys(self) -> None:
        parse(b" ".join([b"SEEN"] * MAX_KEYS))
        self.assertRaises(LimitReached, parse, b" ".join([b"SEEN"] * (MAX_KEYS + 1)))


class CharsetTests(SynchronousTestCase):
    """RFC 3501, section 6.4.4: CHARSET."""

    def test_texts_are_decoded(self) -> None:
        for name, codec, text in [
            ("UTF-8", "utf-8", "한글 メール"),
            ("utf-8", "utf-8", ""),
            ("US-ASCII", "ascii", "plain"),
            ("EUC-KR", "euc-kr", "안녕하세요"),
            ("ISO-2022-JP", "iso2022-jp", "日本語"),
            ("Shift_JIS", "shift-jis", "日本語"),
            ("KOI8-R", "koi8-r", "Привет"),
            ("GB2312", "gb2312", "中文"),
            ("ISO-8859-15", "iso8859-15", "€uro"),
        ]:
            octets = text.encode(codec)
            literal = b"{%d}\r\n%b" % (len(octets), octets)
            for charset in [name.encode(), b'"' + name.encode() + b'"']:
                self.assertEqual(
                    parse(b"CHARSET " + charset + b" SUBJECT " + literal),
                    Header("subject", text),
                    name,
                )

    def test_quoted_iso_2022_jp_may_hold_quotes_and_backslashes(self) -> None:
        octets = b'\x1b$B\\"\x1b(B'
        quoted = b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
        self.assertEqual(
            parse(b"CHARSET ISO-2022-JP BODY " + quoted),
            Body(octets.decode("iso2022-jp")),
        )

    def test_without_charset_texts_are_utf_8(self) -> None:
        self.assertEqual(parse("TO {6}\r\n한글".encode()), Header("to", "한글"))
        self.assertRaises(SyntaxFault, parse, b"TO {2}\r\n\xc7\xd1")

    def test_text_that_is_not_in_its_charset_is_refused(self) -> None:
        for text in [
            b"CHARSET UTF-8 TO {1}\r\n\xff",
            b"CHARSET US-ASCII TO {2}\r\n\xc3\xa9",
            b"CHARSET EUC-KR TO {1}\r\n\xc7",
            b"CHARSET ISO-2022-JP TO {4}\r\n\x1b$B!",
            b"CHARSET UTF-7 TO {5}\r\n+2AA-",
        ]:
            self.assertRaises(SyntaxFault, parse, text)

    def test_an_unknown_charset_is_told_so(self) -> None:
        for name in [
            b"FOO", b"base64", b"rot13", b"idna", b"unicode_escape", b"undefined",
            b"\xff", b'""', b'"x y"', b"utf-8\xe2\x80\x8b", b"a" * 5000,
        ]:  # fmt: skip
            if not name.isascii():
                name = b'"' + name + b'"'
            with self.assertRaises(UnknownCharset, msg=repr(name)):
                parse(b"CHARSET " + name + b" TO x")
