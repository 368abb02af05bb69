from __future__ import annotations

from array import array
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from mailhub.pop3 import replies
from mailhub.pop3.maildrop import Maildrop
from mailhub.pop3.session import POP3Limits, Session, State


class Counting(SynchronousTestCase):
    """Each limit at N and at N+1."""

    def setUp(self) -> None:
        self.session = Session(POP3Limits(errors=5, junk=2, failed_logins=3))

    def log_in(self) -> None:
        mailbox: Any = None
        self.session.enter(Maildrop(mailbox, array("I"), array("Q")))

    def test_errors(self) -> None:
        for _ in range(5):
            self.assertEqual(self.session.count_error(b"x"), b"x")
            self.assertFalse(self.session.over)
        self.assertEqual(self.session.count_error(b"x"), replies.TOO_MANY_ERRORS)
        self.assertTrue(self.session.over)

    def test_a_login_pays_for_the_errors_before_it(self) -> None:
        for _ in range(5):
            self.session.count_error(b"x")
        self.log_in()
        for _ in range(5):
            self.assertEqual(self.session.count_error(b"x", unknown=True), b"x")
        self.assertEqual(self.session.count_error(b"x"), replies.TOO_MANY_ERRORS)

    def test_unknown_commands_before_the_login(self) -> None:
        for _ in range(2):
            self.assertEqual(self.session.count_error(b"x", unknown=True), b"x")
        self.assertFalse(self.session.over)
        reply = self.session.count_error(b"x", unknown=True)
        self.assertEqual(reply, replies.TOO_MANY_ERRORS)
        self.assertTrue(self.session.over)

    def test_failed_logins(self) -> None:
        for _ in range(2):
            self.session.count_failed_login()
            self.assertFalse(self.session.over)
        self.session.count_failed_login()
        self.assertTrue(self.session.over)

    def test_stls_forgets_the_user_and_not_the_errors(self) -> None:
        self.session.user = b"alice"
        self.session.count_error(b"x")
        self.session.restart()
        self.assertIsNone(self.session.user)
        self.assertEqual(self.session.errors, 1)

    def test_the_state_follows_the_maildrop(self) -> None:
        self.assertIs(self.session.state, State.AUTHORIZATION)
        self.log_in()
        self.assertIs(self.session.state, State.TRANSACTION)
