"""ETRN: a server that was away asks for what waits for it (RFC 1985)."""

from __future__ import annotations

from ...errors import MailError
from ...mail.address import MalformedAddress, parse_domain
from .. import replies
from ..dialogue import Dialogue, Service, Started
from ..replies import Reply

_REPLIES = {
    Started.YES: replies.QUEUING_STARTED,
    Started.NOTHING: replies.NOTHING_WAITS,
    Started.NOT_ALLOWED: replies.NODE_NOT_ALLOWED,
}


def where_queued(service: Service) -> bool:
    """Servers ask on port 25; users have other ways."""
    return service.queues and not service.lmtp and not service.requires_login


async def etrn(dialogue: Dialogue, argument: bytes) -> Reply:
    """``ETRN domain``, ``ETRN @domain`` (and all below it), or ``ETRN #queue``.

    Nothing is sent on this connection: whoever asks may be anybody, and mail goes to
    where DNS or the configuration says.
    """
    if not argument:
        return replies.NEED_ARGUMENT
    if argument.startswith(b"#"):
        return replies.NODE_NOT_ALLOWED
    try:
        node = parse_domain(argument.removeprefix(b"@"), smtputf8=False)
    except MalformedAddress:
        return replies.BAD_NODE
    try:
        return _REPLIES[await dialogue.start_queue(node, argument.startswith(b"@"))]
    except MailError as error:
        dialogue.refused(b"ETRN", error)
        return replies.CANNOT_START


def etrn_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """RFC 1985, section 2."""
    return ("ETRN",)
