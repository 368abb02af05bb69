"""A text that is looked for in messages: exactly, whatever they encode it in.

Texts are compared after decoding, without regard to case, and as the same where
Unicode holds them for compatible: full-width and half-width letters, composed and
decomposed ones.  A Hangul syllable is one letter: it is not the beginning of
another one.

Most mail is ASCII, and is compared as octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from unicodedata import combining, normalize

from .charset import codec_for, decode
from .headers import Fields
from .parameters import decode_parameters, parse_parameters
from .words import decode_text

#: Every ASCII octet, and a shift to another character set as ISO 2022 has it.
_ASCII = bytes(range(128)) + b"\x1b$B0!\x1b(B"
#: The tab of a fold stands for the blank that was there before.
_FOLDS = (b"\r\n ", b"\r\n\t", b"\n ", b"\n\t")
#: A parameter in RFC 2231's way: ``filename*=``, ``filename*0*=``.
_EXTENDED = re.compile(rb"\*[0-9]*+\*?=")


#: The parameters that hold the name of a part's file, by field.
_FILE_NAMES = {b"content-disposition": "filename", b"content-type": "name"}
#: Characters that are folded at a time.  Some fold to eighteen each (attack: a
#: text of U+FDFA that fills the memory).
WINDOW = 16 * 1024
#: ASCII octets that are looked through in one go: no other thread runs meanwhile.
STEP = 1024 * 1024
#: Combining marks in a row that are put in order; a character that is none goes
#: between this many and the next (UAX 15, section 13: Stream-Safe Text Format).
#: Ordering takes the square of their number (attack: a hundred thousand accents).
MAX_MARKS = 30
_JOINER = "\u034f"
_PAST_LAST_MARK = 0x1E94B
#: No character before an ASCII one has to do with what follows it; so far away
#: such a place is sought for a cut.
_BOUNDARY_REACH = 1024
_BOUNDARY = re.compile(r"[\0-\x7f]")


def fold(text: str) -> str:
    """*text* in the form in which texts are compared."""
    if text.isascii():
        return text.lower()
    suspicious, long_run = _mark_patterns()
    if suspicious.search(text) is not None:
        text = long_run.sub(_break_run, text)
    return normalize("NFKC", normalize("NFKC", text).casefold())


def _break_run(run: re.Match[str]) -> str:
    return run[0] + _JOINER


@lru_cache(maxsize=1)
def _mark_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for very many combining marks in a row: a quick one, which takes
    everything beyond 16 bits for a mark, and an exact one.
    """
    marks = [
        chr(code) for code in range(0x300, _PAST_LAST_MARK) if combining(chr(code))
    ]
    near = "".join(mark for mark in marks if mark <= "\uffff")
    quick = f"[{near}\U00010000-\U0010ffff]"
    exact = f"[{''.join(marks)}]"
    return (
        # Its first character stands alone, which makes searching thirty times faster.
        re.compile(f"{quick}{quick}{{{MAX_MARKS}}}"),
        re.compile(f"{exact}{{{MAX_MARKS}}}(?={exact})"),
    )


class Needle:
    """A text to look for.  Nothing here raises, whatever it looks at."""

    __slots__ = ("_has_blanks", "_octets", "_text")

    def __init__(self, text: str) -> None:
        self._text = fold(text)
        # ASCII octets hold no text that is not ASCII.
        self._octets = self._text.encode() if self._text.isascii() else None
        # A line is folded before a blank, so no other text goes across a fold.
        self._has_blanks = " " in self._text or "\t" in self._text

    def in_text(self, text: str) -> bool:
        """Whether *text* has it."""
        if self._octets is None and text.isascii():
            return False
        if len(text) <= WINDOW:
            return self._text in fold(text)
        # The longest sequences that compose to one character have four.
        overlap = 4 * len(self._text) + 2 * _BOUNDARY_REACH
        return any(self._text in fold(window) for window in _windows(text, overlap))

    def in_octets(self, octets: bytes, charset: str) -> bool:
        """Whether *octets*, a text in *charset*, have it."""
        if octets.isascii() and _keeps_ascii(charset):
            return self._octets is not None and _has(octets, self._octets)
        return self.in_text(decode(octets, charset))

    def in_value(self, value: bytes) -> bool:
        """Whether the value of a header field has it; encoded words count."""
        value = _unfolded(value.strip())
        if value.isascii() and b"=?" not in value:
            return self._in_plain(value) or self._in_parameters(value)
        return self.in_text(decode_text(value)) or self._in_parameters(value)

    def in_header(self, header: bytes) -> bool:
        """Whether any field has it, in ``Name: value`` or in a parameter."""
        if not header.isascii():
            return any(
                self.in_value(name + b": " + value) for name, value in Fields(header)
            )
        if b"=?" in header:
            found = self.in_text(decode_text(_unfolded(header)))
        else:
            found = self._in_plain(header)
        return found or any(
            self._in_parameters(value)
            for name, value in (Fields(header) if _EXTENDED.search(header) else ())
        )

    def in_file_name(self, header: bytes) -> bool:
        """Whether the header of a part has it in the name of its file."""
        if (
            header.isascii()
            and b"=?" not in header
            and b"*" not in header
            and not self._in_plain(header)
        ):
            return False
        for name, value in Fields(header):
            if name in _FILE_NAMES:
                parameters = decode_parameters(parse_parameters(value)[1])
                if self.in_text(parameters.get(_FILE_NAMES[name], "")):
                    return True
        return False

    def _in_plain(self, octets: bytes) -> bool:
        """Whether ASCII octets of a header have it, folds taken out."""
        if self._octets is None:
            return False
        if self._has_blanks:
            octets = _unfolded(octets)
        return self._octets in octets.lower()

    def _in_parameters(self, value: bytes) -> bool:
        if b"*" not in value or _EXTENDED.search(value) is None:
            return False
        _, parameters = parse_parameters(_unfolded(value))
        return any(map(self.in_text, decode_parameters(parameters).values()))


def _has(octets: bytes, wanted: bytes) -> bool:
    """Whether *octets* have what is *wanted*, which is in lower case."""
    if len(octets) <= STEP:
        return wanted in octets.lower()
    step, length = STEP, len(octets)
    return any(
        wanted in octets[start : start + step + len(wanted)].lower()
        for start in range(0, length, step)
    )


def _unfolded(octets: bytes) -> bytes:
    """Header fields, each on one line.

    A pattern would need six times as long, in which nobody else could run.
    """
    if b"\n" in octets:
        for fold in _FOLDS:
            octets = octets.replace(fold, b" ")
    return octets


def _windows(text: str, overlap: int) -> Iterator[str]:
    """Pieces of *text* that overlap: what is *overlap* long is whole in one."""
    step = max(WINDOW, overlap)
    start = stop = 0
    while stop < len(text):
        stop = _boundary(text, start + step + overlap)
        yield text[start:stop]
        start = _boundary(text, start + step)


def _boundary(text: str, at: int) -> int:
    found = _BOUNDARY.search(text, at, at + _BOUNDARY_REACH)
    return min(at, len(text)) if found is None else found.start()


@lru_cache(maxsize=256)
def _keeps_ascii(charset: str) -> bool:
    """Whether all ASCII octets are ASCII text in *charset*.

    They are not in ISO-2022-JP, UTF-7, UTF-16 and their like.
    """
    codec = codec_for(charset)
    if codec is None:
        return True
    try:
        return _ASCII.decode(codec).encode("ascii") == _ASCII
    except UnicodeError:
        return False
