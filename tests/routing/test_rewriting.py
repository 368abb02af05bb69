"""Canonical maps and masquerading."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.mail.address import Address
from mailhub.routing.rewriting import Rewriting

PAIRS = [
    ("root@example.org", "Jo@example.com"),
    ("@mx.example.org", "@example.org"),
    ("@.example.org", "@hidden.example"),
    ("@.lab.example.org", "lab@example.org"),
    ("@all.example", "one@example.net"),
]


class RewritingTests(SynchronousTestCase):
    """The closest match wins, and once is enough."""

    def check(self, local, domain, expected):
        found = Rewriting(PAIRS)(Address(local, domain))
        self.assertEqual(str(found), expected)

    def test_one_address(self):
        self.check("ROOT", "example.org", "Jo@example.com")
        self.check("jo", "example.org", "jo@example.org")

    def test_a_domain_keeps_the_local_part_and_its_spelling(self):
        self.check("Jo.X", "mx.example.org", "Jo.X@example.org")

    def test_a_domain_may_become_one_address(self):
        self.check("anybody", "all.example", "one@example.net")

    def test_domains_below_and_the_closest_of_them(self):
        self.check("a", "other.example.org", "a@hidden.example")
        self.check("a", "b.c.example.org", "a@hidden.example")
        self.check("a", "b.lab.example.org", "lab@example.org")
        self.check("a", "lab.example.org", "a@hidden.example")

    def test_the_result_is_not_rewritten_again(self):
        pairs = [("@a.example", "@b.example"), ("@b.example", "@a.example")]
        found = Rewriting(pairs)(Address("x", "a.example"))
        self.assertEqual(found, Address("x", "b.example"))

    def test_what_is_no_pair_is_refused(self):
        for pair in (("@", "@b.example"), ("a", "b@c.example"), ("a@b.example", "@")):
            with self.assertRaises(SyntaxFault):
                Rewriting([pair])

    def test_without_pairs_nothing_changes(self):
        rewriting = Rewriting()
        self.assertFalse(rewriting)
        address = Address("a", "b.example")
        self.assertEqual(rewriting(address), address)
