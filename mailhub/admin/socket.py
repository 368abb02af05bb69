"""The administration socket: the server's end."""

from __future__ import annotations

import json
import os
import socket
import struct
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from ..net.binding import remove_stale
from ..store.sqlite.durable import make_directory
from ..store.unixpath import address_of
from .answers import Answer
from .outcome import Exit
from .wire import FOLDER, MAX_CONNECTIONS, MAX_QUESTION, NAME, PATIENCE

#: Who is at the other end: process, user, group (unix(7), SO_PEERCRED).
_CREDENTIALS = struct.Struct("3i")


class AdminSocket(Service):
    """Listens in ``run/admin.sock`` of the data folder, for the server's user and root.

    Where another server has this data folder, too, that one is the one to be asked.

    :param data: the data folder; made where it is missing.
    :param questions: what may be asked (:mod:`mailhub.admin.questions`).
    """

    log = Logger()

    def __init__(
        self, data: str, reactor: Any, questions: Mapping[str, Answer]
    ) -> None:
        self._folder = os.path.join(data, FOLDER)
        self._reactor = reactor
        self._questions = questions
        self._port: IListeningPort | None = None
        self._address = ExitStack()

    def startService(self) -> None:
        """Listen; a server that cannot goes on without it."""
        super().startService()
        try:
            make_directory(self._folder)
            address = self._address.enter_context(address_of(self._folder, NAME))
            remove_stale(address)
            if os.path.lexists(address):
                self.log.warn(
                    "{path} is somebody else's: commands go there",
                    path=os.path.join(self._folder, NAME),
                )
                return
            factory = _Conversations(self._questions, self._allowed(), self._reactor)
            # The folder is nobody else's, so nobody comes in before the mode is set.
            self._port = self._reactor.listenUNIX(address, factory, mode=0o600)
        except (OSError, CannotListenError) as error:
            self.log.error("no administration socket: {error}", error=error)

    def stopService(self) -> Deferred[None]:
        """Hear no more questions.

        Those that were answered may stay, and see from the end of their connections
        that the process has ended.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self._address.close()

    def _allowed(self) -> frozenset[int]:
        """Whose questions are answered: whoever could read all the mail anyway."""
        return frozenset({0, os.geteuid(), os.stat(self._folder).st_uid})


class _Conversations(Factory):
    noisy = False

    def __init__(
        self, questions: Mapping[str, Answer], allowed: frozenset[int], clock: Any
    ) -> None:
        self.questions = questions
        self.allowed = allowed
        self.clock = clock
        self.open = 0

    def logPrefix(self) -> str:
        """What it is called where Twisted tells that it listens."""
        return "administration"

    def buildProtocol(self, addr: object) -> _Conversation | None:
        """One more, or none where there are enough."""
        return _Conversation(self) if self.open < MAX_CONNECTIONS else None


class _Conversation(LineOnlyReceiver, TimeoutMixin):
    """One command that asks."""

    log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = MAX_QUESTION

    def __init__(self, all: _Conversations) -> None:
        self._all = all
        self._is_busy = False
        self._is_open = True

    def callLater(self, period: float, call: Any) -> Any:
        """For TimeoutMixin."""
        return self._all.clock.callLater(period, call)

    def connectionMade(self) -> None:
        """Find out who it is."""
        self._all.open += 1
        user = _peer_of(self.transport)
        if user not in self._all.allowed:
            self.log.warn("user {user} may not look after this server", user=user)
            self._leave()
        self.setTimeout(PATIENCE)

    def lineReceived(self, line: bytes) -> None:
        """A question; only one at a time."""
        if self._is_busy or not self._is_open:
            self._leave()
            return
        self._is_busy = True
        self.setTimeout(None)
        Deferred.fromCoroutine(self._answer(line))

    def lineLengthExceeded(self, line: bytes) -> None:
        """More than anybody asks."""
        self._leave()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The command has gone."""
        self._all.open -= 1
        self._is_open = False
        self.setTimeout(None)

    def _leave(self) -> None:
        self._is_open = False
        self.transport.abortConnection()  # type: ignore[union-attr]

    async def _answer(self, line: bytes) -> None:
        reply = await self._reply(line)
        self._is_busy = False
        if not self._is_open:
            return
        self.setTimeout(PATIENCE)
        text = json.dumps(reply, ensure_ascii=False, separators=(",", ":"))
        self.sendLine(text.encode("utf-8", "surrogatepass"))

    async def _reply(self, line: bytes) -> dict[str, Any]:
        try:
            question = json.loads(line)
            name, details = question["ask"], question["details"]
            answer = self._all.questions[name]
        except (ValueError, TypeError, KeyError, RecursionError):
            return _failure(Exit.USAGE, "the server does not know this question")
        try:
            return {"answer": await answer(details)}
        except Exception as error:
            # The details may hold the hash of a password, so they are not told.
            self.log.failure("no answer to {question}", question=name)
            return _failure(Exit.TRY_AGAIN, str(error) or type(error).__name__)


def _failure(code: Exit, text: str) -> dict[str, Any]:
    return {"failure": {"code": int(code), "text": text}}


def _peer_of(transport: Any) -> int:
    """The user at the other end; -1 if the system does not say."""
    with suppress(OSError, AttributeError):
        told = transport.socket.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        user: int = _CREDENTIALS.unpack(told)[1]
        return user
    return -1
