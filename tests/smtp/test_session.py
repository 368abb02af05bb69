"""States, counts and limits of a session."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import Address
from mailhub.mail.envelope import Envelope, MailParameters, Peer
from mailhub.smtp import replies
from mailhub.smtp.session import Session, SMTPLimits, State


def envelope(*recipients):
    peer = Peer("192.0.2.7", 54321, "smtp", "mx.example.org")
    return Envelope("X", peer, None, None, MailParameters(), list(recipients))


class StateTests(SynchronousTestCase):
    """RFC 5321, section 4.1.4."""

    def test_a_session_comes_further_step_by_step(self):
        session = Session()
        self.assertIs(session.state, State.CONNECTED)
        session.greet("x", extended=True)
        self.assertIs(session.state, State.GREETED)
        session.envelope = envelope()
        self.assertIs(session.state, State.MAIL)
        session.envelope.recipients.append(Address("b", "example.org"))
        self.assertIs(session.state, State.RECIPIENTS)

    def test_reset_and_a_second_greeting_end_the_transaction(self):
        session = Session(helo="x")
        session.envelope = envelope()
        session.reset()
        self.assertIs(session.state, State.GREETED)
        session.envelope = envelope()
        session.greet("y", extended=False)
        self.assertIs(session.state, State.GREETED)

    def test_restart_forgets_all_but_the_faults(self):
        session = Session(helo="x", extended=True, user="ann", errors=3, junk=4)
        session.failed_logins = 2
        session.envelope = envelope()
        session.restart()
        self.assertEqual(session, Session(errors=3, junk=4, failed_logins=2))


class CountTests(SynchronousTestCase):
    """Limits at N and N+1."""

    def test_errors_are_allowed_up_to_the_limit(self):
        session = Session(SMTPLimits(errors=2))
        for _ in range(2):
            self.assertIs(session.settle(replies.NEED_MAIL), replies.NEED_MAIL)
        self.assertIs(session.settle(replies.OK), replies.OK)
        self.assertFalse(session.over)
        self.assertIs(session.settle(replies.NEED_MAIL), replies.TOO_MANY_ERRORS)
        self.assertTrue(session.over)

    def test_faults_of_ours_are_not_counted(self):
        session = Session(SMTPLimits(errors=1))
        for _ in range(5):
            session.settle(replies.TOO_MANY_RECIPIENTS)
        self.assertFalse(session.over)

    def test_junk_is_allowed_up_to_the_limit(self):
        session = Session(SMTPLimits(junk=2))
        for _ in range(2):
            self.assertIs(session.settle(replies.OK, junk=True), replies.OK)
        self.assertIs(session.settle(replies.OK, junk=True), replies.TOO_MUCH_JUNK)
        self.assertTrue(session.over)

    def test_a_message_pays_for_what_was_before(self):
        session = Session(SMTPLimits(errors=1, junk=1))
        for _ in range(5):
            session.settle(replies.NEED_MAIL, junk=True)
            session.accepted()
        self.assertFalse(session.over)

    def test_failed_logins_are_allowed_below_the_limit(self):
        session = Session(SMTPLimits(failed_logins=2))
        reply = replies.LOGIN_UNAVAILABLE
        self.assertIs(session.failed_login(reply), reply)
        self.assertIs(session.failed_login(reply), replies.TOO_MANY_LOGINS)
