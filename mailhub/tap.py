"""``twistd mailhub``: its options, and the service they make."""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.application.service import MultiService
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import AuthOptionMixin
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from .admin.questions import questions_of
from .admin.reloading import Reloading
from .admin.socket import AdminSocket
from .config.changes import settle
from .config.faults import ConfigError
from .config.loading import Known, load, load_again
from .config.settings import Config
from .net.descriptors import raise_limit
from .observing.listening import ObservingService
from .observing.logs import install
from .processes import privileges
from .processes.asking import Alone
from .processes.folder_lock import FolderInUse, FolderLock
from .processes.inherited import take
from .processes.master import Master
from .processes.notify import Notifier, Watchdog
from .processes.steady import keep_steady
from .processes.worker import REASONS, run
from .service import MailService, build

#: Of mallopt(3): M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD in octets, and
#: M_ARENA_MAX, as the store's thread and the reactor hardly allocate at one time.
MALLOC_OPTIONS = ((-1, 64 << 20), (-2, 4 << 20), (-3, 32 << 20), (-8, 1))
#: Seconds that a server needs to end, besides those that its sessions have.
GRACE = 30.0


class Options(usage.Options, AuthOptionMixin):
    """The command line of ``twistd mailhub``.

    :ivar config: the configuration that it leads to.
    :ivar arguments: the command line itself, and
    :ivar folder: where it was given: what workers are started with.
    :ivar known: the configuration file, if another process has read it.
    """

    supportedInterfaces = (IUsernamePassword,)
    known: Known | None = None
    optParameters = [
        ["config", None, None, "The configuration file (see: mailhub config default)."],
        ["data", None, None, "The data folder, instead of the configuration's."],
        ["workers", None, None, "Processes that serve mail, instead of its number."],
    ]

    def parseOptions(self, options: list[str] | None = None) -> None:
        """Read the command line."""
        self.folder = os.getcwd()
        self.arguments = list(options or ())
        super().parseOptions(options)

    def postOptions(self) -> None:
        """Read the configuration; what is wrong with it is told at once."""
        try:
            self.config = load(
                self["config"],
                data=self["data"],
                workers=self["workers"],
                environ=os.environ,
                folder=self.folder,
                known=self.known,
            )
        except ConfigError as error:
            sys.stderr.write(f"mailhub: {error}\n")
            raise SystemExit(os.EX_CONFIG) from None


class Process(MultiService):
    """What ``twistd`` runs: it ends where the server cannot start.

    :param server: a :class:`MailService`, or a :class:`Master` with its workers.
    :param asks: the way to all processes that serve mail.
    :param pidfile: what ``twistd`` has made, and would leave behind.
    :param twistd: its options, where it is ``twistd`` that runs the process.
    """

    log = Logger()

    def __init__(
        self,
        config: Config,
        server: MailService | Master,
        asks: Alone | Master,
        reactor: Any,
        pidfile: str | None,
        twistd: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._config = config
        self._server = server
        self._asks = asks
        self._reloading = Reloading(config, asks)
        if isinstance(server, Master):
            self._reloading.reloaded.append(server.use)
        self._twistd = twistd
        self._reactor = reactor
        self._pidfile = pidfile
        self._folder = FolderLock(config.server.data)
        self._failures: list[Failure] = []
        self._notifier = Notifier()
        self._front = ObservingService(config, reactor, asks)
        self._front.setServiceParent(self)
        questions = questions_of(asks, self._reload, self._stop_soon)
        admin = AdminSocket(config.server.data, reactor, questions)
        admin.setServiceParent(self)
        watchdog = Watchdog(self._notifier, reactor, lambda: self._asks.is_well)
        watchdog.setServiceParent(self)
        server.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, which logs with an observer of ours."""
        super().setServiceParent(parent)
        if self._twistd is not None:
            try:
                observer = install(parent, self._config, self._reactor, self._twistd)
            except ConfigError:
                self._give_up(Failure())
            if observer is not None:
                self._reloading.reloaded.append(
                    lambda config: observer.leave_out(config.log.level)
                )

    def privilegedStartService(self) -> None:
        """Bind, or end the process; where another server has the folder, before."""
        try:
            self._folder.take_if_there()
            super().privilegedStartService()
        except REASONS:
            self._give_up(Failure())

    def startService(self) -> None:
        """Start, or end the process: now, or when it turns out."""
        signal.signal(signal.SIGHUP, self._hung_up)
        if isinstance(self._server, Master):
            signal.signal(signal.SIGUSR2, self._asked_for_others)
        try:
            self._drop_privileges()
            self._folder.take()
            super().startService()
        except REASONS:
            self._give_up(Failure())
        tune_process()
        self._server.started.addCallbacks(self._ready, self._failed)
        for failure in self._failures:
            self._give_up(failure)

    def stopService(self) -> Deferred[None]:
        """Let sessions finish; health is told until the end."""
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end_at_once)
        self._notifier.stopping(self._config.limits.drain + GRACE)
        self._front.drain()
        await self._server.disownServiceParent()
        await maybeDeferred(super().stopService)
        self._folder.release()
        # Else twistd would end by the signal, as if something had gone wrong.
        self._reactor._exitSignal = None

    def _drop_privileges(self) -> None:
        server = self._config.server
        if os.geteuid() == 0 and not server.user:
            self.log.warn("runs as root: name a [server] user, or use twistd --uid")
        privileges.drop(self._config)

    def _ready(self, _: None) -> None:
        self._notifier.ready(f"{len(self._asks.workers)} processes serve mail")

    def _failed(self, failure: Failure) -> None:
        if not self._reactor.running:
            self._failures.append(failure)
            return
        self._tell(failure)
        self._reactor.addSystemEventTrigger(
            "after", "shutdown", self._end, _status_of(failure)
        )
        self._reactor.stop()

    def _give_up(self, failure: Failure) -> None:
        self._tell(failure)
        self._remove_pidfile()
        raise SystemExit(_status_of(failure))

    def _end(self, status: int) -> None:
        # twistd would end with 0, and later callers would take it for success.
        self._remove_pidfile()
        os._exit(status)

    def _end_at_once(self, number: int, *_: object) -> None:
        """Somebody does not want to wait for sessions to finish."""
        if isinstance(self._server, Master):
            self._server.end_at_once()
        self._end(128 + number)

    def _remove_pidfile(self) -> None:
        if self._pidfile:
            with suppress(OSError):
                os.unlink(self._pidfile)

    def _tell(self, failure: Failure) -> None:
        if failure.check(*REASONS):
            self.log.critical("cannot start: {reason}", reason=failure.value)
        else:
            self.log.failure("cannot start", failure)

    def _hung_up(self, *_: object) -> None:
        self._reactor.callFromThread(
            lambda: Deferred.fromCoroutine(self._reload()).addErrback(self._broken)
        )

    def _asked_for_others(self, *_: object) -> None:
        assert isinstance(self._server, Master)
        self._reactor.callFromThread(self._server.restart)

    def _broken(self, failure: Failure) -> None:
        self.log.failure("the configuration could not be read again", failure)

    async def _reload(self) -> dict[str, Any]:
        self._notifier.reloading()
        try:
            return await self._reloading.run()
        finally:
            self._ready(None)

    def _stop_soon(self) -> dict[str, Any]:
        pid = os.getpid()
        self._reactor.callLater(0, os.kill, pid, signal.SIGTERM)
        return {"pid": pid}


def _status_of(failure: Failure) -> int:
    value = failure.value
    if isinstance(value, FolderInUse):
        return os.EX_TEMPFAIL
    is_config = isinstance(value, ConfigError) or getattr(value, "is_config", False)
    return os.EX_CONFIG if is_config else os.EX_UNAVAILABLE


def tune_process() -> None:
    """Make the most of a process that serves until it ends."""
    relax_collection()
    keep_memory()


def relax_collection() -> None:
    """Look for cyclic garbage less often, and not among what stays for good.

    Serving mail makes next to no cycles; looking through all messages of a batch
    for them takes longer than some commands do.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def keep_memory() -> None:
    """Keep memory that was freed, within bounds, instead of asking for it anew.

    The C library returns what a large message took as soon as it is gone; the next
    one pays for every page again.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # Another C library than GNU's.
    for option, value in MALLOC_OPTIONS:
        mallopt(option, value)


def makeService(options: Options) -> Process:
    """The server that *options* ask for."""
    from twisted.internet import reactor  # twistd has chosen one by now

    keep_steady(reactor)
    os.umask(0o077)
    raise_limit()
    config, twistd = options.config, options.parent
    _refuse_second(config)
    pidfile = twistd.get("pidfile") if twistd is not None else None
    try:
        inherited = take(config, os.environ)
    except ConfigError as error:
        sys.stderr.write(f"mailhub: {error}\n")
        raise SystemExit(os.EX_CONFIG) from None
    if config.server.workers == 1:
        sockets = inherited or None
        mail = build(config, reactor, checkers=_checkers(options), sockets=sockets)
        asks = Alone(mail.answers)
        return Process(config, mail, asks, reactor, pidfile, twistd)
    order = {
        "arguments": options.arguments,
        "folder": options.folder,
        "logging": None if twistd is None or twistd.get("logger") else {
            "logfile": twistd.get("logfile") or "",
            "nodaemon": bool(twistd.get("nodaemon")),
        },
    }  # fmt: skip
    master = Master(config, reactor, inherited, order)
    return Process(config, master, master, reactor, pidfile, twistd)


def _refuse_second(config: Config) -> None:
    """End at once where another server has the folder: before the log is opened, and
    while whoever has started this one still hears of it.
    """
    folder = FolderLock(config.server.data)
    try:
        folder.take_if_there()
    except FolderInUse as error:
        sys.stderr.write(f"mailhub: {error}\n")
        raise SystemExit(os.EX_TEMPFAIL) from None
    finally:
        folder.release()


def _checkers(options: Options) -> list[Any]:
    return options.get("credCheckers") or []


def _make(order: Mapping[str, Any]) -> tuple[Config, list[Any]]:
    """What a worker serves by, from the master's command line."""
    raise_limit()
    with suppress(OSError):
        os.chdir(order["folder"])
    options = Options()
    options.known = Known(*order["first"])
    options.parseOptions(order["arguments"])
    config = load_again(options.config, Known(*order["now"]))
    return settle(config, options.config)[0], _checkers(options)


if __name__ == "__main__":
    from twisted.internet import reactor as chosen

    keep_steady(chosen)
    run(chosen, _make, tune_process)
