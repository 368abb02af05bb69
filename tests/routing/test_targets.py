"""Targets of aliases, as people write them."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.errors import Status, SyntaxFault
from mailhub.routing.targets import (
    MAX_TARGET,
    Deny,
    Discard,
    Domain,
    Folder,
    Hold,
    Include,
    Mail,
    MalformedTarget,
    Program,
    Way,
    parse_target,
)

HERE = "example.org"

#: Text, and what it is.
GOOD = [
    ("jo@Example.NET", Mail("jo", "example.net")),
    (" Jo ", Mail("Jo", HERE)),
    ("\\jo", Mail("jo", HERE, exact=True)),
    ("\\jo@example.net", Mail("jo", "example.net", exact=True)),
    ('"a b"@example.net', Mail("a b", "example.net")),
    ("jo+tag", Mail("jo+tag", HERE)),
    ("@example.net", Domain("example.net")),
    ("mailbox:jo@example.org", Folder("jo@example.org", "INBOX")),
    ("mailbox:Jo/Lists/Twisted", Folder("jo@example.org", "Lists/Twisted")),
    ("mailbox:jo/inbox/x", Folder("jo@example.org", "INBOX/x")),
    ("lmtp:127.0.0.1:24", Way("lmtp:127.0.0.1:24")),
    ("LMTP:unix:/run/lmtp", Way("lmtp:unix:/run/lmtp")),
    ("smtp:mx.example.net", Way("smtp:mx.example.net")),
    ("smtps://jo@mx.example.net", Way("smtps://jo@mx.example.net")),
    ("function:tickets", Way("function:tickets")),
    ("http://127.0.0.1/in", Way("http:http://127.0.0.1/in")),
    ("https://h.example/in", Way("http:https://h.example/in")),
    ("|prog -a 'b c'", Program("prog -a 'b c'")),
    (":include:/etc/list", Include("/etc/list")),
    ("include:/etc/list", Include("/etc/list")),
    ("hold:a new list", Hold("a new list")),
    ("hold:", Hold("held by an alias")),
    ("discard:", Discard()),
    ("/dev/null", Discard()),
]

BAD = [
    "", " ", "|", "/var/mail/jo", "a b@example.org", "jo@", "@", "@a b", "\\",
    "mailbox:", "mailbox:jo/", "mailbox:jo/a//b", "lmtp:", "lmtp:a b",
    "lmtp:/run/lmtp", "smtp:h:99999", ":include:",
    "function:", "jo@exa_mple.org\n", "x\r\nRCPT TO:<y>", "<jo@example.org>",
    "jo@example.org,al@example.org", "x" * (MAX_TARGET + 1), "a\udc80@example.org",
]  # fmt: skip

#: Text, status, permanent, code, text for the sender.
REFUSALS = [
    ("error:nouser", Status.BAD_MAILBOX, True, None, "User unknown"),
    ("error:NoUser Gone to sea", Status.BAD_MAILBOX, True, None, "Gone to sea"),
    ("error:nouser 550 Gone", Status.BAD_MAILBOX, True, 550, "Gone"),
    ("error:5.2.1:553 Closed", Status.MAILBOX_DISABLED, True, 553, "Closed"),
    ("error:4.2.1 Later", Status.MAILBOX_DISABLED, False, None, "Later"),
    ("error:5.99.9 Odd", Status.OTHER, True, None, "Odd"),
    ("error:tempfail", Status.OTHER, False, None, "Try again later"),
    ("error:451 Busy", Status.NOT_ALLOWED, False, 451, "Busy"),
    ("error:Ask somebody else", Status.NOT_ALLOWED, True, None, "Ask somebody else"),
    ("error:", Status.NOT_ALLOWED, True, None, "Not accepted here"),
]


class TargetTests(SynchronousTestCase):
    """One text, one target; the kinds stand in the module's docstring."""

    def test_targets_are_read(self):
        for text, expected in GOOD:
            self.assertEqual(parse_target(text, HERE), expected, text)

    def test_other_text_is_refused(self):
        for text in BAD:
            with self.assertRaises(MalformedTarget, msg=text):
                parse_target(text, HERE)

    def test_refusals_are_read(self):
        for text, *expected in REFUSALS:
            deny = parse_target(text, HERE)
            self.assertIsInstance(deny, Deny, text)
            found = deny.refusal
            told = [found.status, found.permanent, found.code, found.text]
            self.assertEqual(told, expected, text)

    def test_a_target_as_long_as_allowed_is_read(self):
        command = "x" * (MAX_TARGET - 1)
        self.assertEqual(parse_target("|" + command, HERE), Program(command))

    def test_patterns_are_filled_with_the_parts_of_an_address(self):
        for local, expected in (
            ("%1", "jo"), ("%2", "tag"), ("x-%1%3", "x-jo+tag"), ("%%1%4", "%1%4"),
        ):  # fmt: skip
            mail = Mail(local, HERE).filled("jo", "tag", "+")
            self.assertEqual(mail, Mail(expected, HERE))
        self.assertEqual(Mail("a%3", HERE).filled("jo", "", "+"), Mail("a", HERE))

    @settings(deadline=None, max_examples=200)
    @given(st.text(max_size=40))
    def test_any_text_is_a_target_or_refused(self, text):
        for prefix in ("", "error:", "mailbox:", ":include:", "|", "@", "\\"):
            with contextlib.suppress(SyntaxFault):
                parse_target(prefix + text, HERE)
