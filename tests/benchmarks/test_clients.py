"""How the clients read answers, and what their scripts say."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from benchmarks.imap_client import last_line, short_session
from benchmarks.smtp_client import (
    Batch,
    Tally,
    are_three_replies,
    is_reply,
    sessions,
)


class ReplyTests(SynchronousTestCase):
    """RFC 5321, section 4.2.1: a hyphen after the code says that more follows."""

    def test_a_reply_ends_with_a_line_without_hyphen(self):
        for data, whole in (
            (b"", False),
            (b"250 ok", False),
            (b"250 ok\r", False),
            (b"250 ok\r\n", True),
            (b"250-one\r\n", False),
            (b"250-one\r\n250 two\r\n", True),
            (b"250-one\r\n250-two\r\n", False),
        ):
            self.assertEqual(is_reply(data), whole, data)

    def test_three_commands_need_three_replies(self):
        data = b"250 ok\r\n250 ok\r\n354 go\r\n"
        for end in range(len(data)):
            self.assertFalse(are_three_replies(bytearray(data[:end])), end)
        self.assertTrue(are_three_replies(bytearray(data)))

    def test_the_last_line_is_whole_or_nothing(self):
        for data, line in (
            (b"", b""),
            (b"a1 OK", b""),
            (b"a1 OK\r\n", b"a1 OK\r\n"),
            (b"* x\r\na1 OK\r\n", b"a1 OK\r\n"),
            (b"* x\r\na1 OK\r\nb", b""),
        ):
            self.assertEqual(last_line(data), line, data)


class ScriptTests(SynchronousTestCase):
    """What senders say, given the answers of a server."""

    def script(self, count: int, each: int, tally: Tally):
        users = [b"a@bench.test", b"b@bench.test"]
        return list(sessions(Batch(count, each, users, [b"text\r\n"], "t"), tally))

    def say(self, script, *answers: bytes) -> list[bytes]:
        """What the script says to each of the answers."""
        next(script)
        said = []
        for answer in answers:
            output, _ = script.send(bytearray(answer))
            said.append(b"".join(output) if isinstance(output, list) else output)
        return said

    def test_a_batch_is_divided_among_connections_and_recipients(self):
        tally = Tally()
        self.assertEqual(len(self.script(7, 3, tally)), 3)
        batch = Batch(7, 3, [b"a", b"b", b"c"], [b""], "t")
        self.assertEqual([batch.expected(each) for each in range(3)], [3, 2, 2])

    def test_commands_travel_together_where_the_server_lets_them(self):
        tally = Tally()
        [script] = self.script(1, 1, tally)
        said = self.say(
            script,
            b"220 hi\r\n",
            b"250-me\r\n250 PIPELINING\r\n",
            b"250 ok\r\n250 ok\r\n354 go\r\n",
            b"250 done\r\n",
        )
        self.assertEqual(said[1].count(b"\r\n"), 3)
        self.assertEqual(said[2], b"X-Bench: t.0\r\ntext\r\n.\r\n")
        self.assertEqual(said[3], b"QUIT\r\n")
        self.assertEqual((tally.accepted, tally.refused), (1, 0))

    def test_commands_wait_for_each_other_where_it_does_not(self):
        tally = Tally()
        [script] = self.script(1, 1, tally)
        said = self.say(
            script,
            b"220 hi\r\n",
            b"250 me\r\n",
            b"250 ok\r\n",
            b"250 ok\r\n",
            b"354 go\r\n",
            b"451 not now\r\n",
        )
        self.assertEqual(said[3], b"DATA\r\n")
        self.assertEqual((tally.accepted, tally.refused), (0, 1))

    def test_a_recipient_that_is_refused_ends_the_session(self):
        tally = Tally()
        [script] = self.script(2, 2, tally)
        with self.assertRaises(StopIteration):
            self.say(
                script,
                b"220 hi\r\n",
                b"250 PIPELINING\r\n",
                b"250 ok\r\n550 no\r\n503 no\r\n",
            )
        self.assertEqual((tally.accepted, tally.refused), (0, 1))

    def test_a_session_counts_only_if_everything_succeeded(self):
        for answer, accepted in ((b"a1 OK\r\n", 1), (b"a1 NO\r\n", 0)):
            tally = Tally()
            script = short_session(b"user", b"secret", tally)
            said = self.say(script, b"* OK\r\n", answer, b"a2 OK\r\n", b"a3 OK\r\n")
            self.assertEqual(said[0], b'a1 LOGIN "user" "secret"\r\n')
            self.assertRaises(StopIteration, script.send, bytearray(b"a4 OK\r\n"))
            self.assertEqual((tally.accepted, tally.refused), (accepted, 1 - accepted))
