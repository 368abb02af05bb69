"""The server's own log observer, and how ``twistd`` comes to use it."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from collections.abc import Callable, Mapping
from threading import get_ident
from typing import Any

from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from ..config.faults import ConfigError
from ..config.settings import Config
from .formats import Event
from .logfile import FileSink, Sink
from .rendering import RENDERERS, TextLines

#: Characters that wait at most to be written together.
TOGETHER = 4096
#: From the least to the most serious.
LEVELS = ("debug", "info", "warn", "error", "critical")
_SERIOUS = frozenset({LogLevel.warn, LogLevel.error, LogLevel.critical})


@implementer(ILogObserver)
class LineObserver:
    """Writes a line for each event that is serious enough.

    Lines of one turn of the reactor are written together.  Those that tell of
    trouble are written at once, with all before them; so are those of other threads,
    and those outside the reactor's life.  A process that dies takes with it what
    happened in its last turn, at most.

    :param render: makes lines of events.
    :param sink: takes them.
    :param reactor: provides ``callLater`` and ``running``.
    :param least: a key of ``LEVELS``: what is less serious is left out.
    """

    def __init__(
        self,
        render: Callable[[Event], str],
        sink: Sink,
        reactor: Any,
        least: str = "info",
    ) -> None:
        self.sink = sink
        self._render = render
        self._reactor = reactor
        self.leave_out(least)
        self._home = get_ident()
        self._lines: list[str] = []
        self._waiting = 0
        self._is_due = False

    def __call__(self, event: Event) -> None:
        """Take an event (``ILogObserver``)."""
        level = event.get("log_level")
        if level in self._quiet:
            return
        line = self._render(event)
        if get_ident() != self._home:
            self.sink.write(_octets(line))
            return
        self._lines.append(line)
        self._waiting += len(line)
        if level in _SERIOUS or self._waiting >= TOGETHER or not self._reactor.running:
            self.flush()
        elif not self._is_due:
            self._is_due = True
            self._reactor.callLater(0, self._end_turn)

    def leave_out(self, least: str) -> None:
        """Write nothing that is less serious than *least* from now on."""
        self._quiet = frozenset(
            LogLevel.lookupByName(name) for name in LEVELS[: LEVELS.index(least)]
        )

    def flush(self) -> None:
        """Write what waits."""
        lines, self._lines = self._lines, []
        self._waiting = 0
        if lines:
            self.sink.write(_octets("".join(lines)))

    def reopen(self) -> None:
        """Go on in a new file, after the old one was moved away."""
        self.flush()
        self.sink.reopen()

    def _end_turn(self) -> None:
        self._is_due = False
        self.flush()


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def make_observer(
    config: Config,
    reactor: Any,
    *,
    logfile: str = "",
    nodaemon: bool = True,
    worker: int | None = None,
) -> LineObserver:
    """The observer that ``[log]`` asks for.

    :param logfile: a path that is stronger than the configured one; ``-`` is the
        standard output.
    :param nodaemon: the process keeps its standard output.
    :param worker: this process's number, which each line names, if it is one of
        several.
    :raises ConfigError: the file cannot be opened.
    """
    path = logfile or config.log.file
    if not path:
        path = "-" if nodaemon else "twistd.log"
    if path == "-":
        sink = Sink(os.dup(sys.__stdout__.fileno() if sys.__stdout__ else 1))
    else:
        try:
            sink = FileSink(os.path.abspath(path))
        except OSError as error:
            text = f"cannot write to {path}: {error.strerror}"
            raise ConfigError([config.fault("log", "file", text)]) from None
    render: Callable[[Event], str]
    if config.log.format == "text":
        place = "" if worker is None else f"worker {worker} "
        render = TextLines(is_journal(sink.descriptor), place)
    else:
        render = RENDERERS[config.log.format]()
        if worker is not None:
            render = _marked(render, worker)
    observer = LineObserver(render, sink, reactor, config.log.level)
    atexit.register(observer.flush)
    return observer


def _marked(render: Callable[[Event], str], worker: int) -> Callable[[Event], str]:
    """*render* for events that get the field ``worker``."""

    def rendered(event: Event) -> str:
        event["worker"] = worker
        return render(event)

    return rendered


def is_journal(descriptor: int) -> bool:
    """Whether *descriptor* leads to systemd's journal (see systemd.exec(5))."""
    here = os.fstat(descriptor)
    return os.environ.get("JOURNAL_STREAM") == f"{here.st_dev}:{here.st_ino}"


def install(
    application: Any, config: Config, reactor: Any, twistd: Mapping[str, Any]
) -> LineObserver | None:
    """Let ``twistd`` log with an observer of ours, unless it was told of another.

    Nothing is touched but *application*, which ``twistd`` asks for its observer, and
    the signal that asks for a new file (SIGUSR1), if nobody else wants it.

    :param application: from :func:`twisted.application.service.Application`.
    :param twistd: its options.
    :raises ConfigError: the file cannot be opened.
    """
    if twistd.get("logger") or twistd.get("syslog"):
        return None
    observer = make_observer(
        config,
        reactor,
        logfile=twistd.get("logfile") or "",
        nodaemon=bool(twistd.get("nodaemon")),
    )
    application.setComponent(ILogObserver, observer)
    if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
        signal.signal(
            signal.SIGUSR1, lambda *_: reactor.callFromThread(observer.reopen)
        )
    return observer
