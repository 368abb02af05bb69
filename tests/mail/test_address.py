"""Tests of envelope addresses: read strictly, written back the same."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import Status, SyntaxFault
from mailhub.mail.address import (
    MAX_LABEL,
    MAX_LOCAL,
    MAX_MAILBOX,
    Address,
    MalformedAddress,
    format_mailbox,
    format_path,
    parse_domain,
    parse_mailbox,
    parse_path,
)

#: (octets, local part, domain, as it is written back)
ASCII_ADDRESSES = [
    (b"user@example.com", "user", "example.com", None),
    (b"User.Name@Example.COM", "User.Name", "example.com", b"User.Name@example.com"),
    (b"user+tag@localhost", "user+tag", "localhost", None),
    (b"!#$%&'*+-/=?^_`{|}~@a.b", "!#$%&'*+-/=?^_`{|}~", "a.b", None),
    (b"a@1.2.3.4", "a", "1.2.3.4", None),
    (b"a@x--y.example", "a", "x--y.example", None),
    (b"a@[192.0.2.1]", "a", "[192.0.2.1]", None),
    (b"a@[IPv6:2001:DB8::1]", "a", "[ipv6:2001:db8::1]", b"a@[ipv6:2001:db8::1]"),
    (b"a@[IPv6:::ffff:192.0.2.1]", "a", "[ipv6:::ffff:192.0.2.1]",
     b"a@[ipv6:::ffff:192.0.2.1]"),
    (b'"john doe"@example.com', "john doe", "example.com", None),
    (b'"a@b"@example.com', "a@b", "example.com", None),
    (b'"a>b<c"@d', "a>b<c", "d", None),
    (b'"a\\"b\\\\c"@d', 'a"b\\c', "d", None),
    (b'".a"@d', ".a", "d", None),
    (b'"a..b"@d', "a..b", "d", None),
    (b'"plain"@d', "plain", "d", b"plain@d"),
    (b'"pl\\ain"@d', "plain", "d", b"plain@d"),
    (b'" "@d', " ", "d", None),
    (b"postmaster", "postmaster", "", None),
    (b"PostMaster", "PostMaster", "", None),
]

UNICODE_ADDRESSES = [
    ("지원@example.com", "지원", "example.com"),
    ("user@회사.한국", "user", "회사.한국"),
    ('"두 사람"@example.com', "두 사람", "example.com"),
    ("jos\u00e9@BÜCHER.example", "jos\u00e9", "bücher.example"),
    ("a@bu\u0308cher.example", "a", "bücher.example"),
    ("a@हिन्दी.example", "a", "हिन्दी.example"),
]

MALFORMED = [
    b"", b"@", b"a", b"a@", b"@b", b"a@@b", b"a@b@c", b"a b@c", b"a@b c",
    b".a@b", b"a.@b", b"a..b@c", b"a@.b", b"a@b.", b"a@b..c", b"a@-b", b"a@b-",
    b"a@b_c", b"a@b/c", b"a(x)@b", b"a@b(x)", b"<a@b>", b"a@b>", b"a,b@c", b"a:b@c",
    b"a;b@c", b"a\\b@c", b'"a@b', b'a"@b', b'"a"b@c', b'a"b"@c', b'"a""b"@c',
    b"a@[1.2.3]", b"a@[1.2.3.256]", b"a@[1.2.3.4", b"a@1.2.3.4]", b"a@[]",
    b"a@[IPv6:1.2.3.4]", b"a@[IPv6::::]", b"a@[IPv6:fe80::1%eth0]", b"a@[x-tag:y]",
    b"a@[127.0.0.1\n]", b"a@b\r\n", b"a\r\n@b", b"a@b\0", b"a\x7f@b", b"\ta@b", b" a@b",
    b"@a,@b:c@d", b"user%host", b"host!user",
]


class StrictMailboxTests(SynchronousTestCase):
    """RFC 5321, section 4.1.2: Mailbox, Local-part, Domain, address-literal."""

    def test_addresses_are_read_and_written_back(self) -> None:
        for octets, local, domain, written in ASCII_ADDRESSES:
            address = parse_mailbox(octets, smtputf8=False)
            self.assertEqual(address, Address(local, domain))
            self.assertEqual(format_mailbox(address), written or octets)
            self.assertEqual(parse_mailbox(octets, smtputf8=True), address)

    def test_utf8_addresses_need_smtputf8(self) -> None:
        for text, local, domain in UNICODE_ADDRESSES:
            address = parse_mailbox(text.encode(), smtputf8=True)
            self.assertEqual(address, Address(local, domain))
            again = parse_mailbox(format_mailbox(address), smtputf8=True)
            self.assertEqual(again, address)
            with self.assertRaises(MalformedAddress):
                parse_mailbox(text.encode(), smtputf8=False)

    def test_what_is_no_address_is_refused(self) -> None:
        for octets in MALFORMED:
            for smtputf8 in False, True:
                with self.assertRaises(MalformedAddress, msg=octets) as caught:
                    parse_mailbox(octets, smtputf8=smtputf8)
                self.assertIs(caught.exception.status, Status.BAD_MAILBOX_SYNTAX)
                self.assertIsInstance(caught.exception, SyntaxFault)

    def test_text_that_is_not_what_it_looks_like_is_refused(self) -> None:
        for text in (
            "a\u202eb@c", "a\u0085b@c", "a\u2028b@c", "a@\uff45x.com", "a@b\u3002c",
            "a@\U0001f600.example", "a@b\u2024c", "a@[é]", "\ufeffa@b", '"\u009b"@d',
        ):
            with self.assertRaises(MalformedAddress, msg=text):
                parse_mailbox(text.encode(), smtputf8=True)

    def test_octets_that_are_not_utf8_are_refused(self) -> None:
        korean = "지원@d".encode("cp949")
        for octets in b"\xff@d", b"a@\xed\xa0\x80", b"\xc0\x80@d", korean:
            with self.assertRaises(MalformedAddress, msg=octets):
                parse_mailbox(octets, smtputf8=True)

    def test_control_octets_in_a_quoted_local_part_are_refused(self) -> None:
        for code in [*range(32), 127]:
            for quoted in b'"a%cb"@d' % code, b'"a\\%cb"@d' % code, b'"%c"@d' % code:
                with self.assertRaises(MalformedAddress, msg=quoted):
                    parse_mailbox(quoted, smtputf8=True)

    def test_an_empty_quoted_local_part_is_refused(self) -> None:
        with self.assertRaises(MalformedAddress):
            parse_mailbox(b'""@example.com', smtputf8=False)

    def test_a_trusted_looking_beginning_is_never_an_address_of_its_own(self) -> None:
        for octets in b"a@trusted)b@evil", b"a@trusted,b@evil", b"a@trusted\0b@evil":
            with self.assertRaises(MalformedAddress):
                parse_mailbox(octets, smtputf8=False)

    def test_shell_and_template_characters_are_only_text(self) -> None:
        address = parse_mailbox(b"${run{x}}|{0.__class__}@d", smtputf8=False)
        self.assertEqual(address.local, "${run{x}}|{0.__class__}")
        with self.assertRaises(MalformedAddress):
            parse_mailbox(b";id;@d", smtputf8=False)


class LengthTests(SynchronousTestCase):
    """RFC 5321, section 4.5.3.1, and RFC 1035, section 2.3.4."""

    def test_local_part(self) -> None:
        parse_mailbox(b"a" * MAX_LOCAL + b"@d", smtputf8=False)
        with self.assertRaises(MalformedAddress):
            parse_mailbox(b"a" * (MAX_LOCAL + 1) + b"@d", smtputf8=False)

    def test_label(self) -> None:
        parse_mailbox(b"a@" + b"b" * MAX_LABEL + b".c", smtputf8=False)
        with self.assertRaises(MalformedAddress):
            parse_mailbox(b"a@" + b"b" * (MAX_LABEL + 1) + b".c", smtputf8=False)

    def test_a_label_of_unicode_is_measured_as_dns_sees_it(self) -> None:
        parse_mailbox(("a@" + "가" * 54).encode(), smtputf8=True)
        with self.assertRaises(MalformedAddress):
            parse_mailbox(("a@" + "가나다라마바사아" * 4).encode(), smtputf8=True)

    def test_mailbox(self) -> None:
        for extra, fits in (0, True), (1, False):
            labels = b"b." * 94 + b"c"
            octets = b"a" * (MAX_MAILBOX - 190 + extra - 1) + b"@" + labels + b"d"
            self.assertEqual(len(octets), MAX_MAILBOX + extra)
            if fits:
                parse_mailbox(octets, smtputf8=False)
            else:
                with self.assertRaises(MalformedAddress):
                    parse_mailbox(octets, smtputf8=False)

    def test_domain(self) -> None:
        self.assertEqual(len(parse_domain(b"a." * 127 + b"b", smtputf8=False)), 255)
        with self.assertRaises(MalformedAddress):
            parse_domain(b"a." * 127 + b"bc", smtputf8=False)


class PathTests(SynchronousTestCase):
    """RFC 5321, section 4.1.2: Reverse-path and Forward-path."""

    def test_the_path_ends_where_its_bracket_closes(self) -> None:
        for octets, address, rest in [
            (b"<>", None, b""),
            (b"<> BODY=8BITMIME", None, b" BODY=8BITMIME"),
            (b"<a@b> SIZE=1", Address("a", "b"), b" SIZE=1"),
            (b'<"a>b \\" c"@d> X', Address('a>b " c', "d"), b" X"),
            (b"<Postmaster>", Address("Postmaster", ""), b""),
            (b"<a@b>>", Address("a", "b"), b">"),
        ]:
            self.assertEqual(parse_path(octets, smtputf8=False), (address, rest))

    def test_a_source_route_is_skipped(self) -> None:
        for octets in b"<@a:u@d>", b"<@a,@b.example:u@d>":
            address, _ = parse_path(octets, smtputf8=False)
            self.assertEqual(address, Address("u", "d"))

    def test_other_text_is_refused(self) -> None:
        for octets in (
            b"", b"a@b", b"<a@b", b" <a@b>", b"<<a@b>>", b'<"a@b>', b"< a@b>",
            b"<a@b >", b"<@a>", b"<@a,b:u@d>", b"<@:u@d>", b"<" + b"a" * 2000 + b">",
            b"<" + b"@a," * 500 + b"@b:u@d>",
        ):
            with self.assertRaises(MalformedAddress, msg=octets):
                parse_path(octets, smtputf8=False)

    def test_paths_are_written_in_brackets(self) -> None:
        self.assertEqual(format_path(None), b"<>")
        self.assertEqual(format_path(Address("a b", "c")), b'<"a b"@c>')


class WritingTests(SynchronousTestCase):
    """What is not writable is refused, whoever made the address."""

    def test_line_breaks_and_brackets_never_leave(self) -> None:
        for address in (
            Address("a\r\nRCPT TO:<b@c>", "d"), Address("a", "d>\r\nDATA"),
            Address("a", "d> X"), Address("a\0", "d"), Address("a", "d e"),
        ):
            with self.assertRaises(MalformedAddress):
                format_path(address)


class AnyInputTests(SynchronousTestCase):
    """Whatever comes in, nothing but an address or a refusal comes out."""

    @given(st.binary(max_size=300) | st.text(max_size=80).map(str.encode),
           st.booleans())
    @settings(max_examples=300, deadline=None)
    def test_any_octets(self, octets: bytes, smtputf8: bool) -> None:
        for parse in parse_mailbox, parse_path, parse_domain:
            with contextlib.suppress(MalformedAddress):
                parse(octets, smtputf8=smtputf8)

    @given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1,
                   max_size=30))
    @settings(max_examples=200, deadline=None)
    def test_any_printable_local_part_survives_a_round_trip(self, local: str) -> None:
        address = Address(local, "example.com")
        octets = format_path(address)
        self.assertEqual(parse_path(octets + b" X", smtputf8=False), (address, b" X"))
