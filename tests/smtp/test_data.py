"""Message data: its end, dot-stuffing, and what is refused."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.data import DataFault, DataReader

#: Octets on the wire after DATA, the message's octets, octets left over.
MESSAGES = [
    (b".\r\n", b"", b""),
    (b"\r\n.\r\n", b"\r\n", b""),
    (b"a\r\n.\r\n", b"a\r\n", b""),
    (b"a\r\n.\r\nQUIT\r\n", b"a\r\n", b"QUIT\r\n"),
    (b"..\r\n.\r\n", b".\r\n", b""),
    (b"..x\r\n.\r\n", b".x\r\n", b""),
    (b"a\r\n..x\r\n.\r\n", b"a\r\n.x\r\n", b""),
    (b".x\r\n.\r\n", b"x\r\n", b""),
    (b"a\r\n..\r\n...\r\n.b\r\n.\r\n.\r\n", b"a\r\n.\r\n..\r\nb\r\n", b".\r\n"),
    (b"a.\r\n.\r\n", b"a.\r\n", b""),
    (b"S: x\r\n\r\nb\r\n\r\n.\r\n.\r\n", b"S: x\r\n\r\nb\r\n\r\n", b".\r\n"),
]

#: Ends of data that some servers take for the true one.
FALSE_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r.\r\n",
    b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\r\r\n.\r\r\n",
]


def read(pieces, limit=65_536):
    """Feed *pieces*; the message's octets and the reader."""
    reader = DataReader(limit)
    message = b""
    rest = b""
    for piece in pieces:
        if reader.ended:
            rest += piece
        else:
            message += reader.feed(piece)
    reader.rest += rest
    return message, reader


def octets(wire):
    return [wire[i : i + 1] for i in range(len(wire))]


class DataTests(SynchronousTestCase):
    """RFC 5321, sections 4.1.1.4 and 4.5.2."""

    def check(self, pieces, expected, rest):
        message, reader = read(pieces)
        self.assertEqual(
            (message, reader.rest, reader.ended, reader.fault),
            (expected, rest, True, None),
            pieces,
        )

    def test_messages_are_the_same_however_they_are_cut(self):
        for wire, expected, rest in MESSAGES:
            self.check([wire], expected, rest)
            self.check(octets(wire), expected, rest)
            for first in range(len(wire)):
                self.check([wire[:first], wire[first:]], expected, rest)
                for second in range(first, len(wire)):
                    cut = [wire[:first], wire[first:second], wire[second:]]
                    self.check(cut, expected, rest)

    def test_no_prefix_of_the_end_ends_the_message(self):
        wire = b"a\r\n.\r\n"
        for length in range(len(wire)):
            message, reader = read([wire[:length]])
            self.assertFalse(reader.ended)
            self.assertTrue(b"a\r\n".startswith(message))

    def test_false_ends_are_refused_content_and_the_true_end_is_found(self):
        smuggled = b"MAIL FROM:<e@evil>\r\n"
        for false_end in FALSE_ENDS:
            wire = b"a" + false_end + smuggled + b"\r\n.\r\nNOOP\r\n"
            for pieces in ([wire], octets(wire), [wire[:5], wire[5:]]):
                message, reader = read(pieces)
                self.assertTrue(reader.ended, false_end)
                self.assertEqual(reader.fault, DataFault.BARE_NEWLINE, false_end)
                self.assertEqual(reader.rest, b"NOOP\r\n")
                self.assertNotIn(b"evil", message)

    def test_nothing_comes_out_after_a_fault(self):
        reader = DataReader()
        self.assertEqual(reader.feed(b"a\nb\r\n"), b"")
        self.assertEqual(reader.feed(b"more\r\n"), b"")
        self.assertEqual(reader.feed(b".\r\n"), b"")
        self.assertTrue(reader.ended)

    @given(st.lists(st.sampled_from([b"\r\n", b".", b"a", b"\r", b"\n", b"\0"])),
           st.lists(st.integers(0, 40)))
    @settings(max_examples=200, deadline=None)
    def test_any_octets_in_any_cut_are_read_as_in_one_piece(self, words, cuts):
        wire = b"".join(words) + b"\r\n.\r\n"
        whole, reader = read([wire])
        edges = sorted({0, len(wire), *(min(cut, len(wire)) for cut in cuts)})
        pieces = [wire[a:b] for a, b in zip(edges, edges[1:], strict=False)]
        message, cut_reader = read(pieces)
        self.assertEqual(reader.ended, cut_reader.ended)
        self.assertEqual(reader.fault, cut_reader.fault)
        self.assertEqual(reader.rest, cut_reader.rest)
        if reader.fault is None:
            self.assertEqual(whole, message)
            stuffed = whole.replace(b"\r\n.", b"\r\n..")
            if stuffed.startswith(b"."):
                stuffed = b"." + stuffed
            self.assertEqual(read([stuffed + b".\r\n"])[0], whole)


class LineLimitTests(SynchronousTestCase):
    """The limit of a text line, CRLF included, the stuffed dot not."""

    LIMIT = 20

    def faults(self, wire):
        """The fault of *wire* in all ways to cut it; they must agree."""
        found = set()
        for size in (1, 2, 3, 7, len(wire)):
            pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
            _, reader = read(pieces, self.LIMIT)
            self.assertTrue(reader.ended)
            found.add(reader.fault)
        self.assertEqual(len(found), 1, wire)
        return found.pop()

    def test_a_line_of_exactly_the_limit_passes(self):
        line = b"a" * 18 + b"\r\n"
        self.assertIsNone(self.faults(line + b".\r\n"))
        self.assertIsNone(self.faults(line * 9 + b".\r\n"))
        self.assertIsNone(self.faults(b"b\r\n" + line + b"c\r\n" + line + b".\r\n"))

    def test_one_octet_more_does_not(self):
        long = b"a" * 19 + b"\r\n"
        for before in (b"", b"b\r\n", b"b" * 18 + b"\r\n", b"\r\n" * 50):
            wire = before + long + b"c\r\n.\r\n"
            self.assertEqual(self.faults(wire), DataFault.LONG_LINE)

    def test_the_dot_of_transparency_does_not_count(self):
        self.assertIsNone(self.faults(b".." + b"a" * 17 + b"\r\n.\r\n"))

    def test_a_line_without_an_end_is_a_fault_before_it_ends(self):
        reader = DataReader(self.LIMIT)
        reader.feed(b"a" * 20)
        self.assertIsNone(reader.fault)
        reader.feed(b"a")
        self.assertEqual(reader.fault, DataFault.LONG_LINE)

    def test_the_default_is_64_KiB(self):
        line = b"a" * 65_534 + b"\r\n"
        message, reader = read([b"x\r\n" + line + b".\r\n"])
        self.assertEqual((message, reader.fault), (b"x\r\n" + line, None))
        reader = read([b"x\r\na" + line + b".\r\n"])[1]
        self.assertEqual(reader.fault, DataFault.LONG_LINE)
