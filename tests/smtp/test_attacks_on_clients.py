"""What servers, and those between us and them, try on a client of ours."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailhub.net.client_tls import ClientTLS, client_context
from mailhub.net.limits import Limits
from mailhub.smtp.client_steps import Step, Waits
from mailhub.store.content import BytesContent

from .client_fixture import OPENING, PIPELINING, ClientCase, codes_of, mail

STARTTLS = b"250-mx\r\n250 STARTTLS\r\n"
GO = b"354 go\r\n"
OK = b"250 2.0.0 ok\r\n"
READY = b"220 2.0.0 go\r\n"


class ResponseInjectionTests(ClientCase):
    """RFC 3207, section 6: octets that came in the clear are not read as TLS's."""

    def connect_with_tls(self):
        self.connect(certificates=ClientTLS(client_context(), "mx.example"))
        self.player.send(b"220 mx\r\n")
        self.player.received()
        self.assertEqual(self.said(STARTTLS), b"STARTTLS\r\n")

    def test_replies_behind_the_answer_to_starttls_end_the_session(self):
        for injected in (
            b"250-mx\r\n250 SIZE 1\r\n", b"250 mx\r\n" * 5, b"2", b"\r\n", b"\x16\x03",
        ):  # fmt: skip
            self.connect_with_tls()
            self.player.send(READY + injected)
            fault = self.failed()
            self.assertIs(fault.step, Step.TLS)
            # Nor is that a reason to say everything in the clear.
            self.assertFalse(fault.may_go_clear)
            self.assertTrue(self.player.closed)
            self.assertIsNone(self.player.transport.tls_context)

    def test_what_was_offered_in_the_clear_is_forgotten(self):
        self.connect_with_tls()
        self.player.send(READY)
        self.assertEqual(self.player.received(), b"")
        self.player.finish_handshake()
        self.assertEqual(self.player.received(), b"EHLO me.example\r\n")
        self.assertNoResult(self.factory.opened)
        self.player.send(b"250-mx\r\n250 SIZE 5\r\n")
        client = self.successResultOf(self.factory.opened)
        self.assertEqual(client.able.size, 5)
        self.assertFalse(client.able.starttls)
        self.assertTrue(client.is_secure)

    def test_nothing_is_said_before_the_handshake_is_over(self):
        self.connect_with_tls()
        self.player.send(READY)
        self.player.wait(5)
        self.assertEqual(self.player.received(), b"")

    def test_a_handshake_that_fails_may_be_done_without(self):
        self.connect_with_tls()
        self.player.send(READY)
        self.player.close()
        fault = self.failed()
        self.assertEqual((fault.step, fault.may_go_clear), (Step.TLS, True))

    def test_a_handshake_that_stalls_ends(self):
        self.connect_with_tls()
        self.player.send(READY)
        self.player.wait(Waits().short + 2)
        self.assertTrue(self.failed().may_go_clear)

    def test_a_refusal_goes_on_in_the_clear(self):
        """Whether that is good enough the policy says, in ``check``."""
        self.connect_with_tls()
        self.player.send(b"454 4.7.0 not now\r\n")
        client = self.successResultOf(self.factory.opened)
        self.assertFalse(client.is_secure)


class EagerServerTests(ClientCase):
    """Replies that come before their commands belong to none."""

    def test_replies_that_wait_before_a_message_are_not_taken_for_its_own(self):
        client = self.open()
        self.player.send(OK * 3)
        self.assertFalse(client.is_free)
        self.assertTrue(self.player.closed)

    def test_more_replies_than_commands_end_the_session(self):
        client = self.open()
        sending = client.send_mail(mail())
        self.said(OK + OK + GO)
        self.said(OK + OK)
        self.assertEqual(self.codes(sending), [250])
        self.assertFalse(client.is_free)

    def test_an_answer_before_the_message_was_written_is_not_one_to_it(self):
        """A server that says 250 to data that it has not seen has taken nothing."""
        client = self.open()
        sending = client.send_mail(mail())
        self.said(OK + OK + GO + OK)
        sent = self.sent(sending)
        self.assertEqual(codes_of(sent), [None])
        self.assertFalse(client.is_free)


class SmugglingTests(ClientCase):
    """A message is one message, whatever is in it (attack: outbound smuggling)."""

    ENDS = (
        b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n", b"\n.\r",
        b"\r.\n", b"\r\r\n.\r\r\n", b"\r\n\0.\r\n", b"\r\n.\r\n",
    )  # fmt: skip
    SECOND = b"MAIL FROM:<evil@x.example>\r\nRCPT TO:<jo@y.example>\r\nDATA\r\n"

    def test_no_false_end_leaves_by_data(self):
        for end in self.ENDS:
            client = self.open()
            message = b"a" + end + self.SECOND
            client.send_mail(mail(content=BytesContent(message)))
            self.player.received()
            written = self.said(OK + OK + GO)
            self.assertEqual(written.count(b"\r\n.\r\n"), 1, end)
            self.assertTrue(written.endswith(b"\r\n.\r\n"))
            self.assert_clean(written)

    def test_a_chunk_has_the_size_that_it_tells(self):
        for end in self.ENDS:
            client = self.open(b"250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
            message = b"a" + end + self.SECOND
            client.send_mail(mail(content=BytesContent(message)))
            written = self.player.received().removeprefix(OPENING)
            command, _, data = written.partition(b"\r\n")
            self.assertEqual(command, b"BDAT %d LAST" % len(data))
            self.assert_clean(data)

    def assert_clean(self, data):
        lines = data.split(b"\r\n")
        self.assertFalse([each for each in lines if b"\r" in each or b"\n" in each])


class AnyServerTests(ClientCase):
    """Whatever a server says, there is an end, and nothing is taken for a promise."""

    WORDS = st.sampled_from([
        b"220 mx\r\n", b"250 ok\r\n", b"250-mx\r\n", b"250 PIPELINING\r\n",
        b"250 CHUNKING\r\n", b"354 go\r\n", b"421 bye\r\n", b"450 later\r\n",
        b"550 no\r\n", b"250", b" ", b"\r\n", b"\n", b"\r", b"\0", b"999 x\r\n",
        b"\xff\r\n", b"",
    ])  # fmt: skip

    @settings(max_examples=300, deadline=None)
    @given(st.lists(st.lists(WORDS, max_size=6), max_size=12), st.booleans())
    def test_every_message_has_an_outcome(self, turns, one_by_one):
        client = self.connect()
        sendings, received = [], []
        for turn in turns:
            if client.is_free and self.factory.opened.called:
                content = mail(b"a@y", b"b@y", one_by_one=one_by_one)
                sendings.append(client.send_mail(content))
            self.player.send(b"".join(turn))
            received.append(self.player.received())
        self.factory.opened.addErrback(lambda failure: None)
        self.player.close()
        written = b"".join(received)
        ends = written.count(b"\r\n.\r\n") + written.count(b" LAST\r\n")
        taken = 0
        for sending in sendings:
            sent = self.sent(sending)
            self.assertLessEqual(len(sent.verdicts), 2)
            decided = [each for each in sent.verdicts if each is not None]
            self.assertTrue(len(decided) == 2 or sent.fault is not None)
            taken += any(each.is_positive for each in decided)
        self.assertLessEqual(taken, ends)
        self.assertEqual(self.flushLoggedErrors(), [])


class EndlessTests(ClientCase):
    """Servers that never come to an end."""

    def test_an_endless_line_is_not_kept(self):
        self.connect()
        limits = Limits()
        for _ in range(100):
            self.player.send(b"220-" + b"x" * 4096)
            self.assertLess(len(self.client._input), limits.read_ahead)
        self.player.close()
        self.failed()

    def test_an_endless_reply_is_cut(self):
        self.connect()
        for _ in range(300):
            self.player.send(b"220-x\r\n")
        self.assertIn("end", self.failed().text)

    def test_lines_that_drip_do_not_buy_time(self):
        """A reply as a whole has its time."""
        self.connect()
        for _ in range(40):
            self.player.send(b"220-x\r\n")
            self.player.wait(10)
        self.player.close()
        self.assertIn("too long", self.failed().text)


class SlowTests(ClientCase):
    """Every step has its time (RFC 5321, section 4.5.3.2)."""

    waits = Waits(greeting=20, command=30, data=12, content=18, end=60)

    def stall(self, seconds, *said):
        """What is said, and then nothing; the session ends in *seconds*."""
        client = self.open(waits=self.waits)
        sending = client.send_mail(mail(b"a@y", b"b@y"))
        for each in said:
            self.said(each)
        self.player.wait(seconds - 1)
        self.assertNoResult(sending)
        self.player.wait(3)
        self.assertTrue(self.player.closed)
        return self.sent(sending)

    def test_at_the_greeting(self):
        self.connect(waits=self.waits)
        self.player.wait(19)
        self.assertNoResult(self.factory.opened)
        self.player.wait(3)
        self.assertIs(self.failed().step, Step.GREETING)

    def test_at_ehlo(self):
        self.connect(waits=self.waits)
        self.player.send(b"220 mx\r\n")
        self.player.wait(29)
        self.assertNoResult(self.factory.opened)
        self.player.wait(3)
        self.assertIs(self.failed().step, Step.HELLO)

    def test_at_mail(self):
        self.assertIs(self.stall(30).fault.step, Step.MAIL)

    def test_at_rcpt(self):
        sent = self.stall(30, OK + OK)
        self.assertIs(sent.fault.step, Step.RECIPIENT)
        self.assertFalse(sent.is_unknown)

    def test_at_data(self):
        sent = self.stall(12, OK + OK + OK)
        self.assertIs(sent.fault.step, Step.DATA)
        self.assertFalse(sent.is_unknown)

    def test_after_the_message_it_is_not_known(self):
        sent = self.stall(60, OK + b"550 no\r\n" + OK + GO)
        self.assertIs(sent.fault.step, Step.END)
        self.assertEqual(codes_of(sent), [550, None])
        self.assertTrue(sent.is_unknown)

    def test_while_it_does_not_read_the_message(self):
        client = self.open(PIPELINING, waits=self.waits)
        content = BytesContent(b"x" * 100_000)
        sending = client.send_mail(mail(content=content))
        client.pauseProducing()
        self.said(OK + OK + GO)
        self.player.wait(70)
        self.assertTrue(self.player.closed)
        self.assertEqual(codes_of(self.sent(sending)), [None])

    def test_a_frozen_peer_keeps_no_descriptor(self):
        """Half-open TCP: nothing comes, nothing is taken, nothing says so."""
        client = self.open(waits=self.waits, idle=10.0)
        self.assertEqual(self.factory.roll.capacity.open, 1)
        client.pauseProducing()
        self.player.wait(10 + Limits().linger + 5)
        self.player.close()
        self.assertEqual(self.factory.roll.capacity.open, 0)
