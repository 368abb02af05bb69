"""The classic files that a configuration names, and whom they serve."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.threads import deferToThreadPool

from ..config.faults import ConfigError, Fault
from ..config.settings import Config
from ..policy.access import AccessCheck
from ..policy.hops import HopLimit
from ..policy.names import PeerBook
from ..routing.files import ClassicFiles
from ..tables.lines import Remark
from ..watched.access import AccessFiles
from ..watched.shelf import InThread, Shelf, run_here


class Passing:
    """A clock for programs without a reactor."""

    def seconds(self) -> float:
        """Since some time ago."""
        return time.monotonic()


def threads_of(reactor: Any) -> InThread:
    """The threads of *reactor* as a place where files are read."""

    async def in_thread(work: Any) -> Any:
        return await deferToThreadPool(reactor, reactor.getThreadPool(), work)

    return in_thread


class Tables:
    """What the files of ``[files]`` are used for.

    :param clock: ``IReactorTime``.
    :ivar sources: of a router.
    """

    def __init__(self, config: Config, clock: Any, in_thread: InThread) -> None:
        self._key = _key(config)
        self._shelf = Shelf(clock, in_thread)
        places = config.files
        self.sources: tuple[ClassicFiles, ...] = ()
        self._clock = clock
        self._access: AccessFiles | None = None
        if places.for_routing:
            source = ClassicFiles(
                self._shelf,
                places,
                clock,
                in_thread,
                separator=config.mail.plus_separator,
                programs=config.routing.programs,
            )
            self.sources = (source,)
        if places.access or places.relay_domains:
            self._access = AccessFiles(
                self._shelf, places.access, places.relay_domains
            )

    @classmethod
    def here(cls, config: Config) -> Tables:
        """For a program that has nothing else to do."""
        return cls(config, Passing(), run_here)

    def checks(self, resolver: Any) -> tuple[Any, ...]:
        """Of mail that comes in.

        :param resolver: ``IResolver``, asked for names of peers where files have some.
        """
        if self._access is None:
            return (HopLimit(),)
        book = PeerBook(resolver, self._clock)
        return AccessCheck(self._access, book), HopLimit()

    def serves(self, config: Config) -> bool:
        """Whether *config* asks for the same files, read in the same way."""
        return _key(config) == self._key

    def look_again(self) -> None:
        """Look at all of them now."""
        self._shelf.look_again()
        for source in self.sources:
            source.look_again()

    def read(self) -> tuple[Remark, ...]:
        """Read all of them now, in this thread.  -> what their authors should know

        :raises ConfigError: some cannot be followed.
        """
        faults = self._shelf.load()
        if faults:
            raise ConfigError(
                [
                    Fault(each.path, each.line or None, "", "", "", each.text)
                    for each in faults
                ]
            )
        return tuple(self._shelf.remarks())


def _key(config: Config) -> object:
    return config.files, config.mail.plus_separator, config.routing.programs
