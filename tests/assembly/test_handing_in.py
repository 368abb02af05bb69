"""Tests for :mod:`mailhub.assembly.handing_in`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from unittest import SkipTest

from twisted.internet import reactor
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailhub.assembly import drop_box
from mailhub.assembly.drop_box import MAX_RECIPIENTS, DropBox
from mailhub.assembly.handing_in import nearest_office
from mailhub.assembly.left_mail import DropFolder
from mailhub.assembly.posts import Post
from mailhub.config.settings import Config, Local
from mailhub.errors import (
    LimitReached,
    LocalFault,
    MailError,
    MessageTooLarge,
    StorageFull,
)
from mailhub.mail.address import Address
from mailhub.mail.envelope import MailParameters
from mailhub.net.limits import Limits
from mailhub.smtp.batch import Batch
from mailhub.store.content import MemorySpool
from mailhub.store.sqlite.store import SQLiteStore
from mailhub.watched.places import Places

from .drops import STRANGER, Drops, mode_of

JO = Address("jo", "example.org")


def batch(*recipients: Address) -> Batch:
    return Batch(JO, recipients or (JO,), MailParameters(), {})


class HandingInTests(Drops, SynchronousTestCase):
    """What a user's program leaves is all there, or nothing is."""

    def test_a_file_is_for_the_server_only_once_it_is_whole(self):
        box = DropBox(self.prepared())
        modes = []

        def pieces():
            yield b"Subject: x\r\n"
            [name] = self.names()
            modes.append(mode_of(Path(self.drop, name)))
            yield b"\r\nbody\r\n"

        path = Path(self.drop, box.leave(batch(), pieces()))
        self.assertEqual([*modes, mode_of(path)], [0o600, 0o640])
        self.assertEqual(os.stat(path).st_gid, os.stat(self.drop).st_gid)
        self.assertEqual(
            path.read_bytes(),
            b"MAIL FROM:<jo@example.org>\r\nRCPT TO:<jo@example.org>\r\nDATA\r\n"
            b"Subject: x\r\n\r\nbody\r\n",
        )

    def test_it_is_on_the_disk_before_it_counts_and_after(self):
        box = DropBox(self.prepared())
        seen: list[int] = []
        sync = os.fsync

        def watched(descriptor):
            seen.append(os.fstat(descriptor).st_mode & 0o777)
            sync(descriptor)

        self.patch(drop_box.os, "fsync", watched)
        box.leave(batch(), [b"x\r\n"])
        self.assertEqual(seen, [0o600, 0o640])

    def test_what_goes_wrong_leaves_nothing_behind(self):
        config = replace(self.prepared(), limits=Limits(message_size=1024))
        box = DropBox(config)

        def broken():
            yield b"x\r\n"
            raise KeyboardInterrupt

        self.assertRaises(KeyboardInterrupt, box.leave, batch(), broken())
        self.assertRaises(MessageTooLarge, box.leave, batch(), [b"x" * 1025])
        many = [Address(f"u{n}", "example.org") for n in range(MAX_RECIPIENTS + 1)]
        self.assertRaises(LimitReached, box.leave, batch(*many), [b"x\r\n"])
        self.assertEqual(self.names(), [])
        box.leave(batch(), [b"x" * 1024])
        box.leave(batch(*many[:-1]), [b"x\r\n"])
        self.assertEqual(len(self.names()), 2)

    def test_a_folder_that_is_none_or_not_the_server_s_is_told(self):
        config = self.prepared()
        os.chmod(self.drop, 0o1733)
        box = DropBox(config)
        if os.geteuid() == 0:
            os.chown(self.drop, 0, 65534)
            box = DropBox(config)
            self.assertRaises(LocalFault, box.leave, batch(), [b"x\r\n"])
            self.assertEqual(self.names(), [])
        os.rmdir(self.drop)
        self.assertRaises(LocalFault, box.leave, batch(), [b"x\r\n"])
        self.assertRaises(LocalFault, DropBox, config)

    def test_a_full_volume_is_told_before_it_is_full(self):
        limits = Limits(free_space=1 << 62)
        config = replace(self.prepared(), limits=limits)
        self.assertRaises(StorageFull, DropBox, config)


def owners_below(folder: str) -> set[int]:
    """Whose files there are."""
    return {path.stat().st_uid for path in Path(folder).rglob("*")}


class OwnerTests(Drops, TestCase):
    """Who writes in the store, and as whom."""

    async def send(self, config: Config) -> None:
        """A message that is too large for the database."""
        to = Address("x", "far.example")
        async with nearest_office(config, reactor) as office:
            pieces = [b"Subject: x\r\n\r\n", b"y" * 78 * 5_000 + b"\r\n"]
            await office.send(Post("root", None, (to,)), pieces)

    async def test_what_root_brings_is_the_server_s(self):
        if os.geteuid() != 0:
            raise SkipTest("needs root")
        config = self.prepared()
        os.mkdir(config.server.data, 0o700)
        os.chown(config.server.data, STRANGER, STRANGER)
        await self.send(config)
        self.assertEqual(os.geteuid(), 0)
        self.assertEqual(owners_below(config.server.data), {STRANGER})
        self.assertEqual(self.names(), [])

    async def test_who_owns_the_folder_writes_in_it(self):
        config = self.prepared()
        await self.send(config)
        self.assertEqual(self.names(), [])

    async def test_others_use_the_folder_for_users_or_are_refused(self):
        config = self.prepared()
        self.patch(drop_box, "_is_somebody_else_s", lambda data: True)
        await self.send(config)
        self.assertEqual(len(self.names()), 1)
        with self.assertRaisesRegex(LocalFault, "no .local. drop"):
            await self.send(replace(config, local=Local()))


class LaterTests(Drops, TestCase):
    """What the server's own user and root bring, and the store cannot take now."""

    def configured(self) -> Config:
        config = self.prepared()
        aliases = os.path.join(self.place, "aliases")
        with open(aliases, "w") as file:
            file.write("root: jo x y\n")
        return replace(config, files=Places(aliases=(aliases,), origin="example.org"))

    def left(self, config: Config) -> list[Batch]:
        folder = DropFolder(self.drop, MemorySpool, config.limits.message_size)
        return [batch for _, _, batch in folder.listed()]

    async def send(self, config: Config, *recipients: str) -> dict[Address, MailError]:
        names = [Address(*each.split("@")) for each in recipients]
        async with nearest_office(config, reactor) as office:
            post = Post("root", JO, tuple(names))
            return (await office.send(post, [b"Subject: x\r\n\r\n", b"y\r\n"])).refused

    async def test_those_who_may_have_it_later_are_left_and_others_have_it_now(self):
        config = self.configured()
        refused = await self.send(config, "root@mail.example.org", "x@far.example")
        self.assertEqual(refused, {})
        [batch] = self.left(config)
        self.assertEqual([str(e) for e in batch.recipients], ["root@mail.example.org"])
        self.assertEqual(batch.sender, JO)

    async def test_without_a_folder_the_caller_is_told(self):
        config = replace(self.configured(), local=Local())
        refused = await self.send(config, "root@mail.example.org", "x@far.example")
        [error] = refused.values()
        self.assertFalse(error.permanent)

    async def test_a_store_that_takes_nothing_leaves_all_of_it(self):
        config = self.prepared()

        async def full(store, delivery):
            raise LocalFault("the disk is full")

        async def shut(store):
            raise LocalFault("no such file")

        for name, instead in (("deliver", full), ("start", shut)):
            patch = self.patch(SQLiteStore, name, instead)
            refused = await self.send(config, "x@far.example")
            patch.restore()
            self.assertEqual(refused, {})
        self.assertEqual(len(self.left(config)), 2)
