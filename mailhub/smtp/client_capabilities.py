"""What another server can do: its reply to EHLO (RFC 5321, section 4.1.1.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .client_replies import ServerReply

_NUMBER = re.compile(rb"[0-9]{1,20}")
_LIMIT = re.compile(rb"([A-Z]+)=([0-9]{1,6})")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The extensions that a server offers.

    :ivar offers_size: whether it knows SIZE (RFC 1870).
    :ivar size: octets of the largest message it takes; ``None`` where it does not say.
    :ivar mechanisms: of AUTH, in capitals, in its order.
    :ivar most_recipients: of one message (RFC 9422); likewise *most_messages* of
        one connection.
    :ivar by: the least seconds that DELIVERBY may ask for; ``None`` without DELIVERBY
        (RFC 2852).
    """

    pipelining: bool = False
    chunking: bool = False
    eight_bit: bool = False
    smtputf8: bool = False
    dsn: bool = False
    starttls: bool = False
    require_tls: bool = False
    priority: bool = False
    offers_size: bool = False
    size: int | None = None
    by: int | None = None
    mechanisms: tuple[str, ...] = ()
    most_recipients: int | None = None
    most_messages: int | None = None


#: Of a server that knows only HELO.
NONE = Capabilities()

_FLAGS = {
    b"PIPELINING": "pipelining",
    b"CHUNKING": "chunking",
    b"8BITMIME": "eight_bit",
    b"SMTPUTF8": "smtputf8",
    b"DSN": "dsn",
    b"STARTTLS": "starttls",
    b"REQUIRETLS": "require_tls",
    b"MT-PRIORITY": "priority",
}
_LIMITS = {b"RCPTMAX": "most_recipients", b"MAILMAX": "most_messages"}


def capabilities_of(reply: ServerReply) -> Capabilities:
    """What the 250 after EHLO says; what makes no sense is not there."""
    found: dict[str, Any] = {}
    mechanisms: list[str] = []
    for line in reply.lines[1:]:
        # Some old servers say "AUTH=PLAIN" for the clients of their day.
        keyword, _, rest = line.replace(b"AUTH=", b"AUTH ").partition(b" ")
        keyword = keyword.upper()
        if flag := _FLAGS.get(keyword):
            found[flag] = True
        elif keyword == b"SIZE":
            found["offers_size"], found["size"] = True, _number(rest) or None
        elif keyword == b"DELIVERBY":
            found["by"] = _number(rest) or 0
        elif keyword == b"AUTH":
            mechanisms += rest.decode("ascii", "replace").upper().split()
        elif keyword == b"LIMITS":
            for name, number in _LIMIT.findall(rest):
                if name in _LIMITS and int(number):
                    found[_LIMITS[name]] = int(number)
    return Capabilities(mechanisms=tuple(dict.fromkeys(mechanisms)), **found)


def _number(text: bytes) -> int | None:
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None
