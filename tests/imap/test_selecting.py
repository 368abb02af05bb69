"""Opening, watching and cleaning mailboxes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import StorageFull
from mailhub.imap import responses
from mailhub.mail.flags import DELETED, SEEN, FlagChange

from .fixture import Server, run

FLAGS = b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen)\r\n"
UIDS = (
    b"* OK [UIDVALIDITY 1000001] UIDs valid\r\n"
    b"* OK [UIDNEXT %d] Predicted next UID\r\n"
)


class SelectTests(SynchronousTestCase):
    """SELECT and EXAMINE (RFC 3501, sections 6.3.1 and 6.3.2)."""

    def test_select_describes_the_mailbox(self):
        server = Server()
        server.deliver(flags=[SEEN])
        server.deliver()
        untagged, status = server.logged_in().command(b"SELECT INBOX")
        self.assertEqual(status, b"OK [READ-WRITE] SELECT completed")
        self.assertEqual(
            untagged,
            FLAGS + b"* 2 EXISTS\r\n* 2 RECENT\r\n* OK [UNSEEN 2] First unseen\r\n"
            b"* OK [PERMANENTFLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen \\*)]"
            b" Flags kept\r\n" + UIDS % 3,
        )

    def test_examine_is_read_only_and_leaves_messages_recent(self):
        server = Server()
        server.deliver()
        client = server.logged_in()
        untagged, status = client.command(b"EXAMINE INBOX")
        self.assertEqual(status, b"OK [READ-ONLY] EXAMINE completed")
        self.assertIn(b"* 1 RECENT\r\n", untagged)
        self.assertIn(b"[PERMANENTFLAGS ()]", untagged)
        self.assertIn(b"* 1 RECENT\r\n", client.ok(b"SELECT INBOX"))
        self.assertIn(b"* 0 RECENT\r\n", client.ok(b"SELECT INBOX"))

    def test_nothing_is_changed_through_examine(self):
        server = Server()
        server.deliver()
        client = server.logged_in()
        client.ok(b"EXAMINE INBOX")
        for command in (
            b"STORE 1 +FLAGS (\\Seen)", b"EXPUNGE", b"UID EXPUNGE 1", b"MOVE 1 Trash",
        ):  # fmt: skip
            status = client.status(command)
            self.assertTrue(status.startswith(b"NO [READ-ONLY]"), command)
        client.ok(b"FETCH 1 BODY[]")
        client.ok(b"CLOSE")
        [flags] = run(server.open().changes(0)).entries.flags
        self.assertEqual(flags, frozenset())

    def test_keywords_in_use_are_told(self):
        server = Server()
        server.deliver(flags=["todo", "$Junk"])
        self.assertIn(
            b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen $Junk todo)\r\n",
            server.logged_in().ok(b"SELECT INBOX"),
        )

    def test_a_failed_select_leaves_none_selected(self):
        client = Server().selected()
        self.assertEqual(
            client.status(b"SELECT nowhere"),
            b"NO [NONEXISTENT] There is no such mailbox",
        )
        self.assertEqual(client.status(b"FETCH 1 UID"), responses.WRONG_STATE)

    def test_selecting_another_mailbox_ends_the_first_watch(self):
        server = Server()
        client = server.selected()
        client.ok(b"SELECT Sent")
        server.deliver()
        self.assertEqual(client.ok(b"NOOP"), b"")

    def test_the_watch_ends_with_the_connection(self):
        server = Server()
        client = server.selected()
        session = client.protocol.session
        server.deliver()
        self.assertTrue(session.stale)
        client.ok(b"NOOP")
        client.close()
        server.deliver()
        self.assertFalse(session.stale)


class CloseTests(SynchronousTestCase):
    """CLOSE, UNSELECT, EXPUNGE (RFC 3501, section 6.4; RFC 3691; RFC 4315)."""

    def deleted(self, *uids):
        server = Server()
        client = server.selected(messages=4)
        for uid in uids:
            client.ok(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        return server, client

    def test_close_expunges_without_a_word(self):
        server, client = self.deleted(1, 3)
        self.assertEqual(client.command(b"CLOSE"), (b"", b"OK CLOSE completed"))
        self.assertEqual(server.uids(), [2, 4])
        self.assertEqual(client.status(b"CHECK"), responses.WRONG_STATE)

    def test_close_closes_also_when_nothing_can_be_expunged(self):
        server = Server()
        client = server.selected(messages=2, flags=[DELETED])

        def broken(uids):
            raise StorageFull("no space")

        client.protocol.session.mailbox.expunge = broken
        self.assertEqual(
            client.ok(b"CLOSE"),
            b"* NO [UNAVAILABLE] A fault of the server; try again later\r\n",
        )
        self.assertEqual(client.status(b"CLOSE"), responses.WRONG_STATE)
        self.assertEqual(server.uids(), [1, 2])

    def test_unselect_expunges_nothing(self):
        server, client = self.deleted(1)
        self.assertEqual(client.ok(b"UNSELECT"), b"")
        self.assertEqual(server.uids(), [1, 2, 3, 4])
        self.assertEqual(client.status(b"UNSELECT"), responses.WRONG_STATE)

    def test_expunge_tells_of_each(self):
        server, client = self.deleted(1, 3)
        self.assertEqual(client.ok(b"EXPUNGE"), b"* 3 EXPUNGE\r\n* 1 EXPUNGE\r\n")
        self.assertEqual(client.uids(), [2, 4])

    def test_expunge_takes_what_another_session_has_just_flagged(self):
        server, client = self.deleted()
        deleted = frozenset((DELETED,))
        run(server.open().set_flags([2], FlagChange.ADD, deleted))
        self.assertIn(b"* 2 EXPUNGE\r\n", client.ok(b"EXPUNGE"))
        self.assertEqual(server.uids(), [1, 3, 4])

    def test_uid_expunge_takes_only_those_named(self):
        server, client = self.deleted(1, 3)
        self.assertEqual(client.ok(b"UID EXPUNGE 2:4"), b"* 3 EXPUNGE\r\n")
        self.assertEqual(server.uids(), [1, 2, 4])

    def test_a_mailbox_that_is_deleted_under_a_session_ends_it(self):
        server = Server()
        client = server.selected(b"Sent")
        run(server.account.delete("Sent"))
        client.send(b"a NOOP\r\n")
        self.assertEqual(
            client.received(), responses.MAILBOX_GONE + b"a OK NOOP completed\r\n"
        )
        self.assertTrue(client.closed)

    def test_deleting_the_selected_mailbox_leaves_none_selected(self):
        client = Server().selected(b"Sent")
        client.ok(b"DELETE Sent")
        self.assertEqual(client.status(b"CHECK"), responses.WRONG_STATE)
        self.assertFalse(client.closed)


class NewsTests(SynchronousTestCase):
    """What others do is told at the next command (RFC 3501, section 5.2)."""

    def test_a_delivery_is_told_at_noop_and_at_other_commands(self):
        for command in (b"NOOP", b"CHECK", b"FETCH 1 UID", b"LIST \"\" x"):
            server = Server()
            client = server.selected(messages=1)
            server.deliver()
            untagged = client.ok(command)
            self.assertTrue(
                untagged.endswith(b"* 2 EXISTS\r\n* 2 RECENT\r\n"), untagged
            )

    def test_expunges_are_not_told_during_fetch_store_and_search(self):
        for command, told in (
            (b"FETCH 1 UID", False), (b"STORE 1 FLAGS ()", False),
            (b"SEARCH ALL", False), (b"UID FETCH 1 UID", True),
            (b"UID STORE 1 FLAGS ()", True), (b"UID SEARCH ALL", True),
            (b"NOOP", True), (b"COPY 1 Sent", True),
        ):  # fmt: skip
            server = Server()
            client = server.selected(messages=3)
            run(server.open().expunge([2], deleted_only=False))
            self.assertEqual(b"* 2 EXPUNGE" in client.ok(command), told, command)
            self.assertEqual(
                client.ok(b"NOOP"), b"" if told else b"* 2 EXPUNGE\r\n", command
            )

    def test_flags_that_others_set_are_told(self):
        server = Server()
        client = server.selected(messages=2)
        run(server.open().set_flags([2], FlagChange.ADD, frozenset((SEEN,))))
        self.assertEqual(
            client.ok(b"NOOP"), b"* 2 FETCH (UID 2 FLAGS (\\Recent \\Seen))\r\n"
        )

    def test_only_one_session_sees_a_message_as_recent(self):
        server = Server()
        first = server.selected()
        second = server.selected()
        server.deliver()
        self.assertIn(b"* 1 RECENT", first.ok(b"NOOP"))
        self.assertIn(b"* 0 RECENT", second.ok(b"NOOP"))
