"""Waiting for many sockets, as one member of the reactor.

The reactor calls each socket that is ready in a logging context of its own, by way of
four functions, and keeps sets of what it watches: half of what a short exchange costs
beside the work itself.  Here an epoll(7) of our own watches the sockets of a port; the
reactor watches that one only, and calls once for all that are ready.
"""

from __future__ import annotations

from select import EPOLLIN, EPOLLOUT, epoll
from typing import Any, Protocol

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

#: Sockets that are served before the reactor looks at its own again.
MOST_AT_ONCE = 256
READ, WRITE = EPOLLIN, EPOLLOUT


class Watched(Protocol):
    """A socket that can be watched."""

    def fileno(self) -> int:
        """Its descriptor, -1 when it is closed."""

    def ready(self, events: int) -> None:
        """Do what *events* allow: a mask of ``select.EPOLL*``."""

    def connectionLost(self, reason: Failure) -> None:
        """It is of no use any more."""


@implementer(IReadDescriptor)
class Watch:
    """Tells sockets what they are ready for.

    It is a member of the reactor while it watches any.

    :param reactor: any ``IReactorFDSet``.
    """

    log = Logger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll: epoll | None = None
        self._members: dict[int, Watched] = {}
        self._wanted: dict[int, int] = {}

    def add(self, member: Watched, events: int) -> None:
        """Watch *member* for *events*, too."""
        number = member.fileno()
        before = self._wanted.get(number, 0)
        wanted = before | events
        if wanted == before:
            return
        if self._epoll is None:
            self._epoll = epoll()
            self._reactor.addReader(self)
        if before:
            self._epoll.modify(number, wanted)
        else:
            self._epoll.register(number, wanted)
            self._members[number] = member
        self._wanted[number] = wanted

    def remove(self, member: Watched, events: int) -> None:
        """Watch *member* for *events* no more."""
        number = member.fileno()
        before = self._wanted.get(number, 0)
        wanted = before & ~events
        if wanted == before:
            return
        assert self._epoll is not None  # It watches this member, at least.
        if wanted:
            self._epoll.modify(number, wanted)
            self._wanted[number] = wanted
            return
        self._epoll.unregister(number)
        del self._members[number], self._wanted[number]
        if not self._members:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    def wants(self, member: Watched, event: int) -> bool:
        """Whether *member* is watched for *event*."""
        return bool(self._wanted.get(member.fileno(), 0) & event)

    # What the reactor calls.

    def fileno(self) -> int:
        """The descriptor of the epoll; -1 while nothing is watched."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """Part of ILoggingContext: whose doing an event in the log is."""
        return "-"

    def doRead(self) -> None:
        """Call all that are ready.

        A socket that was closed meanwhile is not called.  A number that was given
        to another one since then only wakes that one needlessly.
        """
        if self._epoll is None:
            return
        members = self._members
        for number, events in self._epoll.poll(0, MOST_AT_ONCE):
            member = members.get(number)
            if member is None:
                continue
            try:
                member.ready(events)
            except Exception:
                failure = Failure()
                self.log.failure("a socket's turn failed", failure)
                member.connectionLost(failure)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor has ended: so have all that are watched here."""
        for member in list(self._members.values()):
            member.connectionLost(reason)
