"""IDLE (RFC 2177)."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap import responses
from mailhub.mail.flags import DELETED, SEEN, FlagChange

from .fixture import Server, run


class IdleTests(SynchronousTestCase):
    """News come as they happen, and nothing else ends it but DONE or time."""

    def idling(self, messages=0):
        server = Server()
        client = server.selected(messages=messages)
        client.send(b"i IDLE\r\n")
        self.assertEqual(client.received(), responses.IDLING)
        return server, client

    def test_a_delivery_is_told_at_once(self):
        server, client = self.idling()
        server.deliver()
        self.assertEqual(client.received(), b"* 1 EXISTS\r\n* 1 RECENT\r\n")
        client.send(b"DONE\r\n")
        self.assertEqual(client.received(), b"i OK IDLE completed\r\n")

    def test_flags_and_expunges_are_told_at_once(self):
        server, client = self.idling(messages=2)
        run(server.open().set_flags([2], FlagChange.ADD, frozenset((SEEN,))))
        self.assertEqual(
            client.received(), b"* 2 FETCH (UID 2 FLAGS (\\Recent \\Seen))\r\n"
        )
        run(server.open().expunge([1], deleted_only=False))
        self.assertEqual(client.received(), b"* 1 EXPUNGE\r\n")

    def test_what_happened_before_is_told_at_its_beginning(self):
        server = Server()
        client = server.selected()
        server.deliver()
        client.send(b"i IDLE\r\n")
        self.assertEqual(
            client.received(), responses.IDLING + b"* 1 EXISTS\r\n* 1 RECENT\r\n"
        )

    def test_done_is_understood_in_any_case_and_in_the_same_segment(self):
        client = Server().selected()
        client.send(b"i IDLE\r\ndone\r\nj NOOP\r\n")
        self.assertEqual(
            client.received(),
            responses.IDLING + b"i OK IDLE completed\r\nj OK NOOP completed\r\n",
        )

    def test_anything_but_done_is_bad(self):
        _, client = self.idling()
        client.send(b"j NOOP\r\n")
        self.assertEqual(client.received(), b"i BAD The arguments are not right\r\n")
        client.ok(b"NOOP")

    def test_it_works_with_no_mailbox_selected(self):
        client = Server().logged_in()
        client.send(b"i IDLE\r\n")
        self.assertEqual(client.received(), responses.IDLING)
        client.send(b"DONE\r\n")
        self.assertEqual(client.received(), b"i OK IDLE completed\r\n")

    def test_it_is_not_cut_before_29_minutes(self):
        """RFC 2177 tells clients to say something every 29 minutes."""
        _, client = self.idling()
        client.wait(29 * 60)
        self.assertFalse(client.closed)
        client.send(b"DONE\r\n")
        self.assertEqual(client.received(), b"i OK IDLE completed\r\n")

    def test_who_idles_for_ever_is_cut_with_a_word(self):
        _, client = self.idling()
        client.wait(32 * 60)
        self.assertEqual(client.received(), responses.IDLE_TOO_LONG)
        self.assertTrue(client.closed)

    def test_a_change_during_another_command_wakes_nobody(self):
        server, client = self.idling()
        client.send(b"DONE\r\n")
        client.received()
        server.deliver()
        self.assertEqual(client.received(), b"")
        self.assertIn(b"* 1 EXISTS", client.ok(b"NOOP"))

    def test_a_mailbox_deleted_meanwhile_ends_it(self):
        server = Server()
        client = server.selected(b"Sent")
        client.send(b"i IDLE\r\n")
        client.received()
        run(server.account.delete("Sent"))
        self.assertIn(responses.MAILBOX_GONE, client.received())
        self.assertTrue(client.closed)

    def slowly_idling(self):
        """A client for whom it takes a while to find out what has happened."""
        server, client = self.idling(messages=1)
        mailbox = client.protocol.session.mailbox
        changes, held = mailbox.changes, Deferred()

        async def slow(since):
            found = await changes(since)
            await held
            return found

        mailbox.changes = slow
        return server, client, held

    def test_a_change_while_another_is_looked_at_is_told_at_once(self):
        server, client, held = self.slowly_idling()
        server.deliver()
        run(server.open().set_flags([1], FlagChange.ADD, frozenset((SEEN,))))
        run(server.open().expunge([1], deleted_only=False))
        self.assertEqual(client.received(), b"")
        held.callback(None)
        self.assertEqual(
            client.received(), b"* 1 EXPUNGE\r\n* 1 EXISTS\r\n* 1 RECENT\r\n"
        )

    def test_flags_that_change_while_others_are_looked_at_are_told_at_once(self):
        server, client, held = self.slowly_idling()
        for flag in (SEEN, DELETED):
            run(server.open().set_flags([1], FlagChange.ADD, frozenset((flag,))))
        held.callback(None)
        self.assertEqual(
            client.received(),
            b"* 1 FETCH (UID 1 FLAGS (\\Recent \\Seen))\r\n"
            b"* 1 FETCH (UID 1 FLAGS (\\Deleted \\Recent \\Seen))\r\n",
        )

    def test_what_arrives_while_the_first_is_claimed_is_recent_as_well(self):
        server, client, held = self.slowly_idling()
        server.deliver()
        server.deliver()
        held.callback(None)
        self.assertEqual(client.received(), b"* 3 EXISTS\r\n* 3 RECENT\r\n")

    def test_news_do_not_pile_up_for_a_client_that_does_not_read(self):
        server, client = self.idling()
        client.protocol.pauseProducing()
        for _ in range(100):
            server.deliver()
        self.assertLess(len(client.received()), 200)
        client.wait(server.factory.limits.write_stall + 2)
        self.assertTrue(client.closed)
