"""Takes the mail that users of this machine have left for the server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from ..config.drop_folder import prepare_drop_folder
from ..config.settings import Config
from ..errors import MailError
from ..logbook import Complaints
from ..routing.planning import Outlet
from ..routing.router import Router
from ..watched.shelf import InThread
from .left_mail import DropFolder, Waiting
from .local_mail import LocalMail
from .tables import threads_of

#: Seconds between two looks into the folder.
INTERVAL = 1.0
#: For so long after a change it is looked into again: of what happens in one tick of
#: the clock the folder's time tells only the first.
SETTLED = 2.0
#: Seconds until what cannot be taken now is tried again.
RETRY = 60.0
#: Files that are taken in one turn, and how many at a time: commits are joined.
TURN, AT_ONCE = 200, 10
#: Files that are remembered because they cannot be taken now.
MAX_REMEMBERED = 10_000


class TakingIn(Service):
    """Looks into the folder, and takes what is there.

    A file goes when the commit of its message has returned, so none is lost; if the
    server dies between the two, its recipients get it twice.

    :param router: makes what decides where mail goes.
    :param outlet: who sends what leaves.
    :param in_thread: where files are read.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        reactor: Any,
        store: Any,
        router: Callable[[Config], Router],
        outlet: Outlet,
        in_thread: InThread | None = None,
    ) -> None:
        self._config = config
        self._store = store
        self._router = router
        self._outlet = outlet
        self._in_thread = in_thread or threads_of(reactor)
        self._clock = reactor
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor
        self._under_way: Deferred[None] | None = None
        self._seen = 0.0
        self._waits = True
        self._later: dict[str, float] = {}
        # What was taken, but could not be removed yet (attack on ourselves: a folder
        # that has become read-only would have its mail delivered again and again).
        self._taken: set[str] = set()
        self._complaints = Complaints()
        self.use(config)

    def use(self, config: Config) -> None:
        """Take what comes by *config*, which has the same folder."""
        self._config = config
        self._folder = DropFolder(
            config.local.drop, self._store.spool, config.limits.message_size
        )
        self._office = LocalMail(
            config, self._store, self._router(config), self._outlet
        )

    def startService(self) -> None:
        """Begin to look.

        :raises ConfigError: the folder is not what it has to be.
        """
        prepare_drop_folder(self._config)
        super().startService()
        self._looking.start(INTERVAL)

    def stopService(self) -> Deferred[None]:
        """Take nothing new.  -> fires when what was begun has ended"""
        super().stopService()
        if self._looking.running:
            self._looking.stop()
        return Deferred.fromCoroutine(self._ended())

    async def _ended(self) -> None:
        under_way, done = self._under_way, Deferred[None]()
        if under_way is not None:
            under_way.addBoth(lambda _: done.callback(None))
            await done

    def _look(self) -> Deferred[None]:
        self._under_way = Deferred.fromCoroutine(self._take_all())
        self._under_way.addErrback(
            lambda failure: self.log.failure("a folder was not looked into", failure)
        )
        return self._under_way

    async def _take_all(self) -> None:
        if not (self._waits or self._has_changed()):
            return
        now = self._clock.seconds()
        later = {name: when for name, when in self._later.items() if when > now}
        self._later = later
        try:
            found = await self._in_thread(
                lambda: self._folder.waiting(time.time(), later)
            )
        except OSError as error:
            self._complain(error)
            return
        chosen = found[:TURN]
        for start in range(0, len(chosen), AT_ONCE):
            if not self.running:
                return
            some = chosen[start : start + AT_ONCE]
            await gatherResults([Deferred.fromCoroutine(self._take(e)) for e in some])
            await self._in_thread(self._folder.sync)
        self._waits = bool(found or self._later)

    def _has_changed(self) -> bool:
        """Whether somebody may have put something there since the last look."""
        try:
            changed = os.stat(self._folder.path).st_mtime
        except OSError as error:
            self._complain(error)
            return False
        before, self._seen = self._seen, changed
        return changed != before or abs(time.time() - changed) < SETTLED

    async def _take(self, waiting: Waiting) -> None:
        try:
            if waiting.name not in self._taken and not await self._deliver(waiting):
                return
            self._taken.add(waiting.name)
            # Here and now: were it done in a thread, its turn would come later, and
            # a server that is killed meanwhile would deliver it twice.
            self._folder.remove(waiting)
            self._taken.discard(waiting.name)
        except (MailError, OSError) as error:
            self._postpone(waiting)
            self._complain(error)
        except Exception:
            self._postpone(waiting)
            if self._complaints.is_due():
                self.log.failure("{name} was not taken", name=waiting.name)

    async def _deliver(self, waiting: Waiting) -> bool:
        """-> whether there was a message"""
        left = await self._in_thread(lambda: self._folder.read(waiting))
        if left is None:
            return False
        try:
            await self._office.take(left)
        finally:
            left.content.close()
        return True

    def _postpone(self, waiting: Waiting) -> None:
        if len(self._later) < MAX_REMEMBERED:
            self._later[waiting.name] = self._clock.seconds() + RETRY

    def _complain(self, error: Exception) -> None:
        if self._complaints.is_due():
            self.log.error(
                "mail in {folder} waits: {error}",
                folder=self._folder.path, error=error,
            )  # fmt: skip
