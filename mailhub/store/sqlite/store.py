"""The SQLite store: see :class:`SQLiteStore`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from ...errors import LocalFault, UnknownRecipient
from ...interfaces import IMailStore, IMeasuredStore, ISpool
from ...logbook import Complaints
from ...mail.account import Delivery
from ...mail.queued import Lease
from ...powers import IQuotaStore
from ..measures import Measures
from .access import Access
from .account import SQLiteAccount
from .change import leave_a_mark
from .delivering import prepare
from .live_directory import LiveDirectory
from .queue import SQLiteQueue

#: Seconds that a commit proves for that more can be stored: who asks often should
#: not keep the disk busy.
PROOF_SECONDS = 5.0

_USED = "select used, quota from account where account_id = ?"


@implementer(IMailStore, IMeasuredStore, IQuotaStore)
class SQLiteStore:
    """``IMailStore`` in one data directory; processes may share it.

    :param path: the data directory; made if missing.
    :param reactor: provides ``IReactorThreads``, ``IReactorTime``,
        ``IReactorFDSet``.
    :param spool: makes an ``ISpool`` whose files lie in the directory it is given.
    :param now: seconds since the epoch.
    :param complaints: whether a fault is logged.
    :ivar path: the data directory.
    :ivar measures: what has been done so far.
    """

    def __init__(
        self,
        path: str,
        *,
        reactor: Any,
        spool: Callable[[str], ISpool],
        now: Callable[[], float] = time.time,
        complaints: Complaints | None = None,
    ) -> None:
        self.directory = LiveDirectory(lambda: self._access)
        self.queue = SQLiteQueue(lambda: self._access)
        self.path = path
        self.measures = Measures()
        self._complaints = complaints
        self._reactor = reactor
        self._spool = spool
        self._now = now
        self._opened: Access | None = None

    @property
    def _access(self) -> Access:
        if self._opened is None:
            raise LocalFault("the store is not open")
        return self._opened

    async def start(self) -> None:
        """
        :raises NotPermitted: this program cannot serve the store; says why.
        :raises LocalFault: it cannot be opened now.
        """
        self._opened = Access(
            self.path, self._reactor, self._now, self.measures, self._complaints
        )

    async def stop(self) -> None:
        """Finish what was begun, then close.  Twice is harmless."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    async def open_account(self, address: str) -> SQLiteAccount:
        """
        :raises UnknownRecipient: no such account.
        """
        account = await self.directory.find_account(address)
        if account is None:
            raise UnknownRecipient(f"no account {address!r}")
        return SQLiteAccount(self._access, account)

    async def deliver(self, delivery: Delivery) -> list[Lease]:
        """See :meth:`mailhub.interfaces.IMailStore.deliver`."""
        access = self._access
        delivering = await prepare(access.intake, delivery)
        body = delivering.body
        try:
            return await access.change(
                delivering, body.summary if delivering.targets else None
            )
        except BaseException:
            access.discard([body])
            raise
        finally:
            body.close()

    def room_of(self, account_id: int) -> int:
        """See :meth:`mailhub.powers.IQuotaStore.room_of`."""
        with self._access.reading() as connection:
            for used, quota in connection.execute(_USED, (account_id,)).fetchall():
                if quota is not None:
                    return int(quota) - int(used)
        return sys.maxsize

    def spool(self) -> ISpool:
        """A message that arrives; large ones lie on the store's volume."""
        return self._spool(self._access.workplace.temporary)

    def log_octets(self) -> int:
        """See :meth:`mailhub.interfaces.IMeasuredStore.log_octets`."""
        return 0 if self._opened is None else self._opened.log_octets()

    def check_room(self, octets: int, reserve: int) -> None:
        """See :meth:`mailhub.interfaces.IMeasuredStore.check_room`."""
        self._access.check_room(octets, reserve)

    async def probe(self) -> None:
        """See :meth:`mailhub.interfaces.IMeasuredStore.probe`."""
        access = self._access
        if not self.measures.worked_within(PROOF_SECONDS, time.monotonic()):
            await access.change(leave_a_mark)
