"""What master and workers tell each other: lines of JSON over a pair of sockets.

Either side may ask.  A question carries a number that its answer repeats::

    {"ask": "samples", "number": 7, "details": {}}
    {"number": 7, "answer": {...}}        {"number": 7, "fault": "..."}

What needs no answer has no number: ``{"tell": "ready", ...}``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from .asking import Answer, Unanswered

#: Octets of a line: the samples of a process are some ten thousand.
MAX_LINE = 16 << 20


class Channel(LineOnlyReceiver):
    """One end.

    :param answers: what the other side may ask.
    :param told: called with each thing that the other side tells.
    :param gone: called once, when the other side is gone.
    """

    log = Logger()
    delimiter = b"\n"
    MAX_LENGTH = MAX_LINE

    def __init__(
        self,
        answers: Mapping[str, Answer],
        told: Callable[[dict[str, Any]], object],
        gone: Callable[[], object],
    ) -> None:
        self._answers = answers
        self._told = told
        self._gone = gone
        self._numbers = count()
        self._waiting: dict[int, Deferred[dict[str, Any]]] = {}
        self._is_open = False

    def connectionMade(self) -> None:
        """The channel may be used."""
        self._is_open = True

    def tell(self, what: str, **details: Any) -> None:
        """Say something that needs no answer; nothing, where nobody listens."""
        if self._is_open:
            self._send({"tell": what, **details})

    def ask(self, question: str, details: dict[str, Any]) -> Deferred[dict[str, Any]]:
        """-> the answer; it fails with ``Unanswered``.

        Who does not want to wait for long cancels it.
        """
        number = next(self._numbers)
        answer: Deferred[dict[str, Any]] = Deferred(lambda _: self._forget(number))
        if not self._is_open:
            answer.errback(Unanswered("the process is gone"))
            return answer
        self._waiting[number] = answer
        self._send({"ask": question, "number": number, "details": details})
        return answer

    def _forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def lineReceived(self, line: bytes) -> None:
        """A line came whole."""
        message = json.loads(line)
        if "ask" in message:
            Deferred.fromCoroutine(self._answer(message))
        elif "tell" in message:
            self._told(message)
        elif (waiting := self._waiting.pop(message["number"], None)) is not None:
            if "fault" in message:
                waiting.errback(Unanswered(message["fault"]))
            else:
                waiting.callback(message["answer"])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The other side is gone, and with it all its answers."""
        self._is_open = False
        waiting, self._waiting = self._waiting, {}
        for each in waiting.values():
            each.errback(Unanswered("the process is gone"))
        if not reason.check(ConnectionDone):
            self.log.debug("a channel broke: {reason}", reason=reason.value)
        self._gone()

    def close(self) -> None:
        """Say no more."""
        if self._is_open:
            assert self.transport is not None
            self.transport.loseConnection()

    async def _answer(self, question: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"number": question["number"]}
        try:
            answer = self._answers[question["ask"]]
            reply["answer"] = await answer(question["details"])
        except Exception as error:
            self.log.failure("no answer to {question}", question=question["ask"])
            reply["fault"] = str(error) or type(error).__name__
        if self._is_open:
            self._send(reply)

    def _send(self, message: dict[str, Any]) -> None:
        assert self.transport is not None
        # Several threads never write here: all of it happens on the reactor.
        self.transport.write(json.dumps(message).encode() + b"\n")


class Joining(Factory):
    """The factory of a channel that there is already.

    :param channel: what the connection becomes.
    """

    noisy = False

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def buildProtocol(self, address: object) -> Channel:
        """The channel."""
        return self._channel
