"""Cut a connection wherever it can be cut, and look at what is left behind.

A session holds things that others miss if it keeps them: a place in the factory's
count, watchers, the maildrop's lock, temporary files, an avatar.  The tests of each
protocol play a typical session again and again, cut it after each octet or at each
point where it waits, and ask for all of them.
"""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from mailhub.mail.mailbox import Column
from mailhub.net import spool
from mailhub.store.memory import MemoryAccount, MemoryStore
from mailhub.store.memory_mailbox import MemoryMailbox

from .dialogues.runner import Player


class Gates:
    """Everything that takes time waits here, one after the other.

    :ivar passed: how often something had to wait.
    """

    def __init__(self) -> None:
        self._waiting: list[Deferred[None]] = []
        self._are_open = False
        self.passed = 0

    def wait(self) -> Deferred[None]:
        """Fires when it is let through."""
        if self._are_open:
            return succeed(None)
        self.passed += 1
        gate: Deferred[None] = Deferred()
        self._waiting.append(gate)
        return gate

    @property
    def somebody_waits(self) -> bool:
        return bool(self._waiting)

    def let_one_through(self) -> None:
        self._waiting.pop(0).callback(None)

    def close(self) -> None:
        """From now on everything waits."""
        self._are_open = False

    def open(self) -> None:
        """Nothing waits any more."""
        self._are_open = True
        while self._waiting:
            self.let_one_through()


class Content:
    """An ``IContent`` that is counted in *opened* until it is closed."""

    def __init__(self, content: Any, opened: list[Any], gates: Gates) -> None:
        self._content = content
        self._opened = opened
        self._gates = gates
        self.size = content.size
        opened.append(self)

    async def read(self, start: int, stop: int) -> bytes:
        await self._gates.wait()
        return await self._content.read(start, stop)

    def close(self) -> None:
        if self in self._opened:
            self._opened.remove(self)


class Session:
    """A session that is about to be cut.

    :ivar folder: where large messages arrive.
    :ivar opened: contents that were not closed yet.
    :ivar patience: seconds that the server waits for what is coming in.
    """

    player: Player
    patience = 0.0

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.gates = Gates()
        self.opened: list[Content] = []

    @property
    def factory(self) -> Any:
        return self.player.protocol.factory

    def lose(self) -> None:
        """The connection is gone."""
        self.player.close()

    def end_input(self) -> None:
        """The client sends no more, but reads on."""
        if not self.player.closed:
            self.player.protocol.readConnectionLost()
            self.player.send(b"")

    def shut_down(self) -> None:
        """The server stops, and takes what is coming in only while it drains."""
        self.factory.shutdown()
        self.patience = self.factory.limits.drain


#: How a session may be cut.
WAYS = (Session.lose, Session.end_input, Session.shut_down)


class CutCase(SynchronousTestCase):
    """Plays *script*, one segment after the other.

    :cvar waits: how often the session waits at least: fewer prove nothing.
    """

    script: tuple[bytes, ...] = ()
    waits = 10
    session: Session

    def begin(self, folder: str) -> Player:
        """A client of a new server, which keeps large messages in *folder*."""
        raise NotImplementedError

    def nothing_is_left(self, where: object) -> None:
        """Look at what the protocol holds besides what is looked at here."""

    def setUp(self) -> None:
        # All messages are large ones here, and go to a file.
        self.patch(spool, "MEMORY_LIMIT", 10)
        for kind in (MemoryStore, MemoryAccount, MemoryMailbox):
            for name, function in tuple(vars(kind).items()):
                if inspect.iscoroutinefunction(function):
                    self.patch(kind, name, self._guarded(function))

    def wait(self, *args: object) -> Deferred[None]:
        """What takes time in the session waits for this."""
        return self.session.gates.wait()

    def _guarded(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The coroutine *function*, which has to wait before and after it."""

        async def guarded(*args: Any, **options: Any) -> Any:
            await self.wait()
            result = await function(*args, **options)
            if function.__name__ == "fetch":
                result = self._tracked(result, *args[2:])
            await self.wait()
            return result

        return guarded

    def _tracked(self, rows: list[tuple], columns: tuple[Column, ...]) -> list[tuple]:
        if Column.CONTENT not in columns:
            return rows
        at = 1 + columns.index(Column.CONTENT)
        session = self.session
        return [
            (*row[:at], Content(row[at], session.opened, session.gates), *row[at + 1 :])
            for row in rows
        ]

    def new_session(self) -> Session:
        """A session whose client has not said anything yet."""
        self.session = session = Session(self.mktemp())
        os.mkdir(session.folder)
        session.gates.open()
        session.player = self.begin(session.folder)
        session.gates.close()
        return session

    def check(self, session: Session, where: object) -> None:
        """Nothing is left of *session*."""
        session.gates.open()
        session.player.send(b"")
        session.player.wait(0)
        session.player.wait(session.patience)
        self.assertTrue(session.player.lost, where)
        self.assertEqual(session.factory.connections, set(), where)
        self.assertEqual(session.opened, [], where)
        self.assertEqual(os.listdir(session.folder), [], where)
        self.assertEqual(session.player.clock.getDelayedCalls(), [], where)
        self.assertEqual(self.flushLoggedErrors(), [], where)
        self.nothing_is_left(where)

    def cut_after_each_octet(self) -> None:
        """In whole segments up to the octet."""
        for way in WAYS:
            for length in range(len(b"".join(self.script)) + 1):
                session = self.new_session()
                session.gates.open()
                rest = length
                for segment in self.script:
                    session.player.send(segment[:rest])
                    rest = max(rest - len(segment), 0)
                way(session)
                self.check(session, (way.__name__, length))

    def cut_at_each_wait(self) -> None:
        """At the first point where the session waits, at the second..."""
        for way in WAYS:
            for number in itertools.count(1):
                session = self.new_session()
                self._play_to(session, number)
                if not session.gates.somebody_waits:
                    break
                way(session)
                self.check(session, (way.__name__, number))
            self.assertGreaterEqual(number, self.waits)
            session.lose()
            self.check(session, "at the end")

    def _play_to(self, session: Session, number: int) -> None:
        """Play *session* until something waits for the *number*th time."""
        gates = session.gates
        for segment in (b"", *self.script):
            session.player.send(segment)
            while gates.somebody_waits:
                if gates.passed == number:
                    return
                gates.let_one_through()
                session.player.send(b"")
