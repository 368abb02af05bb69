"""A strict reader of what RFC 3501, section 9, calls envelope and body.

Written from the grammar alone, so that it can judge what the program prepares:
it raises ``ValueError`` for any octet that a client need not accept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: An nstring: octets, or ``None`` for NIL.
Text = bytes | None
Address = tuple[Text, Text, Text, Text]

_QUOTED = re.compile(rb'"((?:[\x01-\x7f](?<![\r\n"\\])|\\["\\])*)"')
_LITERAL = re.compile(rb"\{(0|[1-9][0-9]*)\}\r\n")
_NUMBER = re.compile(rb"0|[1-9][0-9]*")


@dataclass
class Envelope:
    """The ten members of an envelope."""

    date: Text
    subject: Text
    author: list[Address] | None
    sender: list[Address] | None
    reply_to: list[Address] | None
    to: list[Address] | None
    cc: list[Address] | None
    bcc: list[Address] | None
    in_reply_to: Text
    message_id: Text


@dataclass
class Body:
    """A body; which members are set depends on its type."""

    type: bytes
    subtype: bytes
    parts: list[Body]
    parameters: list[tuple[bytes, bytes]] | None = None
    id: Text = None
    description: Text = None
    encoding: bytes = b""
    octets: int = -1
    lines: int = -1
    envelope: Envelope | None = None
    md5: Text = None
    disposition: tuple[bytes, list[tuple[bytes, bytes]] | None] | None = None
    language: list[bytes] | None = None
    location: Text = None


def read_envelope(octets: bytes) -> Envelope:
    """All of *octets* is one envelope."""
    reader = _Reader(octets)
    envelope = reader.envelope()
    reader.end()
    return envelope


def read_body(octets: bytes, *, extensible: bool) -> Body:
    """All of *octets* is one body: of BODYSTRUCTURE if *extensible*, or of BODY."""
    reader = _Reader(octets)
    body = reader.body(extensible)
    reader.end()
    return body


class _Reader:
    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0

    def fail(self, expected: str) -> ValueError:
        return ValueError(f"{expected} expected at {self.octets[self.at:][:60]!r}")

    def end(self) -> None:
        if self.at != len(self.octets):
            raise self.fail("the end")

    def next_is(self, text: bytes) -> bool:
        return self.octets.startswith(text, self.at)

    def take(self, text: bytes) -> None:
        if not self.next_is(text):
            raise self.fail(repr(text))
        self.at += len(text)

    def number(self) -> int:
        found = _NUMBER.match(self.octets, self.at)
        if found is None or int(found[0]) >= 2**32:
            raise self.fail("number")
        self.at = found.end()
        return int(found[0])

    def string(self) -> bytes:
        if found := _QUOTED.match(self.octets, self.at):
            self.at = found.end()
            return re.sub(rb"\\(.)", rb"\1", found[1])
        if found := _LITERAL.match(self.octets, self.at):
            stop = found.end() + int(found[1])
            text = self.octets[found.end() : stop]
            if len(text) != int(found[1]) or b"\0" in text:
                raise self.fail("whole literal without NUL")
            self.at = stop
            return text
        raise self.fail("string")

    def nstring(self) -> Text:
        if self.next_is(b"NIL"):
            self.take(b"NIL")
            return None
        return self.string()

    def envelope(self) -> Envelope:
        self.take(b"(")
        date = self.nstring()
        self.take(b" ")
        subject = self.nstring()
        lists = []
        for _ in range(6):
            self.take(b" ")
            lists.append(self.addresses())
        self.take(b" ")
        in_reply_to = self.nstring()
        self.take(b" ")
        message_id = self.nstring()
        self.take(b")")
        return Envelope(date, subject, *lists, in_reply_to, message_id)

    def addresses(self) -> list[Address] | None:
        if self.next_is(b"NIL"):
            self.take(b"NIL")
            return None
        self.take(b"(")
        found = [self.address()]
        while not self.next_is(b")"):
            found.append(self.address())
        self.take(b")")
        return found

    def address(self) -> Address:
        self.take(b"(")
        name = self.nstring()
        self.take(b" ")
        route = self.nstring()
        self.take(b" ")
        mailbox = self.nstring()
        self.take(b" ")
        host = self.nstring()
        self.take(b")")
        return name, route, mailbox, host

    def parameters(self) -> list[tuple[bytes, bytes]] | None:
        if self.next_is(b"NIL"):
            self.take(b"NIL")
            return None
        self.take(b"(")
        pairs = []
        while True:
            name = self.string()
            self.take(b" ")
            pairs.append((name, self.string()))
            if not self.next_is(b" "):
                break
            self.take(b" ")
        self.take(b")")
        return pairs

    def body(self, extensible: bool) -> Body:
        self.take(b"(")
        if self.next_is(b"("):
            body = self.multipart(extensible)
        else:
            body = self.single(extensible)
        if extensible:
            self.take(b" ")
            self.extension(body)
        self.take(b")")
        return body

    def multipart(self, extensible: bool) -> Body:
        parts = []
        while self.next_is(b"("):
            parts.append(self.body(extensible))
        self.take(b" ")
        body = Body(b"multipart", self.string(), parts)
        if extensible:
            self.take(b" ")
            body.parameters = self.parameters()
        return body

    def single(self, extensible: bool) -> Body:
        kind = self.string()
        self.take(b" ")
        body = Body(kind, self.string(), [])
        self.take(b" ")
        body.parameters = self.parameters()
        self.take(b" ")
        body.id = self.nstring()
        self.take(b" ")
        body.description = self.nstring()
        self.take(b" ")
        body.encoding = self.string()
        self.take(b" ")
        body.octets = self.number()
        if (kind.lower(), body.subtype.lower()) == (b"message", b"rfc822"):
            self.take(b" ")
            body.envelope = self.envelope()
            self.take(b" ")
            body.parts = [self.body(extensible)]
        if kind.lower() == b"text" or body.parts:
            self.take(b" ")
            body.lines = self.number()
        if extensible:
            self.take(b" ")
            body.md5 = self.nstring()
        return body

    def extension(self, body: Body) -> None:
        if self.next_is(b"NIL"):
            self.take(b"NIL")
        else:
            self.take(b"(")
            kind = self.string()
            self.take(b" ")
            body.disposition = kind, self.parameters()
            self.take(b")")
        self.take(b" ")
        body.language = self.language()
        self.take(b" ")
        body.location = self.nstring()

    def language(self) -> list[bytes] | None:
        if not self.next_is(b"("):
            text = self.nstring()
            return None if text is None else [text]
        self.take(b"(")
        found = [self.string()]
        while self.next_is(b" "):
            self.take(b" ")
            found.append(self.string())
        self.take(b")")
        return found
