"""A whole store as values that can be compared."""

from __future__ import annotations

import os
from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from twisted.internet.task import react

from mailhub.errors import MailError
from mailhub.mail.account import Delivery, Target
from mailhub.mail.mailbox import Column
from mailhub.mail.queue_list import ALL
from mailhub.net.certificates import CertificateFault, read_identity
from mailhub.net.spool import Spool
from mailhub.store.content import BytesContent, octets_of
from mailhub.store.sqlite.store import SQLiteStore

from .ledger import MARK

#: An account that is made to see whether the store still works.
PROBE = "probe@example.org"


@dataclass
class Snapshot:
    """What a store holds.

    :ivar content: accounts with their mailboxes and messages, aliases, domains.
    :ivar validity: UIDVALIDITY by account and mailbox.
    :ivar damage: what cannot be read or contradicts itself; a line each.
    """

    content: dict[str, Any] = field(default_factory=dict)
    validity: dict[tuple[str, str], int] = field(default_factory=dict)
    damage: list[str] = field(default_factory=list)


def take(folder: str) -> Snapshot:
    """Open the store in *folder*, read everything, see whether it works, close it.

    To be called in a process that has no reactor yet.
    """
    snapshot = Snapshot()
    try:
        react(_take, [folder, snapshot])
    except SystemExit as end:
        if end.code:
            snapshot.damage.append("the store cannot be read; see the log")
    return snapshot


async def _take(reactor: Any, folder: str, snapshot: Snapshot) -> None:
    _check_files(folder, snapshot)
    store = SQLiteStore(folder, reactor=reactor, spool=Spool)
    try:
        await store.start()
    except MailError as error:
        snapshot.damage.append(f"the store cannot be opened: {error}")
        return
    try:
        await _read(store, snapshot)
        await _probe(store, snapshot)
    finally:
        await store.stop()


def _check_files(folder: str, snapshot: Snapshot) -> None:
    certificate = f"{folder}/self-signed.pem"
    if os.path.exists(certificate):
        try:
            read_identity(certificate, certificate)
        except CertificateFault as fault:
            snapshot.damage.append(f"the certificate: {fault}")
    for path in Path(folder).parent.glob("*.toml"):
        snapshot.content[path.name] = path.read_text()


async def _read(store: SQLiteStore, snapshot: Snapshot) -> None:
    directory = store.directory
    snapshot.content["domains"] = await directory.domains()
    snapshot.content["aliases"] = [
        (alias.address, alias.targets) for alias in await directory.aliases()
    ]
    await _read_queue(store, snapshot)
    for found in await directory.accounts():
        account = await store.open_account(found.address)
        mailboxes = {}
        for info in await account.mailboxes():
            mailboxes[info.name] = [info.exists, info.subscribed, info.special_use]
            if info.exists:
                place = (found.address, info.name)
                mailbox = await account.open(info.name, read_only=True)
                mailboxes[info.name] += await _read_mailbox(mailbox, place, snapshot)
        snapshot.content[found.address] = found.quota, found.enabled, mailboxes


async def _read_queue(store: SQLiteStore, snapshot: Snapshot) -> None:
    """What waits, for whom, and in which state; not under which numbers."""
    queue, after = store.queue, 0
    entries: list[Any] = []
    while page := await queue.entries(ALL, 100, after):
        entries += page
        after = page[-1].message.message_id
    waiting = []
    for entry in entries:
        message = entry.message
        states = [
            (
                *astuple(replace(each, recipient_id=0)),
                each.recipient_id in entry.lent,
            )
            for each in entry.recipients
        ]
        content = await queue.open(message.message_id)
        try:
            digest = sha256(await octets_of(content)).hexdigest()
        except MailError as error:
            snapshot.damage.append(f"{message.queue_id} in the queue: {error}")
        else:
            about = astuple(replace(message, message_id=0))
            waiting.append((about, states, digest))
        finally:
            content.close()
    snapshot.content["queue"] = waiting


async def _read_mailbox(
    mailbox: Any, place: tuple[str, str], snapshot: Snapshot
) -> list[Any]:
    status = await mailbox.status()
    entries = (await mailbox.changes(0)).entries
    rows = await mailbox.fetch(entries.uids, (Column.SIZE, Column.CONTENT))
    flags = [sorted(each) for each in entries.flags]
    digests, size = [], 0
    for uid, octets, content in rows:
        size += octets
        try:
            data = await octets_of(content)
            # What the server puts before a message tells the time.
            digests.append(sha256(data[max(data.find(MARK), 0) :]).hexdigest())
        except MailError as error:
            snapshot.damage.append(f"{place} UID {uid}: {error}")
        finally:
            content.close()
    unseen = sum("\\Seen" not in each for each in flags)
    counted = status.messages, status.unseen, status.size
    if counted != (len(rows), unseen, size):
        snapshot.damage.append(f"{place}: counters {counted}, found {len(rows)}")
    snapshot.validity[place] = status.uidvalidity
    return [status.uidnext, list(entries.uids), flags, digests]


async def _probe(store: SQLiteStore, snapshot: Snapshot) -> None:
    """A store that has recovered also takes new mail."""
    data = b"Subject: probe\r\n\r\n" + b"x" * 100_000
    try:
        account = await store.directory.add_account(PROBE, "")
        target = Target(account.account_id)
        await store.deliver(Delivery(BytesContent(data), b"", (target,), 0))
        mailbox = await (await store.open_account(PROBE)).open("INBOX")
        [(_, content)] = await mailbox.fetch([1], (Column.CONTENT,))
        if await octets_of(content) != data:
            snapshot.damage.append("a new message is not what was delivered")
        content.close()
    except MailError as error:
        snapshot.damage.append(f"the store does not work: {error}")
