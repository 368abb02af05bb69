"""The server beside its commands: avatars, trace, limits, logs, endings."""

from __future__ import annotations

from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import NoRouteYet, Refused
from mailhub.net.connection import LAST_PATIENCE
from mailhub.net.limits import Limits
from mailhub.smtp.server import LMTPFactory, SMTPFactory

from .fixture import NOW, REMOTE, Avatar, Avatars, Server, begin

LOGIN = b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"
MAIL = b"MAIL FROM:<ann@example.com>\r\n"
QUEUED = b"250 2.0.0 Ok: queued as ID1\r\n"
STOPPING = b"421 4.3.2 Shutting down, try again later\r\n"


class AvatarTests(SynchronousTestCase):
    """Who is asked, when, and as whom."""

    def test_the_anonymous_avatar_is_asked_for_once_and_when_it_is_needed(self):
        server = Server()
        player = server.greeted(REMOTE)
        self.assertEqual(server.realm.logins, [])
        for _ in range(3):
            begin(player)
            player.send(b".\r\n")
            player.received()
        [(_, mind)] = server.realm.logins
        self.assertEqual((mind.host, mind.helo), (REMOTE, "client.example"))

    def test_without_an_anonymous_login_there_is_no_mail_without_a_login(self):
        server = Server("smtp", {"offers_login": True}, anonymous=False)
        player = server.greeted()
        player.send(MAIL)
        self.assertEqual(player.received(), b"530 5.7.0 Authentication required\r\n")
        player.send(LOGIN + MAIL)
        self.assertTrue(player.received().endswith(b"250 2.1.0 Ok\r\n"))

    def test_a_realm_that_knows_nobody_anonymous_wants_a_login(self):
        class Strict(Avatars):
            def requestAvatar(self, avatarId, mind, *interfaces):
                raise NotImplementedError

        server = Server()
        server.factory.portal.realm = Strict(server.avatar)
        player = server.greeted()
        player.send(MAIL)
        self.assertEqual(player.received(), b"530 5.7.0 Authentication required\r\n")

    def test_after_a_login_the_users_avatar_is_asked(self):
        server = Server("submission")
        player = server.greeted()
        player.send(LOGIN)
        player.received()
        begin(player)
        player.send(b"Subject: x\r\n\r\n.\r\n")
        self.assertEqual(player.received(), QUEUED)
        [taken] = server.taken
        self.assertEqual(taken.user, "ann@example.org")
        self.assertIn(b" with ESMTPA id ID1", taken.trace)

    def test_an_avatar_that_returns_nothing_has_taken_it(self):
        class Curt(Avatar):
            async def message(self, envelope, content):
                """Takes it without a word."""

        for service, count in (("smtp", 1), ("lmtp", 2)):
            player = Server(service, avatar=Curt()).in_data([b"a@b.org", b"c@b.org"])
            player.send(b".\r\n")
            self.assertEqual(player.received(), QUEUED * count)

    def test_an_avatar_that_forgets_a_recipient_has_a_bug(self):
        server = Server("lmtp")
        server.avatar.outcomes = [None]
        player = server.in_data([b"a@b.org", b"c@b.org"])
        player.send(b".\r\n")
        self.assertEqual(player.received().count(b"451 4.3.0"), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_what_an_avatar_refuses_with_reaches_the_peer(self):
        for error, reply in (
            (Refused("No dogs here"), b"550 5.7.1 No dogs here\r\n"),
            (NoRouteYet("x"), b"451 4.4.4 No route to that address at present\r\n"),
        ):
            server = Server()
            server.avatar.wants["recipient"] = error
            player = server.greeted()
            player.send(MAIL + b"RCPT TO:<bob@example.org>\r\n")
            self.assertEqual(player.received(), b"250 2.1.0 Ok\r\n" + reply)

    def test_an_avatar_may_end_the_connection(self):
        server = Server()
        server.avatar.wants["sender"] = Refused("Go away", permanent=False, code=421)
        player = server.greeted()
        player.send(MAIL)
        self.assertEqual(player.received(), b"421 4.7.1 Go away\r\n")
        self.assertTrue(player.closed)

    def test_a_bug_of_an_avatar_costs_one_command(self):
        server = Server()
        server.avatar.wants["sender"] = ZeroDivisionError()
        player = server.greeted()
        player.send(MAIL + b"NOOP\r\n")
        self.assertEqual(
            player.received(),
            b"451 4.3.0 Local error, try again later\r\n250 2.0.0 Ok\r\n",
        )
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class MessageTests(SynchronousTestCase):
    """What an avatar is given."""

    def test_the_octets_the_trace_and_the_envelope(self):
        server = Server()
        player = server.greeted(REMOTE)
        player.send(b"MAIL FROM:<ann@example.com> SIZE=20 BODY=8BITMIME\r\n")
        player.send(b"RCPT TO:<Bob@Example.ORG>\r\nDATA\r\n")
        player.send("Subject: ü\r\n\r\n..x\r\n.\r\n".encode())
        [taken] = server.taken
        self.assertEqual(taken.octets, "Subject: ü\r\n\r\n.x\r\n".encode())
        self.assertEqual(taken.recipients, ["Bob@example.org"])
        self.assertEqual(taken.envelope.parameters.size, 20)
        self.assertEqual(taken.envelope.parameters.body, "8BITMIME")
        self.assertFalse(taken.envelope.one_by_one)
        self.assertEqual(
            taken.trace,
            b"Received: from client.example ([192.0.2.7])\r\n"
            b"\tby mx.example.org with ESMTP id ID1\r\n"
            b"\tfor <Bob@example.org>;\r\n"
            b"\tSat, 21 Nov 2026 02:01:34 +0000\r\n",
        )

    def test_lmtp_recipients_may_fail_singly(self):
        server = Server("lmtp")
        server.in_data().send(b".\r\n")
        [taken] = server.taken
        self.assertTrue(taken.envelope.one_by_one)
        self.assertIn(b" with LMTP id ID1", taken.trace)

    def test_a_message_pays_for_errors_before_it(self):
        player = Server().greeted()
        for _ in range(3):
            player.send(b"FROB\r\n" * 10)
            begin(player)
            player.send(b".\r\n")
        self.assertFalse(player.closed)

    def test_a_large_message_reaches_the_spool_in_pieces(self):
        sizes = []

        class Watched:
            size = in_memory = 0

            def write(self, data):
                sizes.append(len(data))
                self.size += len(data)

            def finish(self):
                return self

            async def read(self, start, stop):
                return b""

            def close(self):
                """Nothing is kept."""

        server = Server(options={"spool": Watched})
        player = server.in_data()
        for _ in range(40):
            player.send(b"x" * 78 + b"\r\n")
            player.send((b"y" * 78 + b"\r\n") * 11_000)
        player.send(b".\r\n")
        self.assertEqual(player.received(), QUEUED)
        self.assertEqual(sum(sizes), 40 * 80 * 11_001)
        self.assertLessEqual(max(sizes), 65_536 + 4)

    def events(self):
        events = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        return events

    def test_each_message_is_logged_once_without_its_text(self):
        events = self.events()
        player = Server().in_data()
        player.send(b"Subject: private\r\n\r\n.\r\n")
        [event] = [one for one in events if one.get("id") == "ID1"]
        self.assertEqual((event["size"], event["count"]), (20, 1))
        self.assertNotIn("private", repr(event))

    def test_each_refusal_is_logged_with_its_reason(self):
        for moment in ("sender", "recipient", "message"):
            events = self.events()
            server = Server()
            server.avatar.wants[moment] = Refused("the reason")
            player = server.greeted()
            player.send(MAIL + b"RCPT TO:<bob@example.org>\r\nDATA\r\n")
            player.send(b".\r\n")
            told = [one for one in events if "reason" in str(one.get("error"))]
            self.assertEqual(len(told), 1, moment)


class EndingTests(SynchronousTestCase):
    """RFC 5321, section 3.8: the last word is 421."""

    def test_a_server_that_stops_finishes_the_command_first(self):
        server = Server()
        gate = server.avatar.wants["message"] = Deferred()
        busy = server.in_data()
        busy.send(b".\r\n")
        idle = server.greeted()
        done = server.factory.shutdown()
        self.assertEqual(idle.received(), STOPPING)
        self.assertEqual(busy.received(), b"")
        gate.callback(None)
        self.assertEqual(busy.received(), QUEUED + STOPPING)
        self.assertEqual(len(server.taken), 1)
        idle.close()
        busy.close()
        self.successResultOf(done)

    def test_a_server_that_stops_takes_the_message_that_was_announced(self):
        server = Server()
        client = server.greeted()
        for command in (b"MAIL FROM:<a@far.example>", b"RCPT TO:<bob@example.org>"):
            client.send(command + b"\r\n")
        client.received()
        done = server.factory.shutdown()
        self.assertEqual(client.received(), b"")
        client.send(b"RCPT TO:<ann@example.org>\r\nDATA\r\n")
        client.send(b"Subject: x\r\n\r\n")
        client.received()
        client.send(b".\r\n")
        self.assertEqual(client.received(), QUEUED + STOPPING)
        self.assertEqual(len(server.taken), 1)
        client.close()
        self.successResultOf(done)

    def test_a_server_that_stops_waits_for_no_message_for_long(self):
        server = Server()
        client = server.greeted()
        client.send(b"MAIL FROM:<a@far.example>\r\n")
        client.received()
        server.factory.shutdown()
        client.wait(LAST_PATIENCE - 1)
        self.assertEqual(client.received(), b"")
        client.wait(2)
        self.assertTrue(client.received().startswith(b"421 "))
        self.assertTrue(client.closed)

    def test_one_client_too_many_is_told_so(self):
        server = Server(options={"limits": Limits(connections=1)})
        server.greeted()
        player = server.connect()
        self.assertEqual(
            player.received(), b"421 4.7.0 Too many connections, try again later\r\n"
        )
        self.assertTrue(player.closed)

    def test_quit_throws_away_what_is_pipelined_behind_it(self):
        server = Server()
        player = server.greeted()
        player.send(b"QUIT\r\n" + MAIL)
        self.assertEqual(player.received(), b"221 2.0.0 Bye\r\n")
        self.assertTrue(player.closed)
        self.assertEqual(server.avatar.asked, [])


class FactoryTests(SynchronousTestCase):
    """Sensible without options, for any portal whose realm gives ISubmission."""

    def portal(self):
        return Portal(Avatars(Avatar()), [AllowAnonymousAccess()])

    def test_services_have_their_ways(self):
        for service, login, tls, implicit in (
            ("smtp", False, False, False),
            ("submission", True, True, False),
            ("submissions", True, True, True),
            ("lmtp", False, False, False),
        ):
            factory = SMTPFactory(self.portal(), service=service)
            ways = factory.smtp_service
            self.assertEqual((ways.offers_login, ways.requires_login), (login, login))
            self.assertEqual((ways.requires_tls, factory.implicit_tls), (tls, implicit))
        self.assertTrue(LMTPFactory(self.portal()).smtp_service.lmtp)

    def test_each_way_can_be_chosen(self):
        factory = SMTPFactory(
            self.portal(), service="submission", requires_tls=False,
            requires_login=False, offers_login=False,
        )
        ways = factory.smtp_service
        self.assertEqual(
            (ways.requires_tls, ways.requires_login, ways.offers_login),
            (False, False, False),
        )

    def test_limits_are_announced(self):
        server = Server(options={"limits": Limits(message_size=123, recipients=5)})
        player = server.connect()
        player.send(b"EHLO x\r\n")
        replies = player.received()
        self.assertIn(b"250-SIZE 123\r\n", replies)
        self.assertIn(b"250 LIMITS RCPTMAX=5\r\n", replies)
        for service, most in (("smtp", 100), ("submission", 1000), ("lmtp", 1000)):
            player = Server(service).connect()
            player.send(b"LHLO x\r\n" if service == "lmtp" else b"EHLO x\r\n")
            self.assertIn(b"250 LIMITS RCPTMAX=%d\r\n" % most, player.received())

    def test_starttls_is_announced_only_where_it_is_possible(self):
        for options, announced in (({"certificates": None}, False), ({}, True)):
            player = Server(options=options).connect()
            player.send(b"EHLO x\r\n")
            self.assertEqual(b"STARTTLS" in player.received(), announced)
        player = Server(options={"certificates": None}).greeted()
        player.send(b"STARTTLS\r\n")
        self.assertEqual(player.received(), b"502 5.5.1 Command not implemented\r\n")

    def test_no_two_transactions_share_a_name(self):
        factories = [SMTPFactory(self.portal()) for _ in range(2)]
        names = {factory.new_id() for factory in factories for _ in range(100)}
        self.assertEqual(len(names), 200)
        self.assertEqual({len(name) for name in names}, {12})

    def test_the_time_of_a_message_is_the_wall_clocks(self):
        self.assertEqual(Server().connect().protocol.seconds(), NOW)
