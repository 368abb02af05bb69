"""The trace header fields this server adds: Received and Return-Path.

Every value in them is checked or made here, so that nothing a client says can
start a line of its own (attack: header injection by HELO or MAIL).
"""

from __future__ import annotations

import re
from functools import lru_cache

from ..mail.address import Address, format_path
from ..mail.dates import format_date
from ..mail.envelope import Envelope, Peer

_UNSAFE = re.compile(r"[^A-Za-z0-9._:\[\]-]")


def transfer_type(envelope: Envelope, *, lmtp: bool, extended: bool) -> str:
    """The word after ``with`` (RFC 3848; RFC 6531, section 4.3)."""
    if envelope.parameters.smtputf8:
        base = "UTF8LMTP" if lmtp else "UTF8SMTP"
    elif lmtp:
        base = "LMTP"
    elif extended:
        base = "ESMTP"
    else:
        return "SMTP"
    secure = "S" if envelope.peer.tls else ""
    return base + secure + ("A" if envelope.user is not None else "")


def received(envelope: Envelope, transfer: str, seconds: int) -> bytes:
    """``Received:`` for the message of *envelope* (RFC 5321, section 4.4).

    A single recipient is named, more are not: they need not know of each other.  A
    priority stands last (RFC 6710, sections 4.1 and 7).

    :param transfer: the ``with`` word, see :func:`transfer_type`.
    :param seconds: since the epoch.
    """
    header = _opening(envelope.peer, transfer) + envelope.id.encode("ascii")
    if len(envelope.recipients) == 1:
        recipient = format_path(envelope.recipients[0])
        if recipient.isascii() or envelope.parameters.smtputf8:
            header += b"\r\n\tfor " + recipient
    if envelope.parameters.priority:
        header += b"\r\n\tpriority %d" % envelope.parameters.priority
    return header + b";\r\n\t" + format_date(seconds) + b"\r\n"


def received_locally(
    envelope: Envelope, user: str, seconds: int, user_id: int | None = None
) -> bytes:
    """``Received:`` for a message that the program of a *user* here has brought.

    :param user_id: the user as the system knows it, where that has told.
    """
    name = _safe(envelope.peer.local_name)
    known = "" if user_id is None else f", uid {user_id}"
    return (
        f"Received: by {name} (from user {_safe(user)}{known})"
        f" id {envelope.id};\r\n\t"
    ).encode("ascii") + format_date(seconds) + b"\r\n"


def return_path(sender: Address | None) -> bytes:
    """``Return-Path:``, added at final delivery (RFC 5321, section 4.4)."""
    return b"Return-Path: " + format_path(sender) + b"\r\n"


@lru_cache(maxsize=1024)
def _opening(peer: Peer, transfer: str) -> bytes:
    """The field up to the transaction's name."""
    tls = f" ({_safe(peer.tls)})" if peer.tls else ""
    return (
        f"Received: from {_origin(peer)}\r\n"
        f"\tby {_safe(peer.local_name)} with {transfer}{tls} id "
    ).encode("ascii")


def _origin(peer: Peer) -> str:
    """The from-domain: what the client said, and where it really was."""
    name = _safe(peer.helo or "unknown")
    if not peer.host:
        return name
    host = _safe(peer.host.partition("%")[0])
    return f"{name} ([{'IPv6:' if ':' in host else ''}{host}])"


def _safe(text: str) -> str:
    """*text* without anything that has a meaning in a header."""
    return _UNSAFE.sub("?", text)
