"""Tests of encoded words: decoded tolerantly, written strictly."""

from __future__ import annotations

import email
from email.policy import default as modern

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.headers import Fields, header_end, header_line
from mailhub.mail.words import MAX_WORD, decode_text, encode_text

from .samples import MISSING, sample_messages

#: (value, text)
TEXTS = [
    (b"", ""),
    (b"plain  text", "plain  text"),
    (b"=?utf-8?B?7JWI64WV?=", "안녕"),
    (b"=?UTF-8?b?7JWI64WV?= x", "안녕 x"),
    (b"x =?iso-8859-1?Q?caf=E9_=3D=5F?= y", "x café =_ y"),
    # White space between words is none, in folds neither; elsewhere it stays.
    (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
    (b"=?utf-8?q?a?=\r\n\t =?utf-8?q?b?= c", "ab c"),
    (b"=?utf-8?q?a?=  b  =?utf-8?q?c?=", "a  b  c"),
    (b"=?utf-8?q?a_?= =?iso-8859-1?q?=E9?=", "a é"),
    (b"=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
    # Characters split over words.
    (b"=?utf-8?B?7JWI6w==?= =?utf-8?B?hZU=?=", "안녕"),
    (b"=?UTF-8?Q?=EC=95?=\r\n =?utf-8?B?iA==?=", "안"),
    (b"=?euc-kr?Q?=C7?= =?EUC-KR?Q?=D1?=", "한"),
    # Korean as it was sent for decades.
    (b"=?ks_c_5601-1987?B?vsiz58fPvLy/5A==?=", "안녕하세요"),
    (b"=?EUC-KR?B?vsiz5w==?= =?EUC-KR?B?x8+8vL/k?=", "안녕하세요"),
    (b"=?ISO-2022-KR?B?GyQpQw4+SDNnDw==?= =?ISO-2022-KR?B?GyQpQw4+SDNnDw==?=",
     "안녕안녕"),
    ("안녕".encode(), "안녕"),
    # Language tags (RFC 2231, section 5).
    (b"=?utf-8*ko?B?7JWI?=", "안"),
    # Sloppy words are decoded.
    (b"a=?utf-8?q?b?=c", "abc"),
    (b"=?utf-8?q?two words?=", "two words"),
    (b"=?utf-8?b?7JWI 64WV?=", "안녕"),
    (b"=?utf-8?b?7JWI64W?=", "안\ufffd"),
    (b"=?utf-8?q?100%=?=", "100%="),
    (b"=?x-unknown?q?caf=E9?=", "café"),
    (b"=?idna?q?xn--a?=", "xn--a"),
    # Broken ones stay.
    (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
    (b"=?utf-8?b?!!?= a", "=?utf-8?b?!!?= a"),
    (b"=?utf-8?b?A?=", "=?utf-8?b?A?="),
    (b"=?utf-8?q?abc", "=?utf-8?q?abc"),
    (b"=?utf-8?q?a?=?=", "a?="),
    (b"=??q?a?=", "=??q?a?="),
    (b"=?", "=?"),
    # Octets outside of words.
    (b"caf\xe9 =?utf-8?q?a?=", "café a"),
]


class DecodeTests(SynchronousTestCase):
    """RFC 2047, sections 2 to 6."""

    def test_texts(self) -> None:
        for value, text in TEXTS:
            self.assertEqual(decode_text(value), text, value)

    def test_every_prefix_of_every_text(self) -> None:
        for value, _ in TEXTS:
            for end in range(len(value)):
                decode_text(value[:end])

    @given(st.lists(st.sampled_from([
        b"=?", b"?=", b"?", b"utf-8", b"q", b"B", b"a", b" ", b"\r\n ", b"=E9", b"=",
        b"_", b"7JWI", b"=?utf-8?q?", b"=?euc-kr?b?", b"\xff", b"*",
    ])).map(b"".join))
    @settings(max_examples=500, deadline=None)
    def test_any_octets(self, value: bytes) -> None:
        decode_text(value).encode()

    def test_much_of_anything(self) -> None:
        size = 512 * 1024
        for piece in (
            b"=?", b"=?a?q?", b"=?a?q?x?=", b"=?utf-8?q?x?= ", b"=?a", b"?=", b"=?=",
            b"=?utf-8?b?\n ", b"=?utf-7?q?+2AA-?=", b"=?idna?q?x?= ",
        ):
            decode_text(piece * (size // len(piece))).encode()
        decode_text(b"=?utf-8?q?" + b"=FF" * size + b"?=")
        decode_text(b"=?" + b"x" * size + b"?q?a?=")


class EncodeTests(SynchronousTestCase):
    """RFC 2047, sections 2 and 5."""

    def test_ascii_stays(self) -> None:
        self.assertEqual(encode_text("a b\tc = ?"), b"a b\tc = ?")

    def test_other_text_is_encoded_in_the_shorter_way(self) -> None:
        self.assertEqual(encode_text("café au lait"), b"=?utf-8?q?caf=C3=A9_au_lait?=")
        self.assertEqual(encode_text("안녕"), b"=?utf-8?b?7JWI64WV?=")

    def test_what_looks_like_an_encoded_word_is_encoded(self) -> None:
        self.assertNotIn(b"=?x?q?", encode_text("=?x?q?y?="))
        self.assertEqual(decode_text(encode_text("=?x?q?y?=")), "=?x?q?y?=")

    def test_encoded_line_breaks_are_never_written(self) -> None:
        for text in "a\r\nBcc: b", "한\n글", "a\0", "a\x7f":
            with self.assertRaises(SyntaxFault):
                encode_text(text)

    def test_decoded_line_breaks_never_become_header_lines(self) -> None:
        text = decode_text(b"=?utf-8?q?a=0D=0ABcc:_b?=")
        self.assertEqual(text, "a\r\nBcc: b")
        with self.assertRaises(SyntaxFault):
            header_line(b"Subject", encode_text(text))
        with self.assertRaises(SyntaxFault):
            header_line(b"Subject", text.encode())

    @given(st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=200))
    @settings(max_examples=300, deadline=None)
    def test_any_text_survives_and_keeps_the_length_of_words(self, text: str) -> None:
        value = encode_text(text)
        self.assertEqual(decode_text(value), text)
        if value != text.encode():
            self.assertLessEqual(max(map(len, value.split(b" "))), MAX_WORD)
            line = header_line(b"Subject", value)
            self.assertEqual(email.message_from_bytes(line, policy=modern)["subject"],
                             text)


class SampleTests(SynchronousTestCase):
    """Subjects of real messages, against the standard library."""

    skip = MISSING

    def test_subjects_are_what_the_standard_library_reads(self) -> None:
        compared = 0
        for name, octets in sample_messages().items():
            ours = Fields(octets[: header_end(octets)]).first(b"subject")
            message = email.message_from_bytes(octets, policy=modern)
            if ours is None or not ours.isascii() or message.defects:
                continue
            theirs = message["subject"]
            if not theirs.defects:
                self.assertEqual(decode_text(ours), str(theirs).strip(), name)
                compared += 1
        self.assertGreater(compared, 500)
