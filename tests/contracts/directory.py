"""The contract of a backend: who is here."""

from __future__ import annotations

from mailhub.errors import MailboxExists, NotPermitted
from mailhub.interfaces import IAtomicDirectory
from mailhub.mail.account import Account, Alias, Forward
from mailhub.mail.mailbox import SPECIAL_MAILBOXES
from mailhub.powers import IForwards

from .fixture import ALICE, BOB, StoreFixture, fails, names_of


class DirectoryContract(StoreFixture):
    """:class:`mailhub.interfaces.IDirectory`."""

    async def test_an_account_is_found_as_it_was_added(self):
        directory = self.store.directory
        added = await directory.add_account(BOB, "{PLAIN}other", quota=5000)
        self.assertEqual(
            added, Account(added.account_id, BOB, "{PLAIN}other", quota=5000)
        )
        self.assertEqual(await directory.find_account(BOB), added)
        self.assertEqual(await directory.find_account(ALICE), self.alice)
        self.assertEqual(await directory.accounts(), [self.alice, added])

    async def test_an_unknown_address_is_none(self):
        self.assertIsNone(await self.store.directory.find_account(BOB))
        self.assertIsNone(await self.store.directory.find_alias(ALICE))

    async def test_account_ids_differ_and_never_come_back(self):
        directory = self.store.directory
        bob = await directory.add_account(BOB, "")
        self.assertNotEqual(bob.account_id, self.alice.account_id)
        await directory.remove_account(BOB)
        again = await directory.add_account(BOB, "")
        self.assertNotIn(
            again.account_id, (bob.account_id, self.alice.account_id)
        )

    async def test_a_taken_address_is_refused_and_its_account_stays(self):
        error = self.store.directory.add_account(ALICE, "{PLAIN}thief")
        await fails(MailboxExists, error)
        found = await self.store.directory.find_account(ALICE)
        self.assertEqual(found, self.alice)

    async def test_a_new_account_has_inbox_and_the_special_mailboxes(self):
        infos = await (await self.account()).mailboxes()
        self.assertEqual(names_of(infos), sorted(["INBOX", *SPECIAL_MAILBOXES]))
        for info in infos:
            self.assertTrue(info.exists)
            self.assertTrue(info.subscribed)
            self.assertEqual(info.special_use, SPECIAL_MAILBOXES.get(info.name))

    async def test_a_domain_becomes_local_with_its_first_account(self):
        directory = self.store.directory
        self.assertFalse(await directory.is_local_domain("example.net"))
        await directory.add_account("carol@example.net", "")
        self.assertTrue(await directory.is_local_domain("example.net"))
        self.assertEqual(await directory.domains(), ["example.net", "example.org"])

    async def test_a_domain_is_added_once_and_removed_once(self):
        directory = self.store.directory
        self.assertTrue(await directory.add_domain("example.com"))
        self.assertFalse(await directory.add_domain("example.com"))
        self.assertTrue(await directory.is_local_domain("example.com"))
        self.assertTrue(await directory.remove_domain("example.com"))
        self.assertFalse(await directory.remove_domain("example.com"))
        self.assertFalse(await directory.is_local_domain("example.com"))

    async def test_a_domain_with_accounts_stays(self):
        await fails(NotPermitted, self.store.directory.remove_domain("example.org"))
        self.assertTrue(await self.store.directory.is_local_domain("example.org"))
        await self.store.directory.remove_account(ALICE)
        self.assertTrue(await self.store.directory.remove_domain("example.org"))

    async def test_a_domain_that_ends_like_another_is_another(self):
        directory = self.store.directory
        await directory.add_domain("ample.org")
        self.assertTrue(await directory.remove_domain("ample.org"))

    async def test_removing_an_account_says_whether_it_was_there(self):
        directory = self.store.directory
        self.assertTrue(await directory.remove_account(ALICE))
        self.assertFalse(await directory.remove_account(ALICE))
        self.assertEqual(await directory.accounts(), [])

    async def test_a_password_can_be_changed(self):
        directory = self.store.directory
        self.assertTrue(await directory.set_password(ALICE, "{PLAIN}new"))
        found = await directory.find_account(ALICE)
        self.assertEqual(found.password, "{PLAIN}new")
        self.assertEqual(found.account_id, self.alice.account_id)
        self.assertFalse(await directory.set_password(BOB, "{PLAIN}new"))

    async def test_a_password_is_changed_only_where_it_is_the_expected_one(self):
        directory = self.store.directory
        before = self.alice.password
        changed = directory.set_password(ALICE, "{PLAIN}new", expected=before)
        self.assertTrue(await changed)
        late = directory.set_password(ALICE, "{PLAIN}late", expected=before)
        self.assertFalse(await late)
        found = await directory.find_account(ALICE)
        self.assertEqual(found.password, "{PLAIN}new")
        absent = directory.set_password(BOB, "{PLAIN}new", expected="")
        self.assertFalse(await absent)

    async def test_an_empty_password_can_be_the_expected_one(self):
        directory = self.store.directory
        await directory.add_account(BOB, "")
        other = directory.set_password(BOB, "{PLAIN}x", expected="{PLAIN}y")
        self.assertFalse(await other)
        self.assertTrue(await directory.set_password(BOB, "{PLAIN}x", expected=""))

    async def test_an_alias_is_made_replaced_and_removed(self):
        directory = self.store.directory
        await directory.set_alias("info@example.org", [ALICE, BOB])
        found = await directory.find_alias("info@example.org")
        self.assertEqual(found, Alias("info@example.org", (ALICE, BOB)))
        await directory.set_alias("info@example.org", [BOB])
        found = await directory.find_alias("info@example.org")
        self.assertEqual(found.targets, (BOB,))
        self.assertTrue(await directory.remove_alias("info@example.org"))
        self.assertFalse(await directory.remove_alias("info@example.org"))
        self.assertIsNone(await directory.find_alias("info@example.org"))

    async def test_a_catch_all_is_an_alias_of_its_own_name_only(self):
        directory = self.store.directory
        await directory.set_alias("@example.org", [ALICE])
        await directory.set_alias("a@example.org", [BOB])
        self.assertIsNone(await directory.find_alias("nobody@example.org"))
        found = await directory.find_alias("@example.org")
        self.assertEqual(found.targets, (ALICE,))
        addresses = [alias.address for alias in await directory.aliases()]
        self.assertEqual(addresses, ["@example.org", "a@example.org"])

    async def test_a_forward_is_made_replaced_and_removed(self):
        directory = self.store.directory
        self.assertTrue(IForwards.providedBy(directory))
        self.assertIsNone(await directory.find_forward(ALICE))
        self.assertTrue(await directory.set_forward(ALICE, [BOB, "x@example.com"]))
        found = await directory.find_forward(ALICE)
        self.assertEqual(found, Forward(ALICE, (BOB, "x@example.com")))
        self.assertTrue(await directory.set_forward(ALICE, [BOB], keeps=True))
        kept = Forward(ALICE, (BOB,), keeps=True)
        self.assertEqual(await directory.find_forward(ALICE), kept)
        self.assertEqual(await directory.forwards(), [kept])
        self.assertTrue(await directory.remove_forward(ALICE))
        self.assertFalse(await directory.remove_forward(ALICE))
        self.assertEqual(await directory.forwards(), [])

    async def test_a_forward_belongs_to_its_account(self):
        directory = self.store.directory
        self.assertFalse(await directory.set_forward(BOB, [ALICE]))
        await directory.add_account(BOB, "")
        await directory.set_forward(BOB, [ALICE])
        await directory.remove_account(BOB)
        await directory.add_account(BOB, "")
        self.assertIsNone(await directory.find_forward(BOB))

    async def test_changes_as_one_are_all_made_or_none(self):
        directory = self.store.directory
        if not IAtomicDirectory.providedBy(directory):
            return

        async def add_two(there):
            await there.add_account(BOB, "")
            await there.set_alias("info@example.org", [BOB])
            found = await there.find_alias("info@example.org")
            await there.add_account(ALICE, "")
            return found

        await fails(MailboxExists, directory.perform(add_two))
        self.assertIsNone(await directory.find_account(BOB))
        self.assertIsNone(await directory.find_alias("info@example.org"))
        await directory.remove_account(ALICE)
        found = await directory.perform(add_two)
        self.assertEqual(found, Alias("info@example.org", (BOB,)))
        self.assertEqual(await directory.find_alias("info@example.org"), found)
        addresses = [account.address for account in await directory.accounts()]
        self.assertEqual(addresses, [ALICE, BOB])

    async def test_hostile_addresses_are_data(self):
        """Injection through a user name: values, never text of a statement."""
        directory = self.store.directory
        for address in (
            "' OR 1=1 --@example.org",
            "*)(uid=*@example.org",
            "../../x@example.org",
            "%u@example.org",
            "한글@example.org",
        ):
            added = await directory.add_account(address, "")
            self.assertEqual(await directory.find_account(address), added)
            self.assertTrue(await directory.remove_account(address))
        self.assertEqual(await directory.accounts(), [self.alice])

    async def test_a_version_that_is_known_changes_with_every_answer(self):
        directory = self.store.directory
        changes = (
            lambda: directory.add_domain("new.example"),
            lambda: directory.add_account(BOB, "{PLAIN}other"),
            lambda: directory.set_password(BOB, "{PLAIN}third"),
            lambda: directory.set_alias("team@example.org", [ALICE]),
            lambda: directory.set_alias("team@example.org", [BOB]),
            lambda: directory.remove_alias("team@example.org"),
            lambda: directory.set_forward(BOB, [ALICE]),
            lambda: directory.set_forward(BOB, [ALICE], keeps=True),
            lambda: directory.remove_forward(BOB),
            lambda: directory.remove_account(BOB),
            lambda: directory.remove_domain("new.example"),
        )
        versions = [directory.version()]
        for change in changes:
            await change()
            versions.append(directory.version())
        if versions != [None] * len(versions):
            self.assertEqual(len(set(versions)), len(versions), versions)
