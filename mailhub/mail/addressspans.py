"""Where in a header field its addresses stand, for who changes only them.

:mod:`.addresslist` says what is in a list; here it is said where, so that all else can
stay as its author has written it: names, comments, folding, groups.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .address import MAX_MAILBOX

_TOKEN = re.compile(
    rb'(?P<blank>[ \t\r\n]++)|(?P<word>[^\0- \x7f"(),:;<>@\[\\\]]++'
    rb'|"[^"\\]*+(?:\\.[^"\\]*+)*+")|(?P<literal>\[[^\[\]\\<>,;@]*+\])'
    rb"|(?P<mark>[<>@,:;])|(?P<comment>\()",
    re.DOTALL,
)
_PARENTHESIS = re.compile(rb"[^()\\]*+(?:\\.[^()\\]*+)*+([()])", re.DOTALL)
_OTHER_MARKS = frozenset({b"<", b">", b",", b":", b";"})


@dataclass(frozen=True, slots=True)
class Span:
    """An address in a value: ``value[start:stop]``.

    :ivar text: the address without the blanks and comments that may be within it.
    """

    start: int
    stop: int
    text: bytes


_Token = tuple[int, int, bytes]


def address_spans(value: bytes) -> Iterator[Span]:
    """Where the addresses of a list stand (RFC 5322, sections 3.4 and 4.4).

    What could be two addresses, or none, is left out; from where quotes or comments do
    not end on, everything.

    :param value: a field's, folded as it is.
    """
    entry: list[_Token] = []
    in_angle = False
    for token in _tokens(value):
        mark = token[2]
        in_angle = mark == b"<" or (in_angle and mark != b">")
        if not in_angle and mark in (b",", b";", b":"):
            yield from _span(value, entry)
            entry = []
        else:
            entry.append(token)
    yield from _span(value, entry)


def _tokens(value: bytes) -> Iterator[_Token]:
    """Words, literals and marks; an end without more where nothing fits."""
    position = 0
    while found := _TOKEN.match(value, position):
        position = found.end()
        if found.lastgroup == "comment":
            position = _comment_end(value, position)
        elif found.lastgroup != "blank":
            yield found.start(), found.end(), found[0]


def _comment_end(value: bytes, position: int) -> int:
    """Behind a comment that began before *position*; the end of all if it has none."""
    depth = 1
    while depth:
        found = _PARENTHESIS.match(value, position)
        if found is None:
            return len(value)
        depth += 1 if found[1] == b"(" else -1
        position = found.end()
    return position


def _span(value: bytes, entry: list[_Token]) -> Iterator[Span]:
    """The address of one entry, if it has exactly one."""
    marks = [text for _, _, text in entry]
    if b"<" in marks:
        if marks.count(b"<") > 1 or b">" not in marks:
            return
        begin, end = marks.index(b"<") + 1, marks.index(b">")
        entry, marks = entry[begin:end], marks[begin:end]
    if marks[:1] == [b"@"]:
        # ``<@a,@b:c@d>``: a route (RFC 5322, section 4.4).
        colon = marks.index(b":") + 1 if b":" in marks else len(marks)
        entry, marks = entry[colon:], marks[colon:]
    if marks.count(b"@") != 1 or not _OTHER_MARKS.isdisjoint(marks):
        return
    at = marks.index(b"@")
    if not (0 < at < len(marks) - 1 and _is_joined(entry[:at] + entry[at + 1 :], at)):
        return
    text = b"".join(marks)
    if len(text) <= MAX_MAILBOX:
        yield Span(entry[0][0], entry[-1][1], text)


def _is_joined(words: list[_Token], at: int) -> bool:
    """Whether words stand beside each other, or a dot is between them."""
    for number in range(1, len(words)):
        before, after = words[number - 1], words[number]
        if number == at or before[1] == after[0]:
            continue
        if not (before[2].endswith(b".") or after[2].startswith(b".")):
            return False
    return True
