"""Tests of address lists in header fields: everything is read, tolerantly."""

from __future__ import annotations

from email.headerregistry import HeaderRegistry

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail import addresslist
from mailhub.mail.addresslist import (
    MAX_ADDRESSES,
    MAX_COMMENT_DEPTH,
    MAX_TOKENS,
    GroupEnd,
    GroupStart,
    Listed,
    Mailbox,
    parse_address_list,
)


def mailbox(
    local: bytes = b"", domain: bytes = b"", name: bytes = b"", route: bytes = b""
) -> Mailbox:
    """A mailbox with what is not given empty."""
    return Mailbox(name, route, local, domain)


END = GroupEnd()

#: (value, what is read)
LISTS: list[tuple[bytes, list[Listed]]] = [
    (b"", []),
    (b" \t", []),
    (b"a@b", [mailbox(b"a", b"b")]),
    (b"<a@b>", [mailbox(b"a", b"b")]),
    (b"Joe Q. Public <john.q.public@example.com>",
     [mailbox(b"john.q.public", b"example.com", b"Joe Q. Public")]),
    (b'"Joe, \\"Q\\" Public"   <j@d>', [mailbox(b"j", b"d", b'Joe, "Q" Public')]),
    (b'"" <a@b>', [mailbox(b"a", b"b")]),
    (b'Dr "A  B" C<a@b>', [mailbox(b"a", b"b", b"Dr A  B C")]),
    (b"a@b, c@d ,e@f", [mailbox(b"a", b"b"), mailbox(b"c", b"d"), mailbox(b"e", b"f")]),
    (b",, a@b,,c@d,", [mailbox(b"a", b"b"), mailbox(b"c", b"d")]),
    # Encoded words stay as they are; so do raw octets.
    (b"=?utf-8?q?x=2C_y?= =?utf-8?q?z?= <a@b>",
     [mailbox(b"a", b"b", b"=?utf-8?q?x=2C_y?= =?utf-8?q?z?=")]),
    ("홍길동 <a@b>".encode(), [mailbox(b"a", b"b", "홍길동".encode())]),
    ("홍길동 <a@b>".encode("cp949"), [mailbox(b"a", b"b", "홍길동".encode("cp949"))]),
    # Comments.
    (b"a@b (Real Name)", [mailbox(b"a", b"b", b"Real Name")]),
    (b"a@b (Real (nested) Name)", [mailbox(b"a", b"b", b"Real (nested) Name")]),
    (b"a@b (x\\)y)", [mailbox(b"a", b"b", b"x)y")]),
    (b"(x) a (y) @ (z) b", [mailbox(b"a", b"b", b"z")]),
    (b"John (J) Doe <a@b>", [mailbox(b"a", b"b", b"John Doe")]),
    (b"<a@b> (Name), c@d", [mailbox(b"a", b"b", b"Name"), mailbox(b"c", b"d")]),
    (b"(nothing but this)", []),
    # Groups.
    (b"undisclosed-recipients:;", [GroupStart(b"undisclosed-recipients"), END]),
    (b"A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
     [GroupStart(b"A Group"), mailbox(b"c", b"a.test", b"Ed Jones"),
      mailbox(b"joe", b"where.test"), mailbox(b"jdoe", b"one.test", b"John"), END]),
    (b"x@y, G: a@b;, c@d", [mailbox(b"x", b"y"), GroupStart(b"G"), mailbox(b"a", b"b"),
                            END, mailbox(b"c", b"d")]),
    (b"G: a@b; H: c@d", [GroupStart(b"G"), mailbox(b"a", b"b"), END,
                         GroupStart(b"H"), mailbox(b"c", b"d"), END]),
    (b'"A, B": a@b', [GroupStart(b"A, B"), mailbox(b"a", b"b"), END]),
    (b":;", [GroupStart(b""), END]),
    # Obsolete syntax (RFC 5322, section 4.4).
    (b"<@a,@b.example:c@d>", [mailbox(b"c", b"d", route=b"@a,@b.example")]),
    (b"X < @a : c@d >", [mailbox(b"c", b"d", b"X", b"@a")]),
    (b"Pete <pete . x @ a . example . com>",
     [mailbox(b"pete.x", b"a.example.com", b"Pete")]),
    (b'"a b"@c', [mailbox(b"a b", b"c")]),
    (b'<"a\\"b" . c@d>', [mailbox(b'a"b.c', b"d")]),
    (b"a@[192.0.2.1], <b@[IPv6:::1]>",
     [mailbox(b"a", b"[192.0.2.1]"), mailbox(b"b", b"[IPv6:::1]")]),
    # What people write.
    (b"a@b <c@d>", [mailbox(b"c", b"d", b"a@b")]),
    (b"a@b;c@d", [mailbox(b"a", b"b"), mailbox(b"c", b"d")]),
    (b"<a@b> <c@d> John <e@f>",
     [mailbox(b"a", b"b"), mailbox(b"c", b"d"), mailbox(b"e", b"f", b"John")]),
    (b"<<a@b>>", [mailbox(b"a", b"b")]),
    (b"A <a@b", [mailbox(b"a", b"b", b"A")]),
    (b"<a@b, c@d", [mailbox(b"a", b"b"), mailbox(b"c", b"d")]),
    (b"root", [mailbox(b"root")]),
    (b"<root>", [mailbox(b"root")]),
    (b"a@", [mailbox(b"a")]),
    (b"@b", [mailbox(b"", b"b")]),
    (b"<>", [mailbox()]),
    (b"Somebody <>", [mailbox(name=b"Somebody")]),
    # No sense, so no address.
    (b"John Doe", [mailbox(name=b"John Doe")]),
    (b"a b@c", [mailbox(name=b"a b@c")]),
    (b"a@b c", [mailbox(name=b"a@b c")]),
    (b"a@b@c", [mailbox(name=b"a@b@c")]),
    (b"<a@b@c>", [mailbox(name=b"a@b@c")]),
    (b"X <a@b@c>", [mailbox(name=b"X")]),
    (b"a\\b@c", [mailbox(name=b"a\\b@c")]),
    (b"a@b:c", [mailbox(name=b"a@b:c")]),
    (b'"a@b', [mailbox(b"a@b")]),
]


class ListTests(SynchronousTestCase):
    """RFC 5322, sections 3.4 and 4.4, and what is sent instead."""

    def test_lists(self) -> None:
        for value, expected in LISTS:
            self.assertEqual(parse_address_list(value), expected, value)

    def test_the_usual_shapes_are_read_alike_without_their_shortcut(self) -> None:
        self.patch(addresslist, "_USUAL", addresslist.re.compile(rb"(?!)"))
        self.test_lists()

    def test_line_breaks_are_blanks(self) -> None:
        value = b"A\r\n B <a@b>,\r\n\tc@d"
        self.assertEqual(
            parse_address_list(value),
            [mailbox(b"a", b"b", b"A B"), mailbox(b"c", b"d")],
        )

    def test_every_prefix_of_every_list_is_read(self) -> None:
        for value, _ in LISTS:
            for end in range(len(value)):
                parse_address_list(value[:end])

    def test_the_standard_library_reads_them_the_same(self) -> None:
        """Only well-formed values, on which nobody disagrees."""
        make = HeaderRegistry()
        for value in (
            b"a@b.c", b"Joe <a@b.c>, d@e.f", b'"Joe, X" <a@b.c>',
            b"G: a@b.c, X <d@e.f>;", b"A (c) B <a@b.c>", b"a@[192.0.2.1]",
            b"undisclosed:;, x@y.z",
        ):
            expected = [
                (address.display_name, address.username, address.domain)
                for address in make("To", value.decode()).addresses
            ]
            found = [
                (item.name.decode(), item.local.decode(), item.domain.decode())
                for item in parse_address_list(value) if isinstance(item, Mailbox)
            ]
            self.assertEqual(found, expected)


class SpoofTests(SynchronousTestCase):
    """What could be read as two addresses is none (as for CVE-2023-27043)."""

    def test_a_closing_parenthesis_does_not_end_a_trusted_address(self) -> None:
        for value in (
            b"a@trusted)b@evil", b"<a@trusted)b@evil>", b"a@trusted]b@evil",
            b"a@trusted\\b@evil", b"a@trusted\0b@evil", b"a@trusted b@evil",
            b"a@trusted[b@evil",
        ):
            [found] = parse_address_list(value)
            assert isinstance(found, Mailbox)
            self.assertEqual((found.local, found.domain), (b"", b""), value)
            self.assertIn(b"evil", found.name)

    def test_every_address_in_brackets_is_listed(self) -> None:
        found = parse_address_list(b"<a@trusted> <b@evil>")
        self.assertEqual(found, [mailbox(b"a", b"trusted"), mailbox(b"b", b"evil")])


class LimitTests(SynchronousTestCase):
    """Each limit at the last value that is allowed, and one beyond."""

    def test_addresses(self) -> None:
        for separator in b",", b"(x),":
            for count in MAX_ADDRESSES, MAX_ADDRESSES + 1:
                self.patch(addresslist, "MAX_TOKENS", 10 * count)
                found = parse_address_list((b"a@b" + separator) * count)
                self.assertEqual(len(found), MAX_ADDRESSES)

    def test_addresses_of_a_group(self) -> None:
        for extra in 0, 1, 100:
            found = parse_address_list(b"G:" + b"a@b," * (MAX_ADDRESSES - 2 + extra))
            self.assertEqual(len(found), MAX_ADDRESSES)
            self.assertIsInstance(found[-1], GroupEnd)

    def test_tokens(self) -> None:
        # Each entry is four tokens: a word, "@", a word and a comma.
        for extra, words in (0, b"x y"), (1, b"x"):
            padding = b"," * (MAX_TOKENS - 3 + extra)
            [found] = parse_address_list(padding + b"x y")
            self.assertEqual(found, mailbox(name=words) if extra == 0 else
                             mailbox(words))

    def test_depth_of_comments(self) -> None:
        for depth, found in (
            (MAX_COMMENT_DEPTH, [mailbox(b"a", b"b", b"x"), mailbox(b"c", b"d")]),
            (MAX_COMMENT_DEPTH + 1, [mailbox(b"a", b"b", b"x")]),
        ):
            value = b"x <a@b>" + b"(" * depth + b")" * depth + b", c@d"
            self.assertEqual(parse_address_list(value), found)


class HostileListTests(SynchronousTestCase):
    """Bombs that killed other parsers; some would take hours if not linear."""

    def test_a_million_addresses(self) -> None:
        self.assertEqual(len(parse_address_list(b"a@b," * 1_000_000)), MAX_ADDRESSES)

    def test_groups_in_groups_are_one_group(self) -> None:
        found = parse_address_list(b"g:" * 10_000 + b"a@b" + b";" * 10_000)
        self.assertEqual(found[0], GroupStart(b"g"))
        self.assertEqual(sum(isinstance(item, GroupStart) for item in found), 1)
        self.assertEqual(sum(isinstance(item, GroupEnd) for item in found), 1)

    def test_eight_hundred_nested_comments(self) -> None:
        value = b"a@b " + b"(" * 800 + b")" * 800
        [found] = parse_address_list(value)
        assert isinstance(found, Mailbox)
        self.assertEqual((found.local, found.domain), (b"a", b"b"))

    def test_much_of_anything(self) -> None:
        size = 256 * 1024
        for piece in (
            b"(", b")", b"()", b"(()", b'"', b'\\"', b"\\", b'"a" ', b"<", b">", b"<a",
            b"<a>", b"<@a:", b"<@,", b"@", b"a@", b":", b"a:", b";", b"a:;", b",", b"[",
            b"[a]", b"a ", b"a. ", b" ", b"a", b".", b"\xff", b"\0", b"a b <", b"(a@b",
        ):
            for start in b"", b"(", b"<", b'"', b"a", b"g:":
                found = parse_address_list(start + piece * (size // len(piece)))
                self.assertLessEqual(len(found), MAX_ADDRESSES)


class AnyInputTests(SynchronousTestCase):
    """Whatever comes in, a list comes out, and its groups are closed."""

    @given(st.lists(st.sampled_from(list(b'ab@<>(),;:."\\[] \t\r\n\0\xff'))).map(bytes))
    @settings(max_examples=1000, deadline=None)
    def test_any_octets(self, value: bytes) -> None:
        depth = 0
        for item in parse_address_list(value):
            depth += isinstance(item, GroupStart) - isinstance(item, GroupEnd)
            self.assertIn(depth, (0, 1))
        self.assertEqual(depth, 0)
