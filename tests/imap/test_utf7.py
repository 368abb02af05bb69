"""Mailbox names on the wire."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.imap import utf7

PAIRS = [
    ("INBOX", b"INBOX"),
    ("", b""),
    ("a b/c", b"a b/c"),
    ("Q&A", b"Q&-A"),
    ("&", b"&-"),
    ("&&", b"&-&-"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
    ("받은 편지함", b"&vBvHQA- &07jJwNVo-"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("😀", b"&2D3eAA-"),
    ("é&é", b"&AOk-&-&AOk-"),
    ("→&", b"&IZI-&-"),
]

REFUSED = [
    b"&",
    b"a&",
    b"&AOk",
    b"&AGE-",  # "a" needs no shift
    b"&AC4ALg-/x",  # "../x"
    b"&AC8-",  # "/"
    b"&AA0ACg-",  # CR LF
    b"&AAA-",  # NUL
    b"&AIU-",  # NEL
    b"&ICg-",  # LINE SEPARATOR
    b"&2AA-",  # a high surrogate alone
    b"&3AA-",  # a low surrogate alone
    b"&AOn-",  # padding bits that are not zero
    b"&AOkA-",  # half a code unit more
    b"&A-",
    b"&AOk=-",
    b"&AOk-&AOk-",  # two shifts where one does
    b"&ACY-",  # "&" by shift
    b"&AO k-",
    b"&AO/k-",
    b"\xc3\xa9",
    b"a\x7f",
    b"a\r\n",
    b"a\n",
    b"\0",
]


class Utf7Tests(SynchronousTestCase):
    """RFC 3501, section 5.1.3."""

    def test_names_are_read_and_written(self) -> None:
        for name, wire in PAIRS:
            self.assertEqual(utf7.decode(wire), name)
            self.assertEqual(utf7.encode(name), wire)

    def test_other_spellings_than_the_canonical_one_are_refused(self) -> None:
        for wire in REFUSED:
            with self.assertRaises(SyntaxFault, msg=repr(wire)):
                utf7.decode(wire)

    def test_every_prefix_is_read_or_refused(self) -> None:
        for _, wire in PAIRS:
            for stop in range(len(wire)):
                with contextlib.suppress(SyntaxFault):
                    self.assertEqual(utf7.encode(utf7.decode(wire[:stop])), wire[:stop])

    def test_a_lone_surrogate_is_not_written(self) -> None:
        self.assertRaises(UnicodeEncodeError, utf7.encode, "\ud800")

    @settings(deadline=None, max_examples=150)
    @given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))))
    def test_any_name_survives_the_round_trip(self, name: str) -> None:
        self.assertEqual(utf7.decode(utf7.encode(name)), name)

    @settings(deadline=None, max_examples=150)
    @given(st.one_of(st.binary(), st.text("&-A,/+k", max_size=12).map(str.encode)))
    def test_what_is_read_is_the_only_spelling(self, wire: bytes) -> None:
        try:
            name = utf7.decode(wire)
        except SyntaxFault:
            return
        self.assertEqual(utf7.encode(name), wire)
