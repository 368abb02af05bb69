"""The store's own users, as a checker for cred."""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import MailError
from .credentials import AvatarId, LoginFailed, login_name
from .schemes import needs_rehash
from .verifier import PasswordVerifier


@implementer(ICredentialsChecker)
class StoreChecker:
    """Checks names and passwords against an ``IDirectory``.

    The login name is the full address.  Accounts that are disabled or have no
    password fail exactly as those that do not exist.
    """

    credentialInterfaces = (IUsernamePassword,)
    log = Logger()

    def __init__(self, directory: Any, verifier: PasswordVerifier) -> None:
        self._directory = directory
        self._verifier = verifier

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """The canonical address in UTF-8.

        :raises LoginFailed: (by the Deferred, as all) no such login.
        :raises LocalFault: it could not be checked now.
        """
        return Deferred.fromCoroutine(self._identify(credentials))

    async def _identify(self, credentials: Any) -> AvatarId:
        name, password = login_name(credentials), credentials.password
        account = await self._directory.find_account(name)
        usable = account is not None and account.enabled
        stored: str = account.password if usable else ""
        if not await self._verifier.verify(f"store:{name}", stored, password):
            raise LoginFailed(f"wrong user or password for {name}")
        if needs_rehash(stored):
            await self._rehash(name, stored, password)
        return name.encode()

    async def _rehash(self, name: str, stored: str, password: bytes) -> None:
        """Store a hash of today's strength; the login works without it, too."""
        try:
            hashed = await self._verifier.hash(password)
            # Somebody may have changed the password while this was computed.
            await self._directory.set_password(name, hashed, expected=stored)
        except MailError as error:
            self.log.warn(
                "password hash of {user} was not renewed: {error}",
                user=name, error=error,
            )
