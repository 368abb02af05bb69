"""The extensions of a server where mail can wait, over a connection."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import LocalFault
from mailhub.mail.address import Address
from mailhub.mail.envelope import Notify, RecipientParameters
from mailhub.smtp.dialogue import Started

from .fixture import NOW, REMOTE, Server

BOB = Address("bob", "example.org")
TRUSTED = {"requires_tls": False, "trusts_loopback": True}
LOGIN = b"AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n"


def keywords(player):
    """What EHLO lists."""
    player.send(b"EHLO client.example\r\n")
    return [line[4:] for line in player.received().split(b"\r\n")[1:-1]]


class ExtensionTests(SynchronousTestCase):
    """RFC 3461; RFC 2852; RFC 6710; RFC 4865; RFC 8689."""

    def test_they_are_listed_where_mail_can_wait(self):
        listed = keywords(Server("smtp", {"queues": True}).greeted())
        for word in (b"DSN", b"DELIVERBY", b"MT-PRIORITY", b"ETRN"):
            self.assertIn(word, listed)
        self.assertNotIn(b"REQUIRETLS", listed)
        self.assertNotIn(b"XVERP", listed)
        self.assertFalse([word for word in listed if word.startswith(b"FUTURE")])

    def test_they_are_not_listed_nor_taken_where_it_cannot(self):
        player = Server().greeted()
        listed = keywords(player)
        for word in (b"DSN", b"DELIVERBY", b"MT-PRIORITY", b"ETRN", b"REQUIRETLS"):
            self.assertNotIn(word, listed)
        player.send(b"MAIL FROM:<ann@example.com> RET=FULL\r\n")
        self.assertTrue(player.received().startswith(b"555 5.5.4"))
        player.send(b"ETRN example.net\r\n")
        self.assertTrue(player.received().startswith(b"502 "))

    def test_future_release_is_for_users(self):
        player = Server("submission", {"queues": True, **TRUSTED}).greeted()
        self.assertIn(
            b"FUTURERELEASE 2592000 2026-12-21T02:01:00Z", keywords(player)
        )
        self.assertIn(b"XVERP", keywords(player))
        player.send(LOGIN + b"MAIL FROM:<ann@example.org> HOLDFOR=60 XVERP=-=\r\n")
        self.assertTrue(player.received().endswith(b"250 2.1.0 Ok\r\n"))

    def test_the_avatar_is_told_what_is_wished(self):
        server = Server("smtp", {"queues": True})
        player = server.greeted()
        player.send(
            b"MAIL FROM:<ann@example.com> RET=HDRS ENVID=x+2B1 BY=60;N\r\n"
            b"RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;b@example.net\r\n"
            b"RCPT TO:<eve@example.org>\r\n"
            b"DATA\r\n"
        )
        player.received()
        player.send(b"Subject: x\r\n\r\ny\r\n.\r\n")
        player.received()
        [taken] = server.taken
        parameters = taken.envelope.parameters
        self.assertEqual((parameters.ret, parameters.envid), ("HDRS", "x+1"))
        self.assertEqual(parameters.deliver_by.until, NOW + 60)
        wish = RecipientParameters(Notify.SUCCESS, "rfc822;b@example.net")
        self.assertEqual(taken.envelope.wishes, {BOB: wish})

    def test_a_stranger_s_mail_is_not_urgent(self):
        server = Server("smtp", {"queues": True})
        for given, kept in ((b"9", 0), (b"-3", -3)):
            player = server.greeted(REMOTE)
            player.send(b"MAIL FROM:<ann@example.com> MT-PRIORITY=%b\r\n" % given)
            changed = b"250 2.3.6 0 is the new priority assigned to the message\r\n"
            self.assertEqual(player.received() == changed, kept == 0)
            player.send(b"RCPT TO:<bob@example.org>\r\nDATA\r\n")
            player.send(b"x\r\n.\r\n")
            self.assertEqual(server.taken[-1].envelope.parameters.priority, kept)


class ETRNTests(SynchronousTestCase):
    """RFC 1985."""

    def answered(self, line, started=Started.YES):
        """What ETRN is answered, and for which nodes the queue was asked."""
        asked = []

        async def start_queue(node, below):
            asked.append((node, below))
            if isinstance(started, Exception):
                raise started
            return started

        options = {"queues": True, "start_queue": start_queue}
        player = Server("smtp", options).greeted()
        player.send(line)
        return player.received(), asked

    def test_the_queue_is_asked_for_the_domain(self):
        for line, below in (
            (b"ETRN Example.NET\r\n", False), (b"etrn @example.net\r\n", True)
        ):  # fmt: skip
            reply, asked = self.answered(line)
            self.assertEqual(reply, b"250 2.0.0 Ok, queuing for node started\r\n")
            self.assertEqual(asked, [("example.net", below)])

    def test_its_answer_is_told(self):
        line = b"ETRN example.net\r\n"
        reply, _ = self.answered(line, Started.NOTHING)
        self.assertEqual(reply, b"251 2.0.0 Ok, no messages waiting for node\r\n")
        reply, _ = self.answered(line, Started.NOT_ALLOWED)
        self.assertEqual(reply, b"459 4.7.1 Node not allowed\r\n")
        reply, _ = self.answered(line, LocalFault("no"))
        self.assertEqual(reply, b"458 4.3.0 Unable to queue messages for node\r\n")

    def test_what_is_no_domain_is_refused(self):
        for argument, code in (
            (b"", b"501"), (b" ", b"501"), (b" #queue", b"459"), (b" a b", b"501"),
            (b" a..b", b"501"), (b" <x>", b"501"), (b" @", b"501"), (b" @@a", b"501"),
        ):
            reply, asked = self.answered(b"ETRN" + argument + b"\r\n")
            self.assertEqual((reply[:3], asked), (code, []), argument)

    def test_it_is_not_for_users_nor_within_a_message(self):
        player = Server("submission", {"queues": True, **TRUSTED}).greeted()
        player.send(b"ETRN example.net\r\n")
        self.assertTrue(player.received().startswith(b"502 "))
        player = Server("smtp", {"queues": True}).greeted()
        player.send(b"MAIL FROM:<ann@example.com>\r\nETRN example.net\r\n")
        self.assertTrue(player.received().split(b"\r\n")[1].startswith(b"503 "))
