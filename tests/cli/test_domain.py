from __future__ import annotations

from mailhub.cli.outcome import Exit

from .shell import CommandTests


class DomainTests(CommandTests):
    """``mailhub domain add|list|remove``."""

    def test_domains_come_and_go(self) -> None:
        added = self.json("domain", "add", "Example.ORG")
        self.assertEqual(added, {"domain": "example.org"})
        self.works("domain", "add", "a.example")
        self.assertEqual(self.works("domain", "list"), "a.example\nexample.org\n")
        self.assertEqual(
            self.json("domain", "remove", "example.org"), {"domain": "example.org"}
        )
        self.assertEqual(self.json("domain", "list"), {"domains": ["a.example"]})

    def test_one_that_is_there_already_is_told(self) -> None:
        self.works("domain", "add", "example.org")
        text = self.fails(Exit.CANNOT_CREATE, "domain", "add", "example.org")
        self.assertEqual(text, "example.org is there already")

    def test_one_that_is_not_there_is_told(self) -> None:
        self.works("domain", "add", "example.org")
        text = self.fails(Exit.NO_HOST, "domain", "remove", "example.com")
        self.assertEqual(text, "there is no domain example.com")

    def test_one_with_users_stays(self) -> None:
        self.add_user()
        text = self.fails(Exit.DATA_WRONG, "domain", "remove", "example.org")
        self.assertEqual(text, "example.org has users; remove them first")

    def test_what_is_no_domain_is_refused(self) -> None:
        for domain in ("", "a b", "x@y", "[192.0.2.1]", "a-.example", "a..b"):
            self.fails(Exit.DATA_WRONG, "domain", "add", domain)
