"""The words of commands and responses."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import InvalidMailboxName, SyntaxFault
from mailhub.imap import syntax
from mailhub.imap.syntax import MAX_DEPTH, Scanner, literal_marker

Read = Callable[[Scanner], object]


class TableTests(SynchronousTestCase):
    """Tables of words: what is read, what is left, what is refused."""

    def check(
        self, read: Read, accepted: list[tuple[bytes, object, bytes]],
        refused: list[bytes],
    ) -> None:  # fmt: skip
        for data, value, rest in accepted:
            scanner = Scanner(data)
            self.assertEqual(read(scanner), value, repr(data))
            self.assertEqual(scanner.rest, rest, repr(data))
        for data in refused:
            with self.assertRaises(SyntaxFault, msg=repr(data)):
                read(Scanner(data))

    def test_tag(self) -> None:
        self.check(
            Scanner.tag,
            [(b"a1 NOOP", b"a1", b" NOOP"), (b"]x.7 ", b"]x.7", b" ")],
            [b"", b" a", b"+ a", b"+", b'"a"', b"(a", b"\xc3\xa9", b"*", b"\0"],
        )
        self.check(Scanner.tag, [(b"a+b x", b"a", b"+b x")], [])

    def test_atom_and_keyword(self) -> None:
        self.check(
            Scanner.atom,
            [
                (b"Fetch 1", b"Fetch", b" 1"),
                (b"BODY[TEXT]", b"BODY[TEXT", b"]"),
                (b"a(b", b"a", b"(b"),
            ],
            [b"", b"(", b"{5}", b"%", b"]", b"\\Seen", b"\x7f"],
        )
        self.check(Scanner.keyword, [(b"uid fetch", "UID", b" fetch")], [b""])

    def test_strings(self) -> None:
        strings: list[tuple[bytes, object, bytes]] = [
            (b'"" x', b"", b" x"),
            (b'"a b"', b"a b", b""),
            (rb'"a\"b\\c"', rb'a"b\c', b""),
            ('"é"'.encode(), "é".encode(), b""),
            (b"{0}\r\n", b"", b""),
            (b"{3}\r\na\r\n x", b"a\r\n", b" x"),
            (b'{3+}\r\n"{}', b'"{}', b""),
        ]
        refused = [
            b"", b'"', b'"a', b'"a\\"', rb'"a\b"', b'"a\r\n"', b'"a\nb"', b'"a\0"',
            b"{", b"{5}", b"{5}\r\n1234", b"{-1}\r\n", b"{+5}\r\n12345",
            b"{ 5}\r\n12345", b"{1_0}\r\n0123456789", b"{5}\n12345",
            b"{99999999999999999999}\r\n", b"{1}\r\n\0", b"{}\r\n",
            "{５}\r\n12345".encode(),
        ]  # fmt: skip
        self.check(Scanner.string, strings, [*refused, b"NIL", b"a"])
        self.check(Scanner.astring, [*strings, (b"a]b c", b"a]b", b" c")], refused)
        self.check(
            Scanner.nstring, [*strings, (b"nil)", None, b")")], [*refused, b"NILL"]
        )

    def test_numbers(self) -> None:
        self.check(
            Scanner.number,
            [(b"0", 0, b""), (b"007 ", 7, b" "), (b"4294967295", 4294967295, b"")],
            [
                b"", b"-1", b"+1", b"a", b"4294967296", b"00000000001",
                "１".encode(), b"9" * 5000,
            ],
        )  # fmt: skip
        self.check(Scanner.nz_number, [(b"10.", 10, b".")], [b"0", b"01", b""])

    def test_sequence_set(self) -> None:
        scanner = Scanner(b"3,1:2 x")
        self.assertEqual(scanner.sequence_set().ranges, ((1, 3),))
        self.assertEqual(scanner.rest, b" x")
        self.check(Scanner.sequence_set, [], [b"", b"0", b"1,", b"a"])

    def test_mailbox_names(self) -> None:
        self.check(
            Scanner.mailbox,
            [
                (b"inBox", "INBOX", b""),
                (b"Inbox/x y", "INBOX/x", b" y"),
                (b'"a b"', "a b", b""),
                (b"&ZeVnLIqe-", "日本語", b""),
                (b"{3}\r\nfoo", "foo", b""),
                # decomposed: the same mailbox as the composed spelling
                (b"e&AwE-", "é", b""),
            ],
            [b"", b"&", b"&AC4ALg-/x", b"&AA0ACg-", b"&2AA-", b"&AGE-", b"{1}\r\n\r",
             '"é"'.encode()],
        )  # fmt: skip
        for data in [b'""', b"a//b", b"../x", b"/x", b"a/", b'"a*"', b"a/.."]:
            self.assertRaises(InvalidMailboxName, Scanner(data).mailbox)

    def test_a_new_mailbox_may_end_with_the_separator(self) -> None:
        self.check(Scanner.new_mailbox, [(b"a/b/", "a/b", b""), (b"a", "a", b"")], [])
        for data in [b"a//", b"/", b'""']:
            self.assertRaises(InvalidMailboxName, Scanner(data).new_mailbox)

    def test_list_patterns(self) -> None:
        self.check(
            Scanner.list_mailbox,
            [
                (b'"" x', "", b" x"),
                (b"%", "%", b""),
                (b"inbox/*", "inbox/*", b""),
                (b'"*%*"', "*%*", b""),
                (b"&ZeVnLIqe-%", "日本語%", b""),
                (b"e&AwE-", "é", b""),
            ],
            [b"", b"(", b"&", b"&AGE-*"],
        )

    def test_flags(self) -> None:
        self.check(
            Scanner.flag,
            [(b"\\seen ", "\\Seen", b" "), (b"$Junk)", "$Junk", b")")],
            [b"", b"\\", b"\\Recent", b"\\Foo", b"\\*", b"*", b"(", b"\\ Seen"],
        )
        self.check(Scanner.keyword_flag, [(b"Todo x", "Todo", b" x")], [b"\\Seen"])
        self.check(
            Scanner.flag_list,
            [
                (b"() x", frozenset(), b" x"),
                (b"(\\SEEN a)", frozenset({"\\Seen", "a"}), b""),
                (b"\\Seen \\Draft", frozenset({"\\Seen", "\\Draft"}), b""),
                (b"(Todo TODO todo)", frozenset({"Todo"}), b""),
            ],
            [b"", b"(", b"(a", b"(a )", b"( a)", b"(a  b)", b"a ", b"(\\Recent)"],
        )

    def test_dates(self) -> None:
        day = datetime.date(1994, 2, 1)
        self.check(
            Scanner.date,
            [
                (b"1-Feb-1994 x", day, b" x"),
                (b"01-FEB-1994", day, b""),
                (b'"1-feb-1994"', day, b""),
            ],
            [
                b"", b'"1-Feb-1994', b'1-Foo-1994', b"31-Feb-1994", b"0-Feb-1994",
                b"1-Feb-0000", b"1-Feb-94", b"001-Feb-1994", b"-Feb-1994",
                b"1 Feb 1994", "１-Feb-1994".encode(),
            ],
        )  # fmt: skip
        scanner = Scanner(b'1-Feb-1994"')
        self.assertEqual(scanner.date(), day)
        self.assertRaises(SyntaxFault, scanner.end)

    def test_dates_with_time(self) -> None:
        self.check(
            Scanner.date_time,
            [
                (b'"01-Jan-1970 00:00:00 +0000"', 0, b""),
                (b'" 1-Jan-1970 01:00:00 +0100"', 0, b""),
                (b'"17-Jul-1996 02:44:25 -0700" x', 837596665, b" x"),
                (b'"31-Dec-1969 23:59:60 +0000"', -1, b""),
            ],
            [
                b"", b"17-Jul-1996 02:44:25 -0700", b'"17-Jul-1996 02:44:25 -0700',
                b'"1-Jan-1970 00:00:00 +0000"', b'"32-Jan-1970 00:00:00 +0000"',
                b'" 1-Jan-1970 24:00:00 +0000"', b'" 1-Jan-1970 00:60:00 +0000"',
                b'" 1-Jan-1970 00:00:61 +0000"', b'" 1-Jan-1970 00:00:00 +2400"',
                b'" 1-Jan-1970 00:00:00 +0060"', b'" 1-Jan-1970 00:00:00 GMT"',
                b'"01-Jan-0001 00:00:00 +0001"', b'"31-Dec-9999 23:59:59 -0001"',
                b'"  -Jan-1970 00:00:00 +0000"',
            ],
        )  # fmt: skip

    def test_places(self) -> None:
        scanner = Scanner(b"( x")
        self.assertEqual(scanner.peek(), 0x28)
        self.assertFalse(scanner.take(0x29))
        self.assertTrue(scanner.take(0x28))
        scanner.space()
        self.assertRaises(SyntaxFault, scanner.space)
        self.assertRaises(SyntaxFault, scanner.end)
        self.assertEqual(scanner.rest, b"x")
        scanner.atom()
        scanner.end()
        self.assertEqual(scanner.peek(), -1)
        self.assertFalse(scanner.take(0x28))

    def test_every_prefix_of_a_command_is_read_or_a_syntax_fault(self) -> None:
        def command(scanner: Scanner) -> None:
            scanner.tag()
            scanner.space()
            scanner.keyword()
            scanner.space()
            scanner.mailbox()
            scanner.space()
            scanner.flag_list()
            scanner.space()
            scanner.date_time()
            scanner.space()
            scanner.string()
            scanner.end()

        whole = (
            b"a APPEND {6+}\r\nQ&-A a (\\Seen $x)"
            b' "17-Jul-1996 02:44:25 -0700" {2}\r\nhi'
        )  # fmt: skip
        command(Scanner(whole))
        for stop in range(len(whole)):
            with self.assertRaises(SyntaxFault, msg=repr(whole[:stop])):
                command(Scanner(whole[:stop]))

    @settings(deadline=None, max_examples=300)
    @given(st.one_of(st.binary(), st.text('"\\{}+05\r\na&-(1:', max_size=16)))
    def test_anything_else_is_a_syntax_fault(self, data: bytes | str) -> None:
        raw = data if isinstance(data, bytes) else data.encode()
        for read in (
            Scanner.tag, Scanner.atom, Scanner.astring, Scanner.nstring,
            Scanner.number, Scanner.nz_number, Scanner.sequence_set,
            Scanner.list_mailbox, Scanner.flag_list, Scanner.date, Scanner.date_time,
        ):  # fmt: skip
            with contextlib.suppress(SyntaxFault):
                read(Scanner(raw))
        with contextlib.suppress(SyntaxFault, InvalidMailboxName):
            Scanner(raw).mailbox()


class NestingTests(SynchronousTestCase):
    """Parentheses within parentheses, in linear time and bounded depth."""

    def test_the_limit_is_fifty_levels(self) -> None:
        scanner = Scanner(b"(" * MAX_DEPTH + b")" * MAX_DEPTH)
        for _ in range(MAX_DEPTH):
            scanner.open()
        for _ in range(MAX_DEPTH):
            scanner.close()
        scanner.end()
        self.assertEqual(scanner.depth, 0)

    def test_eight_thousand_parentheses_that_only_open_are_refused(self) -> None:
        scanner = Scanner(b"(" * 8000)
        for _ in range(MAX_DEPTH):
            scanner.open()
        self.assertRaises(SyntaxFault, scanner.open)

    def test_parentheses_that_only_close_are_refused(self) -> None:
        self.assertRaises(SyntaxFault, Scanner(b")" * 8000).open)
        self.assertRaises(SyntaxFault, Scanner(b"x").close)


class LiteralMarkerTests(SynchronousTestCase):
    """RFC 3501, section 4.3; RFC 7888."""

    def test_sizes(self) -> None:
        for line, marker in [
            (b"a LOGIN {5}", (5, True)),
            (b"a LOGIN {5+}", (5, False)),
            (b"{0}", (0, True)),
            (b'a APPEND "x" {999999999999}', (999999999999, True)),
            (b"a x {9223372036854775807}", (2**63 - 1, True)),
            (b'a LOGIN "{3}" {7+}', (7, False)),
        ]:
            self.assertEqual(literal_marker(line), marker)

    def test_lines_that_announce_nothing(self) -> None:
        for line in [
            b"", b"a NOOP", b"a LOGIN {5", b"a LOGIN {5} ", b'a LOGIN "x{5}"',
            b"a CREATE x}", b"}", b"a LOGIN 5}",
        ]:  # fmt: skip
            self.assertIsNone(literal_marker(line))

    def test_sizes_that_are_none_are_refused(self) -> None:
        for size in [
            b"-1", b"+5", b" 5", b"5 ", b"1_0", b"", b"+", b"5++", b"0x5", b"5.0",
            b"99999999999999999999", b"9223372036854775808", b"9" * 5000,
            "５".encode(), b"5-",
        ]:  # fmt: skip
            with self.assertRaises(SyntaxFault, msg=repr(size)):
                literal_marker(b"a LOGIN {" + size + b"}")


class WriterTests(SynchronousTestCase):
    """What the server sends reads back as it was meant."""

    def test_strings(self) -> None:
        for value, wire in [
            (b"", b'""'),
            (b"a b", b'"a b"'),
            (rb'a"\b', rb'"a\"\\b"'),
            (b"a\r\n", b"{3}\r\na\r\n"),
            ("é".encode(), b"{2}\r\n\xc3\xa9"),
            (b"x" * 1000, b'"' + b"x" * 1000 + b'"'),
            (b"x" * 1001, b"{1001}\r\n" + b"x" * 1001),
        ]:
            self.assertEqual(syntax.string(value), wire)

    def test_quoted_refuses_what_it_cannot_hold(self) -> None:
        for value in [b"\r", b"\n", b"\0", b"\xc3\xa9"]:
            self.assertRaises(ValueError, syntax.quoted, value)

    def test_mailbox_names(self) -> None:
        for name, wire in [
            ("INBOX", b"INBOX"),
            ("a/b", b"a/b"),
            ("a b", b'"a b"'),
            ("NIL", b'"NIL"'),
            ("", b'""'),
            ("a\\b", b'"a\\\\b"'),
            ("x]", b'"x]"'),
            ("日本語", b"&ZeVnLIqe-"),
        ]:
            self.assertEqual(syntax.mailbox_name(name), wire)

    def test_flags_are_sorted_system_flags_first(self) -> None:
        self.assertEqual(syntax.flags(frozenset()), b"()")
        self.assertEqual(
            syntax.flags(frozenset({"b", "$a", "\\Seen", "\\Answered"})),
            b"(\\Answered \\Seen $a b)",
        )

    def test_flag_texts_are_kept_up_to_a_limit(self) -> None:
        texts = syntax._FlagTexts()
        for n in range(texts.MOST + 1):
            self.assertEqual(texts[frozenset({f"k{n}"})], b"(k%d)" % n)
            self.assertLessEqual(len(texts), texts.MOST)
        self.assertEqual(len(texts), 1)

    @settings(deadline=None, max_examples=150)
    @given(st.binary().map(lambda data: data.replace(b"\0", b"")))
    def test_any_string_reads_back(self, value: bytes) -> None:
        scanner = Scanner(syntax.string(value))
        self.assertEqual(scanner.string(), value)
        scanner.end()
