"""The contract of a backend: names of mailboxes, honest and hostile."""

from __future__ import annotations

from mailhub.errors import InvalidMailboxName, MailError
from mailhub.mail.mailbox import MAX_NAME_LEVELS, MAX_NAME_OCTETS

from .fixture import StoreFixture, fails, message, names_of

#: Names that no mailbox gets, however the store keeps its mailboxes.
HOSTILE = [
    "",
    "/",
    "/etc/passwd",
    "a/",
    "a//b",
    "../../x",
    "a/../b",
    "a/./b",
    ".",
    "..",
    "\0",
    "a\0b",
    "a\r\nb",
    "a\x7fb",
    "a%b",
    "a*",
    "\ud800",
    "x" * 10_240,
    "/".join(["x"] * 1000),
]

#: Names that are unusual and nothing else.
HONEST = [
    "Entwürfe",
    "받은 편지함/보관함",
    "🗄",
    "a b",
    " leading and trailing ",
    "-rf",
    "~root",
    "$HOME",
    "...",
    "..hidden",
    "con.txt",
    "'; drop table mailbox; --",
    '"quoted"',
    "back\\slash",
    "a_b",
    "[x]",
    "a?b",
    "#news",
    "inboxes",
    "NULL",
    "x" * MAX_NAME_OCTETS,
    "/".join("x" * MAX_NAME_LEVELS),
]


class NamesContract(StoreFixture):
    """Names are data, never paths or patterns (attack: name traversal)."""

    async def test_hostile_names_are_refused_and_nothing_is_made(self):
        account = await self.account()
        await account.create("plain")
        before = await account.mailboxes()
        for name in HOSTILE:
            await fails(InvalidMailboxName, account.create(name))
            await fails(InvalidMailboxName, account.rename("plain", name))
            await fails(InvalidMailboxName, account.rename("INBOX", name))
            await fails(InvalidMailboxName, account.subscribe(name))
        self.assertEqual(await account.mailboxes(), before)

    async def test_hostile_names_cannot_be_read_or_written(self):
        account = await self.account()
        await self.deliver()
        inbox = await account.open("INBOX")
        for name in HOSTILE:
            for work in (
                account.open(name),
                account.status(name),
                account.delete(name),
                account.rename(name, "new"),
                account.append(name, []),
                inbox.copy([1], name),
                inbox.move([1], name),
            ):
                await fails(MailError, work)
            await account.unsubscribe(name)
        self.assertEqual(await self.contents(), [message()])

    async def test_unusual_names_work_like_all_others(self):
        account = await self.account()
        for name in HONEST:
            await account.create(name)
            await account.subscribe(name)
            self.assertEqual((await account.open(name)).name, name)
            await self.append(message(), name=name)
        listed = {info.name: info for info in await account.mailboxes()}
        for name in HONEST:
            self.assertTrue(listed[name].exists)
            self.assertTrue(listed[name].subscribed)
            self.assertEqual(await self.contents(name), [message()])

    async def test_unusual_names_can_be_renamed_and_deleted(self):
        account = await self.account()
        before = names_of(await account.mailboxes())
        for name in HONEST:
            await account.create("start")
            await account.rename("start", name)
            await account.rename(name, "other")
            await account.rename("other", name)
            await account.delete(name)
            for parent in reversed(parents(name)):
                await account.delete(parent)
        self.assertEqual(names_of(await account.mailboxes()), before)

    async def test_a_name_may_be_as_long_as_its_limit_and_no_longer(self):
        account = await self.account()
        await account.create("x" * MAX_NAME_OCTETS)
        await fails(InvalidMailboxName, account.create("x" * (MAX_NAME_OCTETS + 1)))
        syllable = "한"
        fits = MAX_NAME_OCTETS // len(syllable.encode())
        await account.create(syllable * fits)
        await fails(InvalidMailboxName, account.create(syllable * (fits + 1)))

    async def test_a_name_may_be_as_deep_as_its_limit_and_no_deeper(self):
        account = await self.account()
        await account.create("/".join(["x"] * MAX_NAME_LEVELS))
        await fails(
            InvalidMailboxName, account.create("/".join(["x"] * (MAX_NAME_LEVELS + 1)))
        )

    async def test_a_rename_that_makes_a_child_s_name_too_long_changes_nothing(self):
        account = await self.account()
        await account.create("a/" + "x" * (MAX_NAME_OCTETS - 10))
        before = names_of(await account.mailboxes())
        await fails(InvalidMailboxName, account.rename("a", "b" * 20))
        self.assertEqual(names_of(await account.mailboxes()), before)

    async def test_names_compare_with_case_but_for_inbox(self):
        account = await self.account()
        await account.create("work")
        await account.create("Work")
        await self.append(message(), name="Work")
        self.assertEqual((await account.status("work")).messages, 0)
        await account.create("inbox/child")
        self.assertIn("INBOX/child", names_of(await account.mailboxes()))


def parents(name):
    """The names above *name*."""
    levels = name.split("/")
    return ["/".join(levels[:depth]) for depth in range(1, len(levels))]
