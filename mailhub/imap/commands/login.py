"""Commands that begin a session: STARTTLS, AUTHENTICATE, LOGIN."""

from __future__ import annotations

from ...errors import EncryptionRequired, SyntaxFault
from .. import responses
from ..session import Conversation
from ..syntax import Scanner


async def starttls(talk: Conversation, scanner: Scanner) -> bytes:
    """STARTTLS (RFC 3501, section 6.2.1).

    Request:  ``"STARTTLS"``
    Response: the tagged OK is the last in clear text.
    """
    scanner.end()
    if not talk.can_start_tls:
        return responses.NO_TLS
    talk.send(responses.tagged(talk.session.tag, responses.STARTING_TLS))
    await talk.start_tls()
    return b""


async def login(talk: Conversation, scanner: Scanner) -> bytes:
    """LOGIN (RFC 3501, section 6.2.3).

    Request:  ``login = "LOGIN" SP userid SP password``
    Response: OK with the capabilities, as most clients ask for them next.
    """
    if not talk.login_allowed:
        raise EncryptionRequired("LOGIN without TLS")
    scanner.space()
    username = scanner.astring()
    scanner.space()
    password = scanner.astring()
    scanner.end()
    if not username:
        raise SyntaxFault("LOGIN without a name")
    await talk.log_in(username, password)
    return responses.logged_in(talk.capabilities)


async def authenticate(talk: Conversation, scanner: Scanner) -> bytes:
    """AUTHENTICATE (RFC 3501, section 6.2.2; RFC 4959).

    Request:  ``"AUTHENTICATE" SP auth-type [SP initial-resp] *(CRLF base64)``
    Response: continuations, then as LOGIN.
    """
    scanner.space()
    mechanism = scanner.atom().upper()
    initial = None
    if scanner.take(0x20):
        initial = scanner.rest
    else:
        scanner.end()
    if mechanism not in talk.mechanisms:
        return responses.NO_SUCH_MECHANISM
    if not talk.login_allowed:
        raise EncryptionRequired("AUTHENTICATE without TLS")
    await talk.authenticate(mechanism, initial)
    return responses.logged_in(talk.capabilities)
