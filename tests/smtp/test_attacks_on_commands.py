"""Attacks by commands: injection, floods, broken verbs, slowness."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import OverQuota, StorageFull, UnknownRecipient
from mailhub.net.limits import Limits
from mailhub.smtp.session import SMTPLimits

from .fixture import REMOTE, Server, begin

LOGIN = b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"
MAIL = b"MAIL FROM:<ann@example.com>\r\n"
RCPT = b"RCPT TO:<bob@example.org>\r\n"


class StartTLSTests(SynchronousTestCase):
    """Rows 9 and 11; failure 4 of twisted.mail (RFC 3207, sections 4.2 and 6)."""

    def test_starttls_followed_by_commands_in_one_segment_runs_none(self):
        for rest in (b"MAIL FROM:<i@e.example>\r\n", b"\x16\x03\x01", b"R", b"\r\n"):
            server = Server()
            player = server.greeted()
            player.send(b"STARTTLS\r\n" + rest)
            self.assertEqual(
                player.received(), b"554 5.5.0 Input was sent before its time\r\n"
            )
            self.assertTrue(player.closed)
            self.assertIsNone(player.transport.tls_context)
            self.assertEqual(server.avatar.asked, [])

    def test_nothing_said_in_clear_is_known_in_tls(self):
        server = Server("submission")
        player = server.greeted()
        player.send(b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n" + MAIL)
        player.send(b"STARTTLS\r\n")
        player.finish_handshake()
        player.received()
        player.send(RCPT)
        self.assertEqual(player.received(), b"503 5.5.1 MAIL is needed first\r\n")
        player.send(MAIL)
        self.assertEqual(player.received(), b"503 5.5.1 Send a greeting first\r\n")
        player.send(b"EHLO x\r\n")
        self.assertIn(b"AUTH PLAIN LOGIN", player.received())
        player.send(MAIL)
        self.assertEqual(player.received(), b"530 5.7.0 Authentication required\r\n")

    def test_the_name_of_before_is_not_in_the_trace(self):
        server = Server()
        player = server.greeted()
        player.send(b"STARTTLS\r\n")
        player.finish_handshake()
        player.send(b"EHLO other.example\r\n")
        player.received()
        begin(player)
        player.send(b".\r\n")
        trace = server.taken[0].trace
        self.assertIn(b"from other.example ([127.0.0.1])", trace)
        self.assertIn(b"with ESMTPS (TLSv1.3) id", trace)
        self.assertNotIn(b"client.example", trace)


class OrderTests(SynchronousTestCase):
    """Row 8; failure 5 of twisted.mail: replies in the order of commands."""

    def test_slow_validators_are_asked_one_after_the_other(self):
        server = Server()
        gates = {key: Deferred() for key in ("sender", "a@example.org", "message")}
        server.avatar.wants = dict(gates)
        player = server.greeted()
        player.send(
            MAIL + b"RCPT TO:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
        )
        self.assertEqual(player.received(), b"")
        self.assertEqual(server.avatar.asked, [("sender", "ann@example.com")])
        gates["sender"].callback(None)
        self.assertEqual(player.received(), b"250 2.1.0 Ok\r\n")
        self.assertEqual(server.avatar.asked[1:], [("recipient", "a@example.org")])
        gates["a@example.org"].callback(None)
        self.assertEqual(
            player.received(),
            b"250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n"
            b"354 End data with <CR><LF>.<CR><LF>\r\n",
        )
        player.send(b"x\r\n.\r\nNOOP\r\n")
        self.assertEqual(player.received(), b"")
        gates["message"].callback(None)
        self.assertEqual(
            player.received(),
            b"250 2.0.0 Ok: queued as ID1\r\n250 2.0.0 Ok\r\n",
        )

    def test_validators_that_answer_in_reverse_do_not_change_the_order(self):
        server = Server()
        gates = {key: Deferred() for key in ("sender", "a@example.org", "message")}
        server.avatar.wants = dict(gates)
        player = server.greeted()
        player.send(MAIL + b"RCPT TO:<a@example.org>\r\n")
        gates["message"].callback(None)
        gates["a@example.org"].callback(None)
        self.assertEqual(player.received(), b"")
        player.send(b"DATA\r\n")
        gates["sender"].callback(None)
        self.assertEqual(
            player.received(),
            b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
            b"354 End data with <CR><LF>.<CR><LF>\r\n",
        )
        player.send(b"x\r\n.\r\n")
        self.assertEqual(player.received(), b"250 2.0.0 Ok: queued as ID1\r\n")
        moments = [moment for moment, _ in server.avatar.asked]
        self.assertEqual(moments, ["sender", "recipient", "message"])

    def test_a_refused_sender_leaves_what_follows_out_of_order(self):
        server = Server()
        gate = server.avatar.wants["sender"] = Deferred()
        player = server.greeted()
        player.send(MAIL + RCPT + b"DATA\r\n")
        gate.errback(OverQuota("x"))
        self.assertEqual(
            [line[:9] for line in player.received().split(b"\r\n")],
            [b"452 4.2.2", b"503 5.5.1", b"503 5.5.1", b""],
        )


class InjectionTests(SynchronousTestCase):
    """Rows 23 and 24; failures 6 and 7 of twisted.mail."""

    def test_a_bare_newline_in_a_greeting_is_no_header_line(self):
        for verb in (b"EHLO", b"HELO"):
            for name in (b"x\nX-Evil: 1", b"x\rX-Evil: 1", b"x\0X-Evil: 1"):
                player = Server().connect()
                player.received()
                player.send(verb + b" " + name + b"\r\n")
                replies = player.received().split(b"\r\n")[:-1]
                self.assertTrue(all(one.startswith(b"50") for one in replies), replies)
                player.send(MAIL)
                self.assertTrue(player.received().startswith(b"503"))

    def test_a_bare_newline_in_an_envelope_is_no_header_line(self):
        for line in (
            b"MAIL FROM:<a@example.com>%bX-Evil: 1",
            b"MAIL FROM:<a@example.com%bX-Evil: 1>",
            b"MAIL FROM:<a@example.com> SIZE=1%bX-Evil: 1",
            b"MAIL FROM:<a@example.com> AUTH=x%bX-Evil: 1",
            b"RCPT TO:<bob%bX-Evil: 1@example.org>",
        ):
            for newline in (b"\n", b"\r", b"\0", b"\v", b"\x85"):
                server = Server()
                player = server.greeted()
                player.send(MAIL if line.startswith(b"RCPT") else b"NOOP\r\n")
                player.received()
                player.send(line % newline + b"\r\n")
                codes = [reply[:3] for reply in player.received().splitlines()]
                self.assertTrue(codes)
                for code in codes:
                    self.assertIn(code, (b"500", b"501", b"553", b"555"), line)
                self.assertNotIn("recipient", [m for m, _ in server.avatar.asked])

    def test_an_address_with_a_trusted_beginning_is_no_address(self):
        for path in (b"<a@trusted)b@evil>", b"<a@trusted,b@evil>", b"<a@b@evil>"):
            server = Server()
            player = server.greeted()
            player.send(b"MAIL FROM:" + path + b"\r\n" + MAIL)
            player.send(b"RCPT TO:" + path + b"\r\n")
            codes = [reply[:3] for reply in player.received().splitlines()]
            self.assertEqual(codes, [b"501", b"250", b"501"], path)
            self.assertEqual(len(server.avatar.asked), 1)

    def test_control_octets_in_a_quoted_local_part_are_refused(self):
        for local in (b"a\nb", b"a\rb", b"a\0b", b"", b"a\\\nb", b"a\x7fb", b"a\tb"):
            server = Server()
            player = server.greeted()
            for command in (b"MAIL FROM:", MAIL + b"RCPT TO:"):
                player.send(command + b'<"' + local + b'"@example.org>\r\n')
                replies = player.received().split(b"\r\n")
                replies = [one for one in replies if one and one[:3] != b"250"]
                self.assertTrue(all(one[:2] == b"50" for one in replies), replies)
                self.assertTrue(replies)
            self.assertNotIn("recipient", [moment for moment, _ in server.avatar.asked])


class BrokenVerbTests(SynchronousTestCase):
    """Row 27; failures 8 and 9 of twisted.mail: the session lives."""

    def test_no_verb_ends_the_session(self):
        server = Server("submission")
        for line in (
            b"\xff\xfe", b"AUTH", b"MAIL", b"RCPT", b"EHLO", b"", b"\0", b" ",
            b"MAIL FROM", b"AUTH PLAIN \xff", b"RCPT TO:", b"\x80" * 500,
            b"VRFY", b"STARTTLS x", b"__init__", b"data", b"DATA\xa0",
        ):
            player = server.greeted()
            player.send(line + b"\r\n")
            player.send(b"NOOP\r\n")
            first, second, rest = player.received().split(b"\r\n")
            self.assertIn(first[:2], (b"50", b"53"), line)
            self.assertEqual((second, rest), (b"250 2.0.0 Ok", b""), line)

    def test_a_web_client_is_shown_the_door(self):
        for verb in (b"GET", b"POST", b"CONNECT", b"put"):
            player = Server().connect()
            player.received()
            player.send(verb + b" /MAIL HTTP/1.1\r\nHost: mx\r\n\r\n" + MAIL)
            self.assertEqual(
                player.received(), b"421 4.7.0 This is not a web server\r\n"
            )
            self.assertTrue(player.closed)


class EndlessLineTests(SynchronousTestCase):
    """Row 5; failure 3 of twisted.mail."""

    def test_a_line_without_an_end_is_cut(self):
        player = Server().connect()
        player.received()
        sent = 0
        while not player.closed and sent < 1 << 20:
            player.send(b"a" * 4096)
            sent += 4096
        self.assertLessEqual(sent, 2_048 + 65_536 + 2 * 4096)
        self.assertEqual(
            player.received(),
            b"421 4.5.2 Line without an end, closing the connection\r\n",
        )

    def test_a_command_line_of_exactly_the_limit_passes_and_one_more_does_not(self):
        player = Server().greeted()
        line = b"NOOP " + b"x" * (2_048 - 7)
        player.send(line + b"\r\n")
        self.assertEqual(player.received(), b"250 2.0.0 Ok\r\n")
        player.send(line + b"x\r\nNOOP\r\n")
        self.assertEqual(
            player.received(),
            b"500 5.5.2 Command line too long\r\n250 2.0.0 Ok\r\n",
        )


class FloodTests(SynchronousTestCase):
    """Row 28; failures 10 and 11 of twisted.mail."""

    def taken(self, server, before=b""):
        """How many of five thousand recipients are taken; the others may come later."""
        player = server.greeted()
        player.send(before + MAIL)
        player.received()
        player.send(b"".join(b"RCPT TO:<u%d@x.org>\r\n" % n for n in range(5_000)))
        replies = player.received().split(b"\r\n")[:-1]
        taken = replies.count(b"250 2.1.5 Ok")
        self.assertEqual(replies[:taken], [b"250 2.1.5 Ok"] * taken)
        self.assertEqual(set(replies[taken:]), {b"452 4.5.3 Too many recipients"})
        player.send(b"DATA\r\n")
        player.send(b".\r\n")
        self.assertEqual(len(server.taken[0].recipients), taken)
        return taken

    def test_a_thousand_recipients_are_taken_and_no_more(self):
        self.assertEqual(self.taken(Server("lmtp")), 1000)
        options = {"requires_tls": False, "offers_login": True}
        self.assertEqual(self.taken(Server("submission", options), LOGIN), 1000)
        self.assertEqual(self.taken(Server("smtp", options), LOGIN), 1000)

    def test_a_hundred_recipients_of_a_stranger_s_are_taken_and_no_more(self):
        """RFC 5321, section 4.5.3.1.8: no fewer."""
        self.assertEqual(self.taken(Server()), 100)
        for limits, most in (
            (Limits(recipients=50), 50), (Limits(stranger_recipients=300), 300),
            (Limits(recipients=100, stranger_recipients=300), 100),
        ):  # fmt: skip
            self.assertEqual(self.taken(Server("smtp", {"limits": limits})), most)

    def flood(self, line, count, **options):
        player = Server(options=options).greeted()
        player.send(line * count)
        replies = player.received().split(b"\r\n")[:-1]
        return player, replies

    def test_ten_errors_are_allowed_and_no_more(self):
        player, replies = self.flood(b"FROB\r\n", 10)
        self.assertEqual(len(replies), 10)
        self.assertFalse(player.closed)
        player, replies = self.flood(b"FROB\r\n", 5_000)
        self.assertEqual(replies[10:], [b"421 4.7.0 Too many errors"])
        self.assertTrue(player.closed)

    def test_a_hundred_idle_commands_are_allowed_and_no_more(self):
        # The greeting was one already.
        player, replies = self.flood(b"NOOP\r\n", 99)
        self.assertEqual(replies, [b"250 2.0.0 Ok"] * 99)
        self.assertFalse(player.closed)
        for line in (b"NOOP\r\n", b"RSET\r\n", b"VRFY x\r\n", b"HELP\r\n"):
            player, replies = self.flood(line, 5_000)
            self.assertEqual(len(replies), 100)
            self.assertEqual(replies[99], b"421 4.7.0 Too many commands without mail")
            self.assertTrue(player.closed)

    def test_limits_are_constructor_arguments(self):
        limits = SMTPLimits(errors=1, junk=2)
        player, replies = self.flood(b"FROB\r\n", 3, smtp_limits=limits)
        self.assertEqual(len(replies), 2)

    def ask_for_unknown(self, service):
        server = Server(service)
        server.avatar.wants["recipient"] = UnknownRecipient("x")
        player = server.greeted()
        player.send(MAIL + RCPT * 200)
        return player.received().split(b"\r\n")[1:-1]

    def test_who_asks_for_many_unknown_recipients_is_cut(self):
        *replies, last = self.ask_for_unknown("smtp")
        self.assertEqual(replies, [b"550 5.1.1 User unknown"] * 10)
        self.assertEqual(last, b"421 4.7.0 Too many errors")

    def test_an_mta_that_speaks_lmtp_is_not(self):
        replies = self.ask_for_unknown("lmtp")
        self.assertEqual(replies, [b"550 5.1.1 User unknown"] * 200)


class FullDiskTests(SynchronousTestCase):
    """Failure 12 of twisted.mail: a fault of ours never bounces mail."""

    def outcome(self, service="smtp", **wants):
        server = Server(service)
        server.avatar.wants.update(wants)
        player = server.in_data([b"a@example.org", b"b@example.org"])
        player.send(b"x\r\n.\r\nNOOP\r\n")
        *replies, noop, _ = player.received().split(b"\r\n")
        self.assertEqual(noop, b"250 2.0.0 Ok")
        return replies

    def test_a_full_disk_is_answered_with_try_again(self):
        full = [b"452 4.3.1 Insufficient system storage"]
        self.assertEqual(self.outcome(message=StorageFull("x")), full)
        self.assertEqual(self.outcome("lmtp", message=StorageFull("x")), full * 2)

    def test_what_is_in_reserve_is_not_asked_for(self):
        room = 1000

        def check_room(octets, reserve):
            if octets + reserve > room:
                raise StorageFull("x")

        for service in ("smtp", "lmtp"):
            options = {"limits": Limits(free_space=900), "check_room": check_room}
            player = Server(service, options=options).greeted()
            full = b"452 4.3.1 Insufficient system storage\r\n"
            for size, answer in ((101, full), (100, b"250 2.1.0 Ok\r\n")):
                player.send(b"MAIL FROM:<a@example.org> SIZE=%d\r\n" % size)
                self.assertEqual(player.received(), answer)
            player.send(b"RCPT TO:<a@example.org>\r\n")
            player.received()
            room = 999
            player.send(b"DATA\r\n")
            self.assertEqual(player.received(), full)
            room = 1000
            player.send(b"DATA\r\n")
            self.assertTrue(player.received().startswith(b"354 "))

    def test_an_unforeseen_fault_is_answered_with_try_again_and_logged_once(self):
        for service, count in (("smtp", 1), ("lmtp", 2)):
            replies = self.outcome(service, message=OSError(28, "no space"))
            self.assertEqual(
                replies, [b"451 4.3.0 Local error, try again later"] * count
            )
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_one_recipient_that_fails_does_not_fail_the_others_in_lmtp(self):
        server = Server("lmtp")
        server.avatar.outcomes = [None, OverQuota("b")]
        player = server.in_data([b"a@example.org", b"b@example.org"])
        player.send(b"x\r\n.\r\n")
        self.assertEqual(
            player.received(),
            b"250 2.0.0 Ok: queued as ID1\r\n452 4.2.2 Mailbox full\r\n",
        )


class SlowTests(SynchronousTestCase):
    """Row 30: an octet now and then does not hold a connection."""

    TIMED_OUT = b"421 4.4.0 Timeout, closing the connection\r\n"

    def drip(self, player, octet, seconds):
        """An octet every ten seconds; when the connection was closed."""
        for passed in range(0, seconds, 10):
            if player.closed:
                return passed
            player.send(octet)
            player.wait(10)
        return None

    def test_a_command_line_has_to_end_in_time(self):
        player = Server().greeted(REMOTE)
        closed = self.drip(player, b"a", 1000)
        self.assertLessEqual(closed, 120)
        self.assertEqual(player.received(), self.TIMED_OUT)

    def test_message_data_has_to_come_at_the_minimum_rate(self):
        server = Server()
        player = server.in_data(host=REMOTE)
        closed = self.drip(player, b"a", 1000)
        self.assertLessEqual(closed, 130)
        self.assertEqual(player.received(), self.TIMED_OUT)
        self.assertEqual(server.taken, [])

    def test_a_login_has_to_come_in_time(self):
        player = Server("submission").greeted()
        player.send(b"AUTH LOGIN\r\n")
        player.received()
        self.assertLessEqual(self.drip(player, b"a", 1000), 120)
        self.assertEqual(player.received(), self.TIMED_OUT)

    def test_silence_ends_after_five_minutes_and_not_before(self):
        player = Server().greeted(REMOTE)
        player.wait(299)
        self.assertFalse(player.closed)
        player.wait(3)
        self.assertEqual(player.received(), self.TIMED_OUT)
        self.assertTrue(player.closed)

    def test_a_handshake_has_to_come_in_time(self):
        player = Server().greeted(REMOTE)
        player.send(b"STARTTLS\r\n")
        player.wait(12)
        self.assertTrue(player.closed)
        player = Server("submissions").connect(REMOTE)
        player.wait(12)
        self.assertTrue(player.transport.disconnected or player.closed)
        self.assertEqual(player.received(), b"")
