"""What is put into ENVID and ORCPT, so that it stands elsewhere later."""

from __future__ import annotations

from email import message_from_bytes

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.account import Delivery
from mailhub.mail.address import Address
from mailhub.mail.envelope import Notify
from mailhub.mail.queued import Lease, QueuedMessage, Waiting
from mailhub.outbound.parcel import Parcel
from mailhub.routing.decision import Decision, Outcome
from mailhub.routing.successes import Successes
from mailhub.smtp.client_capabilities import Capabilities
from mailhub.smtp.parameters import decode_xtext
from mailhub.store.content import BytesContent

from .fixture import NOW, Server

#: What xtext may stand for but no notification may have (RFC 3461, sections 4.2, 4.4).
CONTROLS = (
    b"a+0D+0AX:+201", b"+0A", b"+0D", b"a+0D+0A+0D+0Abody", b"+00", b"+7F", b"+1B[2J",
    b"+C3+A9", b"+E2+80+AE", b"a+09b",
)
#: What is no xtext.
BROKEN = (b"+", b"+0", b"+0a", b"+GG", b"a+2", b"a=b", b"a+-1", b"+ 41", b"")
#: Printable, and with a meaning elsewhere.
PLAIN = (
    b"X-Evil:+201", b"+3Cscript+3E", b";+20rfc822", b"--+3D_1", b"a+20NOTIFY+3DNEVER",
    b"+22+5C", b"=?utf-8?q?=0AX:_1?=".replace(b"=", b"+3D"),
)


class XtextTests(SynchronousTestCase):
    """RFC 3461, section 4."""

    def setUp(self):
        self.server = Server("smtp", {"queues": True})

    def replies(self, mail, rcpt):
        """The first digit of each reply, and then what was taken."""
        player = self.server.greeted()
        player.send(b"MAIL FROM:<x@far.example>" + mail + b"\r\n")
        first = player.received().split(b"\r\n")[-2]
        player.send(b"RCPT TO:<bob@example.org>" + rcpt + b"\r\n")
        return first[:3], player.received()[:3], player

    def test_what_could_end_a_line_is_refused(self):
        for value in CONTROLS + BROKEN:
            self.assertEqual(self.replies(b" ENVID=" + value, b"")[0], b"501", value)
            for kind in (b"rfc822", b"x400", b"utf-8"):
                if kind == b"utf-8" and value in BROKEN + (b"+C3+A9",):
                    # There "+" is a character, and "\x{...}" what encodes others.
                    continue
                rcpt = b" ORCPT=" + kind + b";" + value
                code = self.replies(b"", rcpt)[1]
                expected = (b"501", b"250") if kind == b"utf-8" else (b"501",)
                self.assertIn(code, expected, rcpt)

    def test_what_encodes_characters_in_unicode_ends_no_line_either(self):
        for value in (
            b"\\x{0A}", b"\\x{D}", b"\\x{0}", b"\\x{85}", b"\\x{2028}", b"\\x{202E}",
            b"\\x{D800}", b"\\x{110000}", b"\\n", b"\\", "\u2028".encode(), b"\xff",
        ):  # fmt: skip
            rcpt = b" ORCPT=utf-8;a" + value
            self.assertEqual(self.replies(b"", rcpt)[1], b"501", rcpt)

    def taken(self, value):
        """The envelope of a message that came with *value* in both places."""
        rcpt = b" NOTIFY=SUCCESS ORCPT=rfc822;" + value
        *codes, player = self.replies(b" ENVID=" + value, rcpt)
        self.assertEqual(codes, [b"250", b"250"], value)
        player.send(b"DATA\r\n")
        player.received()
        player.send(b"Subject: x\r\n\r\n.\r\n")
        player.received()
        return self.server.taken[-1].envelope

    def test_what_is_taken_stays_one_value_of_a_notification(self):
        for value in PLAIN:
            envelope = self.taken(value)
            [address] = envelope.recipients
            envelope.routes[address] = Decision("", Outcome.LOCAL)
            [octets] = self.told(envelope, address)
            report = message_from_bytes(octets).get_payload()[1]
            about, each = report.get_payload()
            said = envelope.parameters.envid
            self.assertEqual(about["Original-Envelope-Id"], said)
            self.assertEqual(each["Original-Recipient"], f"rfc822; {said}")
            for block in (message_from_bytes(octets), about, each):
                self.assertNotIn("X-Evil", block)

    def told(self, envelope, address):
        letters = []

        async def dispatch(letter):
            letters.append(letter.octets)
            return Delivery(BytesContent(b""), b"", (), NOW)

        tell = Successes("mx.example.org", dispatch, lambda: NOW)
        content = BytesContent(b"Subject: x\r\n\r\n")
        self.successResultOf(Deferred.fromCoroutine(tell(envelope, [address], content)))
        return letters

    def test_what_is_taken_stays_one_parameter_for_the_next_server(self):
        for value in PLAIN:
            envelope = self.taken(value)
            message = QueuedMessage(
                1, "Q1", "x@far.example", None, envelope.parameters, 9, 0.0, 1e12
            )
            wish = envelope.wishes[Address("bob", "example.org")]
            waiting = Waiting(
                1, "bob@example.org", "example.org", wish.notify, wish.original, 0.0
            )
            lease = Lease(message, "example.org", (waiting,), 1, 1e12)
            parcel = Parcel(lease, BytesContent(b"x: y\r\n\r\n"), b"x: y\r\n\r\n")
            form = self.successResultOf(
                Deferred.fromCoroutine(parcel.form_for(Capabilities(dsn=True), None))
            )
            mail = parcel.mail([0], Capabilities(dsn=True), form, 0.0, one_by_one=False)
            [rcpt] = mail.recipients
            for line, before in (
                (mail.opening, b"MAIL FROM:<x@far.example> ENVID="),
                (rcpt, b"RCPT TO:<bob@example.org> NOTIFY=SUCCESS ORCPT=rfc822;"),
            ):
                self.assertTrue(line.startswith(before), line)
                sent = decode_xtext(line.removeprefix(before).removesuffix(b"\r\n"))
                self.assertEqual(sent, decode_xtext(value))
            self.assertEqual(wish.notify, Notify.SUCCESS)
