from __future__ import annotations

from mailhub.cli.outcome import Exit

from .shell import CommandTests


class AliasTests(CommandTests):
    """``mailhub alias add|list|remove``."""

    def setUp(self) -> None:
        super().setUp()
        self.add_user()

    def test_aliases_come_and_go(self) -> None:
        data = {
            "address": "info@example.org",
            "targets": ["jo@example.org", "al@example.org"],
        }
        added = self.json(
            *("alias", "add", "Info@example.org"),
            *("Jo@Example.org", "al@example.org", "jo@example.org"),
        )
        self.assertEqual(added, data)
        self.assertEqual(self.json("alias", "list"), {"aliases": [data]})
        self.assertEqual(
            self.works("alias", "list"),
            "info@example.org  jo@example.org, al@example.org\n",
        )
        self.assertEqual(
            self.json("alias", "remove", "info@example.org"),
            {"address": "info@example.org"},
        )
        self.assertEqual(self.json("alias", "list"), {"aliases": []})

    def test_a_domain_can_be_caught_as_a_whole(self) -> None:
        self.works("alias", "add", "@Example.org", "jo@example.org")
        [alias] = self.json("alias", "list")["aliases"]
        self.assertEqual(alias["address"], "@example.org")
        self.works("alias", "remove", "@example.org")

    def test_another_one_s_targets_are_replaced_only_when_asked(self) -> None:
        self.works("alias", "add", "info@example.org", "jo@example.org")
        again = ("alias", "add", "info@example.org", "al@example.org")
        text = self.fails(Exit.CANNOT_CREATE, *again)
        self.assertEqual(
            text, "info@example.org is there already; --replace gives it new targets"
        )
        self.works(*again, "--replace")
        [alias] = self.json("alias", "list")["aliases"]
        self.assertEqual(alias["targets"], ["al@example.org"])

    def test_the_domain_has_to_be_here(self) -> None:
        text = self.fails(Exit.NO_HOST, "alias", "add", "a@b.example", "jo@example.org")
        self.assertEqual(
            text, "there is no domain b.example; run: mailhub domain add b.example"
        )

    def test_targets_elsewhere_are_told(self) -> None:
        self.works("alias", "add", "info@example.org", "jo@far.example")
        self.assertIn("jo@far.example is not here: ", self.told)

    def test_targets_may_be_more_than_addresses(self) -> None:
        targets = [
            "@far.example", "mailbox:jo@example.org/Desk", "function:tickets",
            "lmtp:127.0.0.1:24", ":include:/etc/list", "discard:",
            "error:5.1.1 Gone", "\\jo@example.org",
        ]  # fmt: skip
        data = self.json("alias", "add", "desk@example.org", *targets)
        self.assertEqual(data["targets"], targets)
        self.assertEqual(self.told, "")

    def test_one_that_is_not_there_is_told(self) -> None:
        text = self.fails(Exit.NO_USER, "alias", "remove", "no@example.org")
        self.assertEqual(text, "there is no alias no@example.org")

    def test_what_is_no_address_is_refused(self) -> None:
        for arguments in (
            ("x", "jo@example.org"),
            ("info@example.org", "jo"),
            ("@", "a@b.c"),
        ):
            self.fails(Exit.DATA_WRONG, "alias", "add", *arguments)
        self.fails(Exit.USAGE, "alias", "add", "info@example.org")
