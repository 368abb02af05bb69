"""Tests of :mod:`mailhub.mail.addressspans`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.addresslist import Mailbox, parse_address_list
from mailhub.mail.addressspans import address_spans

#: Each value with its addresses; everything else in it is to be left alone.
VALUES = (
    (b" jo@example.org\r\n", [b"jo@example.org"]),
    (b" Jo <jo@example.org>, <al@b.example>", [b"jo@example.org", b"al@b.example"]),
    (b' "Doe, Jo <x@y>" <jo@example.org>', [b"jo@example.org"]),
    (b" Jo (not <x@y> (or x@y)) <jo@example.org> (x@y)", [b"jo@example.org"]),
    (b" jo@example.org (Jo x@y)", [b"jo@example.org"]),
    (b" =?utf-8?q?J=C3=B6?= <jo@example.org>", [b"jo@example.org"]),
    (b" Team: jo@a.example, Al <al@b.example>;, x@c.example",
     [b"jo@a.example", b"al@b.example", b"x@c.example"]),
    (b" undisclosed-recipients:;", []),
    (b"\r\n Jo\r\n <jo@example.org>,\r\n\tal@b.example", [b"jo@example.org",
                                                          b"al@b.example"]),
    (b' "jo doe"@example.org', [b'"jo doe"@example.org']),
    (b' <"a\\"b, c"@example.org>', [b'"a\\"b, c"@example.org']),
    (b" jo @ example . org", [b"jo@example.org"]),
    (b" <jo(a)@(b)example.org>", [b"jo@example.org"]),
    (b" <@a.example,@b.example:jo@example.org>", [b"jo@example.org"]),
    (b" jo@[192.0.2.1]", [b"jo@[192.0.2.1]"]),
    (b" jo@[IPv6:2001:db8::1], x@y", [b"jo@[IPv6:2001:db8::1]", b"x@y"]),
    (b" <>", []),
    (b" jo", []),
    (b" jo@", []),
    (b" @example.org", []),
    (b" jo doe@example.org", []),
    (b" jo@example.org al@b.example", []),
    (b" <jo@a.example> <al@b.example>", []),
    (b" <jo@a.example", []),
    (b" jo@a@b.example", []),
    (b" <jo@a.example, al@b.example>", []),
    (b' al@b.example, "jo@a.example', [b"al@b.example"]),
    (b" al@b.example (jo@a.example, x@y", [b"al@b.example"]),
    (b" al@b.example, ((jo@a.example), x@y", [b"al@b.example"]),
    (b" <jo@a.example>\0, x@y", [b"jo@a.example"]),
    (b" " + b"j" * 250 + b"@a.example", []),
)  # fmt: skip


class SpanTests(SynchronousTestCase):
    """RFC 5322, sections 3.4 and 4.4."""

    def test_addresses_are_found_and_nothing_else(self):
        for value, expected in VALUES:
            found = [span.text for span in address_spans(value)]
            self.assertEqual(found, expected, value)

    def test_a_span_reaches_from_the_first_octet_to_the_last(self):
        value = b" Jo <jo (x) @ example.org > (y)"
        [span] = address_spans(value)
        self.assertEqual(value[span.start : span.stop], b"jo (x) @ example.org")

    def test_beginnings_of_values_are_read(self):
        for value, _ in VALUES:
            for end in range(len(value)):
                list(address_spans(value[:end]))

    @given(st.lists(st.sampled_from([
        b"jo", b"a.b", b"@", b"<", b">", b",", b";", b":", b"(", b")", b'"', b" ",
        b"\\", b".", b"[", b"]", b"\r\n ", b'"x y"', b"\xc3\xa4", b"example.org",
    ])))  # fmt: skip
    @settings(max_examples=200, deadline=None)
    def test_spans_are_in_order_and_known_to_the_other_reader(self, words):
        value = b"".join(words)
        position = 0
        known = {
            each.local.replace(b'"', b"") + b"@" + each.domain
            for each in parse_address_list(value) if isinstance(each, Mailbox)
        }  # fmt: skip
        for span in address_spans(value):
            self.assertLessEqual(position, span.start)
            self.assertLess(span.start, span.stop)
            position = span.stop
            if not any(mark in value for mark in (b"\\", b'"', b"<", b":")):
                self.assertIn(span.text, known)
