from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.auth.sasl import (
    Challenge,
    ExchangeCancelled,
    Login,
    Password,
    Plain,
    decode_base64,
    decode_initial,
    decode_response,
    encode_base64,
    mechanisms,
)
from mailhub.errors import AuthenticationFailed, SyntaxFault

NOT_BASE64 = [
    b"QQ", b"QQ=", b"QQ===", b"QR==", b"QUI", b"QUJ=", b"=", b"====", b"Q===",
    b"QQ==QQ==", b" QQ==", b"QQ== ", b"Q Q=", b"QQ==\r", b"QQ==\n", b"QQ\n==",
    b"QQ!!==", b"!!!!", b"QQ-_", b"\xff\xff\xff\xff", b"QQ==\0", b"QUJD=",
    b"*", b"=QUJD",
]


class StrictBase64(SynchronousTestCase):
    """RFC 4648, sections 3.2 to 3.5; RFC 4422, section 4."""

    def test_only_the_canonical_spelling_is_base64(self) -> None:
        for data in NOT_BASE64:
            with self.subTest(data=data):
                self.assertRaises(SyntaxFault, decode_base64, data)

    def test_known_values(self) -> None:
        table = {b"": b"", b"QQ==": b"A", b"QUI=": b"AB", b"QUJD": b"ABC"}
        for encoded, decoded in table.items():
            self.assertEqual(decode_base64(encoded), decoded)
            self.assertEqual(encode_base64(decoded), encoded)

    @settings(max_examples=200, deadline=None)
    @given(st.binary(max_size=300))
    def test_all_octets_survive(self, data: bytes) -> None:
        self.assertEqual(decode_base64(encode_base64(data)), data)

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=40))
    def test_any_bytes_are_one_spelling_or_a_syntax_fault(self, data: bytes) -> None:
        try:
            decoded = decode_base64(data)
        except SyntaxFault:
            return
        self.assertEqual(encode_base64(decoded), data)

    def test_an_initial_response_of_one_equals_sign_is_empty(self) -> None:
        self.assertEqual(decode_initial(b"="), b"")
        self.assertRaises(SyntaxFault, decode_initial, b"")
        self.assertEqual(decode_initial(b"QQ=="), b"A")

    def test_an_asterisk_cancels(self) -> None:
        self.assertRaises(ExchangeCancelled, decode_response, b"*")
        self.assertEqual(decode_response(b""), b"")


class PlainMechanism(SynchronousTestCase):
    """RFC 4616."""

    def test_initial_response_ends_the_exchange(self) -> None:
        step = Plain().start(b"\0tim\0tanstaaftanstaaf")
        self.assertEqual(step, Password(b"tim", b"tanstaaftanstaaf"))

    def test_without_initial_response_an_empty_challenge_comes_first(self) -> None:
        exchange = Plain()
        self.assertEqual(exchange.start(None), Challenge(b""))
        self.assertEqual(exchange.next(b"a@b\0a@b\0p"), Password(b"a@b", b"p"))

    def test_acting_as_another_is_refused(self) -> None:
        for message in (b"Ursel\0Kurt\0x", b"kurt\0Kurt\0x", b" \0Kurt\0x"):
            with self.assertRaises(AuthenticationFailed):
                Plain().start(message)

    def test_malformed_messages(self) -> None:
        for message in (
            b"", b"\0", b"\0\0", b"a\0b", b"\0a\0b\0", b"\0a\0b\0c", b"\0\0p",
            b"\0a\0", b"abc", b"\0" * 1000,
        ):
            with self.subTest(message=message[:10]):
                self.assertRaises(SyntaxFault, Plain().start, message)

    def test_the_password_is_not_in_the_representation(self) -> None:
        self.assertNotIn("secret", repr(Plain().start(b"\0tim\0secret")))


class LoginMechanism(SynchronousTestCase):
    """LOGIN as Outlook speaks it."""

    def test_prompts_are_the_ones_clients_know(self) -> None:
        exchange = Login()
        first = exchange.start(None)
        assert isinstance(first, Challenge)
        self.assertEqual(encode_base64(first.data), b"VXNlcm5hbWU6")
        second = exchange.next(b"me@example.com")
        assert isinstance(second, Challenge)
        self.assertEqual(encode_base64(second.data), b"UGFzc3dvcmQ6")
        self.assertEqual(exchange.next(b"pw"), Password(b"me@example.com", b"pw"))

    def test_an_initial_response_is_the_name(self) -> None:
        exchange = Login()
        self.assertEqual(exchange.start(b"me"), Challenge(b"Password:"))
        self.assertEqual(exchange.next(b"pw"), Password(b"me", b"pw"))

    def test_an_empty_name_is_refused(self) -> None:
        exchange = Login()
        exchange.start(None)
        self.assertRaises(SyntaxFault, exchange.next, b"")


class Table(SynchronousTestCase):
    def test_plain_is_offered_first(self) -> None:
        self.assertEqual(list(mechanisms), [b"PLAIN", b"LOGIN"])

    def test_an_exchange_keeps_nothing_of_the_one_before(self) -> None:
        first = mechanisms[b"LOGIN"]()
        first.start(b"alice")
        second = mechanisms[b"LOGIN"]()
        second.start(b"bob")
        self.assertEqual(second.next(b"pw"), Password(b"bob", b"pw"))
