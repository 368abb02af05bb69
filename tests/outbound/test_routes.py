"""Which rule counts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.routes import BY_MX, parse_route
from mailhub.outbound.routes import Routes

RULES = {
    "example.com": "smtp:one",
    ".example.com": "smtp:below",
    ".com": "smtp:commerce",
    "from:jo@example.org": "smtp:jo",
    "from:example.org": "smtp:org",
    "direct.example": "mx",
    "*": "smtp:all",
}


class RoutesTests(SynchronousTestCase):
    """The closest rule counts."""

    def setUp(self) -> None:
        self.routes = Routes((whom, parse_route(way)) for whom, way in RULES.items())

    def way(self, destination: str, sender: str = "") -> str:
        route = self.routes.find(destination, sender)
        return route.host or route.kind

    def test_the_destination_s_own_rule_comes_first(self) -> None:
        self.assertEqual(self.way("example.com", "jo@example.org"), "one")
        self.assertEqual(self.way("direct.example", "jo@example.org"), "mx")

    def test_then_the_nearest_of_those_above_it(self) -> None:
        self.assertEqual(self.way("a.b.example.com"), "below")
        self.assertEqual(self.way("example2.com"), "commerce")

    def test_then_the_sender_s_and_then_that_of_its_domain(self) -> None:
        self.assertEqual(self.way("far.example", "Jo@Example.org"), "jo")
        self.assertEqual(self.way("far.example", "al@example.org"), "org")

    def test_then_the_one_for_all(self) -> None:
        self.assertEqual(self.way("far.example"), "all")
        self.assertEqual(self.way("far.example", "x@y.example"), "all")

    def test_a_destination_may_be_a_way_itself(self) -> None:
        self.assertEqual(self.way("lmtp:unix:/x"), "lmtp")
        self.assertEqual(self.way("smtp:here:25", "jo@example.org"), "here")

    def test_without_rules_dns_decides(self) -> None:
        self.assertIs(Routes().find("example.com", "x@y.example"), BY_MX)
