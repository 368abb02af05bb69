"""Healthy stores to verify, with something of everything in them."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from typing import Any

from twisted.trial.unittest import TestCase

from mailhub.mail.account import Delivery, Target
from mailhub.mail.flags import SEEN, FlagChange
from mailhub.mail.mailbox import INBOX
from mailhub.mail.queued import Sending
from mailhub.store.content import BytesContent
from mailhub.store.sqlite.verify.checking import Report, Wish, verify

from ...contracts.fixture import ALICE, BOB, SENT_AT, message
from ...contracts.queueing import DAY, ME, NET, NOW, gone, sending
from ..sqlite_fixture import database_of, make_store

#: Large enough to lie in a file.
LARGE = message("large", "0123456789abcdef" * 5000 + "\r\n")
MULTIPART = (
    b"From: Bob <bob@example.org>\r\nSubject: two\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>second\r\n--b--\r\n"
)


async def fill(store: Any) -> None:
    """Something of everything: two accounts, five kinds of messages, all changes."""
    alice = await store.directory.add_account(ALICE, "{PLAIN}secret")
    bob = await store.directory.add_account(BOB, "{PLAIN}secret", 10_000_000)
    both = Target(alice.account_id), Target(bob.account_id)

    async def deliver(data: bytes, *targets: Target, prefix: bytes = b"") -> None:
        content = BytesContent(data)
        await store.deliver(Delivery(content, prefix, targets or both[:1], SENT_AT))

    for number in range(20):
        await deliver(message(f"number {number}"), prefix=b"Received: by us\r\n")
    for data in (MULTIPART, b"", b"no header", message("to both")):
        await deliver(data, *both)
    for number in range(2):
        await deliver(LARGE, *both, prefix=b"Received: twice, %d\r\n" % number)
        await deliver(message("again"), prefix=b"Received: twice, %d\r\n" % number)
    await deliver(LARGE + b"another\r\n")
    await _change(await store.open_account(ALICE), 27)
    await store.directory.add_account("carol@example.org", "")
    carol = await store.open_account("carol@example.org")
    await carol.append(INBOX, [(BytesContent(message()), frozenset({"$Mine"}), 1)])
    await store.directory.remove_account("carol@example.org")
    await _queue(store, both[1:])


async def _queue(store: Any, targets: tuple[Target, ...]) -> None:
    """Mail in all states that it waits in."""

    async def put(data: bytes, *sendings: Sending, targets: Any = ()) -> None:
        content = BytesContent(data)
        await store.deliver(
            Delivery(content, b"Received: by us\r\n", targets, SENT_AT, sendings)
        )

    two = f"ready@{NET}", "ready@example.com"
    await put(message("ready"), sending("Ready", *two), sending("Twice"))
    await put(message("both"), sending("Both", hold="x"), targets=targets)
    await put(message("later"), sending("Later", due=NOW + DAY))
    await put(message("held"), sending("Held", hold="look at it"))
    await put(LARGE + b"queued\r\n", sending("File", hold="x"))
    lent = {"keeper": ME, "kept_until": NOW + DAY}
    await put(message("lent"), sending("Lent", *two, **lent))
    await put(message("gone"), sending("Gone", "a@gone.example"))
    for lease in await store.queue.lease("gone.example", 9, ME, NOW, NOW + DAY):
        await store.queue.settle(lease, gone(lease))


async def _change(account: Any, messages: int) -> None:
    """All that happens to the mailboxes of an account."""
    for name in ("Work/Projects/One", "Gone", "Old name"):
        await account.create(name)
    await account.subscribe("Work/Projects")
    inbox = await account.open(INBOX)
    await inbox.set_flags([1, 2, 5], FlagChange.ADD, frozenset({SEEN, "$Label", "b"}))
    await inbox.copy([2, 3, 21, 25], "Work/Projects/One")
    await inbox.copy([1, 2], "Gone")
    await inbox.copy([4], "Old name")
    await inbox.move([5, 6, 7, 24], "Old name")
    await inbox.expunge([8, 10, 11, 26], deleted_only=False)
    await inbox.set_flags([12], FlagChange.REPLACE, frozenset({SEEN, "\\Deleted"}))
    await account.rename("Old name", "New/Name")
    await account.rename("New/Name", "Old name")
    await account.rename("Old name", "Work/Old")
    await account.delete("Gone")
    await account.create("Gone")
    await account.append(
        "Gone", [(BytesContent(message("mine")), frozenset({"$LABEL"}), SENT_AT)]
    )
    await inbox.set_flags([messages], FlagChange.ADD, frozenset({SEEN}))


class FolderTests(TestCase):
    """Tests with a healthy store that nobody has open.

    :ivar path: its data directory, new for each test.
    """

    _template = ""

    async def setUp(self) -> None:
        if not FolderTests._template:
            FolderTests._template = f"{tempfile.mkdtemp()}/data"
            # Workers of trial shut their reactor down after each test.
            atexit.register(_forget)
            store = make_store(FolderTests._template)
            await store.start()
            await fill(store)
            await store.stop()
        self.path = self.mktemp()
        without_pipes = shutil.ignore_patterns("run")
        shutil.copytree(FolderTests._template, self.path, ignore=without_pipes)

    def verify(self, **wish: Any) -> Report:
        """Verify it, two hours from now: what lies around is old."""
        return verify(self.path, Wish(**wish), now=lambda: time.time() + 7200)

    def found(self, **wish: Any) -> list[str]:
        """What is wrong with it, a line each."""
        return [str(each) for each in self.verify(**wish).listed]

    def kinds(self, **wish: Any) -> set[str]:
        """Of what kinds that is."""
        return {kind.value for kind in self.verify(**wish).counts}

    def execute(self, *statements: str) -> None:
        """Change it behind its back."""
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def query(self, statement: str) -> list[tuple]:
        """What is in it."""
        with closing(sqlite3.connect(database_of(self.path))) as connection:
            return connection.execute(statement).fetchall()

    def large_file(self) -> str:
        """The path of the file of :data:`LARGE`."""
        name = BytesContent(LARGE).digest.hex()
        return f"{self.path}/blobs/{name[:2]}/{name}"


def _forget() -> None:
    shutil.rmtree(os.path.dirname(FolderTests._template))
