"""What a store's accounts and mailboxes work with, while it is open."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from ...errors import LocalFault, StorageFull
from ...logbook import Complaints
from ..feed import Announcer
from ..measures import Measures
from ..watching import Listener, Poll, Watchers
from . import purge, schema
from .baton import Baton
from .bodies import NewBody
from .change import QUEUE, Change, Key
from .files import IN_ROW, BlobFiles
from .flagbits import FlagReader
from .incoming import Intake
from .maildrop import MaildropLocks
from .recent import Recents
from .schema import storage_faults
from .upkeep import Upkeep
from .workplace import Workplace
from .writer import Writer

T = TypeVar("T")

#: Threads that make large bodies durable.  They mostly wait for the disk, which
#: does several flushes at a time better than one after the other.
FILE_THREADS = 4
#: Threads that look through large messages, so that nobody else has to wait.  More
#: would not be faster, and each holds all of a message and its decoded text.
SEARCH_THREADS = 1

#: Milliseconds that a read may wait.  Readers wait for no writer here, but for a
#: moment when another process recovers the database.
_READ_PATIENCE = 250


#: KiB of the database that are kept in memory for reading: so much holds the upper
#: levels of the trees of a million messages.
_READ_CACHE_KIB = 8 * 1024

#: What changes with everything that comes into the queue or is lent.
_QUEUE_NUMBER = "select 0, 0, value from setting where name = 'queue'"

_DIRECTORY_VERSION = "select value from setting where name = 'directory'"


class _DaemonThread(Thread):
    """Like the writer's, it keeps no process from ending."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, daemon=True)


def _start_pool(opened: ExitStack, threads: int, name: str) -> ThreadPool:
    """Threads that are made when they are needed, until *opened* closes."""
    pool = ThreadPool(0, threads, name=name)
    pool.threadFactory = _DaemonThread
    pool.start()
    opened.callback(pool.stop)
    return pool


class Access:
    """An open store: one connection to read on the reactor, the writer, the feed.

    :param path: the data directory.
    :param reactor: provides ``IReactorThreads``, ``IReactorTime``,
        ``IReactorFDSet``.
    :param now: seconds since the epoch.
    :param measures: where the writer counts what it does.
    :param complaints: whether a fault of the writer is logged.
    :raises NotPermitted: this program cannot serve the store.
    :raises LocalFault: it cannot be opened now.
    """

    def __init__(
        self,
        path: str,
        reactor: Any,
        now: Callable[[], float],
        measures: Measures | None = None,
        complaints: Complaints | None = None,
    ) -> None:
        self.workplace = Workplace(path)
        self.watchers = Watchers()
        self.reactor = reactor
        self._now = now
        self._measures = measures
        self._complaints = complaints or Complaints()
        self._closed = False
        with ExitStack() as opened, storage_faults():
            self._open(opened)
            self._opened = opened.pop_all()

    def _open(self, opened: ExitStack) -> None:
        """Open everything; what has been opened closes with *opened*."""
        reactor, workplace = self.reactor, self.workplace
        workplace.open()
        opened.callback(workplace.close)
        self.locks = MaildropLocks(workplace.run)
        opened.callback(self.locks.close)
        self.files = BlobFiles(workplace.blobs, workplace.temporary)
        self.files.prepare()
        self._connection = schema.connect(workplace.database, create=True)
        opened.callback(self._connection.close)
        self._connection.execute(f"pragma busy_timeout={_READ_PATIENCE}")
        self._connection.execute(f"pragma cache_size=-{_READ_CACHE_KIB}")
        self.flags = FlagReader(self._connection)
        listener = Listener(workplace.run, self.watchers, reactor)
        opened.callback(listener.close)
        announcer = Announcer(workplace.run, listener.name)
        opened.callback(announcer.close)
        pool = _start_pool(opened, FILE_THREADS, "mailhub store files")
        self._searchers = _start_pool(opened, SEARCH_THREADS, "mailhub store searches")
        self.intake = Intake(
            self.files, workplace.temporary, reactor=reactor, pool=pool
        )
        baton = Baton(workplace.run)
        opened.callback(baton.close)
        self._poll = Poll(
            self.watchers, version=self._version, modseqs=self._modseqs, clock=reactor
        )
        opened.callback(self._poll.stop)
        upkeep = Upkeep(self.files, self._now, self._measures)
        self.recents = Recents(self.change, reactor)
        self._writer = Writer(
            lambda: schema.connect(workplace.database),
            self.files,
            reactor=reactor,
            now=self._now,
            committed=self.watchers.fire,
            announce=announcer.announce,
            upkeep=upkeep,
            baton=baton,
            complaints=self._complaints,
        )
        self._writer.start()

    async def close(self) -> None:
        """Finish what was begun, then close."""
        self.recents.stop()
        await self._writer.stop()
        self._closed = True
        self._opened.close()

    def change(
        self, make: Callable[[Change], T], prepare: Callable[[], object] | None = None
    ) -> Deferred[T]:
        """Make a change in the writer.  -> its result, once it is durable"""
        return self._writer.change(make, prepare)

    def discard(self, bodies: Iterable[NewBody]) -> None:
        """Have the files removed that were kept for messages which nobody has.

        Without this, whoever sends large messages to a mailbox that is full would
        fill the disk.  If it cannot be noted now, the next start finds them.
        """
        digests = [body.digest for body in bodies if body.kept]
        if digests:
            work = self.change(lambda change: purge.doom_files(change, digests))
            work.addErrback(lambda _: None)

    def aside(self, work: Callable[[], T]) -> Awaitable[T]:
        """Do in a thread what would keep everybody waiting, and needs no database."""
        return cast(
            Awaitable[T], deferToThreadPool(self.reactor, self._searchers, work)
        )

    def directory_version(self) -> int:
        """Another number whenever a domain, an account or an alias has changed.

        :raises LocalFault: it cannot be read now.
        """
        if self._closed:
            raise LocalFault("the store is closed")
        try:
            [[version]] = self._connection.execute(_DIRECTORY_VERSION).fetchall()
        except sqlite3.Error:
            with storage_faults():
                raise
        return int(version)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One state of the database, for some short statements.

        :raises LocalFault: it cannot be read now.
        """
        if self._closed:
            raise LocalFault("the store is closed")
        connection = self._connection
        with storage_faults():
            connection.execute("begin")
            try:
                yield connection
            finally:
                connection.execute("rollback")

    def check_room(self, octets: int, reserve: int) -> None:
        """See :meth:`mailhub.interfaces.IMeasuredStore.check_room`."""
        with storage_faults():
            volume = os.statvfs(self.workplace.directory)
        free = volume.f_bavail * volume.f_frsize
        needed = octets + reserve
        if free < needed and octets <= IN_ROW:
            # What was removed from the database, it uses again.
            free += self._unused_octets()
        if free < needed:
            raise StorageFull(f"{free} octets are free, of {needed} that must be")

    def _unused_octets(self) -> int:
        with self.reading() as connection:
            [[pages]] = connection.execute("pragma freelist_count").fetchall()
        return int(pages) * schema.PAGE_SIZE

    def log_octets(self) -> int:
        """Octets of the write-ahead log; it keeps its size when it is emptied."""
        try:
            return os.stat(f"{self.workplace.database}-wal").st_size
        except FileNotFoundError:
            return 0

    def _version(self) -> int:
        with storage_faults():
            [[version]] = self._connection.execute("pragma data_version").fetchall()
        return int(version)

    def _modseqs(self, keys: list[Key]) -> dict[Key, int]:
        with self.reading() as connection:
            rows = connection.execute(
                "select account_id, mailbox_id, modseq from mailbox where mailbox_id"
                " in (select value from json_each(?))",
                (json.dumps([mailbox_id for _, mailbox_id in keys]),),
            ).fetchall()
            if QUEUE in keys:
                rows += connection.execute(_QUEUE_NUMBER).fetchall()
        found = {row[:2]: row[2] for row in rows}
        return {key: found.get(key, 0) for key in keys}
