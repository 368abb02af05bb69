from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.identity import (
    MAX_LOGIN,
    MAX_PASSWORD,
    canonical_login,
    canonical_password,
)
from mailhub.errors import AuthenticationFailed

SAME_NAMES = [
    (b"alice@example.org", b"Alice@EXAMPLE.org"),
    ("j\u00f6rg@example.org".encode(), "JO\u0308RG@example.org".encode()),
    (b"alice@example.org", "\uff41lice@example.org".encode()),
]
REFUSED_NAMES = [
    b"", b" ", b"a b", b"a\r\nset x 0 0 1", b"a\0b", b"a\tb", b"\x7f", b"' OR 1--",
    b"\xff\xfe", b"\xc0\xafadmin", b"\xed\xa0\x80", "a\u200bb".encode(),
    "a\u202eb".encode(), "a\u0085b".encode(), "a\u2028b".encode(),
    "a\ue000".encode(),
]
#: Hostile, but only text: look-ups bind them as values.
HARMLESS_NAMES = [b"*)(uid=*", b"%u@%d", b"'--", b"${run{x}}@d", b"../../etc/passwd"]


class LoginNames(SynchronousTestCase):
    """RFC 8265, section 3.3, as far as this server goes."""

    def test_spellings_of_one_name_are_one_name(self) -> None:
        for one, other in SAME_NAMES:
            self.assertEqual(canonical_login(one), canonical_login(other))

    def test_injection_through_the_user_name_ends_at_the_edge(self) -> None:
        for name in REFUSED_NAMES:
            with self.subTest(name=name):
                self.assertRaises(AuthenticationFailed, canonical_login, name)

    def test_other_people_s_query_languages_are_plain_text(self) -> None:
        for name in HARMLESS_NAMES:
            self.assertEqual(canonical_login(name), name.decode())

    def test_length_limit(self) -> None:
        self.assertEqual(len(canonical_login(b"a" * MAX_LOGIN)), MAX_LOGIN)
        self.assertRaises(AuthenticationFailed, canonical_login, b"a" * 255)
        umlauts = "\u00e4" * (MAX_LOGIN // 2)
        self.assertEqual(canonical_login(umlauts.encode()), umlauts)

    @settings(max_examples=300, deadline=None)
    @given(st.one_of(st.binary(max_size=60), st.text(max_size=40).map(str.encode)))
    def test_canonical_names_are_fixed_points(self, name: bytes) -> None:
        try:
            canonical = canonical_login(name)
        except AuthenticationFailed:
            return
        self.assertEqual(canonical_login(canonical.encode()), canonical)


class Passwords(SynchronousTestCase):
    """RFC 8265, section 4.2."""

    def test_composed_and_decomposed_are_the_same_password(self) -> None:
        composed, decomposed = "p\u00e4ss".encode(), "pa\u0308ss".encode()
        self.assertEqual(canonical_password(decomposed), composed)

    def test_wide_spaces_are_spaces_and_case_is_kept(self) -> None:
        self.assertEqual(canonical_password("A\u3000b\u00e9".encode()),
                         "A b\u00e9".encode())

    def test_what_is_not_utf8_is_taken_as_it_is(self) -> None:
        self.assertEqual(canonical_password(b"p\xe4ss"), b"p\xe4ss")

    def test_length_limit_and_empty(self) -> None:
        self.assertEqual(len(canonical_password(b"x" * MAX_PASSWORD)), MAX_PASSWORD)
        for password in (b"", b"x" * (MAX_PASSWORD + 1), b"x" * (1 << 20)):
            self.assertRaises(AuthenticationFailed, canonical_password, password)

    def test_a_nul_cannot_shorten_a_password(self) -> None:
        self.assertRaises(AuthenticationFailed, canonical_password, b"right\0junk")
