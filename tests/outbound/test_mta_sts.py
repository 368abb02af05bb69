"""Tests for the words of MTA-STS (RFC 8461, sections 3 and 4.1)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import SyntaxFault
from mailhub.outbound.mta_sts import (
    MAX_AGE,
    MAX_PATTERNS,
    Mode,
    Policy,
    may_have_policy,
    parse_policy,
    policy_id,
)

GOOD = "version: STSv1\nmode: enforce\nmx: mx.far.example\nmax_age: 86400\n"


class RecordTests(SynchronousTestCase):
    """Section 3.1."""

    def test_the_id_is_found(self):
        for records, expected in (
            ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
            ([b"v=STSv1;id=a"], "a"),
            ([b"v=STSv1 ;\tx=y ; id=1 "], "1"),
            ([b"v=spf1 -all", b"v=STSv1; id=1"], "1"),
            ([b"v=STSv1; id=" + b"a" * 32], "a" * 32),
        ):
            self.assertEqual(policy_id(records), expected)

    def test_what_is_no_record_or_two_of_them_is_none(self):
        for records in (
            [],
            [b"v=spf1 -all"],
            [b"v=STSv1"],
            [b"v=STSv1;"],
            [b"v=STSv10; id=1"],
            [b" v=STSv1; id=1"],
            [b"V=STSv1; id=1"],
            [b"v=STSv1; id="],
            [b"v=STSv1; id=a-b"],
            [b"v=STSv1; id=" + b"a" * 33],
            [b"v=STSv1; id=1; \xff"],
            [b"v=STSv1; id=1", b"v=STSv1; id=1"],
            ["v=STSv1; id=1"],
        ):
            self.assertIsNone(policy_id(records), records)


class PolicyTests(SynchronousTestCase):
    """Section 3.2."""

    def test_a_policy_is_read(self):
        self.assertEqual(
            parse_policy(GOOD), Policy(Mode.ENFORCE, ("mx.far.example",), 86400)
        )
        self.assertEqual(
            parse_policy(
                "version:STSv1\r\nmode:\ttesting \r\nmx: MX1.far.example\r\n"
                "mx: *.far.example\r\nmax_age: 0\r\nnew_thing: yes, or: no\r\n"
                "mode: none\r\n"
            ),
            Policy(Mode.TESTING, ("mx1.far.example", "*.far.example"), 0),
        )
        self.assertEqual(parse_policy(GOOD.replace("\n", "\n\n")), parse_policy(GOOD))
        self.assertEqual(
            parse_policy("version: STSv1\nmode: none\nmax_age: 9999999999").max_age,
            MAX_AGE,
        )

    def test_what_is_none_is_refused(self):
        for bad in (
            "",
            "<html>",
            GOOD.replace("STSv1", "STSv2"),
            GOOD.replace("version: STSv1\n", ""),
            GOOD.replace("enforce", "Enforce"),
            GOOD.replace("mode: enforce\n", ""),
            GOOD.replace("mx: mx.far.example\n", ""),
            GOOD.replace("86400", "-1"),
            GOOD.replace("86400", "1e5"),
            GOOD.replace("86400", "\u0663"),
            GOOD.replace("86400", "1" * 11),
            GOOD.replace("max_age: 86400\n", ""),
            GOOD.replace("mx.far", "*.*.far"),
            GOOD.replace("mx.far", "m*.far"),
            GOOD.replace("mx.far", "b\u00fccher"),
            GOOD.replace("mx.far", "a..b"),
            GOOD.replace("mx.far.example", "mx.far.example."),
            GOOD.replace("mx.far.example", "a/b"),
            GOOD.replace("\n", "\n \n"),
        ):
            self.assertRaises(SyntaxFault, parse_policy, bad)

    def test_servers_have_a_limit(self):
        for count, fits in ((MAX_PATTERNS, True), (MAX_PATTERNS + 1, False)):
            text = GOOD.replace("mx: mx.far.example\n", "mx: a.example\n" * count)
            if fits:
                self.assertEqual(len(parse_policy(text).patterns), count)
            else:
                self.assertRaises(SyntaxFault, parse_policy, text)

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=80))
    def test_noise_is_refused(self, noise):
        self.assertRaises(SyntaxFault, parse_policy, noise)


class HostTests(SynchronousTestCase):
    """Section 4.1."""

    def test_a_host_has_to_be_in_the_policy(self):
        policy = Policy(Mode.ENFORCE, ("mx.far.example", "*.near.example"), 1)
        for host, allowed in (
            ("mx.far.example", True),
            ("MX.far.example.", True),
            ("mx2.far.example", False),
            ("far.example", False),
            ("a.near.example", True),
            ("a.b.near.example", False),
            ("near.example", False),
            ("example", False),
            ("", False),
        ):
            self.assertEqual(policy.allows(host), allowed, host)

    def test_only_plain_names_have_policies(self):
        for name, may in (
            ("far.example", True), ("xn--bcher-kva.example", True), ("a", True),
            ("..", False), ("../x", False), ("a/b", False), ("/etc/passwd", False),
            ("", False), (".", False), (".hidden", False), ("[192.0.2.1]", False),
            ("a\n", False), ("a" * 64, False), ("a." * 119 + "aa", True),
            ("a." * 119 + "aaa", False), ("Far.example", False),
        ):  # fmt: skip
            self.assertEqual(may_have_policy(name), may, name)
