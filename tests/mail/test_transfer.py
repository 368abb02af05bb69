"""Tests of Content-Transfer-Encodings: lenient, and the same in any pieces."""

from __future__ import annotations

import quopri
from base64 import encodebytes

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import transfer
from mailhub.mail.transfer import MAX_PADDINGS, decode_transfer, decoder_for

#: (encoded, decoded)
BASE64 = [
    (b"", b""), (b"QUJD", b"ABC"), (b"QUI=", b"AB"), (b"QQ==", b"A"),
    (b"QU\r\nJD\r\n", b"ABC"), (b" Q U J D ", b"ABC"),
    # Padding that is missing, too much, or in the middle.
    (b"QUI", b"AB"), (b"QQ", b"A"), (b"Q", b""), (b"QUJDQ", b"ABC"),
    (b"QUJD====", b"ABC"), (b"====", b""), (b"=QUJD", b"ABC"),
    (b"QQ==QUJD", b"AABC"), (b"QUI=QQ==QQ", b"ABAA"),
    # Octets that are no digits.
    (b"!!QU@@JD\xff", b"ABC"), (b"Q-U_J~D", b"ABC"), (b"\0\x01", b""),
]

QUOTED = [
    (b"", b""), (b"plain\r\n", b"plain\r\n"), (b"a=3Db", b"a=b"),
    (b"=e9=E9", b"\xe9\xe9"), (b"soft =\r\nbreak", b"soft break"),
    (b"soft=\nbreak", b"softbreak"), (b"a  \r\nb", b"a  \r\nb"),
    (b"blanks=  \t\r\nbehind", b"blanksbehind"),
    # What encodes nothing.
    (b"=", b""), (b"a=", b"a"), (b"=4", b"=4"), (b"=GG", b"=GG"), (b"a= b", b"a= b"),
    (b"=E", b"=E"), (b"=\rhidden\nseen", b"hidden\nseen"), (b"\xff", b"\xff"),
]

ENCODINGS = (b"base64", b"quoted-printable", b"7bit", b"8bit", b"binary", b"x-other")


def in_pieces(data: bytes, encoding: bytes, size: int) -> bytes:
    """*data* decoded as it comes, *size* octets at a time."""
    decoder = decoder_for(encoding)
    pieces = [
        decoder.feed(data[at : at + size]) for at in range(0, len(data), size)
    ]
    return b"".join(pieces) + decoder.finish()


class DecodeTests(SynchronousTestCase):
    """RFC 2045, sections 6.7 and 6.8."""

    def check(self, table: list[tuple[bytes, bytes]], encoding: bytes) -> None:
        for data, expected in table:
            self.assertEqual(decode_transfer(data, encoding), expected, data)
            for size in 1, 2, 3, 5:
                self.assertEqual(in_pieces(data, encoding, size), expected, data)

    def test_base64(self) -> None:
        self.check(BASE64, b"base64")

    def test_quoted_printable(self) -> None:
        self.check(QUOTED, b"quoted-printable")

    def test_other_encodings_leave_octets_as_they_are(self) -> None:
        for encoding in b"7bit", b"8bit", b"binary", b"", b"x-uuencode", b"BASE64":
            self.check([(b"a=3D \xff\r\n", b"a=3D \xff\r\n")], encoding)

    @given(st.binary(max_size=300), st.integers(1, 80))
    @settings(max_examples=200, deadline=None)
    def test_what_is_encoded_well_is_decoded_the_same(
        self, data: bytes, size: int
    ) -> None:
        base64 = encodebytes(data).replace(b"\n", b"\r\n")
        self.assertEqual(decode_transfer(base64, b"base64"), data)
        self.assertEqual(in_pieces(base64, b"base64", size), data)
        text = data.replace(b"\r", b"").replace(b"\n", b"")
        quoted = quopri.encodestring(text)
        self.assertEqual(decode_transfer(quoted, b"quoted-printable"), text)
        self.assertEqual(in_pieces(quoted, b"quoted-printable", size), text)

    @given(st.lists(st.sampled_from(list(b"QUJD=\r\n !E9\t\xff"))).map(bytes),
           st.sampled_from(ENCODINGS), st.integers(1, 10))
    @settings(max_examples=1000, deadline=None)
    def test_pieces_do_not_matter(
        self, data: bytes, encoding: bytes, size: int
    ) -> None:
        self.assertEqual(
            in_pieces(data, encoding, size), decode_transfer(data, encoding)
        )


class LimitTests(SynchronousTestCase):
    """Abuse as for Exim CVE-2018-6789 and Dovecot CVE-2025-59028."""

    def test_times_that_base64_starts_anew(self) -> None:
        for count in MAX_PADDINGS, MAX_PADDINGS + 1:
            data = b"QQ==" * count
            found = decode_transfer(data, b"base64")
            self.assertEqual(found[: MAX_PADDINGS // 2], b"A" * (MAX_PADDINGS // 2))
            self.assertEqual(in_pieces(data, b"base64", 7), found)

    def test_an_unfinished_line_does_not_pile_up(self) -> None:
        for data in b" " * 1000, b"=" * 1000, b"\r" * 1000:
            self.patch(transfer, "MAX_PENDING", 100)
            decoder = decoder_for(b"quoted-printable")
            for _ in range(100):
                decoder.feed(data)
                self.assertLessEqual(len(decoder._pending), 100)  # type: ignore

    def test_25_mebibytes_in_one_line(self) -> None:
        data = b"QUJD" * (25 * 1024 * 256)
        self.assertEqual(len(decode_transfer(data, b"base64")), len(data) // 4 * 3)
        self.assertEqual(decode_transfer(data, b"quoted-printable"), data)

    def test_what_is_decoded_in_steps_is_what_it_is_at_once(self) -> None:
        samples = b"w7zDvA==QUJD" * 9, b"=C3=BC =\r\nx= \r\ny" * 9, b"plain\r\n" * 9
        whole = [
            [decode_transfer(data, each) for each in ENCODINGS] for data in samples
        ]
        for step in range(1, 9):
            self.patch(transfer, "STEP", step)
            for data, expected in zip(samples, whole, strict=True):
                found = [decode_transfer(data, each) for each in ENCODINGS]
                self.assertEqual(found, expected, step)

    def test_much_of_anything(self) -> None:
        size = 2 * 1024 * 1024
        for piece in (
            b"=", b"= ", b"=\r", b"=\n", b"A=", b"AA=", b" ", b" \n", b"\r", b"=A",
            b"\xff", b"=\t\r", b"==\n", b"A",
        ):
            data = piece * (size // len(piece))
            for encoding in ENCODINGS:
                decode_transfer(data, encoding)
                in_pieces(data, encoding, 65536)
