"""Commands of the AUTHORIZATION state, and those of both states."""

from __future__ import annotations

from ...errors import EncryptionRequired, MailError, SyntaxFault
from .. import replies
from ..dialogue import Dialogue
from ..replies import NotDeleted
from ..syntax import read_nothing, read_word

#: What holds for every connection and belongs to no command.
CAPABILITIES = (
    b"RESP-CODES",  # RFC 2449, section 6.4
    b"AUTH-RESP-CODE",  # RFC 3206, section 6
    b"PIPELINING",  # RFC 2449, section 6.6
    b"EXPIRE NEVER",  # RFC 2449, section 6.7
    b"IMPLEMENTATION mailhub",  # RFC 2449, section 6.9; no version, on purpose
)


async def user(dialogue: Dialogue, argument: bytes) -> bytes:
    """USER name (RFC 1939, section 7)."""
    name = read_word(argument)
    _demand_privacy(dialogue)
    dialogue.session.user = name
    return replies.SEND_PASSWORD


def user_capability(dialogue: Dialogue) -> bytes:
    """RFC 2449, section 6.2; not where passwords are refused."""
    return b"USER" if dialogue.is_private else b""


async def pass_(dialogue: Dialogue, argument: bytes) -> bytes:
    """PASS string (RFC 1939, section 7): the rest of the line, spaces and all."""
    session = dialogue.session
    name, session.user = session.user, None
    password = read_word(argument)
    _demand_privacy(dialogue)
    if name is None:
        return session.count_error(replies.USER_FIRST)
    try:
        await dialogue.log_in(name, password)
    except MailError as error:
        return _failed(dialogue, error)
    return replies.LOGGED_IN


async def auth(dialogue: Dialogue, argument: bytes) -> bytes:
    """AUTH mechanism [initial-response] (RFC 5034, section 4)."""
    mechanism, space, initial = read_word(argument).partition(b" ")
    if mechanism.upper() not in dialogue.mechanisms:
        return dialogue.session.count_error(replies.UNKNOWN_MECHANISM)
    _demand_privacy(dialogue)
    try:
        await dialogue.authenticate(mechanism.upper(), initial if space else None)
    except SyntaxFault:
        raise
    except MailError as error:
        return _failed(dialogue, error)
    return replies.LOGGED_IN


def auth_capability(dialogue: Dialogue) -> bytes:
    """RFC 5034, section 3: also after the login."""
    if not dialogue.is_private:
        return b""
    return b"SASL " + b" ".join(dialogue.mechanisms)


async def stls(dialogue: Dialogue, argument: bytes) -> bytes:
    """STLS (RFC 2595, section 4)."""
    read_nothing(argument)
    if dialogue.is_secure:
        return replies.TLS_ALREADY
    if not dialogue.can_start_tls:
        return replies.NO_TLS
    if dialogue.has_input:
        dialogue.session.over = True
        return replies.INPUT_BEHIND_STLS
    dialogue.send(replies.BEGIN_TLS)
    await dialogue.start_tls()
    dialogue.session.restart()
    return b""


def stls_capability(dialogue: Dialogue) -> bytes:
    """Only where it would work."""
    return b"STLS" if dialogue.can_start_tls and not dialogue.is_secure else b""


async def capa(dialogue: Dialogue, argument: bytes) -> bytes:
    """CAPA (RFC 2449, section 5)."""
    read_nothing(argument)
    lines = [row.capability(dialogue) for row in dialogue.commands.values()]
    return replies.several(
        replies.CAPABILITIES, [*filter(None, lines), *CAPABILITIES]
    )


async def quit_(dialogue: Dialogue, argument: bytes) -> bytes:
    """QUIT (RFC 1939, sections 4 and 6): only now are messages deleted.

    The lock is gone before the reply, so that a client may come back at once.
    """
    read_nothing(argument)
    session = dialogue.session
    session.over = True
    if session.maildrop is None:
        return replies.LOGGING_OUT
    try:
        await session.maildrop.expunge()
    except MailError as error:
        raise NotDeleted(str(error)) from error
    finally:
        dialogue.unlock()
    return replies.LOGGING_OUT


def _demand_privacy(dialogue: Dialogue) -> None:
    if not dialogue.is_private:
        raise EncryptionRequired("a password in clear text")


def _failed(dialogue: Dialogue, error: MailError) -> bytes:
    """Count what cost a login attempt; locks count, too, or they could be tried
    for ever."""
    dialogue.session.count_failed_login()
    return replies.reply_for(error)
