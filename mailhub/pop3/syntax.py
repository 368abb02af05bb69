"""POP3 command lines (RFC 1939, section 3; RFC 2449, section 3)."""

from __future__ import annotations

from ..errors import SyntaxFault

#: Digits of a number: more than any message number needs, and cheap for int().
MAX_DIGITS = 10


def split_command(line: bytes) -> tuple[bytes, bytes]:
    """The verb in capitals, and the rest of *line* after one space."""
    verb, _, argument = line.partition(b" ")
    return verb.upper(), argument


def read_number(text: bytes) -> int:
    """A number in decimal digits, and nothing else.

    :raises SyntaxFault: signs, spaces, underscores, other scripts' digits, more
        than ``MAX_DIGITS``.
    """
    if not text.isdigit() or len(text) > MAX_DIGITS:
        raise SyntaxFault("not a number")
    return int(text)


def read_numbers(argument: bytes, count: int) -> list[int]:
    """Exactly *count* numbers.

    :raises SyntaxFault: more, fewer, or something else.
    """
    words = argument.split()
    if len(words) != count:
        raise SyntaxFault(f"{len(words)} arguments instead of {count}")
    return [read_number(word) for word in words]


def read_word(argument: bytes) -> bytes:
    """An argument that may not be empty; spaces are part of it.

    RFC 1939, section 7 (PASS): a command with exactly one argument may take
    spaces as part of it.

    :raises SyntaxFault: there is none.
    """
    if not argument:
        raise SyntaxFault("an argument is missing")
    return argument


def read_nothing(argument: bytes) -> None:
    """For commands without arguments.

    :raises SyntaxFault: there is one.
    """
    if argument.strip():
        raise SyntaxFault("an argument too many")
