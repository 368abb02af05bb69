from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.pop3.syntax import (
    MAX_DIGITS,
    read_nothing,
    read_number,
    read_numbers,
    read_word,
    split_command,
)

COMMANDS = [
    (b"NOOP", b"NOOP", b""),
    (b"noop", b"NOOP", b""),
    (b"Retr 12", b"RETR", b"12"),
    (b"PASS two  words ", b"PASS", b"two  words "),
    (b"", b"", b""),
    (b" NOOP", b"", b"NOOP"),
    (b"\xff\xfe\xdf", b"\xff\xfe\xdf", b""),
    (b"LIST\t1", b"LIST\t1", b""),
]
NOT_NUMBERS = [
    b"", b"-1", b"+5", b"1_0", b" 1", b"1 ", b"0x1", b"1.0", b"1e3",
    "\uff11".encode(), "\u0661".encode(), b"\xb2", b"12345678901", b"9" * 100_000,
]


class CommandLines(SynchronousTestCase):
    """RFC 1939, section 3."""

    def test_verbs_and_arguments(self) -> None:
        for line, verb, argument in COMMANDS:
            self.assertEqual(split_command(line), (verb, argument))

    def test_numbers(self) -> None:
        for text, value in ((b"0", 0), (b"007", 7), (b"9999999999", 9_999_999_999)):
            self.assertEqual(read_number(text), value)
        self.assertEqual(read_number(b"0" * MAX_DIGITS), 0)
        self.assertRaises(SyntaxFault, read_number, b"0" * (MAX_DIGITS + 1))

    def test_nothing_else_is_a_number(self) -> None:
        for text in NOT_NUMBERS:
            with self.subTest(text=text[:20]):
                self.assertRaises(SyntaxFault, read_number, text)

    def test_the_count_of_arguments(self) -> None:
        self.assertEqual(read_numbers(b"1 20", 2), [1, 20])
        self.assertEqual(read_numbers(b" 1  20 ", 2), [1, 20])
        for argument, count in ((b"", 1), (b"1 2", 1), (b"1", 2), (b"1 -1", 2)):
            self.assertRaises(SyntaxFault, read_numbers, argument, count)

    def test_words_and_their_absence(self) -> None:
        self.assertEqual(read_word(b" x y "), b" x y ")
        self.assertRaises(SyntaxFault, read_word, b"")
        read_nothing(b"")
        self.assertRaises(SyntaxFault, read_nothing, b"x")

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=40), st.integers(0, 3))
    def test_anything_else_is_a_syntax_fault(self, line: bytes, count: int) -> None:
        _, argument = split_command(line)
        readers: list[Callable[[], object]] = [
            lambda: read_numbers(argument, count), lambda: read_word(argument),
            lambda: read_nothing(argument),
        ]
        for read in readers:
            try:
                read()
            except SyntaxFault:
                continue
