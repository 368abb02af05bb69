from __future__ import annotations

import os
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import Anonymous
from twisted.cred.strcred import makeChecker
from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from mailhub.auth.credentials import LoginFailed, VerifiedIdentity
from mailhub.auth.passwd_file import PasswdFileChecker
from mailhub.auth.portal import make_portal
from mailhub.auth.realm import Realm
from mailhub.auth.schemes import hash_password
from mailhub.auth.throttle import LoginLimits
from mailhub.errors import AuthenticationFailed
from mailhub.interfaces import ISubmission

from .fakes import ALICE, FakeDirectory, login_as, make_peer


class WholePortal(TestCase):
    """Real threads, a store's users, a file's users and cred's own."""

    def setUp(self) -> None:
        directory = FakeDirectory()
        directory.add("alice@example.org", hash_password("right"))
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("bob:{PLAIN}pw\n")
        os.chmod(path, 0o600)
        self.portal = make_portal(
            Realm(None, inbound=lambda: None, for_user=lambda user: user),
            directory,
            reactor,
            more_checkers=[
                PasswdFileChecker(path),
                InMemoryUsernamePasswordDatabaseDontUse(carol=b"pw"),
                makeChecker("memory:dave@example.org:pw:erin:word"),
            ],
            limits=LoginLimits(delay=0.0),
        )

    async def login(self, credentials: Any) -> Any:
        return (await self.portal.login(credentials, make_peer(), ISubmission))[1]

    async def test_users_from_everywhere_log_in(self) -> None:
        for name, password, avatar in (
            (ALICE, b"right", "alice@example.org"), (b"Bob", b"pw", "bob"),
            (b"carol", b"pw", "carol"),
            (b"Dave@example.org", b"pw", "dave@example.org"),
            (b"erin", b"word", "erin"),
        ):
            self.assertEqual(await self.login(login_as(name, password)), avatar)

    async def test_nobody_else_does(self) -> None:
        with self.assertRaises(LoginFailed):
            await self.login(login_as(ALICE, b"pw"))

    async def test_anonymous_and_proven_identities_are_welcome(self) -> None:
        self.assertIsNone(await self.login(Anonymous()))
        proven = VerifiedIdentity("Alice@example.org", "", "X", make_peer())
        self.assertEqual(await self.login(proven), "alice@example.org")

    async def test_a_cred_user_of_another_kind_sees_cred_s_errors(self) -> None:
        from twisted.cred.error import UnauthorizedLogin

        for kind in (UnauthorizedLogin, AuthenticationFailed):
            with self.assertRaises(kind):
                await self.login(login_as(b"nobody", b"pw"))
