"""Passwords and tokens for logins elsewhere, from a file of the operator's.

Access tokens are asked for when they are needed, and used until they end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from ..smtp.client_login import Login, LoginFault
from .login import Secrets
from .secrets_file import Client, read_secrets, replace_word

_WORD = re.compile(r"[!-~]+")
#: Asks a URL with a form (``application/x-www-form-urlencoded``), gives what it says.
Post = Callable[[str, bytes], Awaitable[bytes]]
#: Seconds before its end in which a token is not used any more.
_MARGIN = 60.0
#: How long a token is used that does not say for how long it may be.
_USUAL_LIFE = 600.0


@dataclass(frozen=True, slots=True)
class _Held:
    """An access token.

    :ivar client: as the file has it.
    :ivar refresh_token: what gets the next one; another than the file's, if that could
        not be changed.
    """

    client: Client
    refresh_token: str = field(repr=False)
    token: str = field(repr=False)
    until: float


class SecretsFile:
    """Looks secrets up, in the file as it is at that time.

    :param now: the time, in seconds.
    :param post: how access tokens are got.
    """

    log = Logger()

    def __init__(self, path: str, now: Callable[[], float], post: Post) -> None:
        self._path = path
        self._now = now
        self._post = post
        self._held: dict[tuple[str, str], _Held] = {}
        self._turns: dict[tuple[str, str], DeferredLock] = {}

    async def find(self, host: str, user: str, renew: bool) -> Login:
        """The secret of *user* at *host*.

        :param renew: the last token was refused.
        :raises LoginFault: there is none.
        """
        key = host.lower(), user
        secret = self._read(key)
        if isinstance(secret, str):
            return Login(user, secret)
        held = self._held.get(key)
        is_good = held and held.client == secret and self._now() < held.until
        if held is None or renew or not is_good:
            held = await self._renewed(key, held)
        return Login(user, held.token, is_token=True)

    def _read(self, key: tuple[str, str]) -> str | Client:
        secret = read_secrets(self._path).get(key)
        if secret is None:
            host, user = key
            raise LoginFault(f"no password for {user} at {host} in {self._path!r}")
        return secret

    async def _renewed(self, key: tuple[str, str], before: _Held | None) -> _Held:
        """Another token than *before*, asked for once for all who want it: who uses a
        refresh token twice may be taken for a thief (RFC 9700, section 4.14.2).
        """
        turn = self._turns.setdefault(key, DeferredLock())
        await turn.acquire()
        try:
            held = self._held.get(key)
            if held is None or held is before:
                client = self._read(key)
                if isinstance(client, str):
                    raise LoginFault(f"{self._path!r} has been changed")
                last = before.refresh_token if before else client.refresh_token
                if before and before.client != client:
                    last = client.refresh_token
                held = self._held[key] = await self._refresh(client, last)
            return held
        finally:
            turn.release()

    async def _refresh(self, client: Client, refresh_token: str) -> _Held:
        answer = await self._post(client.url, client.form(refresh_token))
        try:
            fields = json.loads(answer)
            token, life = fields["access_token"], fields.get("expires_in", _USUAL_LIFE)
            following = fields.get("refresh_token", refresh_token)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise LoginFault(f"{client.url} gives no token") from None
        if not isinstance(token, str) or not isinstance(life, int | float):
            raise LoginFault(f"{client.url} gives no token")
        if isinstance(following, str) and _WORD.fullmatch(following):
            refresh_token = following
        until = self._now() + float(life) - _MARGIN
        return _Held(self._kept(client, refresh_token), refresh_token, token, until)

    def _kept(self, client: Client, refresh_token: str) -> Client:
        """*client* in the file with another refresh token: RFC 6749, section 6, wants
        the old one to be discarded.
        """
        if refresh_token == client.refresh_token:
            return client
        try:
            replace_word(self._path, client.refresh_token, refresh_token)
        except OSError as error:
            self.log.warn(
                "{url} has given another refresh token, which has no place in {path}:"
                " {error}", url=client.url, path=self._path, error=error,
            )  # fmt: skip
            return client
        return replace(client, refresh_token=refresh_token)


def secrets_in(path: str, reactor: Any, post: Post | None = None) -> Secrets:
    """What gives the secrets in the file at *path*."""
    if post is None:
        post = _posting(reactor)
    return SecretsFile(path, reactor.seconds, post).find


def _posting(reactor: Any) -> Post:
    async def post(url: str, form: bytes) -> bytes:
        from .http import post_form  # not every server talks to others by HTTP

        return await post_form(reactor, url, form)

    return post
