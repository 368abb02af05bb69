"""The one portal of a server, put together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.cred.checkers import (
    AllowAnonymousAccess,
    InMemoryUsernamePasswordDatabaseDontUse,
)
from twisted.cred.portal import IRealm, Portal

from .cache import SuccessCache
from .chain import ChainChecker
from .credentials import VerifiedIdentityChecker
from .passwd_file import PasswdFileChecker
from .store_checker import StoreChecker
from .throttle import LoginLimits, Throttle
from .verifier import PasswordVerifier
from .workers import HashWorkers


def make_portal(
    realm: IRealm,
    directory: Any,
    reactor: Any,
    *,
    more_checkers: Iterable[Any] = (),
    limits: LoginLimits | None = None,
    workers: HashWorkers | None = None,
    throttle: Throttle | None = None,
) -> Portal:
    """A portal whose logins are hashed in threads, cached and throttled.

    Peers that do not log in get in as anonymous: mail from elsewhere.

    :param directory: the ``IDirectory`` asked first, or ``None``.
    :param reactor: runs the threads and is the clock.
    :param more_checkers: asked after the directory, in order: those of
        ``--auth`` are ``options["credCheckers"]``
        (:class:`twisted.cred.strcred.AuthOptionMixin`).
    :param limits: how many failures are borne.
    :param throttle: counts them, instead of one with *limits*.
    :param workers: where passwords are hashed; who gives them stops them.
    """
    verifier = PasswordVerifier(
        workers or HashWorkers(reactor), SuccessCache(reactor)
    )
    checkers = [StoreChecker(directory, verifier)] if directory is not None else []
    checkers.extend(more_checkers)
    for checker in checkers:
        if isinstance(checker, PasswdFileChecker):
            checker.verifier = verifier
        if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
            checker.users = {
                _octets(name): _octets(word) for name, word in checker.users.items()
            }
    throttle = throttle or Throttle(reactor, limits)
    chain = ChainChecker(checkers, throttle=throttle)
    return Portal(realm, [AllowAnonymousAccess(), VerifiedIdentityChecker(), chain])


def _octets(text: str | bytes) -> bytes:
    """``--auth memory:`` keeps ``str``, which no credentials from a wire equal."""
    return text.encode() if isinstance(text, str) else text
