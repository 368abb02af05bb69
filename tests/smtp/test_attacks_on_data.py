"""Attacks by message data: smuggling, cuts, over-long lines, size lies."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.net.limits import Limits
from mailhub.net.spool import Spool
from mailhub.smtp.session import SMTPLimits

from .fixture import Server, begin
from .test_data import FALSE_ENDS, MESSAGES

QUEUED = b"250 2.0.0 Ok: queued as "
SMUGGLED = (
    b"MAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
    b"Subject: smuggled\r\n\r\nhi"
)
LOGIN = b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"


def whole(wire):
    return [wire]


def octet_by_octet(wire):
    return [wire[i : i + 1] for i in range(len(wire))]


def within_the_end(wire):
    """Cut behind the first CR, LF and dot."""
    edges = sorted({wire.index(mark) + 1 for mark in (b"\r", b"\n", b".")})
    starts = [0, *edges]
    return [wire[a:b] for a, b in zip(starts, [*edges, None], strict=True)]


class SmugglingTests(SynchronousTestCase):
    """Row 1 of the house's list of attacks: only CRLF.CRLF ends a message."""

    def in_data(self, service):
        server = Server(service)
        player = server.greeted()
        if service == "submission":
            player.send(LOGIN)
            player.received()
        begin(player)
        return server, player

    def check(self, service, cut):
        for end in FALSE_ENDS:
            server, player = self.in_data(service)
            for piece in cut(b"a" + end + SMUGGLED + b"\r\n.\r\n"):
                player.send(piece)
            self.assertEqual(
                player.received(),
                b"550 5.5.2 Bare CR, bare LF or NUL in the message\r\n",
                end,
            )
            self.assertEqual(server.taken, [], end)
            self.in_step(server, player)

    def in_step(self, server, player):
        """The next message arrives whole."""
        begin(player)
        player.send(b"next\r\n.\r\nNOOP\r\n")
        self.assertEqual(
            player.received(), QUEUED + b"ID2\r\n250 2.0.0 Ok\r\n"
        )
        self.assertEqual([one.octets for one in server.taken], [b"next\r\n"])

    def test_smuggling_over_smtp_in_one_segment(self):
        self.check("smtp", whole)

    def test_smuggling_over_smtp_octet_by_octet(self):
        self.check("smtp", octet_by_octet)

    def test_smuggling_over_smtp_cut_within_the_false_end(self):
        self.check("smtp", within_the_end)

    def test_smuggling_over_submission_in_one_segment(self):
        self.check("submission", whole)

    def test_smuggling_over_submission_octet_by_octet(self):
        self.check("submission", octet_by_octet)

    def test_smuggling_over_submission_cut_within_the_false_end(self):
        self.check("submission", within_the_end)

    def test_smuggling_over_lmtp_in_one_segment(self):
        self.check("lmtp", whole)

    def test_smuggling_over_lmtp_octet_by_octet(self):
        self.check("lmtp", octet_by_octet)

    def test_smuggling_over_lmtp_cut_within_the_false_end(self):
        self.check("lmtp", within_the_end)

    def test_lmtp_refuses_for_each_recipient(self):
        server = Server("lmtp")
        player = server.in_data([b"a@example.org", b"b@example.org"])
        player.send(b"a\nb\r\n.\r\n")
        self.assertEqual(player.received().count(b"550 5.5.2"), 2)


class DotStuffingTests(SynchronousTestCase):
    """Row 3: the same octets are stored however the wire is cut."""

    def test_every_cut_stores_the_same(self):
        for wire, expected, rest in MESSAGES:
            for cut in range(1, len(wire)):
                server = Server()
                player = server.in_data()
                player.send(wire[:cut])
                player.send(wire[cut:])
                replies = player.received()
                self.assertTrue(replies.startswith(QUEUED), wire)
                self.assertEqual(replies.count(b"\r\n"), 2 if rest else 1)
                self.assertEqual(server.taken[0].octets, expected)

    def test_every_cut_of_lines_about_the_limit_stores_the_same(self):
        limits = SMTPLimits(text_line=12)
        for length in (11, 12, 13):
            for text in (b"." * (length - 2), b"." + b"x" * (length - 3)):
                wire = b"a\r\n." + text + b"\r\n..x\r\n.\r\n"
                octets = b"a\r\n" + text + b"\r\n.x\r\n"
                for cut in range(1, len(wire)):
                    server = Server(options={"smtp_limits": limits})
                    player = server.in_data()
                    player.send(wire[:cut])
                    player.send(wire[cut:] + b"NOOP\r\n")
                    taken = [one.octets for one in server.taken]
                    self.assertEqual(taken, [octets] if length <= 12 else [], cut)
                    codes = [line[:3] for line in player.received().splitlines()]
                    first = b"250" if length <= 12 else b"500"
                    self.assertEqual(codes, [first, b"250"], (wire, cut))


class LongLineTests(SynchronousTestCase):
    """Row 4, and failure 2 of twisted.mail: a long line of a body."""

    def test_an_over_long_data_line_does_not_turn_the_body_into_commands(self):
        server = Server()
        player = server.in_data()
        player.send(b"X: " + b"a" * 65_536 + b"\r\n")
        player.send(SMUGGLED)
        self.assertEqual(player.received(), b"")
        player.send(b"\r\n.\r\nNOOP\r\n")
        self.assertEqual(
            player.received(),
            b"500 5.5.2 Line of the message too long\r\n250 2.0.0 Ok\r\n",
        )
        self.assertEqual(server.taken, [])
        self.assertEqual(len(server.avatar.asked), 2)

    def test_a_line_of_17000_octets_is_taken(self):
        server = Server()
        player = server.in_data()
        wire = b"X: " + b"a" * 17_000 + b"\r\n\r\nMAIL FROM:<e@evil.example>\r\n"
        player.send(wire + b".\r\n")
        self.assertIn(QUEUED, player.received())
        self.assertEqual(server.taken[0].octets, wire)

    def test_a_line_of_exactly_64_KiB_is_taken_and_one_octet_more_is_not(self):
        for over in (0, 1):
            server = Server()
            player = server.in_data()
            wire = b"a" * (65_534 + over) + b"\r\n"
            for start in range(0, len(wire), 5_000):
                player.send(wire[start : start + 5_000])
            player.send(b".\r\n")
            code = b"500" if over else b"250"
            self.assertTrue(player.received().startswith(code))
            self.assertEqual(len(server.taken), 1 - over)


class OutOfStepTests(SynchronousTestCase):
    """Row 7: who does not wait for the go-ahead is no mail client."""

    REFUSED = b"554 5.5.0 Input was sent before its time\r\n"

    def test_a_body_in_the_segment_of_data_is_never_read(self):
        for rest in (b"Subject: x\r\n", b"x", SMUGGLED + b"\r\n.\r\n"):
            server = Server()
            player = server.greeted()
            player.send(
                b"MAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\n"
                b"DATA\r\n" + rest
            )
            expected = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n" + self.REFUSED
            self.assertEqual(player.received(), expected)
            self.assertTrue(player.closed)
            self.assertEqual(server.taken, [])

    def test_commands_in_the_segment_of_the_greeting_are_never_read(self):
        for verb in (b"EHLO", b"HELO"):
            server = Server()
            player = server.connect()
            player.received()
            player.send(verb + b" x\r\nMAIL FROM:<a@example.com>\r\n")
            self.assertEqual(player.received(), self.REFUSED)
            self.assertTrue(player.closed)
            self.assertEqual(server.avatar.asked, [])

    def test_text_before_the_greeting_is_turned_away(self):
        server = Server(options={"greeting_delay": 3.0})
        player = server.connect()
        player.send(b"EHLO x\r\n")
        self.assertEqual(player.received(), b"")
        player.wait(3)
        self.assertEqual(player.received(), self.REFUSED)
        self.assertTrue(player.closed)

    def test_who_waits_for_a_late_greeting_is_served(self):
        player = Server(options={"greeting_delay": 3.0}).connect()
        player.wait(2.5)
        self.assertEqual(player.received(), b"")
        player.wait(0.5)
        self.assertEqual(player.received(), b"220 mx.example.org ESMTP\r\n")
        player.send(b"NOOP\r\n")
        self.assertEqual(player.received(), b"250 2.0.0 Ok\r\n")

    def test_a_body_that_comes_before_the_go_ahead_is_never_read(self):
        server = Server()
        gate = server.avatar.wants["recipient"] = Deferred()
        player = server.greeted()
        player.send(
            b"MAIL FROM:<a@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
        )
        player.send(b"Subject: x\r\n\r\n.\r\n" + SMUGGLED + b"\r\n.\r\n")
        gate.callback(None)
        self.assertTrue(player.received().endswith(self.REFUSED))
        self.assertTrue(player.closed)
        self.assertEqual(server.taken, [])


class SizeTests(SynchronousTestCase):
    """Row 29: what was announced does not matter, what arrives does."""

    LIMIT = 200_000

    def setUp(self):
        self.spools = []
        options = {"limits": Limits(message_size=self.LIMIT), "spool": self.spool}
        self.server = Server(options=options)

    def spool(self):
        self.spools.append(Spool())
        return self.spools[-1]

    def send_message(self, player, octets):
        """A message of exactly *octets*, in segments."""
        wire = (b"x" * 998 + b"\r\n") * (octets // 1000 - 1)
        wire += b"y" * (octets - len(wire) - 2) + b"\r\n"
        for start in range(0, octets, 50_000):
            player.send(wire[start : start + 50_000])
        player.send(b".\r\n")

    def test_a_lie_about_the_size_is_refused_after_the_true_end(self):
        player = self.server.greeted()
        player.send(b"MAIL FROM:<a@example.com> SIZE=1\r\n")
        player.send(b"RCPT TO:<bob@example.org>\r\nDATA\r\n")
        player.received()
        self.send_message(player, 3_000_500)
        self.assertEqual(player.received(), b"552 5.3.4 Message too large\r\n")
        self.assertEqual(self.server.taken, [])
        self.assertLessEqual(self.spools[0].size, self.LIMIT)
        player.send(b"NOOP\r\n")
        self.assertEqual(player.received(), b"250 2.0.0 Ok\r\n")

    def test_a_message_of_exactly_the_limit_is_taken_and_one_octet_more_is_not(self):
        for octets, code in ((self.LIMIT, b"250"), (self.LIMIT + 1, b"552")):
            player = self.server.in_data()
            self.send_message(player, octets)
            self.assertTrue(player.received().startswith(code))

    def test_an_announced_size_over_the_limit_is_refused_at_mail(self):
        for size, code in (
            (self.LIMIT, b"250 2.1.0"),
            (self.LIMIT + 1, b"552 5.3.4"),
            (99999999999999999999, b"552 5.3.4"),
        ):
            player = self.server.greeted()
            player.send(b"MAIL FROM:<a@example.com> SIZE=%d\r\n" % size)
            self.assertTrue(player.received().startswith(code), size)


class TruncationTests(SynchronousTestCase):
    """Row 100: an end of the connection is not an end of data."""

    BODIES = (b"", b"a", b"a\r\n", b"a\r\n.", b"a\r\n.\r", b"a\n.\n")

    def test_a_connection_that_closes_in_data_delivers_nothing(self):
        for body in self.BODIES:
            server = Server()
            player = server.in_data()
            player.send(body)
            player.close()
            self.assertEqual(server.taken, [])
            self.assertEqual(player.received(), b"")

    def test_an_end_of_input_in_data_delivers_nothing(self):
        for body in self.BODIES:
            server = Server()
            player = server.in_data()
            player.send(body)
            player.protocol.readConnectionLost()
            self.assertEqual(server.taken, [])
            self.assertTrue(player.closed)

    def test_the_spool_is_thrown_away(self):
        closed = []

        class Watched(Spool):
            def close(self):
                closed.append(self.size)
                super().close()

        player = Server(options={"spool": Watched}).in_data()
        player.send(b"a\r\n" * 40_000)
        player.close()
        self.assertEqual(closed, [119_998])
