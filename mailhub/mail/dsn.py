"""Delivery status notifications: what became of a message (RFC 3464, 6522, 6533).

Whatever a client, another server or a message says goes through :func:`_clean`: no
value can end its line (attack: line breaks in ENVID, ORCPT, replies and names).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import ip_address

from .dates import format_date, format_utc
from .envelope import MailParameters
from .headers import MAX_LINE, Fields, header_end, header_line
from .queued import Letter

#: Octets of one value; with its name it fits into a line (RFC 5322, section 2.1.1).
MAX_VALUE = 900
#: Octets of a header that is returned.
MAX_RETURNED_HEADER = 64 * 1024

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_CODED = re.compile(r"[2-5][0-9]{2}(?:[ -]|$)", re.ASCII)
_TYPE = re.compile(r"[A-Za-z0-9-]{1,40}", re.ASCII)
_MESSAGE_ID = re.compile(rb"<[!-;=?-~]{1,250}>")
_LONG_LINE = re.compile(rb"[^\n]{%d}" % (MAX_LINE + 2))
_SPECIAL = re.compile(r"[^A-Za-z0-9.-]", re.ASCII)


class Action(Enum):
    """RFC 3464, section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class RecipientReport:
    """What became of one recipient.

    :ivar original: ORCPT, decoded: ``rfc822;user@example.com``.
    :ivar status: RFC 3463.
    :ivar reply: what the other server said, or what was said about it.
    :ivar host: the other server's name, or ``""``.
    :ivar attempted: when it was tried last, in seconds since the epoch.
    :ivar retry_until: when that ends, if it is delayed.
    """

    recipient: str
    original: str | None = None
    status: str = ""
    reply: str = ""
    host: str = ""
    attempted: float | None = None
    retry_until: float | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a notification tells.

    :ivar reporter: the name of this server.
    :ivar to: who is told.
    :ivar queue_id: the message's name here.
    :ivar envid: the sender's name for it, decoded (RFC 3461, section 4.4).
    :ivar arrived: likewise *now*: seconds since the epoch.
    :ivar returned: octets of the message, or of its beginning.
    :ivar whole: whether they are all of it and go back as they are; else the header
        alone.
    :ivar utf8: whether who is told understands addresses in UTF-8 (RFC 6533).
    :ivar deliver_by: when the sender wished it to have arrived (RFC 2852).
    :ivar hold_until: before when it was not to be sent (RFC 4865).
    :ivar priority: the message's; likewise *require_tls*.
    """

    action: Action
    reporter: str
    to: str
    queue_id: str
    envid: str | None
    arrived: float
    now: float
    recipients: tuple[RecipientReport, ...]
    returned: bytes = b""
    whole: bool = False
    utf8: bool = False
    deliver_by: float | None = None
    hold_until: float | None = None
    priority: int = 0
    require_tls: bool = False

    def of(self, asked: MailParameters) -> Report:
        """The same about a message that came with the parameters *asked*."""
        wish = asked.deliver_by
        return replace(
            self,
            envid=asked.envid,
            utf8=asked.smtputf8,
            deliver_by=None if wish is None else wish.until,
            hold_until=asked.hold_until,
            priority=asked.priority,
            require_tls=asked.require_tls,
        )


@dataclass(frozen=True, slots=True)
class _Words:
    subject: str
    opening: str
    status: str


_WORDS = {
    Action.FAILED: _Words(
        "Your message could not be delivered",
        "Your message did not reach these recipients, and will not be tried again.",
        "5.0.0",
    ),
    Action.DELAYED: _Words(
        "Your message is delayed",
        "Your message has not reached these recipients so far.  This server goes on"
        " trying; you need not send it again.",
        "4.0.0",
    ),
    Action.DELIVERED: _Words(
        "Your message was delivered",
        "Your message was delivered to these recipients.",
        "2.0.0",
    ),
    Action.RELAYED: _Words(
        "Your message was passed on",
        "Your message was passed on to other servers.  Nothing more will be heard from"
        " here about these recipients, and from there only if they confirm deliveries.",
        "2.0.0",
    ),
    Action.EXPANDED: _Words(
        "Your message went to a list",
        "Your message was passed on to all whom these addresses stand for.",
        "2.0.0",
    ),
}


def letter_of(report: Report) -> Letter:
    """The notification, from the null sender (RFC 3464, section 2).

    It is as urgent as the message was, and as secret (RFC 6710, section 4.6; RFC 8689,
    section 5).
    """
    octets = compose(report)
    header = octets[: header_end(octets)]
    is_global = report.utf8 and (
        not header.isascii() or b"\r\nContent-Type: message/global" in octets
    )
    parameters = MailParameters(
        body="7BIT" if octets.isascii() else "8BITMIME",
        smtputf8=is_global,
        priority=report.priority,
        require_tls=report.require_tls,
    )
    return Letter("", report.to, octets, parameters)


def compose(report: Report) -> bytes:
    """The message that tells *report*, CRLF-ended.

    Without UTF-8 all but the returned message is ASCII.
    """
    parts = [_text_part(report), _status_part(report)]
    if returned := _returned_part(report):
        parts.append(returned)
    boundary = _boundary(report, parts)
    pieces = [b"--%b\r\n%b\r\n" % (boundary, part) for part in parts]
    return b"%b%b--%b--\r\n" % (
        _header(report, boundary), b"".join(pieces), boundary
    )


def _header(report: Report, boundary: bytes) -> bytes:
    words, host = _WORDS[report.action], _host(report.reporter)
    unique = f"<{int(report.now)}.{_host(report.queue_id)}.dsn@{host}>"
    lines = [
        header_line(b"From", f"Mail Delivery <MAILER-DAEMON@{host}>".encode()),
        header_line(b"To", _clean(report.to, report.utf8).encode()),
        header_line(b"Subject", words.subject.encode()),
        header_line(b"Date", format_date(int(report.now))),
        header_line(b"Message-ID", unique.encode()),
        header_line(b"Auto-Submitted", b"auto-replied"),
        header_line(b"MIME-Version", b"1.0"),
        header_line(
            b"Content-Type",
            b"multipart/report; report-type=delivery-status;"
            b' boundary="%b"' % boundary,
        ),
    ]
    about = Fields(_header_of(report.returned)).first(b"message-id") or b""
    if _MESSAGE_ID.fullmatch(about):
        lines.insert(5, header_line(b"References", about))
    return b"".join(lines) + b"\r\n"


def _boundary(report: Report, parts: list[bytes]) -> bytes:
    """A line that is in none of the parts."""
    boundary = base = f"=_{int(report.now)}_{_host(report.queue_id)[:40]}".encode()
    number = 0
    while any(boundary in part for part in parts):
        number += 1
        boundary = b"%b_%d" % (base, number)
    return boundary


def _text_part(report: Report) -> bytes:
    words = _WORDS[report.action]
    lines = [f"This is the mail server {_host(report.reporter)}.", ""]
    lines += [*_wrapped(words.opening), ""]
    until = [each.retry_until for each in report.recipients if each.retry_until]
    if until and report.action is Action.DELAYED:
        ends = format_date(int(max(until))).decode("ascii")
        lines += [f"It goes back to you at {ends}.", ""]
    if report.deliver_by is not None:
        wished = format_date(int(report.deliver_by)).decode("ascii")
        lines += [f"You wished it to arrive by {wished}.", ""]
    for each in report.recipients:
        lines.append(f"<{_clean(each.recipient, report.utf8)}>")
        if each.host:
            lines.append(f"    at {_clean(each.host, report.utf8)}:")
        if each.reply:
            lines += [
                f"    {line}" for line in _wrapped(_clean(each.reply, report.utf8))
            ]
        lines.append("")
    lines.append(f"Its name here was {_clean(report.queue_id, report.utf8)}.")
    text = "\r\n".join(lines).encode() + b"\r\n"
    charset, encoding = b"us-ascii", b"7bit"
    if not text.isascii():
        charset, encoding = b"utf-8", b"8bit"
    return (
        b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: %b\r\n"
        b"Content-Description: Notification\r\n\r\n%b" % (charset, encoding, text)
    )


def _wrapped(text: str) -> list[str]:
    """*text* in lines of about 70 characters, longer words as they are."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) > 70:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _status_part(report: Report) -> bytes:
    """RFC 3464, section 2; with UTF-8 in it RFC 6533, section 4.

    A time that the message was to be held until is told as one, though it may have come
    as an interval (RFC 4865, section 5.1.2).
    """
    utf8 = report.utf8
    about = [_field("Reporting-MTA", f"dns; {_host(report.reporter)}", utf8)]
    if report.envid:
        about.insert(0, _field("Original-Envelope-Id", report.envid, utf8))
    about.append(_field("Arrival-Date", _date(report.arrived), utf8))
    if report.deliver_by is not None:
        # RFC 2852, section 5.
        about.append(_field("Deliver-By-Date", _date(report.deliver_by), utf8))
    if report.hold_until is not None:
        until = format_utc(int(report.hold_until))
        about.append(_field("Future-Release-Request", f"until;{until}", utf8))
    blocks = [b"".join(about)]
    blocks += [_recipient_block(report, each) for each in report.recipients]
    body = b"\r\n".join(blocks)
    kind, encoding = b"delivery-status", b"7bit"
    if not body.isascii():
        kind, encoding = b"global-delivery-status", b"8bit"
    return (
        b"Content-Type: message/%b\r\nContent-Transfer-Encoding: %b\r\n"
        b"Content-Description: Delivery report\r\n\r\n%b" % (kind, encoding, body)
    )


def _recipient_block(report: Report, each: RecipientReport) -> bytes:
    """RFC 3464, section 2.3."""
    status = each.status
    if not _STATUS.fullmatch(status):
        status = _WORDS[report.action].status
    kind = "rfc822" if each.recipient.isascii() else "utf-8"
    fields = [
        ("Final-Recipient", f"{kind}; {each.recipient}"),
        ("Action", report.action.value),
        ("Status", status),
    ]
    if each.original:
        fields.insert(0, ("Original-Recipient", _typed(each.original)))
    if each.host:
        fields.append(("Remote-MTA", f"dns; {_name_or_literal(each.host)}"))
    if each.reply:
        kind = "smtp" if _CODED.match(each.reply) else "x-mailhub"
        fields.append(("Diagnostic-Code", f"{kind}; {each.reply}"))
    if each.attempted is not None:
        fields.append(("Last-Attempt-Date", _date(each.attempted)))
    if each.retry_until is not None and report.action is Action.DELAYED:
        fields.append(("Will-Retry-Until", _date(each.retry_until)))
    return b"".join(_field(name, value, report.utf8) for name, value in fields)


def _returned_part(report: Report) -> bytes:
    """The message, or its header (RFC 6522, section 3); nothing where it is binary."""
    octets = report.returned if report.whole else _header_of(report.returned)
    if not _is_text(octets):
        octets = _header_of(octets)
        if not octets or not _is_text(octets):
            return b""
    is_whole = report.whole and octets is report.returned
    is_global = report.utf8 and not _header_of(octets).isascii()
    match is_whole, is_global:
        case True, True:
            kind = b"message/global"
        case True, False:
            kind = b"message/rfc822"
        case False, True:
            kind = b"message/global-headers"
        case _:
            kind = b"text/rfc822-headers"
    encoding = b"7bit" if octets.isascii() else b"8bit"
    return (
        b"Content-Type: %b\r\nContent-Transfer-Encoding: %b\r\n"
        b"Content-Description: Your message\r\n\r\n%b" % (kind, encoding, octets)
    )


def _header_of(octets: bytes) -> bytes:
    """The header, cut after a whole line."""
    header = octets[: header_end(octets)]
    if len(header) > MAX_RETURNED_HEADER:
        header = header[:MAX_RETURNED_HEADER]
        header = header[: header.rfind(b"\n") + 1]
    return header


def _is_text(octets: bytes) -> bool:
    """Whether all lines end with CRLF and are as long as lines may be."""
    ends = octets.count(b"\r\n")
    return (
        octets.count(b"\r") == octets.count(b"\n") == ends
        and b"\0" not in octets
        and not _LONG_LINE.search(octets)
    )


def _name_or_literal(host: str) -> str:
    """A server in ``Remote-MTA`` (RFC 3461, section 9.3)."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _typed(original: str) -> str:
    """``type; address`` of an ORCPT (RFC 3464, section 2.3.1)."""
    kind, separator, address = original.partition(";")
    if not separator or not _TYPE.fullmatch(kind):
        kind, address = "rfc822" if original.isascii() else "utf-8", original
    return f"{kind}; {address.strip()}"


def _field(name: str, value: str, utf8: bool) -> bytes:
    return header_line(name.encode("ascii"), _clean(value, utf8).encode())


def _clean(text: str, utf8: bool) -> str:
    """*text* without what could end a line, and no longer than a line may be.

    Control characters appear as in xtext (RFC 3461, section 4), others that may not
    be there as in utf-8-addr-xtext (RFC 6533, section 3).
    """
    if not (text.isprintable() and (utf8 or text.isascii())):
        text = "".join(
            each
            if each.isprintable() and (utf8 or each.isascii())
            else f"+{ord(each):02X}" if each.isascii() else f"\\x{{{ord(each):X}}}"
            for each in text[:MAX_VALUE]
        )
    if len(text) * 4 > MAX_VALUE:
        text = text.encode(errors="replace")[:MAX_VALUE].decode(errors="ignore")
    return text


def _host(name: str) -> str:
    """A host's name, or whatever is given as one, as a word without a meaning."""
    return _SPECIAL.sub("?", name)[:255] if name.isascii() else "unknown"


def _date(seconds: float) -> str:
    return format_date(int(seconds)).decode("ascii")
