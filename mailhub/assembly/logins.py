"""Where all protocols log in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from twisted.cred.portal import Portal

from ..auth.passwd_file import PasswdFileChecker
from ..auth.portal import make_portal
from ..auth.realm import Realm
from ..auth.throttle import LoginLimits, Throttle
from ..auth.workers import HashWorkers
from ..config.settings import Config
from ..routing.submission import InboundSubmission, UserSubmission
from .stores import router_of


class Logins:
    """Makes the portal of a configuration; keeps what outlives each of them.

    :param checkers: more ``ICredentialsChecker``s, asked after the configured ones.
    :ivar throttle: counts failed logins.
    """

    def __init__(
        self,
        store: Any,
        reactor: Any,
        throttle: Throttle,
        checkers: Iterable[Any] = (),
    ) -> None:
        self.throttle = throttle
        self._store = store
        self._reactor = reactor
        self._checkers = tuple(checkers)
        self._workers = HashWorkers(reactor)

    def portal(self, config: Config) -> Portal:
        """Where all protocols log in; password files are read when first used."""
        store = self._store
        router = router_of(config, store.directory)
        strangers = InboundSubmission(store, router)
        realm = Realm(
            store,
            inbound=lambda: strangers,
            for_user=lambda login: UserSubmission(store, router, login=login),
        )
        sources = config.login.auth
        return make_portal(
            realm,
            store.directory if any(each.name == "store" for each in sources) else None,
            self._reactor,
            more_checkers=[
                *(PasswdFileChecker(each.path) for each in sources if each.path),
                *self._checkers,
            ],
            workers=self._workers,
            throttle=self.throttle,
        )

    def stop(self) -> None:
        """End the threads that hash passwords."""
        self._workers.stop()


def login_limits(config: Config) -> LoginLimits:
    """How often somebody may be wrong."""
    names = [field.name for field in fields(LoginLimits)]
    return LoginLimits(**{name: getattr(config.login, name) for name in names})
