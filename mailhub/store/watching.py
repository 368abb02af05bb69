"""Watchers of mailboxes, and how they hear of changes made elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from ..errors import LocalFault
from . import feed
from .callbacks import Callbacks
from .feed import Pair

log = Logger()

#: Seconds between two looks at the store itself, in case a datagram got lost.
POLL_SECONDS = 10.0

#: Mailboxes to look at before others get their turn.
_PIECE = 500


class Watchers:
    """Who wants to be called when which mailbox changes."""

    def __init__(self) -> None:
        self._callbacks: dict[Pair, Callbacks] = {}

    def watch(self, pair: Pair, callback: Callable[[], object]) -> Callable[[], None]:
        """-> a function that ends it; calling it again is harmless"""
        callbacks = self._callbacks.setdefault(pair, Callbacks())
        forget = callbacks.add(callback)

        def end() -> None:
            forget()
            if not callbacks and self._callbacks.get(pair) is callbacks:
                del self._callbacks[pair]

        return end

    def watched(self) -> list[Pair]:
        """The mailboxes that somebody watches."""
        return list(self._callbacks)

    def fire(self, pairs: Iterable[Pair]) -> None:
        """Call the watchers of these mailboxes."""
        for pair in pairs:
            callbacks = self._callbacks.get(pair)
            if callbacks is not None:
                callbacks.call()


@implementer(IReadDescriptor)
class Listener:
    """Fires watchers when another process says that a mailbox has changed.

    :param directory: the data directory's ``run``.
    :param reactor: provides ``IReactorFDSet``.
    :ivar name: the socket's name in the directory.
    """

    def __init__(self, directory: str, watchers: Watchers, reactor: Any) -> None:
        self._directory = directory
        self._watchers = watchers
        self._reactor = reactor
        self._socket, self.name = feed.listen(directory)
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._socket.fileno()

    def logPrefix(self) -> str:
        return "mailhub feed"

    def doRead(self) -> None:
        self._watchers.fire(feed.receive(self._socket))

    def connectionLost(self, reason: object) -> None:
        """The reactor gives the socket up (it stops)."""
        self.close()

    def close(self) -> None:
        """Listen no more."""
        if self._socket.fileno() < 0:
            return
        self._reactor.removeReader(self)
        self._socket.close()
        feed.forget(self._directory, self.name)


class Poll:
    """The slow safety net: looks at the store from time to time.

    :param version: a number that differs once anybody has changed the store.
    :param modseqs: for mailboxes, their highest modseqs; 0 for one that has gone.
    :param clock: provides ``callLater``.
    """

    def __init__(
        self,
        watchers: Watchers,
        *,
        version: Callable[[], int],
        modseqs: Callable[[list[Pair]], dict[Pair, int]],
        clock: Any,
    ) -> None:
        self._watchers = watchers
        self._version = version
        self._modseqs = modseqs
        self._clock = clock
        self._last_version = version()
        self._known: dict[Pair, int] = {}
        self._call = clock.callLater(POLL_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._call.active():
            self._call.cancel()

    def _look(self) -> None:
        todo: list[Pair] = []
        try:
            version = self._version()
        except LocalFault as fault:
            log.warn("the store cannot be looked at: {fault}", fault=fault)
        else:
            if version != self._last_version:
                self._last_version = version
                todo = self._watchers.watched()
        self._look_at(todo, {})

    def _look_at(self, todo: list[Pair], seen: dict[Pair, int]) -> None:
        """Look at some mailboxes of *todo*; the others come after a turn."""
        piece, rest = todo[:_PIECE], todo[_PIECE:]
        try:
            found = self._modseqs(piece) if piece else {}
        except LocalFault as fault:
            log.warn("the store cannot be looked at: {fault}", fault=fault)
            found, rest = {}, []
        self._watchers.fire(
            pair for pair in found if found[pair] != self._known.get(pair)
        )
        seen.update(found)
        if rest:
            self._call = self._clock.callLater(0, self._look_at, rest, seen)
            return
        if seen:
            self._known = seen
        self._call = self._clock.callLater(POLL_SECONDS, self._look)
