"""Files kept as values, which follow what is in them."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..errors import LocalFault
from ..tables.lines import MAX_TABLE, MalformedTable, Remark
from .reading import Signature, Unsafe, changed_at, read_file, signature_of

#: Seconds between two looks at the files.
LOOK_SECONDS = 1.0
#: A file that was changed less than so many seconds ago may be half written: what is
#: known of it stays until then.
SETTLE_SECONDS = 1.0


class Table(Protocol):
    """What a parser gives."""

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What the author of the file should know."""


T = TypeVar("T", bound=Table)
#: Takes the octets of a file and its path.
Parse = Callable[[bytes, str], T]
#: Runs slow work without keeping others waiting, and gives what it returns.
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


async def run_here(work: Callable[[], Any]) -> Any:
    """An ``InThread`` for programs that have nothing else to do."""
    return work()


class Kept(Generic[T]):
    """One file of a shelf, and the value of what was in it when it was last right.

    :ivar path: of the file.
    """

    def __init__(
        self,
        path: str,
        parse: Parse[T],
        *,
        missing: T | None,
        most: int,
        owner: int | None,
    ) -> None:
        self.path = path
        self.parse = parse
        self.missing = missing
        self.most = most
        self.owner = owner
        self.value: T | None = None
        self.faults: tuple[Remark, ...] = ()
        self.seen: Signature = "not read"
        self.waiting: list[Deferred[None]] | None = None

    def now(self) -> T:
        """The value.

        :raises LocalFault: there is none, as the file was never right.
        """
        if self.value is None:
            raise LocalFault(self.fault or f"{self.path} has not been read")
        return self.value

    @property
    def fault(self) -> str:
        """What is wrong with the file now, or ``""``."""
        return "; ".join(map(str, self.faults))


class Shelf:
    """Looks after files, at most once a second and only when somebody asks.

    A file that has changed is read and parsed in a thread; who asks meanwhile waits
    for it.  One that cannot be followed is told about in the log, once, and what was
    known before stays; if that is nothing, asking raises ``LocalFault``, and mail
    waits.

    :param clock: ``IReactorTime``.
    :param in_thread: where files are read.
    :param most: files, besides which all are forgotten; ``None`` for any number.
    :param now: seconds since the epoch, as files have them.
    """

    log = Logger()

    def __init__(
        self,
        clock: Any,
        in_thread: InThread,
        *,
        most: int | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._most = most
        self._now = now
        self._kept: list[Kept[Any]] = []
        self._by_path: dict[str, Kept[Any]] = {}
        self._next_look = float("-inf")
        self._reading = 0
        self._version = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(
        self,
        path: str,
        parse: Parse[T],
        *,
        missing: T | None = None,
        most: int = MAX_TABLE,
        owner: int | None = None,
    ) -> Kept[T]:
        """Look after the file at *path* from now on.

        :param missing: the value where there is no such file; else that is a fault.
        :param most: octets it may have.
        :param owner: see :func:`mailhub.watched.reading.read_file`.
        """
        if self._most is not None and len(self._kept) >= self._most:
            # What was concluded from those that are forgotten must not stay, either.
            self._kept.clear()
            self._by_path.clear()
            self._version += 1
        kept = Kept(path, parse, missing=missing, most=most, owner=owner)
        self._kept.append(kept)
        self._by_path[path] = kept
        self._next_look = float("-inf")
        return kept

    def find(self, path: str) -> Kept[Any] | None:
        """The file at *path*, if it is looked after."""
        return self._by_path.get(path)

    def version(self) -> int | None:
        """Another number after each change; ``None`` while something is read."""
        self.look()
        return None if self._reading else self._version

    async def value(self, kept: Kept[T]) -> T:
        """What is in a file.

        :raises LocalFault: nothing of use, and there never was.
        """
        self.look()
        if kept.waiting is not None:
            await self._settled(kept)
        return kept.now()

    def load(self) -> list[Remark]:
        """Read everything, now and in this thread.  -> what is wrong"""
        faults: list[Remark] = []
        for kept in self._kept:
            self._finish(kept, *_read(kept))
            faults += kept.faults
        return faults

    def remarks(self) -> list[Remark]:
        """What the authors of the files should know."""
        values = [kept.value for kept in self._kept]
        return [each for value in values if value is not None for each in value.remarks]

    def look_again(self) -> None:
        """Look at once, whether files were changed just now or not (SIGHUP)."""
        self._look(settled=True)

    def look(self) -> None:
        """Begin to read what has changed, if the last look is long enough ago."""
        if self._clock.seconds() >= self._next_look:
            self._look(settled=False)

    def _look(self, settled: bool) -> None:
        self._next_look = self._clock.seconds() + LOOK_SECONDS
        for kept in tuple(self._kept):
            if kept.waiting is None and self._has_changed(kept, settled):
                kept.waiting = []
                self._reading += 1
                Deferred.fromCoroutine(self._read(kept)).addErrback(self._broken, kept)

    def _has_changed(self, kept: Kept[Any], settled: bool) -> bool:
        signature = signature_of(kept.path)
        if signature == kept.seen:
            return False
        changed = changed_at(signature)
        if settled or kept.value is None or changed is None:
            return True
        # A time in the future is another machine's, and tells nothing.
        return not 0 <= self._now() - changed < SETTLE_SECONDS

    async def _read(self, kept: Kept[Any]) -> None:
        outcome = await self._in_thread(lambda: _read(kept))
        self._finish(kept, *outcome)
        self._release(kept)

    def _finish(
        self,
        kept: Kept[Any],
        value: Any,
        seen: Signature,
        faults: tuple[Remark, ...],
    ) -> None:
        """Take what was read; *faults* are why there is no value."""
        is_news = faults != kept.faults
        kept.seen, kept.faults = seen, faults
        if faults:
            if is_news:
                stays = "" if kept.value is None else "; what was known before stays"
                self.log.error("{fault}{stays}", fault=kept.fault, stays=stays)
            return
        kept.value = value
        self._version += 1
        for remark in value.remarks:
            self.log.warn("{remark}", remark=str(remark))

    def _broken(self, failure: Any, kept: Kept[Any]) -> None:
        """A bug, or threads that have ended; the next change is read again."""
        kept.seen = signature_of(kept.path)
        self.log.failure("{path} was not read", failure, path=kept.path)
        kept.faults = kept.faults or (Remark(kept.path, 0, "was not read"),)
        self._release(kept)

    def _release(self, kept: Kept[Any]) -> None:
        waiting, kept.waiting = kept.waiting, None
        self._reading -= 1
        for each in waiting or ():
            each.callback(None)

    async def _settled(self, kept: Kept[Any]) -> None:
        if kept.waiting is not None:
            done: Deferred[None] = Deferred()
            kept.waiting.append(done)
            await done


def _read(kept: Kept[Any]) -> tuple[Any, Signature, tuple[Remark, ...]]:
    """Value, signature and faults of a file as it is now."""
    before = signature_of(kept.path)
    try:
        found = read_file(kept.path, kept.most, kept.owner)
        return kept.parse(found.data, kept.path), found.signature, ()
    except MalformedTable as error:
        return None, found.signature, error.faults
    except Unsafe as error:
        return None, before, (Remark(kept.path, 0, str(error)),)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        if is_missing and kept.missing is not None:
            return kept.missing, None, ()
        # Other faults may pass: the next look reads again.
        lasts = is_missing or isinstance(error, PermissionError)
        reason = Remark(kept.path, 0, str(error.strerror))
        return None, before if lasts else "not read", (reason,)
