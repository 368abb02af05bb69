"""Tests for hosts that look like addresses, and addresses that are hosts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.outbound.addresses import is_address


class HostTests(SynchronousTestCase):
    """RFC 1123, section 2.1: a host's name may begin with a digit."""

    def test_a_name_of_digits_is_a_name_if_any_letter_is_in_it(self):
        for host, expected in (
            ("192.0.2.1", True), ("2001:db8::1", True), ("::1", True),
            ("1und1.example", False), ("4.example", False), ("mx.example", False),
            ("1.2.3.4.example", False), ("xn--4", False),
        ):  # fmt: skip
            self.assertEqual(is_address(host), expected, host)
