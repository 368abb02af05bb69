"""Where all protocols log in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any
from weakref import WeakSet

from twisted.cred.portal import Portal

from ..auth.passwd_file import PasswdFileChecker
from ..auth.portal import make_portal
from ..auth.realm import Realm
from ..auth.throttle import LoginLimits, Throttle
from ..auth.workers import HashWorkers
from ..config.naming import server_name
from ..config.resolving import make_resolver
from ..config.settings import Config
from ..net.resolver import Resolver
from ..routing.dispatching import Dispatching
from ..routing.planning import Outlet
from ..routing.router import Router
from ..routing.srs import random_key
from ..routing.submission import InboundSubmission, UserSubmission
from ..routing.successes import Successes
from .stores import router_of
from .tables import Tables, threads_of


class Logins:
    """Makes the portal of a configuration; keeps what outlives each of them.

    :param checkers: more ``ICredentialsChecker``s, asked after the configured ones.
    :ivar throttle: counts failed logins.
    :ivar outlet: who sends what leaves; ``None``: nothing does.
    :ivar resolver: ``IResolver``; ``None``: one of its own for each portal.
    """

    def __init__(
        self,
        store: Any,
        reactor: Any,
        throttle: Throttle,
        checkers: Iterable[Any] = (),
    ) -> None:
        self.throttle = throttle
        self.outlet: Outlet | None = None
        self.resolver: Resolver | None = None
        self._resolvers: WeakSet[Resolver] = WeakSet()
        self._passing_key = random_key()
        self._store = store
        self._reactor = reactor
        self._checkers = tuple(checkers)
        self._workers = HashWorkers(reactor)
        self._tables: Tables | None = None

    def router(self, config: Config) -> Router:
        """What decides where mail goes, by *config*."""
        sources = self._tables_of(config).sources
        directory = self._store.directory
        return router_of(config, directory, sources, lambda: self._passing_key)

    def portal(self, config: Config) -> Portal:
        """Where all protocols log in; password files are read when first used."""
        store = self._store
        tables = self._tables_of(config)
        checks = tables.checks(self.resolver or self._own_resolver(config))
        router = self.router(config)
        name = server_name(config)
        dispatching = Dispatching(router, name, limits=config.queue)
        ways: dict[str, Any] = {
            "outlet": self.outlet,
            "limits": config.queue,
            "tell_success": Successes(name, dispatching.dispatch),
        }
        strangers = InboundSubmission(store, router, checks, **ways)
        realm = Realm(
            store,
            inbound=lambda: strangers,
            for_user=lambda login: UserSubmission(
                store, router, checks, login=login, **ways
            ),
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

    def _tables_of(self, config: Config) -> Tables:
        """The files of *config*; those in use, if it asks for no others.

        What is known of a file that was wrong a moment ago then stays, whatever else
        changes.

        :raises ConfigError: other files are asked for, and cannot be followed.
        """
        if self._tables is not None and self._tables.serves(config):
            self._tables.look_again()
            return self._tables
        tables = Tables(config, self._reactor, threads_of(self._reactor))
        if self._tables is not None:
            tables.read()
        self._tables = tables
        return tables

    def _own_resolver(self, config: Config) -> Resolver:
        """One that asks as *config* says; it opens nothing before it is asked."""
        resolver = make_resolver(config.dns, self._reactor)
        self._resolvers.add(resolver)
        return resolver

    def stop(self) -> None:
        """End the threads that hash passwords, and questions to DNS."""
        self._workers.stop()
        for resolver in list(self._resolvers):
            resolver.stop()


def login_limits(config: Config) -> LoginLimits:
    """How often somebody may be wrong."""
    names = [field.name for field in fields(LoginLimits)]
    return LoginLimits(**{name: getattr(config.login, name) for name in names})
