"""The session's state, and what it says it needs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub import interfaces
from mailhub.imap import session
from mailhub.imap.server import IMAPConnection
from mailhub.imap.session import Session, State


def promised(protocol):
    """The names that a ``typing.Protocol`` of ours asks for."""
    own = {name for name in vars(protocol) if not name.startswith("_")}
    return own | set(getattr(protocol, "__annotations__", {}))


class NeedTests(SynchronousTestCase):
    """The types that commands use name nothing that the seams lack."""

    def test_accounts_mailboxes_contents_and_spools_are_those_of_the_interfaces(self):
        for protocol, interface in (
            (session.Account, interfaces.IMailAccount),
            (session.Mailbox, interfaces.IMailbox),
            (session.Content, interfaces.IContent),
            (session.Spool, interfaces.ISpool),
        ):
            self.assertLessEqual(promised(protocol), set(interface.names()))

    def test_the_connection_is_a_conversation(self):
        connection = IMAPConnection()
        for name in promised(session.Conversation):
            self.assertTrue(
                name in vars(connection) or hasattr(IMAPConnection, name), name
            )


class StateTests(SynchronousTestCase):
    """States follow from what a session holds (RFC 3501, section 3)."""

    def test_a_new_session_is_not_authenticated_and_holds_nothing(self):
        new = Session()
        self.assertIs(new.state, State.NOT_AUTHENTICATED)
        for name in ("account", "mailbox", "view"):
            self.assertRaises(LookupError, getattr, new, name)
        new.deselect()

    def test_the_watch_ends_once(self):
        ended = []
        opened = Session()
        opened.open(None, lambda: ended.append(True))
        opened.deselect()
        opened.deselect()
        self.assertEqual(ended, [True])

    def test_it_takes_little_room(self):
        self.assertFalse(hasattr(Session(), "__dict__"))
