"""One realm for every protocol: which avatar a login gets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ANONYMOUS
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import UnknownRecipient
from ..interfaces import IMailAccount, ISubmission
from .credentials import AvatarId, LoginFailed

#: What cred wants of a realm: interface, avatar, and what to call at the end.
Granted = tuple[Any, Any, Callable[[], None]]


@implementer(IRealm)
class Realm:
    """Gives ``IMailAccount`` to readers and ``ISubmission`` to senders.

    :param store: the ``IMailStore`` whose accounts the avatar ids name.
    :param inbound: makes the ``ISubmission`` of peers that did not log in.
    :param for_user: makes the ``ISubmission`` of a canonical login name.
    """

    log = Logger()

    def __init__(
        self,
        store: Any,
        *,
        inbound: Callable[[], Any],
        for_user: Callable[[str], Any],
    ) -> None:
        self._store = store
        self._inbound = inbound
        self._for_user = for_user

    def requestAvatar(
        self, avatarId: AvatarId, mind: object, *interfaces: Any
    ) -> Granted | Deferred[Granted]:
        """The first avatar of *interfaces* that this realm has.

        :raises NotImplementedError: it has none of them.
        :raises LoginFailed: (by the Deferred) there is no such account.
        """
        for interface in interfaces:
            if interface is ISubmission:
                return ISubmission, self._submission(avatarId), _nothing
            if interface is IMailAccount:
                return Deferred.fromCoroutine(self._account(avatarId))
        raise NotImplementedError(f"no avatar for {interfaces!r}")

    def _submission(self, avatar_id: AvatarId) -> Any:
        if avatar_id == ANONYMOUS:
            return self._inbound()
        return self._for_user(_name(avatar_id))

    async def _account(self, avatar_id: AvatarId) -> Granted:
        if avatar_id == ANONYMOUS:
            raise LoginFailed("nobody reads mail without a login")
        name = _name(avatar_id)
        try:
            account = await self._store.open_account(name)
        except UnknownRecipient:
            self.log.warn("{user} may log in but has no account here", user=name)
            raise LoginFailed(f"no account for {name}") from None
        return IMailAccount, account, account.logout


def _name(avatar_id: AvatarId | str) -> str:
    """Avatar ids are UTF-8; an application's own checkers may give ``str``."""
    return avatar_id.decode() if isinstance(avatar_id, bytes) else str(avatar_id)


def _nothing() -> None:
    """A submission avatar holds nothing that a logout would free."""
