"""The settings of ``[outbound]``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import MailError
from ..mail.address import parse_mailbox
from ..mail.routes import is_way, parse_route
from .kinds import Choice, Count, Flag, ListOf, Place, Unfit, quoted, seconds
from .setting import Setting

_HOUR = 3600
_RULE = re.compile(
    r"\*|(?:from:)?\.?(?:[a-z0-9_-]+\.)*[a-z0-9_-]+"
    r"|from:[!-~]+@(?:[a-z0-9-]+\.)*[a-z0-9-]+"
)
_EXPECTED = (
    'expected a way out such as "smtp://user@host:587", "smtps://user@host",'
    ' "lmtp:unix:/path", "lmtp:host:24", "mx" for what DNS says, or for tests'
    ' "mailbox:jo@example.org" or "discard:"'
)


def _check(text: str) -> None:
    try:
        route = parse_route(text)
        match route.kind:
            case "mx" | "smtp" | "lmtp" | "http" | "function":
                is_fit = True
            case "mailbox":
                is_fit = bool(parse_mailbox(route.name.encode(), smtputf8=True).domain)
            case "discard":
                is_fit = not route.name
            case _:
                # Neither programs, nor the queue's own words.
                is_fit = False
    except (MailError, UnicodeEncodeError):
        is_fit = False
    if not is_fit:
        raise Unfit(_EXPECTED)


@dataclass(frozen=True, slots=True)
class Way:
    """One way out; ``""`` for none."""

    def read(self, value: object, folder: str) -> str:
        if value == "":
            return ""
        if not isinstance(value, str) or not (value == "mx" or is_way(value)):
            raise Unfit(_EXPECTED)
        _check(value)
        return value

    def show(self, value: str) -> str:
        return quoted(value)


@dataclass(frozen=True, slots=True)
class Rule:
    """For whom, and the way: two words."""

    def read(self, value: object, folder: str) -> tuple[str, str]:
        match value.split() if isinstance(value, str) else ():
            case [whom, way] if _RULE.fullmatch(whom.lower()):
                Way().read(way, folder)
                return whom.lower(), way
        raise Unfit(
            'expected a domain, ".domain", "from:address", "from:domain" or "*", and a'
            ' way out, such as "example.com smtp://relay.example.net:25"'
        )

    def show(self, value: tuple[str, str]) -> str:
        return quoted(" ".join(value))


OUTBOUND = {
    "smarthost": Setting(
        Way(),
        'Where all mail goes that leaves: "smtp://user@host:587" (STARTTLS),'
        ' "smtps://user@host" (TLS from the first octet), without "user@" where no'
        ' login is needed.  Who logs in wants the server\'s name proved; "?tls=encrypt"'
        ' or "?tls=may" behind it asks for less.  Empty: to the MX hosts that DNS'
        " names.",
    ),
    "routes": Setting(
        ListOf(Rule()),
        'Other ways for some: "example.com smtp://mx.internal:25", ".example.com'
        ' lmtp:unix:/run/lmtp" for the domains below it, "from:jo@example.org'
        ' smtps://jo@host" or "from:example.org ..." by the sender, "example.net mx"'
        " for what DNS says in spite of a smarthost.  The closest rule counts.  For"
        ' tests, "* mailbox:jo@example.org" lets Jo have it all, and "* discard:"'
        " nobody.",
    ),
    "passwords": Setting(
        Place("file", may_be_empty=True),
        'Of these logins: lines of "host user password", or "host user oauth2'
        ' token-URL client-id client-secret refresh-token".  Only its owner may read'
        " it.",
    ),
    "allow_private": Setting(
        Flag(),
        "Whether DNS may lead mail to addresses of this machine and of private"
        " networks: for a laboratory.  A smarthost or a route always may.",
    ),
    "families": Setting(
        Choice(("ipv6", "ipv4", "ipv6-only", "ipv4-only")),
        "Which addresses of a server are tried first, or only.",
    ),
    "dane": Setting(
        Flag(),
        "Whether the certificates that a domain publishes in DNS are asked for (DANE:"
        " RFC 7672), and mail waits where a server has others.  Needs a resolver that"
        " validates: see [dns] trust.",
    ),
    "mta_sts": Setting(
        Flag(),
        "Whether the policies that domains publish over HTTPS are asked for (MTA-STS:"
        " RFC 8461), and mail waits where a server does not fulfil them.",
    ),
    "port": Setting(
        Count(1, 65_535), "Where MX hosts listen; other than 25 for a laboratory."
    ),
    "connect": Setting(seconds(1, 600), "For a connection to be made, in seconds."),
    "reply": Setting(
        seconds(5, _HOUR),
        "For a server to greet, and to answer a command, in seconds (RFC 5321, section"
        " 4.5.3.2: 5 min).",
    ),
    "data": Setting(
        seconds(5, _HOUR), "For the answer to DATA, in seconds (likewise: 2 min)."
    ),
    "stall": Setting(
        seconds(5, _HOUR),
        "Without the server reading what it is sent, in seconds (likewise: 3 min).",
    ),
    "end": Setting(
        seconds(5, _HOUR),
        "For the answer to a message, in seconds (likewise: 10 min): who gives up too"
        " early sends it twice.",
    ),
    "attempt": Setting(
        seconds(10, 24 * _HOUR),
        "After which no further server of a domain is tried until the next attempt, in"
        " seconds.",
    ),
    "connections": Setting(
        Count(1, 10_000),
        "To one server at the same time, whichever domains it is for.  Other mail for"
        " it waits for its turn.",
    ),
    "idle": Setting(
        seconds(0, 300), "That a connection waits for another message, in seconds."
    ),
    "messages": Setting(Count(1, 1_000_000), "Messages that go over one connection."),
    "age": Setting(
        seconds(1, 24 * _HOUR), "After which a connection is used no more, in seconds."
    ),
}
