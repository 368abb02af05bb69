from __future__ import annotations

from typing import Any

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.credentials import Anonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import Portal
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.verify import verifyObject

from mailhub.auth.credentials import (
    IVerifiedIdentity,
    LoginFailed,
    PasswordLogin,
    VerifiedIdentity,
    VerifiedIdentityChecker,
)
from mailhub.auth.realm import Realm
from mailhub.errors import AuthenticationFailed, UnknownRecipient
from mailhub.interfaces import IMailAccount, ISubmission
from mailhub.mail.envelope import Peer

PEER = Peer("192.0.2.1", 4711, "imap", "mail.example.org")


class FakeAccount:
    def __init__(self, address: str) -> None:
        self.address = address
        self.logouts = 0

    def logout(self) -> None:
        self.logouts += 1


class FakeStore:
    """Has alice, and nobody else."""

    async def open_account(self, address: str) -> FakeAccount:
        if address != "alice@example.org":
            raise UnknownRecipient(address)
        return await succeed(FakeAccount(address))


def make_portal() -> Portal:
    realm = Realm(
        FakeStore(),
        inbound=lambda: "inbound",
        for_user=lambda user: f"submission of {user}",
    )
    return Portal(realm, [VerifiedIdentityChecker(), AllowAnonymousAccess()])


def proven(authcid: str, authzid: str = "") -> VerifiedIdentity:
    return VerifiedIdentity(authcid, authzid, "SCRAM-SHA-256", PEER)


class Avatars(SynchronousTestCase):
    """One realm for IMAP, POP3 and SMTP."""

    def login(self, credentials: Any, *interfaces: Any) -> Any:
        return self.successResultOf(
            make_portal().login(credentials, PEER, *interfaces)
        )

    def test_a_reader_gets_an_account_and_its_logout(self) -> None:
        alice = proven("Alice@Example.org")
        interface, avatar, logout = self.login(alice, IMailAccount)
        self.assertIs(interface, IMailAccount)
        self.assertEqual(avatar.address, "alice@example.org")
        logout()
        self.assertEqual(avatar.logouts, 1)

    def test_a_sender_gets_a_submission_of_its_own(self) -> None:
        interface, avatar, logout = self.login(proven("alice@example.org"), ISubmission)
        self.assertEqual((interface, avatar),
                         (ISubmission, "submission of alice@example.org"))
        logout()

    def test_a_sender_without_login_gets_the_inbound_one(self) -> None:
        self.assertEqual(self.login(Anonymous(), ISubmission)[1], "inbound")

    def test_nobody_reads_mail_without_a_login(self) -> None:
        login = make_portal().login(Anonymous(), PEER, IMailAccount)
        self.failureResultOf(login, LoginFailed)

    def test_the_first_interface_that_is_there_is_given(self) -> None:
        class Other(Interface):
            pass

        credentials = proven("alice@example.org")
        self.assertIs(self.login(credentials, Other, ISubmission)[0], ISubmission)

    def test_an_unknown_interface_is_not_implemented(self) -> None:
        alice = proven("alice@example.org")
        login = make_portal().login(alice, PEER, IUsernamePassword)
        self.failureResultOf(login, NotImplementedError)

    def test_a_login_without_an_account_fails_like_any_other(self) -> None:
        login = make_portal().login(proven("bob@example.org"), PEER, IMailAccount)
        failure = self.failureResultOf(login, LoginFailed)
        self.assertIsInstance(failure.value, AuthenticationFailed)
        self.assertIsInstance(failure.value, UnauthorizedLogin)

    def test_an_identity_may_name_itself_but_nobody_else(self) -> None:
        self.login(proven("alice@example.org", "ALICE@example.org"), IMailAccount)
        other = proven("alice@example.org", "bob@example.org")
        login = make_portal().login(other, PEER, IMailAccount)
        self.failureResultOf(login, LoginFailed)


class Credentials(SynchronousTestCase):
    def test_they_provide_what_cred_asks_for(self) -> None:
        verifyObject(IUsernamePassword, PasswordLogin(b"a", b"b", PEER))
        verifyObject(IVerifiedIdentity, proven("a"))

    def test_checking_a_password(self) -> None:
        login = PasswordLogin(b"a", b"secret", PEER)
        self.assertTrue(login.checkPassword(b"secret"))
        self.assertFalse(login.checkPassword(b"Secret"))

    def test_the_password_is_not_in_the_representation(self) -> None:
        self.assertNotIn("secret", repr(PasswordLogin(b"a", b"secret", PEER)))
