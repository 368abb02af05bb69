"""Address lists of header fields, read tolerantly (RFC 5322, sections 3.4, 4.4).

From, To and their like come in every shape: groups, comments, routes, blanks
around dots, lists without commas, garbage.  Everything is read in one pass and
nothing is refused; but what could be two addresses is none (attack: an address
that one reader takes for a trusted one and another for an evil one).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

#: Entries that are read; the rest of the list is dropped.
MAX_ADDRESSES = 10_000
#: Tokens that are read of entries in unusual shapes, some ten for each address:
#: they take a thousand times as long as octets in usual ones.
MAX_TOKENS = 20_000
#: Comments inside comments; where they go deeper, the list ends.
MAX_COMMENT_DEPTH = 32

_ATOM = rb"[^\0- \x7f\"(),:;<>@\[\\\]]"
#: ``Name <a@b>``, ``"Name" <a@b>``, ``<a@b>`` or ``a@b`` up to the next comma:
#: nearly all there is, in one step.
_USUAL = re.compile(
    rb'[ \t\r\n]*+(?:(?:"([^"\\\r\n]*+)"|(' + _ATOM + rb"++(?: " + _ATOM + rb"++)*+))?"
    rb"[ \t]*+<(" + _ATOM + rb"++)@(" + _ATOM + rb"++)>"
    rb"|(" + _ATOM + rb"++)@(" + _ATOM + rb"++))[ \t\r\n]*+(?:,|\Z)"
)
_TOKEN = re.compile(
    rb'([ \t\r\n]++)|(' + _ATOM + rb'++)|"([^"\\]*+(?:\\.[^"\\]*+)*+)(?:"|\\?\Z)'
    rb"|(\[[^\[\]\\<>,;@]*+\])|([<>@,;:])|(\()|(.)",
    re.DOTALL,
)
_QUOTED_PAIR = re.compile(rb"\\(.?)", re.DOTALL)
_TO_PARENTHESIS = re.compile(
    rb"[^()\\]*+(?:\\.[^()\\]*+)*+([()]|\\?\Z)", re.DOTALL
)


class _Kind(Enum):
    """The groups of ``_TOKEN``, in order."""

    BLANK = 1
    ATOM = 2
    QUOTED = 3
    LITERAL = 4
    SPECIAL = 5
    COMMENT = 6
    OTHER = 7


_KINDS = (_Kind.BLANK, *_Kind)
_Token = tuple[_Kind, bytes]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address of a list.

    Encoded words (RFC 2047) stay as they are.  Parts that are missing are empty;
    of an entry that makes no sense everything is in *name*.

    :ivar name: the display name, or else a comment; unquoted.
    :ivar route: such as ``@a,@b`` (RFC 5322, section 4.4).
    :ivar local: unquoted.
    """

    name: bytes
    route: bytes
    local: bytes
    domain: bytes


@dataclass(frozen=True, slots=True)
class GroupStart:
    """What follows, up to :class:`GroupEnd`, belongs to the group *name*."""

    name: bytes


@dataclass(frozen=True, slots=True)
class GroupEnd:
    """The end of a group; never missing."""


Listed = Mailbox | GroupStart | GroupEnd


def parse_address_list(value: bytes) -> list[Listed]:
    """The addresses and groups in the value of a field, in order."""
    found: list[Listed] = []
    position = 0
    while len(found) < MAX_ADDRESSES and (usual := _USUAL.match(value, position)):
        found.append(_usual_mailbox(usual))
        position = usual.end()
    if position < len(value) and len(found) < MAX_ADDRESSES:
        _UnusualList(value, position, found).read()
    return found


def _usual_mailbox(usual: re.Match[bytes]) -> Mailbox:
    quoted, phrase, local, domain, bare_local, bare_domain = usual.groups(b"")
    return Mailbox(quoted or phrase, b"", local or bare_local, domain or bare_domain)


class _UnusualList:
    """Reads a list token by token.

    An entry's tokens gather in ``_before`` the angle bracket, ``_inside`` it
    (``None`` until it opens) and ``_after`` it.
    """

    def __init__(self, value: bytes, position: int, found: list[Listed]) -> None:
        self._value = value
        self._position = position
        self._found = found
        self._in_group = False
        self._in_route = False
        self._before: list[_Token] = []
        self._inside: list[_Token] | None = None
        self._after: list[_Token] = []
        self._current = self._before

    def read(self) -> None:
        """Add what stands from the position on to the list."""
        for _ in range(MAX_TOKENS):
            if not self._before and self._current is self._before:
                self._skip_usual()
            token = self._next()
            if token is None or len(self._found) >= MAX_ADDRESSES:
                break
            if token[0] is _Kind.SPECIAL:
                self._special(token)
            elif token[0] is not _Kind.BLANK or self._current:
                self._current.append(token)
        self._end_entry()
        # The end of a group counts, too.
        del self._found[MAX_ADDRESSES - self._in_group :]
        self._end_group()

    def _skip_usual(self) -> None:
        while len(self._found) < MAX_ADDRESSES:
            usual = _USUAL.match(self._value, self._position)
            if usual is None:
                return
            self._found.append(_usual_mailbox(usual))
            self._position = usual.end()

    def _next(self) -> _Token | None:
        found = _TOKEN.match(self._value, self._position)
        if found is None or found.lastindex is None:
            return None
        self._position = found.end()
        kind, text = _KINDS[found.lastindex], found[found.lastindex]
        if kind is _Kind.COMMENT:
            text = self._comment()
        elif kind is _Kind.QUOTED:
            text = _unescaped(text)
        return kind, text

    def _comment(self) -> bytes:
        """The text of a comment (RFC 5322, section 3.2.2), behind its ``(``."""
        start, depth = self._position, 1
        stop = self._position = len(self._value)
        for found in _TO_PARENTHESIS.finditer(self._value, start):
            if found[1] == b"(":
                depth += 1
            elif found[1] == b")":
                depth -= 1
            if depth == 0:
                stop, self._position = found.span(1)
            if depth == 0 or depth > MAX_COMMENT_DEPTH:
                break
        return _unescaped(self._value[start:stop])

    def _special(self, token: _Token) -> None:
        mark = token[1]
        in_angle = self._current is self._inside
        if mark == b":" and self._starts_group():
            self._found.append(GroupStart(_phrase(self._before)))
            self._in_group = True
            self._start_entry([])
        elif mark == b";":
            self._end_entry()
            self._end_group()
        elif mark == b"," and not self._in_route:
            self._end_entry()
        elif mark == b"<" and not in_angle:
            self._open_angle()
        elif mark == b">" and in_angle:
            self._current = self._after
            self._in_route = False
        elif mark not in b"<>":
            # ``<@a,@b:c@d>``: commas up to the colon belong to the route.
            if mark == b"@" and in_angle and not self._inside:
                self._in_route = True
            elif mark == b":":
                self._in_route = False
            self._current.append(token)

    def _starts_group(self) -> bool:
        if self._in_group or self._inside is not None:
            return False
        return all(kind is not _Kind.SPECIAL for kind, _ in self._before)

    def _start_entry(self, before: list[_Token]) -> None:
        self._before = self._current = before
        self._inside = None
        self._after = []
        self._in_route = False

    def _open_angle(self) -> None:
        if self._inside is not None:
            # A second address without a comma; the words between name it.
            words, self._after = self._after, []
            self._end_entry()
            self._start_entry(words)
        self._inside = self._current = []

    def _end_entry(self) -> None:
        before, inside, after = self._before, self._inside, self._after
        if inside is not None:
            self._found.append(_read_entry(_phrase(before), inside, before + after))
        elif any(kind not in _FILLING for kind, _ in before):
            self._found.append(_read_entry(b"", before, []))
        self._start_entry([])

    def _end_group(self) -> None:
        if self._in_group:
            self._found.append(GroupEnd())
        self._in_group = False


def _unescaped(text: bytes) -> bytes:
    # Joining what a pattern splits is several times as fast as substituting.
    return b"".join(_QUOTED_PAIR.split(text)) if b"\\" in text else text


_FILLING = (_Kind.BLANK, _Kind.COMMENT)
_AT = (_Kind.SPECIAL, b"@")
_COLON = (_Kind.SPECIAL, b":")


def _read_entry(name: bytes, tokens: list[_Token], around: list[_Token]) -> Mailbox:
    """The address in *tokens*: what stands in angle brackets, or alone.

    :param around: the tokens outside the brackets.
    """
    name = name or _last_comment(tokens + around)
    route = b""
    words = [token for token in tokens if token[0] is not _Kind.COMMENT]
    if words and words[0] == _AT and _COLON in words:
        colon = words.index(_COLON)
        route = b"".join(text for kind, text in words[:colon] if kind not in _FILLING)
        words = words[colon + 1 :]
    at = words.index(_AT) if _AT in words else len(words)
    local = _joined(words[:at], (_Kind.ATOM, _Kind.QUOTED))
    domain = _joined(words[at + 1 :], (_Kind.ATOM, _Kind.LITERAL))
    if local is None or domain is None:
        return Mailbox(name or _phrase(tokens), b"", b"", b"")
    return Mailbox(name, route, local, domain)


def _joined(tokens: list[_Token], kinds: tuple[_Kind, ...]) -> bytes | None:
    """The text of a local part or domain; ``None`` if it is none.

    Blanks are allowed around dots only (RFC 5322, section 4.4).
    """
    words = [b""]
    gap = False
    for kind, word in tokens:
        if kind is _Kind.BLANK:
            gap = True
            continue
        if kind not in kinds:
            return None
        if gap and words[-1] and not (words[-1].endswith(b".") or word[:1] == b"."):
            return None
        words.append(word)
        gap = False
    return b"".join(words)


def _phrase(tokens: list[_Token]) -> bytes:
    """Words with one blank wherever there were some, without comments."""
    words: list[bytes] = []
    gap = False
    for kind, word in tokens:
        if kind in _FILLING:
            gap = bool(words)
            continue
        if gap:
            words.append(b" ")
        words.append(word)
        gap = False
    return b"".join(words)


def _last_comment(tokens: list[_Token]) -> bytes:
    """For ``a@b (Name)``, as mail of old had it."""
    for kind, text in reversed(tokens):
        if kind is _Kind.COMMENT:
            return b" ".join(text.split())
    return b""
