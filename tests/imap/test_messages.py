"""STORE, COPY, MOVE and SEARCH."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap import responses
from mailhub.mail.flags import SEEN, FlagChange

from .fixture import MESSAGE, Server, run


class StoreTests(SynchronousTestCase):
    """STORE (RFC 3501, section 6.4.6)."""

    def flags(self, server):
        return [set(flags) for flags in run(server.open().changes(0)).entries.flags]

    def test_flags_are_replaced_added_and_removed(self):
        server = Server()
        client = server.selected(messages=1)
        for text, shown in (
            (b"FLAGS (\\Seen todo)", b"(\\Recent \\Seen todo)"),
            (b"+FLAGS \\Flagged", b"(\\Flagged \\Recent \\Seen todo)"),
            (b"-FLAGS (\\Seen \\Deleted)", b"(\\Flagged \\Recent todo)"),
            (b"FLAGS ()", b"(\\Recent)"),
            (b"+flags \\seen \\ANSWERED", b"(\\Answered \\Recent \\Seen)"),
        ):
            untagged = client.ok(b"STORE 1 " + text)
            self.assertTrue(
                untagged.endswith(b"* 1 FETCH (FLAGS " + shown + b")\r\n"), untagged
            )
        self.assertEqual(self.flags(server), [{"\\Answered", "\\Seen"}])

    def test_a_new_keyword_is_announced(self):
        client = Server().selected(messages=1)
        self.assertEqual(
            client.ok(b"STORE 1 +FLAGS (todo)"),
            b"* FLAGS (\\Answered \\Deleted \\Draft \\Flagged \\Seen todo)\r\n"
            b"* 1 FETCH (FLAGS (\\Recent todo))\r\n",
        )

    def test_uid_store_tells_the_uid(self):
        server = Server()
        client = server.selected(messages=2)
        run(server.open().expunge([1], deleted_only=False))
        client.ok(b"NOOP")
        self.assertEqual(
            client.ok(b"UID STORE 1:2 +FLAGS (\\Seen)"),
            b"* 1 FETCH (UID 2 FLAGS (\\Recent \\Seen))\r\n",
        )

    def test_silent_tells_nothing(self):
        server = Server()
        client = server.selected(messages=2)
        self.assertEqual(client.ok(b"STORE 1:2 +FLAGS.SILENT (\\Seen)"), b"")
        self.assertEqual(client.ok(b"NOOP"), b"")
        self.assertEqual(self.flags(server), [{"\\Seen"}, {"\\Seen"}])

    def test_silent_tells_what_another_session_has_done_meanwhile(self):
        server = Server()
        client = server.selected(messages=1)
        run(server.open().set_flags([1], FlagChange.ADD, frozenset((SEEN,))))
        self.assertEqual(
            client.ok(b"STORE 1 +FLAGS.SILENT (\\Flagged)"),
            b"* 1 FETCH (FLAGS (\\Flagged \\Recent \\Seen))\r\n",
        )

    def test_messages_that_have_gone_are_said_to(self):
        server = Server()
        client = server.selected(messages=2)
        run(server.open().expunge([1], deleted_only=False))
        untagged, status = client.command(b"STORE 1:2 +FLAGS (\\Seen)")
        self.assertEqual(status, responses.EXPUNGE_ISSUED)
        self.assertIn(b"* 2 FETCH (FLAGS (\\Recent \\Seen))", untagged)

    def test_wrong_arguments_are_bad(self):
        client = Server().selected(messages=1)
        for text in (
            b"1 FLAGZ ()", b"1 +FLAGS", b"1 FLAGS (\\Recent)", b"1 FLAGS (\\What)",
            b"1 FLAGS.LOUD ()", b"x FLAGS ()", b"1 FLAGS (a b", b"1 FLAGS () x",
        ):  # fmt: skip
            self.assertTrue(client.status(b"STORE " + text).startswith(b"BAD"), text)
            client.protocol.session.errors = 0

    def test_no_message_named_is_no_error(self):
        client = Server().selected(messages=1)
        self.assertEqual(
            client.command(b"UID STORE 5:9 +FLAGS (\\Seen)"),
            (b"", b"OK UID STORE completed"),
        )


class CopyTests(SynchronousTestCase):
    """COPY and MOVE (RFC 3501, section 6.4.7; RFC 4315; RFC 6851)."""

    def test_copy_tells_where_the_copies_are(self):
        server = Server()
        client = server.selected(messages=3)
        client.ok(b"STORE 2 +FLAGS (\\Flagged)")
        status = client.status(b"COPY 2:3 Sent")
        validity = run(server.account.status("Sent")).uidvalidity
        self.assertEqual(
            status, b"OK [COPYUID %d 2:3 1:2] COPY completed" % validity
        )
        flags = run(server.open("Sent").changes(0)).entries.flags
        self.assertEqual([set(each) for each in flags], [{"\\Flagged"}, set()])
        self.assertTrue(
            client.status(b"UID COPY 1,3 Sent").endswith(b" 1,3 3:4] COPY completed")
        )

    def test_a_copy_into_the_same_mailbox_is_told(self):
        client = Server().selected(messages=1)
        self.assertIn(b"* 2 EXISTS\r\n", client.ok(b"COPY 1 INBOX"))

    def test_a_missing_target_may_be_created(self):
        client = Server().selected(messages=1)
        for command in (b"COPY 1 x", b"UID COPY 1 x", b"MOVE 1 x", b"UID MOVE 1 x"):
            self.assertEqual(client.status(command), responses.TRY_CREATE)

    def test_copying_nothing_is_no_error(self):
        client = Server().selected()
        self.assertEqual(client.status(b"UID COPY 1:* Sent"), b"OK UID COPY completed")
        self.assertEqual(client.status(b"UID MOVE 1:* Sent"), b"OK UID MOVE completed")

    def test_move_tells_the_copies_first_then_the_expunges(self):
        server = Server()
        client = server.selected(messages=3)
        validity = run(server.account.status("Trash")).uidvalidity
        self.assertEqual(
            client.command(b"MOVE 1:2 Trash"),
            (
                b"* OK [COPYUID %d 1:2 1:2] Moved\r\n" % validity
                + b"* 2 EXPUNGE\r\n* 1 EXPUNGE\r\n",
                b"OK MOVE completed",
            ),
        )
        self.assertEqual(server.uids("Trash"), [1, 2])
        self.assertEqual(client.uids(), [3])

    def test_messages_that_have_gone_are_not_copied(self):
        server = Server()
        client = server.selected(messages=1)
        run(server.open().expunge([1], deleted_only=False))
        self.assertEqual(client.status(b"COPY 1 Sent"), responses.EXPUNGE_ISSUED)
        server = Server()
        client = server.selected(messages=1)
        run(server.open().expunge([1], deleted_only=False))
        self.assertEqual(client.status(b"MOVE 1 Sent"), responses.EXPUNGE_ISSUED)


class SearchTests(SynchronousTestCase):
    """SEARCH (RFC 3501, section 6.4.4)."""

    def searched(self):
        server = Server()
        server.deliver(flags=[SEEN])
        server.deliver(MESSAGE.replace(b"hello", b"other"))
        server.deliver(flags=["todo"])
        client = server.selected()
        run(server.open().expunge([1], deleted_only=False))
        client.ok(b"NOOP")
        return server, client

    def test_sequence_numbers_and_uids(self):
        _, client = self.searched()
        for text, numbers in (
            (b"SEARCH ALL", b" 1 2"), (b"UID SEARCH ALL", b" 2 3"),
            (b"SEARCH SUBJECT other", b" 1"), (b"UID SEARCH SUBJECT other", b" 2"),
            (b"SEARCH SEEN", b""), (b"SEARCH 2", b" 2"), (b"UID SEARCH 2", b" 3"),
            (b"SEARCH UID 2", b" 1"), (b"SEARCH KEYWORD todo", b" 2"),
            (b"SEARCH CHARSET UTF-8 SUBJECT {5+}\r\nother", b" 1"),
            (b"SEARCH NEW", b" 1 2"), (b"SEARCH RETURN", None),
        ):  # fmt: skip
            untagged, status = client.command(text)
            if numbers is None:
                self.assertTrue(status.startswith(b"BAD"), text)
            else:
                self.assertEqual(untagged, b"* SEARCH" + numbers + b"\r\n", text)

    def test_an_unknown_charset_is_told_with_those_known(self):
        _, client = self.searched()
        status = client.status(b"SEARCH CHARSET KLINGON SUBJECT x")
        self.assertTrue(status.startswith(b"NO [BADCHARSET (UTF-8"), status)
