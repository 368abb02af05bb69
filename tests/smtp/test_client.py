"""Sessions with other servers: transcripts on a transport in memory."""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from mailhub.errors import LocalFault, TLSFault
from mailhub.smtp.client import MAX_CHUNK
from mailhub.smtp.client_replies import MAX_REPLY_LINE
from mailhub.smtp.client_steps import Step
from mailhub.store.content import BytesContent

from .client_fixture import (
    HELLO,
    MESSAGE,
    OPENING,
    PIPELINING,
    STUFFED,
    ClientCase,
    codes_of,
    mail,
)

GO = b"354 go\r\n"
OK = b"250 2.0.0 ok\r\n"


class OpeningTests(ClientCase):
    """RFC 5321, section 3.1 and 3.2."""

    def test_it_speaks_when_it_was_greeted(self):
        self.connect()
        self.assertEqual(self.player.received(), b"")
        self.assertEqual(self.said(b"220-mx\r\n"), b"")
        self.assertEqual(self.said(b"220 ESMTP\r\n"), b"EHLO me.example\r\n")
        self.assertNoResult(self.factory.opened)
        self.assertEqual(self.said(PIPELINING), b"")
        self.assertIs(self.successResultOf(self.factory.opened), self.client)
        self.assertTrue(self.client.able.pipelining)

    def test_an_old_server_is_greeted_in_the_old_way(self):
        self.connect()
        self.said(b"220 mx\r\n")
        self.assertEqual(self.said(b"500 what?\r\n"), b"HELO me.example\r\n")
        self.said(HELLO)
        self.successResultOf(self.factory.opened)

    def test_lmtp_has_no_old_way(self):
        self.connect(verb=b"LHLO")
        self.assertEqual(self.said(b"220 mx\r\n"), b"LHLO me.example\r\n")
        self.assertEqual(self.said(b"500 what?\r\n"), b"QUIT\r\n")
        self.assertIs(self.failed().step, Step.HELLO)

    def test_a_server_that_does_not_want_us_is_left(self):
        for greeting in (b"554 no\r\n", b"421 later\r\n", b"354 go\r\n"):
            self.connect()
            self.assertEqual(self.said(greeting), b"QUIT\r\n")
            fault = self.failed()
            self.assertEqual((fault.step, fault.reply.code),
                             (Step.GREETING, int(greeting[:3])))
            self.assertTrue(self.player.closed)

    def test_what_is_no_mail_server_is_left_without_a_word(self):
        for greeting in (
            b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"220 a\nb\r\n",
            b"220 mx\n", b"220 m\rx\r\n", b"\r\n", b"220-" + b"x" * MAX_REPLY_LINE,
            b"* OK IMAP4rev1\r\n",
        ):  # fmt: skip
            self.connect()
            self.said(greeting)
            self.player.close()
            self.assertIs(self.failed().step, Step.GREETING)

    def test_it_ends_where_our_own_rules_say_so(self):
        def check(client):
            raise TLSFault("not who it should be")

        self.connect(check=check)
        self.said(b"220 mx\r\n")
        self.assertEqual(self.said(HELLO), b"QUIT\r\n")
        self.assertIsInstance(self.failed().error, TLSFault)

    def test_who_cancels_closes_the_connection(self):
        self.connect()
        self.factory.opened.cancel()
        self.failureResultOf(self.factory.opened, CancelledError)
        self.assertTrue(self.player.closed)


class OctetOpeningTests(OpeningTests):
    """The same, an octet at a time."""

    most = 1


class SendingTests(ClientCase):
    """RFC 5321, section 3.3."""

    def test_commands_leave_in_one_piece_and_the_message_after_them(self):
        client = self.open()
        sending = client.send_mail(mail())
        self.assertEqual(self.player.received(), OPENING + b"DATA\r\n")
        self.assertEqual(self.said(OK + OK + GO), STUFFED)
        self.assertEqual(self.said(b"250 2.0.0 queued\r\n"), b"")
        sent = self.sent(sending)
        self.assertEqual([str(each) for each in sent.verdicts], ["250 2.0.0 queued"])
        self.assertIsNone(sent.fault)

    def test_step_by_step_without_pipelining(self):
        client = self.open(HELLO)
        sending = client.send_mail(mail())
        self.assertEqual(self.player.received() + self.said(OK), OPENING)
        self.assertEqual(self.said(OK), b"DATA\r\n")
        self.assertEqual(self.said(GO), STUFFED)
        self.said(OK)
        self.assertEqual(self.codes(sending), [250])

    def test_a_small_message_leaves_with_its_commands_as_a_chunk(self):
        client = self.open(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
        sending = client.send_mail(mail())
        chunk = b"BDAT %d LAST\r\n" % len(MESSAGE) + MESSAGE
        self.assertEqual(self.player.received(), OPENING + chunk)
        self.said(OK + OK + OK)
        self.assertEqual(self.codes(sending), [250])

    def test_chunks_are_small(self):
        for size, is_chunk in ((MAX_CHUNK, True), (MAX_CHUNK + 1, False)):
            client = self.open(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
            client.send_mail(mail(content=BytesContent(b"x" * size)))
            self.assertEqual(b"BDAT" in self.player.received(), is_chunk)

    def test_one_message_after_the_other(self):
        client = self.open()
        for _ in range(3):
            sending = client.send_mail(mail())
            self.assertFalse(client.is_free)
            self.player.received()
            self.said(OK + OK + GO)
            self.said(OK)
            self.assertEqual(self.codes(sending), [250])
            self.assertTrue(client.is_free)
        self.assertEqual(client.messages, 3)

    def test_a_transaction_that_came_to_nothing_is_forgotten_first(self):
        client = self.open()
        first = client.send_mail(mail())
        self.said(OK + b"550 no\r\n" + b"503 no\r\n")
        self.assertEqual(self.codes(first), [550])
        second = client.send_mail(mail())
        self.assertEqual(self.player.received(), b"RSET\r\n")
        self.assertEqual(self.said(OK), OPENING + b"DATA\r\n")
        self.said(OK + OK + GO)
        self.said(OK)
        self.assertEqual(self.codes(second), [250])

    def test_lmtp_answers_for_each_recipient(self):
        client = self.open()
        sending = client.send_mail(mail(b"a@y", b"b@y", b"c@y", one_by_one=True))
        self.said(OK + OK + b"550 no\r\n" + OK + GO)
        self.said(OK)
        self.assertNoResult(sending)
        self.said(b"452 full\r\n")
        self.assertEqual(self.codes(sending), [250, 550, 452])


class OctetSendingTests(SendingTests):
    """The same, an octet at a time."""

    most = 1


class Pieces:
    """A content that is not in memory."""

    data = None

    def __init__(self, octets, fault_at=None):
        self.octets, self.size, self.fault_at = octets, len(octets), fault_at

    async def read(self, start, stop):
        if self.fault_at is not None and stop > self.fault_at:
            raise LocalFault("the disk is gone")
        return self.octets[start:stop]


class LargeTests(ClientCase):
    """Messages that come in pieces."""

    def test_they_arrive_whole(self):
        octets = b"x" * 600_000 + b"\r\n.\r\n" + b"y" * 10
        client = self.open()
        sending = client.send_mail(mail(content=Pieces(octets)))
        self.player.received()
        written = self.said(OK + OK + GO)
        self.assertEqual(written, octets.replace(b"\n.", b"\n..") + b"\r\n.\r\n")
        self.said(OK)
        self.assertEqual(self.codes(sending), [250])

    def test_what_cannot_be_read_to_its_end_has_no_end(self):
        """A half message must not be taken for a whole one."""
        client = self.open()
        content = Pieces(b"x" * 600_000, fault_at=300_000)
        sending = client.send_mail(mail(content=content))
        self.player.received()
        self.assertNotIn(b"\r\n.\r\n", self.said(OK + OK + GO))
        self.assertTrue(self.player.closed)
        sent = self.sent(sending)
        self.assertIsInstance(sent.fault.error, LocalFault)
        self.assertFalse(sent.is_unknown)

    def test_it_waits_while_the_server_does_not_read(self):
        client = self.open()
        octets = b"x" * 1_000_000
        client.send_mail(mail(content=Pieces(octets)))
        self.player.received()
        client.pauseProducing()
        first = len(self.said(OK + OK + GO))
        self.assertLess(first, 600_000)
        client.resumeProducing()
        self.assertEqual(first + len(self.player.received()), 1_000_005)


class LeavingTests(ClientCase):
    """How sessions end."""

    def test_who_has_nothing_to_send_says_quit_after_a_while(self):
        client = self.open(idle=10.0)
        self.player.wait(9)
        self.assertEqual(self.player.received(), b"")
        self.player.wait(3)
        self.assertEqual(self.player.received(), b"QUIT\r\n")
        self.assertFalse(client.is_free)
        self.assertTrue(self.player.closed)

    def test_quit_ends_it_at_once(self):
        client = self.open()
        client.quit()
        self.assertEqual(self.player.received(), b"QUIT\r\n")

    def test_quit_waits_for_the_message_that_is_on_its_way(self):
        client = self.open()
        sending = client.send_mail(mail())
        self.player.received()
        client.quit()
        self.assertEqual(self.said(OK + OK + GO), STUFFED)
        self.said(OK)
        self.assertEqual(self.codes(sending), [250])
        self.assertTrue(self.player.closed)

    def test_a_server_that_goes_while_nothing_happens_is_not_used_again(self):
        for last in (b"421 idle\r\n", b"250 surprise\r\n"):
            client = self.open()
            self.said(last)
            self.assertFalse(client.is_free)
            self.assertTrue(self.player.closed)
        client = self.open()
        self.player.close()
        self.assertFalse(client.is_free)

    def test_421_in_between_ends_the_session(self):
        client = self.open()
        sending = client.send_mail(mail(b"a@y", b"b@y"))
        self.said(OK + b"550 no\r\n" + b"421 going\r\n")
        sent = self.sent(sending)
        self.assertEqual(codes_of(sent), [550, None])
        self.assertEqual(sent.fault.reply.code, 421)
        self.assertFalse(sent.is_unknown)
        self.assertFalse(client.is_free)

    def test_who_cancels_a_message_closes_the_connection(self):
        client = self.open()
        sending = client.send_mail(mail())
        self.said(OK)
        sending.cancel()
        self.failureResultOf(sending, CancelledError)
        self.assertFalse(client.is_free)
        self.assertTrue(self.player.closed)


class LostTests(ClientCase):
    """What is known when the connection goes away."""

    def lost_after(self, *said, **more):
        client = self.open(**more)
        sending = client.send_mail(mail())
        for each in said:
            self.said(each)
        self.player.close()
        return self.sent(sending)

    def test_before_the_end_nobody_has_it(self):
        for said in ((), (OK,), (OK, OK)):
            sent = self.lost_after(*said)
            self.assertEqual(sent.verdicts, [None])
            self.assertFalse(sent.is_unknown, said)

    def test_after_the_end_it_is_not_known(self):
        sent = self.lost_after(OK, OK, GO)
        self.assertEqual(sent.verdicts, [None])
        self.assertTrue(sent.is_unknown)
        self.assertIs(sent.fault.step, Step.END)

    def test_a_chunk_is_there_from_the_start(self):
        hello = b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n"
        self.assertTrue(self.lost_after(OK, hello=hello).is_unknown)
        # Nobody was there any more: the session had waited for too long.
        self.assertFalse(self.lost_after(hello=hello).is_unknown)

    def test_refusals_before_it_count(self):
        client = self.open()
        sending = client.send_mail(mail(b"a@y", b"b@y"))
        self.said(OK + b"550 no\r\n" + OK + GO)
        self.player.close()
        sent = self.sent(sending)
        self.assertEqual(codes_of(sent), [550, None])
        self.assertTrue(sent.is_unknown)

    def test_nonsense_after_the_end_is_no_answer(self):
        for nonsense in (b"\xff\xff\r\n", b"354 go on\r\n", b"250 ok\n"):
            sent = self.lost_after(OK, OK, GO, nonsense)
            self.assertTrue(sent.is_unknown, nonsense)


class EmptyTests(ClientCase):
    """The least message that there is."""

    def test_nothing_is_a_dot(self):
        client = self.open()
        client.send_mail(mail(content=BytesContent(b"")))
        self.player.received()
        self.assertEqual(self.said(OK + OK + GO), b".\r\n")
