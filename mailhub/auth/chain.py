"""Several checkers as one, with throttling before them.

A portal keeps one checker per kind of credentials, the last one given; this one
asks any number of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.cred import error as cred_error
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import AuthenticationFailed, LocalFault, MailError
from ..logbook import Logbook
from ..mail.envelope import Peer
from .credentials import AvatarId, LoginFailed, PasswordLogin, login_name
from .identity import canonical_login
from .throttle import Throttle

#: Who is meant by credentials that do not say where they come from.
NOWHERE = Peer("", 0, "", "")


@implementer(ICredentialsChecker)
class ChainChecker:
    """Asks *checkers* in order; the first that accepts decides.

    Passwords are throttled, and every checker gets the canonical name (lower
    case, UTF-8), so that all see one identity.  Whatever they answer becomes a
    canonical avatar id.  Other credentials go to the checkers unchanged.

    :param throttle: counts and delays failures.
    """

    log = Logger()
    maillog = Logbook()

    def __init__(self, checkers: Sequence[Any], *, throttle: Throttle) -> None:
        self._checkers = tuple(checkers)
        self._throttle = throttle
        kinds = [kind for c in self._checkers for kind in c.credentialInterfaces]
        self.credentialInterfaces = tuple(dict.fromkeys(kinds))

    def requestAvatarId(self, credentials: Any) -> Deferred[AvatarId]:
        """The canonical name in UTF-8, or ``()`` for nobody.

        :raises LoginFailed: (by the Deferred, as all) nobody accepted it.
        :raises LoginThrottled: too many failures before this.
        :raises LocalFault: it could not be checked now.
        """
        if IUsernamePassword.providedBy(credentials):
            return Deferred.fromCoroutine(self._identify(credentials))
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _identify(self, credentials: Any) -> AvatarId:
        peer = getattr(credentials, "peer", NOWHERE)
        try:
            avatar = await self._throttled(credentials, peer)
        except AuthenticationFailed as error:
            self.maillog.warn(
                "login as {user!r} from {host} ({service}) failed: {error}",
                user=credentials.username, host=peer.host, service=peer.service,
                error=error,
            )
            await self._throttle.penalty()
            raise
        self.maillog.info(
            "login as {user!r} from {host} ({service})",
            user=avatar, host=peer.host, service=peer.service,
        )
        return avatar

    async def _throttled(self, credentials: Any, peer: Peer) -> AvatarId:
        try:
            name = login_name(credentials)
        except LoginFailed:
            name = ""  # nobody's; the address has to answer for it
        self._throttle.check(peer, name)
        try:
            if not name:
                raise LoginFailed("unusable login name")
            login = PasswordLogin(name.encode(), credentials.password, peer)
            avatar = await self._ask(login)
        except AuthenticationFailed:
            self._throttle.failed(peer, name)
            raise
        # Guesses sent at the same time all passed the first check; what came
        # after the last failure that is allowed learns nothing.
        self._throttle.check(peer, name)
        self._throttle.succeeded(peer, name)
        return avatar

    async def _ask(self, credentials: Any) -> AvatarId:
        """Ask all that judge such credentials, until one accepts."""
        fault: MailError | None = None
        for checker in self._checkers:
            if not _judges(checker, credentials):
                continue
            try:
                answer = await maybeDeferred(checker.requestAvatarId, credentials)
            except (AuthenticationFailed, cred_error.LoginFailed):
                continue
            except CancelledError:
                raise  # the peer has gone
            except MailError as error:
                fault = error
            except Exception:
                self.log.failure("a credentials checker failed")
                fault = LocalFault("a credentials checker failed")
            else:
                return _canonical(answer)
        # What a broken checker might have accepted is not a wrong password.
        raise fault or LoginFailed("wrong user or password")


def _judges(checker: Any, credentials: Any) -> bool:
    return any(kind.providedBy(credentials) for kind in checker.credentialInterfaces)


def _canonical(answer: Any) -> AvatarId:
    """Avatar ids come as bytes, as ``str`` from some, as ``()`` for nobody."""
    if not answer:
        return ()
    given = answer.encode() if isinstance(answer, str) else bytes(answer)
    return canonical_login(given).encode()
