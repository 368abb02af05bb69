"""A worker, seen from the master."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ..config.listening import Bound
from .asking import Unanswered
from .channel import Channel, Joining
from .worker import CHANNEL, COUNTS, StartFailed


class State(Enum):
    """How far a worker has come."""

    STARTING = "its program is being loaded"
    WAITING = "it waits to be told to begin"
    BEGINNING = "it opens the store"
    READY = "it serves"
    FAILED = "it cannot start"
    DEAD = "its process has ended"


_SETTLED = frozenset({State.READY, State.FAILED, State.DEAD})


class Member:
    """A worker, from its start to its end.

    :param slot: whose place it takes.
    :param row: where it counts in what all workers count together.
    :param sockets: what it listens on.
    :param counts: the descriptor of what all workers count together.
    :param changed: called when :attr:`state` is another.
    :ivar reason: why it died.
    :ivar failure: why it could not start.
    :ivar order: what it was told to begin with.
    :ivar silence: heartbeats since it last said something.
    """

    def __init__(
        self,
        reactor: Any,
        slot: int,
        row: int,
        sockets: Sequence[Bound],
        counts: int,
        changed: Callable[[Member], object],
    ) -> None:
        self.slot = slot
        self.row = row
        self.sockets = sockets
        self.state = State.STARTING
        self.reason = ""
        self.started_at = reactor.seconds()
        self.silence = 0
        self.failure = StartFailed("", False)
        self.order: Mapping[str, Any] = {}
        self._reactor = reactor
        self._counts = counts
        self._changed = changed
        self._channel: Channel | None = None
        self._process: Any = None
        self._settling: list[Deferred[None]] = []
        self._ending: list[Deferred[None]] = []

    def start(self) -> None:
        """Start the process; where there can be none, that is a failure like others."""
        try:
            self._spawn()
        except OSError as error:
            self._fail(f"{error.strerror}")

    def _spawn(self) -> None:
        with ExitStack() as stack:
            ours, theirs = map(stack.enter_context, socket.socketpair())
            descriptors = {0: 0, 1: 1, 2: 2, CHANNEL: theirs.fileno()}
            descriptors[COUNTS] = self._counts
            for number, bound in enumerate(self.sockets, COUNTS + 1):
                descriptors[number] = bound.socket.fileno()
            self._process = self._reactor.spawnProcess(
                _Watch(self._died),
                sys.executable,
                _command(self.slot),
                _environment(),
                childFDs=descriptors,
            )
            ours.setblocking(False)
            self._channel = Channel({}, self._told, self._nothing)
            self._reactor.adoptStreamConnection(
                ours.fileno(), socket.AF_UNIX, Joining(self._channel)
            )

    def begin(self, order: Mapping[str, Any]) -> None:
        """Let it open the store and serve.

        :param order: see :class:`mailhub.processes.worker.Worker`.
        """
        assert self._channel is not None
        sockets = [
            [each.service, each.endpoint.host, each.endpoint.port, each.endpoint.path]
            for each in self.sockets
        ]
        passed = [[*one, number] for number, one in enumerate(sockets, COUNTS + 1)]
        self.order = order
        self._become(State.BEGINNING)
        self._channel.tell(
            "begin", slot=self.slot, row=self.row, sockets=passed, **order
        )

    async def ask(
        self, question: str, details: dict[str, Any], patience: float
    ) -> dict[str, Any]:
        """Its answer.

        :raises Unanswered: with the reason; also after *patience* seconds.
        """
        if self._channel is None:
            raise Unanswered("it is not running")
        waiting = self._channel.ask(question, details)
        timer = self._reactor.callLater(patience, waiting.cancel)
        try:
            answer = await waiting
        except CancelledError:
            raise Unanswered(f"nothing for {patience:g} s") from None
        finally:
            if timer.active():
                timer.cancel()
        self.silence = 0
        return answer

    def settled(self) -> Deferred[None]:
        """-> fires when it serves, or has failed to."""
        settled: Deferred[None] = Deferred()
        if self.state in _SETTLED:
            settled.callback(None)
        else:
            self._settling.append(settled)
        return settled

    def end(self, patience: float) -> Deferred[None]:
        """Let it finish its sessions; kill it after *patience* seconds.

        -> fires when it has ended.
        """
        ended: Deferred[None] = Deferred()
        if self._process is None:
            ended.callback(None)
            return ended
        self._ending.append(ended)
        self._signal(signal.SIGTERM)
        timer = self._reactor.callLater(patience, self.kill)
        ended.addCallback(lambda _: timer.active() and timer.cancel())
        return ended

    def kill(self) -> None:
        """End it at once."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessExitedAlready):
                self._process.signalProcess(number)

    def _told(self, message: dict[str, Any]) -> None:
        self.silence = 0
        match message["tell"]:
            case "here":
                self._become(State.WAITING)
            case "ready":
                self._become(State.READY)
            case "failed":
                self.failure = StartFailed(message["reason"], message["is_config"])
                self.reason = message["reason"]

    def _died(self, reason: Failure) -> None:
        if self._channel is not None:
            self._channel.close()
        self._channel = self._process = None
        if self.state is State.READY:
            self.reason = _told_of(reason)
            self._become(State.DEAD)
        else:
            self._fail(f"a worker died: {_told_of(reason)}")
        ending, self._ending = self._ending, []
        for ended in ending:
            ended.callback(None)

    def _fail(self, reason: str) -> None:
        if not self.reason:
            self.reason, self.failure = reason, StartFailed(reason, False)
        self._become(State.FAILED)

    @property
    def is_alive(self) -> bool:
        """Whether its process has not ended."""
        return self.state not in (State.FAILED, State.DEAD)

    def _become(self, state: State) -> None:
        self.state = state
        self._changed(self)
        if state in _SETTLED:
            settling, self._settling = self._settling, []
            for settled in settling:
                settled.callback(None)

    def _nothing(self) -> None:
        """That its channel is closed is no news: it ends, and that is."""


def _told_of(reason: Failure) -> str:
    if reason.check(ProcessDone):
        return "it ended by itself"
    value: Any = reason.value
    if value.signal is not None:
        return f"signal {value.signal}"
    return f"exit status {value.exitCode}"


def _command(slot: int) -> list[str]:
    return [sys.executable, "-m", "mailhub.tap", f"worker-{slot}"]


def _environment() -> dict[str, str]:
    """It finds the same modules as this process."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
    return {**os.environ, "PYTHONPATH": path}


class _Watch(ProcessProtocol):
    """Tells when the process has ended."""

    def __init__(self, died: Callable[[Failure], object]) -> None:
        self._died = died

    def processEnded(self, reason: Failure) -> None:
        """It has, for the reason given."""
        self._died(reason)
