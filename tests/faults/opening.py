"""All that a data folder holds, read by the store's own code in this process."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

from mailhub.errors import MailError
from mailhub.mail.mailbox import Column
from mailhub.net.certificates import CertificateFault, read_identity
from mailhub.net.spool import Spool
from mailhub.store.content import octets_of
from mailhub.store.sqlite.store import SQLiteStore

from .ledger import Ledger, recognise
from .promises import FLAGS, Found

#: Messages to ask for at a time.
BATCH = 200


async def read_folder(
    folder: str, users: list[str], ledger: Ledger, reactor: Any
) -> Found:
    """Open the store in *folder*, read everything, close it.

    :param users: accounts that must be there.
    """
    found = Found()
    _check_certificate(f"{folder}/self-signed.pem", found)
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    try:
        await store.start()
    except MailError as error:
        found.damage.append(f"the store cannot be opened: {error}")
        return found
    try:
        for user in users:
            await _Account(store, user, ledger, found).read()
    except MailError as error:
        found.damage.append(f"the store cannot be read: {error}")
    finally:
        await store.stop()
    return found


def _check_certificate(path: str, found: Found) -> None:
    """It is whole, or it is not there and will be made."""
    if os.path.exists(path):
        try:
            read_identity(path, path)
        except CertificateFault as fault:
            found.damage.append(f"the certificate: {fault}")


class _Account:
    """One account, read once."""

    def __init__(
        self, store: SQLiteStore, user: str, ledger: Ledger, found: Found
    ) -> None:
        self._store = store
        self._user = user
        self._ledger = ledger
        self._found = found

    async def read(self) -> None:
        try:
            account = await self._store.open_account(self._user)
        except MailError as error:
            self._complain("", str(error))
            return
        names = [info.name for info in await account.mailboxes() if info.exists]
        if "INBOX" not in names:
            self._complain("INBOX", "is missing")
        for name in names:
            await self._read_mailbox(name, await account.open(name, read_only=True))

    async def _read_mailbox(self, name: str, mailbox: Any) -> None:
        status = await mailbox.status()
        entries = (await mailbox.changes(0)).entries
        flags = dict(zip(entries.uids, entries.flags, strict=True))
        sizes = Counter[str]()
        for start in range(0, len(entries.uids), BATCH):
            uids = entries.uids[start : start + BATCH]
            rows = await mailbox.fetch(uids, (Column.SIZE, Column.CONTENT))
            for uid, size, content in rows:
                sizes["octets"] += size
                sizes["messages"] += 1
                sizes["unseen"] += "\\Seen" not in flags[uid]
                await self._read_message(name, uid, flags[uid], content)
        counted = (status.messages, status.unseen, status.size)
        there = (sizes["messages"], sizes["unseen"], sizes["octets"])
        if counted != there:
            self._complain(name, f"counters say {counted}, there are {there}")
        if entries.uids and max(entries.uids) >= status.uidnext:
            self._complain(name, "a UID is beyond UIDNEXT")

    async def _read_message(
        self, name: str, uid: int, flags: frozenset[str], content: Any
    ) -> None:
        try:
            number, is_whole = recognise(self._ledger, await octets_of(content))
        except MailError as error:
            self._complain(name, f"UID {uid} cannot be read: {error}")
            return
        finally:
            content.close()
        if is_whole:
            kept = tuple(flag for flag in FLAGS if flag in flags)
            self._found.places[number, self._user].append((name, kept))
        else:
            self._complain(name, f"UID {uid} has other octets")

    def _complain(self, mailbox: str, text: str) -> None:
        self._found.damage.append(f"{self._user} {mailbox}: {text}")

