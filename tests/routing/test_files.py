"""Tests of :mod:`mailhub.routing.files`: what a router makes of the classic files."""

from __future__ import annotations

import os
from types import SimpleNamespace

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from mailhub.errors import Refused, Status
from mailhub.mail.address import Address, parse_mailbox
from mailhub.routing.decision import Outcome
from mailhub.routing.expansion import Customs
from mailhub.routing.files import MAX_INCLUDES, ClassicFiles
from mailhub.routing.router import Router
from mailhub.store.memory import MemoryStore
from mailhub.tables.forward import MAX_INCLUDE
from mailhub.watched import homes
from mailhub.watched.places import Places
from mailhub.watched.shelf import LOOK_SECONDS, Shelf, run_here

from ..watched.places import Folder

ALIASES = """
postmaster: root
root:       jo
staff:      jo, jim, ann@example.com
owner-staff: jim
list:       :include:{folder}/members
webmaster:  nobody-here
prog:       "|/usr/bin/program"
spool:      /var/spool/x
null:       /dev/null
"""
VIRTUAL = """
info@virtual.example     jo
sales@virtual.example    jim, ann@example.com
gone@virtual.example     error:5.1.6:550 He has left
old+*@virtual.example    jo+%2@example.org
virtual.example          anything
@all.example             jim
@pass.example            %1@example.org
all.example              x
pass.example             x
boss                     jim
"""


class FilesCase(TestCase):
    """A router with two users and files."""

    kinds = "aliases", "virtusertable", "local_host_names"
    origin = "example.org"

    async def setUp(self):
        self.folder = Folder(self.mktemp())
        self.clock = Clock()
        self.directory = MemoryStore().directory
        for name in ("jo", "jim"):
            await self.directory.add_account(f"{name}@example.org", "")
        self.write("members", "jo\n# and\njim, ann@example.com\n")
        self.write("aliases", ALIASES.format(folder=self.folder.path))
        self.write("virtusertable", VIRTUAL)
        self.write("local_host_names", "mail.example.org\nold.example\n")
        self.use({kind: (self.path(kind),) for kind in self.kinds})

    def use(self, paths, **how):
        places = Places(**paths, origin=how.pop("origin", self.origin))
        shelf = Shelf(self.clock, run_here)
        self.files = ClassicFiles(shelf, places, self.clock, run_here, **how)
        customs = Customs(programs=how.get("programs", False))
        self.router = Router(self.directory, sources=[self.files], customs=customs)

    def path(self, name):
        return os.path.join(self.folder.path, name)

    def write(self, name, text, **how):
        return self.folder.write(name, text, **how)

    async def decide(self, address):
        return await self.router.resolve(parse_mailbox(address.encode(), smtputf8=True))

    async def leads(self, address):
        """The outcome, and all that *address* leads to."""
        decision = await self.decide(address)
        here = [account.address for account in decision.accounts]
        return decision.outcome, [*here, *(d.recipient for d in decision.departures)]

    async def check(self, address, *leads, outcome=Outcome.LOCAL):
        self.assertEqual(await self.leads(address), (outcome, list(leads)), address)


class AliasTests(FilesCase):
    """aliases(5)."""

    async def test_names_lead_to_users_and_elsewhere(self):
        for address, leads in (
            ("root@example.org", ["jo@example.org"]),
            ("Postmaster@Example.org", ["jo@example.org"]),
            ("staff@example.org",
             ["jo@example.org", "jim@example.org", "ann@example.com"]),
            ("staff+tag@example.org",
             ["jo@example.org", "jim@example.org", "ann@example.com"]),
            ("list@example.org",
             ["jo@example.org", "jim@example.org", "ann@example.com"]),
        ):  # fmt: skip
            await self.check(address, *leads)

    async def test_they_hold_in_all_of_the_machine_s_domains(self):
        await self.check("root@mail.example.org", "jo@example.org")
        await self.check("jo@old.example", "jo@example.org")
        await self.check("jo+tag@old.example", "jo@example.org")
        await self.check("nobody@old.example", outcome=Outcome.UNKNOWN)

    async def test_they_do_not_hold_in_virtual_domains(self):
        await self.check("staff@virtual.example", outcome=Outcome.UNKNOWN)

    async def test_owners_get_what_bounces(self):
        decision = await self.decide("staff@example.org")
        [departure] = decision.departures
        self.assertEqual(departure.owner, "owner-staff@example.org")

    async def test_null_takes_everything(self):
        await self.check("null@example.org")

    async def test_mail_for_programs_and_files_waits(self):
        for name in ("prog", "spool"):
            await self.check(f"{name}@example.org", outcome=Outcome.BROKEN)

    async def test_allowed_programs_get_mail(self):
        self.use({"aliases": (self.path("aliases"),)}, programs=True)
        decision = await self.decide("prog@example.org")
        [departure] = decision.departures
        self.assertEqual(departure.destination, "program:/usr/bin/program")

    async def test_steps_tell_file_and_line(self):
        decision = await self.decide("root@example.org")
        told = " ".join(step.found for step in decision.steps)
        self.assertIn(self.path("aliases") + ":3", told)

    async def test_a_change_counts_from_the_next_look_on(self):
        await self.check("root@example.org", "jo@example.org")
        self.write("aliases", "root: jim")
        await self.check("root@example.org", "jo@example.org")
        self.clock.advance(LOOK_SECONDS)
        await self.check("root@example.org", "jim@example.org")

    async def test_a_change_of_a_list_counts_as_well(self):
        await self.leads("list@example.org")
        self.write("members", "jim")
        self.clock.advance(LOOK_SECONDS)
        await self.check("list@example.org", "jim@example.org")

    async def test_a_hangup_makes_it_count_at_once(self):
        await self.leads("root@example.org")
        self.write("aliases", "root: jim")
        self.files.look_again()
        await self.check("root@example.org", "jim@example.org")

    async def test_a_faulty_file_changes_nothing(self):
        await self.check("root@example.org", "jo@example.org")
        self.write("aliases", "root jim")
        self.clock.advance(LOOK_SECONDS)
        await self.check("root@example.org", "jo@example.org")

    async def test_without_an_origin_names_are_of_the_domain_they_are_found_for(self):
        await self.directory.add_account("jo@example.net", "")
        self.use({"aliases": (self.path("aliases"),)}, origin="")
        await self.check("root@example.net", "jo@example.net")
        await self.check("root@example.org", "jo@example.org")

    async def test_the_first_of_several_files_counts(self):
        first = self.write("first", "root: jim")
        self.use({"aliases": (first, self.path("aliases"))})
        await self.check("root@example.org", "jim@example.org")
        await self.check("null@example.org")


class ListTests(FilesCase):
    """``:include:``."""

    async def test_a_list_that_others_can_write_is_not_used(self):
        self.write("members", "jo", mode=0o666)
        await self.check("list@example.org", outcome=Outcome.BROKEN)

    async def test_a_list_that_is_not_there_lets_mail_wait(self):
        os.remove(self.path("members"))
        await self.check("list@example.org", outcome=Outcome.BROKEN)

    async def test_programs_in_lists_are_not_started_whoever_allows_them(self):
        self.write("members", '"|/bin/sh"')
        self.use({"aliases": (self.path("aliases"),)}, programs=True)
        await self.check("list@example.org", outcome=Outcome.BROKEN)

    async def test_a_list_without_an_absolute_path_lets_mail_wait(self):
        self.write("aliases", "list: :include:members")
        await self.check("list@example.org", outcome=Outcome.BROKEN)

    async def test_a_list_has_its_limit(self):
        fitting = "jo\n" + "#" * (MAX_INCLUDE - 3)
        self.write("members", fitting)
        await self.check("list@example.org", "jo@example.org")
        self.write("members", fitting + "#")
        self.use({"aliases": (self.path("aliases"),)})
        await self.check("list@example.org", outcome=Outcome.BROKEN)

    async def test_so_many_lists_are_kept_and_no_more(self):
        for number in range(MAX_INCLUDES + 1):
            path = self.write(f"l{number}", "jo")
            await self.files.include(path)
        self.assertEqual(len(self.files._includes), 1)

    async def test_a_list_in_itself_is_read_once(self):
        self.write("members", f"jo, :include:{self.path('members')}")
        decision = await self.decide("list@example.org")
        self.assertEqual([a.address for a in decision.accounts], ["jo@example.org"])


class VirtualTests(FilesCase):
    """virtusertable, virtual(5)."""

    async def test_addresses_lead_to_users_and_elsewhere(self):
        await self.check("info@virtual.example", "jo@example.org")
        await self.check("sales@virtual.example", "jim@example.org", "ann@example.com")
        await self.check("anybody@all.example", "jim@example.org")

    async def test_parts_of_addresses_are_filled_in(self):
        await self.check("jim@pass.example", "jim@example.org")
        await self.check("old+jo@virtual.example", "jo@example.org")
        await self.check("nobody@pass.example", outcome=Outcome.UNKNOWN)

    async def test_refusals(self):
        decision = await self.decide("gone@virtual.example")
        self.assertIs(decision.outcome, Outcome.REFUSED)
        refusal = decision.objection()
        self.assertEqual((refusal.code, refusal.text), (550, "He has left"))
        # What is raised again and again would grow each time.
        self.assertIsNot(decision.objection(), refusal)

    async def test_other_names_of_a_virtual_domain_are_unknown(self):
        await self.check("jo@virtual.example", outcome=Outcome.UNKNOWN)

    async def test_names_alone_hold_in_the_machine_s_domains(self):
        await self.check("boss@mail.example.org", "jim@example.org")


class DomainTests(FilesCase):
    """local-host-names, relay-domains."""

    async def test_domains_that_nobody_named_are_elsewhere(self):
        await self.check(
            "x@example.com", "x@example.com", outcome=Outcome.ELSEWHERE
        )

    async def test_relay_domains_and_what_is_below_them(self):
        path = self.write("relay", "partner.example\n10.0.0.0/8\n")
        self.use({"relay_domains": (path,)})
        for domain in ("partner.example", "mx.partner.example"):
            outcome, _ = await self.leads(f"x@{domain}")
            self.assertIs(outcome, Outcome.RELAY)
        outcome, _ = await self.leads("x@other.example")
        self.assertIs(outcome, Outcome.ELSEWHERE)


class TransportTests(FilesCase):
    """transport(5), mailertable."""

    async def setUp(self):
        await super().setUp()
        path = self.write(
            "transport",
            "example.com smtp:[mx.example.net]:2525\n"
            "gone.example error:5.1.2 no such domain\nplain.example :\n",
        )
        self.use({"aliases": (self.path("aliases"),), "transport": (path,)})

    async def destinations(self, address):
        decision = await self.decide(address)
        return [departure.destination for departure in decision.departures]

    async def test_mail_leaves_by_the_way_of_its_domain(self):
        for address, destination in (
            ("x@example.com", "smtp:mx.example.net:2525"),
            ("x@plain.example", "plain.example"),
            ("x@other.example", "other.example"),
            ("staff@example.org", "smtp:mx.example.net:2525"),
        ):
            self.assertEqual(await self.destinations(address), [destination], address)

    async def test_a_way_makes_nobody_a_relay(self):
        await self.check("x@example.com", "x@example.com", outcome=Outcome.ELSEWHERE)

    async def test_refusals(self):
        asked = self.decide("x@gone.example")
        refusal = await self.assertFailure(Deferred.fromCoroutine(asked), Refused)
        self.assertEqual(refusal.text, "no such domain")
        self.assertIs(refusal.status, Status.BAD_DESTINATION)


class CanonicalTests(FilesCase):
    """canonical(5), genericstable."""

    async def setUp(self):
        await super().setUp()
        self.use(
            {
                "canonical": (self.write("both", "@old.example @example.org"),),
                "sender_canonical": (self.write("from", "jo Jo.Doe@example.org"),),
                "recipient_canonical": (self.write("to", "Jo.Doe@example.org jo"),),
            }
        )

    async def test_senders(self):
        for old, new in (
            ("jo@example.org", "Jo.Doe@example.org"),
            ("x@old.example", "x@example.org"),
            ("jo@example.com", "jo@example.com"),
        ):
            local, _, domain = old.partition("@")
            found = await self.router.sender(Address(local, domain))
            self.assertEqual(str(found), new)

    async def test_recipients(self):
        await self.check("jo.doe@example.org", "jo@example.org")
        await self.check("jim@old.example", "jim@example.org")


class ForwardTests(FilesCase):
    """``.forward`` of the machine's users."""

    async def setUp(self):
        await super().setUp()
        def getpwnam(name):
            return SimpleNamespace(pw_dir=self.folder.path, pw_uid=os.geteuid())

        self.patch(homes, "pwd", SimpleNamespace(getpwnam=getpwnam))
        await self.directory.add_account("jo@example.net", "")
        self.use({"forward": "~/.forward.$u"})

    async def test_mail_of_a_user_is_sent_on(self):
        self.write(".forward.jo", "ann@example.com")
        await self.check("jo@example.org", "ann@example.com")

    async def test_a_copy_can_be_kept(self):
        self.write(".forward.jo", "\\jo\nann@example.com")
        await self.check("jo@example.org", "jo@example.org", "ann@example.com")

    async def test_a_new_forward_counts(self):
        await self.check("jo@example.org", "jo@example.org")
        self.write(".forward.jo", "ann@example.com")
        self.clock.advance(LOOK_SECONDS)
        await self.check("jo@example.org", "ann@example.com")

    async def test_a_user_of_the_same_name_elsewhere_is_another(self):
        self.write(".forward.jo", "ann@example.com")
        await self.check("jo@example.net", "jo@example.net")

    async def test_programs_are_not_started_and_the_mailbox_gets_mail(self):
        self.write(".forward.jo", '"|/usr/bin/program"')
        self.use({"forward": "~/.forward.$u"}, programs=True)
        await self.check("jo@example.org", "jo@example.org")


class InjectionTests(FilesCase):
    """Addresses that mean something to a shell, a file or a template are only text.

    OpenSMTPD CVE-2020-7247, Exim CVE-2019-10149.
    """

    LOCALS = (
        ";id;", "|/bin/sh", "/etc/passwd", ":include:/etc/passwd", "${run{id}}",
        "$(id)", "`id`", "%(x)s", "{0.__class__}", "%1", "%n", "../../etc/x", "\\jo",
        "\\\\jo", "error:nouser", "-oQ/tmp", "~root", "jo\n", "a\rb",
    )  # fmt: skip

    async def test_no_local_part_is_a_target_where_all_of_a_domain_is_passed_on(self):
        for local in self.LOCALS:
            for domain in ("pass.example", "old.example", "example.org"):
                decision = await self.router.resolve(Address(local, domain))
                self.assertEqual(decision.accounts, (), local)
                self.assertEqual(decision.departures, (), local)

    async def test_a_local_part_that_is_filled_in_stays_one(self):
        path = self.write("virtual", "@out.example %1@example.com\nout.example x\n")
        self.use({"virtusertable": (path,)})
        for local in self.LOCALS:
            decision = await self.router.resolve(Address(local, "out.example"))
            for departure in decision.departures:
                self.assertEqual(departure.destination, "example.com")
                self.assertTrue(departure.recipient.endswith("@example.com"))

    async def test_no_local_part_is_a_path_of_a_forward(self):
        asked = []

        def getpwnam(name):
            asked.append(name)
            raise KeyError(name)

        self.patch(homes, "pwd", SimpleNamespace(getpwnam=getpwnam))
        self.use({"forward": "/nonexistent/$u"})
        for local in self.LOCALS:
            await self.files.find_forward(f"{local}@example.org")
        self.assertEqual(asked, [])
