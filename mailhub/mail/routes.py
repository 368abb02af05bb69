"""Ways out that a configuration or a queue's row names, instead of a domain's MX.

``smtp://user@host:587``, ``smtps://user@host``, ``smtp:host:25``, ``lmtp:host:24``,
``lmtp:unix:/path``, ``mx`` (what DNS says), ``discard:``, or any ``kind:name``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import unquote

from ..errors import Status, SyntaxFault
from .queued import WAY_SEPARATOR

_SERVER = re.compile(
    r"(?P<scheme>smtps?|lmtp):(?://)?"
    r"(?:(?P<user>[!-~]+)@)?"
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?))"
    r"(?::(?P<port>[0-9]{1,5}))?/?"
    r"(?:\?tls=(?P<tls>[a-z]+))?"
)
_SOCKET = re.compile(r"lmtp:(?://)?unix:(/[^\0]+)")
_OTHER = re.compile(r"([a-z]+):([^\0]+)", re.DOTALL)
_PORTS = {"smtp": 25, "smtps": 465, "lmtp": 24}


class MalformedRoute(SyntaxFault):
    """A text that names no way out."""

    status = Status.NO_ROUTE
    permanent = False


class Secrecy(Enum):
    """What a server has to prove in TLS before it is given mail.

    ``MAY``: nothing.  ``ENCRYPT``: that it speaks TLS.  ``VERIFY``: its name, too, by a
    certificate that is trusted.
    """

    MAY = "may"
    ENCRYPT = "encrypt"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Route:
    """A way out.

    :ivar kind: ``mx``, ``smtp``, ``lmtp``, or another way's.
    :ivar name: what is behind the kind, in its own words.
    :ivar host: of a server; likewise *port*.
    :ivar path: of a UNIX socket instead.
    :ivar user: as whom to log in; ``""`` for nobody.
    :ivar implicit_tls: TLS from the first octet (RFC 8314).
    """

    kind: str
    name: str = ""
    host: str = ""
    port: int = 0
    path: str = ""
    user: str = ""
    implicit_tls: bool = False
    secrecy: Secrecy = Secrecy.MAY

    @property
    def text(self) -> str:
        """What it was read from."""
        if self.kind == "mx":
            return "mx"
        return self.name if self.host or self.path else f"{self.kind}:{self.name}"


#: What DNS says.
BY_MX = Route("mx")


def parse_route(text: str) -> Route:
    """The way out that *text* names.

    Who logs in shows a password, so without another word the server has to prove its
    name.

    :raises MalformedRoute: none.
    """
    if text == "mx":
        return BY_MX
    if text == "discard:":
        return Route("discard")
    if found := _SOCKET.fullmatch(text):
        return Route("lmtp", text, path=found[1])
    kind, _, _ = text.partition(WAY_SEPARATOR)
    if kind not in _PORTS:
        other = _OTHER.fullmatch(text)
        if other is None:
            raise MalformedRoute(f"no way out: {text!r}")
        return Route(other[1], other[2])
    found = _SERVER.fullmatch(text)
    if found is None:
        raise MalformedRoute(f"no server: {text!r}")
    port = int(found["port"] or _PORTS[kind])
    user = unquote(found["user"] or "")
    usual = Secrecy.VERIFY if user else Secrecy.MAY
    try:
        secrecy = Secrecy(found["tls"]) if found["tls"] else usual
    except ValueError:
        raise MalformedRoute(f"no word for TLS: {text!r}") from None
    if not 0 < port < 65_536:
        raise MalformedRoute(f"no port: {text!r}")
    return Route(
        "lmtp" if kind == "lmtp" else "smtp",
        text,
        host=found["literal"] or found["host"].lower(),
        port=port,
        user=user,
        implicit_tls=kind == "smtps",
        secrecy=secrecy,
    )


def is_way(destination: str) -> bool:
    """Whether a queue's destination is another way out than a domain's MX."""
    return WAY_SEPARATOR in destination and not destination.startswith("[")
