"""The way to programs on this machine, where a configuration allows it.

A command line comes from an alias, is split into words once and started without a
shell; nothing that a peer has said is ever a part of it (attack: commands in
addresses).
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import LocalFault
from ..interfaces import IWayOut
from ..mail.dates import format_date
from ..mail.queued import Lease, Outcome, QueuedMessage, Result, Waiting
from ..mail.routes import parse_route
from .results import result_of_error

#: Seconds that a program may take.
TIMEOUT = 300.0
#: Octets of what it says that are kept.
MOST_SAID = 1_000
#: Where programs without a path are looked for.
PATH = "/usr/local/bin:/usr/bin:/bin"
#: Exit codes that are worth another try (``sysexits.h``: OSERR, IOERR, TEMPFAIL).
TRY_AGAIN = frozenset({71, 74, 75})
_PIECE = 262_144


@implementer(IWayOut)
class ByProgram:
    """Starts a program for each recipient; it reads the message, lines ended by LF.

    On top is a ``From`` line as in a mailbox file; ``SENDER`` and ``RECIPIENT`` are in
    the environment.  Exit code 0 has taken it.

    :param reactor: ``IReactorProcess`` and ``IReactorTime``.
    :param folder: where it is started.
    """

    def __init__(self, reactor: Any, folder: str = "/") -> None:
        self._reactor = reactor
        self._folder = folder

    async def send(self, lease: Lease, content: Any) -> list[Result]:
        """See ``IWayOut``."""
        try:
            command = _words(parse_route(lease.destination).name)
        except LocalFault as error:
            return [result_of_error(error)] * len(lease.recipients)
        octets = await _octets_of(content)
        return [
            await self._run(command, lease.message, each, octets)
            for each in lease.recipients
        ]

    async def stop(self) -> None:
        """Nothing is open."""

    async def _run(
        self,
        command: list[str],
        message: QueuedMessage,
        waiting: Waiting,
        octets: bytes,
    ) -> Result:
        run = _Run(_from_line(message) + octets)
        environ = {
            "PATH": PATH, "SENDER": message.sender, "RECIPIENT": waiting.recipient
        }  # fmt: skip
        try:
            self._start(run, command, environ)
        except OSError as error:
            return result_of_error(LocalFault(f"{command[0]}: {error}"))
        timer = self._reactor.callLater(TIMEOUT, run.give_up)
        code = await run.done
        if timer.active():
            timer.cancel()
        return _result(command[0], code, bytes(run.said))

    def _start(
        self, run: _Run, command: list[str], environ: Mapping[str, str]
    ) -> None:
        self._reactor.spawnProcess(
            run,
            command[0],
            [os.fsencode(word) for word in command],
            env={name: os.fsencode(value) for name, value in environ.items()},
            path=self._folder,
        )


class _Run(ProcessProtocol):
    """One run.

    :ivar done: fires with the exit code; with ``None`` if a signal, or the time, has
        ended it.
    :ivar said: the beginning of what it said.
    """

    transport: Any

    def __init__(self, octets: bytes) -> None:
        self.done: Deferred[int | None] = Deferred()
        self.said = bytearray()
        self._octets = octets

    def connectionMade(self) -> None:
        self.transport.write(self._octets)
        self._octets = b""
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self.said += data[: max(0, MOST_SAID - len(self.said))]

    def processEnded(self, reason: Failure) -> None:
        ended: Any = reason.value
        self.done.callback(ended.exitCode)

    def give_up(self) -> None:
        """The time is over, also for what the program has started."""
        self.said[:] = b"took too long"
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        self.transport.loseConnection()


def _words(command: str) -> list[str]:
    """The program's path and its arguments.

    :raises LocalFault: there is no such program.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise LocalFault(f"{command!r}: {error}") from None
    path = shutil.which(words[0], path=PATH) if words else None
    if path is None:
        raise LocalFault(f"no program {command!r}")
    return [path, *words[1:]]


async def _octets_of(content: Any) -> bytes:
    starts = range(0, content.size, _PIECE)
    pieces = [await content.read(start, start + _PIECE) for start in starts]
    return b"".join(pieces).replace(b"\r\n", b"\n")


def _from_line(message: QueuedMessage) -> bytes:
    sender = message.sender.encode().replace(b" ", b"?") or b"MAILER-DAEMON"
    return b"From %b %b\n" % (sender, format_date(int(message.arrived)))


def _result(program: str, code: int | None, said: bytes) -> Result:
    text = said.decode("ascii", "replace").strip()
    words = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    told = f"{program}: {words}" if words else program
    if code == 0:
        return Result(Outcome.DELIVERED, "2.0.0", f"taken by {program}")
    if code is None or code in TRY_AGAIN:
        return Result(Outcome.DEFERRED, "4.3.0", told)
    return Result(Outcome.FAILED, "5.3.0", f"{told} (exit code {code})")
