"""One thread that makes all changes of one process.

Whatever waits is made together: one transaction, one flush, one call back into
the reactor.  A change that fails is undone alone; when the commit fails, all of
it fails and nothing of it is visible.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ...errors import LocalFault, MailError
from ...logbook import Complaints
from ..measures import Measures
from .baton import Baton
from .change import Change, Key
from .files import BlobFiles
from .schema import BUSY_SECONDS, check_same_version, storage_faults
from .upkeep import Upkeep

log = Logger()

#: Changes to commit together at most: bounds what one failed commit fails, and
#: the memory of a transaction (each brings 64 KiB of content at most).
MAX_GROUP = 256

#: Turns of the reactor that a change waits for others at most: each takes less than
#: a millisecond where little is going on, and little is gained by more where much is.
MAX_TURNS = 8

#: Seconds between two looks whether another process is still writing, which passes
#: the baton on when it is done.  SQLite's own waiting grows to 0.1 s.
_RETRY = 0.001


@dataclass(slots=True, eq=False)
class Work:
    """A change that waits.

    :ivar make: makes it inside a transaction.  -> what *done* is told
    :ivar prepare: what can be done before the transaction begins, or ``None``.
    :ivar fault: what went wrong, if anything did.
    """

    make: Callable[[Change], Any]
    prepare: Callable[[], object] | None
    done: Deferred[Any]
    result: Any = None
    fault: Exception | None = None


class Joint(Protocol):
    """A change that can be made together with others of its class, at less cost."""

    def __call__(self, change: Change) -> Any:
        """Make it alone.  -> its result"""

    @staticmethod
    def together(change: Change, makes: Sequence[Any]) -> Sequence[Any]:
        """Make all of *makes*, or raise, whereupon each is made alone.

        -> the result of each
        """


def _alike(group: list[Work]) -> Iterable[list[Work]]:
    """Works that can be made together; whatever waits at the same time has no order.

    Each sort is made where the first of it stands.
    """
    sorts: dict[object, list[Work]] = {}
    for work in group:
        sort = type(work.make) if hasattr(work.make, "together") else id(work)
        sorts.setdefault(sort, []).append(work)
    return sorts.values()


class Writer:
    """The thread, and the way to it.

    :param connect: opens a connection that only the thread uses.
    :param reactor: provides ``callFromThread`` and ``callLater``.
    :param now: seconds since the epoch.
    :param committed: called on the reactor after each commit that touched
        mailboxes, before those who made the changes hear of it.
    :param announce: called in the thread after such a commit.
    :param upkeep: what the thread does when there is time.
    :param baton: shared with the other processes that write.
    :param complaints: whether a fault is logged.
    :ivar measures: what the thread has done so far.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        files: BlobFiles,
        *,
        reactor: Any,
        now: Callable[[], float],
        committed: Callable[[set[Key]], None],
        announce: Callable[[set[Key]], None],
        upkeep: Upkeep,
        baton: Baton,
        complaints: Complaints,
    ) -> None:
        self._connect = connect
        self._files = files
        self._reactor = reactor
        self._now = now
        self._committed = committed
        self._announce = announce
        self._upkeep = upkeep
        self._baton = baton
        self.measures: Measures = upkeep.measures
        self._gathered: list[Work] = []
        self._queue: SimpleQueue[list[Work] | None] = SimpleQueue()
        # These belong to the thread.
        self._left: list[Work] = []
        self._ending = False
        self._thread: threading.Thread | None = None
        self._stopped: Deferred[None] = Deferred()
        self._complaints = complaints
        self._connection: sqlite3.Connection

    def start(self) -> None:
        """
        :raises LocalFault: the database cannot be opened.
        """
        self._connection = self._open()
        self._thread = threading.Thread(
            target=self._run, name="mailhub store writer", daemon=True
        )
        self._thread.start()

    def change(
        self, make: Callable[[Change], Any], prepare: Callable[[], object] | None = None
    ) -> Deferred[Any]:
        """Make a change.  -> its result, once it is durable

        It fails with what *make* or *prepare* raises, or with ``LocalFault``.
        """
        done: Deferred[Any] = Deferred()
        if self._thread is None:
            done.errback(LocalFault("the store is closed"))
        else:
            if not self._gathered:
                self._reactor.callLater(0, self._gather, 0, MAX_TURNS)
            self._gathered.append(Work(make, prepare, done))
        return done

    def _gather(self, before: int, turns: int) -> None:
        """Wait while turns of the reactor bring more, then hand it over.

        One by one, the first would be committed alone while the thread and the
        reactor take turns at running Python.  A quiet server loses one empty turn
        by this, some microseconds; a busy one saves a third of its commits.

        :param before: how much there was a turn ago.
        :param turns: how many may still follow.
        """
        if turns and len(self._gathered) > before:
            self._reactor.callLater(0, self._gather, len(self._gathered), turns - 1)
        else:
            self._hand_over()

    def _hand_over(self) -> None:
        """Give the thread what was gathered."""
        gathered, self._gathered = self._gathered, []
        if gathered:
            self._queue.put(gathered)

    def stop(self) -> Deferred[None]:
        """Finish all work, then close.  -> fires when that is done"""
        if self._thread is None:
            self._stopped.callback(None)
        else:
            self._thread = None
            self._hand_over()
            self._queue.put(None)
        return self._stopped

    def _finish(self, group: list[Work], touched: set[Key]) -> None:
        """On the reactor: tell everybody how it went."""
        if touched:
            self._committed(touched)
        for work in group:
            if work.done.called:  # Cancelled: nobody waits any more.
                continue
            if work.fault is None:
                work.done.callback(work.result)
            else:
                work.done.errback(work.fault)

    # In the thread.

    def _run(self) -> None:
        while self._left or not self._ending:
            group = self._take(self._upkeep.patience)
            if group:
                self._perform(group)
            self._look_after(idle=not group)
        self._connection.close()
        self._reactor.callFromThread(self._stopped.callback, None)

    def _look_after(self, idle: bool) -> None:
        """Do some upkeep, if it is time."""
        try:
            self._upkeep.run(self._connection, idle)
        except LocalFault as fault:
            if self._complaints.is_due():
                log.warn("upkeep of the store failed: {fault}", fault=fault)
        except Exception:
            if self._complaints.is_due():
                log.failure("upkeep of the store failed")
        else:
            return
        self._reopen()

    def _take(self, patience: float) -> list[Work]:
        """What waits, after *patience* seconds at most."""
        left = self._left
        try:
            while not self._ending and len(left) < MAX_GROUP:
                # Waits only where there is nothing at all.
                handed = self._queue.get(not left, patience)
                if handed is None:
                    self._ending = True
                else:
                    left += handed
        except Empty:
            pass
        group, self._left = left[:MAX_GROUP], left[MAX_GROUP:]
        return group

    def _perform(self, group: list[Work]) -> None:
        ready = [work for work in group if self._prepared(work)]
        touched: set[Key] = set()
        began = time.monotonic()
        try:
            with storage_faults():
                if self._begin():
                    late = self._take(0.0)
                    group += late
                    ready += [work for work in late if self._prepared(work)]
                before = self._connection.total_changes
                touched = self._commit(ready)
                self._baton.pass_on()
            self._count(ready, began, self._connection.total_changes > before)
        except Exception as error:
            self.measures.failed_at(time.monotonic())
            if self._complaints.is_due():
                log.error("changes cannot be stored: {error}", error=error)
            for work in ready:
                work.fault = work.fault or error
            self._reopen()
        self._reactor.callFromThread(self._finish, group, touched)
        if touched:
            self._announce(touched)

    def _count(self, works: list[Work], began: float, has_written: bool) -> None:
        """Count a commit; one that had nothing to write proves nothing."""
        now = time.monotonic()
        if has_written:
            made = sum(work.fault is None for work in works)
            self.measures.committed(made, began, now)
        if any(isinstance(work.fault, LocalFault) for work in works):
            self.measures.failed_at(now)

    def _prepared(self, work: Work) -> bool:
        if work.prepare is not None:
            try:
                with storage_faults():
                    work.prepare()
            except Exception as error:
                work.fault = error
                return False
        return True

    def _commit(self, group: list[Work]) -> set[Key]:
        """Make the changes of *group* and commit.  -> the mailboxes touched"""
        touched: set[Key] = set()
        for works in _alike(group):
            if len(works) > 1 and self._make_together(works, touched):
                continue
            for work in works:
                self._make(work, touched)
        self._connection.execute("commit")
        return touched

    def _begin(self) -> bool:
        """Begin to write.  -> whether another process had to be waited for"""
        if self._may_begin():
            return False
        patient_until = time.monotonic() + BUSY_SECONDS
        self._baton.forget()
        while not self._may_begin(time.monotonic() > patient_until):
            self._baton.wait(_RETRY)
        return True

    def _may_begin(self, is_last_try: bool = False) -> bool:
        try:
            self._connection.execute("begin immediate")
            check_same_version(self._connection)
        except sqlite3.OperationalError as error:
            is_busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if is_last_try or not is_busy:
                raise
            return False
        return True

    def _make(self, work: Work, touched: set[Key]) -> None:
        """
        :raises Exception: the whole transaction is lost.
        """
        try:
            work.result = self._try(work.make, touched)
        except Exception as error:
            work.fault = error
            if not self._connection.in_transaction:
                raise

    def _make_together(self, works: list[Work], touched: set[Key]) -> bool:
        """Make changes of one kind at once.  -> whether that was possible

        :raises Exception: the whole transaction is lost.
        """
        kind: Any = type(works[0].make)
        together = getattr(kind, "together", None)
        if together is None:
            return False
        makes = [work.make for work in works]
        try:
            results = self._try(lambda change: together(change, makes), touched)
        except Exception:
            # Each is tried alone: who is to blame will be told the reason then.
            if not self._connection.in_transaction:
                raise
            return False
        for work, result in zip(works, results, strict=True):
            work.result = result
        return True

    def _try(self, make: Callable[[Change], Any], touched: set[Key]) -> Any:
        """Make a change that is undone if it fails.  -> its result

        :raises Exception: what *make* raises.
        """
        connection = self._connection
        change = Change(connection, self._files, self._now())
        connection.execute("savepoint work")
        try:
            with storage_faults():
                result = make(change)
        except Exception:
            if connection.in_transaction:
                connection.execute("rollback to work")
                connection.execute("release work")
            raise
        connection.execute("release work")
        touched |= change.touched
        self._upkeep.written += change.octets
        return result

    def _open(self) -> sqlite3.Connection:
        connection = self._connect()
        connection.execute("pragma busy_timeout=0")
        self._upkeep.configure(connection)
        return connection

    def _reopen(self) -> None:
        """Go on with new descriptors.

        The kernel may have dropped what it could not write, and reports that
        once: a flush of the same descriptor that succeeds proves nothing.
        """
        try:
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            connection = self._open()
        except (sqlite3.Error, MailError) as error:
            log.debug("the database cannot be opened again: {error}", error=error)
            return
        self._connection.close()
        self._connection = connection
