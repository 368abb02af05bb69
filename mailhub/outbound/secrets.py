"""Passwords and tokens for logins elsewhere, from a file of the operator's.

Lines of ``host user password`` or ``host user oauth2 token-URL client-id client-secret
refresh-token``; ``#`` begins a comment.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ..smtp.client_login import Login, LoginFault
from .login import Secrets

_OAUTH2 = "oauth2"
#: Asks a URL with a form (``application/x-www-form-urlencoded``), gives what it says.
Post = Callable[[str, bytes], Awaitable[bytes]]
#: Seconds before its end in which a token is not used any more.
_MARGIN = 60.0
#: How long a token is used that does not say for how long it may be.
_USUAL_LIFE = 600.0


@dataclass(frozen=True, slots=True)
class Client:
    """What gets access tokens (RFC 6749, section 6)."""

    url: str
    name: str
    secret: str
    refresh_token: str

    def form(self) -> bytes:
        """The request for one."""
        return urlencode(
            {
                "grant_type": "refresh_token",
                "client_id": self.name,
                "client_secret": self.secret,
                "refresh_token": self.refresh_token,
            }
        ).encode("ascii")


class SecretsFile:
    """Looks secrets up, in the file as it is at that time.

    :param now: the time, in seconds.
    :param post: how access tokens are got.
    """

    def __init__(self, path: str, now: Callable[[], float], post: Post) -> None:
        self._path = path
        self._now = now
        self._post = post
        self._tokens: dict[Client, tuple[str, float]] = {}

    async def find(self, host: str, user: str, renew: bool) -> Login:
        """The secret of *user* at *host*.

        :param renew: the last token was refused.
        :raises LoginFault: there is none.
        """
        secret = read_secrets(self._path).get((host.lower(), user))
        if secret is None:
            raise LoginFault(f"no password for {user} at {host} in {self._path!r}")
        if isinstance(secret, str):
            return Login(user, secret)
        token, until = self._tokens.get(secret, ("", 0.0))
        if renew or self._now() >= until:
            token, life = await self._refresh(secret)
            self._tokens[secret] = token, self._now() + life - _MARGIN
        return Login(user, token, is_token=True)

    async def _refresh(self, client: Client) -> tuple[str, float]:
        answer = await self._post(client.url, client.form())
        try:
            fields = json.loads(answer)
            token, life = fields["access_token"], fields.get("expires_in", _USUAL_LIFE)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise LoginFault(f"{client.url} gives no token") from None
        if not isinstance(token, str) or not isinstance(life, int | float):
            raise LoginFault(f"{client.url} gives no token")
        return token, float(life)


def read_secrets(path: str) -> dict[tuple[str, str], str | Client]:
    """What a file says, by host and user.

    :raises LoginFault: it cannot be used.
    """
    if not path:
        raise LoginFault("the configuration names no file of passwords")
    try:
        with open(path, encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise LoginFault(f"others than its owner may use {path!r}")
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LoginFault(f"{path!r} cannot be read: {error}") from None
    found: dict[tuple[str, str], str | Client] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.startswith("#"):
            host, user, secret = _parse(line, f"{path!r}, line {number}")
            found[host, user] = secret
    return found


def _parse(line: str, place: str) -> tuple[str, str, str | Client]:
    words = line.split(None, 2)
    if len(words) < 3:
        raise LoginFault(f"{place}: expected a host, a user and a password")
    host, user, rest = words
    if rest.split(None, 1)[0] != _OAUTH2:
        return host.lower(), user, rest.rstrip()
    match rest.split()[1:]:
        case [url, name, secret, refresh_token] if url.startswith("https://"):
            return host.lower(), user, Client(url, name, secret, refresh_token)
    raise LoginFault(f"{place}: expected oauth2, an https URL and three words")


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
