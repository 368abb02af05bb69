"""Senders' addresses that tell whom a message went to."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.address import MAX_LOCAL, parse_mailbox
from mailhub.mail.verp import USUAL_DELIMITERS, verp_sender

LIST = "list@example.org"


class SenderTests(SynchronousTestCase):
    """As Postfix and qmail have them."""

    def sender(self, recipient, sender=LIST, delimiters=USUAL_DELIMITERS):
        return verp_sender(sender, recipient, delimiters)

    def test_the_recipient_is_in_the_sender(self):
        for recipient, found in (
            ("u@example.com", "list+u=example.com@example.org"),
            ("u+tag@example.com", "list+u+tag=example.com@example.org"),
            ('"a b"@example.com', '"list+a b=example.com"@example.org'),
        ):
            self.assertEqual(self.sender(recipient), found)
        found = self.sender("u@example.com", delimiters="-=")
        self.assertEqual(found, "list-u=example.com@example.org")

    def test_no_address_becomes_longer_than_others_take(self):
        rest = len("list+=example.com")
        for length, fits in ((MAX_LOCAL - rest, True), (MAX_LOCAL - rest + 1, False)):
            found = self.sender("u" * length + "@example.com")
            self.assertEqual(found != LIST, fits)

    def test_what_only_some_understand_is_left_out(self):
        self.assertEqual(self.sender("josé@example.com"), LIST)
        found = self.sender("josé@example.com", "listé@example.org")
        self.assertEqual(found, "listé+josé=example.com@example.org")

    @given(st.text(max_size=80), st.text(max_size=80))
    @settings(max_examples=100, deadline=None)
    def test_whatever_it_is_given_it_gives_an_address_or_the_sender(self, a, b):
        found = verp_sender(f"{a}@example.org", f"{b}@example.com", "+=")
        if found != f"{a}@example.org":
            parse_mailbox(found.encode(), smtputf8=True)
