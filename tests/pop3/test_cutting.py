"""A POP3 session that is cut anywhere leaves nothing behind."""

from __future__ import annotations

from mailhub.pop3 import server
from mailhub.pop3.commands import transaction

from ..cutting import CutCase
from ..dialogues.runner import Player
from .fixture import ALICE, Server


class CuttingTests(CutCase):
    """RFC 1939, section 6: without QUIT nothing is deleted, and the lock goes."""

    script = (
        b"CAPA\r\nUSER alice@example.org\r\nPASS secret phrase\r\n",
        b"STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nTOP 2 1\r\nDELE 1\r\n",
        b"RETR 2\r\nRETR 3\r\nLIST 3\r\nQUIT\r\n",
    )
    waits = 20

    def setUp(self) -> None:
        super().setUp()
        self.patch(server, "deferLater", self.wait)
        self.patch(transaction, "PIECE", 16)

    def begin(self, folder: str) -> Player:
        self.server = Server()
        return self.server.connect()

    def nothing_is_left(self, where: object) -> None:
        self.assertFalse(self.server.store.directory.state(ALICE).locked, where)
        session = self.session.player.protocol.session
        if not session.over:
            self.assertEqual(self.server.uids(), [1, 2, 3], where)

    def test_a_cut_after_any_octet_leaves_nothing(self) -> None:
        self.cut_after_each_octet()

    def test_a_cut_at_any_wait_leaves_nothing(self) -> None:
        self.cut_at_each_wait()
