"""Messages for servers without 8BITMIME, checked with another reader of MIME."""

from __future__ import annotations

import email
import email.policy

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.seven_bit import Unconvertible, in_seven_bits

UMLAUTS = "Grüße an dich\r\n\r\n=3D bleibt, Leerzeichen \r\n.\r\n".encode()
PLAIN = (
    b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: 8bit\r\nX-Last: y\r\n\r\n"
)
MIXED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
    b"Content-Transfer-Encoding: 8bit\r\n\r\npreamble\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + UMLAUTS +
    b"\r\n--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
    + bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") +
    b"\r\n--b\r\nContent-Type: text/plain\r\n\r\nascii stays\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    + PLAIN + UMLAUTS + b"\r\n--b--\r\nepilogue\r\n"
)
SIGNED = (
    b"MIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=s;"
    b" protocol=\"application/pgp-signature\"\r\n\r\n"
    b"--s\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%s\r\n"
    b"--s\r\nContent-Type: application/pgp-signature\r\n\r\nxx\r\n--s--\r\n"
)


def leaves(message: bytes) -> list[tuple[str, bytes]]:
    """The types and contents of a message's parts."""
    parsed = email.message_from_bytes(message, policy=email.policy.compat32)
    return [
        (part.get_content_type(), part.get_payload(decode=True))
        for part in parsed.walk()
        if not part.is_multipart()
    ]


class SevenBitTests(SynchronousTestCase):
    """RFC 6152, section 3; RFC 2045, section 6."""

    def converted(self, message: bytes) -> bytes:
        found = in_seven_bits(message)
        self.assertTrue(found.isascii())
        self.assertLessEqual(max(map(len, found.split(b"\r\n"))), 76 + 24)
        self.assertEqual(in_seven_bits(found), found)
        return found

    def test_ascii_stays_as_it_is(self) -> None:
        message = PLAIN.replace(b"8bit", b"7bit") + b"hello\r\n"
        self.assertEqual(in_seven_bits(message), message)

    def test_text_is_quoted(self) -> None:
        found = self.converted(PLAIN + UMLAUTS)
        self.assertEqual(leaves(found), [("text/plain", UMLAUTS)])
        self.assertIn(b"Gr=C3=BC=C3=9Fe an dich\r\n", found)
        self.assertEqual(found.lower().count(b"content-transfer-encoding"), 1)
        self.assertIn(b"\r\nX-Last: y\r\nContent-Transfer-Encoding: quoted-printable"
                      b"\r\n\r\n", found)

    def test_each_part_is_converted_by_itself(self) -> None:
        found = self.converted(MIXED)
        self.assertEqual(leaves(found), leaves(MIXED))
        self.assertEqual(found.count(b": base64"), 1)
        self.assertEqual(found.count(b": quoted-printable"), 2)
        self.assertEqual(found.count(b": 7bit"), 2)
        self.assertNotIn(b": 8bit", found)
        self.assertIn(b"preamble", found)
        self.assertIn(b"epilogue", found)

    def test_mail_from_before_mime_gets_a_type(self) -> None:
        found = self.converted(b"Subject: x\r\n\r\n" + UMLAUTS)
        self.assertIn(b"charset=utf-8\r\n", found)
        self.assertEqual(leaves(found), [("text/plain", UMLAUTS)])
        found = self.converted(b"Subject: x\r\n\r\n\xe4\r\n")
        self.assertIn(b"MIME-Version: 1.0\r\n", found)
        self.assertIn(b"charset=unknown-8bit\r\n", found)

    def test_a_message_without_a_header_gets_one(self) -> None:
        found = self.converted(b"\r\n" + UMLAUTS)
        self.assertEqual(leaves(found), [("text/plain", UMLAUTS)])

    def test_what_is_signed_is_not_touched(self) -> None:
        message = SIGNED % b"hello"
        self.assertEqual(in_seven_bits(message), message)
        with self.assertRaises(Unconvertible) as caught:
            in_seven_bits(SIGNED % UMLAUTS)
        self.assertTrue(caught.exception.permanent)
        self.assertEqual(caught.exception.status.value, "6.3")

    def test_what_cannot_be_encoded_is_not(self) -> None:
        for kind in (b"message/partial", b"multipart/mixed; boundary=b"):
            head = b"MIME-Version: 1.0\r\nContent-Type: " + kind
            wrong = head + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            self.assertRaises(Unconvertible, in_seven_bits, wrong + UMLAUTS)
        head = b"MIME-Version: 1.0\r\nContent-Type: message/partial\r\n\r\n"
        self.assertRaises(Unconvertible, in_seven_bits, head + UMLAUTS)

    def test_no_delimiter_appears(self) -> None:
        """Attack: a long line whose broken rest looks like one."""
        head = (
            b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
        )
        refused = 0
        for length in range(60, 80):
            text = b"\xc3\xa4\r\n" + b"x" * length + b"--b\r\n\r\nevil"
            try:
                found = in_seven_bits(head + text + b"\r\n--b--\r\n")
            except Unconvertible:
                refused += 1
            else:
                self.assertEqual(leaves(found), [("text/plain", text)])
        self.assertTrue(refused)

    @settings(max_examples=150, deadline=None)
    @given(st.lists(st.sampled_from([
        b"\r\n", b"--b", b"--", b"\xc3\xa4", b"a", b" ", b"=", b".",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: message/rfc822\r\n", b"Content-Transfer-Encoding: 8bit\r\n",
        b"Content-Type: text/html\r\n", b"\r\n\r\n", b"\x00",
    ]), max_size=25))  # fmt: skip
    def test_anything_is_converted_or_refused(self, parts: list[bytes]) -> None:
        message = b"".join(parts)
        try:
            found = in_seven_bits(message)
        except Unconvertible:
            return
        if message.isascii():
            self.assertIs(found, message)
