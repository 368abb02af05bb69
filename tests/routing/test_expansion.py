"""Where aliases, forwards, files and other rules lead."""

from __future__ import annotations

from mailhub.errors import LocalFault, Refused, UnknownRecipient
from mailhub.mail.account import Target
from mailhub.mail.address import Address
from mailhub.routing.decision import Departure, Misrouted, Outcome
from mailhub.routing.expansion import Customs
from mailhub.routing.rewriting import Rewriting
from mailhub.routing.router import Router
from mailhub.routing.sources import Rule
from mailhub.routing.srs import DAY, LIFETIME_DAYS, SRS

from .sources import FixedSource
from .test_router import RouterTestCase

NOW = 1_795_226_494.0


class ExpansionTestCase(RouterTestCase):
    """A directory and a source beside it."""

    customs = Customs()

    async def setUp(self):
        await super().setUp()
        self.source = FixedSource()
        self.use()

    def use(self, **settings):
        self.router = Router(
            self.directory,
            sources=[self.source],
            customs=self.customs,
            now=lambda: NOW,
            **settings,
        )

    async def forward(self, name, *targets, keeps=False):
        await self.directory.set_forward(f"{name}@example.org", targets, keeps)

    async def departures(self, address, outcome=Outcome.LOCAL):
        decision = await self.decide(address)
        self.assertEqual(decision.outcome, outcome, decision)
        return list(decision.departures)

    async def id_of(self, address):
        account = await self.directory.find_account(address)
        return account.account_id


class ElsewhereTests(ExpansionTestCase):
    """Addresses of other servers, by themselves and behind aliases."""

    async def test_the_address_itself(self):
        [departure] = await self.departures("Jo@Example.COM", Outcome.ELSEWHERE)
        self.assertEqual(departure, Departure("Jo@example.com", "example.com"))

    async def test_a_domain_with_other_letters_is_sent_to_as_dns_knows_it(self):
        [departure] = await self.departures("jo@bücher.example", Outcome.ELSEWHERE)
        self.assertEqual(departure.recipient, "jo@bücher.example")
        self.assertEqual(departure.destination, "xn--bcher-kva.example")

    async def test_a_literal_is_its_own_destination(self):
        [departure] = await self.departures("jo@[192.0.2.9]", Outcome.ELSEWHERE)
        self.assertEqual(departure.destination, "[192.0.2.9]")

    async def test_a_local_part_that_needs_quotes_gets_them(self):
        await self.alias("x@example.org", '"a b"@example.com')
        [departure] = await self.departures("x@example.org")
        self.assertEqual(departure.recipient, '"a b"@example.com')

    async def test_an_address_elsewhere_is_met_once(self):
        await self.alias("x@example.org", "y@example.org", "A@example.com")
        await self.alias("y@example.org", "a@example.com", "b@example.com")
        departures = await self.departures("x@example.org")
        self.assertEqual(
            [departure.recipient for departure in departures],
            ["a@example.com", "b@example.com"],
        )
        self.assertEqual(departures[0].via, ("x@example.org", "y@example.org"))

    async def test_relay_domains_are_everybody_s(self):
        self.use(relay_domains=["in.example", ".lab.example", "xn--bcher-kva.example"])
        self.source.relayed.add("file.example")
        for domain in ("in.example", "a.lab.example", "b.a.lab.example",
                       "file.example", "bücher.example"):  # fmt: skip
            decision = await self.check(f"jo@{domain}", Outcome.RELAY)
            self.assertIsNone(decision.objection())
        for domain in ("lab.example", "a.in.example", "notin.example", "example"):
            await self.check(f"jo@{domain}", Outcome.ELSEWHERE)

    async def test_other_ways_get_the_address_that_led_there(self):
        for target, destination in (
            ("lmtp:127.0.0.1:24", "lmtp:127.0.0.1:24"),
            ("function:tickets", "function:tickets"),
            ("https://h.example/in", "http:https://h.example/in"),
        ):
            await self.alias("Desk@example.org".lower(), target)
            [departure] = await self.departures("Desk+1@example.org")
            self.assertEqual(departure.recipient, "Desk+1@example.org")
            self.assertEqual(departure.destination, destination)


class ListTests(ExpansionTestCase):
    """Aliases with an owner (RFC 5321, section 3.9.2)."""

    async def test_the_owner_is_the_sender_of_what_a_list_sends_on(self):
        await self.alias("list@example.org", "ann@example.org", "x@example.com")
        await self.alias("owner-list@example.org", "bob@example.org")
        [departure] = await self.departures("list@example.org")
        self.assertEqual(departure.owner, "owner-list@example.org")

    async def test_an_owner_may_be_a_user_or_a_rule_of_a_file(self):
        await self.directory.add_account("owner-a@example.org", "")
        self.source.add("owner-b@example.org", "bob")
        for name in "ab":
            await self.alias(f"{name}@example.org", "x@example.com")
            [departure] = await self.departures(f"{name}@example.org")
            self.assertEqual(departure.owner, f"owner-{name}@example.org")

    async def test_of_a_list_in_a_list_the_inner_one_counts(self):
        await self.alias("outer@example.org", "inner@example.org", "o@example.com")
        await self.alias("inner@example.org", "i@example.com", "plain@example.org")
        await self.alias("plain@example.org", "p@example.com")
        for name in ("inner", "outer"):
            await self.alias(f"owner-{name}@example.org", "ann@example.org")
        found = {
            departure.recipient: departure.owner
            for departure in await self.departures("outer@example.org")
        }
        inner, outer = "owner-inner@example.org", "owner-outer@example.org"
        expected = {"i@example.com": inner, "p@example.com": inner,
                    "o@example.com": outer}  # fmt: skip
        self.assertEqual(found, expected)

    async def test_an_owner_s_own_mail_and_catch_alls_have_no_owner(self):
        await self.alias("owner-x@example.org", "x@example.com")
        await self.alias("owner-owner-x@example.org", "ann@example.org")
        [departure] = await self.departures("owner-x@example.org")
        self.assertIsNone(departure.owner)
        await self.alias("@example.org", "x@example.com")
        await self.alias("owner-@example.org", "ann@example.org")
        [departure] = await self.departures("else@example.org")
        self.assertIsNone(departure.owner)


class ForwardTests(ExpansionTestCase):
    """Users' mail that is sent on."""

    async def test_a_forward_takes_the_place_of_the_mailbox(self):
        await self.forward("ann", "Ann@example.com")
        [departure] = await self.departures("ann@example.org")
        self.assertEqual(
            departure,
            Departure("Ann@example.com", "example.com", None, ("ann@example.org",)),
        )
        await self.check("ann@example.org", Outcome.LOCAL)

    async def test_a_copy_may_stay(self):
        await self.forward("ann", "ann@example.com", keeps=True)
        decision = await self.check("ann@example.org", Outcome.LOCAL, "ann@example.org")
        self.assertEqual(len(decision.departures), 1)

    async def test_tags_and_aliases_lead_to_the_forward(self):
        await self.forward("ann", "ann@example.com")
        await self.alias("team@example.org", "ann@example.org", "bob@example.org")
        [departure] = await self.departures("ann+x@example.org")
        self.assertEqual(departure.via, ("ann@example.org",))
        decision = await self.check(
            "team@example.org", Outcome.LOCAL, "bob@example.org"
        )
        self.assertEqual(
            decision.departures[0].via, ("team@example.org", "ann@example.org")
        )

    async def test_a_file_of_the_user_counts_where_the_directory_has_none(self):
        targets = ("\\ann", "ann@example.com")
        self.source.forwards["ann@example.org"] = Rule(targets, "~ann/.forward")
        decision = await self.check("ann@example.org", Outcome.LOCAL, "ann@example.org")
        self.assertEqual(decision.departures[0].recipient, "ann@example.com")
        await self.forward("ann", "other@example.com")
        [departure] = await self.departures("ann@example.org")
        self.assertEqual(departure.recipient, "other@example.com")

    async def test_the_own_address_among_the_targets_keeps_a_copy(self):
        for own in ("ann", "\\ann", "ann@example.org", "Ann@Example.org"):
            await self.forward("ann", own, "bob@example.org")
            await self.check(
                "ann@example.org", Outcome.LOCAL, "ann@example.org", "bob@example.org"
            )

    async def test_a_backslash_passes_over_aliases_and_forwards(self):
        await self.alias("bob@example.org", "carol@example.org")
        await self.forward("bob", "x@example.com")
        await self.alias("exact@example.org", "\\bob", "\\gone")
        await self.check("exact@example.org", Outcome.LOCAL, "bob@example.org")

    async def test_forwards_behind_forwards_end(self):
        await self.forward("ann", "bob@example.org")
        await self.forward("bob", "carol@example.org")
        await self.check("ann@example.org", Outcome.LOCAL, "carol@example.org")

    async def test_users_who_forward_to_each_other_are_a_loop(self):
        await self.forward("ann", "bob@example.org")
        await self.forward("bob", "ann@example.org")
        await self.check("ann@example.org", Outcome.LOOP)
        await self.forward("bob", "ann@example.org", keeps=True)
        await self.check("ann@example.org", Outcome.LOCAL, "bob@example.org")

    async def test_whom_a_forward_leads_to_does_not_own_the_address(self):
        """Attack: a user forwards to another, who then sends as the first."""
        await self.alias("team@example.org", "ann@example.org")
        await self.forward("ann", "bob@example.org")
        for address in ("team@example.org", "ann@example.org"):
            decision = await self.check(address, Outcome.LOCAL, "bob@example.org")
            self.assertEqual(decision.owners, {"ann@example.org"})


class RuleTests(ExpansionTestCase):
    """What rules of files may say."""

    async def test_rules_come_after_aliases_and_before_accounts(self):
        self.source.add("ann@example.org", "bob")
        await self.check("ann@example.org", Outcome.LOCAL, "bob@example.org")
        await self.alias("ann@example.org", "carol@example.org")
        await self.check("ann@example.org", Outcome.LOCAL, "carol@example.org")

    async def test_domains_of_a_source_are_local(self):
        self.source.local.add("files.example")
        await self.check("x@files.example", Outcome.UNKNOWN)
        self.source.add("x@files.example", "ann@example.org")
        self.source.counted += 1
        await self.check("x@files.example", Outcome.LOCAL, "ann@example.org")

    async def test_a_domain_as_target_keeps_the_local_part(self):
        self.source.local.add("old.example")
        self.source.add("@old.example", "@example.org")
        await self.check("Ann+x@old.example", Outcome.LOCAL, "ann@example.org")
        await self.check("nobody@old.example", Outcome.UNKNOWN)
        await self.alias("@example.net", "@example.com")
        [departure] = await self.departures("Jo.X@example.net")
        self.assertEqual(departure.recipient, "Jo.X@example.com")

    async def test_patterns_are_filled_in(self):
        self.source.local.add("old.example")
        pattern = "old-%1%3@example.com"
        self.source.add("@old.example", pattern, in_pattern=True)
        [departure] = await self.departures("Jo+tag@old.example")
        self.assertEqual(departure.recipient, "old-Jo+tag@example.com")
        self.source.add("@old.example", pattern)
        self.source.counted += 1
        [departure] = await self.departures("Jo@old.example")
        self.assertEqual(departure.recipient, pattern)

    async def test_what_is_filled_in_is_an_address_only(self):
        """Attack: a local part that would be a command, or a file, or a way."""
        self.customs = Customs(programs=True)
        self.use()
        self.source.local.add("old.example")
        self.source.add("@old.example", "%1@example.com", in_pattern=True)
        for local in ("|id", "/etc/passwd", ":include:/etc/passwd", "lmtp:/x", "\\ann",
                      "function:x", "@other.example", "${run{id}}", "%(x)s", ";id;",
                      "{0.__class__}", "$(id)", "`id`"):  # fmt: skip
            [departure] = await self.departures(Address(local, "old.example"))
            self.assertEqual(departure.destination, "example.com")
            self.assertIn(local.replace("\\", "\\\\"), departure.recipient)

    async def test_a_rule_may_refuse(self):
        self.source.add("gone@example.org", "error:5.2.1 Jo has left")
        decision = await self.check("gone@example.org", Outcome.REFUSED)
        error = decision.objection()
        self.assertIsInstance(error, Refused)
        self.assertEqual(error.text, "Jo has left")
        self.source.add("gone@example.org", "error:nouser", "ann")
        self.source.counted += 1
        await self.check("gone@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_a_rule_may_throw_away(self):
        self.source.add("noreply@example.org", "/dev/null")
        decision = await self.check("noreply@example.org", Outcome.LOCAL)
        self.assertIsNone(decision.objection())
        self.assertEqual((decision.targets, decision.departures), ((), ()))

    async def test_a_rule_may_hold_what_it_leads_to(self):
        self.source.add("new@example.org", "hold:not tried yet", "ann")
        decision = await self.check("new@example.org", Outcome.LOCAL, "ann@example.org")
        self.assertEqual(decision.hold, "not tried yet")

    async def test_a_mailbox_may_be_named(self):
        self.source.add("lists@example.org", "mailbox:ann/Lists/Twisted", "mailbox:bob")
        decision = await self.check(
            "lists@example.org", Outcome.LOCAL, "ann@example.org", "bob@example.org"
        )
        ann, bob = [await self.id_of(f"{name}@example.org") for name in ("ann", "bob")]
        self.assertEqual(
            decision.targets, (Target(ann, "Lists/Twisted"), Target(bob, "INBOX"))
        )

    async def test_files_are_included(self):
        self.source.files["/l"] = ("ann", "x@example.com", ":include:/m")
        self.source.files["/m"] = ("bob", ":include:/l")
        await self.alias("list@example.org", ":include:/l")
        decision = await self.check(
            "list@example.org", Outcome.LOCAL, "ann@example.org", "bob@example.org"
        )
        self.assertEqual(len(decision.departures), 1)

    async def test_what_cannot_be_followed_is_a_fault_of_ours(self):
        for target in ("/var/mail/x", ":include:/missing", "not an address", "|prog"):
            self.source.add("x@example.org", target)
            self.source.counted += 1
            decision = await self.check("x@example.org", Outcome.BROKEN)
            error = decision.objection()
            self.assertIsInstance(error, Misrouted)
            self.assertIsInstance(error, LocalFault)
            self.assertFalse(error.permanent)
            self.source.add("x@example.org", target, "ann")
            self.source.counted += 1
            await self.check("x@example.org", Outcome.LOCAL, "ann@example.org")

    async def test_nobody_reads_files_without_a_source(self):
        self.router = Router(self.directory)
        await self.alias("x@example.org", ":include:/x")
        await self.check("x@example.org", Outcome.BROKEN)

    async def test_programs_are_started_only_where_that_is_allowed(self):
        self.customs = Customs(programs=True)
        self.use()
        self.source.add("prog@example.org", "|prog -x")
        [departure] = await self.departures("prog@example.org")
        self.assertEqual(departure.destination, "program:prog -x")
        self.customs = Customs()
        self.use()
        await self.check("prog@example.org", Outcome.BROKEN)

    async def test_a_forward_never_starts_a_program(self):
        self.customs = Customs(programs=True)
        self.use()
        self.source.add("prog@example.org", "|prog -x")
        await self.forward("ann", "|prog -x")
        await self.check("ann@example.org", Outcome.BROKEN)
        await self.forward("ann", "prog@example.org")
        await self.check("ann@example.org", Outcome.BROKEN)

    async def test_a_source_that_cannot_tell_is_a_fault_of_ours(self):
        async def fail(address):
            raise LocalFault("cannot read")

        self.source.find_alias = fail
        with self.assertRaises(LocalFault):
            await self.decide("ann@example.org")

    async def test_decisions_stand_until_a_source_changes(self):
        self.directory.version = lambda: 1
        first = await self.decide("ann@example.org")
        self.assertIs(await self.decide("ann@example.org"), first)
        self.source.counted += 1
        self.assertIsNot(await self.decide("ann@example.org"), first)
        self.source.counted = None
        second = await self.decide("ann@example.org")
        self.assertIsNot(await self.decide("ann@example.org"), second)


class TagTests(ExpansionTestCase):
    """``user+name`` as a mailbox."""

    customs = Customs(tag_is_mailbox=True)

    async def mailboxes(self, address):
        decision = await self.decide(address)
        return [target.mailbox for target in decision.targets]

    async def test_the_tag_names_a_mailbox_in_its_own_spelling(self):
        self.assertEqual(await self.mailboxes("ann+Lists@example.org"), ["Lists"])
        self.assertEqual(await self.mailboxes("Ann+a/b@example.org"), ["a/b"])
        self.assertEqual(await self.mailboxes("ann@example.org"), ["INBOX"])

    async def test_a_tag_that_can_be_no_mailbox_means_none(self):
        for tag in ("a//b", "*", "%", "/"):
            address = f"ann+{tag}@example.org"
            self.assertEqual(await self.mailboxes(address), ["INBOX"], tag)

    async def test_the_tag_passes_an_alias_of_the_own_name(self):
        await self.alias("ann@example.org", "\\ann", "bob@example.org")
        found = await self.mailboxes("ann+Lists@example.org")
        self.assertEqual(found, ["Lists", "INBOX"])

    async def test_without_that_custom_the_tag_means_nothing(self):
        self.customs = Customs()
        self.use()
        self.assertEqual(await self.mailboxes("ann+Lists@example.org"), ["INBOX"])


class RewrittenTests(ExpansionTestCase):
    """Recipients that become others before anything is looked up."""

    async def test_recipients_are_rewritten_once(self):
        pairs = [("dave@example.org", "ann@example.org"),
                 ("@example.com", "@example.org")]  # fmt: skip
        self.use(recipients=Rewriting(pairs))
        await self.check("Dave@example.org", Outcome.LOCAL, "ann@example.org")
        await self.check("bob@example.com", Outcome.LOCAL, "bob@example.org")
        decision = await self.check("dave@example.com", Outcome.UNKNOWN)
        self.assertEqual(
            (decision.steps[0].address, decision.steps[0].found),
            ("dave@example.com", "rewritten to dave@example.org"),
        )
        self.assertIsInstance(decision.objection(), UnknownRecipient)

    async def test_a_source_rewrites_first(self):
        self.source.recipients["x@example.com"] = "ann@example.org"
        await self.check("X@example.com", Outcome.LOCAL, "ann@example.org")

    async def test_senders_are_rewritten_by_rules_of_their_own(self):
        self.use(senders=Rewriting([("@mx.example.org", "@example.org")]))
        self.source.senders["root@mx.example.org"] = "Jo@example.com"
        for given, expected in (
            ("ann@mx.example.org", "ann@example.org"),
            ("root@mx.example.org", "Jo@example.com"),
            ("ann@example.com", "ann@example.com"),
        ):
            local, _, domain = given.partition("@")
            found = await self.router.sender(Address(local, domain))
            self.assertEqual(str(found), expected)


class ForwarderTests(ExpansionTestCase):
    """Whom bounces of what is sent on go to, and how they find home."""

    async def setUp(self):
        await super().setUp()
        self.srs = SRS(lambda: bytes(32))
        self.use(srs=self.srs)
        self.sender = Address("Al", "example.com")
        await self.forward("ann", "ann@example.net.example")

    async def sender_of(self, address, sender=None):
        decision = await self.decide(address)
        [departure] = decision.departures
        return await self.router.forwarder(sender or self.sender, departure)

    async def test_what_is_forwarded_has_a_sender_of_this_server(self):
        found = await self.sender_of("ann@example.org")
        self.assertRegex(found, r"\ASRS0=\w+=\w+=example\.com=Al@example\.org\Z")

    async def test_a_sender_of_this_server_stays(self):
        found = await self.sender_of("ann@example.org", Address("Bob", "example.org"))
        self.assertEqual(found, "Bob@example.org")

    async def test_what_is_not_forwarded_keeps_its_sender(self):
        self.use(srs=self.srs, relay_domains=["in.example"])
        self.assertEqual(await self.sender_of("x@in.example"), "Al@example.com")

    async def test_the_owner_of_a_list_comes_first(self):
        await self.alias("list@example.org", "x@example.net.example")
        await self.alias("owner-list@example.org", "ann@example.org")
        found = await self.sender_of("list@example.org")
        self.assertEqual(found, "owner-list@example.org")

    async def test_programs_and_mailboxes_beside_us_see_who_has_sent_it(self):
        for way in ("function:x", "lmtp:127.0.0.1:24", "https://h.example/"):
            await self.alias("x@example.org", way)
            self.assertEqual(await self.sender_of("x@example.org"), "Al@example.com")
        await self.alias("x@example.org", "smtp:mx.far.example")
        self.assertIn("SRS0=", await self.sender_of("x@example.org"))

    async def test_without_srs_the_sender_stays(self):
        self.use()
        self.assertEqual(await self.sender_of("ann@example.org"), "Al@example.com")

    async def test_a_bounce_finds_who_has_sent_it(self):
        signed = await self.sender_of("ann@example.org")
        [departure] = await self.departures(signed, Outcome.BOUNCE)
        self.assertEqual(departure, Departure("Al@example.com", "example.com"))
        [departure] = await self.departures(signed.lower(), Outcome.BOUNCE)
        self.assertEqual(departure.recipient, "al@example.com")

    async def test_what_was_not_signed_here_is_nobody(self):
        for local in ("SRS0=abcdef=aa=example.com=al", "SRS0=", "SRS1=a=b==c"):
            await self.check(f"{local}@example.org", Outcome.UNKNOWN)
            await self.alias("@example.org", "ann@example.org")

    async def test_a_signed_address_ends_though_nothing_else_changes(self):
        self.directory.version = lambda: 1
        signed = await self.sender_of("ann@example.org")
        now = [NOW]
        self.router = Router(self.directory, srs=self.srs, now=lambda: now[0])
        await self.departures(signed, Outcome.BOUNCE)
        now[0] += (LIFETIME_DAYS + 1) * DAY
        await self.check(signed, Outcome.UNKNOWN)

    async def test_a_bounce_may_end_in_a_mailbox_here(self):
        signed = self.srs.sign(Address("bob", "example.org"), "example.org", NOW)
        await self.check(signed, Outcome.BOUNCE, "bob@example.org")
        signed = self.srs.sign(Address("gone", "example.org"), "example.org", NOW)
        await self.check(signed, Outcome.UNKNOWN)
