"""Which rule counts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailhub.config.settings import Outbound
from mailhub.mail.routes import BY_MX, parse_route
from mailhub.outbound.building import conduct_of
from mailhub.outbound.routes import Routes, routes_of
from mailhub.smtp.client_steps import Step

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


class SettingsTests(SynchronousTestCase):
    """``[outbound]`` as it is used."""

    def test_a_smarthost_is_the_rule_for_all(self) -> None:
        settings = Outbound(
            smarthost="smtp://all:26", routes=(("far.example", "mx"),)
        )
        routes = routes_of(settings)
        self.assertEqual(routes.find("x.example", "").host, "all")
        self.assertIs(routes.find("far.example", ""), BY_MX)

    def test_unless_there_is_one_already(self) -> None:
        settings = Outbound(smarthost="smtp://all", routes=(("*", "smtp://other"),))
        self.assertEqual(routes_of(settings).find("x.example", "").host, "other")

    def test_each_step_has_its_time(self) -> None:
        settings = Outbound(connect=1, reply=2, data=3, stall=4, end=5)
        waits = conduct_of(settings, "me.example").waits
        self.assertEqual(
            {step: waits.for_step(step) for step in Step},
            {
                Step.CONNECT: 1, Step.GREETING: 2, Step.HELLO: 2, Step.TLS: 60,
                Step.LOGIN: 60, Step.MAIL: 2, Step.RECIPIENT: 2, Step.DATA: 3,
                Step.CONTENT: 4, Step.END: 5, Step.RESET: 60,
            },
        )

    def test_the_times_of_the_standard_are_the_usual_ones(self) -> None:
        """RFC 5321, section 4.5.3.2."""
        waits = conduct_of(Outbound(), "me.example").waits
        minutes = [waits.greeting, waits.command, waits.data, waits.content, waits.end]
        self.assertEqual([each / 60 for each in minutes], [5, 5, 2, 3, 10])
