"""A message as a test looks at it."""

from __future__ import annotations

import email.policy
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from functools import cached_property

from ..mail.flags import NO_FLAGS, Flags
from ..mail.headers import Fields, header_end
from ..mail.words import decode_text


@dataclass(frozen=True)
class Message:
    """What lies in a mailbox.

    :ivar raw: the octets, trace headers included.
    """

    uid: int
    raw: bytes = field(repr=False)
    flags: Flags = NO_FLAGS

    @cached_property
    def _fields(self) -> Fields:
        return Fields(self.raw[: header_end(self.raw)])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """All fields in order: the name in lower case, and the decoded value."""
        return [(name.decode(), decode_text(value)) for name, value in self._fields]

    def header(self, name: str) -> str | None:
        """The decoded value of the first field *name*, or ``None``."""
        value = self._fields.first(name.lower().encode())
        return None if value is None else decode_text(value)

    @property
    def subject(self) -> str:
        """The decoded subject; ``""`` without one."""
        return self.header("subject") or ""

    @property
    def body(self) -> bytes:
        """The octets after the header, as they are."""
        return self.raw[header_end(self.raw) :]

    @cached_property
    def email(self) -> EmailMessage:
        """The message as the standard library parses it, for its parts."""
        parser = BytesParser(EmailMessage, policy=email.policy.default)
        return parser.parsebytes(self.raw)
