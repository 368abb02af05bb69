"""Ways out that users name in their forwards."""

from __future__ import annotations

from mailhub.routing.decision import Outcome

from .test_expansion import ExpansionTestCase


class OtherWayTests(ExpansionTestCase):
    """A forward is for addresses; servers and programs are the operator's to name."""

    async def test_a_forward_names_no_other_way(self):
        """Attack: it would lead to services inside our network."""
        for way in ("smtp:10.0.0.1:22", "http://169.254.169.254/", "function:x"):
            await self.forward("ann", way)
            await self.check("ann@example.org", Outcome.BROKEN)

    async def test_but_it_may_lead_to_an_alias_that_does(self):
        self.source.add("shop@example.org", "function:orders")
        await self.forward("ann", "shop@example.org")
        [departure] = await self.departures("ann@example.org")
        self.assertEqual(departure.destination, "function:orders")
