"""The client's side of SASL, by the examples of the RFCs and by servers that cheat."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.smtp.client_login import (
    InTwoSteps,
    Login,
    LoginFault,
    Plain,
    Scram,
    Token,
    choose,
    decode,
)

JO = Login("jo", "secret")
TOKEN = Login("jo@example.org", "ya29.x", is_token=True)
#: RFC 7677, section 3.
USER, NONCE = Login("user", "pencil"), "rOprNGfwEbeRWgbNEkqO"
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
CHALLENGE = (
    b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
ANSWER = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
PROOF = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


class PlainTests(SynchronousTestCase):
    """Mechanisms that say the secret."""

    def test_plain(self) -> None:
        """RFC 4616."""
        self.assertEqual(Plain(JO).first(), b"\0jo\0secret")
        self.assertEqual(Plain(JO).next(b""), b"\0jo\0secret")
        self.assertRaises(LoginFault, Plain(JO).next, b"x")
        self.assertTrue(Plain(JO).is_proved)

    def test_login(self) -> None:
        exchange = InTwoSteps(JO)
        self.assertIsNone(exchange.first())
        answers = [exchange.next(b"Username:"), exchange.next(b"Password:")]
        self.assertEqual(answers, [b"jo", b"secret"])
        self.assertRaises(LoginFault, exchange.next, b"And?")

    def test_a_token(self) -> None:
        exchange = Token(TOKEN)
        self.assertEqual(
            exchange.first(), b"user=jo@example.org\1auth=Bearer ya29.x\1\1"
        )
        self.assertEqual(exchange.next(b'{"status":"401"}'), b"")

    def test_secrets_are_not_shown(self) -> None:
        self.assertNotIn("secret", repr(JO))


class ScramTests(SynchronousTestCase):
    """RFC 5802 and RFC 7677."""

    def test_the_example(self) -> None:
        exchange = Scram(USER, NONCE)
        self.assertEqual(exchange.first(), FIRST)
        self.assertEqual(exchange.next(CHALLENGE), ANSWER)
        self.assertFalse(exchange.is_proved)
        self.assertEqual(exchange.next(PROOF), b"")
        self.assertTrue(exchange.is_proved)

    def test_a_server_that_does_not_know_the_password(self) -> None:
        for proof in (b"v=AAAA", b"", b"e=other-error", b"v=!", PROOF[:-2] + b"g="):
            exchange = Scram(USER, NONCE)
            exchange.next(CHALLENGE)
            self.assertRaises(LoginFault, exchange.next, proof)
            self.assertFalse(exchange.is_proved)

    def test_challenges_that_make_no_sense(self) -> None:
        for wrong in (
            b"", b"r=other,s=QQ==,i=4096", CHALLENGE.replace(b"4096", b"4095"),
            CHALLENGE.replace(b"4096", b"1000001"),
            CHALLENGE.replace(b"4096", b"9" * 10),
            CHALLENGE.replace(b"W22", b"W2"), b"m=x," + CHALLENGE, CHALLENGE + b"\0",
            CHALLENGE.replace(b"4096", "\u0664096".encode()),
        ):  # fmt: skip
            exchange = Scram(USER, NONCE)
            if wrong.endswith(b"\0"):
                wrong = wrong.replace(b"i=", b"i=x")
            self.assertRaises(LoginFault, exchange.next, wrong)

    def test_it_is_bound_to_the_connection_where_both_sides_can(self) -> None:
        exchange = Scram(USER, NONCE, binding=b"xyz")
        self.assertEqual(exchange.name, "SCRAM-SHA-256-PLUS")
        self.assertEqual(exchange.first(), b"p=tls-exporter,," + FIRST[3:])
        bound = b64encode(b"p=tls-exporter,,xyz")
        self.assertTrue(exchange.next(CHALLENGE).startswith(b"c=" + bound + b","))

    def test_a_server_that_hides_that_it_could_is_told(self) -> None:
        """Attack: PLUS is taken out of what the server offers."""
        found = choose(("SCRAM-SHA-256",), USER, nonce=NONCE, binding=b"x")
        self.assertEqual(found.first(), b"y,," + FIRST[3:])

    def test_names_are_escaped(self) -> None:
        first = Scram(Login("a=b,c", "x"), NONCE).first()
        self.assertIn(b"n=a=3Db=2Cc,", first)

    @settings(max_examples=100, deadline=None)
    @given(st.binary(max_size=80))
    def test_any_challenge_is_answered_or_refused(self, challenge: bytes) -> None:
        for exchange in (Scram(USER, "x"), InTwoSteps(JO), Plain(JO), Token(TOKEN)):
            try:
                exchange.next(challenge)
            except LoginFault as fault:
                self.assertFalse(fault.permanent)


class ChoiceTests(SynchronousTestCase):
    """The best that both sides know."""

    def choose(self, *offered, login=JO, binding=b"", may_show=True):
        found = choose(
            offered, login, nonce="x", binding=binding, may_show=may_show
        )
        return found.name

    def test_what_shows_no_password_comes_first(self) -> None:
        offered = ("LOGIN", "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
        self.assertEqual(self.choose(*offered, binding=b"x"), "SCRAM-SHA-256-PLUS")
        self.assertEqual(self.choose(*offered), "SCRAM-SHA-256")
        self.assertEqual(self.choose(*offered[:2]), "PLAIN")
        self.assertEqual(self.choose("LOGIN"), "LOGIN")

    def test_a_password_is_not_shown_to_who_listens(self) -> None:
        offered = ("LOGIN", "PLAIN")
        self.assertRaises(LoginFault, self.choose, *offered, may_show=False)
        shown = self.choose(*offered, "SCRAM-SHA-256", may_show=False)
        self.assertEqual(shown, "SCRAM-SHA-256")

    def test_tokens_have_their_own(self) -> None:
        self.assertEqual(self.choose("PLAIN", "XOAUTH2", login=TOKEN), "XOAUTH2")
        self.assertRaises(LoginFault, self.choose, "PLAIN", login=TOKEN)
        self.assertRaises(
            LoginFault, self.choose, "XOAUTH2", login=TOKEN, may_show=False
        )

    def test_nothing_in_common(self) -> None:
        self.assertRaises(LoginFault, self.choose, "CRAM-MD5", "GSSAPI")
        self.assertRaises(LoginFault, self.choose)


class WireTests(SynchronousTestCase):
    """Base64."""

    def test_challenges_are_strict(self) -> None:
        self.assertEqual(decode(b"YQ=="), b"a")
        self.assertEqual(decode(b""), b"")
        for wrong in (b"Y", b"YQ", b"Y Q==", b"YQ==YQ==", b"\xff"):
            self.assertRaises(LoginFault, decode, wrong)
