"""Tests of header fields: found, unfolded, chosen, written."""

from __future__ import annotations

import tempfile
from mmap import ACCESS_READ, mmap

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.headers import (
    MAX_FIELD,
    MAX_FIELDS,
    MAX_HEADER,
    MAX_LINE,
    Fields,
    field_spans,
    header_end,
    header_line,
    select_fields,
    unfold,
)

CRLF_HEADER = (
    b"Received: from a\r\n\tby b;\r\n Mon\r\n"
    b"From: A <a@b>\r\n"
    b"to : c@d\r\n"
    b"SUBJECT:\r\n folded\r\n"
    b"From: second@b\r\n"
    b"Empty:\r\n"
    b"\r\n"
)
HEADERS = [CRLF_HEADER, CRLF_HEADER.replace(b"\r\n", b"\n")]

header_text = st.text(st.sampled_from("aB:- \t\r\n\0é"), max_size=60).map(str.encode)


class HeaderEndTests(SynchronousTestCase):
    """RFC 5322, section 2.1: an empty line ends the header."""

    CASES = [
        (b"", 0),
        (b"\r\n", 2),
        (b"\n", 1),
        (b"\r\nbody\r\n\r\nmore", 2),
        (b"A: b\r\n\r\nbody", 8),
        (b"A: b\n\nbody", 6),
        (b"A: b\r\n\nbody", 7),
        (b"A: b\n\r\nbody\r\n\r\n", 7),
        (b"A: b\r\n", 6),
        (b"A: b", 4),
        (b"A: b\r\n \r\n\r\n", 11),
        (b"no field\r\n\r\nbody", 12),
    ]

    def test_in_bytes_memoryview_and_mmap(self) -> None:
        for octets, end in self.CASES:
            self.assertEqual(header_end(octets), end)
            self.assertEqual(header_end(memoryview(octets)), end)
            self.assertEqual(header_end(b"\n\n" + octets + b"\n\n", 2, len(octets) + 2),
                             end + 2)
        with tempfile.TemporaryFile() as file:
            file.write(CRLF_HEADER + b"body")
            file.flush()
            with mmap(file.fileno(), 0, access=ACCESS_READ) as mapped:
                self.assertEqual(header_end(mapped), len(CRLF_HEADER))

    def test_a_header_without_end_is_cut_at_the_limit(self) -> None:
        endless = b"A: b\r\n" * (MAX_HEADER // 6 + 10)
        self.assertEqual(header_end(endless), MAX_HEADER // 6 * 6)
        self.assertEqual(header_end(b"x" * (MAX_HEADER + 1)), MAX_HEADER)
        fits = b"x" * (MAX_HEADER - 2) + b"\n\n"
        self.assertEqual(header_end(fits + b"y"), MAX_HEADER)
        self.assertEqual(header_end(b"\n\n" + b"x" * (MAX_HEADER + 1), 2),
                         MAX_HEADER + 2)


class FieldsTests(SynchronousTestCase):
    """RFC 5322, sections 2.2 and 4.5: fields, also with blanks before the colon."""

    def test_values_by_name(self) -> None:
        for header in HEADERS:
            fields = Fields(header)
            self.assertEqual(fields.first(b"from"), b"A <a@b>")
            self.assertEqual(fields.all(b"from"), [b"A <a@b>", b"second@b"])
            self.assertEqual(fields.first(b"to"), b"c@d")
            self.assertEqual(fields.first(b"subject"), b"folded")
            self.assertEqual(fields.first(b"received"), b"from a\tby b; Mon")
            self.assertEqual(fields.first(b"empty"), b"")
            self.assertIsNone(fields.first(b"cc"))
            self.assertEqual(fields.all(b"cc"), [])
            self.assertIn(b"to", fields)
            self.assertNotIn(b"cc", fields)
            self.assertEqual(len(fields), 6)

    def test_they_come_in_order(self) -> None:
        names = [name for name, _ in Fields(CRLF_HEADER)]
        self.assertEqual(
            names, [b"received", b"from", b"to", b"subject", b"from", b"empty"]
        )

    def test_a_line_that_is_no_field_belongs_to_none(self) -> None:
        header = b"From x\nSubject: a\njunk line\n and more\nTo: b\r\n\xff: c\n\n"
        fields = Fields(header)
        self.assertEqual(dict(fields), {b"subject": b"a", b"to": b"b"})

    def test_an_unfinished_header_has_its_fields(self) -> None:
        self.assertEqual(dict(Fields(b"A: b\r\nC: d")), {b"a": b"b", b"c": b"d"})
        self.assertEqual(dict(Fields(b"")), {})

    def test_every_prefix_is_read(self) -> None:
        for header in HEADERS:
            for end in range(len(header)):
                fields = Fields(header[:end])
                self.assertLessEqual(len(fields), 6)
                spans = list(field_spans(header[:end]))
                self.assertEqual([span.name for span in spans],
                                 [name for name, _ in fields])

    def test_one_more_octet_than_a_field_may_have(self) -> None:
        for size in MAX_FIELD, MAX_FIELD + 1:
            value = Fields(b"A:" + b"x" * size + b"\r\n").first(b"a")
            self.assertEqual(value, b"x" * MAX_FIELD)

    def test_one_more_field_than_a_header_may_have(self) -> None:
        for count in MAX_FIELDS, MAX_FIELDS + 1:
            fields = Fields(b"A: b\n" * count + b"\n")
            self.assertEqual(len(fields), MAX_FIELDS)
            self.assertEqual(fields.all(b"a"), [b"b"] * MAX_FIELDS)

    def test_unfold_keeps_the_blanks_of_folds(self) -> None:
        self.assertEqual(unfold(b" a\r\n  b\n\tc \r\n"), b"a  b\tc")
        self.assertEqual(unfold(b"a\r\nb"), b"a")

    @given(header_text)
    @settings(max_examples=300, deadline=None)
    def test_spans_and_values_agree(self, header: bytes) -> None:
        fields = list(Fields(header))
        spans = list(field_spans(header))
        self.assertEqual(
            fields, [(s.name, unfold(header[s.value : s.stop])) for s in spans]
        )
        stop = 0
        for span in spans:
            self.assertTrue(stop <= span.start < span.value <= span.stop)
            self.assertEqual(header[span.value - 1 : span.value], b":")
            stop = span.stop
        self.assertLessEqual(stop, len(header))


class SelectFieldsTests(SynchronousTestCase):
    """RFC 3501, section 6.4.5: HEADER.FIELDS and HEADER.FIELDS.NOT."""

    def test_fields_are_given_as_they_stand_with_the_empty_line(self) -> None:
        self.assertEqual(
            select_fields(CRLF_HEADER, frozenset([b"from", b"to", b"cc"]), False),
            b"From: A <a@b>\r\nto : c@d\r\nFrom: second@b\r\n\r\n",
        )
        self.assertEqual(
            select_fields(CRLF_HEADER, frozenset([b"from", b"to", b"received"]), True),
            b"SUBJECT:\r\n folded\r\nEmpty:\r\n\r\n",
        )

    def test_chosen_fields_keep_the_lines_that_continue_them(self) -> None:
        self.assertEqual(
            select_fields(CRLF_HEADER, frozenset([b"received", b"empty"]), False),
            b"Received: from a\r\n\tby b;\r\n Mon\r\nEmpty:\r\n\r\n",
        )
        self.assertEqual(
            select_fields(b" stray\r\nA: 1\r\n 2\r\n\r\n", frozenset([b"a"]), False),
            b"A: 1\r\n 2\r\n\r\n",
        )

    def test_line_ends_are_kept(self) -> None:
        names = frozenset([b"received", b"empty"])
        for exclude in False, True:
            self.assertEqual(
                select_fields(HEADERS[1], names, exclude),
                select_fields(HEADERS[0], names, exclude).replace(b"\r\n", b"\n"),
            )

    def test_without_any_match_only_the_empty_line_is_left(self) -> None:
        for exclude, names in (False, {b"cc"}), (False, set()), (True, {b"a", b"b"}):
            chosen = select_fields(b"A: 1\r\nB: 2\r\n\r\n", frozenset(names), exclude)
            self.assertEqual(chosen, b"\r\n")
        self.assertEqual(select_fields(b"\r\n", frozenset([b"a"]), False), b"\r\n")
        self.assertEqual(select_fields(b"\r\n", frozenset([b"a"]), True), b"\r\n")

    def test_a_header_without_empty_line_gets_none(self) -> None:
        for header in b"A: 1\r\nB: 2\r\n", b"A: 1\r\nB: 2":
            for name, exclude in (b"b", False), (b"a", True):
                chosen = select_fields(header, frozenset([name]), exclude)
                self.assertEqual(chosen, b"B: 2\r\n")
        self.assertEqual(select_fields(b"", frozenset([b"a"]), False), b"")

    def test_names_are_compared_whole_and_are_no_patterns(self) -> None:
        header = b"From: 1\r\nFrom-X: 2\r\nX-From: 3\r\n\r\n"
        self.assertEqual(
            select_fields(header, frozenset([b"from"]), False), b"From: 1\r\n\r\n"
        )
        self.assertEqual(select_fields(header, frozenset([b".*"]), False), b"\r\n")
        self.assertEqual(select_fields(header, frozenset([b"\xff("]), True), header)

    def test_a_flood_of_fields_is_chosen_from_in_one_pass(self) -> None:
        header = b"a:\r\n" * 500_000 + b"b: 1\r\n\r\n"
        names = frozenset([b"b"])
        self.assertEqual(select_fields(header, names, False), b"b: 1\r\n\r\n")
        self.assertEqual(len(select_fields(header, names, True)), len(header) - 6)

    @given(header_text, st.booleans())
    @settings(max_examples=300, deadline=None)
    def test_it_agrees_with_the_spans(self, header: bytes, exclude: bool) -> None:
        header = header.replace(b"\n\n", b"") + b"\n\n"
        names = frozenset([b"a", b"ab"])
        chosen = select_fields(header, names, False)
        expected = b"".join(
            header[span.start : span.stop]
            for span in field_spans(header[:-1]) if span.name in names
        )
        self.assertEqual(chosen, expected + b"\n")
        left = select_fields(header, names, True)
        self.assertEqual(len(left) + len(chosen), len(header) + 1)


class HeaderLineTests(SynchronousTestCase):
    """RFC 5322, sections 2.1.1 and 2.2.3: written strictly, folded at 78."""

    def test_short_lines(self) -> None:
        self.assertEqual(header_line(b"To", b"a@b"), b"To: a@b\r\n")
        self.assertEqual(header_line(b"To", b"  a@b "), b"To: a@b\r\n")
        self.assertEqual(header_line(b"To", b""), b"To:\r\n")
        self.assertEqual(
            header_line(b"Subject", "안녕".encode()), "Subject: 안녕\r\n".encode()
        )

    def test_long_values_are_folded_and_unfold_to_the_same(self) -> None:
        value = b" ".join([b"word%d" % number for number in range(100)])
        line = header_line(b"References", value)
        self.assertTrue(all(len(part) <= 78 for part in line.split(b"\r\n")))
        self.assertEqual(unfold(line.partition(b":")[2]), value)

    def test_a_value_cannot_start_a_field_of_its_own(self) -> None:
        for value in b"a\r\nBcc: x", b"a\nb", b"a\rb", b"a\0b", b"a\r\n b", b"\n":
            with self.assertRaises(SyntaxFault):
                header_line(b"Subject", value)

    def test_a_name_is_a_name(self) -> None:
        for name in b"", b"a b", b"a:", b"a\r\nb", b"\xc3\xa9", b"a\0":
            with self.assertRaises(SyntaxFault):
                header_line(name, b"x")

    def test_the_longest_line(self) -> None:
        header_line(b"A", b"x " + b"y" * (MAX_LINE - 1))
        with self.assertRaises(SyntaxFault):
            header_line(b"A", b"x " + b"y" * MAX_LINE)

    @given(st.binary(max_size=300))
    @settings(max_examples=200, deadline=None)
    def test_any_value_is_refused_or_makes_one_field(self, value: bytes) -> None:
        try:
            line = header_line(b"X", value)
        except SyntaxFault:
            self.assertTrue(set(value) & set(b"\r\n\0"))
            return
        self.assertEqual(len(list(field_spans(line))), 1)
        self.assertEqual(unfold(line[2:]).split(), value.split())


class LinearTimeTests(SynchronousTestCase):
    """Inputs that would take hours if anything here were quadratic."""

    def test_hostile_headers(self) -> None:
        size = 2_000_000
        for header in (
            b"a" * size, b"a" * size + b"\n", b"a " * size, b"a:" * size,
            b"a:\n" * size,
            b"a:" + b"\n " * size, b"a" + b" " * size, b"\r" * size, b"\n\r" * size,
            b"a: " + b"\t" * size + b"b", b"\n " * size + b":",
        ):
            header_end(header)
            fields = Fields(header)
            for name, _ in fields:
                fields.first(name)
            list(field_spans(header))
            for exclude in False, True:
                select_fields(header, frozenset([b"a", b"b"]), exclude)
