"""LIST patterns and rows."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailhub.imap.matching import Pattern, Row, hidden_rows, list_rows, subscribed_rows
from mailhub.mail.mailbox import MailboxInfo


def as_regex(pattern: str) -> re.Pattern[str]:
    """The same by Python's own matcher, which back-tracks: short texts only."""
    parts = {"*": ".*", "%": "[^/]*"}
    return re.compile("".join(parts.get(c, re.escape(c)) for c in pattern) + r"\Z")


class Patterns(SynchronousTestCase):
    """Wildcards (RFC 3501, section 6.3.8)."""

    TABLE = (
        ("*", "a/b/c", True),
        ("%", "a", True),
        ("%", "a/b", False),
        ("a/%", "a/b", True),
        ("a/%", "a/b/c", False),
        ("a/*", "a", False),
        ("a*", "a", True),
        ("a*c", "a/b/c", True),
        ("a%c", "abc", True),
        ("a%c", "a/c", False),
        ("%/b", "a/b", True),
        ("*%", "a/b", True),
        ("%*%", "a/b", True),
        ("%%", "a/b", False),
        ("a", "a", True),
        ("a", "b", False),
        ("inbox", "INBOX", True),
        ("InBox/%", "INBOX/x", True),
        ("inb%", "INBOX", False),
        ("inboxes", "INBOXes", False),
        ("Inbox*", "INBOX", True),
        ("한%", "한글", True),
        (".", "a", False),
        ("[a]", "a", False),
    )

    def test_each_pattern_of_the_table(self) -> None:
        for pattern, name, expected in self.TABLE:
            self.assertEqual(
                Pattern(pattern).matches(name), expected, (pattern, name)
            )

    @settings(max_examples=300, deadline=None)
    @given(st.text("ab/*%", max_size=7), st.text("ab/", max_size=8))
    def test_it_agrees_with_a_back_tracking_matcher(
        self, pattern: str, name: str
    ) -> None:
        expected = as_regex(pattern).match(name) is not None
        self.assertEqual(Pattern(pattern).matches(name), expected)

    def test_wildcards_that_make_matchers_back_track_cost_one_step_a_character(
        self,
    ) -> None:
        """Attack: ``LIST "" "*%*%*%*%*%*%x"`` against a name of 24 letters."""
        steps = 0

        class Counted(str):
            def __iter__(self):  # type: ignore[no-untyped-def]
                nonlocal steps
                for character in str(self):
                    steps += 1
                    yield character

        name = Counted("a" * 1000)
        self.assertFalse(Pattern("*%*%*%*%*%*%x").matches(name))
        self.assertFalse(Pattern("a*" * 500 + "x").matches(name))
        self.assertLessEqual(steps, 2000)


class Rows(SynchronousTestCase):
    """LIST and LSUB rows with their attributes."""

    INFOS = [
        MailboxInfo("INBOX", subscribed=True),
        MailboxInfo("Sent", special_use="\\Sent"),
        MailboxInfo("a", exists=False),
        MailboxInfo("a/b", subscribed=True),
        MailboxInfo("gone/x", exists=False, subscribed=True),
    ]

    def listed(self, infos: list[MailboxInfo], pattern: str) -> list[Row]:
        wanted = Pattern(pattern)
        return [row for row in list_rows(infos) if wanted.matches(row.name)]

    def test_a_parent_that_is_no_mailbox_cannot_be_selected(self) -> None:
        self.assertEqual(
            self.listed(self.INFOS, "%"),
            [
                Row("INBOX", (b"\\HasNoChildren",)),
                Row("Sent", (b"\\HasNoChildren", b"\\Sent")),
                Row("a", (b"\\Noselect", b"\\HasChildren")),
            ],
        )

    def test_a_parent_that_the_store_does_not_list_is_listed_all_the_same(self) -> None:
        rows = self.listed([MailboxInfo("x/y/z")], "*")
        self.assertEqual([row.name for row in rows], ["x/y/z", "x", "x/y"])

    def test_a_name_that_is_only_subscribed_is_not_listed(self) -> None:
        names = [row.name for row in self.listed(self.INFOS, "*")]
        self.assertNotIn("gone/x", names)

    def test_special_use_alone_can_be_asked_for(self) -> None:
        rows = list(list_rows(self.INFOS, special_only=True))
        self.assertEqual([row.name for row in rows], ["Sent"])

    def test_subscribed_names_need_not_exist(self) -> None:
        names = [row.name for row in subscribed_rows(self.INFOS)]
        self.assertEqual(names, ["INBOX", "a/b", "gone/x"])

    def test_a_parent_stands_for_its_hidden_subscribed_child(self) -> None:
        """RFC 3501, section 6.3.9: ``LSUB "" %`` with only ``foo/bar`` subscribed."""
        rows = hidden_rows(["a/b/c", "gone/x"], ["a"])
        self.assertEqual(
            list(rows), [Row("a/b", (b"\\Noselect",)), Row("gone", (b"\\Noselect",))]
        )
