"""The parts of a MIME message as spans of octets (RFC 2045, 2046, 3501).

:func:`parse` looks at a message once, from outside to inside, without recursion
and without copying bodies.  Whatever it is given it makes a finite tree: where a
limit is reached, or the structure makes no sense, what is left is one part.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .headers import Fields, Octets, header_end
from .parameters import (
    Parameters,
    parse_media_type,
    parse_parameters,
    raw_parameter,
)
from .scan import DelimiterSearch, count_lines

#: Parts inside parts (attack: ten thousand multiparts, each in the next).
MAX_DEPTH = 100
#: Parts of a message (attack: a hundred thousand empty parts).
MAX_PARTS = 10_000
#: Octets of the headers of all parts below the message's own.
MAX_PART_HEADERS = 1024 * 1024
#: Octets of a boundary; RFC 2046, section 5.1.1, allows 70.
MAX_BOUNDARY = 250
#: Octets that may be searched for delimiters: this often the message's, or the
#: second figure if that is more.  Each level of multiparts is searched anew, but
#: base64 costs next to nothing (see :class:`DelimiterSearch`).
SEARCHES_OF_MESSAGE = 2
MIN_SEARCHED = 16 * 1024 * 1024
#: A line that only begins like a delimiter counts as that many octets searched.
_MISS_COST = 1024

#: The rest of a delimiter's line; two hyphens end the multipart.
_DELIMITER_END = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\Z)")
#: How a header begins; a part that begins otherwise has none.
_HEADER_START = re.compile(rb"[!-9;-~]++[ \t]*+:|\r?\n")
_TOKEN = re.compile(rb"[!-~]{1,64}")
_IDENTITY_ENCODINGS = frozenset((b"7bit", b"8bit", b"binary"))
_CR = 0x0D


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message; or a message, as the only part of what holds it.

    The tree of a message begins with a part of type ``message/rfc822`` that has
    the whole message for its body, so that sections of messages and of messages
    inside of messages are looked up alike.

    Offsets count octets from the start of the whole message.

    :ivar start: where its header starts, and its body at *body_start*.
    :ivar lines: line ends in the body of a text or a message; 0 for others.
    :ivar type: in lower case, as *subtype*.
    :ivar charset: of text, as declared, or ``""``.
    :ivar encoding: the Content-Transfer-Encoding in lower case.
    :ivar parts: of a multipart, one or more; the message of a message/rfc822.
    :ivar parameters: of its Content-Type.  Not kept by :func:`dump`.
    :ivar fields: of its header.  Not kept by :func:`dump`.
    """

    start: int
    body_start: int
    stop: int
    lines: int = 0
    type: bytes = b"text"
    subtype: bytes = b"plain"
    charset: str = ""
    encoding: bytes = b"7bit"
    parts: tuple[Part, ...] = ()
    parameters: Parameters = field(default=(), compare=False, repr=False)
    fields: Fields | None = field(default=None, compare=False, repr=False)

    @property
    def message(self) -> Part | None:
        """The message inside a ``message/rfc822`` part."""
        return self.parts[0] if self.parts and self.type == b"message" else None

    def find(self, path: tuple[int, ...]) -> Part | None:
        """The part with that section number, or ``None`` (RFC 3501, 6.4.5).

        Asked of the tree's first part; ``()`` is the whole message.  A message
        that is no multipart has itself as its part 1.
        """
        part = self
        for number in path:
            inner = part.message
            if inner is not None:
                part = inner
                if part.type != b"multipart":
                    if number != 1:
                        return None
                    continue
            if part.type != b"multipart" or not 1 <= number <= len(part.parts):
                return None
            part = part.parts[number - 1]
        return part

    def walk(self) -> Iterator[Part]:
        """This part and all in it, each before those inside it, in order."""
        waiting = [self]
        while waiting:
            part = waiting.pop()
            yield part
            waiting.extend(reversed(part.parts))


def parse(content: Octets, prefix: bytes = b"") -> Part:
    """The tree of the message that is *prefix* followed by *content*.

    :param prefix: header lines, each with its line end, that stand before the
        content's own header; they count for the offsets.
    """
    body_start = header_end(content)
    fields = Fields(prefix + bytes(content[:body_start]))
    return parse_body(content, len(prefix), body_start, fields)


def parse_body(content: Octets, shift: int, body_start: int, fields: Fields) -> Part:
    """The tree of a message whose header has been read.

    :param shift: octets before *content* that count for the offsets.
    :param body_start: where its body starts in *content*.
    """
    return _Parser(content, shift).parse(body_start, fields)


def read_media(fields: Fields) -> tuple[bytes, bytes, Parameters, bytes]:
    """-> type, subtype, parameters and encoding, all but values in lower case"""
    value = fields.first(b"content-type")
    media = (b"text", b"plain", ()) if value is None else parse_media_type(value)
    encoding = fields.first(b"content-transfer-encoding")
    if not encoding:
        return *media, b"7bit"
    word, _ = parse_parameters(encoding)
    return *media, word if _TOKEN.fullmatch(word) else b"binary"


def charset_of(kind: bytes, parameters: Parameters) -> str:
    """The charset that a text declares, or ``""``."""
    if kind == b"text":
        value = raw_parameter(parameters, b"charset")
        if _TOKEN.fullmatch(value):
            return value.decode("ascii")
    return ""


class _Node:
    """A part that is being read; offsets count in the content."""

    __slots__ = (
        "body_start", "children", "depth", "encoding", "fields", "lines",
        "parameters", "part", "start", "stop", "subtype", "type",
    )
    part: Part

    def __init__(self, start: int, stop: int, depth: int) -> None:
        self.start = self.body_start = start
        self.stop = stop
        self.depth = depth
        self.lines = 0
        self.type, self.subtype = b"application", b"octet-stream"
        self.parameters: Parameters = ()
        self.encoding = b"7bit"
        self.fields = _NO_FIELDS
        self.children: list[_Node] = []

    def learn(self, fields: Fields, in_digest: bool = False) -> None:
        """Learn the type from the header's fields."""
        self.fields = fields
        self.type, self.subtype, self.parameters, self.encoding = read_media(fields)
        if in_digest and b"content-type" not in fields:
            # RFC 2046, section 5.1.5.
            self.type, self.subtype = b"message", b"rfc822"

    def make_opaque(self) -> None:
        """Forget that the part may have parts inside."""
        self.type, self.subtype = b"application", b"octet-stream"
        self.parameters = ()

    def freeze(self, shift: int) -> Part:
        """The part, after its children were frozen."""
        return Part(
            self.start + shift, self.body_start + shift, self.stop + shift, self.lines,
            self.type, self.subtype, charset_of(self.type, self.parameters),
            self.encoding,
            tuple([child.part for child in self.children]),
            self.parameters, self.fields,
        )


_NO_FIELDS = Fields(b"")


class _Parser:
    """One message.  Every kind of work has an allowance, which only shrinks."""

    def __init__(self, content: Octets, shift: int) -> None:
        self._content = content
        self._shift = shift
        self._parts_left = MAX_PARTS
        self._headers_left = MAX_PART_HEADERS
        allowance = max(SEARCHES_OF_MESSAGE * len(content), MIN_SEARCHED)
        self._search = DelimiterSearch(content, allowance)

    def parse(self, body_start: int, fields: Fields) -> Part:
        content, shift = self._content, self._shift
        root = _Node(-shift, len(content), 1)
        root.body_start = body_start
        root.learn(fields)
        nodes = [root]
        # Grows while it is walked: parents always come before their children.
        for node in nodes:
            nodes += self._open(node)
        self._count_lines(nodes)
        for node in reversed(nodes):
            node.part = node.freeze(shift)
        return Part(
            0, 0, len(content) + shift, type=b"message", subtype=b"rfc822",
            parts=(root.part,), fields=_NO_FIELDS,
        )

    def _open(self, node: _Node) -> list[_Node]:
        """The parts inside a part, if it has some and the limits allow it."""
        if node.type == b"multipart":
            within_limits = node.depth < MAX_DEPTH and self._parts_left > 0
            spans = self._divide(node) if within_limits else []
            if not spans and within_limits and self._search.allowance >= 0:
                # RFC 2045, section 5.2: what is no valid type is plain text.
                node.type, node.subtype, node.parameters = b"text", b"plain", ()
                return []
        elif node.type == b"message" and node.subtype == b"rfc822":
            within_limits = node.depth < MAX_DEPTH and self._parts_left > 0
            is_plain = node.encoding in _IDENTITY_ENCODINGS
            spans = [(node.body_start, node.stop)] if within_limits and is_plain else []
        else:
            return []
        if not spans:
            node.make_opaque()
        self._parts_left -= len(spans)
        node.children = [self._child(node, start, stop) for start, stop in spans]
        return node.children

    def _divide(self, node: _Node) -> list[tuple[int, int]]:
        """The spans between the delimiters of a multipart (RFC 2046, 5.1.1).

        Where an allowance ends, the last span has all that is left.
        """
        boundary = raw_parameter(node.parameters, b"boundary").rstrip()
        if not boundary or len(boundary) > MAX_BOUNDARY:
            return []
        content, search, stop = self._content, self._search, node.stop
        needle = b"\n--" + boundary
        # A delimiter may stand right behind the header's last line end.
        position = max(node.body_start - 1, 0)
        spans: list[tuple[int, int]] = []
        start = -1
        while (found := search.find(needle, position, stop)) >= 0:
            position = found + len(needle)
            end = _DELIMITER_END.match(content, position, stop)
            if end is None:
                search.allowance -= _MISS_COST
                continue
            if start >= 0:
                # The line end before a delimiter is a part of it.
                before = found - 1 if content[found - 1] == _CR else found
                spans.append((start, max(start, before)))
            # Behind the last delimiter there are no parts, by the rule.  But some
            # gave nested multiparts one boundary; their parts shall not vanish.
            start = -1 if end[1] else end.end()
            position = end.end() - 1
            if len(spans) + 1 == self._parts_left:
                break
        if start >= 0:
            spans.append((start, stop))
        return spans

    def _child(self, parent: _Node, start: int, stop: int) -> _Node:
        content = self._content
        node = _Node(start, stop, parent.depth + 1)
        in_multipart = parent.type == b"multipart"
        body_start = start
        if not in_multipart or _HEADER_START.match(content, start, stop):
            body_start = header_end(content, start, stop)
        self._headers_left -= body_start - start
        if self._headers_left >= 0:
            node.body_start = body_start
            in_digest = in_multipart and parent.subtype == b"digest"
            node.learn(Fields(bytes(content[start:body_start])), in_digest)
        return node

    def _count_lines(self, nodes: list[_Node]) -> None:
        """Count each octet's line end once, however many parts it is in."""
        counted = [
            node for node in nodes
            if node.type == b"text" or (node.type == b"message" and node.children)
        ]
        if len(counted) == 1:
            [node] = counted
            node.lines = count_lines(self._content, node.body_start, node.stop)
            return
        depths: dict[int, int] = {}
        for node in counted:
            depths[node.body_start] = depths.get(node.body_start, 0) + 1
            depths[node.stop] = depths.get(node.stop, 0) - 1
        lines_before: dict[int, int] = {}
        total = depth = last = 0
        for point in sorted(depths):
            if depth:
                total += count_lines(self._content, last, point)
            lines_before[point] = total
            depth += depths[point]
            last = point
        for node in counted:
            node.lines = lines_before[node.stop] - lines_before[node.body_start]


#: A part of a tree as :func:`dump` writes it: start, body_start, stop, lines and the
#: number of parts; then type, subtype, charset and encoding.
DUMPED_SPAN = b"%d %d %d %d %d %b"
DUMPED_MEDIA = b"%b %b %b %b"


def dump(tree: Part) -> bytes:
    """A message's tree (of :func:`parse`) in few octets: what sections need."""
    return b"\n".join([
        DUMPED_SPAN % (
            part.start, part.body_start, part.stop, part.lines, len(part.parts),
            DUMPED_MEDIA % (
                part.type, part.subtype, part.charset.encode(), part.encoding
            ),
        )
        for part in tree.parts[0].walk()
    ])


def load(dumped: bytes) -> Part:
    """The tree that :func:`dump` was given.

    :raises ValueError: this is not from :func:`dump`.
    """
    waiting: list[Part] = []
    for row in reversed(dumped.split(b"\n")):
        start, body_start, stop, lines, count, kind, subtype, charset, encoding = (
            row.split(b" ")
        )
        inside = len(waiting) - int(count)
        parts = tuple(reversed(waiting[inside:]))
        del waiting[inside:]
        waiting.append(Part(
            int(start), int(body_start), int(stop), int(lines), kind, subtype,
            charset.decode(), encoding, parts,
        ))
    [message] = waiting
    return Part(
        0, 0, message.stop, type=b"message", subtype=b"rfc822", parts=(message,)
    )
