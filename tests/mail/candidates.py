"""Messages for tests of searching, as a simple store would offer them."""

from __future__ import annotations

import base64
import quopri

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import mime
from mailhub.mail.dates import parse_day
from mailhub.mail.flags import NO_FLAGS, Flags
from mailhub.mail.headers import Fields, header_end
from mailhub.mail.matching import compile_query
from mailhub.mail.query import Query

PICTURE = base64.encodebytes(bytes(range(256)) * 40).replace(b"\n", b"\r\n")


class WatchedBytes(bytes):
    """Octets that remember which of them were looked at."""

    def __init__(self, *_octets: bytes) -> None:
        self.places: list[slice] = []

    def __getitem__(self, place):  # type: ignore[no-untyped-def]
        self.places.append(place)
        return super().__getitem__(place)


class Message:
    """A message as a simple store would offer it."""

    def __init__(
        self, octets: bytes, *, uid: int = 7, flags: Flags = NO_FLAGS,
        internal_date: int = 0, tree: mime.Part | None = None,
    ) -> None:  # fmt: skip
        self.uid = uid
        self.flags = flags
        self.internal_date = internal_date
        self.size = len(octets)
        self.content = octets
        self.header = bytes(octets[: header_end(octets)])
        self._tree = tree

    @property
    def sent(self) -> int | None:
        value = Fields(self.header).first(b"date")
        return None if value is None else parse_day(value)

    @property
    def parts(self) -> mime.Part:
        if self._tree is not None:
            return self._tree
        return mime.load(mime.dump(mime.parse(self.content)))


def text_message(
    text: str, charset: str, codec: str | None = None, encoding: str = "8bit"
) -> bytes:
    """A message whose body is *text*, as declared."""
    octets = text.encode(codec or charset)
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets)
    return (
        f"Subject: plain\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode() + octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def encoded_word(octets: bytes, charset: str, kind: str = "B") -> bytes:
    if kind == "B":
        text = base64.b64encode(octets).decode()
    else:
        text = "".join(f"={octet:02X}" for octet in octets)
    return f"=?{charset}?{kind}?{text}?=".encode()


class MatchingCase(SynchronousTestCase):
    """Asks queries of messages."""

    def found(self, query: Query, message: bytes | Message) -> bool:
        if isinstance(message, bytes):
            message = Message(message)
        return compile_query(query).match(message)

    def check(
        self, message: bytes | Message, there: list[Query], absent: list[Query]
    ) -> None:
        for query in there:
            self.assertTrue(self.found(query, message), query)
        for query in absent:
            self.assertFalse(self.found(query, message), query)
