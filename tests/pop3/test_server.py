"""POP3 sessions: the maildrop, faults of ours, large messages."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault, StorageFull
from mailhub.net.endings import Ending
from mailhub.pop3 import replies
from mailhub.pop3.commands import transaction
from mailhub.store.content import BytesContent
from mailhub.store.memory import MemoryAccount
from mailhub.store.memory_mailbox import MemoryMailbox

from .fixture import MESSAGES, Server


class Maildrops(SynchronousTestCase):
    """RFC 1939, sections 4 and 6: the lock, and what QUIT does."""

    def setUp(self) -> None:
        self.server = Server()

    def test_messages_are_deleted_at_quit(self) -> None:
        player = self.server.log_in()
        player.send(b"DELE 1\r\nDELE 3\r\n")
        self.assertEqual(self.server.uids(), [1, 2, 3])
        player.send(b"QUIT\r\n")
        self.assertEqual(self.server.uids(), [2])

    def test_a_dropped_connection_deletes_nothing(self) -> None:
        player = self.server.log_in()
        player.send(b"DELE 1\r\nDELE 2\r\nDELE 3\r\nQUI")
        player.close()
        self.assertEqual(self.server.uids(), [1, 2, 3])

    def test_the_end_of_input_in_place_of_quit_deletes_nothing(self) -> None:
        player = self.server.log_in()
        player.send(b"DELE 1\r\n")
        player.protocol.readConnectionLost()
        self.assertTrue(player.closed)
        self.assertEqual(self.server.uids(), [1, 2, 3])

    def test_an_idle_connection_is_cut_without_deleting(self) -> None:
        player = self.server.log_in()
        player.send(b"DELE 1\r\n")
        player.wait(599)
        self.assertFalse(player.closed)
        player.wait(2)
        self.assertTrue(player.closed)
        self.assertEqual(self.server.uids(), [1, 2, 3])
        self.server.log_in()

    def test_a_second_session_finds_the_maildrop_in_use(self) -> None:
        first = self.server.log_in()
        second = self.server.connect()
        second.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertTrue(second.received().endswith(replies.IN_USE))
        second.send(b"STAT\r\n")
        self.assertEqual(second.received(), replies.LOG_IN_FIRST)
        first.send(b"QUIT\r\n")
        second.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertTrue(second.received().endswith(replies.LOGGED_IN))

    def test_waiting_for_the_lock_costs_attempts(self) -> None:
        self.server.log_in()
        second = self.server.connect()
        for _ in range(3):
            second.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertTrue(second.closed)

    def test_the_lock_is_free_when_quit_is_answered(self) -> None:
        player = self.server.log_in()
        player.send(b"QUIT\r\n")
        self.assertEqual(player.received(), replies.LOGGING_OUT)
        self.server.log_in()

    def test_a_dropped_connection_frees_the_lock(self) -> None:
        self.server.log_in().close()
        self.server.log_in()

    def test_a_maildrop_that_does_not_open_frees_the_lock(self) -> None:
        async def fail(account: Any, name: str, read_only: bool = False) -> None:
            raise LocalFault("the disk is gone")

        patch = self.patch(MemoryAccount, "open", fail)
        player = self.server.connect()
        player.send(b"USER alice@example.org\r\nPASS secret phrase\r\n")
        self.assertTrue(player.received().endswith(replies.TEMPORARY))
        patch.restore()
        self.server.log_in()

    def test_numbers_stay_when_mail_comes_and_goes(self) -> None:
        player = self.server.log_in()
        self.server.deliver(b"Subject: four\r\n\r\n")
        inbox = self.server.inbox()
        self.successResultOf(Deferred.fromCoroutine(inbox.expunge([2], False)))
        player.send(b"STAT\r\nRETR 2\r\nRETR 4\r\nLIST 2\r\nRETR 3\r\n")
        lines = player.received().split(b"\r\n")
        self.assertEqual(lines[0], b"+OK 3 110")
        self.assertEqual(lines[1] + b"\r\n", replies.MESSAGE_GONE)
        self.assertEqual(lines[2] + b"\r\n", replies.NO_SUCH_MESSAGE)
        self.assertEqual(lines[3], b"+OK 2 29")
        self.assertEqual(lines[4], b"+OK 28 octets")

    def test_unique_ids_are_the_same_in_the_next_session(self) -> None:
        answers = []
        for _ in range(2):
            player = self.server.log_in()
            player.send(b"UIDL\r\nQUIT\r\n")
            answers.append(player.received())
        self.assertEqual(*answers)

    def test_an_empty_maildrop(self) -> None:
        player = Server(messages=()).log_in()
        player.send(b"STAT\r\nLIST\r\nUIDL\r\nRETR 1\r\nQUIT\r\n")
        self.assertEqual(
            player.received(),
            b"+OK 0 0\r\n+OK 0 messages (0 octets)\r\n.\r\n" + replies.UIDS_FOLLOW
            + b".\r\n" + replies.NO_SUCH_MESSAGE + replies.LOGGING_OUT,
        )

    def test_a_read_only_mailbox_deletes_nothing(self) -> None:
        player = self.server.log_in()
        player.protocol.maildrop.mailbox.read_only = True
        player.send(b"DELE 1\r\n")
        self.assertEqual(player.received(), replies.PERMANENT)

    def test_a_full_disk_at_quit_is_told(self) -> None:
        async def fail(mailbox: Any, uids: Any, deleted_only: bool = True) -> None:
            raise StorageFull("no space")

        self.patch(MemoryMailbox, "expunge", fail)
        player = self.server.log_in()
        player.send(b"DELE 1\r\nQUIT\r\n")
        self.assertTrue(player.received().endswith(replies.SOME_NOT_DELETED))
        self.assertTrue(player.closed)
        self.server.log_in()


class Bugs(SynchronousTestCase):
    """A fault in one command ends neither the session nor the server."""

    def setUp(self) -> None:
        self.server = Server()
        self.player = self.server.log_in()

    def test_a_bug_is_a_temporary_error_and_logged_once(self) -> None:
        async def fail(mailbox: Any, uids: Any, columns: Any) -> None:
            raise KeyError("bug")

        patch = self.patch(MemoryMailbox, "fetch", fail)
        self.player.send(b"RETR 1\r\n")
        self.assertEqual(self.player.received(), replies.TEMPORARY)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        patch.restore()
        self.player.send(b"RETR 1\r\n")
        self.assertTrue(self.player.received().startswith(b"+OK 53 octets"))

    def test_a_message_that_breaks_off_never_ends_with_a_dot(self) -> None:
        self.patch(transaction, "PIECE", 10)
        read = BytesContent.read

        async def fail(content: Any, start: int, stop: int) -> bytes:
            if start >= 20:
                raise LocalFault("read error")
            return await read(content, start, stop)

        self.patch(BytesContent, "read", fail)
        self.player.send(b"RETR 1\r\nNOOP\r\n")
        self.assertEqual(
            self.player.received(), b"+OK 53 octets\r\n" + MESSAGES[0][:20]
        )
        self.assertTrue(self.player.closed)

    def test_a_message_that_is_shorter_than_it_should_be_is_never_whole(self) -> None:
        read = BytesContent.read

        async def short(content: Any, start: int, stop: int) -> bytes:
            return (await read(content, start, stop))[:-1]

        self.patch(BytesContent, "read", short)
        for command in (b"RETR 1\r\n", b"TOP 1 100\r\n"):
            self.player.send(command)
            self.assertEqual(self.player.received(), replies.TEMPORARY)
        self.patch(transaction, "PIECE", 20)
        self.player.send(b"RETR 1\r\n")
        self.assertEqual(self.player.received(), replies.TEMPORARY)

    def test_shutting_down_says_so(self) -> None:
        self.server.factory.shutdown()
        self.assertEqual(self.player.received(), replies.SHUTTING_DOWN)
        self.assertTrue(self.player.closed)

    def test_every_ending_has_its_words(self) -> None:
        for ending in Ending:
            words = self.player.protocol.farewell(ending)
            self.assertRegex(words, rb"\A(-ERR .*\r\n)?\Z")


class Reading(SynchronousTestCase):
    """Big messages, many messages, slow readers."""

    def test_a_message_of_many_pieces_comes_through_as_it_is(self) -> None:
        data = b"Subject: big\r\n\r\n" + b".line\r\n\r\n..\r\nx" * 60_000 + b"\r\n"
        server = Server(messages=[data])
        player = server.log_in()
        player.send(b"RETR 1\r\n")
        first, _, rest = player.received().partition(b"\r\n")
        self.assertEqual(first, b"+OK %d octets" % len(data))
        self.assertTrue(rest.endswith(b"\r\n.\r\n"))
        self.assertEqual(rest[:-3].replace(b"\r\n.", b"\r\n"), data)

    def test_lines_of_a_body_in_pieces(self) -> None:
        self.patch(transaction, "PIECE", 10)
        body = b"".join(b"line %d\r\n" % number for number in range(20))
        player = Server(messages=[b"A: b\r\n\r\n" + body]).log_in()
        for count in (0, 1, 2, 7, 19, 20, 21):
            player.send(b"TOP 1 %d\r\n" % count)
            lines = b"".join(body.splitlines(keepends=True)[:count])
            self.assertEqual(
                player.received(),
                replies.TOP_FOLLOWS + b"A: b\r\n\r\n" + lines + b".\r\n",
            )

    def test_a_peer_that_does_not_read_stops_the_sending(self) -> None:
        data = b"Subject: big\r\n\r\n" + b"x" * 3_000_000 + b"\r\n"
        server = Server(messages=[data])
        player = server.log_in()
        for command in (b"RETR 1\r\n", b"TOP 1 9999999999\r\n"):
            player.protocol.pauseProducing()
            player.send(2 * command)
            self.assertLess(len(player.received()), 400_000)
            player.protocol.resumeProducing()
            self.assertEqual(player.received().count(b"\r\n.\r\n"), 2)

    def test_a_listing_of_many_messages_leaves_others_their_turn(self) -> None:
        self.patch(transaction, "LINES_AT_A_TIME", 2)
        server = Server(messages=[b"A: b\r\n\r\n"] * 5)
        player = server.log_in()
        turns: list[int] = []
        server.clock.callLater(0, turns.append, 1)
        player.protocol.dataReceived(b"LIST\r\nNOOP\r\n")
        self.assertEqual(turns, [])
        player.wait(1)
        self.assertEqual(turns, [1])
        self.assertEqual(
            player.received(),
            b"+OK 5 messages (40 octets)\r\n1 8\r\n2 8\r\n3 8\r\n4 8\r\n5 8\r\n.\r\n"
            + replies.OK,
        )

    def test_ten_thousand_pipelined_commands_are_answered_in_order(self) -> None:
        player = Server().log_in()
        player.send(b"LIST 1\r\nLIST 2\r\n" * 5_000)
        self.assertEqual(player.received(), b"+OK 1 53\r\n+OK 2 29\r\n" * 5_000)

    def test_a_long_pipeline_lets_others_run(self) -> None:
        server = Server()
        player = server.log_in()
        ran: list[bool] = []
        seconds = server.clock.seconds

        def slow() -> float:
            # Every look at the clock costs 4 ms.
            server.clock.rightNow += 0.004
            return seconds()

        server.clock.seconds = slow  # type: ignore[method-assign]
        player.protocol.dataReceived(b"STAT\r\n" * 20)
        first = player.received().count(b"+OK")
        self.assertLess(first, 20)
        server.clock.callLater(0, ran.append, True)
        server.clock.advance(0)
        self.assertEqual(ran, [True])
        for _ in range(40):
            server.clock.advance(0)
        self.assertEqual(player.received().count(b"+OK"), 20 - first)
