"""A worker: one of the processes that serve mail, started by the master.

It inherits a channel to the master, and the sockets that it listens on.  What it has
to do comes over the channel, so that nothing of it can be read off a command line.
When the master is gone, it lets its sessions finish and ends.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from ..config.faults import ConfigError
from ..config.kinds import Endpoint
from ..config.listening import Bound
from ..config.settings import Config
from ..errors import MailError
from ..net.shared_counts import SharedCounts
from ..observing.logs import LineObserver, make_observer
from ..service import MailService, build
from .asking import Answer
from .channel import Channel, Joining
from .privileges import lock_down

#: Where the channel to the master is, in a worker, and what all workers count
#: together.
CHANNEL, COUNTS = 3, 4
#: The worker that sends what is in the queue.
FIRST = 0


class StartFailed(Exception):
    """A worker cannot start; the text is for who starts the server.

    :ivar is_config: the configuration is to blame.
    """

    def __init__(self, reason: str, is_config: bool) -> None:
        super().__init__(reason)
        self.is_config = is_config


#: What can keep a server from starting without being a bug of it.
REASONS = (ConfigError, MailError, OSError, StartFailed)

#: Makes what :class:`Worker` says.
Maker = Callable[[Mapping[str, Any]], tuple[Config, Iterable[Any]]]

log = Logger()


@dataclass(frozen=True, slots=True)
class Passed:
    """A socket that a worker inherits.

    :ivar descriptor: its number in the worker.
    """

    service: str
    host: str
    port: int
    path: str
    descriptor: int

    def bound(self) -> Bound:
        """The socket itself."""
        os.set_inheritable(self.descriptor, False)
        endpoint = Endpoint(self.host, self.port, self.path)
        return Bound(self.service, endpoint, socket.socket(fileno=self.descriptor))


class Worker:
    """The server of this process, led by the master.

    :param make: makes the configuration and further checkers out of the master's
        order: the ``arguments`` that it was started with and the ``folder`` where;
        path and text of the configuration file, as it was ``first`` and is ``now``.
    """

    def __init__(self, reactor: Any, make: Maker, tune: Callable[[], object]) -> None:
        self._reactor = reactor
        self._make = make
        self._tune = tune
        self._mail: MailService | None = None
        self._answers: dict[str, Answer] = {"pid": _pid}
        self._is_ending = False
        self.channel = Channel(self._answers, self._told, self._end)

    def _told(self, message: dict[str, Any]) -> None:
        if message["tell"] == "begin":
            Deferred.fromCoroutine(self._begin(message))

    async def _begin(self, message: dict[str, Any]) -> None:
        try:
            config, checkers = self._make(message)
            observer = _log_for(
                message["slot"], config, self._reactor, message["logging"]
            )
            sockets = [Passed(*each).bound() for each in message["sockets"]]
            mail = self._mail = build(
                config,
                self._reactor,
                checkers=checkers,
                sockets=sockets,
                counts=SharedCounts(COUNTS, message["row"]),
                sends=message["slot"] == FIRST,
            )
            mail.announces = False
            if observer is not None:
                mail.reloaded.append(lambda new: observer.leave_out(new.log.level))
            mail.startService()
            self._reactor.addSystemEventTrigger("before", "shutdown", self._stop)
            self._tune()
            await mail.started
        except Exception as error:
            self._report(error)
            return
        self._answers.update(mail.answers)
        self.channel.tell("ready")

    def _report(self, error: Exception) -> None:
        if not isinstance(error, REASONS):
            log.failure("cannot start", Failure())
        is_config = isinstance(error, ConfigError)
        self.channel.tell("failed", reason=str(error), is_config=is_config)
        self.channel.close()

    def _stop(self) -> Any:
        mail, self._mail = self._mail, None
        return None if mail is None else mail.stopService()

    def heed_signals(self) -> None:
        """End when asked to, however often that is.

        A terminal's interrupt reaches master and workers alike, and the master passes
        it on.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._reactor.callFromThread(self._end))

    def _end(self) -> None:
        if not self._is_ending:
            self._is_ending = True
            self._reactor.stop()


async def _pid(details: dict[str, Any]) -> dict[str, Any]:
    return {"pid": os.getpid()}


def _log_for(
    slot: int, config: Config, reactor: Any, logging: dict[str, Any] | None
) -> LineObserver | None:
    """Log like the master, naming the worker."""
    if logging is None:
        return None
    observer = make_observer(config, reactor, worker=slot, **logging)
    globalLogBeginner.beginLoggingTo(
        [observer], discardBuffer=True, redirectStandardIO=False
    )
    return observer


def run(reactor: Any, make: Maker, tune: Callable[[], object]) -> None:
    """What a worker runs; returns when it has served.

    :param make: see :class:`Worker`.
    :param tune: called once everything that stays has been made.
    """
    os.umask(0o077)
    lock_down()
    # What replaces workers is for the master, even if it is sent to all of them.
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    worker = Worker(reactor, make, tune)
    with socket.socket(fileno=CHANNEL) as inherited:
        os.set_inheritable(CHANNEL, False)
        inherited.setblocking(False)
        reactor.adoptStreamConnection(
            inherited.fileno(), socket.AF_UNIX, Joining(worker.channel)
        )
    worker.channel.tell("here")
    reactor.callWhenRunning(worker.heed_signals)
    reactor.run()
