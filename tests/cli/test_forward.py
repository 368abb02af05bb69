"""``mailhub forward set|remove|list``."""

from __future__ import annotations

from mailhub.cli.outcome import Exit

from .shell import CommandTests


class ForwardTests(CommandTests):
    """Users whose mail is sent on."""

    def setUp(self) -> None:
        super().setUp()
        self.add_user()

    def test_forwards_come_and_go(self) -> None:
        data = {
            "address": "jo@example.org", "targets": ["x@far.example"], "keeps": False
        }  # fmt: skip
        made = self.json("forward", "set", "Jo@example.org", "x@far.example")
        self.assertEqual(made, data)
        self.assertEqual(self.json("forward", "list"), {"forwards": [data]})
        self.assertEqual(
            self.works("forward", "list"), "jo@example.org  goes to x@far.example\n"
        )
        self.works("forward", "set", "jo@example.org", "y@far.example", "--keep")
        self.assertEqual(
            self.works("forward", "list"),
            "jo@example.org  goes to y@far.example and stays\n",
        )
        self.works("forward", "remove", "jo@example.org")
        self.assertEqual(self.json("forward", "list"), {"forwards": []})

    def test_who_is_not_there_is_told(self) -> None:
        self.fails(Exit.NO_USER, "forward", "set", "no@example.org", "x@far.example")
        self.fails(Exit.NO_USER, "forward", "remove", "jo@example.org")

    def test_a_forward_starts_no_programs(self) -> None:
        self.fails(Exit.DATA_WRONG, "forward", "set", "jo@example.org", "|prog")

    def test_what_is_no_target_is_refused(self) -> None:
        for target in ("x", "/var/mail/jo", "lmtp:x y"):
            self.fails(Exit.DATA_WRONG, "forward", "set", "jo@example.org", target)
