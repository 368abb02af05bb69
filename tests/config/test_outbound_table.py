"""``[outbound]``: ways in a configuration."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.kinds import Unfit
from mailhub.config.outbound_table import Rule, Way

OTHERS = (
    "discard:", "mailbox:jo@example.org", "function:tickets", "http:https://host/x"
)  # fmt: skip


class WayTests(SynchronousTestCase):
    """What may be written there."""

    def test_ways_are_kept_as_they_are_written(self) -> None:
        for text in ("", "mx", "smtp://jo@host:587", "lmtp:unix:/run/x", *OTHERS):
            self.assertEqual(Way().read(text, "/"), text)
            self.assertEqual(Way().show(text), f'"{text}"')

    def test_what_is_no_way_is_refused(self) -> None:
        for value in (
            "host", "smtp://", 25, None, ["mx"], "carrier:pigeon", "mailbox:jo@",
            "program:/bin/cat", "local:example.org", "discard:x",
        ):  # fmt: skip
            self.assertRaises(Unfit, Way().read, value, "/")

    def test_rules_are_two_words(self) -> None:
        for text in (
            "example.com mx", ".example.com smtp://h", "* smtp:h:25",
            "from:Jo@Example.com smtps://jo@h", "from:example.com lmtp:h",
        ):  # fmt: skip
            whom, way = Rule().read(text, "/")
            self.assertEqual((whom, way), (text.split()[0].lower(), text.split()[1]))

    def test_what_is_no_rule_is_refused(self) -> None:
        for value in ("example.com", "a@b.example smtp://h", "a b c", "x host", 1):
            self.assertRaises(Unfit, Rule().read, value, "/")
