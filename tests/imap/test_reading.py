"""Commands put together from lines and literals, within limits."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.reading import (
    AFTER_LOGIN,
    BEFORE_LOGIN,
    Assembly,
    Literal,
    LiteralRefused,
    ReadingLimits,
)

SMALL = ReadingLimits(line=1000, literal=80, literals=100, count=5, command=200)


def add(assembly: Assembly, line: bytes) -> Literal | None:
    return assembly.add_line(line)


class Assembling(SynchronousTestCase):
    """RFC 3501, section 4.3; RFC 7888."""

    def test_a_line_without_a_literal_is_a_command(self) -> None:
        assembly = Assembly(BEFORE_LOGIN)
        self.assertIsNone(add(assembly, b"a NOOP"))
        self.assertEqual(assembly.command, b"a NOOP")

    def test_literals_stay_in_place(self) -> None:
        assembly = Assembly(BEFORE_LOGIN)
        self.assertEqual(add(assembly, b"a LOGIN {5}"), Literal(5, waits=True))
        assembly.add_octets(b"ali")
        assembly.add_octets(b"ce")
        self.assertEqual(add(assembly, b" {3+}"), Literal(3, waits=False))
        assembly.add_octets(b"pwd")
        self.assertIsNone(add(assembly, b""))
        self.assertEqual(assembly.command, b"a LOGIN {5}\r\nalice {3+}\r\npwd")

    def test_a_message_of_append_is_left_to_append(self) -> None:
        for line in (
            b"a APPEND INBOX {300}", b"a append x (\\Seen) {300+}",
            b'a APPEND "x {3}" {300}', b"a APPEND INBOX {999999999999}",
        ):  # fmt: skip
            assembly = Assembly(AFTER_LOGIN)
            self.assertIsNone(add(assembly, line), line)
            self.assertEqual(assembly.command, line)

    def test_the_mailbox_of_append_may_be_a_literal(self) -> None:
        assembly = Assembly(AFTER_LOGIN)
        self.assertEqual(add(assembly, b"a APPEND {5}"), Literal(5, waits=True))
        assembly.add_octets(b"INBOX")
        self.assertIsNone(add(assembly, b" (\\Seen) {300}"))
        self.assertEqual(
            assembly.command, b"a APPEND {5}\r\nINBOX (\\Seen) {300}"
        )

    def test_before_login_append_is_read_like_any_command(self) -> None:
        assembly = Assembly(BEFORE_LOGIN)
        self.assertEqual(add(assembly, b"a APPEND INBOX {9}"), Literal(9, waits=True))


class Limits(SynchronousTestCase):
    """Each limit at N and N+1."""

    def refused(self, assembly: Assembly, line: bytes, *, waits: bool) -> None:
        error = self.assertRaises(LiteralRefused, assembly.add_line, line)
        self.assertEqual(error.waits, waits, line)

    def test_before_login_a_literal_has_4096_octets_at_most(self) -> None:
        self.assertIsNotNone(add(Assembly(BEFORE_LOGIN), b"a LOGIN {4096}"))
        self.refused(Assembly(BEFORE_LOGIN), b"a LOGIN {4097}", waits=True)
        self.refused(Assembly(BEFORE_LOGIN), b"a LOGIN {4097+}", waits=False)

    def test_before_login_all_literals_have_4096_octets_at_most(self) -> None:
        assembly = Assembly(BEFORE_LOGIN)
        add(assembly, b"a LOGIN {4000}")
        assembly.add_octets(bytes(4000))
        self.refused(assembly, b" {97}", waits=True)

    def test_before_login_an_empty_literal_is_refused(self) -> None:
        self.refused(Assembly(BEFORE_LOGIN), b"a LOGIN {0}", waits=True)
        self.assertIsNotNone(add(Assembly(AFTER_LOGIN), b"a SELECT {0}"))

    def test_after_login_a_literal_has_64_kib_at_most(self) -> None:
        self.assertIsNotNone(add(Assembly(AFTER_LOGIN), b"a SEARCH TEXT {65536}"))
        self.refused(Assembly(AFTER_LOGIN), b"a SEARCH TEXT {65537}", waits=True)

    def test_a_command_has_1_mib_at_most(self) -> None:
        assembly = Assembly(AFTER_LOGIN)
        add(assembly, b"a SEARCH TEXT {65536+}")
        for _ in range(15):
            assembly.add_octets(bytes(65_536))
            add(assembly, b" TEXT {65000+}")
        assembly.add_octets(bytes(65_536))
        self.refused(assembly, b" TEXT {65000+}", waits=False)

    def test_a_command_has_1000_literals_at_most(self) -> None:
        """Attack: one command with very many literals."""
        assembly = Assembly(AFTER_LOGIN)
        for _ in range(1000):
            self.assertIsNotNone(add(assembly, b" {1+}"))
            assembly.add_octets(b"x")
        self.refused(assembly, b" {1+}", waits=False)

    def test_all_literals_together_have_their_limit_to_the_octet(self) -> None:
        for limits, first, rest in ((BEFORE_LOGIN, 4000, 96), (SMALL, 60, 40)):
            for octets, fits in ((rest, True), (rest + 1, False)):
                assembly = Assembly(limits)
                add(assembly, b"a SEARCH TEXT {%d}" % first)
                assembly.add_octets(bytes(first))
                line = b" TEXT {%d}" % octets
                if fits:
                    self.assertIsNotNone(add(assembly, line))
                else:
                    self.refused(assembly, line, waits=True)

    def test_the_number_of_literals_has_its_limit(self) -> None:
        for limits in (BEFORE_LOGIN, SMALL):
            assembly = Assembly(limits)
            for _ in range(limits.count):
                self.assertIsNotNone(add(assembly, b"{1}"))
                assembly.add_octets(b"x")
            self.refused(assembly, b"{1}", waits=True)

    def test_lines_and_literals_together_have_their_limit_to_the_octet(self) -> None:
        for extra, fits in ((0, True), (1, False)):
            # Two lines with a line end after the first, and a literal of 10.
            first, literal = b"a SEARCH TEXT {10}", 10
            rest = b"x" * (SMALL.command - len(first) - 2 - literal + extra)
            assembly = Assembly(SMALL)
            add(assembly, first)
            assembly.add_octets(bytes(literal))
            if fits:
                self.assertIsNone(add(assembly, rest))
                self.assertEqual(len(assembly.command), SMALL.command)
            else:
                self.refused(assembly, rest, waits=True)

    def test_a_literal_may_fill_the_command_to_the_octet(self) -> None:
        line = b"a SEARCH %b TEXT {50}"
        for extra, fits in ((0, True), (1, False)):
            padding = SMALL.command - 50 - len(line % b"") + extra
            assembly = Assembly(SMALL)
            if fits:
                self.assertIsNotNone(add(assembly, line % (b"x" * padding)))
            else:
                self.refused(assembly, line % (b"x" * padding), waits=True)

    def test_odd_sizes_of_literals_are_none(self) -> None:
        """Attack: sizes that a lax ``int()`` understands."""
        for size in (b"-1", b"1_0", b"+5", b" 5", b"5 ", b"", b"0x5", b"9" * 20):
            line = b"a LOGIN {" + size + b"}"
            for limits in (BEFORE_LOGIN, AFTER_LOGIN):
                self.refused(Assembly(limits), line, waits=True)
        self.refused(Assembly(AFTER_LOGIN), b"a LOGIN {1_0+}", waits=False)
        self.assertIsNone(add(Assembly(BEFORE_LOGIN), b"a LOGIN {5"))
