"""What a peer shows to log in, as credentials of ``twisted.cred``."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, execute
from zope.interface import Attribute, implementer

from ..errors import AuthenticationFailed, TooManyAttempts
from ..mail.envelope import Peer
from .identity import canonical_login

#: What cred's checkers answer: a canonical name in UTF-8, or ``()`` for nobody.
AvatarId = bytes | tuple[()]


class LoginFailed(AuthenticationFailed, UnauthorizedLogin):
    """A failed login for callers of both kinds: ours and other cred users."""


class LoginThrottled(TooManyAttempts, UnauthorizedLogin):
    """Too many failures; also an ``UnauthorizedLogin`` for other cred users."""


@implementer(IUsernamePassword)
@dataclass(frozen=True, slots=True)
class PasswordLogin:
    """A name and a password in clear, and who shows them.

    Any checker for cred's ``IUsernamePassword`` can judge it.

    :ivar username: as the peer sent it; checkers get it canonical, in UTF-8.
    :ivar password: as the peer sent it; never part of ``repr()``.
    """

    username: bytes
    password: bytes = field(repr=False)
    peer: Peer

    def checkPassword(self, password: bytes) -> bool:
        """Whether *password*, in clear, is the same; takes constant time."""
        return hmac.compare_digest(self.password, password)


def login_name(credentials: Any) -> str:
    """The canonical name of *credentials* that have a ``username``.

    :raises LoginFailed: not a name that anybody can have.
    """
    given = credentials.username
    try:
        return canonical_login(given.encode() if isinstance(given, str) else given)
    except AuthenticationFailed as error:
        raise LoginFailed(str(error)) from None


class IVerifiedIdentity(ICredentials):
    """An identity that a SASL exchange of this server has proved already."""

    authcid = Attribute("str: canonical name of who proved to be himself.")
    authzid = Attribute("str: whom to act as; ``''`` is the same identity.")
    mechanism = Attribute("str: the SASL mechanism that proved it.")
    peer = Attribute(":class:`mailhub.mail.envelope.Peer`")


@implementer(IVerifiedIdentity)
@dataclass(frozen=True, slots=True)
class VerifiedIdentity:
    """The result of a SASL exchange that ended well (RFC 4422, section 3.6).

    Only a server's own SASL code makes one; nothing of it is checked again.
    """

    authcid: str
    authzid: str
    mechanism: str
    peer: Peer


@implementer(ICredentialsChecker)
class VerifiedIdentityChecker:
    """Accepts :class:`VerifiedIdentity`; nobody may act as somebody else."""

    credentialInterfaces = (IVerifiedIdentity,)

    def requestAvatarId(self, credentials: VerifiedIdentity) -> Deferred[AvatarId]:
        """The canonical name in UTF-8.

        :raises LoginFailed: (by the Deferred) the authorization identity is
            another's.
        """
        return execute(self._identify, credentials)

    def _identify(self, credentials: VerifiedIdentity) -> AvatarId:
        authcid = canonical_login(credentials.authcid.encode())
        if credentials.authzid:
            authzid = canonical_login(credentials.authzid.encode())
            if authzid != authcid:
                raise LoginFailed(f"{authcid} may not act as {authzid}")
        return authcid.encode()
