"""Logging in at a smarthost, and where the passwords come from."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from OpenSSL import SSL

from ..smtp.client import SMTPClient
from ..smtp.client_login import (
    Exchange,
    Login,
    LoginFault,
    choose,
    decode,
    encode,
)
from ..smtp.client_replies import ServerReply
from ..smtp.client_steps import Step

#: What gives the secret for a login; ``renew`` asks for another access token, as the
#: last one was refused.
Secrets = Callable[[str, str, bool], Awaitable[Login]]
#: Exchanges have three challenges at most.
_MOST_CHALLENGES = 4
_CONTINUE = 334


async def log_in(
    client: SMTPClient, host: str, user: str, secrets_of: Secrets, *, is_local: bool
) -> None:
    """Log in (RFC 4954).

    :param is_local: nobody can listen: what is said never leaves this machine.
    :raises LoginFault: it did not work.
    """
    may_show = is_local or client.is_secure
    login = await secrets_of(host, user, False)
    reply = await _attempt(client, login, may_show)
    if not reply.is_positive and login.is_token:
        # Access tokens last an hour.
        login = await secrets_of(host, user, True)
        reply = await _attempt(client, login, may_show)
    if not reply.is_positive:
        raise LoginFault(f"{host} does not let {user} in: {reply}")


async def _attempt(client: SMTPClient, login: Login, may_show: bool) -> ServerReply:
    exchange = choose(
        client.able.mechanisms,
        login,
        nonce=secrets.token_urlsafe(24),
        binding=_binding(client),
        may_show=may_show,
    )
    command = b"AUTH " + exchange.name.encode("ascii")
    first = exchange.first()
    if first is not None:
        command += b" " + (encode(first) or b"=")
    reply = await client.command(command + b"\r\n", Step.LOGIN)
    return await _answer_all(client, exchange, reply)


async def _answer_all(
    client: SMTPClient, exchange: Exchange, reply: ServerReply
) -> ServerReply:
    for _ in range(_MOST_CHALLENGES):
        if reply.code != _CONTINUE:
            break
        response = exchange.next(decode(reply.lines[0]))
        reply = await client.command(encode(response) + b"\r\n", Step.LOGIN)
    if reply.code == _CONTINUE:
        raise LoginFault("challenges without an end")
    if reply.is_positive and not exchange.is_proved:
        raise LoginFault("the server has not shown that it knows the password")
    return reply


def _binding(client: SMTPClient) -> bytes:
    """What only the two ends of this connection know (RFC 9266)."""
    if client.peer.tls != "TLSv1.3":
        return b""
    try:
        exported = client.tls.export_keying_material(
            b"EXPORTER-Channel-Binding", 32, b""
        )
    except SSL.Error:
        return b""
    return bytes(exported)
