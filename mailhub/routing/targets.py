r"""The targets of aliases and forwards, as people write them.

==================================  ==============================================
``jo@example.org``, ``jo``          an address; without a domain in that of the alias
``\jo``                             the same, but neither aliases nor forwards count
``@example.net``                    the same local part in another domain
``mailbox:jo@example.org/Lists/x``  a mailbox of a user; INBOX if there is none
``lmtp:127.0.0.1:24``, ``smtp:``    a server, whatever DNS says, as
                                    :mod:`mailhub.mail.routes` tells
``http://host/path``, ``https:``    a program elsewhere that takes mail by HTTP
``function:name``                   a Python function that the application has given
``|program arguments``              a program, where that is allowed
``:include:/path``                  the targets that a file names
``hold:reason``                     what the other targets get waits for a person
``discard:``, ``/dev/null``         nobody gets it, and nobody is told
``error:5.1.1 text``                it is refused with this text (``error:nouser``)
==================================  ==============================================

Nothing that a peer has said is ever read as a target: addresses of envelopes are
values from the start (attack: ``<|command@example.org>``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..errors import MailError, Refused, Status, SyntaxFault
from ..mail.address import parse_domain, parse_mailbox
from ..mail.mailbox import canonical_name
from ..mail.routes import MalformedRoute, parse_route

#: Characters of a target; an address has 254 at most, a program's line some more.
MAX_TARGET = 2_000


class MalformedTarget(SyntaxFault):
    """A text that is no target; says why."""

    status = Status.DIRECTORY_FAULT
    permanent = False


@dataclass(frozen=True, slots=True)
class Mail:
    """An address.

    :ivar local: in its own spelling; *domain* in lower case.
    :ivar exact: the account of that address gets it, whatever aliases say.
    """

    local: str
    domain: str
    exact: bool = False

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    def filled(self, name: str, tag: str, separator: str) -> Mail:
        """With the parts of an address in the place of ``%1`` to ``%3``."""
        parts = {
            "%1": name, "%2": tag, "%3": separator + tag if tag else "", "%%": "%"
        }  # fmt: skip
        local = _PART.sub(lambda found: parts[found[0]], self.local)
        return replace(self, local=local)


@dataclass(frozen=True, slots=True)
class Domain:
    """The same local part in another domain."""

    domain: str


@dataclass(frozen=True, slots=True)
class Folder:
    """A mailbox of the account *address*, by its canonical name."""

    address: str
    mailbox: str


@dataclass(frozen=True, slots=True)
class Way:
    """Another way than that of the domain.

    :ivar destination: as in :class:`mailhub.mail.queued.Outgoing`.
    """

    destination: str


@dataclass(frozen=True, slots=True)
class Program:
    """A command line, which is split and started without a shell."""

    command: str


@dataclass(frozen=True, slots=True)
class Include:
    """The file with more targets."""

    path: str


@dataclass(frozen=True, slots=True)
class Hold:
    """What goes to the other targets waits for a person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Nobody gets it."""


@dataclass(frozen=True, slots=True)
class Deny:
    """It is refused with *refusal*."""

    refusal: Refused


Lead = Mail | Domain | Folder | Way | Program | Include | Hold | Discard | Deny

_PART = re.compile("%[123%]")
_WAY_NAME = re.compile(r"[!-~]+")
_STATUS_CODE = re.compile(r"([45])\.(\d{1,3}\.\d{1,3})", re.ASCII)
_REPLY_CODE = re.compile(r"[45]\d\d", re.ASCII)
#: Names of faults in Sendmail's tables, with their text where none is given.
_FAULTS = {
    "nouser": (Status.BAD_MAILBOX, True, "User unknown"),
    "nohost": (Status.BAD_DESTINATION, True, "Host unknown"),
    "unavailable": (Status.MAILBOX_DISABLED, True, "Mailbox unavailable"),
    "tempfail": (Status.OTHER, False, "Try again later"),
    "protocol": (Status.PROTOCOL, True, "Not possible"),
}
_STATUS = {status.value: status for status in Status}


def parse_target(text: str, domain: str) -> Lead:
    """What *text* means, for an address of *domain*.

    :raises MalformedTarget: nothing.
    """
    text = text.strip()
    if not 0 < len(text) <= MAX_TARGET or not text.isprintable():
        raise MalformedTarget(f"no target: {text[:80]!r}")
    if text.startswith("|"):
        return Program(_rest("program", text[1:]))
    if text == "/dev/null":
        return Discard()
    if text.startswith("/"):
        raise MalformedTarget(f"mail is not written to files: {text!r}")
    if text.startswith("@"):
        return Domain(_domain(text[1:]))
    kind, colon, rest = text.removeprefix(":").partition(":")
    read = _KINDS.get(kind.lower()) if colon else None
    if read is not None:
        return read(rest.strip(), domain)
    return _mail(text, domain)


def _mail(text: str, domain: str) -> Mail:
    exact = text.startswith("\\")
    plain = text[1:] if exact else text
    whole = plain if "@" in plain else f"{plain}@{domain}"
    try:
        address = parse_mailbox(whole.encode(), smtputf8=True)
    except (MailError, UnicodeEncodeError) as error:
        raise MalformedTarget(str(error)) from None
    if not address.domain:
        raise MalformedTarget(f"no domain in {text!r}")
    return Mail(address.local, address.domain, exact)


def _domain(text: str) -> str:
    try:
        return parse_domain(text.encode(), smtputf8=True)
    except (MailError, UnicodeEncodeError) as error:
        raise MalformedTarget(str(error)) from None


def _folder(text: str, domain: str) -> Folder:
    address, slash, name = text.partition("/")
    mail = _mail(address, domain)
    try:
        return Folder(str(mail).lower(), canonical_name(name) if slash else "INBOX")
    except MailError as error:
        raise MalformedTarget(str(error)) from None


def _way(kind: str) -> Callable[[str, str], Way]:
    def read(text: str, domain: str) -> Way:
        try:
            if not _WAY_NAME.fullmatch(text):
                raise MalformedRoute(f"no way out: {kind}{text!r}")
            parse_route(kind + text)
        except MalformedRoute as error:
            raise MalformedTarget(str(error)) from None
        return Way(kind + text)

    return read


def _deny(text: str, domain: str) -> Deny:
    """``nouser text``, ``5.1.1 text``, ``5.1.1:550 text``, ``nouser:550 text``, or
    only a text."""
    first, _, rest = text.partition(" ")
    label, _, code = first.partition(":")
    status, permanent, usual = Status.NOT_ALLOWED, True, "Not accepted here"
    if label.lower() in _FAULTS:
        status, permanent, usual = _FAULTS[label.lower()]
    elif found := _STATUS_CODE.fullmatch(label):
        status = _STATUS.get(found[2], Status.OTHER)
        permanent = found[1] == "5"
    else:
        rest, code = text, ""
    if not code and _REPLY_CODE.match(rest):
        code, _, rest = rest.partition(" ")
    if not _REPLY_CODE.fullmatch(code):
        refusal = Refused(rest or usual, status=status, permanent=permanent)
    else:
        permanent, number = code.startswith("5"), int(code)
        refusal = Refused(
            rest or usual, status=status, permanent=permanent, code=number
        )
    return Deny(refusal)


def _rest(what: str, text: str) -> str:
    if not text.strip():
        raise MalformedTarget(f"no {what} is named")
    return text.strip()


_KINDS: dict[str, Callable[[str, str], Lead]] = {
    "mailbox": _folder,
    "lmtp": _way("lmtp:"),
    "smtp": _way("smtp:"),
    "smtps": _way("smtps:"),
    "function": _way("function:"),
    "http": _way("http:http:"),
    "https": _way("http:https:"),
    "include": lambda text, domain: Include(_rest("file", text)),
    "hold": lambda text, domain: Hold(text or "held by an alias"),
    "discard": lambda text, domain: Discard(),
    "error": _deny,
}
