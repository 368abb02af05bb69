"""One question to several servers, until one of them answers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ..errors import DNSFault, MailError
from .dns_exchange import NameServer
from .dns_message import Code, Reply

#: How often a server is asked that does not answer: its answers or our questions may
#: have been lost.
ROUNDS = 2
_ANSWERS = frozenset({Code.NOERROR, Code.NXDOMAIN})

Ask = Callable[[NameServer], Coroutine[Any, Any, Reply]]


class Lookup:
    """Asks one server after the other.

    Who does not answer within *attempt* is not given up: the next is asked besides,
    and the first good answer counts.  So a server that needs longer than that for
    everything still gets its word in.

    :param ask: asks one server; raises ``DNSFault``.
    :param servers: in the order to be asked in.
    :param attempt: seconds.
    :ivar slow: servers that had not answered in time.
    """

    def __init__(
        self, clock: Any, ask: Ask, servers: Sequence[NameServer], attempt: float
    ) -> None:
        self._clock = clock
        self._ask = ask
        self._plan = deque([*servers] * ROUNDS)
        self._attempt = attempt
        self._open: set[Deferred[Any]] = set()
        self._timer: IDelayedCall | None = None
        self._done: Deferred[tuple[NameServer, Reply]] = Deferred(lambda _: self.stop())
        self._fault: BaseException = DNSFault("no servers to ask")
        self._is_over = False
        self.slow: list[NameServer] = []

    def start(self) -> Deferred[tuple[NameServer, Reply]]:
        """Who has answered, and what.  Cancelling it ends everything.

        :raises DNSFault: none had an answer.
        """
        if not self._plan:
            self._finish(Failure(self._fault))
        self._next()
        return self._done

    def stop(self) -> None:
        """Ask nobody any more."""
        self._is_over = True
        self._plan.clear()
        self._end_timer()
        for each in list(self._open):
            each.cancel()

    def _next(self) -> None:
        if not self._plan:
            return
        server = self._plan.popleft()
        self._timer = self._clock.callLater(self._attempt, self._be_late, server)
        asked = Deferred.fromCoroutine(self._ask(server))
        self._open.add(asked)
        asked.addBoth(self._ended, asked, server)

    def _be_late(self, server: NameServer) -> None:
        self.slow.append(server)
        self._next()

    def _ended(
        self, result: Reply | Failure, asked: Deferred[Any], server: NameServer
    ) -> None:
        self._open.discard(asked)
        if self._is_over:
            return
        if isinstance(result, Failure):
            if not isinstance(result.value, MailError):
                self._finish(result)
                return
            self._fault = result.value
        elif result.code in _ANSWERS:
            self._finish((server, result))
            return
        else:
            self._fault = DNSFault(f"{server} answers {_code_name(result.code)}")
        # It has had its say; those that kept silent may be asked again.
        self._plan = deque(each for each in self._plan if each != server)
        if self._plan:
            self._end_timer()
            self._next()
        elif not self._open:
            self._finish(Failure(self._fault))

    def _finish(self, result: tuple[NameServer, Reply] | Failure) -> None:
        self.stop()
        self._done.callback(result)

    def _end_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()


def _code_name(code: int) -> str:
    return Code(code).name if code in Code._value2member_map_ else f"RCODE {code}"
