"""An IMAP session that is cut anywhere leaves nothing behind."""

from __future__ import annotations

from mailhub.imap.commands import fetching
from mailhub.mail.mailbox import INBOX
from mailhub.net import turns
from mailhub.net.spool import Spool

from ..cutting import CutCase
from ..dialogues.runner import Player
from .fixture import ANN, LOGIN, MESSAGE, Server

APPENDED = MESSAGE + b"More.\r\n"


def appended(tag: bytes) -> bytes:
    """APPEND of two messages."""
    literal = b"{%d+}\r\n%b" % (len(APPENDED), APPENDED)
    return tag + b" APPEND INBOX " + literal + b" (\\Seen) " + literal + b"\r\n"


class CuttingTests(CutCase):
    """No watcher stays, no message is stored by half, no content stays open."""

    script = (
        b"a " + LOGIN + b"\r\nb SELECT INBOX\r\n",
        b"c FETCH 1:* (ENVELOPE BODY[TEXT])\r\nd UID FETCH 1:3 (BODY[1] BODY[])\r\n",
        b"e STORE 1 +FLAGS (\\Deleted)\r\nf SEARCH TEXT hi\r\n",
        b'g LIST "" *\r\nh STATUS Sent (MESSAGES)\r\n',
        appended(b"i"),
        b"j COPY 1:2 Sent\r\nk MOVE 2 Archive\r\nl EXPUNGE\r\n",
        b"m IDLE\r\n",
        b"DONE\r\n",
        b"n SELECT Sent\r\no CREATE x\r\np RENAME x y\r\nq DELETE y\r\n",
        b"r CLOSE\r\ns LOGOUT\r\n",
    )
    waits = 100

    def setUp(self) -> None:
        super().setUp()
        self.patch(turns, "deferLater", self.wait)
        self.patch(turns, "TURN", 0)
        self.patch(fetching, "SMALL_MESSAGE", 64)
        self.patch(fetching, "CHUNK", 64)

    def begin(self, folder: str) -> Player:
        self.server = Server({"spool": lambda: Spool(folder)})
        for _ in range(3):
            self.server.deliver()
        return self.server.connect()

    def nothing_is_left(self, where: object) -> None:
        state = self.server.store.directory.state(ANN)
        for mailbox in state.mailboxes.values():
            self.assertEqual(len(mailbox.watchers), 0, where)
        # Of the two that are appended both are there, or none.
        sizes = [message.size for message in state.mailboxes[INBOX].messages.values()]
        self.assertIn(sizes.count(len(APPENDED)), (0, 2), where)

    def test_a_cut_after_any_octet_leaves_nothing(self) -> None:
        self.cut_after_each_octet()

    def test_a_cut_at_any_wait_leaves_nothing(self) -> None:
        self.cut_at_each_wait()
