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
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.failure import Failure

from .config.faults import ConfigError
from .config.loading import load
from .errors import MailError
from .observing.logs import install
from .service import MailService, build

#: Of mallopt(3): M_TRIM_THRESHOLD, M_TOP_PAD and M_MMAP_THRESHOLD in octets, and
#: M_ARENA_MAX, as the store's thread and the reactor hardly allocate at one time.
MALLOC_OPTIONS = ((-1, 64 << 20), (-2, 4 << 20), (-3, 32 << 20), (-8, 1))

#: What can keep a server from starting without being a bug of it.
REASONS = (ConfigError, MailError, OSError)


class Options(usage.Options, AuthOptionMixin):
    """The command line of ``twistd mailhub``.

    :ivar config: the configuration that it leads to.
    """

    supportedInterfaces = (IUsernamePassword,)
    optParameters = [
        ["config", None, None, "The configuration file (see: mailhub config default)."],
        ["data", None, None, "The data folder, instead of the configuration's."],
    ]

    def postOptions(self) -> None:
        """Read the configuration; what is wrong with it is told at once."""
        try:
            self.config = load(
                self["config"],
                data=self["data"],
                environ=os.environ,
                folder=os.getcwd(),
            )
        except ConfigError as error:
            sys.stderr.write(f"mailhub: {error}\n")
            raise SystemExit(os.EX_CONFIG) from None


class Process(MultiService):
    """The one server of a process: the process ends where it cannot start.

    :param pidfile: what ``twistd`` has made, and would leave behind.
    :param twistd: its options, where it is ``twistd`` that runs the process.
    """

    log = Logger()

    def __init__(
        self,
        mail: MailService,
        reactor: Any,
        pidfile: str | None,
        twistd: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._twistd = twistd
        self._mail = mail
        self._reactor = reactor
        self._pidfile = pidfile
        self._failures: list[Failure] = []
        mail.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, which logs with an observer of ours."""
        super().setServiceParent(parent)
        if self._twistd is not None:
            try:
                install(parent, self._mail.config, self._reactor, self._twistd)
            except ConfigError:
                self._give_up(Failure())

    def privilegedStartService(self) -> None:
        """Bind, or end the process."""
        try:
            super().privilegedStartService()
        except REASONS:
            self._give_up(Failure())

    def startService(self) -> None:
        """Start, or end the process: now, or when it turns out."""
        signal.signal(signal.SIGHUP, self._reload)
        super().startService()
        relax_collection()
        keep_memory()
        self._mail.started.addErrback(self._failed)
        for failure in self._failures:
            self._give_up(failure)

    def _failed(self, failure: Failure) -> None:
        if not self._reactor.running:
            self._failures.append(failure)
            return
        self._tell(failure)
        os.kill(os.getpid(), signal.SIGTERM)

    def _give_up(self, failure: Failure) -> None:
        self._tell(failure)
        if self._pidfile:
            with suppress(OSError):
                os.unlink(self._pidfile)
        is_config = failure.check(ConfigError)
        raise SystemExit(os.EX_CONFIG if is_config else os.EX_UNAVAILABLE)

    def _tell(self, failure: Failure) -> None:
        if failure.check(*REASONS):
            self.log.critical("cannot start: {reason}", reason=failure.value)
        else:
            self.log.failure("cannot start", failure)

    def _reload(self, *_: object) -> None:
        self._reactor.callFromThread(self._mail.reload)


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

    os.umask(0o077)
    mail = build(options.config, reactor, checkers=options.get("credCheckers") or ())
    twistd = options.parent
    pidfile = twistd.get("pidfile") if twistd is not None else None
    return Process(mail, reactor, pidfile, twistd)
