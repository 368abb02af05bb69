"""Tests of :mod:`mailhub.tables.lines`."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import MailError
from mailhub.tables.access import parse_access
from mailhub.tables.aliases import parse_aliases
from mailhub.tables.canonical import parse_canonical
from mailhub.tables.domains import parse_names
from mailhub.tables.forward import parse_forward
from mailhub.tables.lines import (
    MOST_FAULTS,
    MalformedTable,
    Notes,
    logical_lines,
    pairs,
    text_of,
)
from mailhub.tables.transport import parse_transport
from mailhub.tables.virtual import parse_virtual

PARSERS = (
    parse_access, parse_aliases, parse_canonical, parse_forward, parse_names,
    parse_transport, parse_virtual,
)  # fmt: skip
#: Pieces that lines of all of the files are made of.
PIECES = st.sampled_from(
    ["\n", " ", "\t", "#", ":", ",", '"', "\\", "@", "<", ">", "(", ")", "|", "/", "%1"]
    + ["jo", "example.org", "To:", "10.0.0.0/8", "2001:db8", "REJECT", "550", "5.7.1"]
    + [":include:", "error:", "smtp:", "[", "]", "*", "+", ".", "\r", "\0", "\u00e9"]
)


class LineTests(SynchronousTestCase):
    """Lines as aliases(5) and postmap(1) have them."""

    def test_lines_begin_in_the_first_column_and_go_on_with_white_space(self):
        for text, lines in (
            ("", []),
            ("\n\n", []),
            ("a\nb", [(1, "a"), (2, "b")]),
            ("a\n b\n\tc\nd\n", [(1, "a b c"), (4, "d")]),
            ("# no\na\n", [(2, "a")]),
            ("  # no\na\n", [(2, "a")]),
            ("a\n\n# no\n   \n b\n", [(1, "a b")]),
            (" a\n", [(1, "a")]),
            ("\n a\n b\nc", [(2, "a b"), (4, "c")]),
        ):
            self.assertEqual(list(logical_lines(text)), lines, text)

    def test_pairs_are_a_word_and_the_rest(self):
        for text, expected in (
            ("a b", [(1, "a", "b")]),
            ("a\tb c\t", [(1, "a", "b c")]),
            ('"a b"@c d', [(1, '"a b"@c', "d")]),
            ('"a \\" b"@c d', [(1, '"a \\" b"@c', "d")]),
            ("a\n  b", [(1, "a", "b")]),
        ):
            self.assertEqual(list(pairs(text, Notes("f"))), expected, text)

    def test_half_a_pair_is_a_fault(self):
        for text in ("a", 'a\n"b c', '"'):
            notes = Notes("/f")
            list(pairs(text, notes))
            self.assertRaises(MalformedTable, notes.done)


class TextTests(SynchronousTestCase):
    """Octets that are no text of a table."""

    def test_faults_name_file_and_line(self):
        for data, told in (
            (b"a b\nc \xff\n", "/f:2: expected UTF-8"),
            (b"a b\n\nc\0 d\n", "/f:3: the character '\\x00'"),
            (b"\x1b[31m", "/f:1: the character '\\x1b'"),
        ):
            error = self.assertRaises(MalformedTable, text_of, data, "/f")
            self.assertEqual(str(error), told)

    def test_separators_of_lines_that_are_no_lines_are_faults(self):
        for character in ("\r", "\x0b", "\x0c", "\u2028", "\u2029"):
            text = f"a b\nc{character}d e\n"
            error = self.assertRaises(MalformedTable, text_of, text.encode(), "/f")
            self.assertTrue(str(error).startswith("/f:2: "), error)
        self.assertEqual(text_of("\u2027 \u202f".encode(), "/f"), "\u2027 \u202f")

    def test_a_mark_of_byte_order_and_line_ends_of_dos_are_taken(self):
        self.assertEqual(text_of(b"\xef\xbb\xbfa\r\nb\r\n", "/f"), "a\nb\n")

    def test_a_file_of_exactly_the_limit_is_taken_and_one_octet_more_is_not(self):
        self.assertEqual(text_of(b"abcd", "/f", 4), "abcd")
        self.assertRaises(MalformedTable, text_of, b"abcde", "/f", 4)

    def test_a_file_of_another_kind_has_twenty_faults_and_no_more(self):
        for lines in (MOST_FAULTS, MOST_FAULTS + 1):
            error = self.assertRaises(
                MalformedTable, parse_aliases, b"what\n" * lines, "/f"
            )
            self.assertEqual(len(error.faults), MOST_FAULTS)

    def test_a_fault_in_a_file_lets_mail_wait(self):
        error = self.assertRaises(MalformedTable, parse_aliases, b"what", "/f")
        self.assertFalse(error.permanent)


class AnyTextTests(SynchronousTestCase):
    """Whatever is in a file, a parser gives a value or the faults of the file."""

    @settings(max_examples=300, deadline=None)
    @given(st.lists(PIECES, max_size=40).map("".join))
    def test_pieces_in_any_order(self, text):
        for parse in PARSERS:
            try:
                parse(text.encode(), "/f")
            except MalformedTable as error:
                self.assertTrue(error.faults)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=60))
    def test_any_octets(self, data):
        for parse in PARSERS:
            try:
                parse(data, "/f")
            except MailError as error:
                self.assertIsInstance(error, MalformedTable)

    def test_long_lines_of_one_kind_take_linear_time(self):
        for piece in (b" ", b'"', b"\\", b"(", b"<", b"a", b"a ", b",", b'"a"', b"1."):
            line = b"a" + piece * 100_000
            for parse in PARSERS:
                with contextlib.suppress(MalformedTable):
                    parse(line, "/f")
