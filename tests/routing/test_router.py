"""Where mail goes: users, tags, aliases, catch-alls, roles, elsewhere."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import TestCase

from mailhub.errors import (
    Refused,
    RelayDenied,
    RoutingLoop,
    UnknownRecipient,
)
from mailhub.mail.address import Address, parse_mailbox
from mailhub.routing.decision import Outcome
from mailhub.routing.expansion import MAX_ADDRESSES, MAX_DEPTH
from mailhub.routing.router import MANY, MAX_DECISIONS, MAX_PLACES, Router
from mailhub.store.memory import MemoryStore


class RouterTestCase(TestCase):
    """One directory, and what becomes of addresses in it."""

    async def setUp(self):
        self.directory = MemoryStore().directory
        for name in ("ann", "bob", "carol", "a+b"):
            await self.directory.add_account(f"{name}@example.org", "")
        await self.directory.add_account("zoe@example.net", "")
        self.router = Router(self.directory)

    async def alias(self, address, *targets):
        await self.directory.set_alias(address, targets)

    async def decide(self, address):
        if isinstance(address, str):
            address = parse_mailbox(address.encode(), smtputf8=True)
        return await self.router.resolve(address)

    async def check(self, address, outcome, *accounts):
        decision = await self.decide(address)
        found = [account.address for account in decision.accounts]
        self.assertEqual((decision.outcome, found), (outcome, list(accounts)), address)
        return decision


class RouterTests(RouterTestCase):
    """The rules, one by one, as the router's docstring lists them."""

    async def test_accounts_are_found_without_regard_to_case(self):
        await self.check("ann@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("Ann@EXAMPLE.org", Outcome.LOCAL, "ann@example.org")

    async def test_what_is_unknown_or_elsewhere_is_told_apart(self):
        unknown = await self.check("dave@example.org", Outcome.UNKNOWN)
        self.assertIsInstance(unknown.objection(), UnknownRecipient)
        elsewhere = await self.check("ann@example.com", Outcome.ELSEWHERE)
        self.assertIsInstance(elsewhere.objection(), RelayDenied)

    async def test_a_tag_is_the_users(self):
        await self.check("ann+lists@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("ann+a+b@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("dave+x@example.org", Outcome.UNKNOWN)
        await self.check("+ann@example.org", Outcome.UNKNOWN)

    async def test_an_account_with_the_separator_in_its_name_comes_first(self):
        await self.check("a+b@example.org", Outcome.LOCAL, "a+b@example.org")

    async def test_tags_can_be_turned_off(self):
        self.router = Router(self.directory, separator="")
        await self.check("ann+lists@example.org", Outcome.UNKNOWN)

    async def test_an_alias_leads_to_each_of_its_targets_once(self):
        await self.alias("all@example.org", "bob@example.org", "team@example.org")
        await self.alias("team@example.org", "Ann@example.org", "bob@example.org")
        await self.check(
            "all@example.org", Outcome.LOCAL, "bob@example.org", "ann@example.org"
        )
        await self.check(
            "all+tag@example.org", Outcome.LOCAL, "bob@example.org", "ann@example.org"
        )

    async def test_an_alias_may_name_its_own_account(self):
        await self.alias("ann@example.org", "ann@example.org", "bob@example.org")
        await self.check(
            "ann@example.org", Outcome.LOCAL, "ann@example.org", "bob@example.org"
        )

    async def test_a_target_that_has_gone_does_not_stop_the_others(self):
        await self.alias("all@example.org", "gone@example.org", "bob@example.org")
        await self.check("all@example.org", Outcome.LOCAL, "bob@example.org")
        await self.alias("none@example.org", "gone@example.org")
        await self.check("none@example.org", Outcome.UNKNOWN)

    async def test_an_alias_may_lead_elsewhere_too(self):
        await self.alias("all@example.org", "ann@example.org", "X@Example.com")
        decision = await self.check("all@example.org", Outcome.LOCAL, "ann@example.org")
        [departure] = decision.departures
        self.assertEqual(departure.recipient, "X@example.com")
        self.assertEqual(departure.destination, "example.com")
        self.assertEqual(departure.via, ("all@example.org",))
        self.assertIsNone(decision.objection())

    async def test_a_catch_all_takes_what_nobody_else_does(self):
        await self.alias("@example.org", "carol@example.org")
        await self.check("dave@example.org", Outcome.LOCAL, "carol@example.org")
        await self.check("ann@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("dave@example.net", Outcome.UNKNOWN)

    async def test_roles_fall_to_the_configured_postmaster(self):
        self.router = Router(self.directory, postmaster="Bob@example.org")
        for address in ("postmaster@example.org", "Abuse@example.net"):
            await self.check(address, Outcome.LOCAL, "bob@example.org")
        await self.alias("abuse@example.org", "carol@example.org")
        await self.check("abuse@example.org", Outcome.LOCAL, "carol@example.org")
        await self.check("hostmaster@example.org", Outcome.UNKNOWN)

    async def test_roles_fall_to_the_catch_all_and_then_to_the_first_account(self):
        first = "a+b@example.org"
        await self.check("postmaster@example.org", Outcome.LOCAL, first)
        await self.check("abuse+x@example.org", Outcome.LOCAL, first)
        await self.check("postmaster@example.net", Outcome.LOCAL, "zoe@example.net")
        await self.alias("@example.org", "carol@example.org")
        await self.check("postmaster@example.org", Outcome.LOCAL, "carol@example.org")

    async def test_a_postmaster_who_does_not_exist_is_passed_over(self):
        self.router = Router(self.directory, postmaster="nobody@example.org")
        await self.check("postmaster@example.org", Outcome.LOCAL, "a+b@example.org")

    async def test_postmaster_needs_no_domain(self):
        await self.check("PostMaster", Outcome.LOCAL, "zoe@example.net")
        await self.directory.add_domain("a.example")
        await self.check(Address("postmaster", ""), Outcome.LOCAL, "a+b@example.org")

    async def test_a_server_without_accounts_has_no_postmaster(self):
        self.router = Router(MemoryStore().directory)
        await self.check("postmaster", Outcome.UNKNOWN)

    async def test_host_names_and_literals_are_local_when_configured(self):
        names = ("mx.example.org", "[192.0.2.1]")
        for name in names:
            await self.check(f"zoe@{name}", Outcome.ELSEWHERE)
        self.router = Router(self.directory, host_names=names)
        for name in names:
            await self.check(f"zoe@{name}", Outcome.LOCAL, "zoe@example.net")
        await self.check("zoe@[192.0.2.2]", Outcome.ELSEWHERE)
        await self.alias("root@example.org", "zoe@mx.example.org")
        await self.check("root@example.org", Outcome.LOCAL, "zoe@example.net")

    async def test_a_disabled_account_is_refused_for_now(self):
        state = self.directory.state("ann@example.org")
        state.account = replace(state.account, enabled=False)
        decision = await self.check("ann@example.org", Outcome.DISABLED)
        error = decision.objection()
        self.assertIsInstance(error, Refused)
        self.assertFalse(error.permanent)

    async def test_a_decision_explains_itself(self):
        await self.alias("all@example.org", "ann@example.org", "x@example.com")
        decision = await self.decide("all+t@example.org")
        self.assertEqual(
            [(step.address, step.found) for step in decision.steps],
            [
                ("all+t@example.org", "alias all@example.org"),
                ("ann@example.org", "account ann@example.org"),
                ("x@example.com", "elsewhere"),
            ],
        )


class AliasLoopTests(RouterTestCase):
    """Aliases that never end, or lead to too many (attack: alias bomb)."""

    async def chain(self, length):
        for number in range(length):
            target = f"c{number + 1}@example.org"
            if number == length - 1:
                target = "ann@example.org"
            await self.alias(f"c{number}@example.org", target)

    async def test_a_circle_of_aliases_is_a_loop(self):
        await self.alias("x@example.org", "y@example.org")
        await self.alias("y@example.org", "x@example.org")
        decision = await self.check("x@example.org", Outcome.LOOP)
        self.assertIsInstance(decision.objection(), RoutingLoop)
        await self.alias("self@example.org", "self@example.org")
        await self.check("self@example.org", Outcome.LOOP)

    async def test_a_circle_with_a_way_out_delivers_there(self):
        await self.alias("x@example.org", "y@example.org", "ann@example.org")
        await self.alias("y@example.org", "x@example.org")
        await self.check("x@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_meeting_an_address_twice_is_no_loop(self):
        await self.alias("x@example.org", "y@example.org", "z@example.org")
        await self.alias("y@example.org", "gone@example.org")
        await self.alias("z@example.org", "gone@example.org")
        await self.check("x@example.org", Outcome.UNKNOWN)

    async def test_a_chain_as_long_as_allowed_passes(self):
        await self.chain(MAX_DEPTH)
        await self.check("c0@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_a_longer_chain_does_not(self):
        await self.chain(MAX_DEPTH + 1)
        await self.check("c0@example.org", Outcome.LOOP)

    async def test_as_many_addresses_as_allowed_pass(self):
        targets = [f"n{i}@example.org" for i in range(MAX_ADDRESSES - 1)]
        await self.alias("all@example.org", *targets, "ann@example.org")
        await self.check("all@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_one_more_does_not_and_nobody_gets_it(self):
        targets = [f"n{i}@example.org" for i in range(MAX_ADDRESSES)]
        await self.alias("all@example.org", "ann@example.org", *targets)
        await self.check("all@example.org", Outcome.LOOP)

    async def test_addresses_elsewhere_count_too(self):
        targets = [f"n{i}@example.com" for i in range(MAX_ADDRESSES)]
        await self.alias("all@example.org", *targets)
        decision = await self.check("all@example.org", Outcome.LOCAL)
        self.assertEqual(len(decision.departures), MAX_ADDRESSES)
        await self.alias("all@example.org", "ann@example.org", *targets)
        await self.check("all@example.org", Outcome.LOOP)

    async def test_an_alias_bomb_stops(self):
        for level in range(1, 5):
            for number in range(10):
                targets = [f"b{level + 1}x{n}@example.org" for n in range(10)]
                await self.alias(f"b{level}x{number}@example.org", *targets)
        await self.check("b1x0@example.org", Outcome.UNKNOWN)


class RememberedDecisionTests(RouterTestCase):
    """Decisions stand until the directory's version is another."""

    async def setUp(self):
        await super().setUp()
        self.directory.version = lambda: self.version
        self.version = 1

    async def test_a_decision_stands_while_the_version_does(self):
        first = await self.decide("ann@example.org")
        await self.directory.remove_account("ann@example.org")
        self.assertIs(await self.decide("ann@example.org"), first)
        self.version = 2
        await self.check("ann@example.org", Outcome.UNKNOWN)

    async def test_a_change_during_a_decision_is_not_missed(self):
        find_account = self.directory.find_account

        async def find_and_change(address):
            found = await find_account(address)
            if found is not None:
                self.directory.find_account = find_account
                await self.directory.remove_account(address)
                self.version = 2
                await self.decide("bob@example.org")
            return found

        self.directory.find_account = find_and_change
        await self.check("ann@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("ann@example.org", Outcome.UNKNOWN)

    async def test_a_long_list_is_decided_once_for_all_its_tags(self):
        """Attack: a list of a thousand, with another tag each time."""
        members = [f"m{number}@example.com" for number in range(MANY + 1)]
        await self.alias("list@example.org", *members)
        await self.alias("short@example.org", *members[1:])
        await self.alias("list+own@example.org", "ann@example.org")
        self.version = 2
        first = await self.decide("list+1@example.org")
        second = await self.decide("list+2@example.org")
        self.assertEqual(first.address, "list+1@example.org")
        self.assertEqual(len(first.departures), MANY + 1)
        self.assertIs(second.departures, first.departures)
        self.assertIs(second.steps, first.steps)
        [via] = {departure.via for departure in first.departures}
        self.assertEqual(via, ("list@example.org",))
        short = await self.decide("short+1@example.org")
        self.assertEqual(short.departures[0].via, ("short+1@example.org",))
        await self.check("list+own@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_decisions_that_lead_to_as_many_as_allowed_are_kept(self):
        await self.alias("@example.org", *[f"m{n}@example.com" for n in range(1_000)])
        self.version = 2
        first = await self.decide("nobody0@example.org")
        for number in range(1, MAX_PLACES // 1_000):
            await self.decide(f"nobody{number}@example.org")
        self.assertIsNot(await self.decide("nobody0@example.org"), first)

    async def test_as_many_as_allowed_are_kept(self):
        for number in range(MAX_DECISIONS + 1):
            await self.decide(Address(f"nobody{number}", "example.org"))
        await self.directory.add_account("nobody0@example.org", "")
        await self.check("nobody0@example.org", Outcome.LOCAL, "nobody0@example.org")
