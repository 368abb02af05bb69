"""Where mail goes: servers, and the reasons why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import MailError, Status

#: How a session begins (RFC 5321, section 3.2; RFC 2033, section 4.1).
EHLO, LHLO = b"EHLO", b"LHLO"


class NowhereToGo(MailError):
    """DNS names no server for a domain that mail can be sent to."""

    def __init__(self, text: str, status: Status) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Place:
    """One address of a server; or a UNIX socket's path.

    :ivar host: whose address it is, for TLS and for people.
    :ivar verb: how the session begins: ``EHLO``, or ``LHLO`` for LMTP.
    :ivar implicit_tls: TLS from the first octet (RFC 8314).
    :ivar user: as whom to log in; ``""`` for nobody.
    """

    address: str
    port: int
    host: str
    verb: bytes = EHLO
    implicit_tls: bool = False
    user: str = ""
