"""Tests for :mod:`mailhub.assembly.handing_in`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from mailhub.assembly import handing_in
from mailhub.assembly.handing_in import MAX_RECIPIENTS, DropBox
from mailhub.errors import LimitReached, LocalFault, MessageTooLarge, StorageFull
from mailhub.mail.address import Address
from mailhub.mail.envelope import MailParameters
from mailhub.net.limits import Limits
from mailhub.smtp.batch import Batch

from .drops import Drops, mode_of

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

        self.patch(handing_in.os, "fsync", watched)
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
