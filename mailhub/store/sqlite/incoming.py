"""New messages, from ``IContent`` to rows."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from typing import Any

from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from ...interfaces import IContent
from ...mail.account import Target
from ...mail.flags import Flags
from ...mail.mailbox import Copied
from ..content import READ_SIZE, octets_of
from . import bodies
from .bodies import NewBody
from .change import Change, find_mailbox, find_target, mailbox_state
from .files import IN_ROW, BlobFiles
from .flagbits import encode_all
from .messages import add
from .schema import storage_faults


class Intake:
    """Makes what is delivered or appended ready for the writer.

    :param temporary: a directory on the store's volume.
    :param pool: threads that wait for flushes of large files, so that small
        messages need not wait for them.
    """

    def __init__(
        self,
        files: BlobFiles,
        temporary: str,
        *,
        reactor: Any,
        pool: ThreadPool,
    ) -> None:
        self._files = files
        self._temporary = temporary
        self._reactor = reactor
        self._pool = pool

    async def body(
        self, content: IContent, prefix: bytes = b"", *, for_mailbox: bool = True
    ) -> NewBody:
        """*content* behind *prefix*; a large one is durable after this.

        :param for_mailbox: its summary will be asked for.
        :raises LocalFault: it cannot be read, or made durable.
        """
        if content.size <= IN_ROW:
            data = content.data
            if data is None:
                data = await octets_of(content)
            return NewBody(prefix, content.digest, content.size, data=data)
        body = NewBody(prefix, content.digest, content.size, path=content.path or "")
        if not body.path:
            body.path = await self._copy(content)
            body.temporary = True
        try:
            with storage_faults():
                await deferToThreadPool(
                    self._reactor, self._pool, self._keep, body, for_mailbox
                )
        except BaseException:
            body.close()
            raise
        return body

    def _keep(self, body: NewBody, for_mailbox: bool) -> None:
        self._files.keep(body.path, body.digest)
        body.kept = True
        if for_mailbox:
            body.summary()

    async def _copy(self, content: IContent) -> str:
        path = f"{self._temporary}/content-{secrets.token_hex(8)}"
        with storage_faults():
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as copy:
                for start in range(0, content.size, READ_SIZE):
                    data = memoryview(await content.read(start, start + READ_SIZE))
                    while data:
                        data = data[copy.write(data) :]
        return path


def deliver(
    change: Change, body: NewBody, targets: Sequence[Target], internal_date: int
) -> None:
    """Put one message into all *targets*.

    :raises UnknownRecipient: an account has been removed.
    :raises OverQuota:
    :raises LimitReached: too many keywords.
    """
    if not targets:
        return
    item_id = bodies.store(change, body, len(targets))
    for target in targets:
        modseq = change.count_account(target.account_id, body.size)
        key = find_target(change.connection, target.account_id, target.mailbox)
        [flags] = encode_all(change.connection, *key, [target.flags])
        add(change, key, modseq, [(flags, internal_date, body.size, item_id)])


def append(
    change: Change,
    account_id: int,
    name: str,
    messages: Sequence[tuple[NewBody, Flags, int]],
) -> Copied:
    """Put *messages* with their flags and dates into a mailbox.

    :raises NoSuchMailbox:
    :raises OverQuota:
    :raises LimitReached: too many keywords.
    """
    key = find_mailbox(change.connection, account_id, name)
    if not messages:
        _, uidvalidity = mailbox_state(change.connection, key)
        return Copied(uidvalidity, [], [])
    modseq = change.count_account(account_id, sum(body.size for body, _, _ in messages))
    values = encode_all(change.connection, *key, [flags for _, flags, _ in messages])
    rows = [
        (value, date, body.size, bodies.store(change, body, 1))
        for value, (body, _, date) in zip(values, messages, strict=True)
    ]
    uidvalidity, uids = add(change, key, modseq, rows)
    return Copied(uidvalidity, [], uids)
