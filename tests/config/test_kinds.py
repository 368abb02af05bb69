from __future__ import annotations

import os
import tomllib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.config import kinds
from mailhub.config.kinds import Endpoint, LoginSource, Unfit

FOLDER = "/somewhere"
SIZE = kinds.octets(1024, 1 << 30)
TIME = kinds.seconds(10, 86400)
LISTENER = kinds.Listener()
LMTP = kinds.Listener(may_be_unix=True)
RESOLVER = kinds.Resolver()

#: Kind, what TOML gives, what is read.
GOOD = [
    (kinds.Flag(), True, True),
    (kinds.Choice(("a", "b")), "b", "b"),
    (kinds.Count(1, 5), 1, 1),
    (kinds.Count(1, 5), 5, 5),
    (SIZE, 1024, 1024),
    (SIZE, "1 KiB", 1024),
    (SIZE, "2MiB", 2 << 20),
    (SIZE, "1 GiB", 1 << 30),
    (SIZE, "2048 B", 2048),
    (SIZE, "1.5 MiB", 3 << 19),
    (SIZE, 2048.0, 2048),
    (TIME, 10.5, 10.5),
    (TIME, "0.5 min", 30),
    (TIME, 10, 10),
    (TIME, "30 s", 30),
    (TIME, "5 min", 300),
    (TIME, "2 h", 7200),
    (TIME, "1 d", 86400),
    (kinds.domain_pattern(), ".example.org", ".example.org"),
    (kinds.Rewrite(), "@.example.org  @example.org", ("@.example.org", "@example.org")),
    (kinds.Rewrite(), "a@b.example c@d.example", ("a@b.example", "c@d.example")),
    (kinds.host_name(), "", ""),
    (kinds.host_name(), "mail.example.org", "mail.example.org"),
    (kinds.host_name(), "localhost", "localhost"),
    (kinds.address(), "jo+x@example.org", "jo+x@example.org"),
    (kinds.Place("file"), "a/../b", "/somewhere/b"),
    (kinds.Place("file"), "/etc/x", "/etc/x"),
    (kinds.Place("file", may_be_empty=True), "", ""),
    (RESOLVER, "127.0.0.1", Endpoint("127.0.0.1", 53)),
    (RESOLVER, "127.0.0.1:5300", Endpoint("127.0.0.1", 5300)),
    (RESOLVER, "2001:db8::53", Endpoint("2001:db8::53", 53)),
    (RESOLVER, "[::1]:5300", Endpoint("::1", 5300)),
    (LISTENER, "127.0.0.1:25", Endpoint("127.0.0.1", 25)),
    (LISTENER, "0.0.0.0:0", Endpoint("0.0.0.0", 0)),
    (LISTENER, "[::1]:65535", Endpoint("::1", 65535)),
    (LISTENER, "[0:0::0:1]:25", Endpoint("::1", 25)),
    (LMTP, "unix:run/lmtp", Endpoint(path="/somewhere/run/lmtp")),
    (kinds.Source(), "store", LoginSource("store")),
    (
        kinds.Source(),
        "passwd-file:users",
        LoginSource("passwd-file", "/somewhere/users"),
    ),
]

BAD = [
    (kinds.Flag(), [0, 1, "true", None]),
    (kinds.Choice(("a", "b")), ["", "A", 1, ["a"]]),
    (kinds.Count(1, 5), [0, 6, -1, "1", 1.0, True, None]),
    (
        SIZE,
        [0, 1023, (1 << 30) + 1, "", "1 kb", "1 KB", "-1 KiB", "1.0001 KiB", "９ MiB"],
    ),
    (SIZE, ["9" * 40 + " KiB", "1  KiB", "1 KiB x", True, None, 1024.5]),
    (TIME, [0, 9, 86401, "forever", "1 day", float("inf"), float("nan")]),
    (kinds.domain_pattern(), ["", ".", "..a", "a b", "@a.example", 1]),
    (
        kinds.Rewrite(),
        ["", "a@b.example", "@ @b.example", "a@b.example @.c.example", "a b c", 1,
         "a@b.example c@d.example e"],
    ),
    (
        kinds.host_name(),
        ["-a.example", "a..b", "a_b", "ä.example", "a" * 254, 1, "x\n"],
    ),
    (kinds.address(), ["jo", "@example.org", "jo@", "a b@c", "a@b@c", "jo@x\n", 5]),
    (kinds.Place("file"), ["", 1, "a\0b", None]),
    (LISTENER, ["", "25", ":25", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", 25]),
    (LISTENER, ["::1:25", "[::1]", "[1.2.3.4]:25", "1.2.3:25", "127.0.0.1:+5", "*:25"]),
    (
        LISTENER,
        ["127.0.0.1:1_0", "127.0.0.1:٣", "127.0.0.1:000025", "unix:/x", "a\0:1"],
    ),
    (LMTP, ["unix:", "unix:" + "a" * 108, "unix:a\0"]),
    (RESOLVER, ["", "dns.example", "127.0.0.1:", "127.0.0.1:0", "[::1]", 53, None]),
    (kinds.Source(), ["", "stores", "store:x", "passwd-file", "passwd-file:", 1]),
    (kinds.ListOf(kinds.Flag(), least=1), [[], True, "true", None]),
]


class KindTests(SynchronousTestCase):
    """Values of settings, in and out."""

    def test_good_values_are_read(self) -> None:
        for kind, given_value, expected in GOOD:
            self.assertEqual(kind.read(given_value, FOLDER), expected)

    def test_bad_values_are_refused_with_what_was_expected(self) -> None:
        for kind, values in BAD:
            for value in values:
                error = self.assertRaises(Unfit, kind.read, value, FOLDER)
                self.assertTrue(str(error).startswith("expected "), (value, error))

    def test_what_is_shown_is_toml_that_reads_as_the_same_value(self) -> None:
        for kind, _, expected in GOOD:
            shown = tomllib.loads(f"value = {kind.show(expected)}")["value"]
            self.assertEqual(kind.read(shown, FOLDER), expected)
        many = kinds.ListOf(LISTENER)
        value = (Endpoint("127.0.0.1", 25), Endpoint("::", 25))
        self.assertEqual(many.show(value), '["127.0.0.1:25", "[::]:25"]')

    def test_no_number_means_unlimited(self) -> None:
        for kind in (kinds.Count(1, 10), SIZE, TIME):
            self.assertRaises(Unfit, kind.read, 0, FOLDER)

    def test_amounts_are_shown_in_the_largest_whole_unit(self) -> None:
        self.assertEqual(SIZE.show(50 << 20), '"50 MiB"')
        self.assertEqual(SIZE.show(1500), "1500")
        self.assertEqual(TIME.show(1860.0), '"31 min"')
        self.assertEqual(TIME.show(10.0), "10")
        self.assertEqual(TIME.show(10.5), "10.5")
        self.assertIsInstance(SIZE.read("1.5 MiB", FOLDER), int)

    def test_the_longest_unix_path_is_what_the_system_takes(self) -> None:
        path = "/" + "a" * 106
        self.assertEqual(LMTP.read(f"unix:{path}", FOLDER).path, path)
        self.assertRaises(Unfit, LMTP.read, f"unix:{path}a", FOLDER)

    def test_home_is_spelled_with_a_tilde(self) -> None:
        self.assertEqual(
            kinds.Place("file").read("~/x", FOLDER), os.path.expanduser("~/x")
        )

    @settings(max_examples=200, deadline=None)
    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_any_text_survives_quoting(self, text: str) -> None:
        self.assertEqual(tomllib.loads(f"x = {kinds.quoted(text)}")["x"], text)
