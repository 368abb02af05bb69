"""Mail addresses as values; the strict syntax of envelopes (RFC 5321, 6531).

Header fields need a tolerant reader: :mod:`mailhub.mail.addresslist`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from ..errors import Status, SyntaxFault

#: Octets: RFC 5321, sections 4.5.3.1.1 to 4.5.3.1.3 (a path has 256 with its
#: angle brackets).
MAX_LOCAL = 64
MAX_DOMAIN = 255
MAX_MAILBOX = 254
#: Octets of a label as DNS sees it: RFC 1035, section 2.3.4.
MAX_LABEL = 63
#: Octets of a path in a command with a source route in it; longer ones are
#: refused unseen, so that the patterns below never see much.
MAX_PATH = 1024

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_DOT_ATOM = _ATOM + rb"(?:\." + _ATOM + rb")*"
# No control octets, not even escaped (attack: line breaks in a quoted local part).
_QUOTED = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'
_LABEL = rb"[A-Za-z0-9\x80-\xff](?:[A-Za-z0-9\x80-\xff-]*[A-Za-z0-9\x80-\xff])?"
_NAMES = _LABEL + rb"(?:\." + _LABEL + rb")*"
_DOMAIN = re.compile(_NAMES + rb"|\[[!-Z^-~]+\]")
_LOCAL = re.compile(_DOT_ATOM + rb"|" + _QUOTED)
_PATH = re.compile(rb'<([^<>"]*(?:"(?:[^"\\]|\\.)*"[^<>"]*)?)>', re.DOTALL)
_ROUTE = re.compile(rb"@" + _NAMES + rb"(?:,@" + _NAMES + rb")*:")
_QUOTED_PAIR = re.compile(rb"\\(.)")
_LONG_LABEL = re.compile(r"[^.]{64}")
_DOT_STRING = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+"
    r"(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+)*"
)
_SPECIAL_IN_QUOTES = re.compile(r'(["\\])')
# Allowed in labels beside letters, marks and digits (RFC 5892, appendix A).
_CONTEXTUAL = "\u00b7\u30fb\u200c\u200d"
_NOT_IN_DOMAIN = re.compile(r'[ "(),;<>@\\]')
# Controls, line and paragraph separators, bidirectional overrides, BOM: a text
# with them is not what it looks like in a log, a reply or a header.
_UNSAFE_TEXT = re.compile("[\0-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]")


class MalformedAddress(SyntaxFault):
    """Octets that are no mailbox address."""

    status = Status.BAD_MAILBOX_SYNTAX


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox address: ``local@domain``.

    :ivar local: the local part, unquoted, as given (case kept).
    :ivar domain: in lower case; A-labels or ``[1.2.3.4]`` literals as given.
        Empty only for ``<postmaster>`` (RFC 5321, section 4.5.1).
    """

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}" if self.domain else self.local


#: Addresses that are remembered: those of our users come again and again, and each
#: takes a few hundred octets at most.
_REMEMBERED = 4096
#: Domains that are: a thousand recipients in one of them share its name.
_REMEMBERED_DOMAINS = 1024


@lru_cache(_REMEMBERED)
def parse_mailbox(text: bytes, *, smtputf8: bool) -> Address:
    """The address in *text*: a Mailbox of RFC 5321, section 4.1.2.

    ``postmaster`` needs no domain.  Stricter than the grammar in one point: an
    empty quoted local part is refused, as no mailbox can have it and other
    servers stumble over it.

    :param smtputf8: UTF-8 is allowed (RFC 6531, section 3.3).
    :raises MalformedAddress: anything else.
    """
    if len(text) > MAX_MAILBOX:
        raise MalformedAddress(f"address of {len(text)} octets")
    local, at, domain = text.rpartition(b"@")
    if not at and domain.lower() == b"postmaster":
        return Address(domain.decode("ascii"), "")
    if not _LOCAL.fullmatch(local):
        raise MalformedAddress(f"no local part: {local!r}")
    if len(local) > MAX_LOCAL:
        raise MalformedAddress(f"local part of {len(local)} octets")
    if local.startswith(b'"'):
        local = _QUOTED_PAIR.sub(rb"\1", local[1:-1])
        if not local:
            raise MalformedAddress("empty local part")
    return Address(_decoded(local, smtputf8), parse_domain(domain, smtputf8=smtputf8))


@lru_cache(_REMEMBERED_DOMAINS)
def parse_domain(text: bytes, *, smtputf8: bool) -> str:
    """A domain or an address literal, in lower case.

    :param smtputf8: U-labels are allowed (RFC 6531, section 3.3).
    :raises MalformedAddress: anything else.
    """
    if len(text) > MAX_DOMAIN:
        raise MalformedAddress(f"domain of {len(text)} octets")
    if not _DOMAIN.fullmatch(text):
        raise MalformedAddress(f"no domain: {text!r}")
    domain = _decoded(text, smtputf8).lower()
    if domain.startswith("["):
        _check_literal(domain[1:-1])
        return domain
    if not domain.isascii():
        domain = _checked_unicode(domain)
    elif _LONG_LABEL.search(domain):
        raise MalformedAddress(f"label too long in {domain!r}")
    return domain


def parse_path(text: bytes, *, smtputf8: bool) -> tuple[Address | None, bytes]:
    """The path that *text* starts with, and what follows its ``>``.

    ``None`` is the null path ``<>``.  A source route is skipped, as RFC 5321,
    appendix C, tells.

    :raises MalformedAddress: no path, or no address in it.
    """
    found = _PATH.match(text[:MAX_PATH])
    if found is None:
        raise MalformedAddress("no address in angle brackets")
    inner = found[1]
    rest = text[found.end() :]
    if not inner:
        return None, rest
    if inner.startswith(b"@") and (route := _ROUTE.match(inner)):
        inner = inner[route.end() :]
    return parse_mailbox(inner, smtputf8=smtputf8), rest


@lru_cache(_REMEMBERED)
def format_mailbox(address: Address) -> bytes:
    """``local@domain`` for the wire, quoted where the syntax demands it.

    :raises MalformedAddress: it cannot be written, whoever made it.
    """
    local, domain = address.local, address.domain
    if _UNSAFE_TEXT.search(local + domain) or _NOT_IN_DOMAIN.search(domain):
        raise MalformedAddress(f"not writable: {address!r}")
    if not _DOT_STRING.fullmatch(local):
        local = '"' + _SPECIAL_IN_QUOTES.sub(r"\\\1", local) + '"'
    return f"{local}@{domain}".encode() if domain else local.encode()


def format_path(address: Address | None) -> bytes:
    """``<local@domain>`` for MAIL, RCPT and Return-Path; ``<>`` for ``None``."""
    return b"<>" if address is None else b"<" + format_mailbox(address) + b">"


def ascii_domain(domain: str) -> str:
    """*domain*, as an ``Address`` has it, in A-labels (RFC 5890, section 2.3.2.1)."""
    if domain.isascii():
        return domain
    return ".".join(
        label if label.isascii() else "xn--" + label.encode("punycode").decode("ascii")
        for label in domain.split(".")
    )


def _decoded(octets: bytes, smtputf8: bool) -> str:
    if octets.isascii():
        return octets.decode("ascii")
    if not smtputf8:
        raise MalformedAddress(f"UTF-8 without SMTPUTF8: {octets!r}")
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        raise MalformedAddress(f"neither ASCII nor UTF-8: {octets!r}") from None
    if _UNSAFE_TEXT.search(text):
        raise MalformedAddress(f"control characters in {text!r}")
    return text


def _check_literal(literal: str) -> None:
    """Refuse what is no address literal (RFC 5321, section 4.1.3)."""
    try:
        if literal.startswith("ipv6:") and "%" not in literal:
            IPv6Address(literal[5:])
        else:
            IPv4Address(literal)
    except AddressValueError:
        raise MalformedAddress(f"no address literal: [{literal}]") from None


def _checked_unicode(domain: str) -> str:
    """A domain with U-labels, composed (RFC 5890, section 2.3.2.1).

    Characters that compatibility mapping would change (full-width letters, say)
    and symbols are refused, as in RFC 5892.
    """
    domain = unicodedata.normalize("NFC", domain)
    if unicodedata.normalize("NFKC", domain) != domain:
        raise MalformedAddress(f"compatibility characters in domain {domain!r}")
    for character in domain:
        if not (character.isascii() or character in _CONTEXTUAL
                or unicodedata.category(character)[0] in "LMN"):
            raise MalformedAddress(f"{character!r} in domain {domain!r}")
    for label in domain.split("."):
        # DNS sees the A-label, and counts its octets.
        if len(ascii_domain(label)) > MAX_LABEL:
            raise MalformedAddress(f"label too long: {label!r}")
    return domain
