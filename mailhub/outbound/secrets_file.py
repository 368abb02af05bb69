"""Passwords and tokens for logins elsewhere: the operator's file.

Lines of ``host user password`` or ``host user oauth2 token-URL client-id client-secret
refresh-token``; ``#`` begins a comment.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from urllib.parse import urlencode

from ..net.whole_file import replace_file
from ..smtp.client_login import LoginFault

_OAUTH2 = "oauth2"


@dataclass(frozen=True, slots=True)
class Client:
    """What gets access tokens (RFC 6749, section 6)."""

    url: str
    name: str
    secret: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def form(self, refresh_token: str) -> bytes:
        """The request for one."""
        return urlencode(
            {
                "grant_type": "refresh_token",
                "client_id": self.name,
                "client_secret": self.secret,
                "refresh_token": refresh_token,
            }
        ).encode("ascii")


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


def replace_word(path: str, old: str, new: str) -> None:
    """Let lines of the file that end with the word *old* end with *new*.

    It is durable at the end: a token that was forgotten could not be had again.

    :raises OSError: see :func:`~mailhub.net.whole_file.replace_file`.
    """
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    text = "".join(
        (line.rstrip()[: -len(old)] + new if line.split()[-1:] == [old] else line)
        + "\n"
        for line in lines
    )
    replace_file(path, text.encode())
