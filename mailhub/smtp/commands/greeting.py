"""HELO, EHLO, LHLO, STARTTLS, and the commands that change nothing."""

from __future__ import annotations

from dataclasses import replace

from .. import replies
from ..dialogue import Dialogue, Service
from ..replies import Reply
from ..syntax import parse_hello


def in_smtp(service: Service) -> bool:
    """HELO and EHLO are not LMTP's (RFC 2033, section 4.1)."""
    return not service.lmtp


def in_lmtp(service: Service) -> bool:
    """LHLO is not SMTP's."""
    return service.lmtp


async def helo(dialogue: Dialogue, argument: bytes) -> Reply:
    """``HELO domain``: a client without extensions (RFC 5321, section 4.1.1.1)."""
    _greet(dialogue, argument, extended=False)
    return replies.hello(dialogue.service.host_name)


async def ehlo(dialogue: Dialogue, argument: bytes) -> Reply:
    """``EHLO domain`` or, in LMTP, ``LHLO domain``: lists the extensions."""
    _greet(dialogue, argument, extended=True)
    keywords: list[str] = []
    for command in dialogue.commands.values():
        if command.keywords is not None:
            keywords += command.keywords(dialogue)
    return replies.hello(dialogue.service.host_name, tuple(keywords))


def ehlo_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """RFC 2920; RFC 2034."""
    return ("PIPELINING", "ENHANCEDSTATUSCODES")


def _greet(dialogue: Dialogue, argument: bytes, *, extended: bool) -> None:
    name = parse_hello(argument)
    dialogue.session.greet(name, extended=extended)
    dialogue.peer = replace(dialogue.peer, helo=name)


async def starttls(dialogue: Dialogue, argument: bytes) -> Reply | None:
    """``STARTTLS`` (RFC 3207): go on in TLS, as if newly connected."""
    if argument:
        return replies.NO_ARGUMENT
    if dialogue.is_secure:
        return replies.TLS_ACTIVE
    if not dialogue.can_start_tls:
        return replies.NOT_IMPLEMENTED
    dialogue.send(replies.START_TLS.wire)
    await dialogue.start_tls()
    dialogue.forget_client()
    return None


def starttls_keywords(dialogue: Dialogue) -> tuple[str, ...]:
    """Only where it is possible, and not twice (RFC 3207, section 4.2)."""
    possible = dialogue.can_start_tls and not dialogue.is_secure
    return ("STARTTLS",) if possible else ()


async def rset(dialogue: Dialogue, argument: bytes) -> Reply:
    """``RSET``: forget the transaction (RFC 5321, section 4.1.1.5)."""
    if argument:
        return replies.NO_ARGUMENT
    dialogue.session.reset()
    return replies.OK


async def noop(dialogue: Dialogue, argument: bytes) -> Reply:
    """``NOOP [string]``: nothing (RFC 5321, section 4.1.1.9)."""
    return replies.OK


async def vrfy(dialogue: Dialogue, argument: bytes) -> Reply:
    """``VRFY string``: neither yes nor no, whoever asks (RFC 5321, 7.3)."""
    return replies.CANNOT_VERIFY if argument else replies.NEED_ARGUMENT


async def help_(dialogue: Dialogue, argument: bytes) -> Reply:
    """``HELP [string]``: the verbs of this service (RFC 5321, 4.1.1.8)."""
    verbs = (row.verb.decode() for row in dialogue.commands.values() if row.offered)
    return replies.commands(verbs)


async def quit_(dialogue: Dialogue, argument: bytes) -> Reply:
    """``QUIT``: the client has finished (RFC 5321, section 4.1.1.10)."""
    if argument:
        return replies.NO_ARGUMENT
    dialogue.session.over = True
    return replies.BYE


async def not_implemented(dialogue: Dialogue, argument: bytes) -> Reply:
    """A verb of the standards that this server does not offer."""
    return replies.NOT_IMPLEMENTED


async def chunk(dialogue: Dialogue, argument: bytes) -> Reply:
    """``BDAT`` (RFC 3030), which is not offered: ends the connection.

    The octets that follow are a message's; reading them as commands would give
    its author our ear (attack: BDAT abuse).
    """
    dialogue.session.over = True
    return replies.NOT_IMPLEMENTED
