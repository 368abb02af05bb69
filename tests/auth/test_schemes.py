from __future__ import annotations

import base64
from enum import Enum
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth import libcrypt, memory_hard, old_schemes, schemes
from mailhub.auth.libcrypt import CryptUnavailable
from mailhub.auth.memory_hard import SchemeUnavailable
from mailhub.auth.schemes import hash_password, needs_rehash, verify
from mailhub.errors import AuthenticationFailed, SyntaxFault

PASSWORD = b"correct horse"
#: Made by other programs; see the comment in the file.
FOREIGN = [
    line
    for line in Path(__file__).with_name("hashes.txt").read_text().splitlines()
    if not line.startswith("#")
]
UMLAUTS = [
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$Fx9eeh9X/lYlvD+VU1xLZw"
    "$BRfrr0pBjVKbSHIRmCSdMD3bpujaBzZSzS6E6VohF5g",
    "{SHA512-CRYPT}$6$ukS2RS8MllQ2AxOY$hZSckkT81vUi6aXRVKQWSuB1JuUuLyynHw7AY8.1FZTz"
    "IG5LpmXA3v2tZlPpG5DftXMw447ApolP8a/6KS6fV/",
]

SALT_43 = "a" * 43
MALFORMED = [
    "", "{", "{}", "{}x", "{NOPE}x", "{ARGON2ID}", "{ARGON2ID}$argon2id$",
    "{ARGON2ID}$argon2i$v=19$m=8,t=1,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=8,t=0,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=8,t=1,p=0$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=-8,t=1,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID.b99}x", "{SHA}***", "{SHA}QUJD", "{SSHA}L55TUjtiq8FBorTWAZ0jy6g129A=",
    "{SHA.HEX}4104", "{SHA.HEX}zz", "{PBKDF2}$1$salt$x$00",
    "{PBKDF2}$1$salt$0$" + "0" * 40,
    "{SCRYPT}$scrypt$ln=0,r=8,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{SCRYPT}$scrypt$ln=14,r=0,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{SCRYPT}$scrypt$ln=14,r=8,p=1$YWJjZGVmZ$" + SALT_43,
    "{SHA512-CRYPT}$5$abcdefgh$ruMep1ijHnJPZbETDNiumskxcX3kN4lzZd5VlsqE7eB",
    "{CRYPT}*", "{CRYPT}!", "{CRYPT}*0", "{CRYPT}$6$", "{CRYPT}$sha1$1$a$b", "x",
    "{SHA\ud800}x", "{PLAIN}\ud800", "{PLAIN}" + "x" * schemes.MAX_STORED,
]
#: Stored hashes that ask for minutes or gigabytes.
BOMBS = [
    "{ARGON2ID}$argon2id$v=19$m=262145,t=1,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=262144,t=5,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=4096,t=1,p=17$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=8,t=99999999,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{ARGON2ID}$argon2id$v=19$m=99999999999,t=1,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{SCRYPT}$scrypt$ln=19,r=8,p=1$YWJjZGVmZ2g$" + SALT_43,
    "{SCRYPT}$scrypt$ln=14,r=8,p=33$YWJjZGVmZ2g$" + SALT_43,
    "{SCRYPT}$scrypt$ln=31,r=999,p=999$YWJjZGVmZ2g$" + SALT_43,
    "{PBKDF2}$1$salt$4000001$" + "0" * 40,
    "{SHA512-CRYPT}$6$rounds=1000001$salt$" + "a" * 86,
    "{CRYPT}$5$rounds=999999999$salt$" + "a" * 43,
    "{BLF-CRYPT}$2y$15$" + "a" * 53,
    "{CRYPT}$2b$31$" + "a" * 53,
    "{CRYPT}$y$jET$abcdefghijklmnop$" + SALT_43,
    "{CRYPT}$y$j9T.......$abcdefghijklmnop$" + SALT_43,
    "{CRYPT}$7$zzzzzzzzzz$" + SALT_43,
]


def forbid_work(test: SynchronousTestCase) -> None:
    """Fail if any of the costly functions is called."""

    def explode(*args: Any, **keywords: Any) -> Any:
        raise RuntimeError("began to work")

    class Argon2:
        Type = Enum("Type", "ID I")
        verify_secret = staticmethod(explode)

    test.patch(memory_hard, "find_argon2", lambda: Argon2)
    test.patch(memory_hard, "_scrypt", explode)
    test.patch(old_schemes, "crypt", explode)
    test.patch(old_schemes.hashlib, "pbkdf2_hmac", explode)


class ForeignHashes(SynchronousTestCase):
    """Hashes as other programs write them."""

    def test_the_right_password_matches(self) -> None:
        for stored in FOREIGN:
            with self.subTest(stored=stored):
                self.assertTrue(verify(stored, PASSWORD))

    def test_a_wrong_password_does_not(self) -> None:
        for stored in FOREIGN:
            with self.subTest(stored=stored):
                self.assertFalse(verify(stored, b"Correct horse"))

    def test_text_beyond_ascii_in_either_normal_form(self) -> None:
        for stored in UMLAUTS:
            self.assertTrue(verify(stored, "gr\u00fc\u00dfe \u5bc6\u7801".encode()))
            self.assertTrue(verify(stored, "gru\u0308\u00dfe \u5bc6\u7801".encode()))

    def test_octets_that_are_not_utf8(self) -> None:
        stored = "{PLAIN.b64}" + base64.b64encode(b"p\xe4ss").decode()
        self.assertTrue(verify(stored, b"p\xe4ss"))

    def test_a_password_that_was_hashed_unprepared_still_matches(self) -> None:
        typed = "pa\u0308ss".encode()
        stored = "{PLAIN.b64}" + base64.b64encode(typed).decode()
        self.assertTrue(verify(stored, typed))

    def test_no_password_matches_because_it_was_cut(self) -> None:
        for stored in FOREIGN:
            for password in (b"", PASSWORD + b"\0x", b"x" * 512, b"x" * 1025):
                self.assertFalse(verify(stored, password))


class HostileHashes(SynchronousTestCase):
    """Whatever is stored ends in ``SyntaxFault``, and before any work."""

    def test_malformed_ones_are_syntax_faults(self) -> None:
        for stored in MALFORMED:
            with self.subTest(stored=stored[:60]):
                self.assertRaises(SyntaxFault, verify, stored, PASSWORD)

    def test_a_stored_hash_has_its_length(self) -> None:
        password = "x" * (schemes.MAX_STORED - len("{PLAIN}"))
        self.assertTrue(verify("{PLAIN}" + password, password.encode()))
        self.assertRaises(
            SyntaxFault, verify, "{PLAIN}x" + password, password.encode()
        )

    def test_parameters_above_the_ceilings_start_no_work(self) -> None:
        forbid_work(self)
        for stored in BOMBS:
            with self.subTest(stored=stored[:60]):
                self.assertRaises(SyntaxFault, verify, stored, PASSWORD)

    def test_parameters_at_the_ceilings_are_served(self) -> None:
        forbid_work(self)
        at_limit = [
            "{ARGON2ID}$argon2id$v=19$m=262144,t=4,p=16$YWJjZGVmZ2g$" + SALT_43,
            "{SCRYPT}$scrypt$ln=18,r=8,p=2$YWJjZGVmZ2g$" + SALT_43,
            "{PBKDF2}$1$salt$4000000$" + "0" * 40,
            "{SHA512-CRYPT}$6$rounds=1000000$salt$" + "a" * 86,
            "{BLF-CRYPT}$2y$14$" + "a" * 53,
        ]
        for stored in at_limit:
            with self.subTest(stored=stored[:60]):
                self.assertRaises(RuntimeError, verify, stored, PASSWORD)

    @settings(max_examples=200, deadline=None)
    @given(
        st.sampled_from(["", "{CRYPT}", "{SCRYPT}", "{SSHA}", "{PBKDF2}", "{SHA.HEX}"]),
        st.text(max_size=60),
    )
    def test_garbage_is_a_syntax_fault_or_no_match(self, label: str, rest: str) -> None:
        try:
            self.assertFalse(verify(label + rest, PASSWORD))
        except SyntaxFault:
            return


class NewHashes(SynchronousTestCase):
    """What this server stores."""

    def test_the_default_is_argon2id_with_the_documented_cost(self) -> None:
        stored = hash_password("correct horse")
        self.assertTrue(
            stored.startswith("{ARGON2ID}$argon2id$v=19$m=19456,t=2,p=1$"), stored
        )
        self.assertTrue(verify(stored, PASSWORD))
        self.assertFalse(verify(stored, b"wrong"))
        self.assertFalse(needs_rehash(stored))

    def test_two_hashes_of_one_password_differ(self) -> None:
        self.assertNotEqual(hash_password(PASSWORD), hash_password(PASSWORD))

    def test_without_argon2_it_is_scrypt(self) -> None:
        self.patch(memory_hard, "find_argon2", lambda: None)
        stored = hash_password("gr\u00fc\u00dfe")
        self.assertTrue(stored.startswith("{SCRYPT}$scrypt$ln=14,r=8,p=5$"), stored)
        self.assertTrue(verify(stored, "gru\u0308\u00dfe".encode()))
        self.assertFalse(verify(stored, b"wrong"))
        self.assertFalse(needs_rehash(stored))
        self.assertRaises(SchemeUnavailable, verify, FOREIGN[0], PASSWORD)

    def test_unusable_passwords_are_not_hashed(self) -> None:
        for password in ("", "a\0b", "x" * 1025, b"\xff" * 1025):
            self.assertRaises(AuthenticationFailed, hash_password, password)

    def test_the_unmatchable_hash_has_the_cost_of_a_new_one(self) -> None:
        for find in (memory_hard.find_argon2, lambda: None):
            self.patch(memory_hard, "find_argon2", find)
            stored, new = memory_hard.unmatchable(), hash_password(PASSWORD)
            self.assertEqual(stored.rsplit("$", 2)[0], new.rsplit("$", 2)[0])
            self.assertEqual(len(stored), len(new))
            self.assertFalse(verify(stored, PASSWORD))

    def test_what_is_weaker_is_made_anew_and_what_is_stronger_stays(self) -> None:
        stronger, *weaker = (stored for stored in FOREIGN)
        self.assertFalse(needs_rehash(stronger))
        for stored in [*weaker, *MALFORMED]:
            self.assertTrue(needs_rehash(stored), stored)
        less_memory = stronger.replace("m=65536", "m=19455")
        self.assertTrue(needs_rehash(less_memory))


class WithoutLibcrypt(SynchronousTestCase):
    def test_a_crypt_hash_fails_with_a_clear_error(self) -> None:
        self.patch(libcrypt, "_find_crypt_r", lambda: None)
        error = self.assertRaises(CryptUnavailable, verify, FOREIGN[9], PASSWORD)
        self.assertIn("libcrypt", str(error))
        self.assertFalse(error.permanent)
