"""Tests of :mod:`mailhub.tables.aliases` and of lists of targets."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.tables.aliases import parse_aliases
from mailhub.tables.forward import MAX_FORWARD, parse_forward
from mailhub.tables.lines import Entry, MalformedTable

#: A file as Debian, a mailing list and a person make it.
FILE = rb"""
# Basic system aliases -- these MUST be present.
MAILER-DAEMON:  postmaster
postmaster:     root
root:           jo, Jim@Example.org   # that is a name with a hash
webmaster:      ihduser, kaituser
admin:          :include:/etc/mail_admin
list:           "|/usr/bin/list post \"all\"", archive
    , Joe Doe <joe@example.org> (the boss),
    "jo smith"@example.net
owner-list:     jo
"two words":    jo
null:           /dev/null
spool:          /var/spool/old
keep:           \jo, jim
"""


def targets_of(text, **how):
    return parse_aliases(b"x: " + text, "/f", **how).find("x").targets


class AliasTests(SynchronousTestCase):
    """aliases(5)."""

    def setUp(self):
        text = FILE.replace(b"   # that is a name with a hash", b"")
        self.aliases = parse_aliases(text, "/etc/aliases")

    def test_names_lead_to_targets(self):
        for name, targets in (
            ("postmaster", ("root",)),
            ("mailer-daemon", ("postmaster",)),
            ("root", ("jo", "Jim@Example.org")),
            ("webmaster", ("ihduser", "kaituser")),
            ("admin", (":include:/etc/mail_admin",)),
            ("owner-list", ("jo",)),
            ("two words", ("jo",)),
            ("null", ("/dev/null",)),
            ("keep", ("\\jo", "jim")),
        ):
            self.assertEqual(self.aliases.find(name).targets, targets)

    def test_quotes_comments_and_names_of_people_are_taken_off(self):
        self.assertEqual(
            self.aliases.find("list"),
            Entry(
                ('|/usr/bin/list post "all"', "archive", "joe@example.org",
                 '"jo smith"@example.net'),
                8,
            ),
        )  # fmt: skip

    def test_unknown_names_lead_nowhere(self):
        self.assertIsNone(self.aliases.find("nobody"))

    def test_programs_and_files_are_remarked_upon(self):
        told = [str(remark) for remark in self.aliases.remarks]
        self.assertEqual(
            told,
            [
                "/etc/aliases:8: programs are not allowed, as for 'list'",
                "/etc/aliases:14: mail is not written to files, as to"
                " '/var/spool/old'",
            ],
        )

    def test_allowed_programs_are_no_matter(self):
        self.assertEqual(
            parse_aliases(b'x: "|/bin/true"', "/f", programs=True).remarks, ()
        )

    def test_lists(self):
        for text, targets in (
            (b"a", ("a",)),
            (b"a,b", ("a", "b")),
            (b"a, b ,", ("a", "b")),
            (b"a@b.c,\n  d@e.f", ("a@b.c", "d@e.f")),
            (b'"a"', ("a",)),
            (b'"a@b.c"', ("a@b.c",)),
            (b'"a b"', ('"a b"',)),
            (b'"|a, b"', ("|a, b",)),
            (b'|"a, b"', ("|a, b",)),
            (b'|"a" "b, c"', ('|"a" "b, c"',)),
            (b"|/usr/bin/a -b", ("|/usr/bin/a -b",)),
            (b'":include:/a b"', (":include:/a b",)),
            (b":include:/a, b", (":include:/a", "b")),
            (b"\\a", ("\\a",)),
            (b'"\\\\a"', ("\\a",)),
            (b"<a@b.c>", ("a@b.c",)),
            (b"A B <a@b.c>, d (e, f)", ("a@b.c", "d")),
            (b'"B, A" <a@b.c>', ("a@b.c",)),
            (b"error:nouser No such user", ("error:nouser No such user",)),
            (b"mailbox:jo@example.org/Lists", ("mailbox:jo@example.org/Lists",)),
            ("\u00e9@b.c".encode(), ("\u00e9@b.c",)),
        ):
            self.assertEqual(targets_of(text), targets, text)

    def test_what_is_no_list_is_a_fault(self):
        for text in (b'"a', b"(a", b"a)", b"<a", b"a>", b"a b", b"<>", b"\\", b""):
            error = self.assertRaises(MalformedTable, targets_of, text)
            self.assertTrue(str(error).startswith("/f:1: "), error)

    def test_what_is_no_alias_is_a_fault(self):
        for line in (b"name", b"name target", b": target", b'"name: target'):
            error = self.assertRaises(MalformedTable, parse_aliases, b"\n" + line, "/f")
            self.assertTrue(str(error).startswith("/f:2: "), error)

    def test_of_two_entries_of_a_name_the_first_counts(self):
        aliases = parse_aliases(b"a: b\nA: c\n", "/f")
        self.assertEqual(aliases.find("a").targets, ("b",))
        [remark] = aliases.remarks
        self.assertEqual(str(remark), "/f:2: 'a' has an entry in line 1; that counts")

    def test_a_hundred_thousand_names(self):
        text = "".join(f"u{n}: t{n}@example.net\n" for n in range(100_000))
        aliases = parse_aliases(text.encode(), "/f")
        self.assertEqual(len(aliases.entries), 100_000)
        self.assertEqual(aliases.find("u99999").targets, ("t99999@example.net",))

    def test_names_may_have_a_domain(self):
        aliases = parse_aliases(b'Jo@Example.org: jim\n"a b"@c.d: x\n', "/f")
        self.assertEqual(aliases.find("jo@example.org").targets, ("jim",))

    @settings(max_examples=100, deadline=None)
    @given(st.lists(st.text("abc |,\"\\<>()@:/%1\u00e9", min_size=1), min_size=1))
    def test_whatever_is_quoted_as_a_program_comes_back(self, commands):
        wanted = tuple("|" + command.strip() for command in commands)
        quoted = [
            '"' + each.replace("\\", "\\\\").replace('"', '\\"') + '"'
            for each in wanted
        ]
        self.assertEqual(targets_of(", ".join(quoted).encode()), wanted)


class ForwardTests(SynchronousTestCase):
    """``.forward``: "an address in each line"."""

    def test_targets_in_their_order(self):
        for text, targets in (
            (b"a@b.c", ("a@b.c",)),
            (b"a@b.c\nd@e.f\n", ("a@b.c", "d@e.f")),
            (b"# away\n\\jo, a@b.c\na@b.c\n", ("\\jo", "a@b.c")),
            (b'"|/usr/bin/vacation jo"', ("|/usr/bin/vacation jo",)),
            (b"\\jo,\n  a@b.c\n", ("\\jo", "a@b.c")),
        ):
            self.assertEqual(parse_forward(text, "/f").entry.targets, targets)

    def test_an_empty_one_keeps_mail_here(self):
        for text in (b"", b"\n", b"# nobody\n", b",\n"):
            self.assertIsNone(parse_forward(text, "/f").entry)

    def test_a_fault_names_its_line(self):
        error = self.assertRaises(MalformedTable, parse_forward, b"a@b\nc d\n", "/f")
        self.assertEqual(str(error), "/f:2: expected a comma in 'c d'")

    def test_its_size_has_a_limit(self):
        fitting = b"a" * (MAX_FORWARD - 1)
        self.assertTrue(parse_forward(fitting + b"\n", "/f").entry)
        self.assertRaises(MalformedTable, parse_forward, fitting + b"a\n", "/f")
