"""MAIL and RCPT for another server, with the parameters that it knows.

An address or a parameter that could end a line is never written, whoever made it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ..errors import MailError, Status
from ..mail.address import Address, ascii_domain, format_path, parse_mailbox
from ..mail.envelope import DeliverBy, MailParameters, Notify
from .client_capabilities import Capabilities

_NOT_XTEXT = re.compile(rb"[^!-*,-<>-~]")
#: What is encoded in an ORCPT of the type ``utf-8`` (RFC 6533, section 3): without
#: SMTPUTF8, and with it.
_NOT_ASCII_ADDRESS = re.compile(r"[^!-*,-<>-\[\]-~]")
_NOT_UTF8_ADDRESS = re.compile("[^!-*,-<>-\\[\\]-~\u00a1-\ud7ff\ue000-\U0010ffff]")
_WORDS = (
    (Notify.SUCCESS, b"SUCCESS"),
    (Notify.FAILURE, b"FAILURE"),
    (Notify.DELAY, b"DELAY"),
)


class Unsendable(MailError):
    """A message that this server, by what it says of itself, cannot be given."""

    def __init__(self, text: str, status: Status) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Shape:
    """What there is to know of a message's octets.

    :ivar size: how many.
    :ivar eight_bit: whether some are not ASCII.
    :ivar utf8_header: whether some of those are in its header.
    """

    size: int
    eight_bit: bool = False
    utf8_header: bool = False


def mail_command(
    sender: str,
    parameters: MailParameters,
    shape: Shape,
    able: Capabilities,
    *,
    utf8: bool = False,
    now: float = 0.0,
) -> bytes:
    """``MAIL FROM:<sender> ...`` with its CRLF.

    :param sender: ``""`` for the null reverse-path.
    :param utf8: whether SMTPUTF8 is needed (:func:`needs_utf8`).
    :param now: seconds since the epoch.
    :raises Unsendable:
    :raises mailhub.mail.address.MalformedAddress: *sender* is no address.
    """
    if able.size is not None and shape.size > able.size:
        raise Unsendable(
            f"{shape.size} octets, and it takes {able.size}", Status.MESSAGE_TOO_LARGE
        )
    if utf8 and not able.smtputf8:
        raise Unsendable("it knows no SMTPUTF8", Status.NON_ASCII_ADDRESS)
    command = b"MAIL FROM:" + (path_of(sender) if sender else b"<>")
    if able.offers_size:
        command += b" SIZE=%d" % shape.size
    if shape.eight_bit and able.eight_bit:
        command += b" BODY=8BITMIME"
    if utf8:
        command += b" SMTPUTF8"
    if parameters != _PLAIN:
        command += _extras(parameters, able, now)
    return command + b"\r\n"


def rcpt_command(
    recipient: str,
    notify: Notify | None,
    original: str | None,
    able: Capabilities,
    *,
    utf8: bool = False,
) -> bytes:
    """``RCPT TO:<recipient> ...`` with its CRLF.

    :param original: ORCPT, decoded: ``rfc822;user@example.com``.
    :raises mailhub.mail.address.MalformedAddress: *recipient* is no address.
    """
    command = b"RCPT TO:" + path_of(recipient)
    if able.dsn and notify is not None:
        words = [word for flag, word in _WORDS if flag in notify]
        command += b" NOTIFY=" + (b",".join(words) or b"NEVER")
    if able.dsn and original is not None:
        command += b" ORCPT=" + _original(original, utf8)
    return command + b"\r\n"


@lru_cache(4096)
def path_of(address: str) -> bytes:
    """``<local@domain>``, quoted where needed, the domain in A-labels if that makes
    it ASCII.

    :raises mailhub.mail.address.MalformedAddress: no address.
    """
    parsed = parse_mailbox(address.encode("utf-8", "surrogatepass"), smtputf8=True)
    if parsed.local.isascii() and not parsed.domain.isascii():
        parsed = Address(parsed.local, ascii_domain(parsed.domain))
    return format_path(parsed)


def needs_utf8(addresses: list[str], parameters: MailParameters, shape: Shape) -> bool:
    """Whether only a server that knows SMTPUTF8 can take it (RFC 6531, section 3.4).

    A sender who asked for it, but has nothing to say that needs it, can be helped by
    any server.

    :raises mailhub.mail.address.MalformedAddress: no addresses.
    """
    if parameters.smtputf8 and shape.utf8_header:
        return True
    return any(not each.isascii() and not path_of(each).isascii() for each in addresses)


def xtext(text: str) -> bytes:
    """RFC 3461, section 4: what is no xchar as ``+`` and two digits."""
    return _NOT_XTEXT.sub(lambda found: b"+%02X" % found[0][0], text.encode())


def _original(original: str, utf8: bool) -> bytes:
    """ORCPT (RFC 3461, section 4.2; RFC 6533, section 3)."""
    kind, _, address = original.partition(";")
    if kind.lower() != "utf-8" and original.isascii():
        return xtext(kind) + b";" + xtext(address)
    allowed = _NOT_UTF8_ADDRESS if utf8 else _NOT_ASCII_ADDRESS
    encoded = allowed.sub(lambda found: f"\\x{{{ord(found[0]):02X}}}", address)
    return (kind if kind.lower() == "utf-8" else "utf-8").encode() + b";" + (
        encoded.encode()
    )


_PLAIN = MailParameters()


def _extras(parameters: MailParameters, able: Capabilities, now: float) -> bytes:
    extras = b""
    if able.dsn and parameters.ret is not None:
        extras += b" RET=" + xtext(parameters.ret)
    if able.dsn and parameters.envid is not None:
        extras += b" ENVID=" + xtext(parameters.envid)
    if parameters.require_tls and able.require_tls:
        extras += b" REQUIRETLS"
    if parameters.priority and able.priority:
        extras += b" MT-PRIORITY=%d" % parameters.priority
    if parameters.deliver_by is not None:
        extras += _by(parameters.deliver_by, able.by, now)
    return extras


def _by(wanted: DeliverBy, least: int | None, now: float) -> bytes:
    """BY (RFC 2852, section 4), in what is left of the time."""
    left = int(wanted.until - now)
    if not wanted.returns:
        if least is None:
            return b""
        return b" BY=%d;N%s" % (left, b"T" if wanted.trace else b"")
    # Who asks for its return wants no server in between that knows nothing of that.
    if least is None:
        raise Unsendable("it knows no DELIVERBY", Status.EXPIRED)
    if left <= 0 or left < least:
        raise Unsendable(f"{left} s are left, and it asks for {least}", Status.EXPIRED)
    return b" BY=%d;R%s" % (left, b"T" if wanted.trace else b"")
